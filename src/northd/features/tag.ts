import type { Derived, Graph, Request } from '../../reactive/index.ts'
import type { Topology } from '../topology/topology.ts'

/** VLAN tags of container ports within their parent's interface (ovn-nb(5), tag_request). */
export function tagAllocation(graph: Graph, topology: Topology): Derived<number> {
  const requests = graph.derived<Request>('tag request', 5)
  graph.rule('tag request', 5, topology.switchPorts, ({ row }, out, key) => {
    if (row.tag_request === undefined) return
    // Without a parent the tag is what was asked for, shared or not.
    const space = row.parent_name ?? `of ${key}`
    if (row.tag_request === 0 && row.parent_name === undefined) return
    out.emit(requests, key, { space, wanted: row.tag_request || undefined })
  })
  return graph.allocate('tag', 6, requests, {
    first: 1,
    last: 4095,
    pick: 'least',
    previous: (key) => topology.nb.Logical_Switch_Port.peek(key)?.tag,
  })
}

/** Egress queues of ports with a bandwidth on a switch with a physical network. */
export function queueAllocation(graph: Graph, topology: Topology): Derived<number> {
  const requests = graph.derived<Request>('queue request', 5)
  graph.rule('queue request', 5, topology.switchPorts, (port, out) => {
    const limited = ['qos_max_rate', 'qos_min_rate', 'qos_burst'].some((name) => port.options.get(name))
    if (limited && port.type !== 'router') out.emit(requests, port.name, { space: 'queue' })
  })
  return graph.allocate('queue', 6, requests, { first: 1, last: 0xf000 })
}
