import { Reader } from '../../base/bytes.ts'
import { NOTE_FIELD, NOTE_MAGIC } from '../../logical/opcodes.ts'
import type { Action } from '../../openflow/actions/action.ts'
import type { PacketIn } from '../../openflow/messages/message.ts'
import { Icmp4Type, Unreachable4 } from '../../packet/icmp4.ts'
import { Icmp6Type, Unreachable6 } from '../../packet/icmp6.ts'
import { craft, decodeFrame, type Packet } from '../../packet/packet.ts'
import type { Effect } from './effect.ts'
import { packetOut, reload } from './metadata.ts'
import { readNestedActions } from './userdata.ts'

/** Frames of errors stay this small: 576 bytes (RFC 1812 §4.3.2.3), 1280 for IPv6 (RFC 4443 §2.4 c). */
const LARGEST_FRAME4 = 576
const LARGEST_FRAME6 = 1280
const TTL = 255

/** An error about a packet, from its own source to its own destination: the nested actions turn it. */
export function icmpError(
  packet: Packet,
  options: { readonly mtu?: number; readonly turned?: boolean } = {},
): Uint8Array | undefined {
  const { eth, ip4, ip6 } = packet
  const { turned = false, mtu } = options
  const link = turned ? { src: eth.dst, dst: eth.src, tags: eth.tags } : { src: eth.src, dst: eth.dst, tags: eth.tags }
  const header = 14 + 4 * eth.tags.length
  if (ip4) {
    const original = eth.payload.subarray(0, eth.payload.length - packet.padding.length)
    return craft({
      eth: link,
      ip4: { src: turned ? ip4.dst : ip4.src, dst: turned ? ip4.src : ip4.dst, ttl: TTL },
      icmp4: {
        type: Icmp4Type.unreachable,
        code: mtu === undefined ? Unreachable4.port : Unreachable4.fragNeeded,
        rest: mtu ?? 0,
        payload: original.subarray(0, LARGEST_FRAME4 - header - 28),
      },
    })
  }
  if (ip6) {
    const original = eth.payload.subarray(0, eth.payload.length - packet.padding.length)
    return craft({
      eth: link,
      ip6: { src: turned ? ip6.dst : ip6.src, dst: turned ? ip6.src : ip6.dst, hopLimit: TTL },
      icmp6: {
        type: mtu === undefined ? Icmp6Type.unreachable : Icmp6Type.packetTooBig,
        code: mtu === undefined ? Unreachable6.port : 0,
        rest: mtu ?? 0,
        payload: original.subarray(0, LARGEST_FRAME6 - header - 48),
      },
    })
  }
  return undefined
}

/** The MTU that `icmp4.frag_mtu = N;` or `icmp6.frag_mtu = N;` put into a note among the actions. */
export function fragMtu(actions: readonly Action[]): number | undefined {
  for (const a of actions) {
    if (a.type !== 'note' || a.data.length < 14) continue
    const r = new Reader(a.data)
    if (r.u32() !== NOTE_MAGIC) continue
    const field = r.u16()
    r.skip(2)
    if (field === NOTE_FIELD['icmp4.frag_mtu']) return r.u16()
    if (field === NOTE_FIELD['icmp6.frag_mtu']) return r.u32()
  }
  return undefined
}

/** icmp4 { ... }, icmp6 { ... }, icmp4_error { ... }, icmp6_error { ... }. */
export function icmp(m: PacketIn, body: Reader): Effect[] {
  const actions = readNestedActions(body)
  const packet = decodeFrame(m.packet)
  if (!packet.ok) return []
  const mtu = fragMtu(actions)
  const frame = icmpError(packet.value, mtu === undefined ? {} : { mtu })
  return frame ? [{ type: 'send', message: packetOut(frame, [...reload(m.metadata), ...actions]) }] : []
}
