import { formatIpv4, type Ipv4 } from '../address/ipv4.ts'
import { Malformed, parse, type Reader, Writer } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'
import { checksum } from './checksum.ts'

/** An IPv4 packet (RFC 791 §3.1). Lengths and checksum follow from the rest. */
export interface IpPacket4 {
  /** DSCP (upper 6 bits) and ECN (lower 2). */
  readonly tos: number
  readonly id: number
  /** Don't fragment. */
  readonly df: boolean
  /** More fragments. */
  readonly mf: boolean
  /** The bit that must be zero (RFC 791), kept as it came. */
  readonly reserved?: true
  /** Where this fragment's payload lies in the whole one, in bytes (a multiple of 8). */
  readonly offset: number
  readonly ttl: number
  readonly protocol: number
  readonly src: Ipv4
  readonly dst: Ipv4
  /** Options as they are on the wire, padded to a multiple of 4. */
  readonly options: Uint8Array
  readonly payload: Uint8Array
  /** The checksum that came, when it was wrong; emitted again as it is. */
  readonly badChecksum?: number
}

const NO_BYTES = new Uint8Array(0)

/** A whole packet with the usual defaults: ttl 64, don't fragment. */
export function ipv4(p: Pick<IpPacket4, 'src' | 'dst' | 'protocol' | 'payload'> & Partial<IpPacket4>): IpPacket4 {
  return { tos: 0, id: 0, df: true, mf: false, offset: 0, ttl: 64, options: NO_BYTES, ...p }
}

export function isFragment4(p: IpPacket4): boolean {
  return p.mf || p.offset !== 0
}

export function parseIpv4Packet(bytes: Uint8Array): Result<IpPacket4> {
  return parse(bytes, readIpv4)
}

/** Takes the packet's total length from the reader: what is left behind is link padding. */
export function readIpv4(r: Reader): IpPacket4 {
  const start = r.at
  const first = r.u8()
  if (first >>> 4 !== 4) throw new Malformed(`IPv4: version ${first >>> 4}`)
  const headerLength = (first & 15) * 4
  if (headerLength < 20) throw new Malformed(`IPv4: header length ${headerLength}`)
  const tos = r.u8()
  const total = r.u16()
  if (total < headerLength) throw new Malformed(`IPv4: total length ${total}, header length ${headerLength}`)
  const id = r.u16()
  const flags = r.u16()
  const ttl = r.u8()
  const protocol = r.u8()
  const sent = r.u16()
  const src = r.u32()
  const dst = r.u32()
  const options = r.take(headerLength - 20)
  const payload = r.take(total - headerLength)
  const good = checksum(r.bytes.subarray(start, start + headerLength)) === 0
  return {
    tos,
    id,
    df: (flags & 0x4000) !== 0,
    mf: (flags & 0x2000) !== 0,
    ...(flags & 0x8000 && { reserved: true as const }),
    offset: (flags & 0x1fff) * 8,
    ttl,
    protocol,
    src,
    dst,
    options,
    payload,
    ...(!good && { badChecksum: sent }),
  }
}

export function emitIpv4(p: IpPacket4): Uint8Array {
  const w = new Writer(20 + p.options.length + p.payload.length + 3)
  const flags = (p.reserved ? 0x8000 : 0) | (p.df ? 0x4000 : 0) | (p.mf ? 0x2000 : 0) | (p.offset >>> 3)
  w.u8(0).u8(p.tos).u16(0).u16(p.id).u16(flags).u8(p.ttl).u8(p.protocol).u16(0).u32(p.src).u32(p.dst)
  w.bytes(p.options).align(4)
  const headerLength = w.length
  w.bytes(p.payload)
  const out = w.done()
  out[0] = 0x40 | (headerLength >>> 2)
  w.patch16(2, out.length)
  w.patch16(10, p.badChecksum ?? checksum(out.subarray(0, headerLength)))
  return out
}

/** One IPv4 option (RFC 791 §3.1); kinds 0 (end) and 1 (no operation) have no data. */
export interface Ipv4Option {
  readonly kind: number
  readonly data: Uint8Array
}

/** The options up to the end of the list; a broken rest is left out. */
export function ipv4Options(options: Uint8Array): Ipv4Option[] {
  const out: Ipv4Option[] = []
  let at = 0
  while (at < options.length) {
    const kind = options[at] as number
    if (kind === 0) break
    if (kind === 1) {
      out.push({ kind, data: NO_BYTES })
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

/** The router alert option (RFC 2113), as IGMP needs it. */
export const ROUTER_ALERT4: Uint8Array = Uint8Array.of(0x94, 4, 0, 0)

/** `10.0.0.1 > 10.0.0.2`, with what is unusual about the header. */
export function printIpv4(p: IpPacket4): string {
  const notes: string[] = []
  if (isFragment4(p)) notes.push(`frag ${p.id}:${p.payload.length}@${p.offset}${p.mf ? '+' : ''}`)
  if (p.badChecksum !== undefined) notes.push('bad cksum')
  return `${formatIpv4(p.src)} > ${formatIpv4(p.dst)}${notes.length ? ` (${notes.join(', ')})` : ''}`
}
