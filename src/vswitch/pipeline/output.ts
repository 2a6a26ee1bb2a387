import { formatIpv4 } from '../../address/ipv4.ts'
import { formatIpv6 } from '../../address/ipv6.ts'
import { type Action, OFPP } from '../../openflow/actions/action.ts'
import * as K from '../classifier/key.ts'
import type { Slots } from '../classifier/slots.ts'
import type { TunnelInfo, TunnelOption } from '../datapath/action.ts'
import { freezeWords } from '../datapath/frozen.ts'
import { type BridgePort, LINK_DOWN, NO_FLOOD, NO_FWD, NO_RECV, PORT_DOWN, PortCredit } from '../ofproto/port.ts'
import { runActionSet } from './action-set.ts'
import { commit } from './commit.ts'
import { untrack } from './connection.ts'
import type { Context } from './context.ts'
import { finishFreezing, freeze, userspace } from './freeze.ts'
import { mirrorEgress, mirrorIngress } from './mirror.ts'
import { normal } from './normal.ts'
import { lookupAndRun } from './tables.ts'

/** Translates an output to a port by number, reserved ones included. */
export function output(ctx: Context, port: number, maxLen: number, last: boolean): void {
  switch (port) {
    case OFPP.IN_PORT:
      toPort(ctx, ctx.key[K.IN_PORT] as number, last)
      break
    case OFPP.TABLE:
      lookupAndRun(ctx, ctx.key[K.IN_PORT] as number, 0, false, last)
      break
    case OFPP.NORMAL:
      normal(ctx)
      break
    case OFPP.FLOOD:
      flood(ctx, false)
      break
    case OFPP.ALL:
      flood(ctx, true)
      break
    case OFPP.CONTROLLER:
      toController(ctx, {
        type: 'controller',
        maxLen,
        controllerId: 0,
        reason: ctx.inGroup ? 4 : ctx.inActionSet ? 3 : ctx.bridge.packetOut ? 5 : 1,
      })
      break
    case OFPP.NONE:
      break
    default:
      if (port !== ctx.key[K.IN_PORT]) toPort(ctx, port, last)
      else ctx.trace?.warning('skipping output to input port')
  }
}

function flood(ctx: Context, all: boolean): void {
  const from = ctx.key[K.IN_PORT]
  for (const p of ctx.bridge.sortedPorts()) {
    if (p.number === from) continue
    if (all || !(p.config & NO_FLOOD)) toPort(ctx, p.number, false)
  }
}

/** Sends the packet, as it now is, out of a port. */
export function toPort(ctx: Context, number: number, last: boolean): void {
  ctx.dependencies.add(ctx.bridge.portsChanged)
  const port = ctx.bridge.ports.get(number)
  if (!port) {
    ctx.trace?.warning('Nonexistent output port')
    return
  }
  if (port.config & NO_FWD) {
    ctx.trace?.detail('OFPPC_NO_FWD set, skipping output')
    return
  }
  if (port.config & PORT_DOWN) {
    ctx.trace?.detail('port is down, skipping output')
    return
  }
  if (ctx.bridge.mirrors.length) mirrorEgress(ctx, port)
  if (port.kind === 'patch') {
    const peer = ctx.world.patchPeer(port)
    if (peer) throughPatch(ctx, port, peer, last)
    else ctx.trace?.detail('patch port has no peer')
    return
  }
  const dp = port.datapath
  if (!dp) {
    ctx.trace?.detail('port has no device')
    return
  }
  if (port.tunnel) {
    const info = tunnelInfo(ctx, port)
    if (!info) {
      ctx.trace?.detail('Tunneling decided against output')
      return
    }
    commit(ctx.key, ctx.base, ctx.wildcards, ctx.actions)
    ctx.actions.push({ type: 'tunnel', info }, { type: 'output', port: dp.number })
    ctx.effects.push(new PortCredit(port, false))
    ctx.outputs++
    return
  }
  commit(ctx.key, ctx.base, ctx.wildcards, ctx.actions)
  ctx.actions.push({ type: 'output', port: dp.number })
  ctx.outputs++
}

/** The packet enters another bridge: it takes its contents along, but nothing the pipeline knew. */
function throughPatch(ctx: Context, port: BridgePort, peer: BridgePort, last: boolean): void {
  if (ctx.depth >= 64) {
    ctx.fail('recursion_too_deep', 'over max translation depth 64')
    return
  }
  const { key } = ctx
  const saved = key.slice()
  const bridge = ctx.bridge
  const { table, cookie, rule, stack, actionSet, conntracked } = ctx
  ctx.bridge = peer.bridge
  ctx.stack = []
  ctx.actionSet = []
  key[K.IN_PORT] = peer.number
  key.fill(0, K.METADATA_HIGH, K.TUN_METADATA + K.TUN_METADATA_WORDS)
  key[K.ACTSET_OUTPUT] = OFPP.UNSET
  untrack(ctx)
  ctx.effects.push(new PortCredit(port, false), new PortCredit(peer, true))
  ctx.dependencies.add(peer.bridge.portsChanged)
  ctx.trace?.bridge(peer.bridge.name)
  if (peer.bridge.mirrors.length) mirrorIngress(ctx, peer)
  if (!(peer.config & (NO_RECV | PORT_DOWN)) && !(peer.state & LINK_DOWN)) {
    lookupAndRun(ctx, peer.number, 0, true, last)
    if (!ctx.freezing) runActionSet(ctx)
    if (ctx.freezing) finishFreezing(ctx)
  }
  ctx.trace?.end()
  // what the other bridge ended does not end this one, unless by an error
  ctx.exit = ctx.error !== undefined
  ctx.bridge = bridge
  ctx.table = table
  ctx.cookie = cookie
  ctx.rule = rule
  ctx.stack = stack
  ctx.actionSet = actionSet
  ctx.conntracked = conntracked
  key.set(saved)
}

