import { concatBytes, Malformed, parse } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'

/** A captured frame: when, in milliseconds since 1970 (fractions too), and the bytes kept of it. */
export interface Captured {
  readonly time: number
  readonly frame: Uint8Array
  /** Bytes it had on the wire, when fewer were kept. */
  readonly length?: number
}

/** Ethernet, in the registry of link types. */
const LINKTYPE_ETHERNET = 1
const MICROSECONDS = 0xa1b2c3d4
const NANOSECONDS = 0xa1b23c4d

/** The 24 bytes in front of a classic capture file, little endian, microseconds. */
export function pcapHeader(snapLength = 262144): Uint8Array {
  const v = new DataView(new ArrayBuffer(24))
  v.setUint32(0, MICROSECONDS, true)
  v.setUint16(4, 2, true)
  v.setUint16(6, 4, true)
  v.setUint32(16, snapLength, true)
  v.setUint32(20, LINKTYPE_ETHERNET, true)
  return new Uint8Array(v.buffer)
}

/** One frame's record; may be appended to a file that begins with `pcapHeader`. */
export function pcapRecord(c: Captured): Uint8Array {
  const out = new Uint8Array(16 + c.frame.length)
  const v = new DataView(out.buffer)
  const micros = Math.round(c.time * 1000)
  v.setUint32(0, Math.floor(micros / 1e6), true)
  v.setUint32(4, micros % 1e6, true)
  v.setUint32(8, c.frame.length, true)
  v.setUint32(12, c.length ?? c.frame.length, true)
  out.set(c.frame, 16)
  return out
}

export function emitPcap(frames: Iterable<Captured>): Uint8Array {
  return concatBytes(pcapHeader(), ...Array.from(frames, pcapRecord))
}

/** Frames of a classic capture file of either byte order and resolution; a cut last record is left out. */
export function parsePcap(bytes: Uint8Array): Result<Captured[]> {
  return parse(bytes, (r) => {
    const header = r.take(24)
    const v = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const little = v.getUint32(0, true) === MICROSECONDS || v.getUint32(0, true) === NANOSECONDS
    const magic = v.getUint32(0, little)
    if (magic !== MICROSECONDS && magic !== NANOSECONDS) throw new Malformed('pcap: not a capture file')
    const link = new DataView(header.buffer, header.byteOffset).getUint32(20, little) & 0xffff
    if (link !== LINKTYPE_ETHERNET) throw new Malformed(`pcap: link type ${link} is not Ethernet`)
    const perMilli = magic === MICROSECONDS ? 1e3 : 1e6
    const out: Captured[] = []
    while (r.left >= 16) {
      const at = r.at
      r.skip(16)
      const kept = v.getUint32(at + 8, little)
      if (kept > r.left) break
      const length = v.getUint32(at + 12, little)
      const time = v.getUint32(at, little) * 1000 + v.getUint32(at + 4, little) / perMilli
      out.push({ time, frame: r.take(kept), ...(length !== kept && { length }) })
    }
    return out
  })
}
