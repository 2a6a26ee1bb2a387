import { formatIpv4 } from '../../address/ipv4.ts'
import { formatMac } from '../../address/mac.ts'
import type { Reader } from '../../base/bytes.ts'
import type { PacketIn } from '../../openflow/messages/message.ts'
import { type Dhcp, DhcpCode, dhcpType, emitDhcp, numberIn, parseDhcp } from '../../packet/dhcp.ts'
import { decodeFrame, encodeFrame, type Packet } from '../../packet/packet.ts'
import type { Effect } from './effect.ts'
import { resume, withBit } from './metadata.ts'
import { readAnswerBit } from './userdata.ts'

const BROADCAST_FLAG = 0x8000
const BROADCAST = 0xffffffff
const ETHERNET = 1
const TYPES = ['', 'DISCOVER', 'OFFER', 'REQUEST', 'DECLINE', 'ACK', 'NAK', 'RELEASE', 'INFORM']

type Note = (level: 'info' | 'warn', message: string) => undefined
type Relayed = Packet | undefined

interface Seen {
  readonly packet: Packet
  readonly dhcp: Dhcp
  readonly relay: number
  readonly server: number
}

function relay(m: PacketIn, body: Reader, make: (seen: Seen, note: Note) => Relayed): Effect[] {
  const bit = readAnswerBit(body)
  const [relayIp, server] = [body.u32(), body.u32()]
  const out: Effect[] = []
  const note: Note = (level, message) => {
    out.push({ type: 'log', module: 'pinctrl', level, message })
    return undefined
  }
  const packet = decodeFrame(m.packet)
  const dhcp = packet.ok && packet.value.ip4 && packet.value.udp ? parseDhcp(packet.value.udp.payload) : undefined
  let relayed: Relayed
  if (!packet.ok || !dhcp?.ok) note('warn', 'DHCP: Invalid or incomplete packet received')
  else if (dhcp.value.htype !== ETHERNET) note('warn', 'DHCP: Packet is recieved with unsupported hardware type')
  else relayed = make({ packet: packet.value, dhcp: dhcp.value, relay: relayIp, server }, note)
  const frame = relayed && encodeFrame(relayed)
  const metadata = withBit(m.metadata, bit.field, bit.offset, frame !== undefined)
  out.push({ type: 'send', message: resume(m, frame ?? m.packet, metadata) })
  return out
}

function typeOf(d: Dhcp): string {
  return TYPES[dhcpType(d) ?? 0] ?? ''
}

/** dhcp_relay_req_chk: a client's request on its way to a server (RFC 1542 §4.1.1). */
export function relayRequest(m: PacketIn, body: Reader): Effect[] {
  return relay(m, body, ({ packet, dhcp, relay, server }, note) => {
    const { udp } = packet
    if (dhcp.op !== 1) return note('warn', `DHCP_RELAY_REQ_CHK: invalid opcode in the DHCP packet: ${dhcp.op}`)
    // One relay is enough.
    if (dhcp.giaddr !== 0) return note('warn', 'DHCP_RELAY_REQ_CHK: giaddr is already set')
    if (!udp || dhcpType(dhcp) === undefined) return note('warn', 'DHCP_RELAY_REQ_CHK: missing message type')
    const wanted = numberIn(dhcp.options.find((o) => o.code === DhcpCode.requestedAddress)?.data) ?? dhcp.ciaddr
    note(
      'info',
      `DHCP_RELAY_REQ_CHK:: MSG_TYPE:${typeOf(dhcp)} MAC:${formatMac(dhcp.chaddr)} XID:${dhcp.xid} ` +
        `REQ_IP:${formatIpv4(wanted)} GIADDR:${formatIpv4(relay)} SERVER_ADDR:${formatIpv4(server)}`,
    )
    const payload = emitDhcp({ ...dhcp, giaddr: relay, hops: (dhcp.hops + 1) & 0xff })
    return { ...packet, udp: { ...udp, payload } }
  })
}

/** dhcp_relay_resp_chk: a server's answer on its way to the client (RFC 1542 §4.1.2). */
export function relayResponse(m: PacketIn, body: Reader): Effect[] {
  return relay(m, body, ({ packet, dhcp, relay, server }, note) => {
    const { ip4 } = packet
    if (dhcp.op !== 2) return note('warn', `DHCP_RELAY_RESP_CHK: invalid opcode in the packet: ${dhcp.op}`)
    const id = numberIn(dhcp.options.find((o) => o.code === DhcpCode.serverId)?.data)
    if (!ip4 || dhcpType(dhcp) === undefined) return note('warn', 'DHCP_RELAY_RESP: missing message type')
    if (id === undefined) return note('warn', 'DHCP_RELAY_RESP: missing server identifier')
    if (id !== server) return note('warn', 'DHCP_RELAY_RESP: server identifier mismatch')
    if (dhcp.giaddr !== relay) return note('warn', 'DHCP_RELAY_RESP: giaddr mismatch')
    note(
      'info',
      `DHCP_RELAY_RESP_CHK:: MSG_TYPE:${typeOf(dhcp)} MAC:${formatMac(dhcp.chaddr)} XID:${dhcp.xid} ` +
        `YIADDR:${formatIpv4(dhcp.yiaddr)} GIADDR:${formatIpv4(relay)} SERVER_ADDR:${formatIpv4(server)}`,
    )
    const dst = dhcp.flags & BROADCAST_FLAG ? BROADCAST : dhcp.yiaddr
    return { ...packet, eth: { ...packet.eth, dst: dhcp.chaddr }, ip4: { ...ip4, dst } }
  })
}
