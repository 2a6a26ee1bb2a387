import { formatIpv4, ipv4Mask } from '../../address/ipv4.ts'
import { formatIpv6, ipv6Mask, solicitedNode } from '../../address/ipv6.ts'
import { formatMac } from '../../address/mac.ts'
import { type Prefix, parsePrefix } from '../../address/prefix.ts'
import type { Derived, Emit, Graph, Request } from '../../reactive/index.ts'
import type { LogicalRouterStaticRoute } from '../../schema/northbound.ts'
import type { Context } from '../context.ts'
import type { AddFlow } from '../pipeline/flow.ts'
import * as reg from '../pipeline/registers.ts'
import { lrIn } from '../pipeline/stage.ts'
import { inNetwork, isLinkLocal, type Network } from '../topology/addresses.ts'
import type { NorthboundTables, SouthboundTables } from '../topology/tables.ts'
import type { RouterPort, Topology } from '../topology/topology.ts'
import { sessionUp } from './bfd.ts'

/** A route that can be used: where to, by what next hop, through which port. */
export interface Route {
  readonly uuid: string
  readonly router: string
  /** Routes of one group differ in their next hop alone. */
  readonly group: string
  readonly prefix: Prefix
  readonly bySource: boolean
  readonly table: string
  readonly discard: boolean
  readonly nexthop: { readonly text: string; readonly family: 4 | 6 } | undefined
  readonly port: RouterPort | undefined
  readonly source: Network | undefined
  readonly symmetric: boolean
  readonly ecmp: boolean
  readonly fields: readonly string[]
}

export interface RouteGroup {
  readonly routes: readonly Route[]
}

export interface RouteRelations {
  /** A route's router. */
  readonly owner: Derived<string>
  readonly routes: Derived<Route>
  readonly groups: Derived<RouteGroup>
  /** ECMP group numbers, from 1 in each router. */
  readonly groupIds: Derived<number>
  /** ECMP member numbers, from 1 in each group. */
  readonly memberIds: Derived<number>
  /** Route table numbers, from 1 in each router; the main table has none. */
  readonly tableIds: Derived<number>
}

export function routeRelations(
  graph: Graph,
  nb: NorthboundTables,
  sb: SouthboundTables,
  topology: Topology,
): RouteRelations {
  const owner = graph.derived<string>('router of route', 1)
  const routes = graph.derived<Route>('route', 4)
  const tableRequests = graph.derived<Request>('route table request', 4)
  graph.pair(
    'routes of router',
    1,
    nb.Logical_Router,
    { members: (row) => (row.enabled === false ? [] : row.static_routes), pick: () => undefined },
    (key, route, _picked, out) => out.emit(owner, route, key),
  )
  graph.rule('route', 4, nb.Logical_Router_Static_Route, (row, out) => {
    const router = owner.get(row._uuid)
    if (router === undefined || !topology.routers.get(router)) return
    if (row.route_table) out.emit(tableRequests, `${router} ${row.route_table}`, { space: router })
    const route = resolve(graph, nb, sb, topology, router, row)
    if (route) out.emit(routes, row._uuid, route)
  })
  graph.rule('route table of port', 4, topology.routerPorts, (port, out) => {
    const table = port.options.get('route_table')
    if (table) out.emit(tableRequests, `${port.router} ${table}`, { space: port.router })
  })
  const groups = graph.fold<Route, Map<string, Route>, RouteGroup>('route group', 5, routes, {
    key: (r) => r.group,
    empty: () => new Map(),
    add: (into, r, key) => into.set(key, r),
    remove: (from, _r, key) => from.delete(key),
    result: (all) => ({ routes: [...all.keys()].sort().map((k) => all.get(k) as Route) }),
  })
  const groupRequests = graph.derived<Request>('route group request', 6)
  const memberRequests = graph.derived<Request>('route member request', 6)
  graph.rule('route group request', 6, groups, ({ routes: members }, out, key) => {
    const first = members[0]
    if (!first || !isGrouped(members)) return
    out.emit(groupRequests, key, { space: first.router })
    for (const m of members) out.emit(memberRequests, m.uuid, { space: key })
  })
  return {
    owner,
    routes,
    groups,
    groupIds: graph.allocate('route group id', 7, groupRequests, { first: 1, last: 65535 }),
    memberIds: graph.allocate('route member id', 7, memberRequests, { first: 1, last: 65535 }),
    tableIds: graph.allocate('route table id', 5, tableRequests, { first: 1, last: 0xffffffff }),
  }
}

