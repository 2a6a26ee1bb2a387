import type { Clock, Timer } from '../base/clock.ts'
import type { Underlay } from '../base/datagram.ts'
import type { FramePort } from '../base/frame.ts'
import type { Fields, Log } from '../base/log.ts'
import { below, type Random } from '../base/random.ts'
import { type Action, OFPP } from '../openflow/actions/action.ts'
import type { OpenFlowChannel } from '../openflow/connection/channel.ts'
import * as K from './classifier/key.ts'
import { compileMatch, Slots } from './classifier/slots.ts'
import { Conntrack } from './conntrack/conntrack.ts'
import { type FlushRequest, matchesFlush } from './conntrack/flush.ts'
import type { DpAction, UserspaceAction } from './datapath/action.ts'
import { Datapath, type DatapathHost, type DpPort, newCounters, type Translation } from './datapath/datapath.ts'
import { Generation } from './datapath/dependency.ts'
import { FrozenStates } from './datapath/frozen.ts'
import { Packet } from './datapath/packet.ts'
import type { Meter } from './meters/meter.ts'
import { Bridge } from './ofproto/bridge.ts'
import { OpenFlowConnection } from './ofproto/connection.ts'
import { applyFlowMod, expire, REMOVED } from './ofproto/flow-mod.ts'
import { PausedStates } from './ofproto/paused.ts'
import { BridgePort, LINK_DOWN, type PortKind } from './ofproto/port.ts'
import type { World } from './pipeline/context.ts'
import type { LearnedFlow } from './pipeline/learn.ts'
import type { Rule } from './pipeline/rule.ts'
import { translate, translateActions } from './pipeline/translate.ts'
import { type Device, type DeviceDriver, FrameDevice, InternalDevice } from './ports/device.ts'
import { type QueueCounters, Shaper, type ShaperConfig } from './ports/shaper.ts'
import type { TunnelConfig } from './tunnels/config.ts'
import { BfdMonitor } from './tunnels/monitor.ts'
import { TunnelPorts } from './tunnels/ports.ts'

export interface SwitchOptions {
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  /** UDP for tunnels; without it there are none. */
  readonly underlay?: Underlay
  /** The local address from which a remote one is reached; else `tunnelAddress`. */
  readonly localAddress?: (remote: string) => string | undefined
  readonly tunnelAddress?: string
  /** The host's routes, as `ovs/route/show` prints them behind `Cached: `. */
  readonly routes?: () => Iterable<string>
  /** Devices of the host, by type; `internal` ports and attached ones are in memory without. */
  readonly drivers?: readonly DeviceDriver[]
  /** Checks the checksums of packets before tracking them; true unless given. */
  readonly verifyChecksums?: boolean
}

export interface PortSpec {
  readonly name: string
  /** Interface.type: empty is `system`. */
  readonly type: string
  readonly requested?: number
  readonly mac?: number
  readonly mtu?: number
  /** Other end of a patch port. */
  readonly peer?: string
  readonly tunnel?: TunnelConfig
}

class DevicePort implements DpPort {
  readonly counters = newCounters()
  shaper: Shaper | undefined = undefined
  constructor(
    readonly number: number,
    readonly name: string,
    readonly device: Device,
  ) {}
  transmit(frame: Uint8Array, packet: Packet): void {
    // an Ethernet header and a tag are not part of the MTU
    if (frame.length > this.device.mtu + 18) {
      this.counters.txDropped++
      this.counters.txPackets--
      this.counters.txBytes -= frame.length
      return
    }
    if (!this.shaper) this.device.send(frame)
    else if (!this.shaper.offer(packet.key[K.SKB_PRIORITY] as number, frame)) this.counters.txDropped++
  }
}

/** An Open vSwitch: bridges over one datapath, driven by OpenFlow. */
export class Switch implements World, DatapathHost {
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  readonly generation = new Generation()
  readonly slots = new Slots()
  readonly frozen = new FrozenStates()
  readonly conntrack: Conntrack
  readonly datapath: Datapath
  readonly bridges = new Map<string, Bridge>()
  readonly bfd: BfdMonitor
  readonly paused: PausedStates
  /** As `ovs_version` and OpenFlow's description say. */
  readonly version = '4.0.0'
  /** Every connection of a controller, in the order in which they came. */
  readonly connections = new Set<OpenFlowConnection>()
  private readonly byDatapath = new Map<number, BridgePort>()
  readonly tunnels: TunnelPorts
  private readonly attached = new Map<string, FramePort>()
  private readonly meters: (Meter | undefined)[] = []
  private expiry: Timer | undefined
  private nextIndex = 1
  /** The address that tunnels leave from when nothing else says so: set from the database's external_ids. */
  tunnelAddress: string | undefined
  /** Called when controllers came or went, or changed their role. */
  onConnections: (() => void) | undefined
  /** Called when ports, their devices or link states changed. */
  onPortsChanged: (() => void) | undefined
  private readonly options: SwitchOptions

