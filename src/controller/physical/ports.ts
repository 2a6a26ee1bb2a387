import { FLAG, LOG_CT_ZONE, LOG_ENCAP_ID } from '../../logical/registers.ts'
import type { Action } from '../../openflow/actions/action.ts'
import { OFPP } from '../../openflow/actions/action.ts'
import type { FieldMatch } from '../../openflow/fields/field.ts'
import { F } from '../../openflow/fields/table.ts'
import {
  bitsAre,
  cookieOf,
  DROP,
  type Flow,
  is,
  match,
  noVlan,
  output,
  resubmit,
  set,
  setBits,
  vlanIs,
  whole,
} from '../flow.ts'
import type { Tunnel } from '../interfaces.ts'
import { OFTABLE } from '../tables.ts'
import type { Place, PortZones } from './places.ts'
import { CLEAR_REGISTERS } from './static.ts'
import { chooseTunnel, encapsulate } from './tunnels.ts'

const flagSet = (name: keyof typeof FLAG): Action => set(F.reg10, 1 << FLAG[name], 1 << FLAG[name])

/** Loads the zones that there are. */
export function loadZones(zones: PortZones): Action[] {
  const out: Action[] = []
  if (zones.port !== undefined) out.push(setBits(LOG_CT_ZONE, zones.port))
  if (zones.dnat !== undefined) out.push(set(F.reg11, zones.dnat))
  if (zones.snat !== undefined) out.push(set(F.reg12, zones.snat))
  return out
}

/** "No port": lets a packet leave by the port it came in. */
const FORGET_IN_PORT: Action = set(F.in_port, OFPP.NONE)
const LOOPBACK: readonly Action[] = [
  { type: 'push', src: whole(F.in_port) },
  FORGET_IN_PORT,
  resubmit(OFTABLE.LOG_TO_PHY),
  { type: 'pop', dst: whole(F.in_port) },
]

/** What the flows of one port are made from besides its place. */
export interface PortContext {
  /** Tunnels to a chassis. */
  tunnels(chassis: string): readonly Tunnel[]
  /** This chassis' endpoints, by encap id. */
  readonly localIps: readonly string[]
  /** Another port of the same datapath, by name. */
  port(name: string): { readonly key: number; readonly uuid: string } | undefined
  /** Ports of a datapath that are on several chassis at once. */
  shared(datapath: string): readonly { readonly uuid: string; readonly key: number }[]
}

class Builder {
  readonly flows: Flow[] = []
  private readonly cookie: number
  readonly inport: readonly FieldMatch[]
  readonly outport: readonly FieldMatch[]

  constructor(readonly place: Place) {
    this.cookie = cookieOf(place.uuid)
    const dp = is(F.metadata, place.datapathKey)
    this.inport = [dp, is(F.reg14, place.key)]
    this.outport = [dp, is(F.reg15, place.key)]
  }

  add(
    table: number,
    priority: number,
    parts: readonly FieldMatch[],
    actions: readonly Action[],
    cookie = this.cookie,
  ): void {
    this.flows.push({ table, priority, match: match(...parts), actions, cookie })
  }

  /** To this port: the zones, then the egress pipeline, unless it came in by it; and out at last. */
  localDelivery(): void {
    this.add(OFTABLE.LOCAL_OUTPUT, 100, this.outport, [
      ...loadZones(this.place.zones),
      resubmit(OFTABLE.CHECK_LOOPBACK),
    ])
    this.loopbackCheck()
  }

  loopbackCheck(): void {
    const same = [...this.outport, is(F.reg14, this.place.key), bitsAre(F.reg10, FLAG.loopback, 1, 0)]
    this.add(OFTABLE.CHECK_LOOPBACK, 100, same, DROP)
  }

  openLoopback(): void {
    this.add(OFTABLE.SAVE_INPORT, 100, [...this.outport, bitsAre(F.reg10, FLAG.loopback, 1, 1)], LOOPBACK)
  }

  /** What begins the pipeline for a packet of this port. */
  arrival(encapId: number, before: readonly Action[] = [], after: readonly Action[] = []): Action[] {
    const p = this.place
    return [
      ...before,
      ...loadZones(p.zones),
      set(F.metadata, p.datapathKey),
      set(F.reg14, p.key),
      setBits(LOG_ENCAP_ID, encapId),
      ...after,
      resubmit(OFTABLE.LOG_INGRESS),
    ]
  }
}

