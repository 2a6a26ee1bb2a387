import type { Field, FieldMatch, Match } from '../fields/field.ts'
import { canonicalMatch, exact, fieldMatch, VLAN_PRESENT } from '../fields/match.ts'
import { missingPrerequisite } from '../fields/prerequisite.ts'
import { F, fieldByName, REGISTERS } from '../fields/table.ts'
import type { Names } from './names.ts'
import { formatFlags, formatValue, parseValue } from './value.ts'

const range = (prefix: string, n: number): Field[] =>
  Array.from({ length: n }, (_, i) => fieldByName(`${prefix}${i}`)).filter((f) => f !== undefined)

/** What comes before the protocol, in Open vSwitch's order, and what comes after it. */
const BEFORE: readonly Field[] = [
  F.pkt_mark,
  F.recirc_id,
  F.dp_hash,
  F.conj_id,
  F.skb_priority,
  F.actset_output,
  F.ct_state,
  F.ct_zone,
  F.ct_mark,
  F.ct_label,
  F.ct_nw_src,
  F.ct_nw_dst,
  F.ct_ipv6_src,
  F.ct_ipv6_dst,
  F.ct_nw_proto,
  F.ct_tp_src,
  F.ct_tp_dst,
]
const AFTER: readonly Field[] = [
  ...REGISTERS,
  F.tun_id,
  F.tun_src,
  F.tun_dst,
  F.tun_ipv6_src,
  F.tun_ipv6_dst,
  F.tun_gbp_id,
  F.tun_gbp_flags,
  F.tun_erspan_ver,
  F.tun_erspan_idx,
  F.tun_erspan_dir,
  F.tun_erspan_hwid,
  F.tun_gtpu_flags,
  F.tun_gtpu_msgtype,
  F.tun_flags,
  ...range('tun_metadata', 64),
  F.metadata,
  F.in_port,
  F.vlan_tci,
  F.eth_src,
  F.eth_dst,
  F.eth_type,
  F.ip_src,
  F.ip_dst,
  F.ipv6_src,
  F.ipv6_dst,
  F.arp_spa,
  F.arp_tpa,
  F.ipv6_label,
  F.nw_proto,
  F.arp_op,
  F.arp_sha,
  F.arp_tha,
  F.nsh_flags,
  F.nsh_ttl,
  F.nsh_mdtype,
  F.nsh_np,
  F.nsh_spi,
  F.nsh_si,
  F.nsh_c1,
  F.nsh_c2,
  F.nsh_c3,
  F.nsh_c4,
  F.ip_dscp,
  F.nw_ecn,
  F.nw_ttl,
  F.mpls_label,
  F.mpls_tc,
  F.mpls_ttl,
  F.mpls_bos,
  F.ip_frag,
  F.icmp_type,
  F.icmp_code,
  F.icmpv6_type,
  F.icmpv6_code,
  F.nd_target,
  F.nd_sll,
  F.nd_tll,
  F.nd_reserved,
  F.nd_options_type,
  F.tcp_src,
  F.tcp_dst,
  F.udp_src,
  F.udp_dst,
  F.sctp_src,
  F.sctp_dst,
  F.tcp_flags,
]

/** Names a match has in flow syntax where they are not the field's own. */
const SHOWN: ReadonlyMap<Field, string> = new Map([
  [F.eth_src, 'dl_src'],
  [F.eth_dst, 'dl_dst'],
  [F.eth_type, 'dl_type'],
  [F.ip_src, 'nw_src'],
  [F.ip_dst, 'nw_dst'],
  [F.ip_frag, 'nw_frag'],
  [F.icmpv6_type, 'icmp_type'],
  [F.icmpv6_code, 'icmp_code'],
  [F.tcp_src, 'tp_src'],
  [F.udp_src, 'tp_src'],
  [F.sctp_src, 'tp_src'],
  [F.tcp_dst, 'tp_dst'],
  [F.udp_dst, 'tp_dst'],
  [F.sctp_dst, 'tp_dst'],
  [F.tun_gtpu_flags, 'gtpu_flags'],
  [F.tun_gtpu_msgtype, 'gtpu_msgtype'],
])

