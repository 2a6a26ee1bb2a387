import type { Field, Match, Prerequisite } from './field.ts'
import { exact, find } from './match.ts'
import { F } from './table.ts'

const ETH = {
  ipv4: 0x0800n,
  ipv6: 0x86ddn,
  arp: 0x0806n,
  rarp: 0x8035n,
  nsh: 0x894fn,
  mpls: 0x8847n,
  mplsMulticast: 0x8848n,
}

/** Whether a match guarantees what a field requires (ovs-fields(7), "Prerequisites"). */
export function satisfies(match: Match, prerequisite: Prerequisite): boolean {
  const type = () => exact(match, F.eth_type)
  const proto = (n: bigint) => satisfies(match, 'ip') && exact(match, F.nw_proto) === n
  switch (prerequisite) {
    case 'none':
      return true
    case 'ethernet': {
      const t = exact(match, F.packet_type)
      return t === undefined || t === 0n
    }
    case 'ct': {
      // Tracked, and new, established, related or not invalid.
      const m = find(match, F.ct_state)
      if (!m) return false
      const on = m.mask & m.value
      const off = m.mask & ~m.value
      return (on & 0x20n) !== 0n ? (on & 0x07n) !== 0n || (off & 0x10n) !== 0n : (on & 0x07n) !== 0n
    }
    case 'vlan': {
      const m = find(match, F.vlan_tci)
      return m !== undefined && (m.value & m.mask & 0x1000n) !== 0n
    }
    case 'mpls':
      return type() === ETH.mpls || type() === ETH.mplsMulticast
    case 'ipv4':
      return type() === ETH.ipv4
    case 'ipv6':
      return type() === ETH.ipv6
    case 'ip':
      return type() === ETH.ipv4 || type() === ETH.ipv6
    case 'arp':
      return type() === ETH.arp || type() === ETH.rarp
    case 'nsh':
      return type() === ETH.nsh || exact(match, F.packet_type) === 0x1894fn
    case 'tcp':
      return proto(6n)
    case 'udp':
      return proto(17n)
    case 'sctp':
      return proto(132n)
    case 'icmp4':
      return satisfies(match, 'ipv4') && exact(match, F.nw_proto) === 1n
    case 'icmp6':
      return satisfies(match, 'ipv6') && exact(match, F.nw_proto) === 58n
    case 'nd': {
      const t = exact(match, F.icmpv6_type)
      return satisfies(match, 'icmp6') && (t === 135n || t === 136n)
    }
    case 'nd-solicit':
      return satisfies(match, 'icmp6') && exact(match, F.icmpv6_type) === 135n
    case 'nd-advert':
      return satisfies(match, 'icmp6') && exact(match, F.icmpv6_type) === 136n
  }
}

/** The first field of a match whose prerequisite the rest of the match does not give, if any. */
export function missingPrerequisite(match: Match): Field | undefined {
  for (const m of match) if (!satisfies(match, m.field.prerequisite)) return m.field
  return undefined
}
