import * as K from '../classifier/key.ts'
import { type BridgePort, NO_FLOOD, type PortVlan } from '../ofproto/port.ts'
import type { Context } from './context.ts'
import { toPort } from './output.ts'

/** The VLAN that a frame is in when it comes in by a port, or undefined: it may not come in there. */
export function inputVlan(vlan: PortVlan, tci: number): number | undefined {
  const vid = tci & K.VLAN_PRESENT ? tci & 0xfff : 0
  switch (vlan.mode) {
    case 'access':
      return vid === 0 ? vlan.tag : undefined
    case 'dot1q-tunnel':
      return vlan.tag
    case 'native-tagged':
    case 'native-untagged':
      if (vid === 0) return vlan.tag
      return carries(vlan, vid) ? vid : undefined
    case 'trunk':
      return carries(vlan, vid) ? vid : undefined
  }
}

function carries(vlan: PortVlan, vid: number): boolean {
  switch (vlan.mode) {
    case 'access':
    case 'dot1q-tunnel':
      return vlan.tag === vid
    case 'native-tagged':
    case 'native-untagged':
      return vid === vlan.tag || vlan.trunks.size === 0 || vlan.trunks.has(vid)
    case 'trunk':
      return vlan.trunks.size === 0 || vlan.trunks.has(vid)
  }
}

/** 01:80:c2:00:00:00 to :0f, which bridges do not forward (IEEE 802.1Q §8.6.3). */
function reserved(key: K.Key): boolean {
  return key[K.DL_DST_HIGH] === 0x0180 && ((key[K.DL_DST_LOW] as number) & 0xfffffff0) >>> 0 === 0xc2000000
}

/** Translates NORMAL: a learning bridge with VLANs. */
export function normal(ctx: Context): void {
  const { key, wildcards, bridge } = ctx
  for (const at of [K.DL_SRC_HIGH, K.DL_SRC_LOW, K.DL_DST_HIGH, K.DL_DST_LOW, K.VLAN0]) wildcards[at] = 0xffffffff
  ctx.dependencies.add(bridge.portsChanged)
  ctx.dependencies.add(bridge.macs.dependency)
  const from = bridge.ports.get(key[K.IN_PORT] as number)
  if (!from) {
    ctx.trace?.detail('no input bundle, dropping')
    return
  }
  const vlan = inputVlan(from.vlan, key[K.VLAN0] as number)
  if (vlan === undefined) {
    ctx.trace?.detail('disallowed VLAN VID for this input port, dropping')
    return
  }
  if (reserved(key) && !bridge.forwardBpdu) {
    ctx.trace?.detail('packet has reserved multicast address, dropping')
    return
  }
  const source = K.mac(key, K.DL_SRC_HIGH)
  const multicastSource = ((key[K.DL_SRC_HIGH] as number) & 0x100) !== 0
  if (!multicastSource) {
    if (ctx.live) {
      const e = bridge.macs.learn(vlan, source, from)
      if (e) ctx.effects.push(e)
    }
  }
  const multicast = ((key[K.DL_DST_HIGH] as number) & 0x100) !== 0
  if (!multicast) {
    const entry = bridge.macs.get(vlan, K.mac(key, K.DL_DST_HIGH))
    if (entry) {
      if (entry.port.bundle === from.bundle) {
        ctx.trace?.detail('learned port is input port, dropping')
        return
      }
      ctx.trace?.detail('forwarding to learned port')
      outputVlan(ctx, entry.port, vlan)
      return
    }
    ctx.trace?.detail('no learned MAC for destination, flooding')
  } else ctx.trace?.detail('multicast or broadcast destination, flooding')
  const done = new Set<string>([from.bundle])
  for (const p of bridge.sortedPorts()) {
    if (done.has(p.bundle) || p.config & NO_FLOOD || (p.protectedPort && from.protectedPort)) continue
    if (p.bundle !== p.name && !p.live) continue
    done.add(p.bundle)
    outputVlan(ctx, p, vlan)
  }
}

/** Sends a frame of a VLAN out of a port, tagged as the port wants it. */
function outputVlan(ctx: Context, port: BridgePort, vid: number): void {
  const { key } = ctx
  const v = port.vlan
  if (!carries(v, vid)) return
  const before0 = key[K.VLAN0] as number
  const before1 = key[K.VLAN1] as number
  const pcp = before0 & 0xe000
  const tagged = v.mode === 'trunk' || v.mode === 'native-tagged' || (v.mode === 'native-untagged' && vid !== v.tag)
  if (v.mode === 'dot1q-tunnel') {
    // the customer's tag stays inside
  } else if (tagged && (vid !== 0 || (v.priorityTags && pcp !== 0))) {
    const tpid = before0 >>> 16 || K.ETH_VLAN
    key[K.VLAN0] = ((tpid << 16) | K.VLAN_PRESENT | pcp | vid) >>> 0
  } else if (v.priorityTags && pcp !== 0) {
    key[K.VLAN0] = ((K.ETH_VLAN << 16) | K.VLAN_PRESENT | pcp) >>> 0
  } else if (before0 !== 0) {
    key[K.VLAN0] = before1
    key[K.VLAN1] = 0
  }
  toPort(ctx, port.number, false)
  key[K.VLAN0] = before0
  key[K.VLAN1] = before1
}
