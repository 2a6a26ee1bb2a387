import type { Clock, Timer } from '../../base/clock.ts'
import * as K from '../classifier/key.ts'
import { compileMask, hashStep, maskedValues } from '../classifier/mask.ts'
import type { Conntrack } from '../conntrack/conntrack.ts'
import { FragmentQueue } from '../conntrack/fragments.ts'
import type { Meter } from '../meters/meter.ts'
import type { CtAction, DpAction, DropReason, UserspaceAction } from './action.ts'
import type { Dependency, Effect, Generation } from './dependency.ts'
import type { FrozenStates } from './frozen.ts'
import { Megaflow, MegaflowCache } from './megaflow.ts'
import { Packet } from './packet.ts'
import { popMpls, popVlan, pushMpls, pushVlan, setWord } from './rewrite.ts'

export interface PortCounters {
  rxPackets: number
  rxBytes: number
  rxDropped: number
  rxErrors: number
  txPackets: number
  txBytes: number
  txDropped: number
  txErrors: number
}

export function newCounters(): PortCounters {
  return {
    rxPackets: 0,
    rxBytes: 0,
    rxDropped: 0,
    rxErrors: 0,
    txPackets: 0,
    txBytes: 0,
    txDropped: 0,
    txErrors: 0,
  }
}

/** A port of the datapath: something that takes frames. All bridges share its numbers. */
export interface DpPort {
  readonly number: number
  readonly name: string
  readonly counters: PortCounters
  /** Sends a frame, which is not modified afterwards; `packet` has the tunnel's parameters. */
  transmit(frame: Uint8Array, packet: Packet): void
}

/** What the OpenFlow pipeline says about a packet. */
export interface Translation {
  readonly actions: readonly DpAction[]
  /** The bits of the datapath key that it looked at. */
  readonly wildcards: K.Key
  readonly dependencies: readonly Dependency[]
  readonly effects: readonly Effect[]
  readonly cacheable: boolean
}

export interface DatapathHost {
  readonly clock: Clock
  readonly generation: Generation
  readonly conntrack: Conntrack
  readonly frozen: FrozenStates
  meter(id: number): Meter | undefined
  /** Runs the pipeline. `first`: this very packet has not been through it, so it may learn. */
  translate(packet: Packet): Translation
  /** A packet of a protocol of the switch's own. */
  slowPath(packet: Packet, action: DpAction & { type: 'slow' }): void
  /** A packet for controllers. */
  toController(packet: Packet, action: UserspaceAction): void
}

/** Ten seconds without a packet and a megaflow goes (ovs-vswitchd.conf.db(5), max-idle). */
const MAX_IDLE = 10_000
const MAX_DEPTH = 16
const MINIMUM_FRAME = 14

/** The fast path: flow key, cached actions, execution. */
export class Datapath {
  private readonly ports: (DpPort | undefined)[] = []
  readonly cache = new MegaflowCache()
  readonly drops = new Map<DropReason, number>()
  lost = 0
  flowLimit = 200_000
  maxIdle = MAX_IDLE
  private readonly pool: Packet[] = []
  private depth = 0
  private readonly dirty: Megaflow[] = []
  private sweeper: Timer | undefined
  private readonly fragments: FragmentQueue

  /** Whether a flow covers all packets that go the same way; else each is of one key alone (upcall/disable-megaflows). */
  megaflows = true

  constructor(private readonly host: DatapathHost) {
    this.fragments = new FragmentQueue(host.clock)
  }

  addPort(port: DpPort): void {
    this.ports[port.number] = port
  }

  removePort(number: number): void {
    this.ports[number] = undefined
    this.cache.clear()
  }

  port(number: number): DpPort | undefined {
    return this.ports[number]
  }

  allPorts(): DpPort[] {
    return this.ports.filter((p) => p !== undefined)
  }

  /** The lowest free number from 1 on; 0 is the datapath's own local port. */
  freeNumber(): number {
    for (let i = 1; ; i++) if (!this.ports[i]) return i
  }

  /** A frame came in at a port. */
  receive(port: DpPort, frame: Uint8Array, tunnel?: (key: K.Key) => void): void {
    if (frame.length < MINIMUM_FRAME) {
      port.counters.rxErrors++
      return
    }
    port.counters.rxPackets++
    port.counters.rxBytes += frame.length
    const packet = this.pool.pop() ?? new Packet()
    packet.receive(frame, port.number)
    tunnel?.(packet.key)
    this.process(packet)
    this.pool.push(packet)
  }

