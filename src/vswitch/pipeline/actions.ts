import { type Action, OFPP } from '../../openflow/actions/action.ts'
import type { Field, Subfield } from '../../openflow/fields/field.ts'
import { F } from '../../openflow/fields/table.ts'
import * as K from '../classifier/key.ts'
import { markBits, readSubfield, type Slot, writeBits, writeMasked } from '../classifier/slots.ts'
import type { DpAction } from '../datapath/action.ts'
import { flowHash } from '../datapath/datapath.ts'
import { inOrder, runActionSet } from './action-set.ts'
import { commit } from './commit.ts'
import { connection, untrack } from './connection.ts'
import type { Context } from './context.ts'
import { finishFreezing, freeze, unroll } from './freeze.ts'
import { learn } from './learn.ts'
import { output, toController } from './output.ts'
import { packetHas } from './prerequisite.ts'
import { group } from './select.ts'
import { lookupAndRun } from './tables.ts'

/** Translates a list of actions. `last`: nothing follows it in the lists around it either. */
export function runActions(ctx: Context, actions: readonly Action[], last: boolean): void {
  for (let i = 0; i < actions.length; i++) {
    if (ctx.exit) {
      if (ctx.freezing) unroll(ctx, actions.slice(i))
      return
    }
    const a = actions[i] as Action
    ctx.trace?.action(a)
    const step = one(ctx, a, last && i === actions.length - 1, actions, i)
    if (step === 'again') {
      unroll(ctx, actions.slice(i))
      return
    }
    if (step === 'stop') return
  }
}

type Step = 'again' | 'stop' | undefined

