import { formatIpv4, parseIpv4 } from '../../address/ipv4.ts'
import { formatIpv6, parseIpv6 } from '../../address/ipv6.ts'
import type { Derived, Graph, Index } from '../../reactive/index.ts'
import type { LoadBalancer } from '../../schema/northbound.ts'
import { inNetwork } from '../topology/addresses.ts'
import type { NorthboundTables, SouthboundTables } from '../topology/tables.ts'
import type { RouterPort, Topology } from '../topology/topology.ts'

/** An address with an optional port. */
export interface Endpoint {
  readonly family: 4 | 6
  readonly address: string
  readonly port: number | undefined
}

export interface Backend extends Endpoint {
  /** As in the backends of a flow: `10.0.0.2:80`, `[fd00::2]:80`, `10.0.0.2`. */
  readonly text: string
  /** Whether a health check says it is down. */
  readonly down: boolean
}

export interface Vip extends Endpoint {
  /** The key in `Load_Balancer.vips`. */
  readonly key: string
  readonly backends: readonly Backend[]
}

/** A load balancer as its rules see it. */
export interface Balancer {
  readonly uuid: string
  readonly row: LoadBalancer
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  readonly vips: readonly Vip[]
  readonly reject: boolean
  readonly event: boolean
  readonly skipSnat: boolean
  readonly hairpinSnatIp: string | undefined
  /** Seconds; undefined for none. */
  readonly affinity: number | undefined
  /** Which of its addresses routers answer ARP requests for. */
  readonly responder: 'reachable' | 'all' | 'none'
  readonly fields: readonly string[]
}

/** A load balancer on one datapath. */
export interface Attachment {
  readonly datapath: string
  readonly kind: 'switch' | 'router'
  readonly balancer: string
  /** On a switch only since a router next to it has it. */
  readonly inherited?: boolean
}

export interface LoadBalancerRelations {
  readonly balancers: Derived<Balancer>
  readonly attachments: Derived<Attachment>
  readonly byDatapath: Index<Attachment>
  readonly switchHasVips: Derived<boolean>
  readonly routerHasVips: Derived<boolean>
  /** Whether an address is a virtual address of one of the router's load balancers. */
  routerVip(router: string, ip: string): boolean
  /** The virtual addresses of a router. */
  routerVips(router: string): readonly RouterVip[]
  /** The virtual addresses that a router's port answers for to its switch. */
  reachableVips(port: RouterPort): readonly Endpoint[]
}

/** An address that some load balancer of a router has. */
export interface RouterVip extends Endpoint {
  readonly router: string
  readonly balancer: string
  readonly responder: Balancer['responder']
}

