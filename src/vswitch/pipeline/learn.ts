import { type Action, type Learn, OFPP } from '../../openflow/actions/action.ts'
import type { FieldMatch, Match } from '../../openflow/fields/field.ts'
import { canonicalMatch, fieldMatch } from '../../openflow/fields/match.ts'
import { FLOW_FLAG } from '../../openflow/messages/message.ts'
import { markBits, readSubfield } from '../classifier/slots.ts'
import type { Effect } from '../datapath/dependency.ts'
import type { Bridge } from '../ofproto/bridge.ts'
import type { Context, World } from './context.ts'
import type { Rule } from './rule.ts'

/** A flow that a `learn` action makes (ovs-actions(7)). */
export interface LearnedFlow {
  readonly table: number
  readonly priority: number
  readonly match: Match
  readonly actions: readonly Action[]
  readonly cookie: bigint
  readonly idleTimeout: number
  readonly hardTimeout: number
  readonly flags: number
  /** Most flows with this cookie in the table; 0 is no limit. */
  readonly limit: number
}

/** Keeps a learned flow alive while packets go through the megaflow that learned it. */
class Refresh implements Effect {
  constructor(
    private readonly world: World,
    private readonly bridge: Bridge,
    private readonly flow: LearnedFlow,
    private rule: Rule | undefined,
  ) {}

  credit(_packets: number, _bytes: number, now: number): void {
    if (this.rule && !this.rule.removed) this.rule.modified = Math.max(this.rule.modified, now)
    else this.rule = this.world.learn(this.bridge, this.flow)
  }
}

export function learn(ctx: Context, action: Learn): void {
  const flow = learnedFlow(ctx, action)
  if (!ctx.live) ctx.trace?.warning('suppressing side effects, so learn action ignored')
  if (!flow) return
  const rule = ctx.live ? ctx.world.learn(ctx.bridge, flow) : undefined
  if (ctx.live) ctx.effects.push(new Refresh(ctx.world, ctx.bridge, flow, rule))
}

function learnedFlow(ctx: Context, a: Learn): LearnedFlow | undefined {
  const { slots } = ctx.world
  const parts: FieldMatch[] = []
  const actions: Action[] = []
  for (const spec of a.specs) {
    let value: bigint
    if ('value' in spec.source) value = spec.source.value
    else {
      const s = slots.of(spec.source.field)
      if (!s) return undefined
      markBits(ctx.wildcards, s, spec.source.offset, spec.source.bits)
      value = readSubfield(ctx.key, slots, spec.source)
    }
    const { target } = spec
    switch (target.kind) {
      case 'match': {
        const mask = ((1n << BigInt(spec.bits)) - 1n) << BigInt(target.dst.offset)
        parts.push(fieldMatch(target.dst.field, value << BigInt(target.dst.offset), mask))
        break
      }
      case 'load': {
        const mask = ((1n << BigInt(spec.bits)) - 1n) << BigInt(target.dst.offset)
        actions.push({
          type: 'set_field',
          field: target.dst.field,
          value: value << BigInt(target.dst.offset),
          mask,
          style: 'load',
        })
        break
      }
      case 'output': {
        const port = Number(value)
        if (port < OFPP.MAX || port === OFPP.IN_PORT || port === OFPP.FLOOD || port === OFPP.LOCAL || port === OFPP.ALL)
          actions.push({ type: 'output', port, maxLen: 0 })
      }
    }
  }
  const match = canonicalMatch(parts)
  if (!match) return undefined
  return {
    table: a.table,
    priority: a.priority,
    match,
    actions,
    cookie: a.cookie,
    idleTimeout: a.idleTimeout,
    hardTimeout: a.hardTimeout,
    flags: a.sendFlowRemoved ? FLOW_FLAG.SEND_FLOW_REM : 0,
    limit: a.limit,
  }
}
