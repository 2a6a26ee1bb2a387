import * as K from '../classifier/key.ts'
import type { Packet } from '../datapath/packet.ts'
import { sctpRight } from '../datapath/rewrite.ts'
import { icmpAnswer, T_DST, T_ICMP, T_PORTS, T_PROTO, T_SRC, T_ZONE, TUPLE_WORDS, type Tuple } from './tuple.ts'

const u16 = (b: Uint8Array, at: number): number => ((b[at] as number) << 8) | (b[at + 1] as number)
const u32 = (b: Uint8Array, at: number): number => ((u16(b, at) << 16) | u16(b, at + 2)) >>> 0

/** One's complement sum of bytes, folded to 16 bits (RFC 1071). */
export function onesSum(b: Uint8Array, from: number, end: number, start = 0): number {
  let sum = start
  let i = from
  for (; i + 1 < end; i += 2) sum += ((b[i] as number) << 8) | (b[i + 1] as number)
  if (i < end) sum += (b[i] as number) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65536)
  return sum
}

/** Whether the checksums of network and transport layer are right; those not used are. */
export function checksumsRight(packet: Packet): boolean {
  const { frame: b, key, layers } = packet
  const { l3, l4, end } = layers
  const v6 = key[K.DL_TYPE] === K.ETH_IPV6
  if (!v6 && onesSum(b, l3, l3 + ((b[l3] as number) & 15) * 4) !== 0xffff) return false
  if (key[K.NW_FRAG] !== 0 || l4 < 0) return true
  const proto = key[K.NW_PROTO] as number
  if (proto === K.IP_ICMP) return onesSum(b, l4, end) === 0xffff
  if (proto === K.IP_UDP && u16(b, l4 + 6) === 0) return !v6
  if (proto === K.IP_SCTP) return sctpRight(packet)
  if (proto !== K.IP_TCP && proto !== K.IP_UDP && proto !== K.IP_ICMPV6) return true
  const pseudo = v6 ? onesSum(b, l3 + 8, l3 + 40) : onesSum(b, l3 + 12, l3 + 20)
  return onesSum(b, l4, end, pseudo + proto + (end - l4)) === 0xffff
}

/** What a packet is to connection tracking: of a connection, an error about one, or nothing. */
export type Tracked =
  | { readonly kind: 'packet'; readonly tuple: Tuple }
  /** `tuple` is that of the packet quoted in the error, as its sender sent it; `at` is where the quoted IP header begins. */
  | { readonly kind: 'error'; readonly tuple: Tuple; readonly at: number }
  | undefined

/** Protocols whose header must be there. */
const HEADERS: ReadonlySet<number> = new Set([K.IP_TCP, K.IP_UDP, K.IP_SCTP, K.IP_ICMP, K.IP_ICMPV6])

