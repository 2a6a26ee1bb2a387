import { formatIpv6, parseIpv6, solicitedNode } from '../../address/ipv6.ts'
import type { Context } from '../context.ts'
import { globalOption } from '../context.ts'
import type { AddFlow } from '../pipeline/flow.ts'
import { quote } from '../pipeline/flow.ts'
import * as reg from '../pipeline/registers.ts'
import { lsIn, lsOut } from '../pipeline/stage.ts'
import type { PortAddresses } from '../topology/addresses.ts'
import type { RouterPort, SwitchPort } from '../topology/topology.ts'

/** The admission, learning, ARP response and destination of each port of a switch. */
export function switchPort(context: Context): void {
  const { graph, topology, flows, acl, lb } = context
  graph.rule('switch/port', 10, topology.switchPorts, (port, out) => {
    const flow = flows.on(out, port.switch, 'switch/port.ts')
    const ls = topology.switches.get(port.switch)
    if (!ls) return
    const peer = topology.peerOfSwitchPort(port)
    const stateful = acl.statefulSwitch.get(port.switch) === true
    if (port.type === 'router') routerAdmission(context, flow, port, peer)
    else vifAdmission(context, flow, port)
    learning(context, flow, port)
    const balanced = lb.switchHasVips.get(port.switch) === true
    if (peer || (port.type === 'localnet' && !balanced)) skipConntrack(flow, port, stateful)
    arpResponder(context, flow, port, peer, ls.vlanPassthru)
    destination(context, flow, port)
    if (!port.enabled && port.type !== 'external') {
      flow(lsIn.check_port_sec, 100, `inport == ${port.quoted}`, `${reg.PORT_SEC_DROP} = 1; next;`, options(port))
      flow(lsIn.l2_unknown, 50, `outport == ${port.quoted}`, 'drop;', options(port))
    }
  })
}

function options(port: SwitchPort) {
  return { hint: port.uuid, port: port.name }
}

function routerAdmission(context: Context, flow: AddFlow, port: SwitchPort, peer: RouterPort | undefined): void {
  if (peer) {
    const facts = context.topology.routerFacts.get(peer.router)
    const big = `${reg.PKT_TOO_BIG} && `
    if (facts?.isGateway) {
      flow(
        lsIn.check_port_sec,
        120,
        `${big}eth.src == ${peer.row.mac} && outport == ${port.quoted} && ${reg.FROM_TUNNEL}`,
        'outport <-> inport; next;',
      )
    } else {
      flow(
        lsIn.check_port_sec,
        120,
        `${big}eth.dst == ${peer.row.mac} && ${reg.FROM_TUNNEL}`,
        `outport <-> inport; next(pipeline=ingress,table=${lsIn.l2_lkup.table});`,
      )
    }
  }
  if (!port.enabled) return
  const mark = `${reg.FROM_ROUTER_PORT} = 1; next;`
  flow(lsIn.check_port_sec, 70, `inport == ${port.quoted}`, mark, options(port))
  if (context.topology.isRedirected(port)) {
    const redirect = `cr-${port.name}`
    flow(lsIn.check_port_sec, 70, `inport == ${JSON.stringify(redirect)}`, mark, { hint: port.uuid, port: redirect })
  }
}

