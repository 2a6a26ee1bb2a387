import { type Context, flag, supports } from '../context.ts'
import { arpProxy } from '../features/arp-proxy.ts'
import type { AddFlow } from '../pipeline/flow.ts'
import * as reg from '../pipeline/registers.ts'
import { lrIn, lrOut } from '../pipeline/stage.ts'
import { setOf } from '../topology/addresses.ts'
import type { RouterFacts, RouterPort } from '../topology/topology.ts'

/** Admission, neighbour lookup, the IP host functions and delivery of each router port. */
export function routerPort(context: Context): void {
  const { graph, topology, flows } = context
  graph.rule('router/port', 10, topology.routerPorts, (port, out) => {
    const facts = topology.routerFacts.get(port.router)
    if (!facts) return
    const flow = flows.on(out, port.router, 'router/port.ts')
    admission(context, flow, port)
    neighbourLookup(flow, port, facts)
    ipInput(context, flow, port, facts)
    networkIds(flow, port)
    if (port.enabled) delivery(flow, port, facts)
    const key = context.portKeys.get(port.name)
    if (key !== undefined) egressState(flow, port.quoted, key)
    if (port.distributedGateway) {
      // A hardware switch reaches the router's services on any chassis.
      if (!beside(context, port, 'vtep'))
        flow(lrIn.gw_redirect, 50, `outport == ${port.quoted}`, `outport = ${port.quotedRedirect}; next;`, port.uuid)
      const redirectKey = context.portKeys.get(port.redirect)
      if (redirectKey !== undefined) egressState(flow, port.quotedRedirect, redirectKey)
      if (port.options.get('redirect-type') === 'bridged') {
        flow(
          lrIn.arp_resolve,
          50,
          `outport == ${port.quoted} && !is_chassis_resident(${port.quotedRedirect})`,
          `eth.dst = ${port.mac}; next;`,
          port.uuid,
        )
      }
    }
  })
}

function egressState(flow: AddFlow, quoted: string, key: number): void {
  flow(
    lrIn.ecmp_stateful_egr,
    100,
    `${reg.ECMP_STATEFUL_EGRESS} == 1 && ip && outport == ${quoted}`,
    `ct_commit { ct_label.ecmp_reply_eth = eth.dst; ct_mark.ecmp_reply_port = ${key};}; output;`,
  )
}

/** The largest packet that fits, Ethernet header included; undefined for no limit. */
export function gatewayMtu(port: RouterPort): number | undefined {
  const text = port.options.get('gateway_mtu')
  const mtu = text === undefined ? 0 : Number(text)
  return Number.isInteger(mtu) && mtu > 0 ? mtu : undefined
}

export function mtuBypass(port: RouterPort): string {
  const more = port.options.get('gateway_mtu_bypass')
  return more ? `arp || ${more}` : 'arp'
}

/** Whether a port's switch has a port of some type. */
function beside({ topology }: Context, port: RouterPort, type: string): boolean {
  const peer = topology.switchPeer(port)
  return peer !== undefined && topology.portsOfType.get(`${peer.switch} ${type}`).length > 0
}

function admission(context: Context, flow: AddFlow, port: RouterPort): void {
  if (port.distributedGateway) {
    flow(
      lrIn.admission,
      120,
      `${reg.PKT_TOO_BIG} && eth.dst == ${port.row.mac} && !is_chassis_resident(${port.quotedRedirect}) && ${reg.FROM_TUNNEL}`,
      `outport <-> inport; inport = ${port.quoted}; next;`,
    )
  }
  if (!port.enabled) return
  const store = `${reg.INPORT_ETH_ADDR} = ${port.mac}; next;`
  flow(lrIn.admission, 50, `eth.mcast && inport == ${port.quoted}`, store, port.uuid)
  const here =
    port.distributedGateway && !beside(context, port, 'vtep') ? ` && is_chassis_resident(${port.quotedRedirect})` : ''
  const gate = context.topology.switchPeer(port)
  const proxy = gate && arpProxy(gate)?.mac
  const mac = proxy === undefined ? port.mac : `{ ${proxy}, ${port.mac} }`
  const match = `eth.dst == ${mac} && inport == ${port.quoted}${here}`
  const mtu = gatewayMtu(port)
  flow(lrIn.admission, 50, match, mtu === undefined ? store : `${checkLarger(mtu)}${store}`, port.uuid)
  if (mtu !== undefined) flow(lrIn.admission, 55, `${match} && (${mtuBypass(port)})`, store, port.uuid)
}