function isGrouped(routes: readonly Route[]): boolean {
  return routes.length > 1 || routes.some((r) => r.symmetric)
}

function resolve(
  graph: Graph,
  nb: NorthboundTables,
  sb: SouthboundTables,
  topology: Topology,
  router: string,
  row: LogicalRouterStaticRoute,
): Route | undefined {
  const prefix = parsePrefix(row.ip_prefix)
  const log = graph.log.child('northd')
  const about = { row: row._uuid, datapath: router }
  if (!prefix) {
    log.warn(`bad 'ip_prefix' ${row.ip_prefix} in static route ${row._uuid}`, { code: 'bad-prefix', ...about })
    return undefined
  }
  if (row.bfd !== undefined && !sessionUp(nb, sb, row.bfd)) return undefined
  const bySource = row.policy === 'src-ip'
  const network = prefix.family === 4 ? formatIpv4(prefix.network) : formatIpv6(prefix.network)
  const base = {
    uuid: row._uuid,
    router,
    group: `${router} ${row.route_table} ${bySource ? 'src' : 'dst'} ${network}/${prefix.length}`,
    prefix,
    bySource,
    table: row.route_table,
    symmetric: row.options.get('ecmp_symmetric_reply') === 'true',
    ecmp: true,
    fields: row.selection_fields,
  }
  if (row.nexthop === 'discard')
    return { ...base, discard: true, nexthop: undefined, port: undefined, source: undefined }
  const nexthop = row.nexthop === '' ? undefined : parsePrefix(row.nexthop)
  if (row.nexthop !== '' && (!nexthop || nexthop.length !== (nexthop.family === 4 ? 32 : 128))) {
    log.warn(`bad 'nexthop' ${row.nexthop} in static route ${row._uuid}`, { code: 'bad-nexthop', ...about })
    return undefined
  }
  let port: RouterPort | undefined
  let source: Network | undefined
  if (row.output_port !== undefined) {
    port = topology.routerPortByName.first(row.output_port)
    if (!port || port.router !== router) {
      log.warn(`Bad out port ${row.output_port} for static route ${row.ip_prefix}`, { code: 'bad-out-port', ...about })
      return undefined
    }
    const family = nexthop?.family ?? prefix.family
    const own: readonly Network[] = family === 4 ? port.addresses.v4 : port.addresses.v6
    source = nexthop && own.find((n) => inNetwork(n, nexthop.address))
    // An operator who names the port means it, though the next hop be off its networks.
    source ??= own.find((n) => n.family === 4 || !isLinkLocal(n)) ?? own[0]
  } else if (nexthop) {
    for (const candidate of topology.portsOfRouter.get(router)) {
      const own: readonly Network[] = nexthop.family === 4 ? candidate.addresses.v4 : candidate.addresses.v6
      source = own.find((n) => inNetwork(n, nexthop.address))
      if (source) {
        port = candidate
        break
      }
    }
  }
  if (!port || !source) {
    const name = topology.routerFacts.get(router)?.router.name ?? ''
    const text = `No path for static route ${row.ip_prefix} on router ${name}; next hop ${row.nexthop}`
    log.warn(text, { code: 'no-path', ...about })
    return undefined
  }
  return {
    ...base,
    discard: false,
    nexthop: nexthop && { text: row.nexthop, family: nexthop.family },
    port,
    source,
  }
}

/** Longest prefix first; of equals, connected before static, by destination before by source. */
function routePriority(length: number, kind: 'connected' | 'static' | 'source'): number {
  return length * 8 + { connected: 6, static: 4, source: 0 }[kind]
}

function prefixMatch(prefix: Prefix, bySource: boolean): string {
  const text =
    prefix.family === 4
      ? formatIpv4((prefix.address & ipv4Mask(prefix.length)) >>> 0)
      : formatIpv6(prefix.address & ipv6Mask(prefix.length))
  return `ip${prefix.family}.${bySource ? 'src' : 'dst'} == ${text}/${prefix.length}`
}

