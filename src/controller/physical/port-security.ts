import { ipv4Mask } from '../../address/ipv4.ts'
import { type Ipv6, ipv6Mask, linkLocal } from '../../address/ipv6.ts'
import type { Mac } from '../../address/mac.ts'
import type { Prefix } from '../../address/prefix.ts'
import { FLAG } from '../../logical/registers.ts'
import type { Action } from '../../openflow/actions/action.ts'
import type { Field, FieldMatch } from '../../openflow/fields/field.ts'
import { F } from '../../openflow/fields/table.ts'
import { cookieOf, type Flow, is, match, resubmit, set } from '../flow.ts'
import { OFTABLE } from '../tables.ts'
import { broadcastOf, type LportAddresses, parseLportAddresses } from './addresses.ts'

/**
 * Port security (ovn-nb(5), Logical_Switch_Port.port_security): check_in_port_sec() goes to tables
 * 73 and 74, check_out_port_sec() to 75; they leave the verdict in a flag.
 */

const BIT = 1 << FLAG.check_port_sec
const ALLOW: readonly Action[] = [set(F.reg10, 0, BIT)]
const DENY: readonly Action[] = [set(F.reg10, BIT, BIT)]
const CHECK_ND: readonly Action[] = [resubmit(OFTABLE.CHK_IN_PORT_SEC_ND)]

const IP4 = is(F.eth_type, 0x800)
const IP6 = is(F.eth_type, 0x86dd)
const ARP = is(F.eth_type, 0x806)
const ICMP6: readonly FieldMatch[] = [IP6, is(F.nw_proto, 58)]
const icmp6 = (type: number): readonly FieldMatch[] => [...ICMP6, is(F.icmpv6_type, type)]
const NS = 135
const NA = 136
const DHCP4: readonly FieldMatch[] = [
  IP4,
  is(F.nw_proto, 17),
  is(F.ip_src, 0),
  is(F.ip_dst, 0xffffffff),
  is(F.udp_src, 68),
  is(F.udp_dst, 67),
]

type Prefix4 = Extract<Prefix, { family: 4 }>
type Prefix6 = Extract<Prefix, { family: 6 }>

/** A prefix without host bits stands for all its addresses, one with host bits for that address. */
const of4 = (field: Field, p: Prefix4): FieldMatch =>
  p.length < 32 && p.address === p.network ? is(field, p.network, ipv4Mask(p.length)) : is(field, p.address)
const of6 = (field: Field, p: Prefix6): FieldMatch =>
  p.length < 128 && p.address === p.network ? is(field, p.network, ipv6Mask(p.length)) : is(field, p.address)

/** What a port may send as its IPv6 source: the addresses given and the link-local one of its MAC. */
const sources6 = (a: LportAddresses, field: Field): FieldMatch[] => [
  is(field, linkLocal(a.mac)),
  ...a.v6.map((p) => of6(field, p)),
]

export function portSecurityFlows(
  port: { readonly uuid: string; readonly key: number; readonly datapathKey: number },
  security: readonly string[],
): Flow[] {
  const addresses = security.flatMap((s) => {
    const a = parseLportAddresses(s)
    return a ? [a] : []
  })
  if (!addresses.length) return []
  const out: Flow[] = []
  const cookie = cookieOf(port.uuid)
  const inport = [is(F.metadata, port.datapathKey), is(F.reg14, port.key)]
  const outport = [is(F.metadata, port.datapathKey), is(F.reg15, port.key)]
  const adder =
    (table: number, base: readonly FieldMatch[]) =>
    (priority: number, actions: readonly Action[], ...parts: readonly FieldMatch[]) =>
      out.push({ table, priority, match: match(...base, ...parts), actions, cookie })
  const sent = adder(OFTABLE.CHK_IN_PORT_SEC, inport)
  const resolving = adder(OFTABLE.CHK_IN_PORT_SEC_ND, inport)
  const received = adder(OFTABLE.CHK_OUT_PORT_SEC, outport)

  sent(80, DENY)
  sent(95, CHECK_ND, ARP)
  resolving(80, DENY, ARP)
  resolving(80, DENY, ...icmp6(NS), is(F.nw_ttl, 255))
  resolving(80, DENY, ...icmp6(NA), is(F.nw_ttl, 255))
  received(80, DENY)
  for (const a of addresses) {
    ingress(a, sent)
    resolution(a, resolving)
    egress(a, received)
  }
  return out
}

