import { formatMac, isMulticastMac, type Mac } from '../address/mac.ts'
import type { Clock } from '../base/clock.ts'
import type { Frame, FramePort } from '../base/frame.ts'
import { type Ethernet, EtherType, emitEthernet, parseEthernet, vlanTag } from '../packet/index.ts'
import { type Capture, Taps } from './capture.ts'

/**
 * How a port treats VLANs. An access port carries one VLAN untagged. A trunk carries the listed
 * VLANs tagged ('all': any) and its native VLAN untagged. VLAN 0 is the one of untagged frames.
 */
export type PortMode =
  | { readonly access: number }
  | { readonly trunk: readonly number[] | 'all'; readonly native?: number }

export interface FdbEntry {
  readonly vlan: number
  readonly mac: Mac
  readonly port: string
  /** Milliseconds since the address was last seen as a source. */
  readonly age: number
}

interface Port {
  readonly name: string
  mode: PortMode
  up: boolean
  /** The largest IP packet that passes; larger frames are dropped. */
  mtu: number
  readonly device: FramePort
  readonly taps: Taps
  readonly counters: { rx: number; tx: number; dropped: number }
}

const AGING = 300_000
const MAX_FDB = 8192

/** A learning, VLAN-aware Ethernet switch (IEEE 802.1Q): the physical network between chassis and hosts. */
export class EthernetSwitch {
  private readonly ports = new Map<string, Port>()
  private readonly fdb = new Map<string, { vlan: number; mac: Mac; port: Port; seen: number }>()
  private readonly taps: Taps

  constructor(
    private readonly clock: Clock,
    readonly name = 'switch',
    /** Milliseconds a frame is on its way. */
    public latency = 0,
  ) {
    this.taps = new Taps(clock)
  }

  /** A new port: what is returned is the end for the device. Without a mode it passes all VLANs as they are. */
  port(name: string, mode: PortMode = { trunk: 'all' }, mtu = 65535): FramePort {
    if (this.ports.has(name)) throw new Error(`${name}: port exists already`)
    const device: FramePort = { send: (frame) => this.ingress(port, frame), onFrame: undefined }
    const counters = { rx: 0, tx: 0, dropped: 0 }
    const port: Port = { name, mode, up: true, mtu, device, taps: new Taps(this.clock), counters }
    this.ports.set(name, port)
    return device
  }

  /** Removes a port with what was learned on it. */
  remove(name: string): void {
    this.flush(name)
    this.ports.delete(name)
  }

  private get(name: string): Port {
    const port = this.ports.get(name)
    if (!port) throw new Error(`${name}: no such port`)
    return port
  }

  setMode(name: string, mode: PortMode): void {
    this.get(name).mode = mode
  }

  setMtu(name: string, mtu: number): void {
    this.get(name).mtu = mtu
  }

  /** Pulls (`false`) or plugs the cable of a port. */
  setUp(name: string, up: boolean): void {
    this.get(name).up = up
    if (!up) this.flush(name)
  }

  counters(name: string): Readonly<Port['counters']> {
    return this.get(name).counters
  }

  /** Forgets the addresses of a port, or all. */
  flush(name?: string): void {
    for (const [key, e] of this.fdb) if (name === undefined || e.port.name === name) this.fdb.delete(key)
  }

  /** Addresses learned, by VLAN and address. */
  entries(): FdbEntry[] {
    const now = this.clock.monotonic()
    return [...this.fdb.values()]
      .filter((e) => now - e.seen < AGING)
      .map((e) => ({ vlan: e.vlan, mac: e.mac, port: e.port.name, age: now - e.seen }))
      .sort((a, b) => a.vlan - b.vlan || a.mac - b.mac)
  }

  /** As `ovs-appctl fdb/show` lays it out, with port names. */
  lines(): string[] {
    return this.entries().map((e) => `${e.port} ${e.vlan} ${formatMac(e.mac)} ${Math.floor(e.age / 1000)}`)
  }

  /** Frames in and out of one port as they are on its wire; without a port, frames entering any. */
  capture(port?: string, filter?: (frame: Frame) => boolean): Capture {
    return port === undefined ? this.taps.capture(filter) : this.get(port).taps.capture(filter)
  }

  private ingress(port: Port, frame: Frame): void {
    if (!port.up || this.ports.get(port.name) !== port) return
    port.taps.see(frame)
    const eth = parseEthernet(frame)
    const entry = eth.ok ? classify(port.mode, eth.value) : undefined
    if (!entry || !eth.ok || isMulticastMac(eth.value.src)) {
      port.counters.dropped++
      return
    }
    port.counters.rx++
    this.taps.see(frame)
    this.learn(entry.vlan, eth.value.src, port)
    const known = isMulticastMac(eth.value.dst) ? undefined : this.lookup(entry.vlan, eth.value.dst)
    if (known) {
      if (known !== port) this.egress(known, entry.vlan, entry.frame)
      return
    }
    for (const other of this.ports.values()) if (other !== port) this.egress(other, entry.vlan, entry.frame)
  }

  private learn(vlan: number, mac: Mac, port: Port): void {
    const key = `${vlan} ${mac}`
    const entry = this.fdb.get(key)
    if (entry) {
      entry.port = port
      entry.seen = this.clock.monotonic()
      return
    }
    if (this.fdb.size >= MAX_FDB) {
      const oldest = this.fdb.keys().next()
      if (!oldest.done) this.fdb.delete(oldest.value)
    }
    this.fdb.set(key, { vlan, mac, port, seen: this.clock.monotonic() })
  }

  private lookup(vlan: number, mac: Mac): Port | undefined {
    const entry = this.fdb.get(`${vlan} ${mac}`)
    if (!entry || this.clock.monotonic() - entry.seen >= AGING) return undefined
    return entry.port
  }

  /** @param inner the frame without the tag of its VLAN. */
  private egress(port: Port, vlan: number, inner: Ethernet): void {
    if (!port.up || inner.payload.length + 4 * inner.tags.length > port.mtu) return
    const tagged = tagging(port.mode, vlan)
    if (tagged === undefined) return
    const frame = emitEthernet(tagged ? { ...inner, tags: [vlanTag(vlan), ...inner.tags] } : inner)
    port.counters.tx++
    this.clock.after(this.latency, () => {
      if (!port.up) return
      port.taps.see(frame)
      port.device.onFrame?.(frame)
    })
  }
}

/** The VLAN of a frame that comes in by a port, and the frame without its tag; undefined: not let in. */
function classify(mode: PortMode, eth: Ethernet): { vlan: number; frame: Ethernet } | undefined {
  const tag = eth.tags[0]?.tpid === EtherType.vlan ? eth.tags[0] : undefined
  const bare = tag ? { ...eth, tags: eth.tags.slice(1) } : eth
  const vid = tag?.vid || undefined
  if ('access' in mode) return vid === undefined || vid === mode.access ? { vlan: mode.access, frame: bare } : undefined
  const vlan = vid ?? mode.native ?? 0
  const carried = mode.trunk === 'all' || vlan === (mode.native ?? 0) || mode.trunk.includes(vlan)
  return carried ? { vlan, frame: bare } : undefined
}

/** Whether a frame of a VLAN leaves a port with a tag; undefined: not at all. */
function tagging(mode: PortMode, vlan: number): boolean | undefined {
  if ('access' in mode) return mode.access === vlan ? false : undefined
  if (vlan === (mode.native ?? 0)) return false
  return mode.trunk === 'all' || mode.trunk.includes(vlan) ? vlan !== 0 : undefined
}