  constructor(options: SwitchOptions) {
    this.options = options
    this.clock = options.clock
    this.log = options.log
    this.random = options.random
    this.tunnelAddress = options.tunnelAddress
    this.conntrack = new Conntrack(options.clock, options.random)
    if (options.verifyChecksums === false) this.conntrack.verifyChecksums = false
    this.datapath = new Datapath(this)
    this.tunnels = new TunnelPorts({
      clock: options.clock,
      log: options.log,
      slots: this.slots,
      datapath: this.datapath,
      underlay: options.underlay,
      localAddress: (remote) => options.localAddress?.(remote) ?? this.tunnelAddress,
    })
    this.bfd = new BfdMonitor(this)
    this.paused = new PausedStates(options.random)
  }

  // --- bridges and ports ---

  bridge(name: string): Bridge | undefined {
    return this.bridges.get(name)
  }

  /** Makes a bridge with its local port. `datapathId` follows the local port's address unless given. */
  addBridge(name: string, mac?: number, datapathId?: bigint): Bridge {
    const known = this.bridges.get(name)
    if (known) return known
    const address = mac ?? this.randomMac()
    const bridge = new Bridge(name, datapathId ?? BigInt(address), this.clock, this.generation)
    this.bridges.set(name, bridge)
    this.addPort(bridge, { name, type: 'internal', mac: address })
    return bridge
  }

  removeBridge(name: string): void {
    const bridge = this.bridges.get(name)
    if (!bridge) return
    for (const c of [...this.connections]) if (c.bridge === bridge) c.close()
    for (const p of bridge.sortedPorts()) this.removePort(p)
    for (const m of bridge.meters.keys()) this.removeMeter(bridge, m)
    this.bridges.delete(name)
    this.datapath.flushFlows()
  }

  /** Locally administered, individual. */
  randomMac(): number {
    return (
      ((below(this.random, 0x100) * 4 + 2) % 0x100) * 0x100_0000_0000 +
      below(this.random, 0x100) * 0x1_0000_0000 +
      this.random.u32()
    )
  }

  /** Adds a port to a bridge, or says why it cannot be. */
  addPort(bridge: Bridge, spec: PortSpec): BridgePort | { readonly error: string } {
    const kind: PortKind =
      spec.type === 'patch' ? 'patch' : spec.type === 'internal' ? 'internal' : spec.tunnel ? 'tunnel' : 'system'
    let dp: DpPort | undefined
    let mac = spec.mac ?? this.randomMac()
    let state = 0
    if (kind === 'tunnel' && spec.tunnel) {
      const v = this.tunnels.vport(spec.tunnel)
      if ('error' in v) return v
      dp = v
    } else if (kind !== 'patch') {
      const device = this.openDevice(spec, mac)
      if ('error' in device) return device
      mac = device.mac
      state = device.up ? 0 : LINK_DOWN
      const port = new DevicePort(this.datapath.freeNumber(), spec.name, device)
      dp = port
      this.datapath.addPort(port)
      device.onFrame = (frame) => this.datapath.receive(port, frame)
    }
    const number = spec.name === bridge.name ? OFPP.LOCAL : bridge.freePort(spec.requested)
    const port = new BridgePort(bridge, number, spec.name, kind, mac, this.clock.monotonic())
    port.datapath = dp
    port.peer = spec.peer
    port.tunnel = spec.tunnel
    port.state = state
    if (dp && kind !== 'tunnel') this.byDatapath.set(dp.number, port)
    if (kind === 'tunnel') this.tunnels.add(port)
    if (dp instanceof DevicePort) {
      dp.device.onChange = () => {
        const { up } = (dp as DevicePort).device
        port.state = up ? port.state & ~LINK_DOWN : port.state | LINK_DOWN
        bridge.portModified(port)
        this.onPortsChanged?.()
      }
    }
    bridge.addPort(port)
    this.log.info(`bridge ${bridge.name}: added interface ${port.name} on port ${port.number}`, about(port))
    return port
  }

