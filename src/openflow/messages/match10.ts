import { ipv4Mask, ipv4MaskLength } from '../../address/ipv4.ts'
import type { Reader, Writer } from '../../base/bytes.ts'
import type { Field, FieldMatch, Match } from '../fields/field.ts'
import { canonicalMatch, exact, fieldMatch, find } from '../fields/match.ts'
import { F } from '../fields/table.ts'
import { fault } from './fault.ts'

// OpenFlow 1.0 §5.2.3: ofp_match, 40 bytes with a word of wildcards.
const WILD = {
  IN_PORT: 1 << 0,
  DL_VLAN: 1 << 1,
  DL_SRC: 1 << 2,
  DL_DST: 1 << 3,
  DL_TYPE: 1 << 4,
  NW_PROTO: 1 << 5,
  TP_SRC: 1 << 6,
  TP_DST: 1 << 7,
  DL_VLAN_PCP: 1 << 20,
  NW_TOS: 1 << 21,
} as const
const NW_SRC_SHIFT = 8
const NW_DST_SHIFT = 14
const NO_VLAN = 0xffff

/** Ports (or ICMP type and code) belong to a field by protocol. */
function transport(proto: number): readonly [Field, Field] | undefined {
  switch (proto) {
    case 1:
      return [F.icmp_type, F.icmp_code]
    case 6:
      return [F.tcp_src, F.tcp_dst]
    case 17:
      return [F.udp_src, F.udp_dst]
    case 132:
      return [F.sctp_src, F.sctp_dst]
    default:
      return undefined
  }
}

export function readMatch10(r: Reader): Match {
  const wild = r.u32()
  const inPort = r.u16()
  const src = r.u48()
  const dst = r.u48()
  const vlan = r.u16()
  const pcp = r.u8()
  r.skip(1)
  const type = r.u16()
  const tos = r.u8()
  const proto = r.u8()
  r.skip(2)
  const nwSrc = r.u32()
  const nwDst = r.u32()
  const tpSrc = r.u16()
  const tpDst = r.u16()

  const out: FieldMatch[] = []
  const has = (bit: number) => !(wild & bit)
  if (has(WILD.IN_PORT)) out.push(fieldMatch(F.in_port, inPort))
  if (has(WILD.DL_SRC)) out.push(fieldMatch(F.eth_src, src))
  if (has(WILD.DL_DST)) out.push(fieldMatch(F.eth_dst, dst))
  if (has(WILD.DL_VLAN) && vlan === NO_VLAN) out.push(fieldMatch(F.vlan_tci, 0))
  else if (has(WILD.DL_VLAN)) {
    const both = has(WILD.DL_VLAN_PCP)
    out.push(fieldMatch(F.vlan_tci, 0x1000 | (vlan & 0xfff) | (both ? pcp << 13 : 0), both ? 0xffff : 0x1fff))
  } else if (has(WILD.DL_VLAN_PCP)) out.push(fieldMatch(F.vlan_tci, 0x1000 | (pcp << 13), 0xf000))
  const ip = type === 0x0800 || type === 0x86dd
  const arp = type === 0x0806
  if (has(WILD.DL_TYPE)) {
    out.push(fieldMatch(F.eth_type, type))
    if (ip && has(WILD.NW_TOS)) out.push(fieldMatch(F.ip_dscp, tos >> 2))
    if (has(WILD.NW_PROTO)) {
      if (ip) out.push(fieldMatch(F.nw_proto, proto))
      else if (arp) out.push(fieldMatch(F.arp_op, proto))
    }
    const prefix = (shift: number) => 32 - Math.min(32, (wild >>> shift) & 0x3f)
    const address = (v4: Field, v: number, length: number, arpField: Field) => {
      if (length && type === 0x0800) out.push(fieldMatch(v4, v, ipv4Mask(length)))
      else if (length && arp) out.push(fieldMatch(arpField, v, ipv4Mask(length)))
    }
    address(F.ip_src, nwSrc, prefix(NW_SRC_SHIFT), F.arp_spa)
    address(F.ip_dst, nwDst, prefix(NW_DST_SHIFT), F.arp_tpa)
    const tp = ip && has(WILD.NW_PROTO) ? transport(proto) : undefined
    if (tp && has(WILD.TP_SRC)) out.push(fieldMatch(tp[0], tpSrc))
    if (tp && has(WILD.TP_DST)) out.push(fieldMatch(tp[1], tpDst))
  }
  return canonicalMatch(out) ?? fault('OFPBMC_BAD_VALUE')
}

