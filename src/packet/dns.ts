import { formatIpv4, type Ipv4 } from '../address/ipv4.ts'
import { formatIpv6 } from '../address/ipv6.ts'
import { Malformed, parse, Reader, toHex, Writer } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'

/** A question (RFC 1035 §4.1.2). Names are texts without a dot at the end; the root is ''. */
export interface DnsQuestion {
  readonly name: string
  readonly type: number
  readonly class: number
}

/** A resource record (RFC 1035 §4.1.3). Names within `data` are written out, not compressed. */
export interface DnsRecord extends DnsQuestion {
  /** Seconds. */
  readonly ttl: number
  readonly data: Uint8Array
}

/** A DNS message (RFC 1035 §4.1). */
export interface Dns {
  readonly id: number
  /** QR 0x8000, opcode 0x7800, AA 0x0400, TC 0x0200, RD 0x0100, RA 0x0080, response code 0x000f. */
  readonly flags: number
  readonly questions: readonly DnsQuestion[]
  readonly answers: readonly DnsRecord[]
  readonly authorities: readonly DnsRecord[]
  readonly additionals: readonly DnsRecord[]
}

export const DnsType = {
  a: 1,
  ns: 2,
  cname: 5,
  soa: 6,
  ptr: 12,
  mx: 15,
  txt: 16,
  aaaa: 28,
  srv: 33,
  opt: 41,
  any: 255,
} as const
export const DnsFlag = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursion: 0x0100,
  available: 0x0080,
} as const
export const DnsCode = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
} as const

export function parseDns(bytes: Uint8Array): Result<Dns> {
  return parse(bytes, readDns)
}

export function readDns(r: Reader): Dns {
  const start = r.at
  const id = r.u16()
  const flags = r.u16()
  const counts = [r.u16(), r.u16(), r.u16(), r.u16()] as const
  // Before anything is read: no message can hold more entries than a fifth of its bytes.
  const total = counts[0] + counts[1] + counts[2] + counts[3]
  if (total * 5 > r.left) throw new Malformed(`DNS: ${total} entries in ${r.left} bytes`)
  const question = (): DnsQuestion => ({ name: readDnsName(r, start), type: r.u16(), class: r.u16() })
  const record = (): DnsRecord => {
    const q = question()
    const ttl = r.u32()
    return { ...q, ttl, data: readData(r.sub(r.u16()), q.type, start) }
  }
  const many = <T>(n: number, one: () => T) => Array.from({ length: n }, one)
  return {
    id,
    flags,
    questions: many(counts[0], question),
    answers: many(counts[1], record),
    authorities: many(counts[2], record),
    additionals: many(counts[3], record),
  }
}

/** Bytes in front of the names in a type's data, and how many names follow (RFC 1035 §3.3). */
const NAMES_IN_DATA = new Map<number, readonly [number, number]>([
  [DnsType.ns, [0, 1]],
  [DnsType.cname, [0, 1]],
  [DnsType.ptr, [0, 1]],
  [DnsType.mx, [2, 1]],
  [DnsType.soa, [0, 2]],
])

function readData(r: Reader, type: number, start: number): Uint8Array {
  const layout = NAMES_IN_DATA.get(type)
  if (!layout || r.left === 0) return r.rest()
  const w = new Writer(64).bytes(r.take(layout[0]))
  for (let i = 0; i < layout[1]; i++) writeDnsName(w, readDnsName(r, start))
  return w.bytes(r.rest()).done()
}

/**
 * A name at the reader; pointers count from `start`. Each pointer must lead back behind the one
 * before it, so no message makes it loop. Dots and backslashes within a label are escaped (RFC 1035 §5.1).
 */
export function readDnsName(r: Reader, start: number): string {
  const labels: string[] = []
  let total = 1
  let cursor = r
  let limit = r.at
  for (;;) {
    const length = cursor.u8()
    if (length === 0) break
    if (length >= 0xc0) {
      const target = start + (((length & 0x3f) << 8) | cursor.u8())
      if (target >= limit) throw new Malformed('DNS: a name points forward')
      limit = target
      cursor = new Reader(r.bytes, target, r.end)
      continue
    }
    if (length > 63) throw new Malformed(`DNS: label type 0x${(length & 0xc0).toString(16)}`)
    total += 1 + length
    if (total > 255) throw new Malformed('DNS: a name longer than 255 bytes')
    labels.push(escapeLabel(cursor.take(length)))
  }
  return labels.join('.')
}

function escapeLabel(bytes: Uint8Array): string {
  let s = ''
  for (const b of bytes) {
    if (b === 0x2e || b === 0x5c) s += `\\${String.fromCharCode(b)}`
    else if (b > 0x20 && b < 0x7f) s += String.fromCharCode(b)
    else s += `\\${b.toString().padStart(3, '0')}`
  }
  return s
}

