import type { Reader, Writer } from '../../base/bytes.ts'
import { readFields, readMatch, writeFields, writeMatch } from '../fields/oxm.ts'
import { actionsIn, type WireContext } from './context.ts'
import { fault } from './fault.ts'
import { readFlowActions, writeFlowActions } from './instructions.ts'
import { readMatch10, writeMatch10 } from './match10.ts'
import type { FlowStats, FlowUpdate } from './multipart.ts'
import { readFlowCounters, writeFlowCounters } from './oxs.ts'

function entry(r: Reader): Reader {
  const length = r.u16()
  if (length < 4 || length - 2 > r.left) fault('OFPBRC_BAD_LEN')
  return r.sub(length - 2)
}

/** One flow of a statistics reply; `extended` is NXST_FLOW. Ages go on the wire as seconds plus one. */
export function readFlowStats(r: Reader, ctx: WireContext, extended: boolean): FlowStats {
  const b = entry(r)
  const { version } = ctx
  if (extended) return flow10(b, ctx, true)
  if (version === 1) return flow10(b, ctx, false)
  if (version >= 6) return flow15(b, ctx)
  const table = b.u8()
  b.skip(1)
  const durationSec = b.u32()
  const durationNsec = b.u32()
  const priority = b.u16()
  const idleTimeout = b.u16()
  const hardTimeout = b.u16()
  const flags = b.u16()
  const importance = b.u16()
  b.skip(2)
  const cookie = b.u64()
  const packets = b.u64()
  const bytes = b.u64()
  const match = readMatch(b, true)
  return {
    match,
    priority,
    table,
    cookie,
    durationSec,
    durationNsec,
    idleTimeout,
    hardTimeout,
    importance: version >= 5 ? importance : 0,
    flags: version >= 4 ? flags : 0,
    packets,
    bytes,
    actions: readFlowActions(b, actionsIn(ctx, match)),
  }
}

function flow10(b: Reader, ctx: WireContext, extended: boolean): FlowStats {
  const table = b.u8()
  b.skip(1)
  let match = extended ? [] : readMatch10(b)
  const durationSec = b.u32()
  const durationNsec = b.u32()
  const priority = b.u16()
  const idleTimeout = b.u16()
  const hardTimeout = b.u16()
  let idleAge: number | undefined
  let hardAge: number | undefined
  let length = 0
  if (extended) {
    length = b.u16()
    idleAge = b.u16()
    hardAge = b.u16()
  } else b.skip(6)
  const cookie = b.u64()
  const packets = b.u64()
  const bytes = b.u64()
  if (extended) {
    match = readFields(b.sub(length), true)
    b.skip((8 - (length % 8)) % 8)
  }
  return {
    match,
    priority,
    table,
    cookie,
    durationSec,
    durationNsec,
    idleTimeout,
    hardTimeout,
    importance: 0,
    flags: 0,
    ...(extended ? { idleAge, hardAge } : {}),
    packets,
    bytes,
    actions: readFlowActions(b, actionsIn(ctx, match)),
  }
}

function flow15(b: Reader, ctx: WireContext): FlowStats {
  b.skip(2)
  const table = b.u8()
  b.skip(1)
  const priority = b.u16()
  const idleTimeout = b.u16()
  const hardTimeout = b.u16()
  const flags = b.u16()
  const importance = b.u16()
  const cookie = b.u64()
  const match = readMatch(b, true)
  const c = readFlowCounters(b)
  return {
    match,
    priority,
    table,
    cookie,
    durationSec: c.durationSec,
    durationNsec: c.durationNsec,
    idleTimeout,
    hardTimeout,
    importance,
    flags,
    ...(c.idleSec !== undefined ? { idleAge: c.idleSec + 1 } : {}),
    packets: c.packets,
    bytes: c.bytes,
    actions: readFlowActions(b, actionsIn(ctx, match)),
  }
}

