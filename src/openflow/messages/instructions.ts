import type { Reader, Writer } from '../../base/bytes.ts'
import type { Action } from '../actions/action.ts'
import type { ActionContext } from '../actions/context.ts'
import { decodeActions } from '../actions/decode.ts'
import { encodeActions } from '../actions/encode.ts'
import { fault } from './fault.ts'

/** OFPIT_* (OpenFlow 1.5 §7.2.5). */
const OFPIT = {
  GOTO_TABLE: 1,
  WRITE_METADATA: 2,
  WRITE_ACTIONS: 3,
  APPLY_ACTIONS: 4,
  CLEAR_ACTIONS: 5,
  METER: 6,
} as const

/** Reads what a flow does: bare actions in 1.0, instructions later, as one list in execution order. */
export function readFlowActions(r: Reader, ctx: ActionContext): Action[] {
  if (ctx.version === 1) return decodeActions(r, ctx)
  const found = new Map<number, Action[]>()
  const unknown: Action[] = []
  while (r.left > 0) {
    if (r.left < 8) fault('OFPBIC_BAD_LEN')
    const start = r.at
    const type = r.u16()
    const length = r.u16()
    if (length < 8 || length % 8 || length > r.end - start) fault('OFPBIC_BAD_LEN')
    const body = r.sub(length - 4)
    if (type === 0xffff) fault('OFPBIC_BAD_EXPERIMENTER')
    if (found.has(type)) fault('OFPBIC_DUP_INST')
    found.set(type, instruction(type, body, ctx))
  }
  // OpenFlow 1.5 §5.5: the order in which instructions execute.
  return [
    ...(found.get(OFPIT.METER) ?? []),
    ...(found.get(OFPIT.APPLY_ACTIONS) ?? []),
    ...(found.get(OFPIT.CLEAR_ACTIONS) ?? []),
    ...(found.get(OFPIT.WRITE_ACTIONS) ?? []),
    ...(found.get(OFPIT.WRITE_METADATA) ?? []),
    ...(found.get(OFPIT.GOTO_TABLE) ?? []),
    ...unknown,
  ]
}

function instruction(type: number, r: Reader, ctx: ActionContext): Action[] {
  switch (type) {
    case OFPIT.GOTO_TABLE: {
      const table = r.u8()
      if (table === 255) fault('OFPBIC_BAD_TABLE_ID')
      return [{ type: 'goto_table', table }]
    }
    case OFPIT.WRITE_METADATA:
      r.skip(4)
      return [{ type: 'write_metadata', value: r.u64(), mask: r.u64() }]
    case OFPIT.WRITE_ACTIONS:
      r.skip(4)
      return [{ type: 'write_actions', actions: decodeActions(r, ctx) }]
    case OFPIT.APPLY_ACTIONS:
      r.skip(4)
      return decodeActions(r, ctx)
    case OFPIT.CLEAR_ACTIONS:
      return [{ type: 'clear_actions' }]
    case OFPIT.METER:
      if (ctx.version >= 4 && ctx.version < 6) return [{ type: 'meter', meter: r.u32() }]
      fault('OFPBIC_UNKNOWN_INST')
      break
    default:
      fault('OFPBIC_UNKNOWN_INST')
  }
}

/** Writes what a flow does, as `readFlowActions` reads it. */
export function writeFlowActions(w: Writer, actions: readonly Action[], ctx: ActionContext): void {
  if (ctx.version === 1) {
    encodeActions(w, actions, ctx)
    return
  }
  const apply: Action[] = []
  const rest: Action[] = []
  for (const a of actions) {
    if (a.type === 'clear_actions' || a.type === 'write_actions' || a.type === 'goto_table') rest.push(a)
    else if (a.type === 'write_metadata') rest.push(a)
    else if (a.type === 'meter' && ctx.version < 6) {
      if (ctx.version >= 4) w.u16(OFPIT.METER).u16(8).u32(a.meter)
    } else apply.push(a)
  }
  if (apply.length) list(w, OFPIT.APPLY_ACTIONS, apply, ctx)
  for (const a of rest) {
    if (a.type === 'clear_actions') w.u16(OFPIT.CLEAR_ACTIONS).u16(8).u32(0)
    else if (a.type === 'write_actions') list(w, OFPIT.WRITE_ACTIONS, a.actions, ctx)
    else if (a.type === 'write_metadata') w.u16(OFPIT.WRITE_METADATA).u16(24).u32(0).u64(a.value).u64(a.mask)
    else if (a.type === 'goto_table') w.u16(OFPIT.GOTO_TABLE).u16(8).u8(a.table).zeros(3)
  }
}

function list(w: Writer, type: number, actions: readonly Action[], ctx: ActionContext): void {
  const start = w.length
  w.u16(type).u16(0).u32(0)
  encodeActions(w, actions, ctx)
  w.patch16(start + 2, w.length - start)
}
