import type { Context } from '../context.ts'
import { lrIn, lsIn, lsOut } from '../pipeline/stage.ts'
import type { Switch } from '../topology/topology.ts'

/** The groups every datapath may have, and their fixed tunnel keys. */
const GROUPS = {
  _MC_flood: 32768,
  _MC_unknown: 32769,
  _MC_mrouter_flood: 32770,
  _MC_static: 32771,
  _MC_flood_l2: 32772,
} as const

type GroupName = keyof typeof GROUPS

interface Member {
  readonly datapath: string
  readonly group: GroupName
  readonly port: string
}

function truth(options: ReadonlyMap<string, string>, name: string, otherwise = false): boolean {
  const value = options.get(name)
  return value === undefined ? otherwise : otherwise ? value !== 'false' : value === 'true'
}

/** A number from a switch's configuration, within its bounds. */
function number(ls: Switch, name: string, otherwise: number, low: number, high: number): number {
  const value = Number(ls.config.get(name) ?? otherwise)
  if (!Number.isInteger(value)) return otherwise
  return Math.min(Math.max(value, low), high)
}

/** Flooding and IP multicast (ovn-northd(8), Destination Lookup; ovn-nb(5), other_config:mcast_*). */
export function multicast(context: Context): void {
  const { graph, topology, flows, outputs } = context
  const members = graph.derived<Member>('member of multicast group', 10)
  const relayed = graph.derived<boolean>('switch with multicast router', 6)
  const staticFlood = graph.derived<boolean>('datapath with static multicast', 6)
  graph.rule('multicast of router port', 6, topology.routerPorts, (port, out) => {
    const router = topology.routers.get(port.router)
    if (!router) return
    const gate = topology.switchPeer(port)
    if (gate && truth(router.options, 'mcast_relay')) out.emit(relayed, gate.switch, true)
    if (truth(port.options, 'mcast_flood')) out.emit(staticFlood, port.router, true)
  })
  graph.rule('multicast of switch port', 6, topology.switchPorts, (port, out) => {
    if (port.enabled && truth(port.options, 'mcast_flood')) out.emit(staticFlood, port.switch, true)
  })

  graph.rule('features/multicast member', 10, topology.switchPorts, (port, out) => {
    if (!port.enabled) return
    const ls = topology.switches.get(port.switch)
    if (!ls) return
    const name = topology.isRedirected(port) ? `cr-${port.name}` : port.name
    const add = (group: GroupName) =>
      out.emit(members, `${port.switch} ${group} ${port.uuid}`, { datapath: port.switch, group, port: name })
    add('_MC_flood')
    if (port.type !== 'router') add('_MC_flood_l2')
    if (port.unknown) add('_MC_unknown')
    const peer = port.type === 'router' ? topology.peerOfSwitchPort(port) : undefined
    const router = peer && topology.routers.get(peer.router)
    // Ports of every type; OpenStack sets the option on the switch port of a router's gateway, too.
    if (truth(port.options, 'mcast_flood_reports') || (router && truth(router.options, 'mcast_relay')))
      add('_MC_mrouter_flood')
    if (truth(port.options, 'mcast_flood')) add('_MC_static')
  })
  graph.rule('features/multicast router member', 10, topology.routerPorts, (port, out) => {
    const router = topology.routers.get(port.router)
    if (!router || !truth(port.options, 'mcast_flood')) return
    out.emit(members, `${port.router} _MC_static ${port.uuid}`, {
      datapath: port.router,
      group: '_MC_static',
      port: port.distributedGateway ? port.redirect : port.name,
    })
  })
  interface Group {
    readonly datapath: string
    readonly group: GroupName
    readonly ports: readonly string[]
  }
  const groups = graph.fold<Member, { datapath: string; group: GroupName; ports: Set<string> }, Group>(
    'multicast group',
    11,
    members,
    {
      key: (m) => `${m.datapath} ${m.group}`,
      empty: (key) => {
        const [datapath, group] = key.split(' ') as [string, GroupName]
        return { datapath, group, ports: new Set() }
      },
      add: (into, m) => into.ports.add(m.port),
      remove: (from, m) => from.ports.delete(m.port),
      result: ({ datapath, group, ports }) => ({ datapath, group, ports: [...ports].sort() }),
    },
  )
  graph.rule('southbound/multicast group', 12, groups, ({ datapath, group, ports }, out, key) => {
    out.emit(outputs.Multicast_Group, key, { datapath, name: group, tunnel_key: GROUPS[group], ports })
  })

  graph.rule('features/multicast', 10, topology.switches, (ls, out) => {
    const flow = flows.on(out, ls.uuid, 'features/multicast.ts')
    const snoop = truth(ls.config, 'mcast_snoop')
    const relay = relayed.get(ls.uuid) === true
    const flood = staticFlood.get(ls.uuid) === true
    const mrouter = relay ? 'clone { outport = "_MC_mrouter_flood"; output; }; ' : ''
    const fixed = flood ? 'clone { outport = "_MC_static"; output; }; ' : ''
    flow(lsIn.l2_lkup, 71, 'eth.mcast && ip', `${mrouter}${fixed}outport = "_MC_flood_l2"; output;`)
    if (snoop) {
      const meter = { meter: context.meters.of(ls.copp, 'igmp') }
      flow(lsIn.l2_lkup, 100, 'flags.igmp_loopback == 0 && igmp', 'igmp;', meter)
      flow(lsIn.l2_lkup, 100, 'flags.igmp_loopback == 0 && (mldv1 || mldv2)', 'igmp;', meter)
      flow(lsIn.l2_lkup, 85, 'ip4.mcast && ip4.dst == 224.0.0.0/24', 'outport = "_MC_flood_l2"; output;')
      flow(lsIn.l2_lkup, 85, 'ip6.mcast_flood', 'outport = "_MC_flood"; output;')
      if (!truth(ls.config, 'mcast_flood_unregistered')) {
        const out2 = `${relay ? 'clone { outport = "_MC_mrouter_flood"; output; }; ' : ''}${flood ? 'outport ="_MC_static"; output;' : ''}`
        flow(lsIn.l2_lkup, 80, 'ip4.mcast || ip6.mcast', out2 || 'drop;')
      }
    }
    const idle = number(ls, 'mcast_idle_timeout', 300, 15, 3600)
    const interval = number(ls, 'mcast_query_interval', Math.max(1, Math.floor(idle / 2)), 1, 3600)
    out.emit(outputs.IP_Multicast, ls.uuid, {
      datapath: ls.uuid,
      enabled: snoop,
      querier: truth(ls.config, 'mcast_querier', true),
      eth_src: ls.config.get('mcast_eth_src') ?? '',
      ip4_src: ls.config.get('mcast_ip4_src') ?? '',
      ip6_src: ls.config.get('mcast_ip6_src') ?? '',
      table_size: number(ls, 'mcast_table_size', 2048, 1, 0x7fffffff),
      idle_timeout: idle,
      query_interval: interval,
      query_max_resp: number(ls, 'mcast_query_max_response', 1, 1, 10),
      // The controllers send a new query when this changes (`ovn-sbctl ip-multicast-flush`): not ours to reset.
    })
  })
  // Reports from another zone come in by its ports and are learned here too.
  graph.rule('features/multicast remote', 10, topology.switchPorts, (port, out) => {
    const ls = topology.switches.get(port.switch)
    if (port.type !== 'remote' || !ls?.config.get('interconn-ts') || !truth(ls.config, 'mcast_snoop')) return
    const flow = flows.on(out, port.switch, 'features/multicast.ts')
    for (const control of ['igmp', '(mldv1 || mldv2)'])
      flow(
        lsOut.pre_lb,
        120,
        `inport == ${port.quoted} && ${control} && flags.igmp_loopback == 0`,
        'clone { igmp; }; next;',
        { meter: context.meters.of(ls.copp, 'igmp') },
      )
  })
  graph.rule('features/multicast router', 10, topology.routers, (router, out) => {
    const flow = flows.on(out, router.uuid, 'features/multicast.ts')
    const flood = staticFlood.get(router.uuid) === true
    // Reports and queries have a TTL of one.
    if (flood)
      for (const control of ['igmp', '(mldv1 || mldv2)']) flow(lrIn.ip_input, 120, `${control} && ip.ttl == 1`, 'next;')
    if (!truth(router.options, 'mcast_relay')) return
    const all = 'ip4.mcast || ip6.mcast'
    if (!flood) {
      flow(lrIn.ip_routing, 10450, all, 'drop;')
      return
    }
    // They go out by all flooding ports but not back again.
    for (const control of ['igmp', 'mldv1 || mldv2']) {
      const one = control.includes('||') ? `(${control})` : control
      flow(lrIn.ip_routing, 10460, control, 'clone { outport = "_MC_static"; next; };')
      for (const port of topology.portsOfRouter.get(router.uuid))
        flow(lrIn.ip_routing, 10550, `eth.src == ${port.mac} && ${one}`, 'drop;')
    }
    flow(lrIn.ip_routing, 10450, all, 'clone { outport = "_MC_static"; ip.ttl--; next; };')
  })
}
