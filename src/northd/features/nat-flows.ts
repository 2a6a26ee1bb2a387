import { formatIpv6, parseIpv6, solicitedNode } from '../../address/ipv6.ts'
import { parsePrefix } from '../../address/prefix.ts'
import { type Context, supports } from '../context.ts'
import type { AddFlow } from '../pipeline/flow.ts'
import * as reg from '../pipeline/registers.ts'
import { lrIn, lrOut } from '../pipeline/stage.ts'
import { arpSwap, checkLarger, gatewayMtu, mtuBypass, neighbourAdvertisement } from '../router/port.ts'
import type { RouterFacts, RouterPort } from '../topology/topology.ts'
import type { Nat } from './nat.ts'

/** All flows of one NAT rule, on its router and on the switches around (ovn-northd(8)). */
export function natFlows(context: Context): void {
  const { graph, topology, flows, nat } = context
  graph.rule('features/nat', 10, nat.nats, (n, out) => {
    const facts = topology.routerFacts.get(n.router)
    if (!facts) return
    const flow = flows.on(out, n.router, 'features/nat-flows.ts')
    if (!n.placed) return
    arpFlows(context, flow, n, facts)
    if (!facts.isGateway && !n.gatewayPort) return
    if (n.type !== 'dnat') {
      unsnat(flow, n)
      snat(context, flow, n)
      fromOutside(context, flow, n, facts)
    }
    if (n.type !== 'snat') {
      dnat(context, flow, n, facts)
      undnat(flow, n)
    }
    if (n.gatewayPort) distributed(context, flow, n, n.gatewayPort)
  })
  graph.rule('features/nat of router', 10, topology.routerFacts, (facts, out, key) => {
    const flow = flows.on(out, key, 'features/nat-flows.ts')
    gatewayRouter(context, flow, facts)
    commitAll(context, flow, facts)
  })
}

/** ` && is_chassis_resident(...)` where the rule is acted on. */
function resident(n: Nat): string {
  if (!n.gatewayPort) return ''
  return ` && is_chassis_resident(${n.local ? n.quotedLogicalPort : n.gatewayPort.quotedRedirect})`
}

function arpFlows(context: Context, flow: AddFlow, n: Nat, facts: RouterFacts): void {
  const options = {
    hint: n.uuid,
    meter: n.family === 6 ? context.meters.of(facts.router.copp, 'nd-na') : undefined,
  }
  const value = n.family === 6 ? parseIpv6(n.externalIp) : undefined
  const target =
    value === undefined
      ? `arp.op == 1 && arp.tpa == ${n.externalIp}`
      : `ip6.dst == {${formatIpv6(value)}, ${formatIpv6(solicitedNode(value))}} && nd_ns && nd.target == ${formatIpv6(value)}`
  const reply = (mac: string) => (n.family === 4 ? arpSwap(mac) : neighbourAdvertisement('nd_na', mac))
  flow(lrIn.ip_input, 90, target, reply(reg.INPORT_ETH_ADDR), options)
  const port = n.gatewayPort
  if (!port || isCarried(context, port)) return
  const mac = n.local ? (n.externalMac as string) : reg.INPORT_ETH_ADDR
  flow(lrIn.ip_input, 92, `inport == ${port.quoted} && ${target}${resident(n)}`, reply(mac), options)
  flow(lrIn.ip_input, 91, `inport == ${port.quoted} && ${target}`, 'drop;', n.uuid)
}

function unsnat(flow: AddFlow, n: Nat): void {
  const ip = `ip && ip${n.family}.dst == ${n.externalIp}`
  const actions = n.stateless ? 'next;' : 'ct_snat;'
  if (!n.gatewayPort) flow(lrIn.unsnat, 90, ip, actions, n.uuid)
  else {
    const here = n.local ? '' : resident(n)
    flow(lrIn.unsnat, 100, `${ip} && inport == ${n.gatewayPort.quoted}${here}`, actions, n.uuid)
  }
}