/** `again`: frozen before the action, which is to run once more. `stop`: the list ends here. */
function one(ctx: Context, a: Action, last: boolean, all: readonly Action[], index: number): Step {
  const { key, wildcards, world } = ctx
  switch (a.type) {
    case 'output':
      output(ctx, a.port, a.maxLen ?? 0, last)
      return
    case 'output_reg': {
      const port = Number(source(ctx, a.src))
      ctx.trace?.detail(`output port is ${port}`)
      if (port <= 0xffff) output(ctx, port, a.maxLen, last)
      return
    }
    case 'output_trunc':
      truncated(ctx, a.port, a.maxLen, last)
      return
    case 'controller':
      toController(ctx, a)
      return
    case 'enqueue': {
      const before = key[K.SKB_PRIORITY] as number
      wildcards[K.SKB_PRIORITY] = 0xffffffff
      key[K.SKB_PRIORITY] = a.queue
      output(ctx, a.port, 0, last)
      key[K.SKB_PRIORITY] = before
      return
    }
    case 'set_queue':
      wildcards[K.SKB_PRIORITY] = 0xffffffff
      key[K.SKB_PRIORITY] = a.queue
      return
    case 'pop_queue':
      key[K.SKB_PRIORITY] = 0
      ctx.trace?.detail('queue = 0')
      return
    case 'group':
      return group(ctx, a.group, last) ? 'again' : undefined
    case 'bundle': {
      const port = member(ctx, a.members, a.algorithm === 'active_backup', a.basis)
      if (a.dst) moved(ctx, a.dst, BigInt(port))
      else if (port !== OFPP.NONE) output(ctx, port, 0, last)
      return
    }
    case 'multipath': {
      const h = flowHash(key, a.basis)
      hashWildcards(ctx)
      moved(ctx, a.dst, BigInt(h % (a.maxLink + 1)))
      return
    }
    case 'set_field':
      setField(ctx, a.field, a.value, a.mask)
      return
    case 'set_tunnel':
      key[K.TUN_ID_HIGH] = Number((a.id >> 32n) & 0xffffffffn)
      key[K.TUN_ID_LOW] = Number(a.id & 0xffffffffn)
      return
    case 'mod_tp': {
      const type = key[K.DL_TYPE]
      if (type !== K.ETH_IPV4 && type !== K.ETH_IPV6) return
      wildcards[K.NW_PROTO] = 0xffffffff
      if ((key[K.NW_FRAG] as number) & K.FRAG_LATER) return
      const at = a.which === 'src' ? K.TP_SRC : K.TP_DST
      const icmp = key[K.NW_PROTO] === K.IP_ICMP || key[K.NW_PROTO] === K.IP_ICMPV6
      wildcards[at] = (wildcards[at] as number) | (icmp ? 0xff : 0xffff)
      key[at] = a.port
      return
    }
    case 'move':
      if (packetHas(key, a.src.field, wildcards) && packetHas(key, a.dst.field, wildcards))
        moved(ctx, a.dst, source(ctx, a.src))
      return
    case 'push':
      ctx.stack.push({ value: source(ctx, a.src), bits: a.src.bits })
      return
    case 'pop': {
      const v = ctx.stack.pop()
      if (v) moved(ctx, a.dst, v.value & ((1n << BigInt(a.dst.bits)) - 1n))
      else ctx.trace?.error('stack underflow')
      return
    }
    case 'mod_vlan_vid':
      seeVlan(ctx)
      if (key[K.VLAN0] === 0) {
        if (a.push) key[K.VLAN0] = ((K.ETH_VLAN << 16) | K.VLAN_PRESENT | a.vid) >>> 0
      } else key[K.VLAN0] = (((key[K.VLAN0] as number) & ~0xfff) | a.vid) >>> 0
      return
    case 'mod_vlan_pcp':
      seeVlan(ctx)
      if (key[K.VLAN0] === 0) {
        if (a.push) key[K.VLAN0] = ((K.ETH_VLAN << 16) | K.VLAN_PRESENT | (a.pcp << 13)) >>> 0
      } else key[K.VLAN0] = (((key[K.VLAN0] as number) & ~0xe000) | (a.pcp << 13)) >>> 0
      return
    case 'push_vlan':
      seeVlan(ctx)
      // With two tags the inner one falls off: whoever has one tag gets another packet.
      if (((key[K.VLAN1] as number) & K.VLAN_PRESENT) !== 0) wildcards[K.VLAN1] = 0xffffffff
      key[K.VLAN1] = key[K.VLAN0] as number
      key[K.VLAN0] = ((a.ethertype << 16) | K.VLAN_PRESENT) >>> 0
      return
    case 'pop_vlan':
      seeVlan(ctx)
      // What is matched from now on is the inner tag, or that there is none.
      if (((key[K.VLAN0] as number) & K.VLAN_PRESENT) !== 0) wildcards[K.VLAN1] = 0xffffffff
      key[K.VLAN0] = key[K.VLAN1] as number
      key[K.VLAN1] = 0
      return
    case 'push_mpls':
      pushMpls(ctx, a.ethertype)
      return
    case 'pop_mpls':
      return popMpls(ctx, a.ethertype)
    case 'set_mpls_label':
      mplsBits(ctx, a.label << 12, 0xfffff000)
      return
    case 'set_mpls_tc':
      mplsBits(ctx, a.tc << 9, 0xe00)
      return
    case 'set_mpls_ttl':
      mplsBits(ctx, a.ttl, 0xff)
      return
    case 'dec_mpls_ttl': {
      if (!isMpls(key)) return
      wildcards[K.MPLS0] = (wildcards[K.MPLS0] as number) | 0xff
      const ttl = (key[K.MPLS0] as number) & 0xff
      if (ttl > 1) {
        mplsBits(ctx, ttl - 1, 0xff)
        return
      }
      toController(ctx, { type: 'controller', maxLen: 0xffff, controllerId: 0, reason: 2 })
      return 'stop'
    }
    case 'dec_ttl': {
      if (key[K.DL_TYPE] !== K.ETH_IPV4 && key[K.DL_TYPE] !== K.ETH_IPV6) return
      wildcards[K.NW_TTL] = 0xffffffff
      const ttl = key[K.NW_TTL] as number
      if (ttl > 1) {
        key[K.NW_TTL] = ttl - 1
        return
      }
      for (const id of a.controllers.length ? a.controllers : [0])
        toController(ctx, { type: 'controller', maxLen: 0xffff, controllerId: id, reason: 2 })
      ctx.trace?.warning(`IPv${key[K.DL_TYPE] === K.ETH_IPV4 ? 4 : 6} decrement TTL exception`)
      return 'stop'
    }
    case 'delete_field': {
      const s = world.slots.of(a.field)
      if (!s || !a.field.variable) return
      key.fill(0, s.word, s.word + s.words)
      presence(ctx, a.field, false)
      return
    }
    case 'check_pkt_larger':
      checkLarger(ctx, a.length, a.dst, all.slice(index + 1), last)
      return 'stop'
    case 'ct':
      connection(ctx, a)
      return
    case 'ct_clear':
      if (ctx.conntracked) {
        commit(key, ctx.base, wildcards, ctx.actions)
        ctx.actions.push({ type: 'ct_clear' })
      }
      untrack(ctx)
      return
    case 'learn':
      learn(ctx, a)
      return
    case 'resubmit':
      lookupAndRun(
        ctx,
        a.port === OFPP.IN_PORT ? (key[K.IN_PORT] as number) : a.port,
        a.table ?? ctx.table,
        false,
        last,
        a.ct ?? false,
      )
      return
    case 'goto_table':
      lookupAndRun(ctx, key[K.IN_PORT] as number, a.table, true, last)
      return
    case 'clone':
      clone(ctx, a.actions, last)
      return
    case 'exit':
      ctx.exit = true
      return
    case 'meter': {
      ctx.dependencies.add(ctx.bridge.metersChanged)
      const id = world.meter(ctx.bridge, a.meter)
      if (id === undefined) return
      commit(key, ctx.base, wildcards, ctx.actions)
      ctx.actions.push({ type: 'meter', id })
      return
    }
    case 'clear_actions':
      ctx.trace?.actionSet(inOrder(ctx.actionSet), true)
      ctx.actionSet = []
      return
    case 'write_actions':
      ctx.actionSet = [...ctx.actionSet, ...a.actions]
      ctx.trace?.actionSet(inOrder(ctx.actionSet), false)
      return
    case 'write_metadata': {
      const s = world.slots.of(METADATA.field)
      if (s) writeMasked(key, s, a.value, a.mask)
      return
    }
    case 'fin_timeout':
      if (key[K.NW_PROTO] === K.IP_TCP) {
        wildcards[K.NW_PROTO] = 0xffffffff
        wildcards[K.TCP_FLAGS] = (wildcards[K.TCP_FLAGS] as number) | 5
        if ((key[K.TCP_FLAGS] as number) & 5 && ctx.live && ctx.rule) {
          shorten(ctx.rule, a.idleTimeout, a.hardTimeout)
          ctx.bridge.table(ctx.rule.table).timed.add(ctx.rule)
          world.expires()
        }
      }
      return
    case 'sample':
    case 'note':
    case 'conjunction':
      return
    case 'encap':
    case 'decap':
    case 'dec_nsh_ttl':
    case 'unknown':
      // refused when the flow was added
      ctx.fail('unsupported_packet_type', `${a.type}: not supported`)
      return
  }
}