/** Next hop, source address, Ethernet source and output port into the registers. */
export function toNextHop(family: 4 | 6, nexthop: string, source: string, port: RouterPort): string {
  const [next, from] = family === 4 ? [reg.NEXT_HOP_IPV4, reg.SRC_IPV4] : [reg.NEXT_HOP_IPV6, reg.SRC_IPV6]
  return `${next} = ${nexthop}; ${from} = ${source}; eth.src = ${port.mac}; outport = ${port.quoted}; `
}

export function routes(context: Context): void {
  const { graph, topology, flows, routes: relations } = context
  graph.rule('features/route connected', 10, topology.routerPorts, (port, out) => {
    const flow = flows.on(out, port.router, 'features/route.ts')
    const watched = context.bfd.byPort.get(port.name).length > 0
    for (const n of [...port.addresses.v4, ...port.addresses.v6]) connected(flow, port, n, watched)
    const table = port.options.get('route_table')
    const id = table ? relations.tableIds.get(`${port.router} ${table}`) : undefined
    if (id !== undefined)
      flow(lrIn.ip_routing_pre, 100, `inport == ${port.quoted}`, `${reg.ROUTE_TABLE_ID} = ${id}; next;`)
  })
  // Whether there is a way there or not.
  graph.rule('features/route solicitation', 10, context.nb.Logical_Router_Static_Route, (row, out, uuid) => {
    const router = relations.owner.get(uuid)
    if (router === undefined || !topology.routers.get(router)) return
    solicit(context, flows.on(out, router, 'features/route.ts'), router, row.nexthop)
  })
  graph.rule('features/route static', 10, relations.groups, (group, out, key) => {
    const first = group.routes[0]
    if (!first) return
    const flow = flows.on(out, first.router, 'features/route.ts')
    const table = first.table ? relations.tableIds.get(`${first.router} ${first.table}`) : 0
    if (table === undefined) return
    const match = `${reg.ROUTE_TABLE_ID} == ${table} && ${prefixMatch(first.prefix, first.bySource)}`
    const priority = routePriority(first.prefix.length, first.bySource ? 'source' : 'static')
    if (!isGrouped(group.routes)) single(context, flow, first, priority, match)
    else several(context, out, flow, group.routes, key, priority, match)
    for (const r of group.routes) if (r.symmetric) symmetricReply(context, flow, r, match)
  })
}

function connected(flow: AddFlow, port: RouterPort, n: Network, watched: boolean): void {
  const ip = `ip${n.family}`
  const only = n.family === 6 && isLinkLocal(n) ? `inport == ${port.quoted} && ` : ''
  const match = `${only}${ip}.dst == ${n.network}/${n.length}`
  const priority = routePriority(n.length, 'connected')
  const actions = `${reg.ECMP_GROUP_ID} = 0; ${toNextHop(n.family, `${ip}.dst`, n.address, port)}flags.loopback = 1; ${reg.NEXTHOP_IS_IPV4} = ${n.family === 4 ? 1 : 0}; next;`
  flow(lrIn.ip_routing, priority, match, `ip.ttl--; ${actions}`, port.uuid)
  // BFD packets keep their TTL of 255 (RFC 5881 §5).
  if (watched) flow(lrIn.ip_routing, priority + 1, `${match} && udp.dst == 3784`, actions, port.uuid)
}

function single(context: Context, flow: AddFlow, r: Route, priority: number, match: string): void {
  if (r.discard) {
    flow(lrIn.ip_routing, priority, match, 'drop;', r.uuid)
    return
  }
  if (!r.port || !r.source) return
  const family = r.nexthop?.family ?? r.prefix.family
  const nexthop = r.nexthop?.text ?? `ip${r.prefix.family}.dst`
  const actions = `${reg.ECMP_GROUP_ID} = 0; ${toNextHop(family, nexthop, r.source.address, r.port)}flags.loopback = 1; ${reg.NEXTHOP_IS_IPV4} = ${family === 4 ? 1 : 0}; next;`
  flow(lrIn.ip_routing, priority, match, `ip.ttl--; ${actions}`, r.uuid)
  const watched = context.bfd.byPort.get(r.port.name).length > 0
  if (watched) flow(lrIn.ip_routing, priority + 1, `${match} && udp.dst == 3784`, actions, r.uuid)
}