/** Whether the switch carries all traffic for a router port to the port's chassis, so that no other can answer. */
function isCarried({ topology }: Context, port: RouterPort): boolean {
  const peer = topology.switchPeer(port)
  return peer !== undefined && topology.isRedirected(peer)
}

/** The external addresses a rule is for, or not for: by the name of an address set. */
function externalIps(context: Context, n: Nat, side: 'src' | 'dst'): { allowed: string; exempted: string | undefined } {
  const name = (uuid: string | undefined) => (uuid === undefined ? undefined : context.nb.Address_Set.get(uuid)?.name)
  const allowed = name(n.row.allowed_ext_ips)
  const exempted = name(n.row.exempted_ext_ips)
  return {
    allowed: allowed === undefined ? '' : ` && ip${n.family}.${side} == $${allowed}`,
    exempted: exempted === undefined || allowed !== undefined ? undefined : ` && ip${n.family}.${side} == $${exempted}`,
  }
}

function translation(n: Nat, ip: string): string {
  const range = n.row.external_port_range
  return range ? `${ip},${range}` : ip
}

function dnat(context: Context, flow: AddFlow, n: Nat, facts: RouterFacts): void {
  const { allowed, exempted } = externalIps(context, n, 'src')
  const extra = n.row.match ? ` && (${n.row.match})` : ''
  const base = `ip && ip${n.family}.dst == ${n.externalIp}`
  const here = n.gatewayPort ? ` && inport == ${n.gatewayPort.quoted}${n.local ? '' : resident(n)}` : ''
  const match = `${base}${here}`
  const force =
    facts.isGateway && facts.router.options.get('dnat_force_snat_ip') ? 'flags.force_snat_for_dnat = 1; ' : ''
  const loop = facts.isGateway ? `${force}flags.loopback = 1; ` : ''
  const change = n.stateless ? `ip${n.family}.dst=${n.logicalIp}; next;` : `ct_dnat(${translation(n, n.logicalIp)});`
  const priority = n.row.match ? 300 + n.row.priority : 100
  if (exempted !== undefined) flow(lrIn.dnat, priority + 2, `${match}${exempted}`, 'next;', n.uuid)
  flow(lrIn.dnat, priority, `${match}${extra}${allowed}`, `${loop}${change}`, n.uuid)
}

function undnat(flow: AddFlow, n: Nat): void {
  const port = n.gatewayPort
  if (!port) return
  const here = n.local ? '' : resident(n)
  const mac = n.local ? `eth.src = ${n.externalMac}; ` : ''
  const match = `ip && ip${n.family}.src == ${n.logicalIp} && outport == ${port.quoted}${here}`
  flow(lrOut.undnat, 100, match, n.stateless ? `${mac}next;` : `${mac}ct_dnat;`, n.uuid)
}

function snat(context: Context, flow: AddFlow, n: Nat): void {
  const { allowed, exempted } = externalIps(context, n, 'dst')
  const extra = n.row.match ? ` && (${n.row.match})` : ''
  const port = n.gatewayPort
  // Longer prefixes first; what is done on one chassis before what is done everywhere.
  let priority = n.logicalLength + 1
  let here = ''
  if (port) {
    priority += 128
    here = ` && outport == ${port.quoted}${resident(n)}`
  }
  if (n.row.match) priority = 300 + n.row.priority
  const base = `ip && ip${n.family}.src == ${n.logicalIp}${here}`
  const mac = n.local ? `eth.src = ${n.externalMac}; ` : ''
  if (exempted !== undefined) flow(lrOut.snat, priority + 2, `${base}${exempted}`, 'next;', n.uuid)
  if (n.stateless) {
    flow(lrOut.snat, priority, `${base}${extra}${allowed}`, `${mac}ip${n.family}.src=${n.externalIp}; next;`, n.uuid)
  } else {
    flow(
      lrOut.snat,
      priority,
      `${base}${extra}${allowed} && (!ct.trk || !ct.rpl)`,
      `${mac}ct_snat(${translation(n, n.externalIp)});`,
      n.uuid,
    )
  }
}

