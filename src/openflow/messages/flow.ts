import type { Reader, Writer } from '../../base/bytes.ts'
import { OFPP } from '../actions/action.ts'
import { narrowPort, readFields, readMatch, widenPort, writeFields, writeMatch } from '../fields/oxm.ts'
import { actionsIn, type WireContext } from './context.ts'
import { fault } from './fault.ts'
import { readFlowActions, writeFlowActions } from './instructions.ts'
import { fitsMatch10, readMatch10, writeMatch10 } from './match10.ts'
import { type FlowMod, type FlowModCommand, type FlowRemoved, GROUP_ANY } from './message.ts'
import { readFlowCounters, writeFlowCounters } from './oxs.ts'

const COMMANDS: readonly FlowModCommand[] = ['add', 'modify', 'modify_strict', 'delete', 'delete_strict']

/** 1.0's EMERG (bit 2) has no counterpart; RESET_COUNTS came with 1.2. */
const FLAGS = (version: number) => (version === 1 ? 0x3 : version < 4 ? 0x7 : 0x1f)

function command(n: number): FlowModCommand {
  return COMMANDS[n] ?? fault('OFPFMFC_BAD_COMMAND')
}

export function readPort(r: Reader): number {
  return narrowPort(r.u32()) ?? fault('OFPBAC_BAD_OUT_PORT')
}

/** The body of OFPT_FLOW_MOD. */
export function readFlowMod(r: Reader, xid: number, ctx: WireContext): FlowMod {
  if (ctx.version === 1) return readFlowMod10(r, xid, ctx)
  const cookie = r.u64()
  const cookieMask = r.u64()
  const table = r.u8()
  const cmd = command(r.u8())
  const idleTimeout = r.u16()
  const hardTimeout = r.u16()
  const priority = r.u16()
  const bufferId = r.u32()
  const deleting = cmd === 'delete' || cmd === 'delete_strict'
  const port = r.u32()
  const outPort = deleting ? (narrowPort(port) ?? OFPP.NONE) : OFPP.NONE
  const group = r.u32()
  const flags = r.u16()
  if (flags & ~FLAGS(ctx.version)) fault('OFPFMFC_BAD_FLAGS')
  const importance = r.u16()
  const match = readMatch(r)
  return {
    type: 'flow_mod',
    xid,
    command: cmd,
    match,
    priority,
    table,
    cookie,
    cookieMask,
    idleTimeout,
    hardTimeout,
    importance: ctx.version >= 5 ? importance : 0,
    flags,
    bufferId,
    outPort,
    outGroup: deleting ? group : GROUP_ANY,
    actions: readFlowActions(r, actionsIn(ctx, match)),
  }
}

function readFlowMod10(r: Reader, xid: number, ctx: WireContext): FlowMod {
  const match = readMatch10(r)
  const cookie = r.u64()
  const raw = r.u16()
  return rest10(r, xid, ctx, cookie, raw, () => match)
}

/** The body of NXT_FLOW_MOD after the subtype. */
export function readNxtFlowMod(r: Reader, xid: number, ctx: WireContext): FlowMod {
  const cookie = r.u64()
  const raw = r.u16()
  return rest10(r, xid, ctx, cookie, raw, () => {
    const length = r.u16()
    r.skip(6)
    const match = readFields(r.sub(length))
    r.skip((8 - (length % 8)) % 8)
    return match
  })
}

function rest10(
  r: Reader,
  xid: number,
  ctx: WireContext,
  cookie: bigint,
  raw: number,
  readTheMatch: () => FlowMod['match'],
): FlowMod {
  const cmd = command(ctx.flowModTableId ? raw & 0xff : raw)
  const table = ctx.flowModTableId ? raw >> 8 : 0xff
  const idleTimeout = r.u16()
  const hardTimeout = r.u16()
  const priority = r.u16()
  const bufferId = r.u32()
  const port = r.u16()
  const flags = r.u16() & FLAGS(1)
  const match = readTheMatch()
  const deleting = cmd === 'delete' || cmd === 'delete_strict'
  return {
    type: 'flow_mod',
    xid,
    command: cmd,
    match,
    priority,
    table,
    cookie,
    cookieMask: 0n,
    idleTimeout,
    hardTimeout,
    importance: 0,
    flags,
    bufferId,
    outPort: deleting ? port : OFPP.NONE,
    outGroup: GROUP_ANY,
    actions: readFlowActions(r, actionsIn(ctx, match)),
  }
}

/** Whether a flow mod of 1.0 has to go as NXT_FLOW_MOD. */
export function needsNxt(m: FlowMod): boolean {
  return !fitsMatch10(m.match)
}

