import * as K from '../classifier/key.ts'
import type { Effect } from '../datapath/dependency.ts'
import type { BridgePort } from '../ofproto/port.ts'
import { commit } from './commit.ts'
import type { Context } from './context.ts'
import { inputVlan } from './normal.ts'

/** A mirror of a bridge (ovs-vswitchd.conf.db(5), Mirror). Ports are given by the name of their Port row. */
export interface MirrorSpec {
  readonly name: string
  readonly all: boolean
  /** Packets that come in by these, and that go out by those. */
  readonly sources: ReadonlySet<string>
  readonly destinations: ReadonlySet<string>
  /** Only packets of these VLANs; empty: all. */
  readonly vlans: ReadonlySet<number>
  /** Where copies go: a port, or all that carry a VLAN. */
  readonly outputPort: string | undefined
  readonly outputVlan: number | undefined
  /** Bytes of each packet, 0: all. */
  readonly snapLength: number
}

export class Mirror implements Effect {
  packets = 0
  bytes = 0
  constructor(readonly spec: MirrorSpec) {}

  credit(packets: number, bytes: number): void {
    this.packets += packets
    this.bytes += bytes
  }
}

/** Copies a packet that came in, before anything is done to it. */
export function mirrorIngress(ctx: Context, port: BridgePort): void {
  for (const m of port.bridge.mirrors) {
    const { all, sources, outputPort } = m.spec
    // what a mirror sends out is not to come back through it
    if (outputPort === port.bundle) continue
    if (all || sources.has(port.bundle)) copy(ctx, m, port)
  }
}

/** Copies a packet that goes out by a port, as it goes out. */
export function mirrorEgress(ctx: Context, port: BridgePort): void {
  for (const m of port.bridge.mirrors) {
    const { all, destinations } = m.spec
    if (all || destinations.has(port.bundle)) copy(ctx, m, port)
  }
}

function copy(ctx: Context, m: Mirror, at: BridgePort): void {
  // once for each packet, however many of its ports are mirrored
  if (ctx.mirrored.has(m)) return
  const { vlans, outputPort, outputVlan, snapLength } = m.spec
  ctx.wildcards[K.VLAN0] = 0xffffffff
  const vlan = inputVlan(at.vlan, ctx.key[K.VLAN0] as number)
  if (vlans.size > 0 && (vlan === undefined || !vlans.has(vlan))) return
  ctx.mirrored.add(m)
  ctx.effects.push(m)
  for (const p of at.bridge.sortedPorts()) {
    const wanted = outputPort !== undefined ? p.bundle === outputPort : carriesVlan(p, outputVlan)
    if (!wanted || p === at || !p.datapath || p.kind === 'tunnel') continue
    const saved = ctx.key[K.VLAN0] as number
    if (outputVlan !== undefined) ctx.key[K.VLAN0] = ((K.ETH_VLAN << 16) | K.VLAN_PRESENT | outputVlan) >>> 0
    commit(ctx.key, ctx.base, ctx.wildcards, ctx.actions)
    if (snapLength > 0) ctx.actions.push({ type: 'trunc', maxLen: snapLength })
    ctx.actions.push({ type: 'output', port: p.datapath.number })
    ctx.outputs++
    ctx.key[K.VLAN0] = saved
    if (outputPort !== undefined) break
  }
}

function carriesVlan(p: BridgePort, vlan: number | undefined): boolean {
  return vlan !== undefined && p.vlan.mode === 'trunk' && (p.vlan.trunks.size === 0 || p.vlan.trunks.has(vlan))
}