  /** Looks the packet up and runs what comes of it. The packet is used up. */
  process(packet: Packet): void {
    const { host, cache } = this
    const now = host.clock.monotonic()
    let flow = cache.lookup(packet.key)
    if (flow !== undefined && flow.generation !== host.generation.value) {
      if (flow.current()) flow.generation = host.generation.value
      else {
        flow.flush()
        cache.remove(flow)
        flow = undefined
      }
    }
    if (flow === undefined) {
      const t = host.translate(packet)
      if (!t.cacheable || cache.size >= this.flowLimit) {
        for (const e of t.effects) e.credit(1, packet.frame.length, now)
        this.execute(packet, t.actions)
        return
      }
      const mask = compileMask(this.megaflows ? t.wildcards : K.newKey().fill(0xffff_ffff))
      flow = new Megaflow(mask, maskedValues(mask, packet.key), t.actions, t.dependencies, t.effects, now)
      flow.remember(host.generation.value)
      cache.insert(flow, packet.key)
      this.armSweeper()
    }
    flow.packets++
    flow.bytes += packet.frame.length
    flow.used = now
    if (flow.newPackets === 0) this.dirty.push(flow)
    flow.newPackets++
    flow.newBytes += packet.frame.length
    this.execute(packet, flow.actions)
  }

  /** Brings rule, bucket and other counters up to date. */
  flushStatistics(): void {
    for (const f of this.dirty) f.flush()
    this.dirty.length = 0
  }

  /** Forgets all megaflows: their statistics are kept. */
  flushFlows(): void {
    this.flushStatistics()
    this.cache.clear()
  }

  private armSweeper(): void {
    this.sweeper ??= this.host.clock.after(this.maxIdle / 2, () => {
      this.sweeper = undefined
      this.sweep()
      if (this.cache.size > 0) this.armSweeper()
    })
  }

  private sweep(): void {
    this.flushStatistics()
    const now = this.host.clock.monotonic()
    const inUse = new Set<number>()
    this.cache.filter((f) => {
      if (now - f.used >= this.maxIdle) return false
      collectRecirc(f.actions, inUse)
      const r = f.mask.words.indexOf(K.RECIRC_ID)
      if (r >= 0) inUse.add(f.values[r] as number)
      return true
    })
    this.host.frozen.collect(inUse, now - 2 * this.maxIdle)
  }

  close(): void {
    this.sweeper?.cancel()
    this.sweeper = undefined
    this.fragments.close()
  }

  /** Runs actions on a packet, which is used up. */
  execute(packet: Packet, actions: readonly DpAction[]): void {
    if (++this.depth > MAX_DEPTH) {
      this.depth--
      this.drop('recursion_too_deep')
      return
    }
    this.run(packet, actions, 0)
    this.depth--
  }

  private copy(packet: Packet): Packet {
    const c = this.pool.pop() ?? new Packet()
    c.copyFrom(packet)
    return c
  }

  private branch(packet: Packet, actions: readonly DpAction[], last: boolean): void {
    if (last) {
      this.execute(packet, actions)
      return
    }
    const c = this.copy(packet)
    this.execute(c, actions)
    this.pool.push(c)
  }

  private run(packet: Packet, actions: readonly DpAction[], from: number): void {
    for (let i = from; i < actions.length; i++) {
      const a = actions[i] as DpAction
      switch (a.type) {
        case 'output':
          this.output(packet, a.port)
          break
        case 'set':
          if (packet.stale) packet.refresh()
          for (let k = 0; k < a.words.length; k++)
            setWord(packet, a.words[k] as number, a.values[k] as number, a.masks[k] as number)
          break
        case 'tunnel':
          packet.tunnel = a.info
          break
        case 'ct':
          if (packet.stale) packet.refresh()
          if (packet.key[K.NW_FRAG] !== 0 && this.fragment(packet, a, actions, i + 1)) return
          this.host.conntrack.execute(packet, a)
          break
        case 'ct_clear':
          this.host.conntrack.clear(packet)
          break
        case 'recirc':
          this.recirculate(packet, a.id, i === actions.length - 1)
          break
        case 'push_vlan':
          pushVlan(packet, a.tpid, a.tci)
          break
        case 'pop_vlan':
          popVlan(packet)
          break
        case 'push_mpls':
          pushMpls(packet, a.label, a.ethertype)
          break
        case 'pop_mpls':
          popMpls(packet, a.ethertype)
          break
        case 'hash':
          if (packet.stale) packet.refresh()
          packet.key[K.DP_HASH] =
            a.algorithm === 'l4' ? flowHash(packet.key, a.basis) : symmetricHash(packet.key, a.basis)
          break
        case 'userspace':
          this.host.toController(packet, a)
          break
        case 'clone':
          this.branch(packet, a.actions, i === actions.length - 1)
          break
        case 'check_pkt_len':
          this.branch(packet, packet.frame.length > a.size ? a.greater : a.lessEqual, i === actions.length - 1)
          break
        case 'meter': {
          const meter = this.host.meter(a.id)
          if (meter && !meter.pass(packet, this.host.clock.monotonic())) return
          break
        }
        case 'trunc':
          packet.maxLen = a.maxLen
          break
        case 'sample':
          this.branch(packet, a.actions, i === actions.length - 1)
          break
        case 'slow':
          this.host.slowPath(packet, a)
          break
        case 'drop':
          this.drop(a.reason)
          return
      }
    }
  }

