import type { Context } from '../context.ts'
import { arpProxy } from '../features/arp-proxy.ts'
import type { AddFlow } from '../pipeline/flow.ts'
import * as reg from '../pipeline/registers.ts'
import { lsIn } from '../pipeline/stage.ts'
import type { RouterPort, SwitchPort } from '../topology/topology.ts'

/** How a switch reaches the router behind one of its ports: by its Ethernet addresses, and its ARP requests. */
export function switchRouterPort(context: Context): void {
  const { graph, topology, flows, nat, lb } = context
  graph.rule('switch/router-port', 10, topology.switchPorts, (port, out) => {
    if (port.type !== 'router') return
    const peer = topology.peerOfSwitchPort(port)
    if (!peer) return
    const facts = topology.routerFacts.get(peer.router)
    if (!facts) return
    const flow = flows.on(out, port.switch, 'switch/router-port.ts')

    // Unicast to the router: only where its port is, when that is one place.
    const redirected = topology.isRedirected(port)
    const proxy = arpProxy(port)?.mac
    const mac = proxy === undefined ? peer.mac : `{ ${proxy}, ${peer.mac} }`
    const quotedRedirect = JSON.stringify(`cr-${port.name}`)
    const drop = !port.enabled
    const to = (quoted: string) => (drop ? 'drop;' : `outport = ${quoted}; output;`)
    if (redirected) {
      const match = `eth.dst == ${mac}`
      flow(lsIn.l2_lkup, 50, `${match} && is_chassis_resident(${quotedRedirect})`, to(port.quoted), port.uuid)
      flow(lsIn.l2_lkup, 50, `${match} && !is_chassis_resident(${quotedRedirect})`, to(quotedRedirect), port.uuid)
    } else {
      const resident = residence(port, peer, facts.gatewayPorts[0], context)
      flow(lsIn.l2_lkup, 50, `eth.dst == ${mac}${resident}`, to(port.quoted), port.uuid)
    }

    // A disabled router port gets no requests of its own, and says nothing.
    if (!peer.enabled) return
    const others = topology.hasOtherPorts.get(port.switch) === true
    if (others) {
      // What the router says itself as broadcast does not come back to it.
      const macs = [peer.mac, ...nat.externalMacs(peer.router)]
      flow(
        lsIn.l2_lkup,
        75,
        `eth.src == {${macs.join(', ')}} && eth.dst == ff:ff:ff:ff:ff:ff && (arp.op == 1 || rarp.op == 3 || nd_ns)`,
        'outport = "_MC_flood_l2"; output;',
      )
    }
    const addresses: { family: 4 | 6; address: string }[] = [...peer.addresses.v4, ...peer.addresses.v6]
    for (const vip of lb.reachableVips(peer)) addresses.push(vip)
    for (const { family, address } of addresses) forwardArp(context, flow, port, family, address)
  })

  graph.rule('switch/router-port nat', 10, nat.nats, (n, out) => {
    // A switch forwards ARP requests for an external address to the router alone; those for a
    // router port's own address are its switch's affair.
    const own = n.type === 'snat' && topology.routerPortByAddress.get(`${n.router} ${n.externalIp}`).length > 0
    for (const routerPort of topology.portsOfRouter.get(n.router)) {
      const port = topology.switchPeer(routerPort)
      if (!port) continue
      const flow = flows.on(out, port.switch, 'switch/router-port.ts')
      if (!own && n.placed && routerPort.enabled) forwardArp(context, flow, port, n.family, n.externalIp)
      const elsewhere = n.type === 'dnat_and_snat' && n.externalMac !== undefined && n.quotedLogicalPort !== undefined
      if (elsewhere && routerPort.distributedGateway) {
        flow(
          lsIn.l2_lkup,
          50,
          `eth.dst == ${n.externalMac} && is_chassis_resident(${n.quotedLogicalPort})`,
          port.enabled ? `outport = ${port.quoted}; output;` : 'drop;',
          port.uuid,
        )
      }
    }
  })

  graph.rule('switch/external-arp', 10, topology.switchPorts, (port, out) => {
    // ARP requests from a physical network come to every chassis; one alone may answer them.
    if (port.type !== 'localnet' && port.type !== 'l2gateway') return
    const flow = flows.on(out, port.switch, 'switch/router-port.ts')
    const gates = topology.routerTypePorts
      .get(port.switch)
      .map((p) => topology.peerOfSwitchPort(p))
      .filter((p): p is RouterPort => p !== undefined)
    const places: { peer: RouterPort; resident: string }[] = []
    for (const peer of gates) {
      const facts = topology.routerFacts.get(peer.router)
      if (!facts) continue
      if (peer.distributedGateway) places.push({ peer, resident: peer.quotedRedirect })
      else if (facts.isGateway) places.push({ peer, resident: peer.quoted })
    }
    if (!places.length) return
    flow(lsIn.check_port_sec, 75, `arp.op == 1 && inport == ${port.quoted}`, `${reg.EXT_ARP} = 1; next;`)
    flow(lsIn.apply_port_sec, 70, `${reg.EXT_ARP} == 1`, 'drop;')
    for (const { peer, resident } of places) {
      flow(lsIn.apply_port_sec, 75, `${reg.EXT_ARP} == 1 && is_chassis_resident(${resident})`, 'next;')
      if (!peer.distributedGateway) continue
      for (const n of nat.distributed(peer.router)) {
        if (n.family !== 4) continue
        flow(
          lsIn.apply_port_sec,
          85,
          `${reg.EXT_ARP} == 1 && arp.tpa == ${n.externalIp} && is_chassis_resident(${n.quotedLogicalPort})`,
          'next;',
        )
      }
    }
  })
}

/** ARP requests and solicitations for a router's address go to the router, and to ports that are no routers'. */
function forwardArp(context: Context, flow: AddFlow, port: SwitchPort, family: 4 | 6, address: string): void {
  const { topology } = context
  const match =
    family === 4
      ? `flags[1] == 0 && arp.op == 1 && arp.tpa == ${address}`
      : `flags[1] == 0 && nd_ns && nd.target == ${address}`
  const others = topology.hasOtherPorts.get(port.switch) === true
  const to = (quoted: string) =>
    others ? `clone {outport = ${quoted}; output; }; outport = "_MC_flood_l2"; output;` : `outport = ${quoted}; output;`
  if (!topology.isRedirected(port)) {
    flow(lsIn.l2_lkup, 80, match, to(port.quoted), port.uuid)
    return
  }
  const redirect = JSON.stringify(`cr-${port.name}`)
  flow(lsIn.l2_lkup, 80, `${match} && is_chassis_resident(${redirect})`, to(port.quoted), port.uuid)
  flow(lsIn.l2_lkup, 80, `${match} && !is_chassis_resident(${redirect})`, to(redirect), port.uuid)
}

/** ` && is_chassis_resident(...)` where a router port is in one place; nothing where it is everywhere. */
function residence(port: SwitchPort, peer: RouterPort, gateway: RouterPort | undefined, context: Context): string {
  const localnet = context.topology.portsOfType.get(`${port.switch} localnet`).length > 0
  if (!localnet) return ''
  if (peer.distributedGateway) return ` && is_chassis_resident(${peer.quotedRedirect})`
  const reside = peer.options.get('reside-on-redirect-chassis') === 'true'
  return gateway && reside ? ` && is_chassis_resident(${gateway.quotedRedirect})` : ''
}
