import type { Action } from '../../openflow/actions/action.ts'
import { REASON } from '../../openflow/messages/message.ts'
import type { UserspaceAction } from '../datapath/action.ts'
import { freezeWords } from '../datapath/frozen.ts'
import { commit } from './commit.ts'
import type { Context } from './context.ts'

/** Stops the pipeline before the present action; what is left is gathered on the way up. */
export function freeze(ctx: Context): void {
  ctx.freezing = true
  ctx.exit = true
}

/** Gathers the actions of one level that a frozen pipeline has still to do. */
export function unroll(ctx: Context, rest: readonly Action[]): void {
  if (rest.length === 0) return
  const kept = rest.filter((a) => a.type !== 'note' && a.type !== 'conjunction')
  if (kept.length === 0) return
  ctx.frozenActions.push({ type: 'unroll', table: ctx.table, cookie: ctx.cookie })
  for (const action of kept) ctx.frozenActions.push({ type: 'action', action })
}

/** Ends a frozen translation: recirculate, or wait for the controller. */
export function finishFreezing(ctx: Context): void {
  if (!ctx.freezing) return
  ctx.freezing = false
  commit(ctx.key, ctx.base, ctx.wildcards, ctx.actions)
  const actions = ctx.frozenActions
  ctx.frozenActions = []
  const frozen = ctx.frozenState({ table: ctx.table, lookup: false, actions }, freezeWords(ctx.key))
  const id = ctx.world.frozen.id(frozen, ctx.now)
  ctx.outputs++
  const { pause } = ctx
  if (!pause) {
    ctx.actions.push({ type: 'recirc', id })
    return
  }
  ctx.pause = undefined
  // a trace disturbs no controller
  if (!ctx.live) return
  ctx.actions.push(userspace(pause, ctx.live, frozen, id, true))
}

export function userspace(
  from: NonNullable<Context['pause']>,
  live: boolean,
  frozen: UserspaceAction['frozen'],
  recircId: number,
  pause: boolean,
): UserspaceAction {
  const { action, rule, table, cookie } = from
  const missRule = rule?.priority === 0 && rule.match.length === 0
  return {
    type: 'userspace',
    reason: action.reason === REASON.ACTION && missRule ? REASON.NO_MATCH : action.reason,
    controllerId: action.controllerId,
    maxLen: action.maxLen,
    cookie,
    table,
    userdata: action.userdata,
    meter: action.meterId,
    frozen,
    pause,
    recircId,
    dontSend: !live,
  }
}
