import { parse, type Reader, Writer } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'
import { checksum } from './checksum.ts'

/** An ICMP message (RFC 792): type, code, the four bytes that depend on them, and the rest. */
export interface Icmp4 {
  readonly type: number
  readonly code: number
  /** The second word: identifier and sequence number, next-hop MTU, gateway address ... */
  readonly rest: number
  readonly payload: Uint8Array
  readonly badChecksum?: number
}

export const Icmp4Type = {
  echoReply: 0,
  unreachable: 3,
  redirect: 5,
  echoRequest: 8,
  timeExceeded: 11,
  parameterProblem: 12,
} as const

export const Unreachable4 = { net: 0, host: 1, protocol: 2, port: 3, fragNeeded: 4, filtered: 13 } as const

export function parseIcmp4(bytes: Uint8Array): Result<Icmp4> {
  return parse(bytes, readIcmp4)
}

export function readIcmp4(r: Reader): Icmp4 {
  const good = checksum(r.bytes.subarray(r.at, r.end)) === 0
  const type = r.u8()
  const code = r.u8()
  const sent = r.u16()
  return { type, code, rest: r.u32(), payload: r.rest(), ...(!good && { badChecksum: sent }) }
}

export function emitIcmp4(m: Icmp4): Uint8Array {
  const w = new Writer(8 + m.payload.length)
  const out = w.u8(m.type).u8(m.code).u16(0).u32(m.rest).bytes(m.payload).done()
  w.patch16(2, m.badChecksum ?? checksum(out))
  return out
}

/** An echo request or reply; `id` and `seq` are 16 bits each. */
export function echo4(kind: 'request' | 'reply', id: number, seq: number, payload: Uint8Array): Icmp4 {
  const type = kind === 'request' ? Icmp4Type.echoRequest : Icmp4Type.echoReply
  return { type, code: 0, rest: ((id << 16) | seq) >>> 0, payload }
}

/**
 * An error about a packet: `original` is that packet from its IP header on, cut so that the whole
 * error stays within 576 bytes (RFC 1812 §4.3.2.3). `mtu` is for code 4 (RFC 1191 §4).
 */
export function icmp4Error(type: number, code: number, original: Uint8Array, mtu = 0): Icmp4 {
  return { type, code, rest: mtu, payload: original.subarray(0, 576 - 28) }
}

/** Whether a message reports an error, so that no error may be sent about it (RFC 1122 §3.2.2). */
export function isIcmp4Error(type: number): boolean {
  return type === 3 || type === 4 || type === 5 || type === 11 || type === 12
}

const UNREACHABLE = new Map<number, string>([
  [0, 'net unreachable'],
  [1, 'host unreachable'],
  [2, 'protocol unreachable'],
  [3, 'port unreachable'],
  [9, 'net unreachable - admin prohibited'],
  [10, 'host unreachable - admin prohibited'],
  [13, 'unreachable - admin prohibited filter'],
])

export function printIcmp4(m: Icmp4): string {
  const tail = `, length ${8 + m.payload.length}${m.badChecksum === undefined ? '' : ' (wrong icmp cksum)'}`
  switch (m.type) {
    case Icmp4Type.echoRequest:
    case Icmp4Type.echoReply: {
      const kind = m.type === Icmp4Type.echoRequest ? 'request' : 'reply'
      return `ICMP echo ${kind}, id ${m.rest >>> 16}, seq ${m.rest & 0xffff}${tail}`
    }
    case Icmp4Type.unreachable:
      if (m.code === Unreachable4.fragNeeded) {
        return `ICMP unreachable - need to frag (mtu ${m.rest & 0xffff})${tail}`
      }
      return `ICMP ${UNREACHABLE.get(m.code) ?? `unreachable - code ${m.code}`}${tail}`
    case Icmp4Type.timeExceeded:
      return `ICMP ${m.code ? 'ip reassembly time exceeded' : 'time exceeded in-transit'}${tail}`
    case Icmp4Type.redirect:
      return `ICMP redirect - code ${m.code}${tail}`
    default:
      return `ICMP type-#${m.type} code ${m.code}${tail}`
  }
}