/** Shorthands (ovs-ofctl(8)): Ethernet type and IP protocol by one name. */
const SHORTHANDS: readonly (readonly [name: string, type: number, protocol?: number])[] = [
  ['ip', 0x0800],
  ['ipv6', 0x86dd],
  ['icmp', 0x0800, 1],
  ['icmp6', 0x86dd, 58],
  ['tcp', 0x0800, 6],
  ['tcp6', 0x86dd, 6],
  ['udp', 0x0800, 17],
  ['udp6', 0x86dd, 17],
  ['sctp', 0x0800, 132],
  ['sctp6', 0x86dd, 132],
  ['arp', 0x0806],
  ['rarp', 0x8035],
  ['mpls', 0x8847],
  ['mplsm', 0x8848],
]

function shorthand(type: number, protocol: number | undefined): (typeof SHORTHANDS)[number] | undefined {
  const both = protocol === undefined ? undefined : SHORTHANDS.find(([, t, p]) => t === type && p === protocol)
  return both ?? SHORTHANDS.find(([, t, p]) => t === type && p === undefined)
}

/** The match as `ovs-ofctl dump-flows` prints it; empty for one of everything. */
export function formatMatch(match: Match, names?: Names): string {
  const out: string[] = []
  const byField = new Map(match.map((m) => [m.field, m]))
  const put = (field: Field) => {
    const m = byField.get(field)
    if (m) out.push(...formatOne(m, names))
  }
  for (const field of BEFORE) put(field)
  const type = exact(match, F.eth_type)
  const proto = exact(match, F.nw_proto)
  const packetType = byField.get(F.packet_type)
  // Ethernet is taken for granted.
  if (packetType && packetType.value !== 0n) put(F.packet_type)
  const short =
    type === undefined ? undefined : shorthand(Number(type), proto === undefined ? undefined : Number(proto))
  if (short) {
    out.push(short[0])
    byField.delete(F.eth_type)
    if (short[2] !== undefined) byField.delete(F.nw_proto)
  }
  for (const field of AFTER) put(field)
  return out.join(',')
}

function formatOne(m: FieldMatch, names: Names | undefined): string[] {
  const { field, value, mask } = m
  if (field === F.vlan_tci) return [vlan(value, mask)].flat()
  const name = SHOWN.get(field) ?? field.name
  if (field === F.ip_dscp) return [`nw_tos=${value << 2n}`]
  if (field === F.eth_type) return [`dl_type=0x${value.toString(16).padStart(4, '0')}`]
  if (field === F.ipv6_label) {
    const five = (v: bigint) => `0x${v.toString(16).padStart(5, '0')}`
    return [`${name}=${five(value)}${mask === field.ones ? '' : `/${five(mask)}`}`]
  }
  if (field === F.ct_zone) return [`${name}=${value}`]
  if (field === F.recirc_id) return [`${name}=0x${value.toString(16)}`]
  if (field.variable) {
    if (mask === 0n) return [name]
    const all = (1n << BigInt(8 * (m.bytes ?? 124))) - 1n
    const hex = (v: bigint) => (v === 0n ? '0' : `0x${v.toString(16)}`)
    return [`${name}=${hex(value)}${mask === all || mask === field.ones ? '' : `/${hex(mask)}`}`]
  }
  if (field.format === 'tunnel-flags') return [`${name}=${formatFlags(field, value, mask)}`]
  return [`${name}=${formatValue(field, value, mask, names)}`]
}

function vlan(value: bigint, mask: bigint): string[] {
  const vid = mask & 0xfffn
  const pcp = mask & 0xe000n
  const present = (mask & value & VLAN_PRESENT) !== 0n
  if (present && (vid === 0xfffn || vid === 0n) && (pcp === 0xe000n || pcp === 0n) && (vid || pcp)) {
    const out: string[] = []
    if (vid) out.push(`dl_vlan=${value & 0xfffn}`)
    if (pcp) out.push(`dl_vlan_pcp=${value >> 13n}`)
    return out
  }
  const four = (v: bigint) => `0x${v.toString(16).padStart(4, '0')}`
  return [`vlan_tci=${four(value)}${mask === 0xffffn ? '' : `/${four(mask)}`}`]
}

/** Collects the `name=value` parts of a match; `finish` makes the match of them. */
export class MatchParser {
  private readonly parts: FieldMatch[] = []

  constructor(private readonly names?: Names) {}

