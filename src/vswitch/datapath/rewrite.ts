import * as K from '../classifier/key.ts'
import type { Packet } from './packet.ts'

const u16 = (b: Uint8Array, at: number): number => ((b[at] as number) << 8) | (b[at + 1] as number)

function put16(b: Uint8Array, at: number, v: number): void {
  b[at] = v >>> 8
  b[at + 1] = v
}

function put32(b: Uint8Array, at: number, v: number): void {
  b[at] = v >>> 24
  b[at + 1] = v >>> 16
  b[at + 2] = v >>> 8
  b[at + 3] = v
}

/** The checksum at `at` after a 16-bit word under it went from `old` to `now` (RFC 1624 §3, eqn. 3). */
function fix16(b: Uint8Array, at: number, old: number, now: number): void {
  let sum = (~u16(b, at) & 0xffff) + (~old & 0xffff) + now
  sum = (sum & 0xffff) + (sum >>> 16)
  sum = (sum & 0xffff) + (sum >>> 16)
  put16(b, at, ~sum & 0xffff)
}

function fix32(b: Uint8Array, at: number, old: number, now: number): void {
  fix16(b, at, old >>> 16, now >>> 16)
  fix16(b, at, old & 0xffff, now & 0xffff)
}

/** Where the transport's checksum is, or -1: absent, in a later fragment, or (UDP) not used. */
export function transportChecksum(packet: Packet): number {
  const { key, layers, frame } = packet
  const l4 = layers.l4
  if (l4 < 0) return -1
  switch (key[K.NW_PROTO]) {
    case K.IP_TCP:
      return l4 + 16
    case K.IP_UDP:
      return u16(frame, l4 + 6) === 0 ? -1 : l4 + 6
    case K.IP_ICMPV6:
      return key[K.DL_TYPE] === K.ETH_IPV6 ? l4 + 2 : -1
    default:
      return -1
  }
}

/** A UDP checksum that comes out as zero is sent as all ones (RFC 768). */
function udpNonZero(packet: Packet, at: number): void {
  if (packet.key[K.NW_PROTO] === K.IP_UDP && u16(packet.frame, at) === 0) put16(packet.frame, at, 0xffff)
}

/** Writes an IPv4 address of the packet: `at` is NW_SRC or NW_DST. */
export function setIpv4(packet: Packet, at: number, value: number): void {
  const old = packet.key[at] as number
  if (old === value) return
  const b = packet.writable()
  const l3 = packet.layers.l3
  put32(b, l3 + (at === K.NW_SRC ? 12 : 16), value)
  fix32(b, l3 + 10, old, value)
  const sum = transportChecksum(packet)
  if (sum >= 0) {
    fix32(b, sum, old, value)
    udpNonZero(packet, sum)
  }
  packet.key[at] = value
}

/** Writes one word of an IPv6 address: `at` lies in IPV6_SRC or IPV6_DST. */
export function setIpv6Word(packet: Packet, at: number, value: number): void {
  const old = packet.key[at] as number
  if (old === value) return
  const b = packet.writable()
  put32(b, packet.layers.l3 + 8 + (at - K.IPV6_SRC) * 4, value)
  const sum = transportChecksum(packet)
  if (sum >= 0) {
    fix32(b, sum, old, value)
    udpNonZero(packet, sum)
  }
  packet.key[at] = value
}

/** Writes a port, or type or code of ICMP: `at` is TP_SRC or TP_DST. */
export function setPort(packet: Packet, at: number, value: number): void {
  const old = packet.key[at] as number
  const l4 = packet.layers.l4
  if (old === value || l4 < 0) return
  const b = packet.writable()
  const second = at === K.TP_DST
  switch (packet.key[K.NW_PROTO]) {
    case K.IP_ICMP:
    case K.IP_ICMPV6: {
      const before = u16(b, l4)
      b[l4 + (second ? 1 : 0)] = value
      fix16(b, l4 + 2, before, u16(b, l4))
      break
    }
    case K.IP_SCTP:
      put16(b, l4 + (second ? 2 : 0), value)
      sctpChecksum(packet)
      break
    default: {
      put16(b, l4 + (second ? 2 : 0), value)
      const sum = transportChecksum(packet)
      if (sum >= 0) {
        fix16(b, sum, old, value)
        udpNonZero(packet, sum)
      }
    }
  }
  packet.key[at] = value
}

/** Writes 16 bits of an ICMP message, checksum included. */
export function setIcmpWord(packet: Packet, offset: number, value: number): void {
  const b = packet.writable()
  const l4 = packet.layers.l4
  fix16(b, l4 + 2, u16(b, l4 + offset), value)
  put16(b, l4 + offset, value)
}

