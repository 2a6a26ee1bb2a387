import { formatIpv4 } from '../../address/ipv4.ts'
import { formatIpv6 } from '../../address/ipv6.ts'
import { formatMac } from '../../address/mac.ts'
import { fragment6 } from '../../packet/ipv6.ts'
import { parseNd } from '../../packet/nd.ts'
import { decodeFrame, type Packet } from '../../packet/packet.ts'

const TCP_FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns']

/** A frame's headers as Open vSwitch writes a flow: `udp,vlan_tci=0x0000,dl_src=...,tp_dst=53`. */
export function formatFrameFlow(frame: Uint8Array): string {
  const decoded = decodeFrame(frame)
  if (!decoded.ok) return ''
  const p = decoded.value
  const out: string[] = [protocol(p)]
  const tag = p.eth.tags[0]
  if (!tag) out.push('vlan_tci=0x0000')
  else out.push(`dl_vlan=${tag.vid}`, `dl_vlan_pcp=${tag.pcp}`)
  out.push(`dl_src=${formatMac(p.eth.src)}`, `dl_dst=${formatMac(p.eth.dst)}`)
  if (!p.arp && !p.ip4 && !p.ip6) out.push(`dl_type=0x${p.eth.type.toString(16).padStart(4, '0')}`)
  if (p.arp) {
    const { spa, tpa, op, sha, tha } = p.arp
    out.push(`arp_spa=${formatIpv4(spa)}`, `arp_tpa=${formatIpv4(tpa)}`, `arp_op=${op}`)
    out.push(`arp_sha=${formatMac(sha)}`, `arp_tha=${formatMac(tha)}`)
  } else if (p.ip4) {
    const { src, dst, tos, ttl, protocol: proto, offset, mf } = p.ip4
    out.push(`nw_src=${formatIpv4(src)}`, `nw_dst=${formatIpv4(dst)}`)
    if (out[0] === 'ip') out.push(`nw_proto=${proto}`)
    out.push(`nw_tos=${tos & 0xfc}`, `nw_ecn=${tos & 3}`, `nw_ttl=${ttl}`)
    out.push(`nw_frag=${offset ? 'later' : mf ? 'first' : 'no'}`)
  } else if (p.ip6) {
    const { src, dst, flowLabel, trafficClass, hopLimit, protocol: proto } = p.ip6
    const fragment = fragment6(p.ip6)
    out.push(`ipv6_src=${formatIpv6(src)}`, `ipv6_dst=${formatIpv6(dst)}`)
    out.push(`ipv6_label=0x${flowLabel.toString(16).padStart(5, '0')}`)
    if (out[0] === 'ipv6') out.push(`nw_proto=${proto}`)
    out.push(`nw_tos=${trafficClass & 0xfc}`, `nw_ecn=${trafficClass & 3}`, `nw_ttl=${hopLimit}`)
    out.push(`nw_frag=${fragment?.offset ? 'later' : fragment?.more ? 'first' : 'no'}`)
  }
  out.push(...transport(p))
  return out.join(',')
}

function protocol(p: Packet): string {
  if (p.arp) return p.eth.type === 0x8035 ? 'rarp' : 'arp'
  const six = p.ip6 ? '6' : ''
  if (p.tcp) return `tcp${six}`
  if (p.udp) return `udp${six}`
  if (p.sctp) return `sctp${six}`
  if (p.icmp4) return 'icmp'
  if (p.icmp6) return 'icmp6'
  if (p.ip4) return 'ip'
  return p.ip6 ? 'ipv6' : 'eth'
}

function transport(p: Packet): string[] {
  const ports = p.tcp ?? p.udp ?? p.sctp
  if (ports) {
    const out = [`tp_src=${ports.src}`, `tp_dst=${ports.dst}`]
    if (p.tcp) {
      const { flags } = p.tcp
      const names = TCP_FLAGS.filter((_, i) => flags & (1 << i))
      out.push(`tcp_flags=${names.length ? names.join('|') : '0'}`)
    }
    return out
  }
  const icmp = p.icmp4 ?? p.icmp6
  if (!icmp) return []
  const out = [`icmp_type=${icmp.type}`, `icmp_code=${icmp.code}`]
  const nd = p.icmp6 ? parseNd(p.icmp6) : undefined
  if (nd?.ok && (nd.value.kind === 'ns' || nd.value.kind === 'na')) {
    out.push(`nd_target=${formatIpv6(nd.value.target)}`)
    for (const o of nd.value.options) {
      const mac = o.data.length >= 6 ? o.data.subarray(0, 6).reduce((v, b) => v * 256 + b, 0) : 0
      if (o.type === 1) out.push(`nd_sll=${formatMac(mac)}`)
      if (o.type === 2) out.push(`nd_tll=${formatMac(mac)}`)
    }
  }
  return out
}
