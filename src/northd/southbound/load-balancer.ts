import { type Context, supports } from '../context.ts'
import { type Attachment, isReachable } from '../features/load-balancer.ts'

export function routerSetName(datapathKey: number, family: 4 | 6): string {
  return `_rtr_lb_${datapathKey}_ip${family}`
}

/** The virtual addresses of a family that some port of a router answers for. */
export function reachableAddresses({ topology, lb }: Context, router: string, family: 4 | 6): string[] {
  const ports = topology.portsOfRouter.get(router)
  const reachable = lb
    .routerVips(router)
    .filter((v) => v.family === family && ports.some((p) => isReachable(p, v)))
    .map((v) => v.address)
  return [...new Set(reachable)].sort()
}

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
    const split = context.southboundLimits.switchGroups && supports(context, 'lsDpgColumn')
    out.emit(outputs.Load_Balancer, balancer, {
      name: row.name,
      vips: row.vips,
      protocol: row.protocol ?? 'tcp',
      ...(split
        ? { ls_datapath_group: group(switches), datapath_group: undefined }
        : { ls_datapath_group: undefined, datapath_group: group(switches) }),
      lr_datapath_group: group(routers),
      options,
      external_ids: row.external_ids,
    })
  })

  // Routers answer ARP requests for virtual addresses by one flow a port: the addresses are a set.
  graph.rule('southbound/address set of load balancers', 10, lb.routerHasVips, (_has, out, router) => {
    const key = datapathKeys.get(router)
    if (key === undefined) return
    for (const family of [4, 6] as const) {
      const addresses = reachableAddresses(context, router, family)
      const name = routerSetName(key, family)
      if (addresses.length) out.emit(outputs.Address_Set, name, { name, addresses })
    }
  })
}
