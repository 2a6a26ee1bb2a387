import { OFPP } from '../../openflow/actions/action.ts'
import { type Bucket, GROUP_ANY } from '../../openflow/messages/message.ts'
import * as K from '../classifier/key.ts'
import type { BucketState, Group } from '../groups/group.ts'
import { inOrder } from './action-set.ts'
import { runActions } from './actions.ts'
import { commit } from './commit.ts'
import type { Context } from './context.ts'
import { finishFreezing, freeze } from './freeze.ts'

/** Translates a `group` action. True: the pipeline froze, and comes back to this very action. */
export function group(ctx: Context, id: number, last: boolean): boolean {
  ctx.dependencies.add(ctx.bridge.groupsChanged)
  ctx.dependencies.add(ctx.bridge.portsChanged)
  const g = ctx.bridge.groups.get(id)
  if (!g) {
    ctx.trace?.detail('output to nonexistent group')
    return false
  }
  if (ctx.inGroup >= 8) {
    ctx.fail('recursion_too_deep', 'over max translation depth 64')
    return false
  }
  const live = (b: BucketState) => g.live(b, (bucket) => alive(ctx, bucket, 0))
  switch (g.type) {
    case 'all':
      ctx.effects.push(g)
      for (const b of g.buckets) bucket(ctx, b, false)
      return false
    case 'indirect': {
      ctx.effects.push(g)
      const b = g.buckets[0]
      if (b) bucket(ctx, b, last)
      return false
    }
    case 'fast_failover': {
      ctx.effects.push(g)
      const b = g.buckets.find((x) => live(x))
      if (b) bucket(ctx, b, last)
      return false
    }
    case 'select':
      return select(ctx, g, live, last)
  }
}

function select(ctx: Context, g: Group, live: (b: BucketState) => boolean, last: boolean): boolean {
  let chosen: BucketState | undefined
  if (g.byDatapathHash) {
    if (ctx.key[K.DP_HASH] === 0) {
      commit(ctx.key, ctx.base, ctx.wildcards, ctx.actions)
      ctx.actions.push({ type: 'hash', algorithm: 'sym_l4', basis: Number((g.selection?.param ?? 0n) & 0xffffffffn) })
      ctx.trace?.detail('selection method in use: dp_hash, recirculating')
      freeze(ctx)
      return true
    }
    const { bucket: b, mask } = g.byHash(ctx.key[K.DP_HASH] as number, live)
    ctx.wildcards[K.DP_HASH] = (ctx.wildcards[K.DP_HASH] as number) | mask
    chosen = b
  } else chosen = g.byFields(ctx.key, ctx.wildcards, ctx.world.slots, live)
  ctx.effects.push(g)
  if (chosen) {
    ctx.trace?.detail(`using bucket ${chosen.spec.id}`)
    bucket(ctx, chosen, last)
  } else ctx.trace?.detail('no live bucket')
  return false
}

function alive(ctx: Context, b: Bucket, depth: number): boolean {
  if (b.watchPort !== OFPP.NONE) return ctx.bridge.ports.get(b.watchPort)?.live ?? false
  if (b.watchGroup !== GROUP_ANY && depth < 8) {
    const g = ctx.bridge.groups.get(b.watchGroup)
    return g?.buckets.some((x) => g.live(x, (y) => alive(ctx, y, depth + 1))) ?? false
  }
  return false
}

/** Runs a bucket on a copy of the packet. */
function bucket(ctx: Context, b: BucketState, last: boolean): void {
  ctx.trace?.bucket(b.spec.id)
  ctx.effects.push(b)
  const saved = ctx.key.slice()
  const { stack, conntracked } = ctx
  ctx.stack = [...stack]
  ctx.inGroup++
  ctx.depth++
  runActions(ctx, inOrder(b.spec.actions), last)
  ctx.depth--
  ctx.inGroup--
  ctx.trace?.end()
  ctx.stack = stack
  // a bucket that froze goes on by itself: what follows the group has the packet as it was
  if (ctx.freezing) finishFreezing(ctx)
  ctx.exit = ctx.error !== undefined
  ctx.key.set(saved)
  ctx.conntracked = conntracked
}