  /** Takes a part; false if the name is no field and no shorthand, an Error if the value is wrong. */
  take(name: string, text: string | undefined): boolean | Error {
    const lower = name.toLowerCase()
    if (lower === 'eth') {
      this.parts.push(fieldMatch(F.packet_type, 0))
      return true
    }
    const short = SHORTHANDS.find(([n]) => n === lower)
    if (short) {
      this.parts.push(fieldMatch(F.eth_type, short[1]))
      if (short[2] !== undefined) this.parts.push(fieldMatch(F.nw_proto, short[2]))
      return true
    }
    const field = lower === 'gtpu_flags' || lower === 'gtpu_msgtype' ? fieldByName(`tun_${lower}`) : fieldByName(name)
    if (!field) return false
    if (text === undefined) {
      if (field.variable) this.parts.push({ field, value: 0n, mask: 0n, bytes: 4 })
      else if (!field.maskable) return new Error(`field ${name} missing value`)
      return true
    }
    if (field.variable || field !== F.vlan_tci) return this.value(field, text)
    const v = parseValue(F.vlan_tci, text, this.names)
    if (v instanceof Error) return v
    this.parts.push(fieldMatch(F.vlan_tci, v.value, v.mask))
    return true
  }

  private value(field: Field, text: string): true | Error {
    if (field === F.dl_vlan && (text === '0xffff' || text === '65535')) {
      this.parts.push(fieldMatch(F.vlan_tci, 0))
      return true
    }
    const v = parseValue(field, text, this.names)
    if (v instanceof Error) return v
    if (field === F.vlan_vid) {
      const whole = v.mask === field.ones
      // Zero compared whole is "no VLAN header".
      this.parts.push({ field: F.vlan_tci, value: v.value & 0x1fffn, mask: whole ? 0x1fffn : v.mask })
      return true
    }
    if (v.mask === 0n && !field.variable) return true
    this.parts.push({ field, value: v.value, mask: v.mask, ...(v.bytes ? { bytes: v.bytes } : {}) })
    return true
  }

  /** The canonical match, with names that stand for several fields resolved by protocol. */
  finish(): Match | Error {
    const last = new Map<Field, FieldMatch>()
    let type: bigint | undefined
    let proto: bigint | undefined
    // A later part replaces an earlier one of the same field.
    for (const p of this.parts) {
      if (p.field === F.eth_type) type = p.value
      if (p.field === F.nw_proto) proto = p.value
    }
    for (const p of this.parts) {
      const m = resolve(p, type, proto)
      if (m.field === F.vlan_tci || REGISTERS.includes(m.field)) {
        const old = last.get(m.field)
        if (old) {
          const keep = old.mask & ~m.mask
          last.set(m.field, { ...m, value: (old.value & keep) | m.value, mask: keep | m.mask })
          continue
        }
      }
      last.set(m.field, m)
    }
    return canonicalMatch(last.values()) ?? new Error('conflicting matches')
  }
}

function resolve(p: FieldMatch, type: bigint | undefined, proto: bigint | undefined): FieldMatch {
  const as = (field: Field): FieldMatch => ({ ...p, field })
  const transport = (tcp: Field, udp: Field, sctp: Field) =>
    as(proto === 17n ? udp : proto === 132n ? sctp : proto === 6n ? tcp : p.field)
  switch (p.field) {
    case F.tcp_src:
    case F.udp_src:
    case F.sctp_src:
      return transport(F.tcp_src, F.udp_src, F.sctp_src)
    case F.tcp_dst:
    case F.udp_dst:
    case F.sctp_dst:
      return transport(F.tcp_dst, F.udp_dst, F.sctp_dst)
    case F.icmp_type:
      return type === 0x86ddn ? as(F.icmpv6_type) : p
    case F.icmp_code:
      return type === 0x86ddn ? as(F.icmpv6_code) : p
    case F.ip_src:
      return type === 0x0806n || type === 0x8035n ? as(F.arp_spa) : p
    case F.ip_dst:
      return type === 0x0806n || type === 0x8035n ? as(F.arp_tpa) : p
    case F.nw_proto:
      return type === 0x0806n || type === 0x8035n ? fieldMatch(F.arp_op, p.value) : p
    case F.packet_type:
      return p.value === 0n ? fieldMatch(F.packet_type, 0, 0) : p
    default:
      return p
  }
}

/** Drops what the protocol does not have, as a switch does before it takes a flow. */
export function normalised(match: Match): Match {
  let m = match
  for (let field = missingPrerequisite(m); field; field = missingPrerequisite(m)) {
    const gone = field
    m = m.filter((x) => x.field !== gone)
  }
  return m
}
