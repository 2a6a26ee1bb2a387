import type { Field, Match, Subfield } from '../../openflow/fields/field.ts'
import { F, FIELDS } from '../../openflow/fields/table.ts'
import * as K from './key.ts'
import { compileMask, type Mask, maskedValues } from './mask.ts'

/** Where a field lives in the key: `bits` bits that end `shift` bits above the end of the last of `words` words. */
export interface Slot {
  readonly word: number
  readonly words: number
  readonly shift: number
  readonly bits: number
}

const slot = (word: number, bits = 32, shift = 0): Slot => ({ word, words: Math.ceil(bits / 32), shift, bits })

const BY_NAME: Readonly<Record<string, Slot>> = {
  dp_hash: slot(K.DP_HASH),
  recirc_id: slot(K.RECIRC_ID),
  conj_id: slot(K.CONJ_ID),
  in_port: slot(K.IN_PORT),
  in_port_oxm: slot(K.IN_PORT),
  actset_output: slot(K.ACTSET_OUTPUT),
  packet_type: slot(K.PACKET_TYPE),
  eth_src: slot(K.DL_SRC_HIGH, 48),
  eth_dst: slot(K.DL_DST_HIGH, 48),
  eth_type: slot(K.DL_TYPE, 16),
  vlan_tci: slot(K.VLAN0, 16),
  vlan_vid: slot(K.VLAN0, 12),
  dl_vlan: slot(K.VLAN0, 12),
  vlan_pcp: slot(K.VLAN0, 3, 13),
  dl_vlan_pcp: slot(K.VLAN0, 3, 13),
  mpls_label: slot(K.MPLS0, 20, 12),
  mpls_tc: slot(K.MPLS0, 3, 9),
  mpls_bos: slot(K.MPLS0, 1, 8),
  mpls_ttl: slot(K.MPLS0, 8),
  ip_src: slot(K.NW_SRC),
  ip_dst: slot(K.NW_DST),
  ipv6_src: slot(K.IPV6_SRC, 128),
  ipv6_dst: slot(K.IPV6_DST, 128),
  ipv6_label: slot(K.IPV6_LABEL, 20),
  ip_frag: slot(K.NW_FRAG, 2),
  nw_tos: slot(K.NW_TOS, 8),
  ip_dscp: slot(K.NW_TOS, 6, 2),
  nw_ecn: slot(K.NW_TOS, 2),
  nw_ttl: slot(K.NW_TTL, 8),
  nw_proto: slot(K.NW_PROTO, 8),
  tcp_src: slot(K.TP_SRC, 16),
  tcp_dst: slot(K.TP_DST, 16),
  tcp_flags: slot(K.TCP_FLAGS, 12),
  udp_src: slot(K.TP_SRC, 16),
  udp_dst: slot(K.TP_DST, 16),
  sctp_src: slot(K.TP_SRC, 16),
  sctp_dst: slot(K.TP_DST, 16),
  icmp_type: slot(K.TP_SRC, 8),
  icmp_code: slot(K.TP_DST, 8),
  icmpv6_type: slot(K.TP_SRC, 8),
  icmpv6_code: slot(K.TP_DST, 8),
  nd_target: slot(K.ND_TARGET, 128),
  nd_reserved: slot(K.ND_RESERVED),
  nd_options_type: slot(K.ND_OPTIONS_TYPE, 8),
  nd_sll: slot(K.ARP_SHA_HIGH, 48),
  nd_tll: slot(K.ARP_THA_HIGH, 48),
  arp_op: slot(K.NW_PROTO, 16),
  arp_spa: slot(K.NW_SRC),
  arp_tpa: slot(K.NW_DST),
  arp_sha: slot(K.ARP_SHA_HIGH, 48),
  arp_tha: slot(K.ARP_THA_HIGH, 48),
  tun_id: slot(K.TUN_ID_HIGH, 64),
  tun_src: slot(K.TUN_SRC),
  tun_dst: slot(K.TUN_DST),
  tun_ipv6_src: slot(K.TUN_IPV6_SRC, 128),
  tun_ipv6_dst: slot(K.TUN_IPV6_DST, 128),
  tun_gbp_id: slot(K.TUN_GBP_ID, 16),
  tun_gbp_flags: slot(K.TUN_GBP_FLAGS, 8),
  tun_flags: slot(K.TUN_FLAGS, 1),
  metadata: slot(K.METADATA_HIGH, 64),
  skb_priority: slot(K.SKB_PRIORITY),
  pkt_mark: slot(K.PKT_MARK),
  ct_state: slot(K.CT_STATE),
  ct_zone: slot(K.CT_ZONE, 16),
  ct_mark: slot(K.CT_MARK),
  ct_label: slot(K.CT_LABEL, 128),
  ct_nw_src: slot(K.CT_NW_SRC),
  ct_nw_dst: slot(K.CT_NW_DST),
  ct_ipv6_src: slot(K.CT_IPV6_SRC, 128),
  ct_ipv6_dst: slot(K.CT_IPV6_DST, 128),
  ct_nw_proto: slot(K.CT_NW_PROTO, 8),
  ct_tp_src: slot(K.CT_TP_SRC, 16),
  ct_tp_dst: slot(K.CT_TP_DST, 16),
}