export function writeFlowStats(w: Writer, f: FlowStats, ctx: WireContext, extended: boolean): void {
  const start = w.length
  const { version } = ctx
  w.u16(0)
  if (version >= 6 && !extended) {
    w.u16(0).u8(f.table).u8(0).u16(f.priority).u16(f.idleTimeout).u16(f.hardTimeout)
    w.u16(f.flags).u16(f.importance).u64(f.cookie)
    writeMatch(w, f.match, version)
    writeFlowCounters(w, {
      durationSec: f.durationSec,
      durationNsec: f.durationNsec,
      idleSec: f.idleAge ? f.idleAge - 1 : undefined,
      packets: f.packets,
      bytes: f.bytes,
    })
  } else {
    w.u8(f.table).u8(0)
    if (version === 1 && !extended) writeMatch10(w, f.match)
    w.u32(f.durationSec).u32(f.durationNsec).u16(f.priority).u16(f.idleTimeout).u16(f.hardTimeout)
    const at = w.length
    if (extended) {
      w.u16(0)
        .u16(f.idleAge ?? 0)
        .u16(f.hardAge ?? 0)
    } else if (version === 1) w.zeros(6)
    else
      w.u16(version >= 4 ? f.flags : 0)
        .u16(version >= 5 ? f.importance : 0)
        .zeros(2)
    w.u64(f.cookie).u64(f.packets).u64(f.bytes)
    if (extended) {
      const from = w.length
      writeFields(w, f.match, version)
      w.patch16(at, w.length - from)
      w.align(8, from)
    } else if (version !== 1) writeMatch(w, f.match, version)
  }
  writeFlowActions(w, f.actions, actionsIn(ctx, f.match))
  w.patch16(start, w.length - start)
}

/** Events of NXST_FLOW_MONITOR and, one higher, of OFPMP_FLOW_MONITOR. */
const NX_EVENTS = ['added', 'deleted', 'modified'] as const
const EVENTS = ['initial', 'added', 'deleted', 'modified'] as const

export function readUpdate(r: Reader, ctx: WireContext, nicira: boolean): FlowUpdate {
  const b = entry(r)
  const n = b.u16()
  if (nicira) {
    if (n === 3) return { event: 'abbrev', xid: b.u32() }
    const event = NX_EVENTS[n] ?? fault('OFPBRC_BAD_LEN')
    const reason = b.u16()
    const priority = b.u16()
    const idleTimeout = b.u16()
    const hardTimeout = b.u16()
    const length = b.u16()
    const table = b.u8()
    b.skip(1)
    const cookie = b.u64()
    const match = readFields(b.sub(length), true)
    b.skip((8 - (length % 8)) % 8)
    const actions = readFlowActions(b, actionsIn(ctx, match))
    return { event, reason, priority, idleTimeout, hardTimeout, table, cookie, match, actions }
  }
  if (n === 4) return { event: 'abbrev', xid: b.u32() }
  if (n === 5 || n === 6) return { event: n === 5 ? 'paused' : 'resumed' }
  const event = EVENTS[n] ?? fault('OFPBRC_BAD_LEN')
  const table = b.u8()
  const reason = b.u8()
  const idleTimeout = b.u16()
  const hardTimeout = b.u16()
  const priority = b.u16()
  b.skip(4)
  const cookie = b.u64()
  const match = readMatch(b, true)
  const actions = readFlowActions(b, actionsIn(ctx, match))
  return { event, reason, priority, idleTimeout, hardTimeout, table, cookie, match, actions }
}

export function writeUpdate(w: Writer, u: FlowUpdate, ctx: WireContext, nicira: boolean): void {
  const start = w.length
  w.u16(0)
  if (u.event === 'abbrev') w.u16(nicira ? 3 : 4).u32(u.xid)
  else if (u.event === 'paused' || u.event === 'resumed') w.u16(u.event === 'paused' ? 5 : 6).zeros(4)
  else if (nicira) {
    w.u16(u.event === 'initial' ? 0 : NX_EVENTS.indexOf(u.event))
      .u16(u.reason)
      .u16(u.priority)
    w.u16(u.idleTimeout).u16(u.hardTimeout)
    const at = w.length
    w.u16(0).u8(u.table).u8(0).u64(u.cookie)
    const from = w.length
    writeFields(w, u.match, ctx.version)
    w.patch16(at, w.length - from)
    w.align(8, from)
    writeFlowActions(w, u.actions, actionsIn(ctx, u.match))
  } else {
    w.u16(EVENTS.indexOf(u.event)).u8(u.table).u8(u.reason).u16(u.idleTimeout).u16(u.hardTimeout).u16(u.priority)
    w.zeros(4).u64(u.cookie)
    writeMatch(w, u.match, ctx.version)
    writeFlowActions(w, u.actions, actionsIn(ctx, u.match))
  }
  w.patch16(start, w.length - start)
}