/** Reads the tuple of a packet in a zone into `t`. Undefined: not trackable. */
export function tupleOf(packet: Packet, zone: number, t: Tuple): Tracked {
  const { key, layers, frame } = packet
  const v6 = key[K.DL_TYPE] === K.ETH_IPV6
  if (!v6 && key[K.DL_TYPE] !== K.ETH_IPV4) return undefined
  const proto = key[K.NW_PROTO] as number
  if (layers.l4 < 0 && HEADERS.has(proto)) return undefined
  t.fill(0)
  t[T_ZONE] = zone
  t[T_PROTO] = (proto << 16) | (v6 ? 6 : 4)
  if (v6) {
    for (let i = 0; i < 4; i++) {
      t[T_SRC + i] = key[K.IPV6_SRC + i] as number
      t[T_DST + i] = key[K.IPV6_DST + i] as number
    }
  } else {
    t[T_SRC + 3] = key[K.NW_SRC] as number
    t[T_DST + 3] = key[K.NW_DST] as number
  }
  switch (proto) {
    case K.IP_TCP:
    case K.IP_UDP:
    case K.IP_SCTP:
      t[T_PORTS] = (((key[K.TP_SRC] as number) << 16) | (key[K.TP_DST] as number)) >>> 0
      return { kind: 'packet', tuple: t }
    case K.IP_ICMP:
    case K.IP_ICMPV6: {
      if (v6 !== (proto === K.IP_ICMPV6)) return undefined
      const type = key[K.TP_SRC] as number
      if (layers.end - layers.l4 < 8) return undefined
      if (icmpAnswer(type, v6) >= 0) {
        const id = u16(frame, layers.l4 + 4)
        t[T_PORTS] = ((id << 16) | id) >>> 0
        t[T_ICMP] = ((type << 16) | (key[K.TP_DST] as number)) >>> 0
        return { kind: 'packet', tuple: t }
      }
      const about = v6 ? type >= 1 && type <= 4 : type === 3 || type === 4 || type === 5 || type === 11 || type === 12
      if (!about) return undefined
      const inner = quotedTuple(frame, layers.l4 + 8, layers.end, v6, zone)
      return inner ? { kind: 'error', tuple: inner, at: layers.l4 + 8 } : undefined
    }
    default:
      // other protocols: by their addresses alone
      return { kind: 'packet', tuple: t }
  }
}

/** Where the transport header of a quoted packet begins, and its protocol; undefined for a later fragment or one cut short. */
export function quotedTransport(
  b: Uint8Array,
  at: number,
  end: number,
  v6: boolean,
): { proto: number; l4: number } | undefined {
  if (v6) {
    if (end - at < 48 || (b[at] as number) >> 4 !== 6) return undefined
    let next = b[at + 6] as number
    let p = at + 40
    while ((next === 0 || next === 43 || next === 60 || next === 44) && p + 8 <= end) {
      if (next === 44) {
        if (u16(b, p + 2) & 0xfff8) return undefined
        next = b[p] as number
        p += 8
      } else {
        next = b[p] as number
        p += ((b[p + 1] as number) + 1) * 8
      }
    }
    return p + 8 <= end ? { proto: next, l4: p } : undefined
  }
  if (end - at < 28 || (b[at] as number) >> 4 !== 4) return undefined
  const header = ((b[at] as number) & 15) * 4
  if (header < 20 || u16(b, at + 6) & 0x1fff || at + header + 8 > end) return undefined
  return { proto: b[at + 9] as number, l4: at + header }
}

/** RFC 792: an error quotes the IP header and at least eight bytes behind it. */
function quotedTuple(b: Uint8Array, at: number, end: number, v6: boolean, zone: number): Tuple | undefined {
  const transport = quotedTransport(b, at, end, v6)
  if (!transport) return undefined
  const { proto, l4 } = transport
  const t = new Uint32Array(TUPLE_WORDS)
  t[T_ZONE] = zone
  t[T_PROTO] = (proto << 16) | (v6 ? 6 : 4)
  if (v6) {
    for (let i = 0; i < 4; i++) {
      t[T_SRC + i] = u32(b, at + 8 + 4 * i)
      t[T_DST + i] = u32(b, at + 24 + 4 * i)
    }
  } else {
    t[T_SRC + 3] = u32(b, at + 12)
    t[T_DST + 3] = u32(b, at + 16)
  }
  switch (proto) {
    case K.IP_TCP:
    case K.IP_UDP:
    case K.IP_SCTP:
      t[T_PORTS] = u32(b, l4)
      return t
    case K.IP_ICMP:
    case K.IP_ICMPV6: {
      if (icmpAnswer(b[l4] as number, v6) < 0) return undefined
      const id = u16(b, l4 + 4)
      t[T_PORTS] = ((id << 16) | id) >>> 0
      t[T_ICMP] = (((b[l4] as number) << 16) | (b[l4 + 1] as number)) >>> 0
      return t
    }
    default:
      return undefined
  }
}
