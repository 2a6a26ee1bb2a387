import type { Ip } from '../address/ip.ts'
import { Malformed, parse, Reader } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'
import { IpProto } from './numbers.ts'

/**
 * The packet an ICMP error is about. It may be cut anywhere behind its IP header, so its lengths
 * and checksums are not looked at.
 */
export interface Quoted {
  readonly src: Ip
  readonly dst: Ip
  readonly protocol: number
  /** IPv4 identification, 0 for IPv6. */
  readonly id: number
  /** Length of the whole packet, as its header says. */
  readonly length: number
  /** What there is of the transport layer; its first byte is at `offset` of the quotation. */
  readonly transport: Uint8Array
  readonly offset: number
  /** Ports, or an echo's identifier as `src` and sequence number as `dst`. */
  readonly ports?: { readonly src: number; readonly dst: number }
}

export function parseQuoted(bytes: Uint8Array): Result<Quoted> {
  return parse(bytes, (r) => ((bytes[0] ?? 0) >>> 4 === 6 ? readQuoted6(r) : readQuoted4(r)))
}

function readQuoted4(r: Reader): Quoted {
  const first = r.u8()
  const headerLength = (first & 15) * 4
  if (first >>> 4 !== 4 || headerLength < 20) throw new Malformed(`quoted packet: first byte 0x${first.toString(16)}`)
  r.skip(1)
  const length = r.u16()
  const id = r.u16()
  const fragment = r.u16() & 0x1fff
  r.skip(1)
  const protocol = r.u8()
  r.skip(2)
  const src = r.u32()
  const dst = r.u32()
  r.skip(headerLength - 20)
  return withPorts({ src, dst, protocol, id, length, offset: r.at, transport: r.rest() }, fragment !== 0)
}

function readQuoted6(r: Reader): Quoted {
  r.skip(4)
  const length = 40 + r.u16()
  let protocol = r.u8()
  r.skip(1)
  const src = r.u128()
  const dst = r.u128()
  let later = false
  while (protocol === IpProto.hopByHop || protocol === IpProto.routing || protocol === IpProto.destination) {
    protocol = r.u8()
    r.skip(r.u8() * 8 + 6)
  }
  if (protocol === IpProto.fragment) {
    protocol = r.u8()
    r.skip(1)
    later = r.u16() >>> 3 !== 0
    r.skip(4)
  }
  return withPorts({ src, dst, protocol, id: 0, length, offset: r.at, transport: r.rest() }, later)
}

function withPorts(q: Quoted, laterFragment: boolean): Quoted {
  if (laterFragment) return q
  const r = new Reader(q.transport)
  switch (q.protocol) {
    case IpProto.tcp:
    case IpProto.udp:
    case IpProto.sctp:
      return r.left >= 4 ? { ...q, ports: { src: r.u16(), dst: r.u16() } } : q
    case IpProto.icmp:
    case IpProto.icmp6: {
      if (r.left < 8) return q
      const type = r.u8()
      r.skip(3)
      const echo = q.protocol === IpProto.icmp ? type === 8 || type === 0 : type === 128 || type === 129
      return echo ? { ...q, ports: { src: r.u16(), dst: r.u16() } } : q
    }
    default:
      return q
  }
}
