import { parseIpv4 } from '../../address/ipv4.ts'
import type { Context } from '../context.ts'
import * as reg from '../pipeline/registers.ts'
import { lrIn, lsIn } from '../pipeline/stage.ts'

const REQUEST = 'ip4.src == 0.0.0.0 && ip4.dst == 255.255.255.255'

/** Routers that pass DHCP requests on to a server elsewhere (ovn-nb(5), DHCP_Relay; RFC 1542). */
export function dhcpRelay(context: Context): void {
  const { graph, nb, topology, flows } = context
  const serverOf = (uuid: string | undefined) => {
    const servers = uuid === undefined ? undefined : nb.DHCP_Relay.get(uuid)?.servers
    return servers !== undefined && parseIpv4(servers) !== undefined ? servers : undefined
  }
  graph.rule('features/dhcp-relay', 10, topology.routerPorts, (port, out) => {
    const server = serverOf(port.row.dhcp_relay)
    const own = port.addresses.v4[0]?.address
    const gate = topology.switchPeer(port)
    if (server === undefined || own === undefined || !gate) return
    if (!topology.switches.get(gate.switch)?.config.get('dhcp_relay_port')) return
    const copp = topology.routers.get(port.router)?.copp
    const flow = flows.on(out, port.router, 'features/dhcp-relay.ts')
    const [req, resp] = ['/* DHCP_RELAY_REQ */', '/* DHCP_RELAY_RESP */']
    const meter = (protocol: string) => ({ hint: port.uuid, meter: context.meters.of(copp, protocol) })
    const from = `inport == ${port.quoted} && ${REQUEST}`
    flow(
      lrIn.ip_input,
      110,
      `${from} && ip.frag == 0 && udp.src == 68 && udp.dst == 67`,
      `${reg.DHCP_RELAY_REQ_CHK} = dhcp_relay_req_chk(${own}, ${server});next; ${req}`,
      meter('dhcpv4-relay'),
    )
    const relayed = `${from} && udp.src == 68 && udp.dst == 67`
    flow(
      lrIn.dhcp_relay_req,
      100,
      `${relayed} && ${reg.DHCP_RELAY_REQ_CHK}`,
      `ip4.src = ${own}; ip4.dst = ${server}; udp.src = 67; next; ${req}`,
      port.uuid,
    )
    flow(lrIn.dhcp_relay_req, 1, `${relayed} && ${reg.DHCP_RELAY_REQ_CHK} == 0`, `drop; ${req}`, port.uuid)
    flow(
      lrIn.ip_input,
      110,
      `ip4.src == ${server} && ip4.dst == ${own} && ip.frag == 0 && udp.src == 67 && udp.dst == 67`,
      `next; ${resp}`,
      port.uuid,
    )
    flow(
      lrIn.dhcp_relay_resp_chk,
      100,
      `ip4.src == ${server} && ip4.dst == ${own} && udp.src == 67 && udp.dst == 67`,
      `reg2 = ip4.dst; ${reg.DHCP_RELAY_RESP_CHK} = dhcp_relay_resp_chk(${own}, ${server}); next; ${resp}`,
      meter('dhcpv4-relay'),
    )
    const answer = `ip4.src == ${server} && reg2 == ${own} && udp.src == 67 && udp.dst == 67`
    flow(
      lrIn.dhcp_relay_resp,
      100,
      `${answer} && ${reg.DHCP_RELAY_RESP_CHK}`,
      `ip4.src = ${own}; udp.dst = 68; outport = ${port.quoted}; output; ${resp}`,
      port.uuid,
    )
    flow(lrIn.dhcp_relay_resp, 1, `${answer} && ${reg.DHCP_RELAY_RESP_CHK} == 0`, `drop; ${resp}`, port.uuid)
  })
  graph.rule('features/dhcp-relay port', 10, topology.switchPorts, (port, out) => {
    if (port.type !== '' || !port.enabled) return
    const name = topology.switches.get(port.switch)?.config.get('dhcp_relay_port')
    const gate = name ? topology.switchPortByName.first(name) : undefined
    const peer = gate && topology.peerOfSwitchPort(gate)
    if (!gate || !peer || serverOf(peer.row.dhcp_relay) === undefined) return
    const flow = flows.on(out, port.switch, 'features/dhcp-relay.ts')
    for (const { mac } of port.addresses)
      flow(
        lsIn.l2_lkup,
        100,
        `inport == ${port.quoted} && eth.src == ${mac} && ${REQUEST} && udp.src == 68 && udp.dst == 67`,
        `eth.dst = ${peer.mac}; outport = ${gate.quoted}; next; /* DHCP_RELAY_REQ */`,
        { hint: port.uuid, port: port.name },
      )
  })
}