/** The Ethernet header counts, a VLAN tag does not. */
export function checkLarger(mtu: number): string {
  return `${reg.PKT_LARGER} = check_pkt_larger(${mtu + 14}); `
}

function neighbourLookup(flow: AddFlow, port: RouterPort, facts: RouterFacts): void {
  const always = flag(facts.router.options, 'always_learn_from_arp_request', true)
  const lookup = `${reg.LOOKUP_NEIGHBOR_RESULT} = lookup_arp(inport, arp.spa, arp.sha); `
  for (const n of port.addresses.v4) {
    const from = `inport == ${port.quoted} && arp.spa == ${n.prefix}`
    if (!always)
      flow(
        lrIn.lookup_neighbor,
        110,
        `${from} && arp.tpa == ${n.address} && arp.op == 1`,
        `${lookup}${reg.LOOKUP_NEIGHBOR_IP_RESULT} = 1; next;`,
        port.uuid,
      )
    const known = always ? '' : `${reg.LOOKUP_NEIGHBOR_IP_RESULT} = lookup_arp_ip(inport, arp.spa); `
    flow(lrIn.lookup_neighbor, 100, `${from} && arp.op == 1`, `${lookup}${known}next;`, port.uuid)
  }
  if (port.distributedGateway) {
    flow(
      lrIn.lookup_neighbor,
      120,
      `inport == ${port.quoted} && (nd_na || nd_ns) && eth.mcast && !is_chassis_resident(${port.quotedRedirect})`,
      `${reg.LOOKUP_NEIGHBOR_RESULT} = 1; next;`,
      port.uuid,
    )
  }
}

export function arpSwap(mac: string): string {
  return `eth.dst = eth.src; eth.src = ${mac}; arp.op = 2; /* ARP reply */ arp.tha = arp.sha; arp.sha = ${mac}; arp.tpa <-> arp.spa; outport = inport; flags.loopback = 1; output;`
}

export function neighbourAdvertisement(verb: string, mac: string): string {
  return `${verb} { eth.src = ${mac}; ip6.src = nd.target; nd.tll = ${mac}; outport = inport; flags.loopback = 1; output; };`
}

/** Where a port's addresses are answered for: a gateway port's at its chassis alone. */
function answering(context: Context, port: RouterPort, facts: RouterFacts): string {
  const gateway = facts.gatewayPorts[0]
  const reside = gateway !== undefined && port.options.get('reside-on-redirect-chassis') === 'true'
  if (!port.distributedGateway && !reside) return ''
  const peer = context.topology.switchPeer(port)
  const physical = peer !== undefined && context.topology.portsOfType.get(`${peer.switch} localnet`).length > 0
  if (!physical) return ''
  return ` && is_chassis_resident(${port.distributedGateway ? port.quotedRedirect : (gateway?.quotedRedirect ?? '""')})`
}

