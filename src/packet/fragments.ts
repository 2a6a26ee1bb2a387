import type { Ip } from '../address/ip.ts'
import { type IpPacket4, ipv4Options } from './ipv4.ts'
import { type Extension6, fragment6, fragmentExtension, type IpPacket6 } from './ipv6.ts'
import { IpProto } from './numbers.ts'

/** Options of a first fragment that go into the later ones too: those with the copied bit (RFC 791 §3.1). */
function copiedOptions(options: Uint8Array): Uint8Array {
  const kept = ipv4Options(options).filter((o) => o.kind & 0x80)
  const bytes = kept.flatMap((o) => [o.kind, o.data.length + 2, ...o.data])
  while (bytes.length % 4) bytes.push(0)
  return Uint8Array.from(bytes)
}

/**
 * A packet as fragments of at most `mtu` bytes each (RFC 791 §3.2), itself when it fits. Whether it
 * may be fragmented (DF) is for the caller to know.
 */
export function fragmentIpv4(p: IpPacket4, mtu: number): IpPacket4[] {
  if (20 + p.options.length + p.payload.length <= mtu) return [p]
  const out: IpPacket4[] = []
  let options = p.options
  let at = 0
  while (at < p.payload.length) {
    const room = (mtu - 20 - options.length) & ~7
    if (room <= 0) return []
    const payload = p.payload.subarray(at, at + room)
    const last = at + payload.length >= p.payload.length
    out.push({ ...p, options, offset: p.offset + at, mf: p.mf || !last, payload })
    if (at === 0) options = copiedOptions(p.options)
    at += room
  }
  return out
}

/** An IPv6 packet of its source as fragments (RFC 8200 §4.5); extensions that routers read stay in front. */
export function fragmentIpv6(p: IpPacket6, mtu: number, id: number): IpPacket6[] {
  const sizeOf = (list: readonly Extension6[]) => list.reduce((n, e) => n + 1 + e.data.length, 0)
  if (40 + sizeOf(p.extensions) + p.payload.length <= mtu) return [p]
  const front = p.extensions.filter((e) => e.type === IpProto.hopByHop || e.type === IpProto.routing)
  if (front.length !== p.extensions.length) return []
  const room = (mtu - 48 - sizeOf(front)) & ~7
  if (room <= 0) return []
  const out: IpPacket6[] = []
  for (let at = 0; at < p.payload.length; at += room) {
    const payload = p.payload.subarray(at, at + room)
    const more = at + room < p.payload.length
    out.push({ ...p, extensions: [...front, fragmentExtension({ offset: at, more, id })], payload })
  }
  return out
}

interface Piece {
  readonly at: number
  readonly bytes: Uint8Array
}

interface Assembly<P> {
  readonly key: string
  readonly since: number
  first: P | undefined
  pieces: Piece[]
  /** Length of the whole payload, once the last fragment came. */
  total: number | undefined
}

export interface ReassemblyLimits {
  /** Datagrams in the making at once; beyond, the oldest goes. */
  readonly datagrams: number
  /** Milliseconds a datagram may stay incomplete: RFC 1122 §3.3.2, RFC 8200 §4.5. */
  readonly timeout: number
}

/** Puts fragments together. An overlap drops the datagram it is in (RFC 5722 §3, for IPv4 alike). */
export class Reassembler {
  private readonly partial4 = new Map<string, Assembly<IpPacket4>>()
  private readonly partial6 = new Map<string, Assembly<IpPacket6>>()

  constructor(private readonly limits: ReassemblyLimits = { datagrams: 64, timeout: 60_000 }) {}

  /** The whole packet when this fragment completes it. `scope` keeps apart what must not mix (a zone, a VLAN). */
  add4(p: IpPacket4, now: number, scope = ''): IpPacket4 | undefined {
    const key = `${scope} ${p.src} ${p.dst} ${p.protocol} ${p.id}`
    const payload = this.add(this.partial4, key, p, p.offset, p.mf, p.payload, now)
    return payload && { ...payload.first, offset: 0, mf: false, payload: payload.bytes }
  }

  add6(p: IpPacket6, now: number, scope = ''): IpPacket6 | undefined {
    const f = fragment6(p)
    if (!f) return p
    const key = `${scope} ${p.src} ${p.dst} ${f.id}`
    const whole = this.add(this.partial6, key, p, f.offset, f.more, p.payload, now)
    if (!whole) return undefined
    const extensions = whole.first.extensions.filter((e) => e.type !== IpProto.fragment)
    return { ...whole.first, extensions, payload: whole.bytes }
  }

  private add<P>(
    partials: Map<string, Assembly<P>>,
    key: string,
    packet: P,
    at: number,
    more: boolean,
    bytes: Uint8Array,
    now: number,
  ): { first: P; bytes: Uint8Array } | undefined {
    let partial = partials.get(key)
    if (!partial) {
      if (partials.size >= this.limits.datagrams) {
        const oldest = partials.keys().next()
        if (!oldest.done) partials.delete(oldest.value)
      }
      partial = { key, since: now, first: undefined, pieces: [], total: undefined }
      partials.set(key, partial)
    }
    const end = at + bytes.length
    const copy = partial.pieces.find((x) => x.at === at && x.bytes.length === bytes.length)
    if (copy) return undefined
    const bad =
      end > 65535 ||
      (more && (bytes.length === 0 || bytes.length % 8 !== 0)) ||
      (!more && partial.total !== undefined && partial.total !== end) ||
      (!more && partial.pieces.some((x) => x.at + x.bytes.length > end)) ||
      (partial.total !== undefined && end > partial.total) ||
      partial.pieces.some((x) => x.at < end && at < x.at + x.bytes.length)
    if (bad) {
      partials.delete(key)
      return undefined
    }
    partial.pieces.push({ at, bytes })
    if (at === 0) partial.first = packet
    if (!more) partial.total = end
    const have = partial.pieces.reduce((n, x) => n + x.bytes.length, 0)
    if (partial.total === undefined || have !== partial.total || !partial.first) return undefined
    partials.delete(key)
    const whole = new Uint8Array(partial.total)
    for (const x of partial.pieces) whole.set(x.bytes, x.at)
    return { first: partial.first, bytes: whole }
  }

  /** Drops what is too old; the first fragments of it, for the "reassembly time exceeded" errors. */
  expire(now: number): (IpPacket4 | IpPacket6)[] {
    const out: (IpPacket4 | IpPacket6)[] = []
    for (const partials of [this.partial4, this.partial6] as readonly Map<string, Assembly<IpPacket4 | IpPacket6>>[]) {
      for (const [key, partial] of partials) {
        if (now - partial.since < this.limits.timeout) break
        partials.delete(key)
        if (partial.first) out.push(partial.first)
      }
    }
    return out
  }

  /** Datagrams in the making. */
  get size(): number {
    return this.partial4.size + this.partial6.size
  }
}

/** Addresses and protocol of a packet of either family. */
export type IpPacket = IpPacket4 | IpPacket6

export function isIpv6(p: IpPacket): p is IpPacket6 {
  const src: Ip = p.src
  return typeof src === 'bigint'
}
