import * as K from '../classifier/key.ts'
import { runActions } from './actions.ts'
import { type Context, MAX_DEPTH, MAX_NESTING, MAX_RESUBMITS } from './context.ts'
import { toController } from './output.ts'
import type { Rule } from './rule.ts'

/** Looks up the packet in a table, as if it had come in by `inPort`, and runs what is found. */
export function lookupAndRun(
  ctx: Context,
  inPort: number,
  table: number,
  mayMiss: boolean,
  last: boolean,
  byOriginal = false,
): void {
  if (ctx.depth >= MAX_DEPTH || ctx.nesting >= MAX_NESTING) {
    ctx.fail('recursion_too_deep', `over max translation depth ${MAX_DEPTH}`)
    return
  }
  if (ctx.resubmits >= MAX_RESUBMITS) {
    ctx.fail('too_many_resubmit', `over ${MAX_RESUBMITS} resubmit actions`)
    return
  }
  if (ctx.stack.length >= 4096) {
    ctx.fail('stack_too_deep', 'resubmits yielded over 64 kB of stack')
    return
  }
  ctx.resubmits++
  const outer = ctx.table
  ctx.table = table
  const { key } = ctx
  const port = key[K.IN_PORT] as number
  key[K.IN_PORT] = inPort
  const swapped = byOriginal ? useOriginalTuple(ctx) : undefined
  const clauses: Rule[] | undefined = ctx.trace ? [] : undefined
  const rule = find(ctx, table, clauses)
  if (swapped) key.set(swapped)
  key[K.IN_PORT] = port
  ctx.trace?.table(table, rule)
  for (const c of clauses ?? []) ctx.trace?.clause(c)
  if (rule) {
    const before = { rule: ctx.rule, cookie: ctx.cookie }
    ctx.rule = rule
    ctx.cookie = rule.cookie
    // ovs-actions(7), resubmit: on to a higher table does not count, as it cannot go on for ever
    const deepens = table <= outer ? 1 : 0
    ctx.depth += deepens
    ctx.nesting++
    runActions(ctx, rule.actions, last)
    ctx.nesting--
    ctx.depth -= deepens
    ctx.rule = before.rule
    ctx.cookie = before.cookie
  } else if (mayMiss && ctx.bridge.missToController()) {
    toController(ctx, { type: 'controller', maxLen: ctx.bridge.missSendLen, controllerId: 0, reason: 0 })
  }
  ctx.trace?.end()
  ctx.table = outer
}

function find(ctx: Context, id: number, clauses: Rule[] | undefined): Rule | undefined {
  const table = ctx.bridge.table(id)
  ctx.dependencies.add(table.dependency)
  ctx.effects.push(table.lookups)
  const rule = table.classifier.lookup(ctx.key, ctx.wildcards, clauses)
  if (rule) {
    ctx.effects.push(table.matched, rule)
  }
  return rule
}

/** `resubmit(,table,ct)`: the look-up sees the addresses that the connection began with. */
function useOriginalTuple(ctx: Context): K.Key | undefined {
  const { key, wildcards } = ctx
  wildcards[K.CT_STATE] = (wildcards[K.CT_STATE] as number) | K.CS_TRK
  if (!((key[K.CT_STATE] as number) & K.CS_TRK) || key[K.CT_NW_PROTO] === 0) return undefined
  const saved = key.slice()
  const take = (to: number, from: number, n: number) => {
    for (let i = 0; i < n; i++) {
      wildcards[from + i] = 0xffffffff
      key[to + i] = key[from + i] as number
    }
  }
  if (key[K.DL_TYPE] === K.ETH_IPV4) {
    take(K.NW_SRC, K.CT_NW_SRC, 1)
    take(K.NW_DST, K.CT_NW_DST, 1)
  } else if (key[K.DL_TYPE] === K.ETH_IPV6) {
    take(K.IPV6_SRC, K.CT_IPV6_SRC, 4)
    take(K.IPV6_DST, K.CT_IPV6_DST, 4)
  } else return undefined
  take(K.NW_PROTO, K.CT_NW_PROTO, 1)
  take(K.TP_SRC, K.CT_TP_SRC, 1)
  take(K.TP_DST, K.CT_TP_DST, 1)
  return saved
}