  drop(reason: DropReason): void {
    this.drops.set(reason, (this.drops.get(reason) ?? 0) + 1)
  }

  private output(packet: Packet, number: number): void {
    const port = this.ports[number]
    if (port === undefined) {
      this.drop('of_pipeline')
      return
    }
    let frame = packet.frame
    if (packet.maxLen > 0) {
      if (frame.length > packet.maxLen) frame = frame.subarray(0, packet.maxLen)
      packet.maxLen = 0
    }
    packet.owned = false
    port.counters.txPackets++
    port.counters.txBytes += frame.length
    port.transmit(frame, packet)
  }

  private recirculate(packet: Packet, id: number, last: boolean): void {
    const p = last ? packet : this.copy(packet)
    if (p.stale) p.refresh()
    p.key[K.RECIRC_ID] = id
    if (++this.depth > MAX_DEPTH) this.drop('recursion_too_deep')
    else this.process(p)
    this.depth--
    if (!last) this.pool.push(p)
  }

  /** Holds a fragment back until its datagram is whole. True: it is held, or went on from here already. */
  private fragment(packet: Packet, ct: CtAction, actions: readonly DpAction[], next: number): boolean {
    const whole = this.fragments.add(packet, ct.zone, actions, next)
    if (whole === 'not a fragment') return false
    if (whole === undefined) return true
    const tracked = new Packet()
    tracked.receive(whole.frame, packet.key[K.IN_PORT] as number)
    const before = tracked.frame
    this.host.conntrack.execute(tracked, ct)
    const changed = tracked.frame !== before
    for (const held of whole.fragments) {
      held.packet.key.set(tracked.key.subarray(K.CT_STATE, K.CT_LABEL + 4), K.CT_STATE)
      held.packet.key.set(tracked.key.subarray(K.CT_NW_SRC, K.CT_NW_PROTO + 1), K.CT_NW_SRC)
      held.packet.key[K.CT_TP_SRC] = tracked.key[K.CT_TP_SRC] as number
      held.packet.key[K.CT_TP_DST] = tracked.key[K.CT_TP_DST] as number
      held.packet.connection = tracked.connection
      if (changed) held.rewrite(tracked)
      if (++this.depth <= MAX_DEPTH) this.run(held.packet, held.actions, held.next)
      this.depth--
    }
    return true
  }
}

function collectRecirc(actions: readonly DpAction[], into: Set<number>): void {
  for (const a of actions) {
    switch (a.type) {
      case 'recirc':
        into.add(a.id)
        break
      case 'userspace':
        if (a.recircId) into.add(a.recircId)
        break
      case 'clone':
      case 'sample':
        collectRecirc(a.actions, into)
        break
      case 'check_pkt_len':
        collectRecirc(a.greater, into)
        collectRecirc(a.lessEqual, into)
    }
  }
}

/** A hash over addresses, protocol and ports, the same for all packets of a flow; never zero. */
export function flowHash(key: K.Key, basis: number): number {
  let h = hashStep(basis, key[K.NW_PROTO] as number)
  h = hashStep(h, key[K.NW_SRC] as number)
  h = hashStep(h, key[K.NW_DST] as number)
  if (key[K.DL_TYPE] === K.ETH_IPV6) {
    for (let i = 0; i < 8; i++) h = hashStep(h, key[K.IPV6_SRC + i] as number)
  }
  h = hashStep(h, (((key[K.TP_SRC] as number) << 16) | (key[K.TP_DST] as number)) >>> 0)
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  return h >>> 0 || 1
}

/** The same for both directions of a flow; never zero. */
export function symmetricHash(key: K.Key, basis: number): number {
  let h = hashStep(basis, key[K.NW_PROTO] as number)
  h = hashStep(h, ((key[K.NW_SRC] as number) ^ (key[K.NW_DST] as number)) >>> 0)
  if (key[K.DL_TYPE] === K.ETH_IPV6) {
    for (let i = 0; i < 4; i++)
      h = hashStep(h, ((key[K.IPV6_SRC + i] as number) ^ (key[K.IPV6_DST + i] as number)) >>> 0)
  }
  const proto = key[K.NW_PROTO]
  if (proto === K.IP_TCP || proto === K.IP_UDP || proto === K.IP_SCTP)
    h = hashStep(h, ((key[K.TP_SRC] as number) ^ (key[K.TP_DST] as number)) >>> 0)
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  return h >>> 0 || 1
}
