import type { Field, FieldMatch } from '../../openflow/fields/field.ts'
import { F, FIELDS } from '../../openflow/fields/table.ts'
import { formatMatch } from '../../openflow/text/match.ts'
import type { Names } from '../../openflow/text/names.ts'
import * as K from '../classifier/key.ts'
import { readBits, type Slots } from '../classifier/slots.ts'

const REGISTERS = FIELDS.filter((f) => /^reg[0-9]+$/.test(f.name))
const TUN_METADATA = FIELDS.filter((f) => f.variable)

/** Fields that `ofproto/trace` prints in front of the protocol. */
const BEFORE: readonly Field[] = [
  F.dp_hash,
  F.recirc_id,
  F.conj_id,
  F.skb_priority,
  F.pkt_mark,
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
  F.actset_output,
]
const TUNNEL: readonly Field[] = [
  F.tun_id,
  F.tun_src,
  F.tun_dst,
  F.tun_ipv6_src,
  F.tun_ipv6_dst,
  F.tun_gbp_id,
  F.tun_gbp_flags,
  F.tun_flags,
  ...TUN_METADATA,
]
const ETHERNET: readonly Field[] = [F.vlan_tci, F.eth_src, F.eth_dst]
const IP: readonly Field[] = [F.ip_dscp, F.nw_ecn, F.nw_ttl, F.ip_frag]
const PORTS: Readonly<Record<number, readonly Field[]>> = {
  [K.IP_TCP]: [F.tcp_src, F.tcp_dst, F.tcp_flags],
  [K.IP_UDP]: [F.udp_src, F.udp_dst],
  [K.IP_SCTP]: [F.sctp_src, F.sctp_dst],
}

/** The fields that a packet of this key has, without its metadata. */
function packetFields(key: K.Key): Field[] {
  const type = key[K.DL_TYPE]
  // a later fragment has no transport header
  const proto = (key[K.NW_FRAG] as number) & K.FRAG_LATER ? -1 : (key[K.NW_PROTO] as number)
  switch (type) {
    case K.ETH_IPV4:
      return [
        F.ip_src,
        F.ip_dst,
        F.nw_proto,
        ...IP,
        ...(proto === K.IP_ICMP ? [F.icmp_type, F.icmp_code] : (PORTS[proto] ?? [])),
      ]
    case K.ETH_IPV6:
      return [
        F.ipv6_src,
        F.ipv6_dst,
        F.ipv6_label,
        F.nw_proto,
        ...IP,
        ...(proto === K.IP_ICMPV6 ? [F.icmpv6_type, F.icmpv6_code] : (PORTS[proto] ?? [])),
        ...(proto === K.IP_ICMPV6 && (key[K.TP_SRC] === 135 || key[K.TP_SRC] === 136)
          ? [F.nd_target, F.nd_sll, F.nd_tll]
          : []),
      ]
    case K.ETH_ARP:
    case K.ETH_RARP:
      return [F.arp_spa, F.arp_tpa, F.arp_op, F.arp_sha, F.arp_tha]
    case K.ETH_MPLS:
    case K.ETH_MPLS_MC:
      return [F.mpls_label, F.mpls_tc, F.mpls_ttl, F.mpls_bos]
    default:
      return []
  }
}

/** A packet's flow in full, as `Flow:` of a trace has it. `changed` is about one after the pipeline. */
export function formatKey(key: K.Key, slots: Slots, changed: boolean, names?: Names): string {
  const before: FieldMatch[] = []
  const rest: FieldMatch[] = []
  const add = (to: FieldMatch[], f: Field, always: boolean) => {
    const s = slots.of(f)
    if (!s) return
    const bits = Math.min(s.bits, f.bits)
    const value = readBits(key, s, 0, bits)
    if (!always && value === 0n) return
    to.push({ field: f, value, mask: f.variable ? (1n << BigInt(s.bits)) - 1n : f.ones })
  }
  for (const f of BEFORE) if (f !== F.actset_output) add(before, f, false)
  for (const f of [...TUNNEL, F.metadata, ...REGISTERS]) add(rest, f, false)
  add(rest, F.in_port, true)
  add(rest, F.eth_type, true)
  for (const f of ETHERNET) add(rest, f, true)
  for (const f of packetFields(key)) add(rest, f, true)
  return join(before, rest, names, changed)
}

/** A cached flow's match. */
export function formatMegaflow(key: K.Key, wildcards: K.Key, slots: Slots, names?: Names): string {
  const before: FieldMatch[] = []
  const rest: FieldMatch[] = []
  const add = (to: FieldMatch[], f: Field) => {
    const s = slots.of(f)
    if (!s) return
    const bits = Math.min(s.bits, f.bits)
    const mask = readBits(wildcards, s, 0, bits)
    if (mask !== 0n) to.push({ field: f, value: readBits(key, s, 0, bits) & mask, mask })
  }
  for (const f of BEFORE) if (f !== F.actset_output && f !== F.conj_id) add(before, f)
  // that there is no tag follows from the type of what there is
  const ethernet = key[K.VLAN0] === 0 ? [F.eth_src, F.eth_dst] : ETHERNET
  for (const f of [...TUNNEL, F.in_port, F.eth_type, ...ethernet, ...packetFields(key)]) add(rest, f)
  if (!before.some((m) => m.field === F.recirc_id))
    before.unshift({ field: F.recirc_id, value: 0n, mask: F.recirc_id.ones })
  // a type or code that was compared in its eight bits, not in the sixteen of a port
  const icmp = (at: number, text: string, name: string): string =>
    (wildcards[at] as number) === 0xff
      ? text.replace(new RegExp(`\\b${name}=([0-9]+)`), (_, v: string) => `${name}=0x${Number(v).toString(16)}/0xff`)
      : text
  return icmp(K.TP_SRC, icmp(K.TP_DST, join(before, rest, names, true), 'icmp_code'), 'icmp_type')
}

function join(before: FieldMatch[], rest: FieldMatch[], names: Names | undefined, ethernet: boolean): string {
  const order = (a: FieldMatch, b: FieldMatch) => a.field.index - b.field.index
  const head = formatMatch(before.sort(order), names).replace(/\brecirc_id=0x0\b/, 'recirc_id=0')
  const tail = formatMatch(rest.sort(order), names)
  return [head, ethernet ? 'eth' : '', tail].filter((t) => t).join(',')
}
