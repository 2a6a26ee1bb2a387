import { type Prefix, parsePrefix } from '../../address/prefix.ts'
import type { Derived, Request } from '../../reactive/index.ts'
import type { LogicalRouterPolicy } from '../../schema/northbound.ts'
import type { Context } from '../context.ts'
import type { AddFlow } from '../pipeline/flow.ts'
import * as reg from '../pipeline/registers.ts'
import { lrIn } from '../pipeline/stage.ts'
import { inNetwork, type Network } from '../topology/addresses.ts'
import type { RouterPort } from '../topology/topology.ts'
import { toNextHop } from './route.ts'

interface Hop {
  readonly text: string
  readonly family: 4 | 6
  readonly source: string
  readonly port: RouterPort
}

/** Policies that go before routes (ovn-nb(5), Logical_Router_Policy). */
export function policies(context: Context): void {
  const { graph, nb, topology, flows } = context
  const owner: Derived<string> = graph.derived('router of policy', 1)
  const requests = graph.derived<Request>('policy group request', 4)
  graph.pair(
    'policies of router',
    1,
    nb.Logical_Router,
    { members: (row) => (row.enabled === false ? [] : row.policies), pick: () => undefined },
    (key, policy, _picked, out) => out.emit(owner, policy, key),
  )
  graph.rule('policy group request', 4, nb.Logical_Router_Policy, (row, out) => {
    const router = owner.get(row._uuid)
    if (router !== undefined && row.action === 'reroute' && hopTexts(row).length > 1)
      out.emit(requests, row._uuid, { space: router })
  })
  const ids = graph.allocate('policy group id', 5, requests, { first: 1, last: 65535 })
  graph.rule('features/policy', 10, nb.Logical_Router_Policy, (row, out) => {
    const router = owner.get(row._uuid)
    if (router === undefined || !topology.routers.get(router)) return
    const flow = flows.on(out, router, 'features/policy.ts')
    policy(context, flow, router, row, ids)
  })
}

function hopTexts(row: LogicalRouterPolicy): readonly string[] {
  return row.nexthops.length ? row.nexthops : row.nexthop ? [row.nexthop] : []
}

function policy(context: Context, flow: AddFlow, router: string, row: LogicalRouterPolicy, ids: Derived<number>): void {
  const markText = row.options.get('pkt_mark')
  const mark = markText && Number(markText) ? `pkt.mark = ${Number(markText)}; ` : ''
  if (row.action === 'drop') {
    flow(lrIn.policy, row.priority, row.match, 'drop;', row._uuid)
    return
  }
  if (row.action === 'allow') {
    flow(lrIn.policy, row.priority, row.match, `${mark}${reg.ECMP_GROUP_ID} = 0; next;`, row._uuid)
    return
  }
  if (row.action !== 'reroute') return
  const hops = hopTexts(row).map((text) => resolve(context, router, row, text))
  const found = hops.filter((h): h is Hop => h !== undefined)
  const first = found[0]
  if (!first) return
  const is4 = (h: Hop) => `${reg.NEXTHOP_IS_IPV4} = ${h.family === 4 ? 1 : 0}; `
  if (hops.length === 1) {
    flow(
      lrIn.policy,
      row.priority,
      row.match,
      `${mark}${toNextHop(first.family, first.text, first.source, first.port)}flags.loopback = 1; ${reg.ECMP_GROUP_ID} = 0; ${is4(first)}next;`,
      row._uuid,
    )
    return
  }
  const id = ids.get(row._uuid)
  if (id === undefined || found.length !== hops.length) return
  found.forEach((h, i) => {
    flow(
      lrIn.policy_ecmp,
      100,
      `${reg.ECMP_GROUP_ID} == ${id} && ${reg.ECMP_MEMBER_ID} == ${i + 1}`,
      `${mark}${toNextHop(h.family, h.text, h.source, h.port)}flags.loopback = 1; ${is4(h)}next;`,
      row._uuid,
    )
  })
  const members = found.map((_, i) => i + 1).join(', ')
  flow(
    lrIn.policy,
    row.priority,
    row.match,
    `${reg.ECMP_GROUP_ID} = ${id}; ${reg.ECMP_MEMBER_ID} = select(${members});`,
    row._uuid,
  )
}

/** The port whose network a next hop is in. */
function resolve(context: Context, router: string, row: LogicalRouterPolicy, text: string): Hop | undefined {
  const about = { row: row._uuid, datapath: router }
  const prefix = parsePrefix(text)
  const hop = prefix && hopBy(portsOf(context, router, row), prefix, text)
  if (hop) return hop
  if (!prefix) context.log.child('ovn_util').warn(`bad ipv6 address ${text}`, { code: 'bad-policy', ...about })
  const name = context.topology.routerFacts.get(router)?.router.name ?? ''
  const what = `policy (chain: '${row.chain ?? '<Default>'}', match: '${row.match}', priority ${row.priority})`
  const message = `Logical Router: ${name}, ${what}: no path for next hop ${text}`
  context.log.child('northd').warn(message, { code: 'no-policy-path', ...about })
  return undefined
}

/** The ports that a policy may send packets out of. */
function portsOf(context: Context, router: string, row: LogicalRouterPolicy): Iterable<RouterPort> {
  if (row.output_port === undefined) return context.topology.portsOfRouter.get(router)
  const port = context.topology.routerPorts.get(row.output_port)
  return port ? [port] : []
}

function hopBy(ports: Iterable<RouterPort>, { family, address }: Prefix, text: string): Hop | undefined {
  for (const port of ports) {
    const own: readonly Network[] = family === 4 ? port.addresses.v4 : port.addresses.v6
    const source = own.find((n) => inNetwork(n, address))
    if (source) return { text, family, source: source.address, port }
  }
  return undefined
}
