/**
 * The flow key: everything a flow may match, flat in one Uint32Array. Fields that take no more
 * than a word have one of their own, except for the parts of a VLAN tag, an MPLS label stack entry
 * and the IP TOS byte, which share. Longer ones are words in network order. Fields that exist for
 * different protocols share a place (ARP's addresses with IPv4's, ICMP's type with a port), as
 * ovs-fields(7) lets them.
 *
 * The order is that of the classifier's stages: what comes early is cheap to look at and decides
 * often, so a packet that fails on it needs no match on what comes late.
 */

/** Words of tunnel options a packet can have: 16 fields of 64 bits, or as a TLV map divides them. */
export const TUN_METADATA_WORDS = 32

// --- stage 0: metadata ---
export const RECIRC_ID = 0
export const IN_PORT = 1
export const DP_HASH = 2
export const PKT_MARK = 3
export const SKB_PRIORITY = 4
export const PACKET_TYPE = 5
export const CT_STATE = 6
export const CT_ZONE = 7
export const CT_MARK = 8
/** Four words. */
export const CT_LABEL = 9
export const METADATA_HIGH = 13
export const METADATA_LOW = 14
/** Thirty-two words. */
export const REG0 = 15
export const ACTSET_OUTPUT = 47
export const CONJ_ID = 48
export const TUN_ID_HIGH = 49
export const TUN_ID_LOW = 50
export const TUN_SRC = 51
export const TUN_DST = 52
/** Four words. */
export const TUN_IPV6_SRC = 53
/** Four words. */
export const TUN_IPV6_DST = 57
export const TUN_FLAGS = 61
export const TUN_TTL = 62
export const TUN_TOS = 63
export const TUN_GBP_ID = 64
export const TUN_GBP_FLAGS = 65
export const TUN_TP_SRC = 66
export const TUN_TP_DST = 67
/** Which tunnel options are there: a bit a field. */
export const TUN_METADATA_PRESENT_HIGH = 68
export const TUN_METADATA_PRESENT_LOW = 69
export const TUN_METADATA = 70
// --- stage 1: link layer ---
export const L2 = TUN_METADATA + TUN_METADATA_WORDS
export const DL_DST_HIGH = L2
export const DL_DST_LOW = L2 + 1
export const DL_SRC_HIGH = L2 + 2
export const DL_SRC_LOW = L2 + 3
export const DL_TYPE = L2 + 4
/** TPID in the upper half, TCI in the lower; a present tag has VLAN_PRESENT set. Two tags. */
export const VLAN0 = L2 + 5
export const VLAN1 = L2 + 6
/** Three label stack entries. */
export const MPLS0 = L2 + 7
// --- stage 2: network layer ---
export const L3 = L2 + 10
export const NW_SRC = L3
export const NW_DST = L3 + 1
/** Four words. */
export const IPV6_SRC = L3 + 2
/** Four words. */
export const IPV6_DST = L3 + 6
export const IPV6_LABEL = L3 + 10
export const NW_FRAG = L3 + 11
export const NW_TOS = L3 + 12
export const NW_TTL = L3 + 13
/** IP protocol, or the operation of ARP. */
export const NW_PROTO = L3 + 14
export const CT_NW_SRC = L3 + 15
export const CT_NW_DST = L3 + 16
/** Four words. */
export const CT_IPV6_SRC = L3 + 17
/** Four words. */
export const CT_IPV6_DST = L3 + 21
export const CT_NW_PROTO = L3 + 25
/** Four words. */
export const ND_TARGET = L3 + 26
/** ARP's hardware addresses, and the link-layer address options of neighbour discovery. */
export const ARP_SHA_HIGH = L3 + 30
export const ARP_SHA_LOW = L3 + 31
export const ARP_THA_HIGH = L3 + 32
export const ARP_THA_LOW = L3 + 33
// --- stage 3: transport layer ---
export const L4 = L3 + 34
export const TCP_FLAGS = L4
/** Source port, or type of ICMP. */
export const TP_SRC = L4 + 1
/** Destination port, or code of ICMP. */
export const TP_DST = L4 + 2
export const CT_TP_SRC = L4 + 3
export const CT_TP_DST = L4 + 4
export const ND_RESERVED = L4 + 5
export const ND_OPTIONS_TYPE = L4 + 6
export const IGMP_GROUP = L4 + 7

export const KEY_WORDS = L4 + 8

/** Where the words of each stage end. */
export const STAGE_ENDS: readonly number[] = [L2, L3, L4, KEY_WORDS]

export type Key = Uint32Array

/** In the TCI of a VLAN word: the tag exists (the place of the canonical format indicator). */
export const VLAN_PRESENT = 0x1000
export const FRAG_ANY = 1
export const FRAG_LATER = 2

// ct_state, ovs-fields(7)
export const CS_NEW = 0x01
export const CS_EST = 0x02
export const CS_REL = 0x04
export const CS_RPL = 0x08
export const CS_INV = 0x10
export const CS_TRK = 0x20
export const CS_SNAT = 0x40
export const CS_DNAT = 0x80

// tun_flags
export const TUN_F_OAM = 1

export const ETH_IPV4 = 0x0800
export const ETH_ARP = 0x0806
export const ETH_RARP = 0x8035
export const ETH_VLAN = 0x8100
export const ETH_QINQ = 0x88a8
export const ETH_IPV6 = 0x86dd
export const ETH_MPLS = 0x8847
export const ETH_MPLS_MC = 0x8848
/** dl_type of a frame whose type field is a length (ovs-fields(7), OFP_DL_TYPE_NOT_ETH_TYPE). */
export const ETH_NONE = 0x05ff

export const IP_ICMP = 1
export const IP_IGMP = 2
export const IP_TCP = 6
export const IP_UDP = 17
export const IP_ICMPV6 = 58
export const IP_SCTP = 132

export function newKey(): Key {
  return new Uint32Array(KEY_WORDS)
}

/** 48 bits from two words. */
export function mac(key: Key, at: number): number {
  return (key[at] as number) * 0x1_0000_0000 + (key[at + 1] as number)
}

export function u128(key: Key, at: number): bigint {
  return (
    (BigInt(key[at] as number) << 96n) |
    (BigInt(key[at + 1] as number) << 64n) |
    (BigInt(key[at + 2] as number) << 32n) |
    BigInt(key[at + 3] as number)
  )
}

export function setU128(key: Key, at: number, value: bigint): void {
  key[at] = Number((value >> 96n) & 0xffffffffn)
  key[at + 1] = Number((value >> 64n) & 0xffffffffn)
  key[at + 2] = Number((value >> 32n) & 0xffffffffn)
  key[at + 3] = Number(value & 0xffffffffn)
}

export function nonZero(key: Key, from: number, words: number): boolean {
  for (let i = from; i < from + words; i++) if (key[i] !== 0) return true
  return false
}