/**
 * What enters a network with SNAT from outside, untranslated, is tracked in the rule's zone, so that
 * its replies are not translated.
 */
function fromOutside(context: Context, flow: AddFlow, n: Nat, facts: RouterFacts): void {
  const port = n.gatewayPort
  if (!port || n.stateless || facts.router.options.get('ct-commit-all') === 'true') return
  if (!supports(context, 'ctCommitToZone') || !supports(context, 'ctNextZone')) return
  const zone = n.type === 'snat' ? 'snat' : 'dnat'
  const ip = `ip${n.family}`
  const untracked = '(!ct.trk || !ct.rpl)'
  const extra = n.row.match ? ` && (${n.row.match})` : ''
  const out = `ip && ${ip}.src == ${n.logicalIp} && outport == ${port.quoted}${resident(n)}${extra}`
  const back = `ip && ${ip}.dst == ${n.logicalIp} && inport == ${port.quoted}${resident(n)}${extra}`
  const priority = (n.row.match ? 300 + n.row.priority : n.logicalLength + 1 + 128) + (zone === 'dnat' ? 5 : 0)
  flow(lrOut.post_undnat, zone === 'snat' ? 70 : 75, `${out} && ${untracked}`, `ct_next(${zone});`, n.uuid)
  flow(lrOut.snat, priority, `${back} && ${untracked}`, `ct_${zone};`, n.uuid)
  flow(lrOut.post_snat, priority, `${back} && ct.new`, `ct_commit_to_zone(${zone});`, n.uuid)
}

function commitsAll(context: Context, facts: RouterFacts): boolean {
  if (facts.router.options.get('ct-commit-all') !== 'true') return false
  return supports(context, 'ctCommitToZone') && supports(context, 'ctNextZone')
}

/** `options:ct-commit-all`: all traffic is committed, also what no rule translates. */
function commitAll(context: Context, flow: AddFlow, facts: RouterFacts): void {
  if (!commitsAll(context, facts)) return
  if (!facts.isGateway && !facts.gatewayPorts.length) return
  for (const port of facts.isGateway ? [undefined] : facts.gatewayPorts) {
    const at = (direction: string) =>
      port ? ` && ${direction} == ${port.quoted} && is_chassis_resident(${port.quotedRedirect})` : ''
    const fresh = '(!ct.trk || !ct.rpl)'
    flow(lrIn.post_unsnat, 10, `ip && ct.new${at('inport')}`, 'flags.unsnat_new = 1; next;')
    flow(lrIn.post_unsnat, 10, `ip && !ct.trk${at('inport')}`, 'flags.unsnat_not_tracked = 1; next;')
    flow(lrIn.defrag, 10, `ip && ${fresh}${at('inport')}`, 'ct_next(dnat);')
    flow(lrIn.dnat, 10, `ip && ct.new${at('inport')}`, 'ct_commit_to_zone(dnat);')
    flow(lrOut.post_undnat, 10, `ip && ${fresh} && flags.unsnat_not_tracked == 1${at('outport')}`, 'ct_next(snat);')
    flow(lrOut.post_undnat, 10, `ip && flags.unsnat_new == 1${at('outport')}`, 'next;')
    flow(lrOut.snat, 10, `ip && ${fresh} && flags.unsnat_new == 1${at('outport')}`, 'ct_commit_to_zone(snat);')
    flow(lrOut.snat, 10, `ip && ct.new${at('outport')}`, 'ct_commit_to_zone(snat);')
  }
}

