import { Malformed, parse, type Reader, Writer } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'
import { type Endpoints, transportChecksum } from './checksum.ts'
import { IpProto } from './numbers.ts'

/** A TCP segment (RFC 9293 §3.1). */
export interface Tcp {
  /** Source and destination port. */
  readonly src: number
  readonly dst: number
  readonly seq: number
  readonly ack: number
  /** The twelve bits behind the data offset: 9 flags, 3 reserved bits in front. */
  readonly flags: number
  readonly window: number
  readonly urgent: number
  /** Options as they are on the wire, padded to a multiple of 4. */
  readonly options: Uint8Array
  readonly payload: Uint8Array
  readonly badChecksum?: number
}

export const TcpFlag = {
  fin: 0x001,
  syn: 0x002,
  rst: 0x004,
  psh: 0x008,
  ack: 0x010,
  urg: 0x020,
  ece: 0x040,
  cwr: 0x080,
  ns: 0x100,
} as const

/** With `ends` the checksum is verified; without, it is taken for right. */
export function parseTcp(bytes: Uint8Array, ends?: Endpoints): Result<Tcp> {
  return parse(bytes, (r) => readTcp(r, ends))
}

export function readTcp(r: Reader, ends?: Endpoints): Tcp {
  const whole = r.bytes.subarray(r.at, r.end)
  const src = r.u16()
  const dst = r.u16()
  const seq = r.u32()
  const ack = r.u32()
  const offsetAndFlags = r.u16()
  const headerLength = (offsetAndFlags >>> 12) * 4
  if (headerLength < 20) throw new Malformed(`TCP: header length ${headerLength}`)
  const window = r.u16()
  const sent = r.u16()
  const urgent = r.u16()
  const options = r.take(headerLength - 20)
  const bad = ends !== undefined && transportChecksum(ends, IpProto.tcp, whole) !== 0
  return {
    src,
    dst,
    seq,
    ack,
    flags: offsetAndFlags & 0xfff,
    window,
    urgent,
    options,
    payload: r.rest(),
    ...(bad && { badChecksum: sent }),
  }
}

export function emitTcp(t: Tcp, ends: Endpoints): Uint8Array {
  const w = new Writer(24 + t.options.length + t.payload.length)
  w.u16(t.src).u16(t.dst).u32(t.seq).u32(t.ack).u16(0).u16(t.window).u16(0).u16(t.urgent)
  w.bytes(t.options).align(4)
  const headerLength = w.length
  const out = w.bytes(t.payload).done()
  w.patch16(12, ((headerLength >>> 2) << 12) | (t.flags & 0xfff))
  w.patch16(16, t.badChecksum ?? transportChecksum(ends, IpProto.tcp, out))
  return out
}

/** One TCP option (RFC 9293 §3.2); kinds 0 and 1 have no data. */
export interface TcpOption {
  readonly kind: number
  readonly data: Uint8Array
}

export const TcpOptionKind = { end: 0, nop: 1, mss: 2, windowScale: 3, sackPermitted: 4, timestamps: 8 } as const

/** The options up to the end of the list; a broken rest is left out. */
export function tcpOptions(options: Uint8Array): TcpOption[] {
  const out: TcpOption[] = []
  let at = 0
  while (at < options.length) {
    const kind = options[at] as number
    if (kind === TcpOptionKind.end) break
    if (kind === TcpOptionKind.nop) {
      out.push({ kind, data: new Uint8Array(0) })
      at++
      continue
    }
    const length = options[at + 1]
    if (length === undefined || length < 2 || at + length > options.length) break
    out.push({ kind, data: options.subarray(at + 2, at + length) })
    at += length
  }
  return out
}

export function emitTcpOptions(options: readonly TcpOption[]): Uint8Array {
  const w = new Writer(40)
  for (const o of options) {
    w.u8(o.kind)
    if (o.kind > TcpOptionKind.nop) w.u8(2 + o.data.length).bytes(o.data)
  }
  return w.align(4).done()
}

/** The maximum segment size a SYN announces, or undefined. */
export function tcpMss(t: Tcp): number | undefined {
  const data = tcpOptions(t.options).find((o) => o.kind === TcpOptionKind.mss)?.data
  return data?.length === 2 ? ((data[0] as number) << 8) | (data[1] as number) : undefined
}

const LETTERS: readonly (readonly [number, string])[] = [
  [TcpFlag.syn, 'S'],
  [TcpFlag.fin, 'F'],
  [TcpFlag.rst, 'R'],
  [TcpFlag.psh, 'P'],
  [TcpFlag.urg, 'U'],
  [TcpFlag.ece, 'E'],
  [TcpFlag.cwr, 'W'],
  [TcpFlag.ack, '.'],
]

/** `Flags [S.], seq 1, ack 2, win 65535, length 0`. */
export function printTcp(t: Tcp): string {
  const flags = LETTERS.map(([bit, letter]) => (t.flags & bit ? letter : '')).join('') || 'none'
  const length = t.payload.length
  const seq = length || t.flags & (TcpFlag.syn | TcpFlag.fin | TcpFlag.rst) ? `, seq ${t.seq}` : ''
  const range = length ? `:${(t.seq + length) >>> 0}` : ''
  const ack = t.flags & TcpFlag.ack ? `, ack ${t.ack}` : ''
  const bad = t.badChecksum === undefined ? '' : ' (bad tcp cksum)'
  return `Flags [${flags}]${seq}${range}${ack}, win ${t.window}, length ${length}${bad}`
}
