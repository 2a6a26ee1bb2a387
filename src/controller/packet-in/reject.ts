import type { Reader } from '../../base/bytes.ts'
import type { PacketIn } from '../../openflow/messages/message.ts'
import { craft, decodeFrame, type Packet, type PacketSpec } from '../../packet/packet.ts'
import { SctpChunkType } from '../../packet/sctp.ts'
import { TcpFlag } from '../../packet/tcp.ts'
import type { Effect } from './effect.ts'
import { icmpError } from './icmp.ts'
import { packetOut, reload } from './metadata.ts'
import { readNestedActions } from './userdata.ts'

const TTL = 63

/** A reset for a TCP segment; `turned` sends it back, otherwise the nested actions do. */
function reset(packet: Packet, turned: boolean): Uint8Array | undefined {
  const { tcp } = packet
  if (!tcp || tcp.flags & TcpFlag.rst) return undefined
  return craft({
    ...ends(packet, turned),
    tcp: {
      src: tcp.dst,
      dst: tcp.src,
      seq: 0,
      // RFC 9293 §3.10.7.1, but whether or not the segment had an ACK, as OVN does.
      ack: (tcp.seq + 1) >>> 0,
      flags: TcpFlag.rst | TcpFlag.ack,
      window: 0,
      urgent: 0,
      options: new Uint8Array(),
      payload: new Uint8Array(),
    },
  })
}

/** An ABORT with the tag of the packet itself: the T bit says so (RFC 9260 §8.5.1). */
function abort(packet: Packet, turned: boolean): Uint8Array | undefined {
  const { sctp } = packet
  if (!sctp || sctp.chunks.some((c) => c.type === SctpChunkType.abort)) return undefined
  const chunk = { type: SctpChunkType.abort, flags: 1, value: new Uint8Array() }
  return craft({ ...ends(packet, turned), sctp: { src: sctp.dst, dst: sctp.src, tag: sctp.tag, chunks: [chunk] } })
}

/** Ethernet and IP headers of the answer. */
function ends({ eth, ip4, ip6 }: Packet, turned: boolean): Pick<PacketSpec, 'eth' | 'ip4' | 'ip6'> {
  const pair = <T>(p: { readonly src: T; readonly dst: T }) =>
    turned ? { src: p.dst, dst: p.src } : { src: p.src, dst: p.dst }
  return {
    eth: { ...pair(eth), tags: eth.tags },
    ...(ip4 ? { ip4: { ...pair(ip4), ttl: TTL } } : {}),
    ...(ip6 ? { ip6: { ...pair(ip6), hopLimit: TTL } } : {}),
  }
}

function out(m: PacketIn, body: Reader, make: (packet: Packet) => Uint8Array | undefined): Effect[] {
  const actions = readNestedActions(body)
  const packet = decodeFrame(m.packet)
  const frame = packet.ok ? make(packet.value) : undefined
  return frame ? [{ type: 'send', message: packetOut(frame, [...reload(m.metadata), ...actions]) }] : []
}

/** tcp_reset { ... } */
export function tcpReset(m: PacketIn, body: Reader): Effect[] {
  return out(m, body, (packet) => reset(packet, false))
}

/** sctp_abort { ... } */
export function sctpAbort(m: PacketIn, body: Reader): Effect[] {
  return out(m, body, (packet) => abort(packet, false))
}

/** reject { ... }: a reset for TCP, an abort for SCTP, an unreachable error for the rest, sent back where it came from. */
export function reject(m: PacketIn, body: Reader): Effect[] {
  return out(m, body, (packet) => {
    if (packet.tcp) return reset(packet, true)
    return packet.sctp ? abort(packet, true) : icmpError(packet, { turned: true })
  })
}