const CRC32C = (() => {
  const table = new Uint32Array(256)
  for (let i = 0; i < 256; i++) {
    let c = i
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1
    table[i] = c
  }
  return table
})()

/** CRC32c of an SCTP packet, its checksum taken for zero (RFC 9260 §6.8, appendix A). */
function crc32c(b: Uint8Array, from: number, end: number): number {
  let c = 0xffffffff
  for (let i = from; i < end; i++) {
    const byte = i >= from + 8 && i < from + 12 ? 0 : (b[i] as number)
    c = (c >>> 8) ^ (CRC32C[(c ^ byte) & 0xff] as number)
  }
  return ~c >>> 0
}

/** Whether an SCTP packet has the right checksum and begins with a chunk. */
export function sctpRight(packet: Packet): boolean {
  const b = packet.frame
  const { l4, end } = packet.layers
  if (end - l4 < 16 || u16(b, l4 + 14) < 4) return false
  const c = crc32c(b, l4, end)
  return (
    b[l4 + 8] === (c & 0xff) &&
    b[l4 + 9] === ((c >>> 8) & 0xff) &&
    b[l4 + 10] === ((c >>> 16) & 0xff) &&
    b[l4 + 11] === c >>> 24
  )
}

function sctpChecksum(packet: Packet): void {
  const b = packet.frame
  const { l4, end } = packet.layers
  const c = crc32c(b, l4, end)
  b[l4 + 8] = c
  b[l4 + 9] = c >>> 8
  b[l4 + 10] = c >>> 16
  b[l4 + 11] = c >>> 24
}

/** Writes one word of the key, under a mask, together with the bytes of the frame that it stands for. */
export function setWord(packet: Packet, at: number, value: number, mask: number): void {
  const key = packet.key
  const old = key[at] as number
  const now = ((old & ~mask) | (value & mask)) >>> 0
  if (old === now) return
  const { l3, l4 } = packet.layers
  switch (at) {
    case K.DL_DST_HIGH:
      put16(packet.writable(), 0, now)
      break
    case K.DL_DST_LOW:
      put32(packet.writable(), 2, now)
      break
    case K.DL_SRC_HIGH:
      put16(packet.writable(), 6, now)
      break
    case K.DL_SRC_LOW:
      put32(packet.writable(), 8, now)
      break
    case K.MPLS0:
      if (l3 >= 0) put32(packet.writable(), l3, now)
      break
    case K.NW_SRC:
    case K.NW_DST:
      if (l3 < 0) return
      if (key[K.DL_TYPE] === K.ETH_IPV4) setIpv4(packet, at, now)
      else put32(packet.writable(), l3 + (at === K.NW_SRC ? 14 : 24), now)
      break
    case K.NW_TOS: {
      const b = packet.writable()
      if (key[K.DL_TYPE] === K.ETH_IPV4) {
        fix16(b, l3 + 10, old, now)
        b[l3 + 1] = now
      } else {
        b[l3] = ((b[l3] as number) & 0xf0) | (now >>> 4)
        b[l3 + 1] = ((b[l3 + 1] as number) & 0x0f) | ((now & 15) << 4)
      }
      break
    }
    case K.NW_TTL: {
      const b = packet.writable()
      if (key[K.DL_TYPE] === K.ETH_IPV4) {
        fix16(b, l3 + 10, old << 8, now << 8)
        b[l3 + 8] = now
      } else b[l3 + 7] = now
      break
    }
    case K.NW_PROTO:
      // only ARP's operation can be written
      if (key[K.DL_TYPE] === K.ETH_ARP || key[K.DL_TYPE] === K.ETH_RARP) put16(packet.writable(), l3 + 6, now)
      break
    case K.IPV6_LABEL: {
      const b = packet.writable()
      b[l3 + 1] = ((b[l3 + 1] as number) & 0xf0) | (now >>> 16)
      put16(b, l3 + 2, now & 0xffff)
      break
    }
    case K.ARP_SHA_HIGH:
    case K.ARP_SHA_LOW:
    case K.ARP_THA_HIGH:
    case K.ARP_THA_LOW:
      hardwareAddress(packet, at, now)
      break
    case K.TP_SRC:
    case K.TP_DST:
      setPort(packet, at, now)
      break
    case K.ND_RESERVED:
      if (l4 >= 0) {
        const b = packet.writable()
        fix32(b, l4 + 2, old, now)
        put32(b, l4 + 4, now)
      }
      break
    default:
      if (at >= K.IPV6_SRC && at < K.IPV6_DST + 4) setIpv6Word(packet, at, now)
      else if (at >= K.ND_TARGET && at < K.ND_TARGET + 4 && l4 >= 0) {
        const b = packet.writable()
        fix32(b, l4 + 2, old, now)
        put32(b, l4 + 8 + (at - K.ND_TARGET) * 4, now)
      }
  }
  key[at] = now
}