function vifAdmission(context: Context, flow: AddFlow, port: SwitchPort): void {
  for (const a of port.addresses) {
    flow(
      lsIn.check_port_sec,
      110,
      `${reg.PKT_TOO_BIG} && eth.src == ${a.mac} && outport == ${port.quoted} && !is_chassis_resident(${port.quoted}) && ${reg.FROM_TUNNEL}`,
      'outport <-> inport; next;',
    )
  }
  if (port.type === 'vtep') {
    // Packets from a hardware switch skip most stages, and its ARP requests go to the router.
    flow(lsIn.arp_rsp, 65535, `${reg.FROM_RAMP} == 1 && (arp || nd_ns)`, 'flags.loopback = 1; next;')
    for (const gate of context.topology.routerTypePorts.get(port.switch)) {
      const redirect = context.topology.peerOfSwitchPort(gate)
      if (redirect?.distributedGateway)
        flow(lsIn.hairpin, 2000, `${reg.FROM_RAMP} == 1 && is_chassis_resident(${redirect.quotedRedirect})`, 'next;')
    }
    flow(lsIn.hairpin, 1000, `${reg.FROM_RAMP} == 1`, `next(pipeline=ingress, table=${lsIn.l2_lkup.table});`)
  }
  if (!port.enabled) return
  const queue = context.queues.get(port.name)
  if (port.type === 'vtep') {
    flow(
      lsIn.check_port_sec,
      70,
      `inport == ${port.quoted}`,
      `${queue === undefined ? '' : `set_queue(${queue}); `}${reg.FROM_RAMP} = 1; next(pipeline=ingress, table=${lsIn.hairpin.table});`,
      options(port),
    )
  } else if (queue !== undefined) {
    const doors = port.type === 'localnet' ? [port] : context.topology.portsOfType.get(`${port.switch} localnet`)
    for (const door of doors) {
      const own = door === port
      const match = own ? `outport == ${port.quoted}` : `outport == ${door.quoted} && inport == ${port.quoted}`
      flow(lsOut.apply_port_sec, own ? 100 : 110, match, `set_queue(${queue}); output;`, {
        hint: port.uuid,
        port: door.name,
      })
    }
    flow(
      lsIn.check_port_sec,
      70,
      `inport == ${port.quoted}`,
      `set_queue(${queue}); ${reg.PORT_SEC_DROP} = check_in_port_sec(); next;`,
      options(port),
    )
  }
}

function learning(_context: Context, flow: AddFlow, port: SwitchPort): void {
  const localnet = port.type === 'localnet' && port.options.get('localnet_learn_fdb') === 'true'
  const vif = (port.type === '' || port.type === 'switch') && port.row.port_security.length === 0 && port.unknown
  const lookup = `${reg.LOOKUP_FDB} = lookup_fdb(inport, eth.src); next;`
  const put = `inport == ${port.quoted} && ${reg.LOOKUP_FDB} == 0`
  if (localnet || vif) {
    const actions = localnet ? `flags.localnet = 1; ${lookup}` : lookup
    flow(lsIn.lookup_fdb, 100, `inport == ${port.quoted}`, actions, options(port))
    flow(lsIn.put_fdb, 100, put, 'put_fdb(inport, eth.src); next;', options(port))
  } else if (port.type === 'remote' && port.row.port_security.length === 0 && port.unknown) {
    flow(lsOut.lookup_fdb, 100, `inport == ${port.quoted}`, lookup, options(port))
    flow(lsOut.put_fdb, 100, put, 'put_fdb(inport, eth.src); next;', options(port))
  }
}

/** Traffic to and from routers and physical networks is not tracked on the switch. */
function skipConntrack(flow: AddFlow, port: SwitchPort, stateful: boolean): void {
  flow(lsIn.pre_lb, 110, `ip && inport == ${port.quoted}`, 'next;', options(port))
  const out = stateful ? 'next;' : 'flags.pkt_sampled = 0; ct_clear; next;'
  flow(lsOut.pre_lb, 110, `ip && outport == ${port.quoted}`, out, options(port))
}

export function arpReply(mac: string, ip: string): string {
  return `eth.dst = eth.src; eth.src = ${mac}; arp.op = 2; /* ARP reply */ arp.tha = arp.sha; arp.sha = ${mac}; arp.tpa = arp.spa; arp.spa = ${ip}; outport = inport; flags.loopback = 1; output;`
}

export function naReply(verb: string, mac: string, ip: string): string {
  return `${verb} { eth.src = ${mac}; ip6.src = ${ip}; nd.target = ${ip}; nd.tll = ${mac}; outport = inport; flags.loopback = 1; output; };`
}

/** The addresses that are answered for: a router port's own when it says `router`. */
export function knownAddresses(port: SwitchPort, peer: RouterPort | undefined): readonly PortAddresses[] {
  if (port.type !== 'router' || !port.row.addresses.includes('router')) return port.addresses
  return peer ? [...port.addresses, peer.addresses] : port.addresses
}