const STATIC: readonly (Slot | undefined)[] = FIELDS.map((f) => {
  const m = /^(x{0,2})reg([0-9]+)$/.exec(f.name)
  if (m) {
    const words = 2 ** (m[1] as string).length
    return slot(K.REG0 + Number(m[2]) * words, 32 * words)
  }
  return BY_NAME[f.name]
})

/** A tunnel option as a TLV table maps it (NXT_TLV_TABLE_MOD). `length` in bytes, a multiple of 4. */
export interface TlvMapping {
  readonly class: number
  readonly type: number
  readonly length: number
  /** The field: 0 for tun_metadata0. */
  readonly index: number
}

const FIRST_TUN_METADATA = F.tun_metadata0.index

/**
 * Fields to places in the key. All are fixed but tun_metadata, whose fields get words when a TLV
 * table maps an option to them; one table serves all bridges of a switch.
 */
export class Slots {
  private readonly tun: (Slot | undefined)[] = []
  private readonly byOption = new Map<number, TlvMapping>()
  private readonly byIndex = new Map<number, TlvMapping>()

  /** Undefined for a field that the switch has no place for: an unmapped tunnel option, NSH. */
  of(field: Field): Slot | undefined {
    return STATIC[field.index] ?? (field.variable ? this.tun[field.index - FIRST_TUN_METADATA] : undefined)
  }

  mappings(): TlvMapping[] {
    return [...this.byIndex.values()].sort((a, b) => a.index - b.index)
  }

  mapping(index: number): TlvMapping | undefined {
    return this.byIndex.get(index)
  }

  byClassType(cls: number, type: number): TlvMapping | undefined {
    return this.byOption.get(cls * 256 + type)
  }

  slotOfIndex(index: number): Slot | undefined {
    return this.tun[index]
  }

  /** Adds a mapping; the answer is the name of the error of NXTTMFC_BAD..., if any. */
  map(m: TlvMapping): 'bad-length' | 'bad-index' | 'already-mapped' | 'duplicate-entry' | 'table-full' | undefined {
    if (m.length < 4 || m.length % 4 !== 0 || m.length > 124) return 'bad-length'
    if (m.index > 63) return 'bad-index'
    if (this.byIndex.has(m.index)) return 'already-mapped'
    if (this.byClassType(m.class, m.type)) return 'duplicate-entry'
    const words = m.length / 4
    const used = new Set<number>()
    for (const s of this.tun) if (s) for (let i = 0; i < s.words; i++) used.add(s.word + i)
    for (let at = K.TUN_METADATA; at + words <= K.TUN_METADATA + K.TUN_METADATA_WORDS; at++) {
      let free = true
      for (let i = 0; i < words; i++) if (used.has(at + i)) free = false
      if (!free) continue
      this.tun[m.index] = slot(at, m.length * 8)
      this.byIndex.set(m.index, m)
      this.byOption.set(m.class * 256 + m.type, m)
      return undefined
    }
    return 'table-full'
  }

