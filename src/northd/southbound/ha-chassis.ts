import type { Derived, Graph } from '../../reactive/index.ts'
import type { Context } from '../context.ts'
import type { NorthboundTables, SouthboundTables } from '../topology/tables.ts'
import type { Topology } from '../topology/topology.ts'
import { haReferences } from './ha-references.ts'

/** A group of chassis that stand in for each other, by priority. */
export interface HaGroup {
  readonly name: string
  readonly members: readonly { readonly chassis: string; readonly priority: number }[]
}

/** The groups that ports use, by name. */
export function haGroups(graph: Graph, nb: NorthboundTables, topology: Topology): Derived<HaGroup> {
  const groups = graph.derived<HaGroup>('ha chassis group', 5)
  const named = (uuid: string): HaGroup | undefined => {
    const row = nb.HA_Chassis_Group.get(uuid)
    if (!row) return undefined
    const members = row.ha_chassis.flatMap((member) => {
      const ha = nb.HA_Chassis.get(member)
      return ha ? [{ chassis: ha.chassis_name, priority: ha.priority }] : []
    })
    return { name: row.name, members }
  }
  graph.rule('ha group of router port', 5, topology.routerPorts, (port, out) => {
    if (!port.distributedGateway) return
    if (port.row.ha_chassis_group !== undefined) {
      const group = named(port.row.ha_chassis_group)
      if (group) out.emit(groups, group.name, group)
      return
    }
    const members = port.row.gateway_chassis.flatMap((uuid) => {
      const row = nb.Gateway_Chassis.get(uuid)
      return row ? [{ chassis: row.chassis_name, priority: row.priority }] : []
    })
    out.emit(groups, port.name, { name: port.name, members })
  })
  graph.rule('ha group of switch port', 5, topology.switchPorts, (port, out) => {
    if (port.type !== 'external' || port.row.ha_chassis_group === undefined) return
    const group = named(port.row.ha_chassis_group)
    if (group) out.emit(groups, group.name, group)
  })
  return groups
}

/** The key of a port's group in the southbound. */
export function haGroupName(
  nb: NorthboundTables,
  port: { readonly ha_chassis_group: string | undefined; readonly name: string },
): string | undefined {
  return port.ha_chassis_group === undefined ? port.name : nb.HA_Chassis_Group.get(port.ha_chassis_group)?.name
}

export function haChassis(context: Context, groups: Derived<HaGroup>): void {
  const { graph, nb, sb, outputs, topology, portStates } = context
  const references = haReferences(graph, nb, topology, portStates)
  const byName = chassisByName(sb)
  graph.rule('southbound/ha chassis group', 10, groups, (group, out) => {
    const keys: string[] = []
    for (const { chassis, priority } of group.members) {
      const key = `${group.name} ${chassis}`
      keys.push(key)
      out.emit(outputs.HA_Chassis, key, {
        chassis: byName.first(chassis)?._uuid,
        priority,
        external_ids: new Map([['chassis-name', chassis]]),
      })
    }
    out.emit(outputs.HA_Chassis_Group, group.name, {
      name: group.name,
      ha_chassis: keys,
      // A chassis alone needs nobody to watch over it.
      ref_chassis: group.members.length > 1 ? references.of(group.name) : [],
    })
  })
}

export function chassisByName(sb: SouthboundTables) {
  return sb.Chassis.index('name', (c) => c.name)
}

/** A chassis by its name or its host's, as `requested-chassis` may say either. */
export function findChassis(sb: SouthboundTables, name: string): string | undefined {
  const byHost = sb.Chassis.index('hostname', (c) => c.hostname)
  return chassisByName(sb).first(name)?._uuid ?? byHost.first(name)?._uuid
}