function tunnelInfo(ctx: Context, port: BridgePort): TunnelInfo | undefined {
  const { key, wildcards } = ctx
  const t = port.tunnel
  if (!t) return undefined
  const see = (...at: number[]) => {
    for (const w of at) wildcards[w] = 0xffffffff
  }
  let dst = t.remoteIp
  if (dst === 'flow') {
    see(K.TUN_DST, K.TUN_IPV6_DST, K.TUN_IPV6_DST + 1, K.TUN_IPV6_DST + 2, K.TUN_IPV6_DST + 3)
    dst = address(key, K.TUN_DST, K.TUN_IPV6_DST)
    if (!dst) return undefined
  }
  let src = t.localIp
  if (src === 'flow') {
    see(K.TUN_SRC, K.TUN_IPV6_SRC, K.TUN_IPV6_SRC + 1, K.TUN_IPV6_SRC + 2, K.TUN_IPV6_SRC + 3)
    src = address(key, K.TUN_SRC, K.TUN_IPV6_SRC)
  }
  let id = 0n
  if (t.outKey === 'flow') {
    see(K.TUN_ID_HIGH, K.TUN_ID_LOW)
    id = (BigInt(key[K.TUN_ID_HIGH] as number) << 32n) | BigInt(key[K.TUN_ID_LOW] as number)
  } else if (t.outKey !== undefined) id = t.outKey
  const ip = key[K.DL_TYPE] === K.ETH_IPV4 || key[K.DL_TYPE] === K.ETH_IPV6
  let ttl = 64
  if (t.ttl === 'inherit') {
    if (ip) {
      see(K.NW_TTL)
      ttl = key[K.NW_TTL] as number
    }
  } else ttl = t.ttl
  let tos = 0
  if (t.tos === 'inherit') {
    if (ip) {
      see(K.NW_TOS)
      tos = (key[K.NW_TOS] as number) & 0xfc
    }
  } else tos = t.tos & 0xfc
  if (ip) {
    // RFC 6040 §4.1: congestion experienced inside is ECN-capable outside
    see(K.NW_TOS)
    const ecn = (key[K.NW_TOS] as number) & 3
    tos |= ecn === 3 ? 2 : ecn
  }
  see(K.TUN_FLAGS, K.TUN_METADATA_PRESENT_HIGH, K.TUN_METADATA_PRESENT_LOW)
  return {
    id,
    src,
    dst,
    tos,
    ttl,
    port: t.port,
    df: t.df,
    csum: t.csum,
    key: t.outKey !== undefined,
    oam: ((key[K.TUN_FLAGS] as number) & K.TUN_F_OAM) !== 0,
    gbpId: t.gbp ? (key[K.TUN_GBP_ID] as number) : 0,
    gbpFlags: t.gbp ? (key[K.TUN_GBP_FLAGS] as number) : 0,
    options: t.type === 'geneve' ? options(key, wildcards, ctx.world.slots) : [],
  }
}

function address(key: K.Key, v4: number, v6: number): string {
  if (key[v4] !== 0) return formatIpv4(key[v4] as number)
  return K.nonZero(key, v6, 4) ? formatIpv6(K.u128(key, v6)) : ''
}

/** The options that are present, in the order of their fields. */
function options(key: K.Key, wildcards: K.Key, slots: Slots): TunnelOption[] {
  const out: TunnelOption[] = []
  if (key[K.TUN_METADATA_PRESENT_HIGH] === 0 && key[K.TUN_METADATA_PRESENT_LOW] === 0) return out
  for (const m of slots.mappings()) {
    const present = key[m.index < 32 ? K.TUN_METADATA_PRESENT_LOW : K.TUN_METADATA_PRESENT_HIGH] as number
    const s = slots.slotOfIndex(m.index)
    if (!s || !(present & (1 << (m.index & 31)))) continue
    const data = new Uint8Array(m.length)
    for (let i = 0; i < s.words; i++) {
      const w = key[s.word + i] as number
      wildcards[s.word + i] = 0xffffffff
      data[4 * i] = w >>> 24
      data[4 * i + 1] = w >>> 16
      data[4 * i + 2] = w >>> 8
      data[4 * i + 3] = w
    }
    out.push({ class: m.class, type: m.type, data })
  }
  return out
}

/** A packet to the controller; with `pause`, the pipeline waits for it there. */
export function toController(ctx: Context, action: Action & { type: 'controller' }): void {
  if (action.pause) {
    ctx.pause = { action, table: ctx.table, cookie: ctx.cookie, rule: ctx.rule }
    freeze(ctx)
    return
  }
  commit(ctx.key, ctx.base, ctx.wildcards, ctx.actions)
  const frozen = ctx.frozenState({ table: ctx.table, lookup: false, actions: [] }, freezeWords(ctx.key))
  const id = ctx.world.frozen.id(frozen, ctx.now)
  ctx.actions.push(
    userspace({ action, table: ctx.table, cookie: ctx.cookie, rule: ctx.rule }, ctx.live, frozen, id, false),
  )
  ctx.outputs++
}
