import type { Context } from '../context.ts'
import { flag } from '../context.ts'
import * as reg from '../pipeline/registers.ts'
import { lrIn } from '../pipeline/stage.ts'
import { setOf } from '../topology/addresses.ts'

/** Neighbours whose Ethernet addresses the northbound knows (ovn-northd(8), ARP/ND Resolution). */
export function neighbours(context: Context): void {
  const { graph, topology, flows } = context
  // The ports of a switch, for each router on it.
  graph.rule('router/neighbour on switch', 10, topology.switchPorts, (port, out) => {
    if (port.type === 'router') return
    if (port.type === 'virtual' || !port.enabled) return
    for (const gate of topology.routerTypePorts.get(port.switch)) {
      const peer = topology.peerOfSwitchPort(gate)
      if (!peer) continue
      // Where other chassis bridge to the gateway port's, the gateway resolves by itself.
      const bridged = peer.distributedGateway && peer.options.get('redirect-type') === 'bridged'
      const flow = flows.on(out, peer.router, 'router/neighbour.ts')
      for (const a of port.addresses) {
        for (const n of bridged ? [] : a.v4) {
          if (!peer.addresses.v4.some((own) => sameNetwork4(own.value, n.value, own.length))) continue
          flow(
            lrIn.arp_resolve,
            100,
            `outport == ${peer.quoted} && ${reg.NEXT_HOP_IPV4} == ${n.address}`,
            `eth.dst = ${a.mac}; next;`,
            port.uuid,
          )
        }
        for (const n of a.v6) {
          if (!peer.addresses.v6.some((own) => sameNetwork6(own.value, n.value, own.length))) continue
          flow(
            lrIn.arp_resolve,
            100,
            `outport == ${peer.quoted} && ${reg.NEXT_HOP_IPV6} == ${n.address}`,
            `eth.dst = ${a.mac}; next;`,
            port.uuid,
          )
        }
      }
    }
  })

  // Router ports joined to each other, directly or by a switch.
  graph.rule('router/neighbour router', 10, topology.routerPorts, (port, out) => {
    const direct = topology.routerPeer(port)
    const others: { port: typeof port; direct: boolean }[] = []
    if (direct) others.push({ port: direct, direct: true })
    else {
      const gate = topology.switchPeer(port)
      if (gate)
        for (const other of topology.routerTypePorts.get(gate.switch)) {
          const peer = topology.peerOfSwitchPort(other)
          if (peer && peer.uuid !== port.uuid && peer.router !== port.router) others.push({ port: peer, direct: false })
        }
    }
    for (const { port: other, direct: joined } of others) {
      const facts = topology.routerFacts.get(other.router)
      if (!joined && facts && flag(facts.router.options, 'dynamic_neigh_routers')) continue
      const flow = flows.on(out, other.router, 'router/neighbour.ts')
      const actions = `eth.dst = ${port.mac}; next;`
      const v4 = port.addresses.v4.map((n) => n.address)
      const v6 = port.addresses.v6.map((n) => n.address)
      if (v4.length)
        flow(
          lrIn.arp_resolve,
          100,
          // The text for directly joined ports lacks a blank.
          `outport == ${other.quoted} && ${reg.NEXT_HOP_IPV4}${joined ? '' : ' '}== ${setOf(v4)}`,
          actions,
          port.uuid,
        )
      if (v6.length)
        flow(
          lrIn.arp_resolve,
          100,
          `outport == ${other.quoted} && ${reg.NEXT_HOP_IPV6} == ${setOf(v6)}`,
          actions,
          port.uuid,
        )
    }
  })
}

function sameNetwork4(a: number, b: number, length: number): boolean {
  return length === 0 || (a ^ b) >>> (32 - length) === 0
}

function sameNetwork6(a: bigint, b: bigint, length: number): boolean {
  return (a ^ b) >> BigInt(128 - length) === 0n
}
