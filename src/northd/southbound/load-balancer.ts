import type { Context } from '../context.ts'
import type { Attachment } from '../features/load-balancer.ts'

/** `Load_Balancer`, and the address sets that routers' ARP flows refer to. */
export function loadBalancers(context: Context): void {
  const { graph, nb, lb, outputs, datapathKeys } = context
  interface Users {
    readonly balancer: string
    readonly switches: readonly string[]
    readonly routers: readonly string[]
  }
  const users = graph.fold<Attachment, Map<string, Attachment>, Users>('users of load balancer', 6, lb.attachments, {
    key: (a) => a.balancer,
    empty: () => new Map(),
    add: (into, a, key) => into.set(key, a),
    remove: (from, _a, key) => from.delete(key),
    result: (all, balancer) => {
      const of = (kind: string) =>
        [...new Set([...all.values()].filter((a) => a.kind === kind).map((a) => a.datapath))].sort()
      return { balancer, switches: of('switch'), routers: of('router') }
    },
  })
  graph.rule('southbound/load balancer', 10, users, ({ balancer, switches, routers }, out) => {
    const row = nb.Load_Balancer.get(balancer)
    if (!row) return
    const group = (datapaths: readonly string[]) => {
      if (!datapaths.length) return undefined
      const key = datapaths.join(' ')
      out.emit(outputs.Logical_DP_Group, key, { datapaths })
      return key
    }
    const options = new Map(row.options)
    out.emit(outputs.Load_Balancer, balancer, {
      name: row.name,
      vips: row.vips,
      protocol: row.protocol ?? 'tcp',
      ls_datapath_group: group(switches),
      lr_datapath_group: group(routers),
      options,
      external_ids: row.external_ids,
    })
  })
  void datapathKeys
}
