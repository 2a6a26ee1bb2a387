import { formatIpv6, type Ipv6 } from '../address/ipv6.ts'
import { Malformed, parse, Reader, Writer } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'
import { IpProto } from './numbers.ts'

/** An extension header (RFC 8200 §4): its number and all of it behind the next-header byte. */
export interface Extension6 {
  readonly type: number
  readonly data: Uint8Array
}

/** An IPv6 packet (RFC 8200 §3). The payload length follows from the rest. */
export interface IpPacket6 {
  /** DSCP (upper 6 bits) and ECN (lower 2). */
  readonly trafficClass: number
  readonly flowLabel: number
  readonly hopLimit: number
  readonly src: Ipv6
  readonly dst: Ipv6
  readonly extensions: readonly Extension6[]
  /** What the payload is: the last next-header number. */
  readonly protocol: number
  readonly payload: Uint8Array
}

/** A whole packet with the usual defaults: hop limit 64, no extensions. */
export function ipv6(p: Pick<IpPacket6, 'src' | 'dst' | 'protocol' | 'payload'> & Partial<IpPacket6>): IpPacket6 {
  return { trafficClass: 0, flowLabel: 0, hopLimit: 64, extensions: [], ...p }
}

/** The fragment header's contents (RFC 8200 §4.5). */
export interface Fragment6 {
  /** In bytes, a multiple of 8. */
  readonly offset: number
  readonly more: boolean
  readonly id: number
}

const EXTENSIONS: ReadonlySet<number> = new Set([
  IpProto.hopByHop,
  IpProto.routing,
  IpProto.fragment,
  IpProto.ah,
  IpProto.destination,
])

export function parseIpv6Packet(bytes: Uint8Array): Result<IpPacket6> {
  return parse(bytes, readIpv6)
}

/** Takes the packet's length from the reader: what is left behind is link padding. */
export function readIpv6(r: Reader): IpPacket6 {
  const first = r.u32()
  if (first >>> 28 !== 6) throw new Malformed(`IPv6: version ${first >>> 28}`)
  const length = r.u16()
  let protocol = r.u8()
  const hopLimit = r.u8()
  const src = r.u128()
  const dst = r.u128()
  const body = r.sub(length)
  const extensions: Extension6[] = []
  while (EXTENSIONS.has(protocol)) {
    const type = protocol
    protocol = body.u8()
    const data = body.take(extensionLength(type, body) - 1)
    extensions.push({ type, data })
    // Behind a later fragment's header comes the middle of a payload, not another header.
    if (type === IpProto.fragment && readFragment6(data).offset !== 0) break
  }
  return {
    trafficClass: (first >>> 20) & 0xff,
    flowLabel: first & 0xfffff,
    hopLimit,
    src,
    dst,
    extensions,
    protocol,
    payload: body.rest(),
  }
}

/** Bytes of the whole extension header, `body` standing at its second byte. */
function extensionLength(type: number, body: Reader): number {
  if (type === IpProto.fragment) return 8
  const units = new Reader(body.bytes, body.at, body.end).u8()
  // RFC 4302 §2.2: AH counts in words of 4 bytes, less 2.
  return type === IpProto.ah ? (units + 2) * 4 : (units + 1) * 8
}

export function emitIpv6(p: IpPacket6): Uint8Array {
  const w = new Writer(64 + p.payload.length)
  w.u32((0x60000000 | (p.trafficClass << 20) | p.flowLabel) >>> 0)
  w.u16(0)
  w.u8(p.extensions[0]?.type ?? p.protocol)
  w.u8(p.hopLimit)
  w.u128(p.src).u128(p.dst)
  p.extensions.forEach((e, i) => {
    w.u8(p.extensions[i + 1]?.type ?? p.protocol).bytes(e.data)
  })
  w.bytes(p.payload)
  w.patch16(4, w.length - 40)
  return w.done()
}

function readFragment6(data: Uint8Array): Fragment6 {
  const r = new Reader(data)
  r.u8()
  const word = r.u16()
  return { offset: word & 0xfff8, more: (word & 1) !== 0, id: r.u32() }
}

/** What a packet's fragment header says, or undefined without one. */
export function fragment6(p: IpPacket6): Fragment6 | undefined {
  const header = p.extensions.find((e) => e.type === IpProto.fragment)
  return header && readFragment6(header.data)
}

export function isFragment6(p: IpPacket6): boolean {
  const f = fragment6(p)
  return f !== undefined && (f.more || f.offset !== 0)
}

export function fragmentExtension(f: Fragment6): Extension6 {
  const w = new Writer(7)
  w.u8(0)
    .u16(f.offset | (f.more ? 1 : 0))
    .u32(f.id)
  return { type: IpProto.fragment, data: w.done() }
}

/** Hop-by-hop options with the router alert for MLD (RFC 2711 §2.1). */
export const ROUTER_ALERT6: Extension6 = {
  type: IpProto.hopByHop,
  data: Uint8Array.of(0, 5, 2, 0, 0, 1, 0),
}

/** `fd00::1 > fd00::2`, with what is unusual about the header. */
export function printIpv6(p: IpPacket6): string {
  const f = fragment6(p)
  const note = f ? ` (frag 0x${f.id.toString(16).padStart(8, '0')}:${f.offset}|${p.payload.length})` : ''
  return `${formatIpv6(p.src)} > ${formatIpv6(p.dst)}${note}`
}
