import type { Reader, Writer } from '../../base/bytes.ts'
import { decodeActions } from '../actions/decode.ts'
import { encodeActions } from '../actions/encode.ts'
import type { Match } from '../fields/field.ts'
import { exact, fieldMatch } from '../fields/match.ts'
import { readFields, readMatch, widenPort, writeFields, writeMatch } from '../fields/oxm.ts'
import { F } from '../fields/table.ts'
import { property as readProperty } from '../nicira/decode.ts'
import { property as writeProperty } from '../nicira/encode.ts'
import { actionsIn, type WireContext } from './context.ts'
import { fault } from './fault.ts'
import { readPort } from './flow.ts'
import { type Continuation, NO_BUFFER, type PacketIn, type PacketOut, type Resume } from './message.ts'

const inPort = (port: number): Match => [fieldMatch(F.in_port, port)]
const portOf = (m: Match) => Number(exact(m, F.in_port) ?? 0xffffn)

/** OFPT_PACKET_IN. */
export function readPacketIn(r: Reader, xid: number, ctx: WireContext): PacketIn {
  const bufferId = r.u32()
  const totalLength = r.u16()
  if (ctx.version === 1) {
    const metadata = inPort(r.u16())
    const reason = r.u8()
    r.skip(1)
    const packet = r.copy(r.left)
    return {
      type: 'packet_in',
      xid,
      format: 'standard',
      packet,
      totalLength,
      bufferId,
      reason,
      table: 0,
      cookie: NO_COOKIE,
      metadata,
    }
  }
  const reason = r.u8()
  const table = r.u8()
  const cookie = ctx.version >= 4 ? r.u64() : NO_COOKIE
  const metadata = readMatch(r, true)
  r.skip(2)
  const packet = r.copy(r.left)
  return { type: 'packet_in', xid, format: 'standard', packet, totalLength, bufferId, reason, table, cookie, metadata }
}

const NO_COOKIE = 0xffffffffffffffffn

export function writePacketIn(w: Writer, m: PacketIn, ctx: WireContext): void {
  w.u32(m.bufferId).u16(m.totalLength)
  if (ctx.version === 1) {
    w.u16(portOf(m.metadata)).u8(m.reason).u8(0).bytes(m.packet)
    return
  }
  w.u8(m.reason).u8(m.table)
  if (ctx.version >= 4) w.u64(m.cookie)
  writeMatch(w, m.metadata, ctx.version)
  w.zeros(2).bytes(m.packet)
}

/** NXT_PACKET_IN after the subtype. */
export function readNxtPacketIn(r: Reader, xid: number): PacketIn {
  const bufferId = r.u32()
  const totalLength = r.u16()
  const reason = r.u8()
  const table = r.u8()
  const cookie = r.u64()
  const length = r.u16()
  r.skip(6)
  const metadata = readFields(r.sub(length), true)
  r.skip((8 - (length % 8)) % 8)
  r.skip(2)
  const packet = r.copy(r.left)
  return { type: 'packet_in', xid, format: 'nxt', packet, totalLength, bufferId, reason, table, cookie, metadata }
}

export function writeNxtPacketIn(w: Writer, m: PacketIn): void {
  w.u32(m.bufferId).u16(m.totalLength).u8(m.reason).u8(m.table).u64(m.cookie)
  const at = w.length
  w.u16(0).zeros(6)
  writeFields(w, m.metadata, 1)
  w.patch16(at, w.length - at - 8)
  w.align(8, at).zeros(2).bytes(m.packet)
}

/** NXPINT_*: properties of NXT_PACKET_IN2 and NXT_RESUME (nicira-ext.h). */
const NXPINT = {
  PACKET: 0,
  FULL_LEN: 1,
  BUFFER_ID: 2,
  TABLE_ID: 3,
  COOKIE: 4,
  REASON: 5,
  METADATA: 6,
  USERDATA: 7,
  CONTINUATION: 8,
} as const

interface Properties {
  packet: Uint8Array
  fullLength: number | undefined
  bufferId: number
  table: number
  cookie: bigint
  reason: number
  metadata: Match
  userdata: Uint8Array | undefined
  continuation: Continuation | undefined
}

