import type { Context } from '../context.ts'
import * as reg from '../pipeline/registers.ts'
import { lsIn, lsOut } from '../pipeline/stage.ts'

/** Native DNS: the lookup and its answer on switches that have records; the records themselves. */
export function dns(context: Context): void {
  const { graph, nb, topology, flows, acl, lb, meters, outputs } = context
  const users = graph.derived<{ readonly switch: string; readonly record: string }>('dns of switch', 1)
  const hasRecords = graph.derived<boolean>('switch has dns', 2)
  graph.pair(
    'dns of switch',
    1,
    nb.Logical_Switch,
    { members: (row) => row.dns_records, pick: () => undefined },
    (key, record, _picked, out) => out.emit(users, `${key} ${record}`, { switch: key, record }),
  )
  graph.rule('switch has dns', 2, users, (row, out) => out.emit(hasRecords, row.switch, true))
  graph.rule('features/dns', 10, hasRecords, (_has, out, key) => {
    const ls = topology.switches.get(key)
    if (!ls) return
    const flow = flows.on(out, key, 'features/dns.ts')
    flow(lsIn.dns_lookup, 100, 'udp.dst == 53', `${reg.DNS_LOOKUP_RESULT} = dns_lookup(); next;`, {
      meter: meters.of(ls.copp, 'dns'),
    })
    for (const family of [4, 6])
      flow(
        lsIn.dns_response,
        100,
        `udp.dst == 53 && ${reg.DNS_LOOKUP_RESULT}`,
        `eth.dst <-> eth.src; ip${family}.src <-> ip${family}.dst; udp.dst = udp.src; udp.src = 53; outport = inport; flags.loopback = 1; output;`,
      )
    const tracked = acl.statefulSwitch.get(key) === true || lb.switchHasVips.get(key) === true
    flow(
      lsOut.acl_eval,
      34000,
      'flags.from_ctrl && udp.src == 53',
      `${reg.ACL_VERDICT_ALLOW} = 1; ${tracked ? 'ct_commit; ' : ''}next;`,
    )
  })
  interface Named {
    readonly uuid: string
    readonly datapaths: readonly string[]
  }
  const byRecord = graph.fold<{ switch: string; record: string }, Set<string>, Named>('dns record', 2, users, {
    key: (u) => u.record,
    empty: () => new Set(),
    add: (into, u) => into.add(u.switch),
    remove: (from, u) => from.delete(u.switch),
    result: (all, uuid) => ({ uuid, datapaths: [...all].sort() }),
  })
  graph.rule('southbound/dns', 10, byRecord, ({ uuid, datapaths }, out) => {
    const row = nb.DNS.get(uuid)
    if (!row) return
    const options = new Map(row.options)
    options.set('ovn-owned', row.options.get('ovn-owned') === 'true' ? 'true' : 'false')
    out.emit(outputs.DNS, uuid, {
      records: row.records,
      datapaths,
      options,
    })
  })
}
