import type { Operation } from '../../ovsdb/client/operation.ts'
import type { Replica } from '../../ovsdb/client/replica.ts'
import type { Removed } from '../../ovsdb/relations/row-sink.ts'
import type { Southbound } from '../../schema/southbound.ts'

/**
 * Rows that controllers made (learned neighbours, MAC addresses, routes, multicast members) and that go
 * with the port or datapath they were learned on: the references are strong, and nobody else ends them.
 * `anew`: northd has just found out what is there, and what went while nobody looked is looked for too.
 */
export function learnedRowsToRemove(
  sb: Replica<Southbound>,
  removed: readonly Removed[],
  anew: boolean,
): readonly Operation[] {
  const doomed = new Map<string, string>()
  const take = (table: string, rows: readonly { readonly _uuid: string }[]) => {
    for (const row of rows) doomed.set(row._uuid, table)
  }
  const neighbours = sb.table('MAC_Binding')
  const stations = sb.table('FDB')
  const routes = sb.table('Learned_Route')
  const nexthops = sb.table('ECMP_Nexthop')
  const station = (datapath: number | undefined, port: number) => `${datapath ?? ''} ${port}`
  for (const { table, uuid } of removed) {
    if (table === 'Datapath_Binding') {
      for (const of of [neighbours, routes, nexthops, sb.table('IGMP_Group')])
        take(of.name, of.index('by datapath', (r: { readonly datapath: string | undefined }) => r.datapath).get(uuid))
      const key = String(sb.table('Datapath_Binding').get(uuid)?.tunnel_key)
      take('FDB', stations.index('by datapath', (r) => String(r.dp_key)).get(key))
    } else if (table === 'Port_Binding') {
      const port = sb.table('Port_Binding').get(uuid)
      if (!port) continue
      take('MAC_Binding', neighbours.index('by port', (r) => r.logical_port).get(port.logical_port))
      take('Learned_Route', routes.index('by port', (r) => r.logical_port).get(uuid))
      take('ECMP_Nexthop', nexthops.index('by port', (r) => r.port).get(uuid))
      const datapath = sb.table('Datapath_Binding').get(port.datapath)?.tunnel_key
      take(
        'FDB',
        stations.index('by port', (r) => station(r.dp_key, r.port_key)).get(station(datapath, port.tunnel_key)),
      )
    }
  }
  if (anew) {
    const names = new Set<string>()
    const keys = new Set<string>()
    for (const port of sb.table('Port_Binding').values()) {
      names.add(port.logical_port)
      keys.add(station(sb.table('Datapath_Binding').get(port.datapath)?.tunnel_key, port.tunnel_key))
    }
    take(
      'MAC_Binding',
      [...neighbours.values()].filter((r) => !names.has(r.logical_port)),
    )
    take(
      'FDB',
      [...stations.values()].filter((r) => !keys.has(station(r.dp_key, r.port_key))),
    )
  }
  return [...doomed].map(([uuid, table]) => ({ op: 'delete', table, where: [['_uuid', '==', uuid]] }))
}
