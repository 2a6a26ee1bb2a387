import {
  ARP_SHA_HIGH,
  ARP_SHA_LOW,
  ARP_THA_HIGH,
  ARP_THA_LOW,
  DL_DST_HIGH,
  DL_DST_LOW,
  DL_SRC_HIGH,
  DL_SRC_LOW,
  DL_TYPE,
  ETH_ARP,
  ETH_IPV4,
  ETH_IPV6,
  ETH_MPLS,
  ETH_MPLS_MC,
  ETH_NONE,
  ETH_QINQ,
  ETH_RARP,
  ETH_VLAN,
  FRAG_ANY,
  FRAG_LATER,
  IGMP_GROUP,
  IP_ICMP,
  IP_ICMPV6,
  IP_IGMP,
  IP_SCTP,
  IP_TCP,
  IP_UDP,
  IPV6_DST,
  IPV6_LABEL,
  IPV6_SRC,
  KEY_WORDS,
  type Key,
  L2,
  MPLS0,
  ND_OPTIONS_TYPE,
  ND_RESERVED,
  ND_TARGET,
  NW_DST,
  NW_FRAG,
  NW_PROTO,
  NW_SRC,
  NW_TOS,
  NW_TTL,
  TCP_FLAGS,
  TP_DST,
  TP_SRC,
  VLAN_PRESENT,
  VLAN0,
  VLAN1,
} from './key.ts'

/** Where the layers of a frame begin; -1 for one that is absent or truncated. Reused between packets. */
export interface Layers {
  /** Offset of the (outermost remaining) EtherType. */
  l2Type: number
  l3: number
  l4: number
  /** End of the network layer's packet: what is behind is padding. */
  end: number
}

export function newLayers(): Layers {
  return { l2Type: 12, l3: -1, l4: -1, end: 0 }
}

const u16 = (b: Uint8Array, at: number): number => ((b[at] as number) << 8) | (b[at + 1] as number)
const u32 = (b: Uint8Array, at: number): number =>
  (((b[at] as number) << 24) | ((b[at + 1] as number) << 16) | ((b[at + 2] as number) << 8) | (b[at + 3] as number)) >>>
  0

/**
 * Reads the packet fields of the key from a frame; leaves the metadata words alone. What is
 * truncated or malformed stays zero from its layer on, as no flow on those fields may match it.
 * The frame has at least 14 bytes.
 */
export function extract(b: Uint8Array, key: Key, layers: Layers): void {
  key.fill(0, L2, KEY_WORDS)
  layers.l3 = -1
  layers.l4 = -1
  layers.end = b.length
  key[DL_DST_HIGH] = u16(b, 0)
  key[DL_DST_LOW] = u32(b, 2)
  key[DL_SRC_HIGH] = u16(b, 6)
  key[DL_SRC_LOW] = u32(b, 8)
  let at = 12
  layers.l2Type = at
  let type = u16(b, at)
  if (type === ETH_VLAN || type === ETH_QINQ) {
    if (b.length < at + 6) return
    key[VLAN0] = ((type << 16) | u16(b, at + 2) | VLAN_PRESENT) >>> 0
    at += 4
    type = u16(b, at)
    if ((type === ETH_VLAN || type === ETH_QINQ) && b.length >= at + 6) {
      key[VLAN1] = ((type << 16) | u16(b, at + 2) | VLAN_PRESENT) >>> 0
      at += 4
      type = u16(b, at)
    }
  }
  at += 2
  if (type < 0x600) {
    // IEEE 802.3 with an LLC and SNAP header of organisation zero has its type behind it
    if (b.length >= at + 8 && u32(b, at) === 0xaaaa0300 && u16(b, at + 4) === 0 && u16(b, at + 6) >= 0x600) {
      type = u16(b, at + 6)
      at += 8
    } else type = ETH_NONE
  }
  key[DL_TYPE] = type
  layers.l3 = at
  switch (type) {
    case ETH_IPV4:
      ipv4(b, at, key, layers)
      break
    case ETH_IPV6:
      ipv6(b, at, key, layers)
      break
    case ETH_ARP:
    case ETH_RARP:
      arp(b, at, key)
      break
    case ETH_MPLS:
    case ETH_MPLS_MC:
      for (let i = 0; i < 3 && b.length >= at + 4; i++, at += 4) {
        const entry = u32(b, at)
        key[MPLS0 + i] = entry
        if (entry & 0x100) break
      }
      break
  }
}

function arp(b: Uint8Array, at: number, key: Key): void {
  if (b.length < at + 28) return
  if (u16(b, at) !== 1 || u16(b, at + 2) !== ETH_IPV4 || b[at + 4] !== 6 || b[at + 5] !== 4) return
  const operation = u16(b, at + 6)
  if (operation <= 0xff) key[NW_PROTO] = operation
  key[NW_SRC] = u32(b, at + 14)
  key[NW_DST] = u32(b, at + 24)
  key[ARP_SHA_HIGH] = u16(b, at + 8)
  key[ARP_SHA_LOW] = u32(b, at + 10)
  key[ARP_THA_HIGH] = u16(b, at + 18)
  key[ARP_THA_LOW] = u32(b, at + 20)
}