  removePort(port: BridgePort): void {
    port.bridge.removePort(port)
    this.log.info(`bridge ${port.bridge.name}: deleted interface ${port.name} on port ${port.number}`, about(port))
    this.bfd.remove(port)
    if (port.tunnel) this.tunnels.remove(port)
    const dp = port.datapath
    if (dp instanceof DevicePort) {
      this.byDatapath.delete(dp.number)
      this.datapath.flushStatistics()
      this.datapath.removePort(dp.number)
      dp.shaper?.close()
      dp.device.onFrame = undefined
      dp.device.onChange = undefined
      dp.device.close()
    }
  }

  portByName(name: string): BridgePort | undefined {
    for (const b of this.bridges.values()) {
      const p = b.portByName(name)
      if (p) return p
    }
    return undefined
  }

  device(port: BridgePort): Device | undefined {
    return port.datapath instanceof DevicePort ? port.datapath.device : undefined
  }

  /** Shapes what leaves by a port; undefined: no longer. */
  setShaper(port: BridgePort, config: ShaperConfig | undefined): void {
    const dp = port.datapath
    if (!(dp instanceof DevicePort)) return
    dp.shaper?.close()
    dp.shaper = config && new Shaper(this.clock, (frame) => dp.device.send(frame), config)
  }

  /** What went through the queues of a port. */
  queues(port: BridgePort): QueueCounters[] {
    return port.datapath instanceof DevicePort ? (port.datapath.shaper?.counters() ?? []) : []
  }

  /** Joins a cable to the interface of that name, now or when a bridge gets a port of that name. */
  attachPort(name: string, port: FramePort): void {
    this.attached.set(name, port)
    this.onPortsChanged?.()
  }

  detachPort(name: string): void {
    this.attached.delete(name)
    const p = this.portByName(name)
    if (p && p.kind === 'system') this.removePort(p)
    this.onPortsChanged?.()
  }

  /** The host's end of an internal port that is in memory. */
  hostPort(name: string): FramePort | undefined {
    const p = this.portByName(name)
    const device = p && this.device(p)
    return device instanceof InternalDevice ? device.host : undefined
  }

  private openDevice(spec: PortSpec, mac: number): Device | { readonly error: string } {
    const type = spec.type === '' ? 'system' : spec.type
    const attached = this.attached.get(spec.name)
    if (attached) return new FrameDevice(spec.name, attached, mac, this.nextIndex++)
    for (const driver of this.options.drivers ?? []) {
      if (!driver.types.includes(type)) continue
      const device = driver.open(spec.name, type, { mac, mtu: spec.mtu })
      // without the right to make taps a bridge still switches: its own port is in memory then
      if (!('error' in device) || type !== 'internal') return device
      this.log.warn(`${device.error}: it has no device on the host`, {
        code: 'internal-in-memory',
        interface: spec.name,
      })
    }
    if (type === 'internal') return new InternalDevice(spec.name, mac, this.nextIndex++, this.clock)
    return { error: `could not open network device ${spec.name} (No such device)` }
  }

  // --- tunnels ---

  localAddress(remote: string): string | undefined {
    return this.tunnels.localAddress(remote)
  }

  /** Lines of `ovs/route/show`. */
  routes(): Iterable<string> {
    return this.options.routes ? this.options.routes() : this.tunnels.routes()
  }

  ingress(key: K.Key, wildcards: K.Key): BridgePort | undefined {
    const number = key[K.IN_PORT] as number
    return this.byDatapath.get(number) ?? this.tunnels.ingress(this.datapath.port(number), key, wildcards)
  }

  patchPeer(port: BridgePort): BridgePort | undefined {
    if (port.peer === undefined) return undefined
    for (const b of this.bridges.values()) {
      const p = b.portByName(port.peer)
      if (p && p.kind === 'patch' && p.peer === port.name) return p
    }
    return undefined
  }

  special(port: BridgePort, key: K.Key, wildcards: K.Key): boolean {
    return this.bfd.takes(port, key, wildcards)
  }

  // --- the pipeline's needs ---

  translate(packet: Packet): Translation {
    const t = translate(this, packet.key, { live: true })
    return t
  }

  learn(bridge: Bridge, flow: LearnedFlow): Rule | undefined {
    if (flow.limit > 0) {
      let n = 0
      for (const r of bridge.table(flow.table).classifier.rules()) if (r.cookie === flow.cookie) n++
      if (n >= flow.limit) return undefined
    }
    const done = applyFlowMod(bridge, this.slots, {
      type: 'flow_mod',
      xid: 0,
      command: 'add',
      match: flow.match,
      priority: flow.priority,
      table: flow.table,
      cookie: flow.cookie,
      cookieMask: 0n,
      idleTimeout: flow.idleTimeout,
      hardTimeout: flow.hardTimeout,
      importance: 0,
      flags: flow.flags,
      bufferId: 0xffffffff,
      outPort: OFPP.NONE,
      outGroup: 0xffffffff,
      actions: flow.actions,
    })
    if (!done.ok) return undefined
    done.value.tell()
    this.expires()
    const compiled = compileMatch(flow.match, this.slots)
    if ('missing' in compiled) return undefined
    return bridge.table(flow.table).classifier.find(compiled.mask, compiled.values, flow.priority)
  }