function several(
  context: Context,
  _out: Emit,
  flow: AddFlow,
  members: readonly Route[],
  key: string,
  priority: number,
  match: string,
): void {
  const { groupIds, memberIds } = context.routes
  const id = groupIds.get(key)
  if (id === undefined) return
  const numbered = members
    .map((r) => ({ r, member: memberIds.get(r.uuid) }))
    .filter((x): x is { r: Route; member: number } => x.member !== undefined)
    .sort((a, b) => a.member - b.member)
    .map(({ r }, i) => ({ r, member: i + 1 }))
  const numbers = numbered.map((x) => x.member)
  const hash = [...new Set(members.flatMap((r) => r.fields))].sort()
  const choice =
    numbers.length === 1
      ? `${numbers[0]}; next;`
      : hash.length
        ? `select(values=(${numbers.join(', ')}); hash_fields="${hash.join(',')}");`
        : `select(${numbers.join(', ')});`
  flow(
    lrIn.ip_routing,
    priority,
    match,
    `ip.ttl--; flags.loopback = 1; ${reg.ECMP_GROUP_ID} = ${id}; ${reg.ECMP_MEMBER_ID} = ${choice}`,
    members[0]?.uuid,
  )
  for (const { r, member } of numbered) {
    if (!r.port || !r.source || !r.nexthop) continue
    const stateful = r.symmetric ? `${reg.ECMP_STATEFUL_EGRESS} = 1; ` : ''
    flow(
      lrIn.ip_routing_ecmp,
      100,
      `${reg.ECMP_GROUP_ID} == ${id} && ${reg.ECMP_MEMBER_ID} == ${member}`,
      `${toNextHop(r.nexthop.family, r.nexthop.text, r.source.address, r.port)}${reg.NEXTHOP_IS_IPV4} = ${r.nexthop.family === 4 ? 1 : 0}; ${stateful}next;`,
      r.uuid,
    )
  }
}

/** Neighbour solicitations for a known next hop go to its solicited-node address (RFC 4861 §7.2.2). */
function solicit(context: Context, flow: AddFlow, router: string, nexthop: string): void {
  const p = parsePrefix(nexthop)
  if (p?.family !== 6) return
  const group = solicitedNode(p.address)
  const mac = 0x3333_0000_0000 + Number(group & 0xffff_ffffn)
  flow(
    lrIn.arp_request,
    200,
    `eth.dst == 00:00:00:00:00:00 && ${reg.NEXTHOP_IS_IPV4} == 0 && ${reg.NEXT_HOP_IPV6} == ${nexthop}`,
    `nd_ns { eth.dst = ${formatMac(mac)}; ip6.dst = ${formatIpv6(group)}; nd.target = ${nexthop}; output; }; next;`,
    { meter: context.meters.of(context.topology.routers.get(router)?.copp, 'nd-ns-resolve') },
  )
}

/**
 * Replies to what came in over a route leave by the same port, to the same neighbour: gateway routers
 * remember both with the connection (ovn-nb(5), options:ecmp_symmetric_reply).
 */
function symmetricReply(context: Context, flow: AddFlow, r: Route, match: string): void {
  const { topology, portKeys } = context
  if (!r.port || !r.source || !topology.routerFacts.get(r.router)?.isGateway) return
  const key = portKeys.get(r.port.name)
  if (key === undefined) return
  const from = `inport == ${r.port.quoted} && ${prefixMatch(r.prefix, !r.bySource)}`
  const known = `ct_mark.ecmp_reply_port == ${key}`
  flow(lrIn.defrag, 100, from, 'ct_next;', r.uuid)
  flow(lrIn.defrag, 100, match, 'ct_next;', r.uuid)
  flow(
    lrIn.ecmp_stateful,
    100,
    `${from} && (ct.new || ct.est)`,
    `ct_commit { ct_label.ecmp_reply_eth = eth.src; ct_mark.ecmp_reply_port = ${key};}; next;`,
    r.uuid,
  )
  const own = r.source.family === 4 ? reg.SRC_IPV4 : reg.SRC_IPV6
  flow(
    lrIn.ip_routing,
    10300,
    `${known} && ${match}`,
    `ip.ttl--; flags.loopback = 1; eth.src = ${r.port.mac}; ${own} = ${r.source.address}; outport = ${r.port.quoted}; next;`,
    r.uuid,
  )
  flow(lrIn.policy, 65535, known, 'next;', r.uuid)
  flow(
    lrIn.arp_resolve,
    200,
    known,
    'push(xxreg1); xxreg1 = ct_label; eth.dst = xxreg1[32..79]; pop(xxreg1); next;',
    r.uuid,
  )
}
