import type { OptionTable } from '../../logical/index.ts'
import type { Graph } from '../../reactive/graph.ts'
import type { Derived } from '../../reactive/relation.ts'
import type { Binding } from '../binding/binding.ts'
import type { LocalDatapath } from '../datapaths.ts'
import type { SouthboundInputs } from '../inputs/inputs.ts'
import { type ChassisRelations, US } from '../interfaces.ts'
import { S } from '../strata.ts'
import { type SetShape, shapeOf } from './template.ts'

/** What logical flows refer to by name. */
export interface Environment {
  /** Ports by name. */
  readonly ports: Derived<{ readonly key: number; readonly datapath: string }>
  /** Multicast groups by `DATAPATH NAME`. */
  readonly multicast: Derived<number>
  /** Ports of local datapaths that a packet here may enter or leave by. */
  readonly related: Derived<true>
  /** The same by `DATAPATHKEY PORTKEY`. */
  readonly relatedKeys: Derived<true>
  /** The members of address sets, as they are written, by the set's name. */
  readonly members: Derived<readonly string[]>
  /** The shapes of address sets with several members of one kind. */
  readonly shapes: Derived<SetShape>
  /** Ports of port groups by name (`DATAPATHKEY_NAME`), those here only: others' packets pass elsewhere. */
  readonly portGroups: Derived<readonly string[]>
  /** This chassis' template variables, under the key `us`. */
  readonly templates: Derived<ReadonlyMap<string, string>>
  readonly dhcpOptions: Derived<OptionTable>
  readonly dhcpv6Options: Derived<OptionTable>
}

/** The only key of the relations that have but one row. */
export const ONLY = 'all'

export const multicastKey = (datapath: string, name: string) => `${datapath} ${name}`

export function declareEnvironment(
  graph: Graph,
  sb: SouthboundInputs,
  parts: {
    readonly chassis: ChassisRelations
    readonly bindings: Derived<Binding>
    readonly local: Derived<LocalDatapath>
  },
): Environment {
  const ports = graph.derived<{ readonly key: number; readonly datapath: string }>('port keys', S.FACTS)
  graph.rule('port keys', S.FACTS, sb.Port_Binding, (row, out) =>
    out.emit(ports, row.logical_port, { key: row.tunnel_key, datapath: row.datapath }),
  )
  const multicast = graph.derived<number>('multicast keys', S.FACTS)
  graph.rule('multicast keys', S.FACTS, sb.Multicast_Group, (row, out) =>
    out.emit(multicast, multicastKey(row.datapath, row.name), row.tunnel_key),
  )
  const related = graph.derived<true>('related ports', S.PORTS)
  graph.rule('ports without a place', S.PORTS, sb.Port_Binding, (row, out) => {
    if (row.type !== 'patch' && row.type !== 'localnet') return
    if (parts.local.has(row.datapath)) out.emit(related, row.logical_port, true)
  })
  const relatedKeys = graph.derived<true>('related port keys', S.ZONES)
  graph.rule('related port keys', S.ZONES, sb.Port_Binding, (row, out) => {
    const dp = parts.local.get(row.datapath)
    if (dp && related.has(row.logical_port)) out.emit(relatedKeys, `${dp.key} ${row.tunnel_key}`, true)
  })
  graph.rule('ports here', S.PORTS, parts.bindings, (b, out) => out.emit(related, b.name, true))

  const members = graph.derived<readonly string[]>('members of address sets', S.FACTS)
  const shapes = graph.derived<SetShape>('shapes of address sets', S.FACTS)
  graph.rule('address sets', S.FACTS, sb.Address_Set, (row, out) => {
    out.emit(members, row.name, row.addresses)
    const shape = shapeOf(row.addresses)
    if (shape) out.emit(shapes, row.name, shape)
  })
  const portGroups = graph.derived<readonly string[]>('port groups', S.ZONES)
  graph.rule('port groups', S.ZONES, sb.Port_Group, (row, out) =>
    out.emit(
      portGroups,
      row.name,
      row.ports.filter((p) => related.has(p)),
    ),
  )
  const variables = graph.derived<{ chassis: string; variables: ReadonlyMap<string, string> }>('template rows', S.FACTS)
  graph.rule('template rows', S.FACTS, sb.Chassis_Template_Var, (row, out) =>
    out.emit(variables, row._uuid, { chassis: row.chassis, variables: row.variables }),
  )
  const ours = graph.derived<ReadonlyMap<string, string>>('own templates', S.PLUGGED)
  graph.rule('own templates', S.PLUGGED, variables, (row, out) => {
    if (row.chassis === parts.chassis.us.get(US)?.name) out.emit(ours, ONLY, row.variables)
  })

  const options = (name: string, table: SouthboundInputs['DHCP_Options'] | SouthboundInputs['DHCPv6_Options']) => {
    const relation = graph.derived<OptionTable>(name, S.FACTS)
    graph.once(name, S.FACTS, (out) => {
      const all = new Map(table.values().map((row) => [row.name, { code: row.code, type: row.type }]))
      if (all.size) out.emit(relation, ONLY, all)
    })
    return relation
  }
  return {
    ports,
    multicast,
    related,
    relatedKeys,
    members,
    shapes,
    portGroups,
    templates: ours,
    dhcpOptions: options('DHCP options', sb.DHCP_Options),
    dhcpv6Options: options('DHCPv6 options', sb.DHCPv6_Options),
  }
}
