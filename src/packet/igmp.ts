import { formatIpv4, type Ipv4 } from '../address/ipv4.ts'
import { parse, type Reader, Writer } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'
import { checksum } from './checksum.ts'

/** A group record of an IGMPv3 report (RFC 3376 §4.2.4). */
export interface IgmpRecord {
  /** 1 is-include, 2 is-exclude, 3 to-include, 4 to-exclude, 5 allow, 6 block. */
  readonly type: number
  readonly group: Ipv4
  readonly sources: readonly Ipv4[]
  readonly auxiliary: Uint8Array
}

interface Common {
  /** Bytes behind what the length fields cover. */
  readonly surplus?: Uint8Array
  readonly badChecksum?: number
}

/** IGMP of versions 1 (RFC 1112), 2 (RFC 2236) and 3 (RFC 3376). */
export type Igmp = Common &
  (
    | {
        /** Query of version 1 or 2, report of 1 or 2, leave, or an unknown type. */
        readonly kind: 'plain'
        readonly type: number
        /** Tenths of a second. */
        readonly maxResponse: number
        readonly group: Ipv4
      }
    | {
        readonly kind: 'query3'
        readonly maxResponse: number
        readonly group: Ipv4
        /** Reserved bits, S flag 0x08, robustness 0x07. */
        readonly flags: number
        /** Querier's query interval code. */
        readonly interval: number
        readonly sources: readonly Ipv4[]
      }
    | { readonly kind: 'report3'; readonly reserved: number; readonly records: readonly IgmpRecord[] }
  )

export const IgmpType = { query: 0x11, report1: 0x12, report2: 0x16, leave: 0x17, report3: 0x22 } as const

export function parseIgmp(bytes: Uint8Array): Result<Igmp> {
  return parse(bytes, readIgmp)
}

export function readIgmp(r: Reader): Igmp {
  const good = checksum(r.bytes.subarray(r.at, r.end)) === 0
  // RFC 3376 §7.1: a query of 12 bytes or more is of version 3.
  const long = r.left >= 12
  const type = r.u8()
  const second = r.u8()
  const sent = r.u16()
  const common = () => ({ ...(r.left && { surplus: r.rest() }), ...(!good && { badChecksum: sent }) })
  if (type === IgmpType.report3) {
    const reserved = second * 0x10000 + r.u16()
    const records = Array.from({ length: r.u16() }, () => readRecord(r))
    return { kind: 'report3', reserved, records, ...common() }
  }
  const group = r.u32()
  if (type === IgmpType.query && long) {
    const flags = r.u8()
    const interval = r.u8()
    const sources = readAddresses(r, r.u16())
    return { kind: 'query3', maxResponse: second, group, flags, interval, sources, ...common() }
  }
  return { kind: 'plain', type, maxResponse: second, group, ...common() }
}

function readRecord(r: Reader): IgmpRecord {
  const type = r.u8()
  const auxiliaryWords = r.u8()
  const count = r.u16()
  const group = r.u32()
  return { type, group, sources: readAddresses(r, count), auxiliary: r.take(4 * auxiliaryWords) }
}

function readAddresses(r: Reader, count: number): Ipv4[] {
  const sub = r.sub(4 * count)
  return Array.from({ length: count }, () => sub.u32())
}

export function emitIgmp(m: Igmp): Uint8Array {
  const w = new Writer(16)
  switch (m.kind) {
    case 'plain':
      w.u8(m.type).u8(m.maxResponse).u16(0).u32(m.group)
      break
    case 'query3':
      w.u8(IgmpType.query).u8(m.maxResponse).u16(0).u32(m.group)
      w.u8(m.flags).u8(m.interval).u16(m.sources.length)
      for (const s of m.sources) w.u32(s)
      break
    case 'report3':
      w.u8(IgmpType.report3)
        .u8(m.reserved >>> 16)
        .u16(0)
        .u16(m.reserved & 0xffff)
        .u16(m.records.length)
      for (const g of m.records) {
        w.u8(g.type)
          .u8(g.auxiliary.length >>> 2)
          .u16(g.sources.length)
          .u32(g.group)
        for (const s of g.sources) w.u32(s)
        w.bytes(g.auxiliary)
      }
  }
  const out = w.bytes(m.surplus ?? new Uint8Array(0)).done()
  w.patch16(2, m.badChecksum ?? checksum(out))
  return out
}

export function printIgmp(m: Igmp): string {
  switch (m.kind) {
    case 'query3':
      return `igmp query v3${m.group ? ` [gaddr ${formatIpv4(m.group)}]` : ''}`
    case 'report3': {
      const records = m.records.map(
        (g) => ` [gaddr ${formatIpv4(g.group)}, type ${g.type}, ${g.sources.length} source(s)]`,
      )
      return `igmp v3 report, ${m.records.length} group record(s)${records.join('')}`
    }
    case 'plain':
      switch (m.type) {
        case IgmpType.query:
          return `igmp query ${m.maxResponse ? 'v2' : 'v1'}${m.group ? ` [gaddr ${formatIpv4(m.group)}]` : ''}`
        case IgmpType.report1:
          return `igmp v1 report ${formatIpv4(m.group)}`
        case IgmpType.report2:
          return `igmp v2 report ${formatIpv4(m.group)}`
        case IgmpType.leave:
          return `igmp leave ${formatIpv4(m.group)}`
        default:
          return `igmp-${m.type}`
      }
  }
}