function arpResponder(
  context: Context,
  flow: AddFlow,
  port: SwitchPort,
  peer: RouterPort | undefined,
  vlanPassthru: boolean,
): void {
  if (port.type === 'localnet') {
    if (!arpProxied(context, port.switch)) flow(lsIn.arp_rsp, 100, `inport == ${port.quoted}`, 'next;', options(port))
    return
  }
  if (port.type === 'virtual') {
    virtualPort(context, flow, port)
    return
  }
  if (port.type !== 'router' && port.type !== 'localport') {
    const ignoreDown = globalOption(context, 'ignore_lsp_down') !== 'false'
    if (!port.up && !ignoreDown) return
  }
  if (port.type === 'external' || port.unknown || vlanPassthru) return
  if (port.type === '' && port.options.get('disable_arp_nd_rsp') === 'true') return
  const proxied = arpProxied(context, port.switch)
  for (const a of knownAddresses(port, peer)) {
    for (const { address } of a.v4) {
      const match = `arp.tpa == ${address} && arp.op == 1 && eth.dst == ff:ff:ff:ff:ff:ff`
      flow(lsIn.arp_rsp, 50, match, arpReply(a.mac, address), port.uuid)
      if (proxied)
        flow(lsIn.arp_rsp, 50, `arp.tpa == ${address} && arp.op == 1 && eth.dst == ${a.mac}`, 'next;', port.uuid)
      flow(lsIn.arp_rsp, 100, `${match} && inport == ${port.quoted}`, 'next;', options(port))
    }
    for (const n of a.v6) {
      const match = `nd_ns_mcast && ip6.dst == ${n.solicited} && nd.target == ${n.address}`
      const verb = port.type === 'router' ? 'nd_na_router' : 'nd_na'
      flow(lsIn.arp_rsp, 50, match, naReply(verb, a.mac, n.address), port.uuid)
      if (proxied)
        flow(lsIn.arp_rsp, 50, `nd_ns && ip6.dst == ${n.address} && nd.target == ${n.address}`, 'next;', port.uuid)
      flow(lsIn.arp_rsp, 100, `${match} && inport == ${port.quoted}`, 'next;', options(port))
    }
  }
}

function arpProxied(context: Context, ls: string): boolean {
  return context.topology.routerTypePorts.get(ls).some((p) => p.options.get('arp_proxy') !== undefined)
}

function virtualPort(context: Context, flow: AddFlow, port: SwitchPort): void {
  const ip = port.options.get('virtual-ip')
  const parents = port.options.get('virtual-parents')
  if (!ip || !parents) return
  const v6 = ip.includes(':')
  for (const name of parents.split(',')) {
    const parent = context.topology.switchPortByName.first(name)
    if (!parent || parent.switch !== port.switch) continue
    const match = v6
      ? `inport == ${quote(name)} && ((nd_ns && ip6.dst == {${ip}, ${solicited(ip)}} && nd.target == ${ip}) ||(nd_na && nd.target == ${ip}))`
      : `inport == ${quote(name)} && ((arp.op == 1 && arp.spa == ${ip} && arp.tpa == ${ip}) || (arp.op == 2 && arp.spa == ${ip}))`
    flow(lsIn.arp_rsp, 100, match, `bind_vport(${port.quoted}, inport); next;`, { hint: port.uuid, port: name })
  }
}

function solicited(text: string): string {
  const value = parseIpv6(text)
  return value === undefined ? text : formatIpv6(solicitedNode(value))
}

/** Priority 50 of the destination lookup: which port has which Ethernet address. */
function destination(context: Context, flow: AddFlow, port: SwitchPort): void {
  if (port.type === 'external') return
  // A port of type router leads to its peer's address; without one, to what it says itself.
  if (port.type === 'router' && context.topology.peerOfSwitchPort(port)) return
  if (port.unknown && port.options.get('force_fdb_lookup') === 'true' && port.type === '') return
  const clone = port.type === '' && port.options.get('pkt_clone_type') === 'mc_unknown'
  const output = clone
    ? // The blanks are the reference's.
      `clone {outport = ${port.quoted}; output; };outport = "_MC_unknown"; output;`
    : `outport = ${port.quoted}; output;`
  for (const a of port.addresses)
    flow(lsIn.l2_lkup, 50, `eth.dst == ${a.mac}`, port.enabled ? output : 'drop;', port.uuid)
}