  /** Looks every second for flows whose time is over, while there are any with timeouts. */
  expires(): void {
    this.expiry ??= this.clock.after(1000, () => {
      this.expiry = undefined
      this.datapath.flushStatistics()
      const now = this.clock.monotonic()
      let more = false
      for (const b of this.bridges.values()) {
        for (const r of [...b.usedTables()].flatMap((t) => [...t.timed])) {
          if (r.hardTimeout && now - r.modified >= r.hardTimeout * 1000) expire(b, r, REMOVED.HARD)
          else if (r.idleTimeout && now - r.used >= r.idleTimeout * 1000) expire(b, r, REMOVED.IDLE)
          else more = true
        }
      }
      if (more) this.expires()
    })
  }

  meter(bridgeOrId: Bridge, meter: number): number | undefined
  meter(id: number): Meter | undefined
  meter(a: Bridge | number, b?: number): number | Meter | undefined {
    if (typeof a === 'number') return this.meters[a]
    const m = b === undefined ? undefined : a.meters.get(b)
    if (!m) return undefined
    const i = this.meters.indexOf(m)
    return i >= 0 ? i : undefined
  }

  setMeter(bridge: Bridge, meter: Meter): void {
    const old = bridge.meters.get(meter.id)
    let i = old ? this.meters.indexOf(old) : -1
    if (i < 0) {
      i = 0
      while (this.meters[i]) i++
    }
    this.meters[i] = meter
    bridge.meters.set(meter.id, meter)
    bridge.metersChanged.changed()
  }

  removeMeter(bridge: Bridge, id: number): void {
    const old = bridge.meters.get(id)
    if (!old) return
    const i = this.meters.indexOf(old)
    if (i >= 0) this.meters[i] = undefined
    bridge.meters.delete(id)
    bridge.metersChanged.changed()
  }

  slowPath(packet: Packet, action: DpAction & { type: 'slow' }): void {
    const port = this.bridges.get(action.bridge)?.ports.get(action.port)
    if (port) this.bfd.receive(port, packet)
  }

  /** Sends a frame of the switch's own out of a port. */
  sendFrame(port: BridgePort, frame: Uint8Array): void {
    const packet = new Packet()
    packet.receive(frame, 0)
    packet.key[K.IN_PORT] = OFPP.NONE
    const actions: Action[] = [{ type: 'output', port: port.number, maxLen: 0 }]
    const t = translateActions(this, port.bridge, packet.key, actions, { live: true })
    this.datapath.execute(packet, t.actions)
  }

  /** Forgets the connections that a controller asks to be forgotten (NXT_CT_FLUSH). */
  flushConnections(m: FlushRequest): void {
    this.conntrack.flush(m.zone, (c) => matchesFlush(c, m))
  }

  toController(packet: Packet, action: UserspaceAction): void {
    const bridge = this.bridges.get(action.frozen.bridge)
    if (!bridge) return
    if (action.meter !== undefined) {
      const m = bridge.meters.get(action.meter)
      if (m && !m.pass(packet, this.clock.monotonic())) return
    }
    for (const c of this.connections) {
      if (c.bridge === bridge) c.packetIn(packet, action)
    }
  }

  // --- OpenFlow ---

  /**
   * Serves OpenFlow to a controller whose connection has agreed on a version. Undefined: there is no
   * such bridge (yet); the channel is left as it is.
   */
  connect(bridge: string, channel: OpenFlowChannel): OpenFlowConnection | undefined {
    const b = this.bridges.get(bridge)
    if (!b) return undefined
    const c = new OpenFlowConnection(this, b, channel)
    this.connections.add(c)
    this.onConnections?.()
    return c
  }

  close(): void {
    for (const c of [...this.connections]) c.close()
    for (const name of [...this.bridges.keys()]) this.removeBridge(name)
    this.expiry?.cancel()
    this.bfd.close()
    this.conntrack.close()
    this.datapath.close()
  }
}

function about(port: BridgePort): Fields {
  return { bridge: port.bridge.name, interface: port.name }
}