function shorten(rule: { idleTimeout: number; hardTimeout: number }, idle: number, hard: number): void {
  if (idle && (!rule.idleTimeout || idle < rule.idleTimeout)) rule.idleTimeout = idle
  if (hard && (!rule.hardTimeout || hard < rule.hardTimeout)) rule.hardTimeout = hard
}

const METADATA = { field: F.metadata }
const FIRST_TUN_METADATA = F.tun_metadata0.index

function source(ctx: Context, sub: Subfield): bigint {
  const s = ctx.world.slots.of(sub.field)
  if (!s) return 0n
  markBits(ctx.wildcards, s, sub.offset, Math.min(sub.bits, s.bits - sub.offset))
  return readSubfield(ctx.key, ctx.world.slots, sub)
}

/** Writes bits of a field, and says so in a trace. */
function moved(ctx: Context, sub: Subfield, value: bigint): void {
  target(ctx, sub, value)
  ctx.trace?.field(sub, readSubfield(ctx.key, ctx.world.slots, sub))
}

function target(ctx: Context, sub: Subfield, value: bigint): void {
  const s = ctx.world.slots.of(sub.field)
  if (!s) return
  markBits(ctx.wildcards, s, sub.offset, Math.min(sub.bits, s.bits - sub.offset))
  writeBits(ctx.key, s, sub.offset, sub.bits, value)
  written(ctx, sub.field, s)
}

function setField(ctx: Context, field: Field, value: bigint, mask: bigint): void {
  if (!packetHas(ctx.key, field, ctx.wildcards) && field !== F.vlan_pcp) {
    ctx.trace?.warning(`unmet prerequisites for ${field.name}, set_field ignored`)
    return
  }
  const s = ctx.world.slots.of(field)
  if (!s) return
  if (mask === field.ones) markBits(ctx.wildcards, s, 0, s.bits)
  else {
    for (let i = s.words - 1, m = mask << BigInt(s.shift); i >= 0; i--, m >>= 32n)
      ctx.wildcards[s.word + i] = (ctx.wildcards[s.word + i] as number) | Number(m & 0xffffffffn)
  }
  writeMasked(ctx.key, s, value, mask)
  written(ctx, field, s)
}