type Add = (priority: number, actions: readonly Action[], ...parts: readonly FieldMatch[]) => void

function ingress(a: LportAddresses, add: Add): void {
  const from = is(F.eth_src, a.mac)
  if (!a.v4.length && !a.v6.length) {
    // Only the Ethernet address is restricted, but neighbour messages must agree with it.
    add(90, CHECK_ND, from)
    return
  }
  if (a.v4.length) {
    for (const p of a.v4) add(90, ALLOW, from, IP4, of4(F.ip_src, p))
    // Before it has an address a host asks for one.
    add(90, ALLOW, from, ...DHCP4)
  }
  if (a.v6.length) {
    for (const source of sources6(a, F.ipv6_src)) add(90, CHECK_ND, from, IP6, source)
    // Duplicate address detection and multicast listener reports come from no address (RFC 4862 §5.4.2, RFC 3810 §5.2.13).
    const unspecified = [is(F.ipv6_src, 0), is(F.ipv6_dst, 0xff02n << 112n, 0xffffn << 112n), is(F.icmpv6_code, 0)]
    add(90, ALLOW, from, ...icmp6(131), ...unspecified)
    add(90, CHECK_ND, from, ...icmp6(NS), ...unspecified)
    add(90, ALLOW, from, ...icmp6(143), ...unspecified)
  }
}

function resolution(a: LportAddresses, add: Add): void {
  const from = is(F.eth_src, a.mac)
  const speaker = [from, ARP, is(F.arp_sha, a.mac)]
  if (a.v4.length) for (const p of a.v4) add(90, ALLOW, ...speaker, of4(F.arp_spa, p))
  else if (!a.v6.length) add(90, ALLOW, ...speaker)
  const nd = (type: number): FieldMatch[] => [from, ...icmp6(type), is(F.icmpv6_code, 0), is(F.nw_ttl, 255)]
  for (const sll of optionMacs(F.nd_sll, a.mac)) add(90, ALLOW, ...nd(NS), sll)
  const targets: (FieldMatch | undefined)[] = a.v6.length ? sources6(a, F.nd_target) : [undefined]
  for (const target of targets) {
    for (const tll of optionMacs(F.nd_tll, a.mac)) add(90, ALLOW, ...nd(NA), tll, ...(target ? [target] : []))
  }
}

/** The link-layer address option may be absent, which reads as zero. */
const optionMacs = (field: Field, mac: Mac): FieldMatch[] => [is(field, 0), is(field, mac)]

const ALL_IPV6_MULTICAST: Ipv6 = 0xffn << 120n

function egress(a: LportAddresses, add: Add): void {
  const to = is(F.eth_dst, a.mac)
  add(85, ALLOW, to)
  if (!a.v4.length && !a.v6.length) return
  add(90, DENY, to, IP4)
  add(90, DENY, to, IP6)
  if (a.v4.length) {
    for (const p of a.v4) {
      add(95, ALLOW, to, IP4, of4(F.ip_dst, p))
      // A host with its network's length also receives the network's broadcasts.
      if (p.length < 32 && p.address !== p.network) add(95, ALLOW, to, IP4, is(F.ip_dst, broadcastOf(p)))
    }
    add(95, ALLOW, to, IP4, is(F.ip_dst, 0xffffffff))
    add(95, ALLOW, to, IP4, is(F.ip_dst, 0xe0000000, 0xf0000000))
  }
  if (a.v6.length) {
    for (const destination of sources6(a, F.ipv6_dst)) add(95, ALLOW, to, IP6, destination)
    add(95, ALLOW, to, IP6, is(F.ipv6_dst, ALL_IPV6_MULTICAST, ALL_IPV6_MULTICAST))
  }
}