function readProperties(r: Reader): Properties {
  const p: Properties = {
    packet: new Uint8Array(),
    fullLength: undefined,
    bufferId: NO_BUFFER,
    table: 0,
    cookie: NO_COOKIE,
    reason: 0,
    metadata: [],
    userdata: undefined,
    continuation: undefined,
  }
  while (r.left > 0) {
    const [type, body] = readProperty(r)
    switch (type) {
      case NXPINT.PACKET:
        p.packet = body.copy(body.left)
        break
      case NXPINT.FULL_LEN:
        p.fullLength = body.u32()
        break
      case NXPINT.BUFFER_ID:
        p.bufferId = body.u32()
        break
      case NXPINT.TABLE_ID:
        p.table = body.u8()
        break
      case NXPINT.COOKIE:
        body.skip(4)
        p.cookie = body.u64()
        break
      case NXPINT.REASON:
        p.reason = body.u8()
        break
      case NXPINT.METADATA:
        p.metadata = readFields(body, true)
        break
      case NXPINT.USERDATA:
        p.userdata = body.copy(body.left)
        break
      case NXPINT.CONTINUATION:
        body.skip(4)
        p.continuation = { bytes: body.copy(body.left) }
        break
      default:
        // Types from 0x8000 on are optional knowledge of their sender.
        if (type < 0x8000) fault('OFPBPC_BAD_TYPE')
    }
  }
  return p
}

/** NXT_PACKET_IN2 after the subtype. */
export function readPacketIn2(r: Reader, xid: number): PacketIn {
  const p = readProperties(r)
  return {
    type: 'packet_in',
    xid,
    format: 'nxt2',
    packet: p.packet,
    totalLength: p.fullLength ?? p.packet.length,
    bufferId: p.bufferId,
    reason: p.reason,
    table: p.table,
    cookie: p.cookie,
    metadata: p.metadata,
    ...(p.userdata ? { userdata: p.userdata } : {}),
    ...(p.continuation ? { continuation: p.continuation } : {}),
  }
}

/** NXT_RESUME after the subtype. */
export function readResume(r: Reader, xid: number): Resume {
  const p = readProperties(r)
  return {
    type: 'resume',
    xid,
    packet: p.packet,
    reason: p.reason,
    table: p.table,
    cookie: p.cookie,
    metadata: p.metadata,
    ...(p.userdata ? { userdata: p.userdata } : {}),
    continuation: p.continuation ?? fault('NXR_STALE'),
  }
}

export function writePacketIn2(w: Writer, m: PacketIn | Resume, ctx: WireContext): void {
  writeProperty(w, NXPINT.PACKET, (x) => x.bytes(m.packet))
  if (m.type === 'packet_in') {
    if (m.totalLength !== m.packet.length) writeProperty(w, NXPINT.FULL_LEN, (x) => x.u32(m.totalLength))
    if (m.bufferId !== NO_BUFFER) writeProperty(w, NXPINT.BUFFER_ID, (x) => x.u32(m.bufferId))
  }
  writeProperty(w, NXPINT.TABLE_ID, (x) => x.u8(m.table))
  if (m.cookie !== NO_COOKIE) writeProperty(w, NXPINT.COOKIE, (x) => x.zeros(4).u64(m.cookie))
  writeProperty(w, NXPINT.REASON, (x) => x.u8(m.reason))
  writeProperty(w, NXPINT.METADATA, (x) => writeFields(x, m.metadata, ctx.version))
  const { userdata, continuation } = m
  if (continuation) writeProperty(w, NXPINT.CONTINUATION, (x) => x.zeros(4).bytes(continuation.bytes ?? NOTHING))
  if (userdata) writeProperty(w, NXPINT.USERDATA, (x) => x.bytes(userdata))
}

const NOTHING = new Uint8Array()

export function readPacketOut(r: Reader, xid: number, ctx: WireContext): PacketOut {
  const bufferId = r.u32()
  let metadata: Match
  let length: number
  if (ctx.version === 1) {
    metadata = inPort(r.u16())
    length = r.u16()
  } else if (ctx.version < 6) {
    metadata = inPort(readPort(r))
    length = r.u16()
    r.skip(6)
  } else {
    length = r.u16()
    r.skip(2)
    metadata = readMatch(r, true)
  }
  const actions = decodeActions(r.sub(length), actionsIn(ctx))
  return { type: 'packet_out', xid, bufferId, metadata, actions, packet: r.copy(r.left) }
}

export function writePacketOut(w: Writer, m: PacketOut, ctx: WireContext): void {
  w.u32(m.bufferId)
  let at: number
  if (ctx.version === 1) {
    w.u16(portOf(m.metadata))
    at = w.length
    w.u16(0)
  } else if (ctx.version < 6) {
    w.u32(widenPort(portOf(m.metadata)))
    at = w.length
    w.u16(0).zeros(6)
  } else {
    at = w.length
    w.u16(0).zeros(2)
    writeMatch(w, m.metadata, ctx.version)
  }
  const start = w.length
  encodeActions(w, m.actions, actionsIn(ctx))
  w.patch16(at, w.length - start)
  w.bytes(m.packet)
}
