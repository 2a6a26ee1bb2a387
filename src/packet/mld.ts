import { formatIpv6, type Ipv6 } from '../address/ipv6.ts'
import { parse, type Reader, Writer } from '../base/bytes.ts'
import { err, type Result } from '../base/result.ts'
import { type Icmp6, Icmp6Type } from './icmp6.ts'

/** A group record of a version 2 report (RFC 3810 §5.2). */
export interface MldRecord {
  /** 1 is-include, 2 is-exclude, 3 to-include, 4 to-exclude, 5 allow, 6 block. */
  readonly type: number
  readonly group: Ipv6
  readonly sources: readonly Ipv6[]
  readonly auxiliary: Uint8Array
}

interface Common {
  /** The 16 bits that must be zero: behind the maximum response, before the record count. */
  readonly reserved?: number
  /** Bytes behind what the length fields cover. */
  readonly surplus?: Uint8Array
}

/** Multicast listener discovery of versions 1 (RFC 2710) and 2 (RFC 3810). */
export type Mld = Common &
  (
    | {
        /** Query of version 1, report, or done. */
        readonly kind: 'query1' | 'report1' | 'done'
        /** Milliseconds. */
        readonly maxResponse: number
        readonly group: Ipv6
      }
    | {
        readonly kind: 'query2'
        /** Maximum response code, a floating-point number above 32767 (RFC 3810 §5.1.3). */
        readonly maxResponse: number
        readonly group: Ipv6
        /** Reserved bits, S flag 0x08, robustness 0x07. */
        readonly flags: number
        readonly interval: number
        readonly sources: readonly Ipv6[]
      }
    | { readonly kind: 'report2'; readonly records: readonly MldRecord[] }
  )

export function isMld(m: Icmp6): boolean {
  return (m.type >= Icmp6Type.mldQuery && m.type <= Icmp6Type.mldDone) || m.type === Icmp6Type.mld2Report
}

export function parseMld(m: Icmp6): Result<Mld> {
  if (!isMld(m)) return err(`MLD: ICMPv6 type ${m.type}`)
  return parse(m.payload, (r) => readMld(m, r))
}

function readMld(m: Icmp6, r: Reader): Mld {
  const reserved = m.type === Icmp6Type.mld2Report ? m.rest >>> 16 : m.rest & 0xffff
  const common = () => ({ ...(reserved && { reserved }), ...(r.left && { surplus: r.rest() }) })
  if (m.type === Icmp6Type.mld2Report) {
    const records = Array.from({ length: m.rest & 0xffff }, () => readRecord(r))
    return { kind: 'report2', records, ...common() }
  }
  const maxResponse = m.rest >>> 16
  // RFC 3810 §8.1: a query of 28 bytes or more is of version 2.
  const long = r.left >= 20
  const group = r.u128()
  if (m.type === Icmp6Type.mldQuery && long) {
    const flags = r.u8()
    const interval = r.u8()
    const sources = readAddresses(r, r.u16())
    return { kind: 'query2', maxResponse, group, flags, interval, sources, ...common() }
  }
  const kind = m.type === Icmp6Type.mldQuery ? 'query1' : m.type === Icmp6Type.mldReport ? 'report1' : 'done'
  return { kind, maxResponse, group, ...common() }
}

function readRecord(r: Reader): MldRecord {
  const type = r.u8()
  const auxiliaryWords = r.u8()
  const count = r.u16()
  const group = r.u128()
  return { type, group, sources: readAddresses(r, count), auxiliary: r.take(4 * auxiliaryWords) }
}

function readAddresses(r: Reader, count: number): Ipv6[] {
  const sub = r.sub(16 * count)
  return Array.from({ length: count }, () => sub.u128())
}

const ICMP_TYPE = {
  query1: Icmp6Type.mldQuery,
  query2: Icmp6Type.mldQuery,
  report1: Icmp6Type.mldReport,
  done: Icmp6Type.mldDone,
  report2: Icmp6Type.mld2Report,
} as const

/** The ICMPv6 message; its packet has hop limit 1 and the router alert option (RFC 3810 §5). */
export function mldMessage(mld: Mld): Icmp6 {
  const w = new Writer(64)
  const reserved = mld.reserved ?? 0
  let rest: number
  if (mld.kind === 'report2') {
    rest = ((reserved << 16) | mld.records.length) >>> 0
    for (const g of mld.records) {
      w.u8(g.type)
        .u8(g.auxiliary.length >>> 2)
        .u16(g.sources.length)
        .u128(g.group)
      for (const s of g.sources) w.u128(s)
      w.bytes(g.auxiliary)
    }
  } else {
    rest = ((mld.maxResponse << 16) | reserved) >>> 0
    w.u128(mld.group)
    if (mld.kind === 'query2') {
      w.u8(mld.flags).u8(mld.interval).u16(mld.sources.length)
      for (const s of mld.sources) w.u128(s)
    }
  }
  w.bytes(mld.surplus ?? new Uint8Array(0))
  return { type: ICMP_TYPE[mld.kind], code: 0, rest, payload: w.done() }
}

export function printMld(m: Mld): string {
  switch (m.kind) {
    case 'report2': {
      const records = m.records.map(
        (g) => ` [gaddr ${formatIpv6(g.group)}, type ${g.type}, ${g.sources.length} source(s)]`,
      )
      return `multicast listener report v2, ${m.records.length} group record(s)${records.join('')}`
    }
    case 'query1':
    case 'query2':
      return `multicast listener query v${m.kind === 'query1' ? 1 : 2}, gaddr ${formatIpv6(m.group)}`
    case 'report1':
      return `multicast listener report, addr ${formatIpv6(m.group)}`
    case 'done':
      return `multicast listener done, addr ${formatIpv6(m.group)}`
  }
}