function ipInput(context: Context, flow: AddFlow, port: RouterPort, facts: RouterFacts): void {
  const { v4, v6 } = port.addresses
  const meter = (protocol: string) => ({ hint: port.uuid, meter: context.meters.of(facts.router.copp, protocol) })
  const here = answering(context, port, facts)
  if (v4.length) {
    const own = v4.flatMap((n) => [n.address, n.broadcast])
    flow(lrIn.ip_input, 100, `ip4.src == {${own.join(', ')}} && ${reg.EGRESS_LOOPBACK} == 0`, 'drop;', port.uuid)
    flow(
      lrIn.ip_input,
      90,
      `ip4.dst == ${setOf(v4.map((n) => n.address))} && icmp4.type == 8 && icmp4.code == 0`,
      'ip4.dst <-> ip4.src; ip.ttl = 255; icmp4.type = 0; flags.loopback = 1; next; ',
      port.uuid,
    )
  }
  flow(
    lrIn.ip_input,
    90,
    `ip6.dst == ${setOf(v6.map((n) => n.address))} && icmp6.type == 128 && icmp6.code == 0`,
    'ip6.dst <-> ip6.src; ip.ttl = 255; icmp6.type = 129; flags.loopback = 1; next; ',
    port.uuid,
  )
  for (const n of v4) {
    flow(
      lrIn.ip_input,
      90,
      `inport == ${port.quoted} && arp.op == 1 && arp.tpa == ${n.address} && arp.spa == ${n.prefix}${here}`,
      arpSwap(reg.INPORT_ETH_ADDR),
      port.uuid,
    )
  }
  const here6 = port.distributedGateway ? ` && is_chassis_resident(${port.quotedRedirect})` : ''
  for (const n of v6) {
    flow(
      lrIn.ip_input,
      90,
      `inport == ${port.quoted} && ip6.dst == {${n.address}, ${n.solicited}} && nd_ns && nd.target == ${n.address}${here6}`,
      neighbourAdvertisement('nd_na_router', reg.INPORT_ETH_ADDR),
      meter('nd-na'),
    )
  }
  if (port.options.get('prefix_delegation') === 'true') {
    for (const n of v6)
      flow(
        lrIn.ip_input,
        100,
        `ip6.dst == ${n.address} && udp.src == 547 && udp.dst == 546`,
        'reg0 = 0; handle_dhcpv6_reply;',
      )
  }
  ownTraffic(context, flow, port)
  if (!facts.isGateway && !facts.gatewayPorts.length) unreachable(flow, port, meter)
  timeExceeded(flow, port, meter)
  tooLarge(context, flow, port, facts)
}

/** Traffic to the router's own addresses ends here, unless what comes back from SNAT or to a load balancer has them. */
function ownTraffic(context: Context, flow: AddFlow, port: RouterPort): void {
  for (const family of [4, 6] as const) {
    const all = (family === 4 ? port.addresses.v4 : port.addresses.v6).map((n) => n.address)
    const drop: string[] = []
    const later: string[] = []
    for (const ip of all) {
      const forced = context.nat.forcedSnatIp(port, ip)
      if (context.nat.snatIp(port.router, ip) || forced === 'named') later.push(ip)
      else if (!context.lb.routerVip(port.router, ip) && forced === undefined) drop.push(ip)
    }
    const match = (ips: readonly string[]) => `ip${family}.dst == {${ips.join(', ')}}`
    if (drop.length) flow(lrIn.ip_input, 60, match(drop), 'drop;', port.uuid)
    if (later.length) flow(lrIn.arp_resolve, 2, match(later), 'drop;', port.uuid)
  }
}

