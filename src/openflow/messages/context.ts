import type { ActionContext } from '../actions/context.ts'
import { actionContext } from '../actions/context.ts'
import type { Match } from '../fields/field.ts'

/** What reading and writing a message depends on besides its bytes. */
export interface WireContext {
  /** Wire number: 1 is OpenFlow 1.0, 6 is 1.5. */
  readonly version: number
  /** OpenFlow 1.0 after NXT_FLOW_MOD_TABLE_ID: the high byte of a command is the table. */
  readonly flowModTableId?: boolean
  /** Keep actions that are not known (statistics), instead of faulting (requests). */
  readonly keepUnknown?: boolean
}

export function actionsIn(ctx: WireContext, match?: Match): ActionContext {
  return actionContext(ctx.version, match, ctx.keepUnknown)
}