/** A hardware address of ARP, or of the link-layer address option of neighbour discovery. */
function hardwareAddress(packet: Packet, at: number, now: number): void {
  const { key, layers } = packet
  const high = at === K.ARP_SHA_HIGH || at === K.ARP_THA_HIGH
  const source = at === K.ARP_SHA_HIGH || at === K.ARP_SHA_LOW
  const b = packet.writable()
  let to: number
  if (key[K.DL_TYPE] !== K.ETH_IPV6) to = layers.l3 + (source ? 8 : 18)
  else {
    to = -1
    for (let p = layers.l4 + 24; layers.l4 >= 0 && p + 8 <= layers.end; ) {
      const length = (b[p + 1] as number) * 8
      if (length === 0) break
      if (b[p] === (source ? 1 : 2)) {
        to = p + 2
        break
      }
      p += length
    }
    if (to < 0) return
    const sum = layers.l4 + 2
    if (high) fix16(b, sum, u16(b, to), now)
    else fix32(b, sum, key[at] as number, now)
  }
  if (high) put16(b, to, now)
  else put32(b, to + 2, now)
}

/** Inserts a tag behind the addresses (IEEE 802.1Q). */
export function pushVlan(packet: Packet, tpid: number, tci: number): void {
  const old = packet.frame
  const b = new Uint8Array(old.length + 4)
  b.set(old.subarray(0, 12))
  put16(b, 12, tpid)
  put16(b, 14, tci & ~K.VLAN_PRESENT)
  b.set(old.subarray(12), 16)
  packet.frame = b
  packet.owned = true
  shift(packet, 4)
  packet.key[K.VLAN1] = packet.key[K.VLAN0] as number
  packet.key[K.VLAN0] = ((tpid << 16) | tci | K.VLAN_PRESENT) >>> 0
}

/** Takes off the outer tag, if there is one. */
export function popVlan(packet: Packet): void {
  if (packet.key[K.VLAN0] === 0) return
  const old = packet.frame
  const b = new Uint8Array(old.length - 4)
  b.set(old.subarray(0, 12))
  b.set(old.subarray(16), 12)
  packet.frame = b
  packet.owned = true
  shift(packet, -4)
  packet.key[K.VLAN0] = packet.key[K.VLAN1] as number
  packet.key[K.VLAN1] = 0
  const type = u16(b, 12)
  if (packet.key[K.VLAN0] !== 0 && (type === K.ETH_VLAN || type === K.ETH_QINQ) && b.length >= 18) {
    const inner = u16(b, 16)
    // a third tag moves up
    if ((inner === K.ETH_VLAN || inner === K.ETH_QINQ) && b.length >= 22) packet.stale = true
  } else if (packet.key[K.VLAN0] === 0 && (type === K.ETH_VLAN || type === K.ETH_QINQ)) packet.stale = true
}

function shift(packet: Packet, by: number): void {
  const l = packet.layers
  if (l.l3 >= 0) l.l3 += by
  if (l.l4 >= 0) l.l4 += by
  l.end += by
}

/** Puts a label stack entry in front of the network layer (RFC 3032). */
export function pushMpls(packet: Packet, entry: number, ethertype: number): void {
  const at = packet.layers.l3
  if (at < 0) return
  const old = packet.frame
  const b = new Uint8Array(old.length + 4)
  b.set(old.subarray(0, at))
  put16(b, at - 2, ethertype)
  put32(b, at, entry)
  b.set(old.subarray(at), at + 4)
  packet.frame = b
  packet.owned = true
  packet.refresh()
}

export function popMpls(packet: Packet, ethertype: number): void {
  const at = packet.layers.l3
  const type = packet.key[K.DL_TYPE]
  if (at < 0 || (type !== K.ETH_MPLS && type !== K.ETH_MPLS_MC) || packet.frame.length < at + 4) return
  const old = packet.frame
  const b = new Uint8Array(old.length - 4)
  b.set(old.subarray(0, at))
  put16(b, at - 2, ethertype)
  b.set(old.subarray(at + 4), at)
  packet.frame = b
  packet.owned = true
  packet.refresh()
}