function unreachable(
  flow: AddFlow,
  port: RouterPort,
  meter: (protocol: string) => { hint: string; meter: string | undefined },
): void {
  for (const n of [...port.addresses.v4, ...port.addresses.v6]) {
    const ip = `ip${n.family}`
    const match = `${ip} && ${ip}.dst == ${n.address} && !ip.later_frag`
    const swap = `eth.dst <-> eth.src; ${ip}.dst <-> ${ip}.src; `
    const icmp = `icmp${n.family}`
    const [type, portCode, protocolCode] = n.family === 4 ? [3, 3, 2] : [1, 4, 3]
    flow(
      lrIn.ip_input,
      80,
      `${match} && udp`,
      `${icmp} {${swap}ip.ttl = 255; ${icmp}.type = ${type}; ${icmp}.code = ${portCode}; next; };`,
      meter(`icmp${n.family}-error`),
    )
    flow(lrIn.ip_input, 80, `${match} && tcp`, `tcp_reset {${swap}next; };`, meter('tcp-reset'))
    flow(lrIn.ip_input, 80, `${match} && sctp`, `sctp_abort {${swap}next; };`, meter('tcp-reset'))
    flow(
      lrIn.ip_input,
      70,
      match,
      `${icmp} {${swap}ip.ttl = 255; ${icmp}.type = ${type}; ${icmp}.code = ${protocolCode}; next; };`,
      meter(`icmp${n.family}-error`),
    )
  }
}

function timeExceeded(
  flow: AddFlow,
  port: RouterPort,
  meter: (protocol: string) => { hint: string; meter: string | undefined },
): void {
  const out = `outport = ${port.quoted}; flags.loopback = 1; output; };`
  const ttl = 'ip.ttl == {0, 1} && !ip.later_frag'
  const icmp4 =
    'icmp4 {eth.dst <-> eth.src; icmp4.type = 11; /* Time exceeded */ icmp4.code = 0; /* TTL exceeded in transit */ '
  const icmp6 = 'ip.ttl = 254; icmp6.type = 3; /* Time exceeded */ icmp6.code = 0; /* TTL exceeded in transit */ '
  const { v4, v6 } = port.addresses
  for (const n of v4) {
    const source = port.distributedGateway ? 'ip4.dst <-> ip4.src ; ' : `ip4.dst = ip4.src; ip4.src = ${n.address} ; `
    flow(
      lrIn.ip_input,
      31,
      `inport == ${port.quoted} && ip4 && ip4.src == ${n.prefix} && ${ttl}`,
      `${icmp4}${source}ip.ttl = 254; ${out}`,
      meter('icmp4-error'),
    )
  }
  for (const n of v6) {
    if (n.automatic) continue
    const source = port.distributedGateway ? 'ip6.dst <-> ip6.src ; ' : `ip6.dst = ip6.src; ip6.src = ${n.address} ; `
    flow(
      lrIn.ip_input,
      31,
      `inport == ${port.quoted} && ip6 && ip6.src == ${n.prefix} && ${ttl}`,
      `icmp6 {eth.dst <-> eth.src; ${source}${icmp6}${out}`,
      meter('icmp6-error'),
    )
  }
  const first4 = v4[0]
  if (first4)
    flow(
      lrIn.ip_input,
      30,
      `inport == ${port.quoted} && ip4 && ${ttl}`,
      `${icmp4}ip4.dst = ip4.src; ip4.src = ${first4.address}; ip.ttl = 254; ${out}`,
      meter('icmp4-error'),
    )
  const first6 = v6[0]
  if (first6)
    flow(
      lrIn.ip_input,
      30,
      `inport == ${port.quoted} && ip6 && ${ttl}`,
      `icmp6 {eth.dst <-> eth.src; ip6.dst = ip6.src; ip6.src = ${first6.address}; ${icmp6}${out}`,
      meter('icmp6-error'),
    )
}

/** `icmp4_error { ... frag_mtu ... }`: tells who sends too large packets. */
export function fragmentationNeeded(family: 4 | 6, mac: string, source: string, mtu: number, first = ''): string {
  const head = `${first}${reg.EGRESS_LOOPBACK} = 1; ${reg.PKT_LARGER} = 0; eth.dst = ${mac}; `
  if (family === 4)
    return `icmp4_error {${head}ip4.dst = ip4.src; ip4.src = ${source}; ip.ttl = 255; icmp4.type = 3; /* Destination Unreachable. */ icmp4.code = 4; /* Frag Needed and DF was Set. */ icmp4.frag_mtu = ${mtu}; next(pipeline=ingress, table=0); };`
  return `icmp6_error {${head}ip6.dst = ip6.src; ip6.src = ${source}; ip.ttl = 255; icmp6.type = 2; /* Packet Too Big. */ icmp6.code = 0; icmp6.frag_mtu = ${mtu}; next(pipeline=ingress, table=0); };`
}