/** Whether ofp_match says all that a match says; else it takes NXM. */
export function fitsMatch10(match: Match): boolean {
  return match.every((m) => {
    const whole = m.mask === m.field.ones
    switch (m.field) {
      case F.in_port:
      case F.eth_src:
      case F.eth_dst:
      case F.eth_type:
      case F.ip_dscp:
      case F.nw_proto:
      case F.tcp_src:
      case F.tcp_dst:
      case F.udp_src:
      case F.udp_dst:
      case F.sctp_src:
      case F.sctp_dst:
      case F.icmp_type:
      case F.icmp_code:
        return whole
      case F.arp_op:
        return m.value < 256n
      case F.vlan_tci:
        return m.mask === 0x1fffn || m.mask === 0xf000n || m.mask === 0xffffn
          ? m.mask === 0xffffn && m.value === 0n
            ? true
            : (m.value & 0x1000n) !== 0n
          : false
      case F.ip_src:
      case F.ip_dst:
      case F.arp_spa:
      case F.arp_tpa:
        return ipv4MaskLength(Number(m.mask)) !== undefined
      default:
        return false
    }
  })
}

export function writeMatch10(w: Writer, match: Match): void {
  let wild = 0x3fffff & ~((0x3f << NW_SRC_SHIFT) | (0x3f << NW_DST_SHIFT))
  const value = (field: Field, bit: number): number => {
    const v = exact(match, field)
    if (v === undefined) return 0
    wild &= ~bit
    return Number(v)
  }
  const inPort = value(F.in_port, WILD.IN_PORT)
  const src = value(F.eth_src, WILD.DL_SRC)
  const dst = value(F.eth_dst, WILD.DL_DST)
  const type = value(F.eth_type, WILD.DL_TYPE)
  const tos = value(F.ip_dscp, WILD.NW_TOS) << 2
  const proto = value(F.nw_proto, WILD.NW_PROTO) || value(F.arp_op, WILD.NW_PROTO) & 0xff
  let vlan = 0
  let pcp = 0
  const tci = find(match, F.vlan_tci)
  if (tci) {
    if (tci.mask === 0xffffn && tci.value === 0n) {
      vlan = NO_VLAN
      wild &= ~WILD.DL_VLAN
    } else {
      if ((tci.mask & 0xfffn) === 0xfffn) {
        vlan = Number(tci.value & 0xfffn)
        wild &= ~WILD.DL_VLAN
      }
      if ((tci.mask & 0xe000n) === 0xe000n) {
        pcp = Number(tci.value >> 13n)
        wild &= ~WILD.DL_VLAN_PCP
      }
    }
  }
  const address = (field: Field, arpField: Field, shift: number): number => {
    const m = find(match, field) ?? find(match, arpField)
    const length = m ? (ipv4MaskLength(Number(m.mask)) ?? 0) : 0
    wild |= (32 - length) << shift
    return m && length ? Number(m.value) : 0
  }
  const nwSrc = address(F.ip_src, F.arp_spa, NW_SRC_SHIFT)
  const nwDst = address(F.ip_dst, F.arp_tpa, NW_DST_SHIFT)
  const tp = transport(proto)
  const tpSrc = tp ? value(tp[0], WILD.TP_SRC) : 0
  const tpDst = tp ? value(tp[1], WILD.TP_DST) : 0
  w.u32(wild >>> 0).u16(inPort)
  w.u48(src).u48(dst).u16(vlan).u8(pcp).u8(0).u16(type).u8(tos).u8(proto).u16(0)
  w.u32(nwSrc).u32(nwDst).u16(tpSrc).u16(tpDst)
}
