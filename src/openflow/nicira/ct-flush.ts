import type { Reader, Writer } from '../../base/bytes.ts'
import { fault } from '../messages/fault.ts'
import { property as readProperty } from './decode.ts'
import { property as writeProperty } from './encode.ts'
import type { ConnectionTuple, NiciraMessage } from './message.ts'

type CtFlush = Extract<NiciraMessage, { type: 'ct_flush' }>
type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** NXT_CT_*: properties of the message, and of the tuples inside. */
const CT = { ORIGINAL: 0, REPLY: 1, ZONE: 2, MARK: 3, MARK_MASK: 4, LABEL: 5, LABEL_MASK: 6 } as const
const TUPLE = {
  SOURCE: 0,
  DESTINATION: 1,
  SOURCE_PORT: 2,
  DESTINATION_PORT: 3,
  ICMP_ID: 4,
  ICMP_TYPE: 5,
  ICMP_CODE: 6,
} as const

/** ::ffff:0:0/96, under which IPv4 addresses go. */
const MAPPED = 0xffff00000000n

function readTuple(r: Reader): ConnectionTuple {
  r.skip(4)
  const t: Mutable<ConnectionTuple> = {}
  while (r.left > 0) {
    const [type, b] = readProperty(r)
    if (type === TUPLE.SOURCE) t.source = b.u128()
    else if (type === TUPLE.DESTINATION) t.destination = b.u128()
    else if (type === TUPLE.SOURCE_PORT) t.sourcePort = b.u16()
    else if (type === TUPLE.DESTINATION_PORT) t.destinationPort = b.u16()
    else if (type === TUPLE.ICMP_ID) t.icmpId = b.u16()
    else if (type === TUPLE.ICMP_TYPE) t.icmpType = b.u8()
    else if (type === TUPLE.ICMP_CODE) t.icmpCode = b.u8()
    else fault('OFPBPC_BAD_TYPE')
  }
  return t
}

const mapped = (a: bigint | undefined) => a !== undefined && a >> 32n === MAPPED >> 32n

/** Addresses in the message are 128 bits; IPv4 ones come out as 32 bits. */
export function readCtFlush(r: Reader, xid: number): CtFlush {
  const protocol = r.u8()
  const family = r.u8()
  r.skip(6)
  const m: Mutable<CtFlush> = { type: 'ct_flush', xid, protocol, family: 0 }
  let mark: { value: number; mask: number } | undefined
  let label: { value: bigint; mask: bigint } | undefined
  while (r.left > 0) {
    const [type, b] = readProperty(r)
    if (type === CT.ORIGINAL) m.original = readTuple(b)
    else if (type === CT.REPLY) m.reply = readTuple(b)
    else if (type === CT.ZONE) m.zone = b.u16()
    else if (type === CT.MARK) mark = { value: b.u32(), mask: mark?.mask ?? 0xffffffff }
    else if (type === CT.MARK_MASK) mark = { value: mark?.value ?? 0, mask: b.u32() }
    else if (type === CT.LABEL) {
      label = { value: b.u128(), mask: label?.mask ?? (1n << 128n) - 1n }
    } else if (type === CT.LABEL_MASK) {
      label = { value: label?.value ?? 0n, mask: b.u128() }
    } else fault('OFPBPC_BAD_TYPE')
  }
  if (mark) m.mark = mark
  if (label) m.label = label
  const addresses = [m.original?.source, m.original?.destination, m.reply?.source, m.reply?.destination]
  if (addresses.some(mapped)) m.family = 4
  else if (addresses.some((a) => a !== undefined)) m.family = 6
  else m.family = family === 10 ? 6 : family === 2 ? 4 : 0
  const narrow = (t: ConnectionTuple | undefined): ConnectionTuple | undefined =>
    t && {
      ...t,
      ...(t.source !== undefined && mapped(t.source) ? { source: t.source & 0xffffffffn } : {}),
      ...(t.destination !== undefined && mapped(t.destination) ? { destination: t.destination & 0xffffffffn } : {}),
    }
  const original = narrow(m.original)
  const reply = narrow(m.reply)
  return { ...m, ...(original ? { original } : {}), ...(reply ? { reply } : {}) }
}

export function writeCtFlush(w: Writer, m: CtFlush): void {
  w.u8(m.protocol).u8(0).zeros(6)
  const address = (a: bigint) => (m.family === 4 ? MAPPED | a : a)
  const tuple = (type: number, t: ConnectionTuple | undefined) => {
    if (!t) return
    writeProperty(w, type, (x) => {
      x.zeros(4)
      if (t.source !== undefined) {
        const a = address(t.source)
        writeProperty(x, TUPLE.SOURCE, (p) => p.u128(a))
      }
      if (t.destination !== undefined) {
        const a = address(t.destination)
        writeProperty(x, TUPLE.DESTINATION, (p) => p.u128(a))
      }
      const small = (type: number, v: number | undefined, bytes: 1 | 2) => {
        if (v === undefined) return
        const start = x.length
        x.u16(type).u16(bytes === 2 ? 8 : 5)
        if (bytes === 2) x.u16(v)
        else x.u8(v)
        x.align(8, start)
      }
      small(TUPLE.SOURCE_PORT, t.sourcePort, 2)
      small(TUPLE.DESTINATION_PORT, t.destinationPort, 2)
      small(TUPLE.ICMP_ID, t.icmpId, 2)
      small(TUPLE.ICMP_TYPE, t.icmpType, 1)
      small(TUPLE.ICMP_CODE, t.icmpCode, 1)
    })
  }
  tuple(CT.ORIGINAL, m.original)
  tuple(CT.REPLY, m.reply)
  const { zone, mark, label } = m
  if (zone !== undefined) writeProperty(w, CT.ZONE, (x) => x.u16(zone).zeros(2))
  if (mark) {
    writeProperty(w, CT.MARK, (x) => x.u32(mark.value))
    if (mark.mask !== 0xffffffff) writeProperty(w, CT.MARK_MASK, (x) => x.u32(mark.mask))
  }
  if (label) {
    writeProperty(w, CT.LABEL, (x) => x.u128(label.value))
    if (label.mask !== (1n << 128n) - 1n) writeProperty(w, CT.LABEL_MASK, (x) => x.u128(label.mask))
  }
}