/** What a distributed router does at its gateway port for a rule. */
function distributed(context: Context, flow: AddFlow, n: Nat, port: RouterPort): void {
  const ip = `ip${n.family}`
  const next = n.family === 4 ? reg.NEXT_HOP_IPV4 : reg.NEXT_HOP_IPV6
  if (n.type === 'snat')
    flow(lrIn.ip_input, 120, `inport == ${port.quoted} && ${ip}.src == ${n.externalIp}`, 'next;', n.uuid)
  if (n.local) {
    const match = `eth.dst == ${n.externalMac} && inport == ${port.quoted}${resident(n)}`
    const store = `${reg.INPORT_ETH_ADDR} = ${port.mac}; next;`
    const mtu = gatewayMtu(port)
    flow(lrIn.admission, 50, match, mtu === undefined ? store : `${checkLarger(mtu)}${store}`, n.uuid)
    if (mtu !== undefined) {
      flow(lrIn.admission, 55, `${match} && (${mtuBypass(port)})`, store, n.uuid)
      tooLarge(context, flow, n, port, mtu)
    }
    // One bridged port is enough; the rules of all are then the first gateway port's.
    const gateway = context.topology.routerFacts.get(n.router)?.gatewayPorts[0] ?? port
    if (context.topology.portsOfRouter.get(n.router).some((p) => p.options.get('redirect-type') === 'bridged'))
      flow(
        lrIn.arp_resolve,
        90,
        `outport == ${gateway.quoted} && ${ip}.src == ${n.logicalIp}${resident(n)}`,
        n.family === 4 ? 'get_arp(outport, reg0); next;' : 'get_nd(outport, xxreg0); next;',
        n.uuid,
      )
    flow(
      lrIn.gw_redirect,
      100,
      `${ip}.src == ${n.logicalIp} && outport == ${port.quoted}${resident(n)}`,
      `eth.src = ${n.externalMac}; ${n.family === 4 ? reg.SRC_IPV4 : reg.SRC_IPV6} = ${n.externalIp}; next;`,
      n.uuid,
    )
  }
  flow(
    lrIn.arp_resolve,
    100,
    `outport == ${port.quoted} && ${next} == ${n.externalIp}`,
    `eth.dst = ${n.local ? n.externalMac : port.mac}; next;`,
    n.uuid,
  )
  flow(
    lrIn.arp_resolve,
    150,
    `inport == ${port.quoted} && outport == ${port.quoted} && ${ip}.dst == ${n.externalIp}`,
    'drop;',
    n.uuid,
  )
  const registers = Array.from({ length: 10 }, (_, i) => `reg${i} = 0; `).join('')
  const again = `clone { ct_clear; inport = outport; outport = ""; eth.dst <-> eth.src; flags = 0; flags.loopback = 1; ${registers}${reg.EGRESS_LOOPBACK} = 1; next(pipeline=ingress, table=0); };`
  flow(lrOut.egr_loop, 100, `${ip}.dst == ${n.externalIp} && outport == ${port.quoted}${resident(n)}`, again, n.uuid)
  statelessExternal(context, flow, n, port, again)
}

/** The sender of a packet too large hears of it from the external address. */
function tooLarge(context: Context, flow: AddFlow, n: Nat, port: RouterPort, mtu: number): void {
  const ip = `ip${n.family}`
  const copp = context.topology.routers.get(n.router)?.copp
  const head = `${reg.EGRESS_LOOPBACK} = 1; ${reg.PKT_LARGER} = 0; eth.dst = eth.src; eth.src = ${n.externalMac}; ${ip}.dst = ${ip}.src; ${ip}.src = ${n.externalIp}; ip.ttl = 254; `
  const error =
    n.family === 4
      ? `icmp4_error {${head}icmp4.type = 3; /* Destination Unreachable. */ icmp4.code = 4; /* Frag Needed and DF was Set. */ icmp4.frag_mtu = ${mtu}; `
      : `icmp6_error {${head}icmp6.type = 2; /* Packet Too Big. */ icmp6.code = 0; icmp6.frag_mtu = ${mtu}; `
  flow(
    lrIn.ip_input,
    160,
    `inport == ${port.quoted} && ${reg.PKT_LARGER} && ${reg.EGRESS_LOOPBACK} == 0 && ${ip} && ${ip}.dst == ${n.externalIp}`,
    `${error}outport = ${port.quoted}; flags.loopback = 1; output; };`,
    { hint: n.uuid, meter: context.meters.of(copp, `icmp${n.family}-error`) },
  )
}

