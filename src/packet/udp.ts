import { concatBytes, Malformed, parse, type Reader, Writer } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'
import { type Endpoints, fold, pseudoSum, sum16 } from './checksum.ts'
import { IpProto } from './numbers.ts'

/** A UDP datagram (RFC 768). */
export interface Udp {
  /** Source and destination port. */
  readonly src: number
  readonly dst: number
  readonly payload: Uint8Array
  /** The checksum that came, when it was wrong; emitted again as it is. */
  readonly badChecksum?: number
  /** The sender made no checksum (0 on the wire), which IPv4 and tunnels allow (RFC 6935). */
  readonly noChecksum?: true
  /** Bytes of the IP payload behind the datagram. */
  readonly surplus?: Uint8Array
}

/** With `ends` the checksum is verified; without, it is taken for right. */
export function parseUdp(bytes: Uint8Array, ends?: Endpoints): Result<Udp> {
  return parse(bytes, (r) => readUdp(r, ends))
}

export function readUdp(r: Reader, ends?: Endpoints): Udp {
  const start = r.at
  const src = r.u16()
  const dst = r.u16()
  const length = r.u16()
  const sent = r.u16()
  if (length < 8) throw new Malformed(`UDP: length ${length}`)
  const payload = r.take(length - 8)
  const surplus = r.left ? { surplus: r.rest() } : {}
  if (sent === 0) return { src, dst, payload, noChecksum: true, ...surplus }
  if (!ends) return { src, dst, payload, ...surplus }
  const sum = sum16(r.bytes.subarray(start, start + length), pseudoSum(ends, IpProto.udp, length))
  return { src, dst, payload, ...(fold(sum) !== 0xffff && { badChecksum: sent }), ...surplus }
}

export function emitUdp(u: Udp, ends: Endpoints): Uint8Array {
  const w = new Writer(8 + u.payload.length)
  const length = 8 + u.payload.length
  const out = w.u16(u.src).u16(u.dst).u16(length).u16(0).bytes(u.payload).done()
  if (!u.noChecksum) {
    const sum = ~fold(sum16(out, pseudoSum(ends, IpProto.udp, length))) & 0xffff
    w.patch16(6, u.badChecksum ?? (sum || 0xffff))
  }
  return u.surplus ? concatBytes(out, u.surplus) : out
}

export function printUdp(u: Udp): string {
  return `UDP, length ${u.payload.length}${u.badChecksum === undefined ? '' : ' (bad udp cksum)'}`
}