export function writeFlowMod(w: Writer, m: FlowMod, ctx: WireContext): void {
  if (ctx.version === 1) {
    writeMatch10(w, m.match)
    w.u64(m.cookie).u16(command10(m, ctx)).u16(m.idleTimeout).u16(m.hardTimeout).u16(m.priority)
    w.u32(m.bufferId)
      .u16(m.outPort)
      .u16(m.flags & FLAGS(1))
    writeFlowActions(w, m.actions, actionsIn(ctx, m.match))
    return
  }
  w.u64(m.cookie).u64(m.cookieMask).u8(m.table).u8(COMMANDS.indexOf(m.command))
  w.u16(m.idleTimeout).u16(m.hardTimeout).u16(m.priority).u32(m.bufferId)
  w.u32(widenPort(m.outPort))
    .u32(m.outGroup)
    .u16(m.flags & FLAGS(ctx.version))
  w.u16(ctx.version >= 5 ? m.importance : 0)
  writeMatch(w, m.match, ctx.version)
  writeFlowActions(w, m.actions, actionsIn(ctx, m.match))
}

function command10(m: FlowMod, ctx: WireContext): number {
  return COMMANDS.indexOf(m.command) | (ctx.flowModTableId ? m.table << 8 : 0)
}

export function writeNxtFlowMod(w: Writer, m: FlowMod, ctx: WireContext): void {
  w.u64(m.cookie).u16(command10(m, ctx)).u16(m.idleTimeout).u16(m.hardTimeout).u16(m.priority)
  w.u32(m.bufferId)
    .u16(m.outPort)
    .u16(m.flags & FLAGS(1))
  const at = w.length
  w.u16(0).zeros(6)
  writeFields(w, m.match, ctx.version)
  w.patch16(at, w.length - at - 8)
  w.align(8, at)
  writeFlowActions(w, m.actions, actionsIn(ctx, m.match))
}

export function readFlowRemoved(r: Reader, xid: number, ctx: WireContext): FlowRemoved {
  if (ctx.version === 1) {
    const match = readMatch10(r)
    const cookie = r.u64()
    const priority = r.u16()
    const reason = r.u8()
    r.skip(1)
    const durationSec = r.u32()
    const durationNsec = r.u32()
    const idleTimeout = r.u16()
    r.skip(2)
    return {
      type: 'flow_removed',
      xid,
      match,
      cookie,
      priority,
      reason,
      table: 0xff,
      durationSec,
      durationNsec,
      idleTimeout,
      hardTimeout: 0,
      packets: r.u64(),
      bytes: r.u64(),
    }
  }
  if (ctx.version >= 6) {
    const table = r.u8()
    const reason = r.u8()
    const priority = r.u16()
    const idleTimeout = r.u16()
    const hardTimeout = r.u16()
    const cookie = r.u64()
    const match = readMatch(r, true)
    const c = readFlowCounters(r)
    return {
      type: 'flow_removed',
      xid,
      match,
      cookie,
      priority,
      reason,
      table,
      durationSec: c.durationSec,
      durationNsec: c.durationNsec,
      idleTimeout,
      hardTimeout,
      packets: c.packets,
      bytes: c.bytes,
    }
  }
  const cookie = r.u64()
  const priority = r.u16()
  const reason = r.u8()
  const table = r.u8()
  const durationSec = r.u32()
  const durationNsec = r.u32()
  const idleTimeout = r.u16()
  const hardTimeout = r.u16()
  const packets = r.u64()
  const bytes = r.u64()
  const match = readMatch(r, true)
  return {
    type: 'flow_removed',
    xid,
    match,
    cookie,
    priority,
    reason,
    table,
    durationSec,
    durationNsec,
    idleTimeout,
    hardTimeout,
    packets,
    bytes,
  }
}

export function writeFlowRemoved(w: Writer, m: FlowRemoved, ctx: WireContext): void {
  if (ctx.version === 1) {
    writeMatch10(w, m.match)
    w.u64(m.cookie).u16(m.priority).u8(m.reason).u8(0).u32(m.durationSec).u32(m.durationNsec)
    w.u16(m.idleTimeout).u16(0).u64(m.packets).u64(m.bytes)
    return
  }
  if (ctx.version >= 6) {
    w.u8(m.table).u8(m.reason).u16(m.priority).u16(m.idleTimeout).u16(m.hardTimeout).u64(m.cookie)
    writeMatch(w, m.match, ctx.version)
    writeFlowCounters(w, m)
    return
  }
  w.u64(m.cookie).u16(m.priority).u8(m.reason).u8(m.table).u32(m.durationSec).u32(m.durationNsec)
  w.u16(m.idleTimeout).u16(m.hardTimeout).u64(m.packets).u64(m.bytes)
  writeMatch(w, m.match, ctx.version)
}