/** Bit of vlan_vid that says there is a header (ovs-fields(7), vlan_vid). */
const VLAN_PRESENT = 0x1000
const POP: Action = { type: 'pop_vlan' }
export const pushTag = (tag: number): Action[] => [
  { type: 'push_vlan', ethertype: 0x8100 },
  set(F.vlan_vid, VLAN_PRESENT | tag),
]

/** The flows of one logical port. */
export function portFlows(place: Place, ctx: PortContext): Flow[] {
  const b = new Builder(place)
  switch (place.at) {
    case 'vif':
      vifFlows(b, place, ctx)
      break
    case 'localport': {
      b.add(OFTABLE.PHY_TO_LOG, 100, [is(F.in_port, place.ofport)], b.arrival(0, [], [flagSet('localport')]))
      // Its packets stay here (ovn-architecture(7), table 42).
      b.add(OFTABLE.REMOTE_OUTPUT, 150, b.inport, [resubmit(OFTABLE.LOCAL_OUTPUT)])
      b.localDelivery()
      b.openLoopback()
      b.add(OFTABLE.LOG_TO_PHY, 100, b.outport, [output(place.ofport)])
      break
    }
    case 'localnet':
    case 'l2gateway':
      localnetFlows(b, place)
      break
    case 'patch':
    case 'l3gateway':
      b.localDelivery()
      b.openLoopback()
      b.add(OFTABLE.LOG_TO_PHY, 100, b.outport, [crossOver(place)])
      break
    case 'redirect-here':
      b.add(OFTABLE.LOCAL_OUTPUT, 100, b.outport, [
        set(F.reg15, place.distributed),
        ...loadZones({ ...place.zones, port: undefined }),
        FORGET_IN_PORT,
        resubmit(OFTABLE.CHECK_LOOPBACK),
      ])
      break
    case 'redirect':
      redirectFlows(b, place, ctx)
      break
    case 'remote':
      remoteFlows(b, place, ctx)
      break
    case 'absent':
    case 'unpaired':
      return []
    case 'behind-localnet':
      b.add(OFTABLE.LOCAL_OUTPUT, 100, b.outport, [set(F.reg15, place.localnet), resubmit(OFTABLE.LOCAL_OUTPUT)])
      fromShared(b, place, ctx)
      break
    case 'bridged':
      // To the gateway by way of the physical network, as if the router here had sent it out.
      b.add(OFTABLE.LOCAL_OUTPUT, 100, b.outport, [
        set(F.eth_src, place.mac),
        set(F.metadata, place.localnetDatapath),
        set(F.reg15, place.localnet),
        resubmit(OFTABLE.LOG_TO_PHY),
      ])
      break
  }
  if (place.parent === undefined && place.type === '') {
    b.add(OFTABLE.CT_ZONE_LOOKUP, 100, b.inport, [...loadZones(place.zones), resubmit(OFTABLE.LOG_INGRESS)])
  }
  return b.flows
}

function vifFlows(b: Builder, place: Extract<Place, { at: 'vif' }>, ctx: PortContext): void {
  const from = is(F.in_port, place.ofport)
  b.localDelivery()
  if (place.tag === undefined) {
    b.add(OFTABLE.PHY_TO_LOG, 100, [from], b.arrival(place.encapId))
    b.openLoopback()
    b.add(OFTABLE.LOG_TO_PHY, 100, b.outport, [output(place.ofport)])
  } else {
    // A container's packets carry its tag; siblings and the parent share one interface, so OpenFlow's
    // own check of the port must be off.
    b.add(
      OFTABLE.PHY_TO_LOG,
      150,
      [from, vlanIs(place.tag)],
      b.arrival(place.encapId, [flagSet('nested_container'), POP]),
    )
    b.add(OFTABLE.SAVE_INPORT, 100, b.outport, LOOPBACK)
    const parent = place.parent === undefined ? undefined : ctx.port(place.parent)
    if (parent !== undefined) {
      const toParent = [is(F.metadata, place.datapathKey), is(F.reg15, parent.key)]
      const nested = bitsAre(F.reg10, FLAG.nested_container, 1, 1)
      b.add(OFTABLE.SAVE_INPORT, 100, [...toParent, nested], LOOPBACK, cookieOf(parent.uuid))
    }
    b.add(OFTABLE.LOG_TO_PHY, 100, b.outport, [...pushTag(place.tag), output(place.ofport), POP])
  }
  // Being moved: the other chassis gets its packets too.
  if (place.elsewhere.length) remoteFlows(b, place, ctx)
}

