import { Malformed, Truncated } from '../../base/bytes.ts'
import { OPCODE } from '../../logical/opcodes.ts'
import type { PacketIn } from '../../openflow/messages/message.ts'
import { putDhcpOptions } from './dhcp.ts'
import { relayRequest, relayResponse } from './dhcp-relay.ts'
import { putDhcpv6Options } from './dhcpv6.ts'
import { dnsLookup } from './dns.ts'
import type { Effect, PacketInEnvironment } from './effect.ts'
import { icmp } from './icmp.ts'
import { bindVport, multicast, putFdb, putMacBinding, triggerEvent } from './learn.ts'
import { aclLog } from './log.ts'
import { datapathOf, inportOf } from './metadata.ts'
import { arp, neighborAdvertisement, neighborSolicitation, putRouterAdvertisement } from './neighbor.ts'
import { reject, sctpAbort, tcpReset } from './reject.ts'
import { parseUserdata } from './userdata.ts'

/**
 * What a packet-in of a logical flow asks for. Never throws for what is in the packet or the
 * userdata: a packet that cannot be handled leaves a log line and nothing else.
 */
export function handlePacketIn(m: PacketIn, env: PacketInEnvironment): Effect[] {
  const userdata = parseUserdata(m.userdata)
  if (!userdata.ok) return [warning(userdata.error)]
  try {
    return dispatch(m, userdata.value.opcode, userdata.value.body, env)
  } catch (e) {
    if (e instanceof Truncated || e instanceof Malformed) {
      return [warning(`malformed userdata (opcode ${userdata.value.opcode}): ${e.message}`)]
    }
    throw e
  }
}

function warning(message: string): Effect {
  return { type: 'log', module: 'pinctrl', level: 'warn', message }
}

function dispatch(m: PacketIn, opcode: number, body: Parameters<typeof arp>[1], env: PacketInEnvironment): Effect[] {
  const seen = () => ({ datapath: datapathOf(m), port: inportOf(m), packet: m.packet })
  switch (opcode) {
    case OPCODE.arp:
      return arp(m, body)
    case OPCODE.put_arp:
      return putMacBinding(m, 4)
    case OPCODE.put_dhcp_opts:
      return putDhcpOptions(m, body)
    case OPCODE.nd_na:
      return neighborAdvertisement(m, body, false)
    case OPCODE.put_nd:
      return putMacBinding(m, 6)
    case OPCODE.put_dhcpv6_opts:
      return putDhcpv6Options(m, body)
    case OPCODE.dns_lookup:
      return dnsLookup(m, body, env)
    case OPCODE.log:
      return aclLog(m, body)
    case OPCODE.put_nd_ra_opts:
      return putRouterAdvertisement(m, body)
    case OPCODE.nd_ns:
      return neighborSolicitation(m, body)
    case OPCODE.icmp:
    case OPCODE.icmp4_error:
    case OPCODE.icmp6_error:
      return icmp(m, body)
    case OPCODE.tcp_reset:
      return tcpReset(m, body)
    case OPCODE.nd_na_router:
      return neighborAdvertisement(m, body, true)
    case OPCODE.event:
      return triggerEvent(body)
    case OPCODE.igmp:
      return multicast(m)
    case OPCODE.bind_vport:
      return bindVport(m, body)
    case OPCODE.handle_svc_check:
      return [{ type: 'service_check', ...seen() }]
    case OPCODE.dhcp6_server:
      return [{ type: 'dhcpv6_reply', ...seen() }]
    case OPCODE.reject:
      return reject(m, body)
    case OPCODE.bfd_msg:
      return [{ type: 'bfd', ...seen() }]
    case OPCODE.sctp_abort:
      return sctpAbort(m, body)
    case OPCODE.put_fdb:
      return putFdb(m)
    case OPCODE.dhcp_relay_req_chk:
      return relayRequest(m, body)
    case OPCODE.dhcp_relay_resp_chk:
      return relayResponse(m, body)
    case OPCODE.activation_strategy:
      return [{ type: 'activate', datapath: datapathOf(m), port: inportOf(m) }]
    default:
      return [warning(`unrecognized packet-in opcode ${opcode}`)]
  }
}
