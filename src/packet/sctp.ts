import { Malformed, parse, type Reader, Writer } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'
import { crc32c } from './checksum.ts'

/** A chunk (RFC 9260 §3.2): its value without the padding to a multiple of four. */
export interface SctpChunk {
  readonly type: number
  readonly flags: number
  readonly value: Uint8Array
  /** The padding that came, when it is not the zeros it should be. */
  readonly padding?: Uint8Array
}

/** An SCTP packet (RFC 9260 §3). */
export interface Sctp {
  /** Source and destination port. */
  readonly src: number
  readonly dst: number
  readonly tag: number
  readonly chunks: readonly SctpChunk[]
  /** The checksum that came, when it was wrong; emitted again as it is. */
  readonly badChecksum?: number
}

export const SctpChunkType = {
  data: 0,
  init: 1,
  initAck: 2,
  sack: 3,
  heartbeat: 4,
  heartbeatAck: 5,
  abort: 6,
  shutdown: 7,
  shutdownAck: 8,
  error: 9,
  cookieEcho: 10,
  cookieAck: 11,
  shutdownComplete: 14,
} as const

export function parseSctp(bytes: Uint8Array): Result<Sctp> {
  return parse(bytes, readSctp)
}

export function readSctp(r: Reader): Sctp {
  const whole = r.bytes.slice(r.at, r.end)
  const src = r.u16()
  const dst = r.u16()
  const tag = r.u32()
  const sent = r.u32()
  const chunks: SctpChunk[] = []
  while (r.left) {
    const type = r.u8()
    const flags = r.u8()
    const length = r.u16()
    if (length < 4) throw new Malformed(`SCTP: chunk length ${length}`)
    const value = r.take(length - 4)
    // The last chunk's padding may be missing.
    const padding = r.take(Math.min(-length & 3, r.left))
    const odd = padding.length !== (-length & 3) || padding.some((b) => b)
    chunks.push({ type, flags, value, ...(odd && { padding }) })
  }
  whole.fill(0, 8, 12)
  const bad = swap32(crc32c(whole)) !== sent
  return { src, dst, tag, chunks, ...(bad && { badChecksum: sent }) }
}

export function emitSctp(s: Sctp): Uint8Array {
  const w = new Writer(64)
  w.u16(s.src).u16(s.dst).u32(s.tag).u32(0)
  for (const c of s.chunks) {
    w.u8(c.type)
      .u8(c.flags)
      .u16(4 + c.value.length)
      .bytes(c.value)
      .bytes(c.padding ?? new Uint8Array(-c.value.length & 3))
  }
  const out = w.done()
  w.patch32(8, s.badChecksum ?? swap32(crc32c(out)))
  return out
}

/** The checksum goes out least significant byte first (RFC 9260 appendix A). */
function swap32(v: number): number {
  return ((v << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24)) >>> 0
}

const NAMES = ['DATA', 'INIT', 'INIT ACK', 'SACK', 'HB REQ', 'HB ACK', 'ABORT', 'SHUTDOWN', 'SHUTDOWN ACK', 'OP ERR']

/** `sctp (1) [INIT]`. */
export function printSctp(s: Sctp): string {
  const bad = s.badChecksum === undefined ? '' : ' (bad sctp cksum)'
  return `sctp${s.chunks.map((c, i) => ` (${i + 1}) [${NAMES[c.type] ?? `chunk ${c.type}`}]`).join('')}${bad}`
}