function localnetFlows(b: Builder, place: Extract<Place, { at: 'localnet' | 'l2gateway' }>): void {
  const from = is(F.in_port, place.ofport)
  if (place.tag === undefined) {
    b.add(OFTABLE.PHY_TO_LOG, 100, [from, noVlan], b.arrival(0))
    // A priority tag alone is no VLAN (IEEE 802.1Q, VID 0).
    b.add(OFTABLE.PHY_TO_LOG, 100, [from, vlanIs(0)], b.arrival(0, [POP]))
  } else {
    b.add(OFTABLE.PHY_TO_LOG, 150, [from, vlanIs(place.tag)], b.arrival(0, [POP]))
  }
  b.localDelivery()
  b.openLoopback()
  if (place.at === 'localnet') {
    const local = bitsAre(F.reg10, FLAG.local_only, 1, 1)
    const notOverridden = bitsAre(F.reg10, FLAG.override_local_only, 1, 0)
    b.add(OFTABLE.CHECK_LOOPBACK, 160, [...b.outport, local, notOverridden], DROP)
    b.add(OFTABLE.CHECK_LOOPBACK, 160, [...b.outport, bitsAre(F.reg10, FLAG.localport, 1, 1)], DROP)
  }
  b.add(OFTABLE.LOG_TO_PHY, 100, b.outport, toNetwork(place.tag, place.ofport))
}

/** Out to a physical network, tagged as it wants it. */
export function toNetwork(tag: number | undefined, ofport: number): Action[] {
  return tag === undefined ? [output(ofport)] : [...pushTag(tag), output(ofport), POP]
}

/** Out of one datapath is into the next: the peer's datapath begins with nothing of this one. */
function crossOver(place: Extract<Place, { at: 'patch' | 'l3gateway' }>): Action {
  return {
    type: 'clone',
    actions: [
      { type: 'ct_clear' },
      set(F.reg11, 0),
      set(F.reg12, 0),
      setBits(LOG_CT_ZONE, 0),
      ...loadZones(place.peerZones),
      set(F.metadata, place.peerDatapath),
      set(F.reg14, place.peerKey),
      set(F.reg10, 0),
      set(F.reg15, 0),
      ...CLEAR_REGISTERS,
      resubmit(OFTABLE.LOG_INGRESS),
    ],
  }
}

/** Over tunnels, from whichever of our endpoints the sender's port prefers. */
function remoteFlows(b: Builder, place: Place, ctx: PortContext): void {
  const ids = ctx.localIps.length ? ctx.localIps : [undefined]
  ids.forEach((localIp, id) => {
    const actions: Action[] = []
    for (const { name, ip } of place.elsewhere) {
      const tunnel = chooseTunnel(ctx.tunnels(name), localIp, ip)
      if (tunnel) actions.push(...encapsulate(tunnel.type, place.datapathKey, place.key), output(tunnel.ofport))
    }
    if (!actions.length) return
    const sender = bitsAre(F.reg13, 16, 16, id)
    b.add(OFTABLE.REMOTE_OUTPUT, 100, [...b.outport, sender], [...actions, resubmit(OFTABLE.REMOTE_VTEP_OUTPUT)])
  })
}

/**
 * What a port on several chassis sends goes over tunnels, even where there is a physical network:
 * that would see its address in several places.
 */
function fromShared(b: Builder, place: Place, ctx: PortContext): void {
  const actions: Action[] = []
  for (const { name, ip } of place.elsewhere) {
    const tunnel = chooseTunnel(ctx.tunnels(name), ctx.localIps[0], ip)
    if (tunnel) actions.push(...encapsulate(tunnel.type, place.datapathKey, place.key), output(tunnel.ofport))
  }
  if (!actions.length) return
  for (const port of ctx.shared(place.datapath)) {
    if (port.uuid !== place.uuid) b.add(OFTABLE.REMOTE_OUTPUT, 110, [...b.outport, is(F.reg14, port.key)], actions)
  }
}

/** To the gateway that serves: where there are several, the switch takes the first whose BFD is up. */
function redirectFlows(b: Builder, place: Extract<Place, { at: 'redirect' }>, ctx: PortContext): void {
  const tunnels = place.chassis.flatMap((name) => {
    const t = chooseTunnel(ctx.tunnels(name), ctx.localIps[0], undefined)
    return t ? [t] : []
  })
  const first = tunnels[0]
  if (!first) return
  b.add(OFTABLE.REMOTE_OUTPUT, 100, b.outport, [
    ...encapsulate(first.type, place.datapathKey, place.key),
    { type: 'bundle', fields: 'eth_src', basis: 0, algorithm: 'active_backup', members: tunnels.map((t) => t.ofport) },
  ])
}
