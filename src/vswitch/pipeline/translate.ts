import type { Action } from '../../openflow/actions/action.ts'
import * as K from '../classifier/key.ts'
import { clearFields } from '../conntrack/conntrack.ts'
import type { Translation } from '../datapath/datapath.ts'
import { FROZEN_END, FROZEN_FROM, type Frozen, thaw } from '../datapath/frozen.ts'
import type { Bridge } from '../ofproto/bridge.ts'
import { NO_RECV, PORT_DOWN, PortCredit } from '../ofproto/port.ts'
import { runActionSet } from './action-set.ts'
import { runActions } from './actions.ts'
import { Context, type TraceSink, type World } from './context.ts'
import { finishFreezing, unroll } from './freeze.ts'
import { mirrorIngress } from './mirror.ts'
import { lookupAndRun } from './tables.ts'

export interface TranslateOptions {
  /** May learn and count: the packet is real. */
  readonly live: boolean
  readonly trace?: TraceSink | undefined
  /** Gets the flow as it is at the end. */
  readonly done?: (key: K.Key) => void
}

/** Below every table: a first look-up does not count as a resubmit to a lower one. */
const NO_TABLE = -1

const DROPPED: Translation = {
  actions: [{ type: 'drop', reason: 'bridge_not_found' }],
  wildcards: K.newKey(),
  dependencies: [],
  effects: [],
  cacheable: false,
}

/** What the pipeline makes of a packet that the datapath has not seen the like of: a new one, or one that recirculates. */
export function translate(world: World, key: K.Key, options: TranslateOptions): Translation {
  const recirc = key[K.RECIRC_ID] as number
  if (recirc !== 0) {
    const frozen = world.frozen.get(recirc)
    const bridge = frozen && world.bridge(frozen.bridge)
    if (!frozen || !bridge) return { ...DROPPED, actions: [{ type: 'drop', reason: 'no_recirculation_context' }] }
    return resume(world, bridge, frozen, key, options)
  }
  const seen = K.newKey()
  const port = world.ingress(key, seen)
  if (!port) return DROPPED
  const ctx = new Context(world, port.bridge, key, options)
  or(ctx.wildcards, seen)
  ctx.ingress = key[K.IN_PORT] as number
  ctx.key[K.IN_PORT] = port.number
  ctx.base[K.IN_PORT] = port.number
  ctx.key[K.ACTSET_OUTPUT] = 0xfff7
  ctx.base[K.ACTSET_OUTPUT] = 0xfff7
  ctx.dependencies.add(port.bridge.portsChanged)
  if (port.kind === 'tunnel') ctx.effects.push(new PortCredit(port, true))
  ctx.trace?.bridge(port.bridge.name)
  if (world.special(port, key, ctx.wildcards))
    ctx.actions.push({ type: 'slow', protocol: 'bfd', bridge: port.bridge.name, port: port.number })
  else if (!(port.config & (NO_RECV | PORT_DOWN))) {
    if (port.bridge.mirrors.length) mirrorIngress(ctx, port)
    ctx.table = NO_TABLE
    lookupAndRun(ctx, port.number, 0, true, true)
    if (!ctx.freezing) runActionSet(ctx)
    finishFreezing(ctx)
  }
  ctx.trace?.end()
  options.done?.(ctx.key)
  return finish(ctx, false, port.kind === 'tunnel')
}

/** Goes on with a frozen pipeline. */
export function resume(
  world: World,
  bridge: Bridge,
  frozen: Frozen,
  key: K.Key,
  options: TranslateOptions,
): Translation {
  const ctx = new Context(world, bridge, key, options)
  thaw(frozen, ctx.key)
  thaw(frozen, ctx.base)
  if (!frozen.conntracked) {
    clearFields(ctx.key)
    clearFields(ctx.base)
  }
  ctx.ingress = frozen.ingress
  ctx.conntracked = frozen.conntracked
  ctx.stack = [...frozen.stack]
  ctx.actionSet = [...frozen.actionSet]
  ctx.table = frozen.table
  ctx.cookie = frozen.cookie
  ctx.dependencies.add(bridge.portsChanged)
  ctx.trace?.bridge(bridge.name)
  ctx.trace?.thaw(frozen.lookup ? frozen.table : undefined)
  if (frozen.lookup) {
    ctx.table = NO_TABLE
    lookupAndRun(ctx, frozen.inPort, frozen.table, true, frozen.actions.length === 0)
    ctx.table = frozen.table
  }
  for (let i = 0; i < frozen.actions.length; ) {
    const mark = frozen.actions[i]
    if (mark?.type === 'unroll') {
      ctx.table = mark.table
      ctx.cookie = mark.cookie
      i++
    }
    const run: Action[] = []
    for (; i < frozen.actions.length; i++) {
      const f = frozen.actions[i]
      if (f?.type !== 'action') break
      run.push(f.action)
    }
    if (ctx.exit) {
      if (ctx.freezing) unroll(ctx, run)
      else break
    } else runActions(ctx, run, i >= frozen.actions.length)
  }
  if (!ctx.freezing) runActionSet(ctx)
  finishFreezing(ctx)
  ctx.trace?.end()
  options.done?.(ctx.key)
  return finish(ctx, true)
}

/** Runs actions that a controller sent with a packet. */
export function translateActions(
  world: World,
  bridge: Bridge,
  key: K.Key,
  actions: readonly Action[],
  options: TranslateOptions,
): Translation {
  const ctx = new Context(world, bridge, key, options)
  ctx.key[K.ACTSET_OUTPUT] = 0xfff7
  ctx.base[K.ACTSET_OUTPUT] = 0xfff7
  ctx.trace?.bridge(bridge.name)
  bridge.packetOut = true
  runActions(ctx, actions, true)
  bridge.packetOut = false
  if (!ctx.freezing) runActionSet(ctx)
  finishFreezing(ctx)
  ctx.trace?.end()
  return finish(ctx, false)
}

function finish(ctx: Context, recirculated: boolean, tunnelled = false): Translation {
  const { wildcards: w, key } = ctx
  const type = key[K.DL_TYPE]
  w[K.RECIRC_ID] = 0xffffffff
  w[K.IN_PORT] = 0xffffffff
  w[K.DL_TYPE] = 0xffffffff
  const base = ctx.base[K.DL_TYPE]
  const first = ctx.firstType
  if ([type, base, first].some((t) => t === K.ETH_IPV4 || t === K.ETH_IPV6)) w[K.NW_FRAG] = 0xffffffff
  // what no datapath carries
  w.fill(0, K.METADATA_HIGH, K.TUN_ID_HIGH)
  // a packet that came through no tunnel has no such fields, whatever was done to them
  if (recirculated || !tunnelled) w.fill(0, FROZEN_FROM, FROZEN_END)
  w[K.PACKET_TYPE] = 0
  let { actions } = ctx
  if (ctx.error) actions = [{ type: 'drop', reason: ctx.error }]
  else if (actions.length === 0) actions = [{ type: 'drop', reason: 'of_pipeline' }]
  return {
    actions,
    wildcards: w,
    dependencies: [...ctx.dependencies],
    effects: ctx.effects,
    cacheable: ctx.cacheable,
  }
}

function or(into: K.Key, from: K.Key): void {
  for (let i = 0; i < K.KEY_WORDS; i++) into[i] = (into[i] as number) | (from[i] as number)
}