/** The labels of a name, first to last; too long ones are cut to 63 bytes. */
function labelsOf(name: string): number[][] {
  const labels: number[][] = [[]]
  for (let i = 0; i < name.length; i++) {
    const label = labels[labels.length - 1] as number[]
    const c = name.charCodeAt(i)
    if (c === 0x2e) labels.push([])
    else if (c !== 0x5c) label.push(...new TextEncoder().encode(name[i]))
    else if (/^[0-9]{3}$/.test(name.slice(i + 1, i + 4))) {
      label.push(Number(name.slice(i + 1, i + 4)) & 0xff)
      i += 3
    } else {
      i++
      if (i < name.length) label.push(name.charCodeAt(i) & 0xff)
    }
  }
  return labels.filter((l) => l.length).map((l) => l.slice(0, 63))
}

/**
 * Writes a name, whole, or with `known` (suffix to offset) as far as no suffix of it was written
 * before, then a pointer (RFC 1035 §4.1.4). Offsets count from the start of the writer.
 */
export function writeDnsName(w: Writer, name: string, known?: Map<string, number>): void {
  const labels = labelsOf(name)
  for (let i = 0; i < labels.length; i++) {
    if (known) {
      const suffix = labels
        .slice(i)
        .map((l) => toHex(Uint8Array.from(l)))
        .join('.')
        .toLowerCase()
      const at = known.get(suffix)
      if (at !== undefined) {
        w.u16(0xc000 | at)
        return
      }
      if (w.length < 0x4000) known.set(suffix, w.length)
    }
    const label = labels[i] as number[]
    w.u8(label.length).bytes(Uint8Array.from(label))
  }
  w.u8(0)
}

/** Names of questions and owners are compressed, names within data are not. */
export function emitDns(d: Dns): Uint8Array {
  const w = new Writer(256)
  const known = new Map<string, number>()
  w.u16(d.id).u16(d.flags)
  w.u16(d.questions.length).u16(d.answers.length).u16(d.authorities.length).u16(d.additionals.length)
  const question = (q: DnsQuestion) => {
    writeDnsName(w, q.name, known)
    w.u16(q.type).u16(q.class)
  }
  d.questions.forEach(question)
  for (const section of [d.answers, d.authorities, d.additionals]) {
    for (const r of section) {
      question(r)
      w.u32(r.ttl).u16(r.data.length).bytes(r.data)
    }
  }
  return w.done()
}

export function dnsQuery(id: number, name: string, type: number): Dns {
  return {
    id,
    flags: DnsFlag.recursion,
    questions: [{ name, type, class: 1 }],
    answers: [],
    authorities: [],
    additionals: [],
  }
}

/** The name to ask for the name of an IPv4 address (RFC 1035 §3.5). */
export function reverseName4(ip: Ipv4): string {
  return `${formatIpv4(ip).split('.').reverse().join('.')}.in-addr.arpa`
}

const TYPE_NAMES = new Map(Object.entries(DnsType).map(([name, n]) => [n as number, name.toUpperCase()]))

function printRecord(r: DnsRecord): string {
  const type = TYPE_NAMES.get(r.type) ?? `Type${r.type}`
  if (r.type === DnsType.a && r.data.length === 4) return `A ${formatIpv4(new Reader(r.data).u32())}`
  if (r.type === DnsType.aaaa && r.data.length === 16) return `AAAA ${formatIpv6(new Reader(r.data).u128())}`
  if (NAMES_IN_DATA.get(r.type)?.[1] === 1) {
    const name = parse(r.data.subarray(NAMES_IN_DATA.get(r.type)?.[0]), (d) => readDnsName(d, 0))
    if (name.ok) return `${type} ${name.value}.`
  }
  return type
}

const CODES = ['', ' FormErr', ' ServFail', ' NXDomain', ' NotImp', ' Refused']

/** `1+ A? vm1.ovn.org.` and `1* 1/0/0 A 10.0.0.4`. */
export function printDns(d: Dns): string {
  if (!(d.flags & DnsFlag.response)) {
    const recursion = d.flags & DnsFlag.recursion ? '+' : ''
    return `${d.id}${recursion}${d.questions.map((q) => ` ${TYPE_NAMES.get(q.type) ?? `Type${q.type}`}? ${q.name}.`).join('')}`
  }
  const star = d.flags & DnsFlag.authoritative ? '*' : ''
  const code = CODES[d.flags & 15] ?? ` code ${d.flags & 15}`
  const counts = `${d.answers.length}/${d.authorities.length}/${d.additionals.length}`
  const records = d.answers.map(printRecord).join(', ')
  return `${d.id}${star}${code} ${counts}${records ? ` ${records}` : ''}`
}
