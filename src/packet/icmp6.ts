import { parse, type Reader, Writer } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'
import { type Endpoints, transportChecksum } from './checksum.ts'
import { IpProto } from './numbers.ts'

/** An ICMPv6 message (RFC 4443 §2.1): type, code, the four bytes that depend on them, and the rest. */
export interface Icmp6 {
  readonly type: number
  readonly code: number
  /** The second word: identifier and sequence number, MTU, flags of an advertisement ... */
  readonly rest: number
  readonly payload: Uint8Array
  readonly badChecksum?: number
}

export const Icmp6Type = {
  unreachable: 1,
  packetTooBig: 2,
  timeExceeded: 3,
  parameterProblem: 4,
  echoRequest: 128,
  echoReply: 129,
  mldQuery: 130,
  mldReport: 131,
  mldDone: 132,
  routerSolicitation: 133,
  routerAdvertisement: 134,
  neighborSolicitation: 135,
  neighborAdvertisement: 136,
  redirect: 137,
  mld2Report: 143,
} as const

export const Unreachable6 = { noRoute: 0, prohibited: 1, address: 3, port: 4 } as const

/** With `ends` the checksum is verified; without, it is taken for right. */
export function parseIcmp6(bytes: Uint8Array, ends?: Endpoints): Result<Icmp6> {
  return parse(bytes, (r) => readIcmp6(r, ends))
}

export function readIcmp6(r: Reader, ends?: Endpoints): Icmp6 {
  const whole = r.bytes.subarray(r.at, r.end)
  const bad = ends !== undefined && transportChecksum(ends, IpProto.icmp6, whole) !== 0
  const type = r.u8()
  const code = r.u8()
  const sent = r.u16()
  return { type, code, rest: r.u32(), payload: r.rest(), ...(bad && { badChecksum: sent }) }
}

export function emitIcmp6(m: Icmp6, ends: Endpoints): Uint8Array {
  const w = new Writer(8 + m.payload.length)
  const out = w.u8(m.type).u8(m.code).u16(0).u32(m.rest).bytes(m.payload).done()
  w.patch16(2, m.badChecksum ?? transportChecksum(ends, IpProto.icmp6, out))
  return out
}

export function echo6(kind: 'request' | 'reply', id: number, seq: number, payload: Uint8Array): Icmp6 {
  const type = kind === 'request' ? Icmp6Type.echoRequest : Icmp6Type.echoReply
  return { type, code: 0, rest: ((id << 16) | seq) >>> 0, payload }
}

/** An error about a packet, cut so that the whole error stays within 1280 bytes (RFC 4443 §2.4 c). */
export function icmp6Error(type: number, code: number, original: Uint8Array, rest = 0): Icmp6 {
  return { type, code, rest, payload: original.subarray(0, 1280 - 48) }
}

/** Whether a message reports an error (RFC 4443 §2.1: types below 128). */
export function isIcmp6Error(type: number): boolean {
  return type < 128
}

const UNREACHABLE = ['no route', 'admin prohibited', 'beyond scope', 'address unreachable', 'port unreachable']

export function printIcmp6(m: Icmp6): string {
  const tail = `, length ${8 + m.payload.length}${m.badChecksum === undefined ? '' : ' (wrong icmp6 cksum)'}`
  switch (m.type) {
    case Icmp6Type.echoRequest:
    case Icmp6Type.echoReply: {
      const kind = m.type === Icmp6Type.echoRequest ? 'request' : 'reply'
      return `ICMP6, echo ${kind}, id ${m.rest >>> 16}, seq ${m.rest & 0xffff}${tail}`
    }
    case Icmp6Type.unreachable:
      return `ICMP6, destination unreachable, ${UNREACHABLE[m.code] ?? `code ${m.code}`}${tail}`
    case Icmp6Type.packetTooBig:
      return `ICMP6, packet too big, mtu ${m.rest}${tail}`
    case Icmp6Type.timeExceeded:
      return `ICMP6, time exceeded ${m.code ? '(reassembly)' : 'in-transit'}${tail}`
    case Icmp6Type.parameterProblem:
      return `ICMP6, parameter problem, code ${m.code}${tail}`
    default:
      return `ICMP6, type-#${m.type}, code ${m.code}${tail}`
  }
}