/** Keeps up what goes with a field: a VLAN tag's presence and type, a tunnel option's presence. */
function written(ctx: Context, field: Field, s: Slot): void {
  const { key } = ctx
  if (field.variable) presence(ctx, field, true)
  else if (s.word === K.VLAN0) {
    ctx.wildcards[K.VLAN0] = 0xffffffff
    let v = key[K.VLAN0] as number
    if (field !== F.vlan_tci) v |= K.VLAN_PRESENT
    if (!(v & K.VLAN_PRESENT)) v = 0
    else if (v >>> 16 === 0) v |= K.ETH_VLAN << 16
    key[K.VLAN0] = v >>> 0
  }
}

function presence(ctx: Context, field: Field, there: boolean): void {
  const i = field.index - FIRST_TUN_METADATA
  const at = i < 32 ? K.TUN_METADATA_PRESENT_LOW : K.TUN_METADATA_PRESENT_HIGH
  const bit = 1 << (i & 31)
  ctx.key[at] = there ? (ctx.key[at] as number) | bit : (ctx.key[at] as number) & ~bit
}

function seeVlan(ctx: Context): void {
  ctx.wildcards[K.VLAN0] = 0xffffffff
}

const isMpls = (key: K.Key): boolean => key[K.DL_TYPE] === K.ETH_MPLS || key[K.DL_TYPE] === K.ETH_MPLS_MC

function mplsBits(ctx: Context, value: number, mask: number): void {
  if (!isMpls(ctx.key)) return
  ctx.wildcards[K.MPLS0] = (ctx.wildcards[K.MPLS0] as number) | mask
  ctx.key[K.MPLS0] = (((ctx.key[K.MPLS0] as number) & ~mask) | (value & mask)) >>> 0
}

function pushMpls(ctx: Context, ethertype: number): void {
  const { key, wildcards } = ctx
  if (isMpls(key)) {
    if (key[K.MPLS0 + 2] !== 0) {
      ctx.fail('too_many_mpls_labels', 'bridge supports at most 3 MPLS labels')
      return
    }
    for (let i = 2; i > 0; i--) key[K.MPLS0 + i] = key[K.MPLS0 + i - 1] as number
    key[K.MPLS0] = (key[K.MPLS0] as number) & ~0x100
    for (let i = 0; i < 3; i++) wildcards[K.MPLS0 + i] = 0xffffffff
    key[K.DL_TYPE] = ethertype
    return
  }
  const ip = key[K.DL_TYPE] === K.ETH_IPV4 || key[K.DL_TYPE] === K.ETH_IPV6
  if (ip) {
    wildcards[K.NW_TOS] = (wildcards[K.NW_TOS] as number) | 0xfc
    wildcards[K.NW_TTL] = 0xffffffff
  }
  commit(key, ctx.base, wildcards, ctx.actions)
  const tc = ip ? ((key[K.NW_TOS] as number) >> 2) & 7 : 0
  const ttl = ip ? (key[K.NW_TTL] as number) : 64
  // RFC 3032 §2.1: label, traffic class, bottom of stack, time to live
  key[K.MPLS0] = ((key[K.DL_TYPE] === K.ETH_IPV6 ? 2 << 12 : 0) | (tc << 9) | 0x100 | ttl) >>> 0
  key[K.MPLS0 + 1] = 0
  key[K.MPLS0 + 2] = 0
  key[K.DL_TYPE] = ethertype
  key.fill(0, K.L3, K.CT_NW_SRC)
}

function popMpls(ctx: Context, ethertype: number): Step {
  const { key, wildcards } = ctx
  if (!isMpls(key)) return
  wildcards[K.MPLS0] = (wildcards[K.MPLS0] as number) | 0x100
  const bottom = ((key[K.MPLS0] as number) & 0x100) !== 0
  for (let i = 0; i < 2; i++) key[K.MPLS0 + i] = key[K.MPLS0 + i + 1] as number
  key[K.MPLS0 + 2] = 0
  key[K.DL_TYPE] = ethertype
  // what is under the last label can only be read by looking at the packet again
  if (bottom) freeze(ctx)
  return
}

