import type { Action, ActionType } from '../../openflow/actions/action.ts'
import { runActions } from './actions.ts'
import type { Context } from './context.ts'

/** OpenFlow 1.5 §5.6: the order in which an action set runs. What is not here keeps its place among the fields. */
const ORDER: Partial<Readonly<Record<ActionType, number>>> = {
  pop_vlan: 1,
  pop_mpls: 1,
  decap: 1,
  encap: 2,
  push_mpls: 2,
  push_vlan: 3,
  dec_ttl: 4,
  dec_mpls_ttl: 4,
  dec_nsh_ttl: 4,
  set_queue: 6,
}

const FINAL: Partial<Readonly<Record<ActionType, number>>> = {
  ct: 1,
  resubmit: 2,
  output: 3,
  output_reg: 3,
  output_trunc: 3,
  controller: 3,
  group: 4,
}

/** Of the actions written, those that run, in order: of one kind the last, and one that ends it. */
export function inOrder(set: readonly Action[]): Action[] {
  const out: { rank: number; action: Action }[] = []
  let final: Action | undefined
  for (const action of set) {
    const f = FINAL[action.type]
    if (f !== undefined) {
      if (!final || f >= (FINAL[final.type] ?? 0)) final = action
      continue
    }
    const rank = ORDER[action.type] ?? 5
    if (rank !== 5) {
      const old = out.findIndex((o) => o.action.type === action.type)
      if (old >= 0) out.splice(old, 1)
    }
    out.push({ rank, action })
  }
  out.sort((a, b) => a.rank - b.rank)
  const actions = out.map((o) => o.action)
  if (final) actions.push(final)
  return actions
}

/** Runs and empties the packet's action set. */
export function runActionSet(ctx: Context): void {
  if (ctx.actionSet.length === 0) return
  const actions = inOrder(ctx.actionSet)
  // without a way out the packet is dropped, whatever else the set says
  const last = actions[actions.length - 1]
  ctx.actionSet = []
  if (!last || FINAL[last.type] === undefined) return
  ctx.inActionSet = true
  ctx.trace?.runActionSet()
  runActions(ctx, actions, true)
  ctx.trace?.end()
  ctx.inActionSet = false
}
