import type { Context } from '../context.ts'
import { lsIn } from '../pipeline/stage.ts'
import { knownAddresses } from '../switch/port.ts'

/** Ports outside OVN, behind a switch's physical network: one chassis answers for the router to them. */
export function externalPorts({ graph, topology, flows }: Context): void {
  graph.rule('features/external', 10, topology.switchPorts, (port, out) => {
    if (port.type !== 'external') return
    const flow = flows.on(out, port.switch, 'features/external.ts')
    for (const door of topology.portsOfType.get(`${port.switch} localnet`)) {
      const options = { hint: port.uuid, port: door.name }
      for (const gate of topology.routerTypePorts.get(port.switch)) {
        const peer = topology.peerOfSwitchPort(gate)
        if (!peer) continue
        const known = knownAddresses(gate, peer)
        for (const { mac } of port.addresses) {
          const from = `inport == ${door.quoted} && eth.src == ${mac}`
          const away = `!is_chassis_resident(${port.quoted})`
          for (const n of known.flatMap((a) => a.v4))
            flow(
              lsIn.external_port,
              100,
              `${from} && ${away} && arp.tpa == ${n.address} && arp.op == 1`,
              'drop;',
              options,
            )
          for (const n of known.flatMap((a) => a.v6))
            flow(
              lsIn.external_port,
              100,
              `${from} && ${away} && nd_ns && ip6.dst == {${n.address}, ${n.solicited}} && nd.target == ${n.address}`,
              'drop;',
              options,
            )
          flow(lsIn.external_port, 100, `${from} && eth.dst == ${peer.mac} && ${away}`, 'drop;', options)
        }
      }
    }
  })
}
