import type { Graph } from '../../reactive/graph.ts'
import type { Derived, Index, Relation } from '../../reactive/relation.ts'
import type { PortBinding } from '../../schema/southbound.ts'
import type { HaGroup } from '../ha.ts'
import type { SouthboundInputs } from '../inputs/inputs.ts'
import { type ChassisName, type ChassisRelations, type Interfaces, US, type Vif } from '../interfaces.ts'
import { S } from '../strata.ts'

/**
 * How a logical port comes to be on this chassis.
 * - `vif`: an interface of the integration bridge carries its name
 * - `container`: behind a VLAN tag of another port's interface
 * - `virtual`: an address that the interface of its parent took (bind_vport)
 * - `localport`: on every chassis that has an interface for it; never claimed
 * - `gateway`: a port of a gateway router, or an L2 gateway, put here by the operator
 * - `ha`: a chassis redirect or external port, here because this chassis serves its HA group
 */
export type BindingKind = 'vif' | 'container' | 'virtual' | 'localport' | 'gateway' | 'ha'

/** A logical port that is on this chassis, or (`ha`) might come to be. */
export interface Binding {
  readonly uuid: string
  readonly name: string
  readonly kind: BindingKind
  readonly type: string
  readonly datapath: string
  /** Which column of Port_Binding names us; undefined: none (localport, or an HA group that another chassis serves). */
  readonly claim: 'chassis' | 'additional_chassis' | undefined
  /** The interface its packets pass through. */
  readonly vif: Vif | undefined
  /** `container`, `virtual`: the port whose interface that is. */
  readonly parent: string | undefined
}

export interface Bindings {
  /** By logical port. */
  readonly all: Derived<Binding>
  readonly portsByName: Index<PortBinding>
  /** By logical port: is_chassis_resident(). A chassis that has a port besides another does not count. */
  readonly resident: Derived<true>
}

/** What the decision reads besides the row. */
export interface BindingContext {
  readonly us: ChassisName | undefined
  vif(port: string): Vif | undefined
  port(name: string): PortBinding | undefined
  group(uuid: string): HaGroup | undefined
}

/**
 * Which column an interface here entitles us to claim: the operator may have asked for other
 * chassis (ovn-nb(5), Logical_Switch_Port options:requested-chassis; northd resolves the names).
 */
export function entitled(row: PortBinding, us: ChassisName): Binding['claim'] {
  if (row.requested_additional_chassis.includes(us.uuid)) return 'additional_chassis'
  if (row.requested_chassis === us.uuid) return 'chassis'
  return row.options.get('requested-chassis') ? undefined : 'chassis'
}

/** The binding of a port here, if it has one. */
export function bind(row: PortBinding, ctx: BindingContext): Binding | undefined {
  const us = ctx.us
  if (!us) return undefined
  const base = { uuid: row._uuid, name: row.logical_port, type: row.type, datapath: row.datapath }
  switch (row.type) {
    case '': {
      if (row.parent_port) return bindChild(row, base, 'container', row.parent_port, us, ctx)
      const vif = plugged(row, ctx)
      const claim = vif && entitled(row, us)
      return claim && { ...base, kind: 'vif', claim, vif, parent: undefined }
    }
    case 'virtual':
      // Only a bind_vport of ours makes us its chassis; once it is, it stays with its parent.
      return row.virtual_parent ? bindChild(row, base, 'virtual', row.virtual_parent, us, ctx) : undefined
    case 'localport': {
      const vif = plugged(row, ctx)
      return vif && { ...base, kind: 'localport', claim: undefined, vif, parent: undefined }
    }
    case 'l2gateway':
    case 'l3gateway': {
      if (row.options.get(`${row.type}-chassis`) !== us.name) return undefined
      return { ...base, kind: 'gateway', claim: 'chassis', vif: undefined, parent: undefined }
    }
    case 'chassisredirect':
    case 'external': {
      const group = row.ha_chassis_group === undefined ? undefined : ctx.group(row.ha_chassis_group)
      if (!group?.ours) return undefined
      return { ...base, kind: 'ha', claim: group.active ? 'chassis' : undefined, vif: undefined, parent: undefined }
    }
    default:
      return undefined
  }
}

function plugged(row: PortBinding, ctx: BindingContext): Vif | undefined {
  const vif = ctx.vif(row.logical_port)
  // ovn-nb(5) options:iface-id-ver: the interface must be the one that was made for this port.
  const version = row.options.get('iface-id-ver')
  return vif && (version === undefined || version === vif.version) ? vif : undefined
}

function bindChild(
  row: PortBinding,
  base: { uuid: string; name: string; type: string; datapath: string },
  kind: 'container' | 'virtual',
  parentName: string,
  us: ChassisName,
  ctx: BindingContext,
): Binding | undefined {
  const parent = ctx.port(parentName)
  const vif = parent && plugged(parent, ctx)
  if (!parent || !vif || !entitled(parent, us)) return undefined
  const claim = kind === 'virtual' ? 'chassis' : entitled(row, us)
  return claim && { ...base, kind, claim, vif, parent: parentName }
}

export function declareBindings(
  graph: Graph,
  sb: SouthboundInputs,
  chassis: ChassisRelations,
  interfaces: Interfaces,
  groups: Relation<HaGroup>,
): Bindings {
  const portsByName = sb.Port_Binding.index('logical_port', (p) => p.logical_port)
  const all = graph.derived<Binding>('bindings', S.BINDINGS)
  const resident = graph.derived<true>('resident ports', S.BINDINGS)
  const ctx = {
    vif: (port: string) => interfaces.vifs.get(port),
    port: (name: string) => portsByName.first(name),
    group: (uuid: string) => groups.get(uuid),
  }
  graph.rule('bindings', S.BINDINGS, sb.Port_Binding, (row, out) => {
    const binding = bind(row, { ...ctx, us: chassis.us.get(US) })
    if (!binding) return
    out.emit(all, row.logical_port, binding)
    if (binding.claim === 'chassis') out.emit(resident, row.logical_port, true)
  })
  return { all, portsByName, resident }
}