/** `10.0.0.1:80`, `[fd00::1]:80`, `10.0.0.1`, `fd00::1`. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const bracketed = /^\[([^\]]+)\](?::([0-9]+))?$/.exec(text)
  const dotted = /^([0-9.]+)(?::([0-9]+))?$/.exec(text)
  const [host, portText] = bracketed
    ? [bracketed[1] as string, bracketed[2]]
    : dotted
      ? [dotted[1] as string, dotted[2]]
      : [text, undefined]
  const port = portText === undefined ? undefined : Number(portText)
  if (port !== undefined && port > 65535) return undefined
  const v4 = parseIpv4(host)
  if (v4 !== undefined) return { family: 4, address: formatIpv4(v4), port }
  const v6 = parseIpv6(host)
  if (v6 !== undefined) return { family: 6, address: formatIpv6(v6), port }
  return undefined
}

export function formatEndpoint(e: Endpoint): string {
  if (e.port === undefined) return e.address
  return e.family === 4 ? `${e.address}:${e.port}` : `[${e.address}]:${e.port}`
}

export function loadBalancerRelations(
  graph: Graph,
  nb: NorthboundTables,
  sb: SouthboundTables,
  topology: Topology,
  installFromRouter: () => boolean,
): LoadBalancerRelations {
  const balancers = graph.derived<Balancer>('load balancer', 1)
  const attachments = graph.derived<Attachment>('attached load balancer', 5)
  const groupMembers = graph.derived<readonly string[]>('load balancers of group', 1)
  const groupUse = graph.derived<{ datapath: string; kind: 'switch' | 'router'; group: string }>('group of datapath', 1)
  const monitors = sb.Service_Monitor.index('endpoint', (m) => `${m.ip} ${m.port} ${m.protocol ?? 'tcp'}`)
  graph.rule('load balancer', 1, nb.Load_Balancer, (row, out) => {
    const protocol = row.protocol ?? 'tcp'
    const checked = new Set(row.health_check.map((uuid) => nb.Load_Balancer_Health_Check.get(uuid)?.vip))
    const vips: Vip[] = []
    for (const [key, value] of row.vips) {
      const vip = parseEndpoint(key)
      if (!vip) {
        const wanted = 'should be an IP address (or an IP address and a port number with : as a separator).'
        graph.log.child('northd_lb').warn(`Failed to initialize LB VIP: ${key}: ${wanted}`, {
          code: 'bad-vip',
          row: row._uuid,
        })
        continue
      }
      const backends: Backend[] = []
      for (const text of value.split(',')) {
        const e = parseEndpoint(text.trim())
        if (!e || e.family !== vip.family) continue
        const watched = checked.has(key) && row.ip_port_mappings.has(e.address)
        const down =
          watched &&
          monitors
            .get(`${e.address} ${e.port ?? 0} ${protocol}`)
            .some((m) => m.status !== undefined && m.status !== 'online')
        backends.push({ ...e, text: formatEndpoint(e), down })
      }
      vips.push({ ...vip, key, backends })
    }
    const affinity = Number(row.options.get('affinity_timeout') ?? '0')
    const responder = row.options.get('neighbor_responder')
    out.emit(balancers, row._uuid, {
      uuid: row._uuid,
      row,
      protocol,
      vips,
      reject: row.options.get('reject') === 'true',
      event: row.options.get('event') === 'true',
      skipSnat: row.options.get('skip_snat') === 'true',
      hairpinSnatIp: row.options.get('hairpin_snat_ip'),
      affinity: Number.isInteger(affinity) && affinity > 0 ? Math.min(affinity, 65535) : undefined,
      responder: responder === 'all' || responder === 'none' ? responder : 'reachable',
      fields: row.selection_fields,
    })
  })
  graph.rule('load balancers of group', 1, nb.Load_Balancer_Group, (row, out) =>
    out.emit(groupMembers, row._uuid, row.load_balancer),
  )
  for (const [kind, table] of [
    ['switch', nb.Logical_Switch],
    ['router', nb.Logical_Router],
  ] as const) {
    interface Holder {
      readonly load_balancer: readonly string[]
      readonly load_balancer_group: readonly string[]
      readonly enabled?: boolean | undefined
    }
    const off = (row: Holder) => kind === 'router' && row.enabled === false
    graph.pair(
      `load balancers of ${kind}`,
      1,
      table as never as Parameters<typeof graph.rule<Holder>>[2],
      { members: (row) => (off(row) ? [] : row.load_balancer), pick: () => undefined },
      (key, balancer, _picked, out) => out.emit(attachments, `${key} ${balancer}`, { datapath: key, kind, balancer }),
    )
    graph.pair(
      `load balancer groups of ${kind}`,
      1,
      table as never as Parameters<typeof graph.rule<Holder>>[2],
      { members: (row) => (off(row) ? [] : row.load_balancer_group), pick: () => undefined },
      (key, group, _picked, out) => out.emit(groupUse, `${key} ${group}`, { datapath: key, kind, group }),
    )
  }
  graph.rule('load balancers by group', 2, groupUse, ({ datapath, kind, group }, out) => {
    for (const balancer of groupMembers.get(group) ?? [])
      out.emit(attachments, `${datapath} ${balancer}`, { datapath, kind, balancer })
  })
  const onRouters = graph.derived<Attachment>('router load balancer', 3)
  const byRouter = onRouters.index('router', (a) => a.datapath)
  graph.pair(
    'router load balancers',
    2,
    nb.Logical_Router,
    { members: (row) => (row.enabled === false ? [] : row.load_balancer), pick: () => undefined },
    (key, balancer, _picked, out) =>
      out.emit(onRouters, `${key} ${balancer}`, { datapath: key, kind: 'router', balancer }),
  )
  graph.rule('router load balancers by group', 2, groupUse, ({ datapath, kind, group }, out) => {
    if (kind !== 'router') return
    for (const balancer of groupMembers.get(group) ?? [])
      out.emit(onRouters, `${datapath} ${balancer}`, { datapath, kind, balancer })
  })
  graph.rule('load balancers from routers', 5, topology.switchPorts, (port, out) => {
    if (port.type !== 'router' || !installFromRouter()) return
    const peer = topology.peerOfSwitchPort(port)
    if (!peer) return
    for (const { balancer } of byRouter.get(peer.router))
      out.emit(attachments, `${port.switch} ${balancer}`, {
        datapath: port.switch,
        kind: 'switch',
        balancer,
        inherited: true,
      })
  })

  const has = (kind: 'switch' | 'router') => {
    const target = graph.derived<boolean>(`${kind} has vips`, 6)
    graph.rule(`${kind} has vips`, 6, attachments, (a, out) => {
      if (a.kind === kind && !a.inherited && (balancers.get(a.balancer)?.vips.length ?? 0) > 0)
        out.emit(target, a.datapath, true)
    })
    return target
  }
  const routerVips = graph.derived<RouterVip>('router vip', 6)
  graph.rule('router vip', 6, attachments, (a, out) => {
    const lb = a.kind === 'router' ? balancers.get(a.balancer) : undefined
    for (const { family, address } of lb?.vips ?? [])
      out.emit(routerVips, `${a.datapath} ${address} ${a.balancer}`, {
        router: a.datapath,
        family,
        address,
        port: undefined,
        balancer: a.balancer,
        responder: lb?.responder ?? 'reachable',
      })
  })
  const byAddress = routerVips.index('address', (v) => `${v.router} ${v.address}`)
  const vipsByRouter = routerVips.index('router', (v) => v.router)
  return {
    balancers,
    attachments,
    byDatapath: attachments.index('datapath', (a) => a.datapath),
    switchHasVips: has('switch'),
    routerHasVips: has('router'),
    routerVip: (router, ip) => byAddress.get(`${router} ${ip}`).length > 0,
    routerVips: (router) => vipsByRouter.get(router),
    reachableVips: (port) => vipsByRouter.get(port.router).filter((v) => v.responder !== 'none' && isOnLink(port, v)),
  }
}

/** Whether a router's port answers ARP requests for a virtual address. */
export function isReachable(port: RouterPort, vip: RouterVip): boolean {
  if (vip.responder === 'none') return false
  return vip.responder === 'all' || isOnLink(port, vip)
}

/** Whether an address lies in one of a port's networks. */
function isOnLink(port: RouterPort, vip: Endpoint): boolean {
  if (vip.family === 4) {
    const value = parseIpv4(vip.address)
    return value !== undefined && port.addresses.v4.some((n) => inNetwork(n, value))
  }
  const value = parseIpv6(vip.address)
  return value !== undefined && port.addresses.v6.some((n) => inNetwork(n, value))
}
