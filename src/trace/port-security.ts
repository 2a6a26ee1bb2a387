import { linkLocal } from '../address/ipv6.ts'
import { parseMac } from '../address/mac.ts'
import { contains, type Prefix, parsePrefix } from '../address/prefix.ts'
import type { FlowState } from '../logical/index.ts'
import type { Field } from '../openflow/fields/field.ts'
import { F } from '../openflow/fields/table.ts'

interface Allowed {
  readonly mac: number
  readonly ips: readonly Prefix[]
}

/** `MAC [IP[/LENGTH] ...]` each (ovn-nb(5), Logical_Switch_Port.port_security). */
function parse(security: readonly string[]): Allowed[] {
  return security.flatMap((text) => {
    const [first = '', ...rest] = text.trim().split(/\s+/)
    const mac = parseMac(first)
    return mac === undefined ? [] : [{ mac, ips: rest.flatMap((w) => parsePrefix(w) ?? []) }]
  })
}

const has = (ips: readonly Prefix[], family: 4 | 6) => ips.some((p) => p.family === family)
const number = (s: FlowState, field: Field) => Number(s.read(field))

/** Whether the address is one of the port. */
const within = (ips: readonly Prefix[], address: number | bigint) => ips.some((p) => contains(p, address))

/** Whether a packet from the port passes: ovn-nb(5), port_security, about what a port may send. */
export function passesInbound(security: readonly string[], s: FlowState): boolean {
  const allowed = parse(security)
  if (allowed.length === 0) return true
  const own = allowed.filter((a) => a.mac === number(s, F.eth_src))
  return own.some((a) => {
    const v4 = has(a.ips, 4)
    const v6 = has(a.ips, 6)
    const bound = v4 || v6
    switch (number(s, F.eth_type)) {
      case 0x800: {
        if (!bound) return true
        const dhcp =
          s.read(F.nw_proto) === 17n &&
          s.read(F.ip_src) === 0n &&
          s.read(F.ip_dst) === 0xffffffffn &&
          s.read(F.udp_src) === 68n &&
          s.read(F.udp_dst) === 67n
        return v4 && (within(a.ips, number(s, F.ip_src)) || dhcp)
      }
      case 0x806: {
        if (number(s, F.arp_sha) !== a.mac) return false
        return !bound || (v4 && within(a.ips, number(s, F.arp_spa)))
      }
      case 0x86dd:
        return passesIpv6(a, bound, v6, s)
      default:
        return true
    }
  })
}

function passesIpv6(a: Allowed, bound: boolean, v6: boolean, s: FlowState): boolean {
  const type = s.read(F.nw_proto) === 58n ? number(s, F.icmpv6_type) : 0
  const source = s.read(F.ipv6_src)
  const mine = (ip: bigint) => within(a.ips, ip) || ip === linkLocal(a.mac)
  if (type === 135 && number(s, F.nd_sll) !== 0 && number(s, F.nd_sll) !== a.mac) return false
  if (type === 136) {
    if (number(s, F.nd_tll) !== 0 && number(s, F.nd_tll) !== a.mac) return false
    if (bound && !(v6 && mine(s.read(F.nd_target)))) return false
  }
  if (!bound) return true
  // Before it has an address, a host may look for duplicates and routers (RFC 4862 §5.4).
  return v6 && (mine(source) || (source === 0n && (type === 135 || type === 131 || type === 143)))
}

/** Whether a packet may be delivered to the port: its addresses, and what goes to many. */
export function passesOutbound(security: readonly string[], s: FlowState): boolean {
  const allowed = parse(security)
  if (allowed.length === 0) return true
  const destination = number(s, F.eth_dst)
  if (Math.floor(destination / 0x100_0000_0000) % 2 === 1) return true
  return allowed.some((a) => {
    if (a.mac !== destination) return false
    const v4 = has(a.ips, 4)
    const v6 = has(a.ips, 6)
    if (!v4 && !v6) return true
    if (number(s, F.eth_type) === 0x800) {
      const ip = number(s, F.ip_dst)
      return v4 && (ip === 0xffffffff || ip >>> 28 === 0xe || within(a.ips, ip))
    }
    if (number(s, F.eth_type) === 0x86dd) {
      const ip = s.read(F.ipv6_dst)
      return v6 && (ip >> 120n === 0xffn || within(a.ips, ip) || ip === linkLocal(a.mac))
    }
    return true
  })
}