function tooLarge(context: Context, flow: AddFlow, port: RouterPort, facts: RouterFacts): void {
  const mtu = gatewayMtu(port)
  if (mtu === undefined) return
  const large = `${reg.PKT_LARGER} && ${reg.EGRESS_LOOPBACK} == 0`
  const meter = (family: 4 | 6) => ({
    hint: port.uuid,
    meter: context.meters.of(facts.router.copp, `icmp${family}-error`),
  })
  // Where connection state can be saved, what it was before this table decides, not what it is after.
  const saved = supports(context, 'ctStateSave')
  const save = saved ? 'reg4[0..7] = ct_state_save(); ' : ''
  const replied = saved ? 'reg4[5] && reg4[3] && reg4[7]' : 'ct.trk && ct.rpl && ct.dnat'
  flow(lrIn.chk_pkt_len, 50, `outport == ${port.quoted}`, `${checkLarger(mtu)}${save}next;`, port.uuid)
  flow(lrIn.chk_pkt_len, 55, `outport == ${port.quoted} && (${mtuBypass(port)})`, `${save}next;`, port.uuid)
  if (supports(context, 'ctCommitNatV2'))
    flow(lrOut.post_snat, 100, 'icmp && flags.icmp_snat == 1', 'ct_commit_nat(snat);')
  for (const from of context.topology.portsOfRouter.get(port.router)) {
    for (const family of [4, 6] as const) {
      const source = (family === 4 ? from.addresses.v4 : from.addresses.v6)[0]?.address
      if (source === undefined) continue
      if (from.uuid === port.uuid) {
        flow(
          lrIn.ip_input,
          150,
          `inport == ${port.quoted} && ip${family} && ${large}`,
          fragmentationNeeded(family, port.mac, source, mtu),
          meter(family),
        )
        continue
      }
      const match = `inport == ${from.quoted} && outport == ${port.quoted} && ip${family} && ${large}`
      flow(lrIn.larger_pkts, 150, match, fragmentationNeeded(family, from.mac, source, mtu), meter(family))
      flow(
        lrIn.larger_pkts,
        160,
        `${match} && ${replied}`,
        fragmentationNeeded(family, from.mac, source, mtu, 'flags.icmp_snat = 1; '),
        meter(family),
      )
    }
  }
}

/** Which of a port's networks the next hop is in: SNAT behind a load balancer takes that one's address. */
function networkIds(flow: AddFlow, port: RouterPort): void {
  const id = (i: number) => (i > 15 ? 0 : i)
  port.addresses.v4.forEach((n, i) => {
    flow(
      lrIn.network_id,
      110,
      `outport == ${port.quoted} && ip4 && ${reg.NEXT_HOP_IPV4} == ${n.address}/${n.length}`,
      `flags.network_id = ${id(i)}; next;`,
    )
  })
  port.addresses.v6.forEach((n, i) => {
    if (n.automatic) return
    flow(
      lrIn.network_id,
      110,
      `outport == ${port.quoted} && ip6 && ${reg.NEXT_HOP_IPV6} == ${n.address}/${n.length}`,
      `flags.network_id = ${id(i)}; next;`,
    )
  })
}

function delivery(flow: AddFlow, port: RouterPort, facts: RouterFacts): void {
  flow(lrOut.delivery, 100, `outport == ${port.quoted}`, 'output;')
  if (facts.router.options.get('mcast_relay') === 'true')
    flow(lrOut.delivery, 110, `(ip4.mcast || ip6.mcast) && outport == ${port.quoted}`, `eth.src = ${port.mac}; output;`)
}