function checkLarger(ctx: Context, length: number, dst: Subfield, rest: readonly Action[], last: boolean): void {
  commit(ctx.key, ctx.base, ctx.wildcards, ctx.actions)
  const saved = {
    key: ctx.key.slice(),
    base: ctx.base.slice(),
    actions: ctx.actions,
    stack: ctx.stack,
    actionSet: ctx.actionSet,
    conntracked: ctx.conntracked,
    exit: ctx.exit,
  }
  const branch = (bit: bigint): DpAction[] => {
    ctx.actions = []
    ctx.stack = [...saved.stack]
    ctx.actionSet = [...saved.actionSet]
    target(ctx, { ...dst, bits: 1 }, bit)
    runActions(ctx, rest, last)
    if (!ctx.freezing) runActionSet(ctx)
    if (ctx.freezing) finishFreezing(ctx)
    const out = ctx.actions
    ctx.key.set(saved.key)
    ctx.base.set(saved.base)
    ctx.conntracked = saved.conntracked
    ctx.exit = ctx.error !== undefined
    return out
  }
  const greater = branch(1n)
  const lessEqual = branch(0n)
  ctx.actions = saved.actions
  ctx.stack = saved.stack
  ctx.actionSet = saved.actionSet
  ctx.actions.push({ type: 'check_pkt_len', size: length, greater, lessEqual })
}

/** Actions after which setting fields again does not bring the packet back. */
const IRREVERSIBLE: ReadonlySet<string> = new Set(['ct', 'meter', 'output_trunc', 'encap', 'decap', 'dec_nsh_ttl'])

function reversible(actions: readonly Action[]): boolean {
  return actions.every((a) => !IRREVERSIBLE.has(a.type) && (a.type !== 'clone' || reversible(a.actions)))
}

/** The same of what they became, tables further on included. */
function reversibleDp(actions: readonly DpAction[]): boolean {
  return actions.every((a) => !['ct', 'ct_clear', 'meter', 'hash', 'trunc', 'push_mpls', 'pop_mpls'].includes(a.type))
}

function clone(ctx: Context, actions: readonly Action[], last: boolean): void {
  const plain = last || reversible(actions)
  if (!plain) commit(ctx.key, ctx.base, ctx.wildcards, ctx.actions)
  const saved = {
    key: ctx.key.slice(),
    base: ctx.base.slice(),
    actions: ctx.actions,
    stack: ctx.stack,
    actionSet: ctx.actionSet,
    conntracked: ctx.conntracked,
  }
  ctx.stack = [...saved.stack]
  ctx.actionSet = []
  ctx.actions = []
  ctx.depth++
  runActions(ctx, actions, true)
  ctx.depth--
  if (ctx.freezing) finishFreezing(ctx)
  const inner = ctx.actions
  ctx.actions = saved.actions
  // where nothing but fields changed, they are set back later: no copy is needed
  if (last || (plain && reversibleDp(inner))) ctx.actions.push(...inner)
  else {
    if (inner.length) ctx.actions.push({ type: 'clone', actions: inner })
    ctx.base.set(saved.base)
  }
  ctx.key.set(saved.key)
  ctx.stack = saved.stack
  ctx.actionSet = saved.actionSet
  ctx.conntracked = saved.conntracked
  ctx.exit = ctx.error !== undefined
}

function truncated(ctx: Context, port: number, maxLen: number, last: boolean): void {
  commit(ctx.key, ctx.base, ctx.wildcards, ctx.actions)
  ctx.actions.push({ type: 'trunc', maxLen })
  const before = ctx.outputs
  output(ctx, port, maxLen, last)
  if (ctx.outputs === before) ctx.actions.pop()
}

function hashWildcards(ctx: Context): void {
  for (const at of [K.NW_SRC, K.NW_DST, K.NW_PROTO, K.TP_SRC, K.TP_DST]) ctx.wildcards[at] = 0xffffffff
  if (ctx.key[K.DL_TYPE] === K.ETH_IPV6) for (let i = 0; i < 8; i++) ctx.wildcards[K.IPV6_SRC + i] = 0xffffffff
}

function member(ctx: Context, members: readonly number[], first: boolean, basis: number): number {
  ctx.dependencies.add(ctx.bridge.portsChanged)
  const live = members.filter((m) => ctx.bridge.ports.get(m)?.live)
  if (live.length === 0) return OFPP.NONE
  if (first) return live[0] as number
  hashWildcards(ctx)
  return live[flowHash(ctx.key, basis) % live.length] as number
}