/** Stateless translation knows no connections: who may use it is decided before the packet leaves. */
function statelessExternal(context: Context, flow: AddFlow, n: Nat, port: RouterPort, again: string): void {
  if (!n.stateless) return
  const { allowed, exempted } = externalIps(context, n, 'src')
  const match = `ip${n.family}.dst == ${n.externalIp} && outport == ${port.quoted}${resident(n)}`
  if (allowed) {
    flow(lrIn.gw_redirect, 75, `${match}${allowed}`, again, n.uuid)
    flow(lrIn.gw_redirect, 70, `ip && ip${n.family}.dst == ${n.externalIp}`, 'drop;', n.uuid)
  }
  if (exempted !== undefined) flow(lrIn.gw_redirect, 75, `${match}${exempted}`, 'drop;', n.uuid)
}

/** What a gateway router does for all its rules together. */
function gatewayRouter(context: Context, flow: AddFlow, facts: RouterFacts): void {
  if (!facts.isGateway) return
  const { uuid, options } = facts.router
  const translated = context.nat.of(uuid).length > 0 || context.lb.routerHasVips.get(uuid) === true
  const dnatForce = options.get('dnat_force_snat_ip')
  const lbForce = options.get('lb_force_snat_ip')
  for (const [text, mark] of [
    [dnatForce, 'flags.force_snat_for_dnat'],
    [lbForce === 'router_ip' ? undefined : lbForce, 'flags.force_snat_for_lb'],
  ] as const) {
    if (!text) continue
    for (const ip of text.split(/[\s,]+/)) {
      const p = parsePrefix(ip)
      if (!p || ip.includes('/')) continue
      flow(lrIn.unsnat, 110, `ip${p.family} && ip${p.family}.dst == ${ip}`, 'ct_snat;')
      flow(lrOut.snat, 100, `${mark} == 1 && ip${p.family}`, `ct_snat(${ip});`)
    }
  }
  if (translated) {
    flow(lrOut.undnat, 100, 'nd || nd_rs || nd_ra', 'next;')
    flow(lrOut.undnat, 50, 'ip', 'flags.loopback = 1; ct_dnat;')
    if (options.get('ct-commit-all') !== 'true') flow(lrOut.post_undnat, 50, 'ip && ct.new', 'ct_commit { } ; next; ')
  }
  if (lbForce !== 'router_ip') return
  for (const port of context.topology.portsOfRouter.get(uuid))
    if (context.topology.switchPeer(port) ?? context.topology.routerPeer(port)) forceRouterIp(flow, port)
}

function forceRouterIp(flow: AddFlow, port: RouterPort): void {
  for (const n of port.addresses.v4)
    flow(lrIn.unsnat, 110, `inport == ${port.quoted} && ip4.dst == ${n.address}`, 'ct_snat;')
  const global6 = port.addresses.v6.filter((n) => !n.address.startsWith('fe80:'))
  for (const n of global6) flow(lrIn.unsnat, 110, `inport == ${port.quoted} && ip6.dst == ${n.address}`, 'ct_snat;')
  for (const [family, list] of [
    [4, port.addresses.v4],
    [6, global6],
  ] as const) {
    list.forEach((n, i) => {
      flow(
        lrOut.snat,
        110,
        `flags.force_snat_for_lb == 1 && flags.network_id == ${i > 15 ? 0 : i} && ip${family} && outport == ${port.quoted}`,
        `ct_snat(${n.address});`,
      )
    })
    const first = list[0]
    if (first)
      flow(
        lrOut.snat,
        105,
        `flags.force_snat_for_lb == 1 && ip${family} && outport == ${port.quoted}`,
        `ct_snat(${first.address});`,
      )
  }
}
