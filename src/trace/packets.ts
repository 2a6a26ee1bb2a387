import { solicitedNode } from '../address/ipv6.ts'
import type { FlowState } from '../logical/index.ts'
import { F } from '../openflow/fields/table.ts'

// The packets that actions put in the place of the one being processed: ovn-sb(5),
// Logical_Flow.actions, under arp, nd_ns, nd_na, icmp4 and icmp6.

export function makeArp(s: FlowState): void {
  s.write(F.arp_sha, s.read(F.eth_src))
  s.write(F.arp_spa, s.read(F.ip_src))
  s.write(F.arp_tha, 0n)
  s.write(F.arp_tpa, s.read(F.ip_dst))
  s.write(F.arp_op, 1n)
  s.write(F.eth_type, 0x806n)
}

export function makeNeighbourSolicitation(s: FlowState): void {
  const target = s.read(F.ipv6_dst)
  const group = solicitedNode(target)
  s.write(F.nd_target, target)
  s.write(F.ipv6_dst, group)
  s.write(F.eth_dst, 0x3333_0000_0000n | (group & 0xffff_ffffn))
  s.write(F.nd_sll, s.read(F.eth_src))
  icmp6(s, 135n, 0n)
}

export function makeNeighbourAdvertisement(s: FlowState): void {
  const target = s.read(F.nd_target)
  const source = s.read(F.eth_src)
  s.write(F.eth_src, s.read(F.eth_dst))
  s.write(F.eth_dst, source)
  s.write(F.ipv6_dst, s.read(F.ipv6_src))
  s.write(F.ipv6_src, target)
  s.write(F.nd_tll, s.read(F.eth_src))
  s.write(F.nd_sll, 0n)
  icmp6(s, 136n, 0n)
}

export function icmp4Error(s: FlowState): void {
  s.write(F.nw_proto, 1n)
  s.write(F.ip_frag, 0n)
  s.write(F.nw_ttl, 255n)
  s.write(F.icmp_type, 3n)
  s.write(F.icmp_code, 1n)
}

export function icmp6Error(s: FlowState): void {
  icmp6(s, 1n, 1n)
}

function icmp6(s: FlowState, type: bigint, code: bigint): void {
  s.write(F.eth_type, 0x86ddn)
  s.write(F.nw_proto, 58n)
  s.write(F.nw_ttl, 255n)
  s.write(F.icmpv6_type, type)
  s.write(F.icmpv6_code, code)
}

/** ovn-sb(5), tcp_reset. */
export function tcpReset(s: FlowState): void {
  s.write(F.tcp_flags, 4n)
  s.write(F.nw_ttl, 255n)
}

const ORIGINAL = [F.ct_nw_src, F.ct_nw_dst, F.ct_ipv6_src, F.ct_ipv6_dst, F.ct_nw_proto, F.ct_tp_src, F.ct_tp_dst]

/** The connection's original direction: the packet's own, when tracking begins. */
export function rememberOriginal(s: FlowState): void {
  const proto = s.read(F.nw_proto)
  const v4 = s.read(F.eth_type) === 0x800n
  const [src, dst] =
    proto === 6n
      ? [F.tcp_src, F.tcp_dst]
      : proto === 17n
        ? [F.udp_src, F.udp_dst]
        : proto === 132n
          ? [F.sctp_src, F.sctp_dst]
          : v4
            ? [F.icmp_type, F.icmp_code]
            : [F.icmpv6_type, F.icmpv6_code]
  s.write(v4 ? F.ct_nw_src : F.ct_ipv6_src, s.read(v4 ? F.ip_src : F.ipv6_src))
  s.write(v4 ? F.ct_nw_dst : F.ct_ipv6_dst, s.read(v4 ? F.ip_dst : F.ipv6_dst))
  s.write(F.ct_nw_proto, proto)
  s.write(F.ct_tp_src, s.read(src))
  s.write(F.ct_tp_dst, s.read(dst))
}

export function forgetOriginal(s: FlowState): void {
  for (const field of ORIGINAL) s.write(field, 0n)
}