  unmap(index: number): void {
    const m = this.byIndex.get(index)
    if (!m) return
    this.byIndex.delete(index)
    this.byOption.delete(m.class * 256 + m.type)
    this.tun[index] = undefined
  }

  unmapAll(): void {
    for (const m of this.mappings()) this.unmap(m.index)
  }
}

/** The bits of a field from `offset` on, `bits` many. */
export function readBits(key: K.Key, s: Slot, offset: number, bits: number): bigint {
  const from = offset + s.shift
  if (from + bits <= 32) {
    const w = key[s.word + s.words - 1] as number
    return BigInt(bits === 32 ? w : (w >>> from) & ((1 << bits) - 1))
  }
  let v = 0n
  for (let i = 0; i < s.words; i++) v = (v << 32n) | BigInt(key[s.word + i] as number)
  return (v >> BigInt(from)) & ((1n << BigInt(bits)) - 1n)
}

/** Replaces the bits of a field from `offset` on. */
export function writeBits(key: K.Key, s: Slot, offset: number, bits: number, value: bigint): void {
  writeMasked(key, s, value << BigInt(offset), ((1n << BigInt(bits)) - 1n) << BigInt(offset))
}

/** Replaces the bits of a field that are set in `mask`. */
export function writeMasked(key: K.Key, s: Slot, value: bigint, mask: bigint): void {
  let v = (value & mask) << BigInt(s.shift)
  let m = mask << BigInt(s.shift)
  for (let i = s.words - 1; i >= 0; i--) {
    const w = s.word + i
    const mw = Number(m & 0xffffffffn)
    if (mw !== 0) key[w] = ((key[w] as number) & ~mw) | Number(v & 0xffffffffn)
    m >>= 32n
    v >>= 32n
  }
}

/** Marks the bits of a field from `offset` on as looked at. */
export function markBits(wildcards: K.Key, s: Slot, offset: number, bits: number): void {
  let m = ((1n << BigInt(bits)) - 1n) << BigInt(offset + s.shift)
  for (let i = s.words - 1; i >= 0 && m !== 0n; i--) {
    const w = s.word + i
    wildcards[w] = (wildcards[w] as number) | Number(m & 0xffffffffn)
    m >>= 32n
  }
}

export function readSubfield(key: K.Key, slots: Slots, sub: Subfield): bigint {
  const s = slots.of(sub.field)
  return s && sub.offset < s.bits ? readBits(key, s, sub.offset, Math.min(sub.bits, s.bits - sub.offset)) : 0n
}

export function readWhole(key: K.Key, slots: Slots, field: Field): bigint {
  const s = slots.of(field)
  return s ? readBits(key, s, 0, s.bits) : 0n
}

/** A match in the classifier's form, or the field that has no place in the key. */
export function compileMatch(match: Match, slots: Slots): { mask: Mask; values: Uint32Array } | { missing: Field } {
  const full = K.newKey()
  const values = K.newKey()
  for (const m of match) {
    const s = slots.of(m.field)
    if (!s) return { missing: m.field }
    writeMasked(values, s, m.value, m.mask)
    writeMasked(full, s, m.mask, m.mask)
    if (m.field.variable) {
      // a match on an option, whatever its value, asks for the option to be there
      const i = m.field.index - FIRST_TUN_METADATA
      const w = i < 32 ? K.TUN_METADATA_PRESENT_LOW : K.TUN_METADATA_PRESENT_HIGH
      full[w] = (full[w] as number) | (1 << (i & 31))
      values[w] = (values[w] as number) | (1 << (i & 31))
    }
  }
  const mask = compileMask(full)
  return { mask, values: maskedValues(mask, values) }
}
