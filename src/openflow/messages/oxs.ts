import type { Reader, Writer } from '../../base/bytes.ts'
import { fault } from './fault.ts'

// OpenFlow 1.5 §7.2.4: flow statistics as TLVs of class 0x8002.
const OXS_CLASS = 0x8002
const OXS = { DURATION: 0, IDLE_TIME: 1, FLOW_COUNT: 3, PACKET_COUNT: 4, BYTE_COUNT: 5 } as const

export interface FlowCounters {
  durationSec: number
  durationNsec: number
  idleSec: number | undefined
  flows: number
  packets: bigint
  bytes: bigint
}

const UNKNOWN = 0xffffffffffffffffn

export function readFlowCounters(r: Reader): FlowCounters {
  r.skip(2)
  const length = r.u16()
  if (length < 4) fault('OFPBRC_BAD_LEN')
  const body = r.sub(length - 4)
  r.skip(Math.min(r.left, (8 - (length % 8)) % 8))
  const c: FlowCounters = {
    durationSec: 0,
    durationNsec: 0,
    idleSec: undefined,
    flows: 0,
    packets: UNKNOWN,
    bytes: UNKNOWN,
  }
  while (body.left > 0) {
    const cls = body.u16()
    const field = body.u8() >> 1
    const value = body.sub(body.u8())
    if (cls !== OXS_CLASS) continue
    if (field === OXS.DURATION) {
      c.durationSec = value.u32()
      c.durationNsec = value.u32()
    } else if (field === OXS.IDLE_TIME) c.idleSec = value.u32()
    else if (field === OXS.FLOW_COUNT) c.flows = value.u32()
    else if (field === OXS.PACKET_COUNT) c.packets = value.u64()
    else if (field === OXS.BYTE_COUNT) c.bytes = value.u64()
  }
  return c
}

export function writeFlowCounters(
  w: Writer,
  c: {
    readonly durationSec?: number
    readonly durationNsec?: number
    readonly idleSec?: number | undefined
    readonly flows?: number
    readonly packets: bigint
    readonly bytes: bigint
  },
): void {
  const start = w.length
  const tlv = (field: number, length: number) =>
    w
      .u16(OXS_CLASS)
      .u8(field << 1)
      .u8(length)
  w.u16(0).u16(0)
  if (c.durationSec !== undefined)
    tlv(OXS.DURATION, 8)
      .u32(c.durationSec)
      .u32(c.durationNsec ?? 0)
  if (c.idleSec !== undefined) tlv(OXS.IDLE_TIME, 8).u32(c.idleSec).u32(0)
  if (c.packets !== UNKNOWN) tlv(OXS.PACKET_COUNT, 8).u64(c.packets)
  if (c.bytes !== UNKNOWN) tlv(OXS.BYTE_COUNT, 8).u64(c.bytes)
  if (c.flows !== undefined) tlv(OXS.FLOW_COUNT, 4).u32(c.flows)
  w.patch16(start + 2, w.length - start)
  w.align(8, start)
}