function ipv4(b: Uint8Array, at: number, key: Key, layers: Layers): void {
  if (b.length < at + 20) return
  const first = b[at] as number
  const header = (first & 15) * 4
  const total = u16(b, at + 2)
  if (first >> 4 !== 4 || header < 20 || total < header || b.length < at + total) return
  layers.end = at + total
  key[NW_SRC] = u32(b, at + 12)
  key[NW_DST] = u32(b, at + 16)
  key[NW_TOS] = b[at + 1] as number
  key[NW_TTL] = b[at + 8] as number
  const proto = b[at + 9] as number
  key[NW_PROTO] = proto
  const fragment = u16(b, at + 6)
  if (fragment & 0x3fff) {
    key[NW_FRAG] = FRAG_ANY | (fragment & 0x1fff ? FRAG_LATER : 0)
    if (fragment & 0x1fff) return
  }
  transport(b, at + header, proto, false, key, layers)
}

function ipv6(b: Uint8Array, at: number, key: Key, layers: Layers): void {
  if (b.length < at + 40) return
  const first = u32(b, at)
  const payload = u16(b, at + 4)
  if (first >>> 28 !== 6 || b.length < at + 40 + payload) return
  layers.end = at + 40 + payload
  for (let i = 0; i < 4; i++) {
    key[IPV6_SRC + i] = u32(b, at + 8 + 4 * i)
    key[IPV6_DST + i] = u32(b, at + 24 + 4 * i)
  }
  key[IPV6_LABEL] = first & 0xfffff
  key[NW_TOS] = (first >>> 20) & 0xff
  key[NW_TTL] = b[at + 7] as number
  const l4 = skipExtensions(b, at, layers.end, key)
  if (l4 < 0) return
  if ((key[NW_FRAG] as number) & FRAG_LATER) return
  transport(b, l4, key[NW_PROTO] as number, true, key, layers)
}

/** Walks the extension headers; sets protocol and fragment bits. Returns where the transport begins, or -1. */
function skipExtensions(b: Uint8Array, at: number, end: number, key: Key): number {
  let next = b[at + 6] as number
  let p = at + 40
  for (;;) {
    switch (next) {
      case 0: // hop by hop
      case 43: // routing
      case 60: // destination options
      case 135: // mobility
        if (end < p + 8) return -1
        next = b[p] as number
        p += ((b[p + 1] as number) + 1) * 8
        break
      case 51: // authentication, RFC 4302 §2.2
        if (end < p + 8) return -1
        next = b[p] as number
        p += ((b[p + 1] as number) + 2) * 4
        break
      case 44: {
        if (end < p + 8) return -1
        const offset = u16(b, p + 2)
        next = b[p] as number
        p += 8
        if (offset & 0xfff9) {
          key[NW_FRAG] = FRAG_ANY
          if (offset & 0xfff8) {
            key[NW_FRAG] = FRAG_ANY | FRAG_LATER
            key[NW_PROTO] = next
            return p
          }
        }
        break
      }
      default:
        key[NW_PROTO] = next
        return p > end ? -1 : p
    }
  }
}

function transport(b: Uint8Array, at: number, proto: number, v6: boolean, key: Key, layers: Layers): void {
  const left = layers.end - at
  switch (proto) {
    case IP_TCP:
      if (left < 20) return
      key[TP_SRC] = u16(b, at)
      key[TP_DST] = u16(b, at + 2)
      key[TCP_FLAGS] = u16(b, at + 12) & 0xfff
      break
    case IP_UDP:
      if (left < 8) return
      key[TP_SRC] = u16(b, at)
      key[TP_DST] = u16(b, at + 2)
      break
    case IP_SCTP:
      if (left < 12) return
      key[TP_SRC] = u16(b, at)
      key[TP_DST] = u16(b, at + 2)
      break
    case IP_ICMP:
      if (v6 || left < 8) return
      key[TP_SRC] = b[at] as number
      key[TP_DST] = b[at + 1] as number
      break
    case IP_IGMP:
      if (v6 || left < 8) return
      key[TP_SRC] = b[at] as number
      key[TP_DST] = b[at + 1] as number
      key[IGMP_GROUP] = u32(b, at + 4)
      break
    case IP_ICMPV6:
      if (!v6 || left < 4) return
      key[TP_SRC] = b[at] as number
      key[TP_DST] = b[at + 1] as number
      if ((b[at] === 135 || b[at] === 136) && b[at + 1] === 0) neighbour(b, at, layers.end, key)
      break
    default:
      return
  }
  layers.l4 = at
}

/** Neighbour solicitation and advertisement: target, flags, link-layer address options (RFC 4861 §4.3, §4.4). */
function neighbour(b: Uint8Array, at: number, end: number, key: Key): void {
  if (end < at + 24) return
  key[ND_RESERVED] = u32(b, at + 4)
  for (let i = 0; i < 4; i++) key[ND_TARGET + i] = u32(b, at + 8 + 4 * i)
  for (let p = at + 24; p + 8 <= end; ) {
    const length = (b[p + 1] as number) * 8
    if (length === 0 || p + length > end) {
      key.fill(0, ND_TARGET, ND_TARGET + 4)
      key.fill(0, ARP_SHA_HIGH, ARP_THA_LOW + 1)
      return
    }
    const option = b[p] as number
    if (length === 8 && (option === 1 || option === 2)) {
      const to = option === 1 ? ARP_SHA_HIGH : ARP_THA_HIGH
      // a repeated option makes the packet invalid
      if (key[to] !== 0 || key[to + 1] !== 0) {
        key.fill(0, ND_TARGET, ND_TARGET + 4)
        key.fill(0, ARP_SHA_HIGH, ARP_THA_LOW + 1)
        return
      }
      key[to] = u16(b, p + 2)
      key[to + 1] = u32(b, p + 4)
      if (key[ND_OPTIONS_TYPE] === 0) key[ND_OPTIONS_TYPE] = option
    }
    p += length
  }
}
