import { formatIpv4 } from '../address/ipv4.ts'
import { formatIpv6 } from '../address/ipv6.ts'
import { formatMac } from '../address/mac.ts'
import { CT_STATE, type FlowState } from '../logical/index.ts'
import type { Field } from '../openflow/fields/field.ts'
import { F, REGISTERS } from '../openflow/fields/table.ts'

const CT_FLAGS = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'] as const
const TCP_FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns'] as const
const FRAGMENT: Readonly<Record<string, string>> = { 0: 'no', 1: 'first', 3: 'later' }

/** `est|trk`; `0` where no flag is set. */
export function formatCtState(state: bigint): string {
  const names = CT_FLAGS.filter((name) => state & (1n << BigInt(CT_STATE[name])))
  return names.length ? names.join('|') : '0'
}

const PROTOCOLS: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' }

/** A packet's fields as Open vSwitch prints a flow: ports, addresses and metadata that are not zero. */
export function formatFlow(s: FlowState): string {
  const out: string[] = []
  const tracking: string[] = []
  const hex = (field: Field, digits = 0) => `0x${s.read(field).toString(16).padStart(digits, '0')}`
  const ip = (field: Field) => formatIpv4(Number(s.read(field)))
  const ip6 = (field: Field) => formatIpv6(s.read(field))
  const mac = (field: Field) => formatMac(Number(s.read(field)))
  const n = (field: Field) => s.read(field).toString()
  const metadata = [
    ['pkt_mark', F.pkt_mark],
    ['ct_state', F.ct_state],
    ['ct_mark', F.ct_mark],
    ['ct_label', F.ct_label],
  ] as const
  for (const [name, field] of metadata) {
    if (s.read(field)) tracking.push(`${name}=${name === 'ct_state' ? formatCtState(s.read(field)) : hex(field)}`)
  }
  if (s.read(F.ct_nw_proto)) {
    if (s.read(F.ct_nw_src) || s.read(F.ct_nw_dst))
      tracking.push(`ct_nw_src=${ip(F.ct_nw_src)}`, `ct_nw_dst=${ip(F.ct_nw_dst)}`)
    else tracking.push(`ct_ipv6_src=${ip6(F.ct_ipv6_src)}`, `ct_ipv6_dst=${ip6(F.ct_ipv6_dst)}`)
    tracking.push(`ct_nw_proto=${n(F.ct_nw_proto)}`, `ct_tp_src=${n(F.ct_tp_src)}`, `ct_tp_dst=${n(F.ct_tp_dst)}`)
  }
  REGISTERS.forEach((field, i) => {
    if (s.read(field)) out.push(`reg${i}=${hex(field)}`)
  })
  const tci = Number(s.read(F.vlan_tci))
  if (tci & 0x1000) out.push(`dl_vlan=${tci & 0xfff}`, `dl_vlan_pcp=${tci >> 13}`, 'vlan_tci1=0x0000')
  else out.push(`vlan_tci=${hex(F.vlan_tci, 4)}`)
  out.push(`dl_src=${mac(F.eth_src)}`, `dl_dst=${mac(F.eth_dst)}`)
  const type = Number(s.read(F.eth_type))
  const proto = Number(s.read(F.nw_proto))
  const v4 = type === 0x800
  const v6 = type === 0x86dd
  if (v4 || v6) {
    const named = protocolName(v4, proto)
    if (v4) out.push(`nw_src=${ip(F.ip_src)}`, `nw_dst=${ip(F.ip_dst)}`)
    else out.push(`ipv6_src=${ip6(F.ipv6_src)}`, `ipv6_dst=${ip6(F.ipv6_dst)}`, `ipv6_label=${hex(F.ipv6_label, 5)}`)
    if (named === 'ip' || named === 'ipv6') out.push(`nw_proto=${proto}`)
    const frag = n(F.ip_frag)
    out.push(`nw_tos=${s.read(F.ip_dscp) << 2n}`, `nw_ecn=${n(F.nw_ecn)}`, `nw_ttl=${n(F.nw_ttl)}`)
    out.push(`nw_frag=${FRAGMENT[frag] ?? '<error>'}`)
    transport(s, named, proto, out)
    return [...tracking, named, ...out].join(',')
  }
  if (type === 0x806 || type === 0x8035) {
    out.push(`arp_spa=${ip(F.arp_spa)}`, `arp_tpa=${ip(F.arp_tpa)}`, `arp_op=${n(F.arp_op)}`)
    out.push(`arp_sha=${mac(F.arp_sha)}`, `arp_tha=${mac(F.arp_tha)}`)
    return [...tracking, type === 0x806 ? 'arp' : 'rarp', ...out].join(',')
  }
  out.push(`dl_type=${hex(F.eth_type, 4)}`)
  return [...tracking, ...out].join(',')
}

function protocolName(v4: boolean, proto: number): string {
  if (v4 && proto === 1) return 'icmp'
  if (!v4 && proto === 58) return 'icmp6'
  const name = PROTOCOLS[proto]
  return name ? `${name}${v4 ? '' : '6'}` : v4 ? 'ip' : 'ipv6'
}

function transport(s: FlowState, named: string, proto: number, out: string[]): void {
  const n = (field: Field) => s.read(field).toString()
  if (named === 'icmp') out.push(`icmp_type=${n(F.icmp_type)}`, `icmp_code=${n(F.icmp_code)}`)
  else if (named === 'icmp6') {
    const type = Number(s.read(F.icmpv6_type))
    out.push(`icmp_type=${type}`, `icmp_code=${n(F.icmpv6_code)}`)
    if (type === 135 || type === 136) {
      out.push(`nd_target=${formatIpv6(s.read(F.nd_target))}`)
      out.push(`nd_sll=${formatMac(Number(s.read(F.nd_sll)))}`, `nd_tll=${formatMac(Number(s.read(F.nd_tll)))}`)
    }
  } else if (proto === 6) {
    out.push(`tp_src=${n(F.tcp_src)}`, `tp_dst=${n(F.tcp_dst)}`)
    const flags = TCP_FLAGS.filter((_, i) => s.read(F.tcp_flags) & (1n << BigInt(i)))
    out.push(`tcp_flags=${flags.length ? flags.join('|') : '0'}`)
  } else if (proto === 17) out.push(`tp_src=${n(F.udp_src)}`, `tp_dst=${n(F.udp_dst)}`)
  else if (proto === 132) out.push(`tp_src=${n(F.sctp_src)}`, `tp_dst=${n(F.sctp_dst)}`)
  else if (proto === 2) out.push('tp_src=0', 'tp_dst=0')
}
