import { parseMac } from '../../address/mac.ts'
import type { Timer } from '../../base/clock.ts'
import type { Replica } from '../../ovsdb/client/replica.ts'
import type { OpenVSwitch, OVS } from '../../schema/index.ts'
import { DEFAULT_TIMEOUTS, type Timeouts } from '../conntrack/connection.ts'
import type { Bridge } from '../ofproto/bridge.ts'
import { applyFlowMod } from '../ofproto/flow-mod.ts'
import type { BridgePort } from '../ofproto/port.ts'
import { Mirror, type MirrorSpec } from '../pipeline/mirror.ts'
import type { Switch } from '../switch.ts'
import { ignoredOptions, sameTunnel, type TunnelConfig } from '../tunnels/config.ts'
import { asksForMore } from './changes.ts'
import { identity, optionsText, portSpec, shaperConfig, vlanOf } from './desired.ts'
import { type Refusal, refusedTwin, sayIgnored, sayRefused } from './refusal.ts'
import { WriteBack } from './write-back.ts'

/** What a daemon does beside: sockets are not the switch's business. */
export interface ConfigurationHooks {
  /** A bridge appeared, or what it says of controllers and protocols changed. */
  bridgeChanged?(bridge: Bridge, row: OVS.Bridge, controllers: readonly OVS.Controller[]): void
  bridgeRemoved?(name: string): void
  /** All of a configuration was carried out for the first time. */
  ready?(): void
}

interface Configured {
  readonly port: BridgePort | undefined
  readonly error: string | undefined
  readonly refusal?: Refusal
  readonly identity: string
  options: string
  /** The rows as they were carried out. */
  iface: OVS.Interface | undefined
  row: OVS.Port | undefined
}

/** Ethernet statistics go to the database this often, milliseconds (other_config:stats-update-interval). */
const STATISTICS_INTERVAL = 5000

/**
 * Keeps a switch as an Open_vSwitch database says, and writes back what it made of it. Everything
 * is compared anew after each change: a switch has few bridges and ports.
 */
export class Configuration {
  private readonly interfaces = new Map<string, Configured>()
  private readonly stop: (() => void)[] = []
  private scheduled: Timer | undefined
  private scheduledWrite: Timer | undefined
  private statistics: Timer | undefined
  private readonly back: WriteBack
  /** Devices came or went: interfaces that have none are tried again. */
  private retry = false
  /** Something changed that ports refer to, beside their own rows. */
  private all = false
  private wasReady = false
  private closed = false
  private readonly reported = new Set<string>()
  /** How ports are shaped, as text. */
  private readonly shapes = new WeakMap<BridgePort, string>()

  constructor(
    private readonly sw: Switch,
    private readonly db: Replica<OpenVSwitch>,
    private readonly hooks: ConfigurationHooks = {},
  ) {
    this.back = new WriteBack(sw, db, (name) => this.interfaces.get(name))
    this.stop.push(
      db.onChange((change) => {
        if (!asksForMore(change)) return
        if (change.tables.QoS || change.tables.Queue) this.all = true
        this.schedule()
      }),
      db.onSynced(() => this.schedule()),
    )
    sw.onPortsChanged = () => {
      this.retry = true
      this.schedule()
    }
    sw.onConnections = () => this.scheduleWrite()
    sw.bfd.onStatus = () => this.scheduleWrite()
    this.armStatistics()
  }

  private schedule(): void {
    if (this.closed) return
    this.scheduled ??= this.sw.clock.after(0, () => {
      this.scheduled = undefined
      if (this.db.state === 'synced') this.run()
    })
  }

  /** Only the switch has news: nothing is to be configured. */
  private scheduleWrite(): void {
    if (this.closed || this.scheduled) return
    this.scheduledWrite ??= this.sw.clock.after(0, () => {
      this.scheduledWrite = undefined
      const root = this.root
      if (root && this.db.state === 'synced' && this.wasReady) this.back.run(root, false)
    })
  }

  private get root(): OVS.OpenVSwitchRow | undefined {
    for (const row of this.db.table('Open_vSwitch').values()) return row
    return undefined
  }

  private run(): void {
    const root = this.root
    if (!root) return
    this.sw.tunnelAddress = firstAddress(root.external_ids.get('ovn-encap-ip')) ?? this.sw.tunnelAddress
    this.bridges(root)
    this.retry = false
    this.all = false
    this.sw.tunnels.rebind()
    this.zones(root)
    this.back.run(root, false)
    if (!this.wasReady) {
      this.wasReady = true
      this.hooks.ready?.()
    }
  }

  private bridges(root: OVS.OpenVSwitchRow): void {
    const wanted = new Map<string, OVS.Bridge>()
    for (const uuid of root.bridges) {
      const row = this.db.table('Bridge').get(uuid)
      if (row) wanted.set(row.name, row)
    }
    for (const name of [...this.sw.bridges.keys()]) {
      if (wanted.has(name)) continue
      for (const [iface, c] of this.interfaces) if (c.port?.bridge.name === name) this.interfaces.delete(iface)
      this.sw.removeBridge(name)
      this.hooks.bridgeRemoved?.(name)
    }
    for (const row of wanted.values()) {
      let bridge = this.sw.bridge(row.name)
      const fresh = !bridge
      const address = parseMac(row.other_config.get('hwaddr') ?? '')
      const id = /^[0-9a-f]{16}$/i.test(row.other_config.get('datapath-id') ?? '')
        ? BigInt(`0x${row.other_config.get('datapath-id')}`)
        : undefined
      bridge ??= this.sw.addBridge(row.name, address, id)
      if (id !== undefined) bridge.datapathId = id
      bridge.failMode = row.fail_mode ?? 'standalone'
      bridge.description = row.other_config.get('dp-desc') ?? 'None'
      bridge.forwardBpdu = row.other_config.get('forward-bpdu') === 'true'
      const aging = Number(row.other_config.get('mac-aging-time'))
      bridge.macs.aging = aging >= 15 ? aging * 1000 : 300_000
      const size = Number(row.other_config.get('mac-table-size'))
      bridge.macs.limit = size >= 10 ? size : 8192
      const controllers = row.controller
        .map((u) => this.db.table('Controller').get(u))
        .filter((c): c is OVS.Controller => c !== undefined)
      if (fresh && bridge.failMode === 'standalone' && controllers.length === 0) this.learnByItself(bridge)
      this.ports(bridge, row)
      this.mirrors(bridge, row)
      this.hooks.bridgeChanged?.(bridge, row, controllers)
    }
  }

  private shape(p: BridgePort, port: OVS.Port): void {
    const row = port.qos === undefined ? undefined : this.db.table('QoS').get(port.qos)
    const config = row && shaperConfig(row, (uuid) => this.db.table('Queue').get(uuid))
    const text = config ? JSON.stringify([config.maxRate, [...config.queues]]) : ''
    if ((this.shapes.get(p) ?? '') === text) return
    this.shapes.set(p, text)
    this.sw.setShaper(p, config)
  }

  private mirrors(bridge: Bridge, row: OVS.Bridge): void {
    const port = (uuid: string | undefined): string | undefined =>
      uuid === undefined ? undefined : this.db.table('Port').get(uuid)?.name
    const names = (uuids: readonly string[]) => new Set(uuids.map(port).filter((n): n is string => n !== undefined))
    const specs: MirrorSpec[] = []
    for (const uuid of row.mirrors) {
      const m = this.db.table('Mirror').get(uuid)
      if (!m) continue
      specs.push({
        name: m.name,
        all: m.select_all,
        sources: names(m.select_src_port),
        destinations: names(m.select_dst_port),
        vlans: new Set(m.select_vlan),
        outputPort: port(m.output_port),
        outputVlan: m.output_port === undefined ? m.output_vlan : undefined,
        snapLength: m.snaplen ?? 0,
      })
    }
    specs.sort((a, b) => (a.name < b.name ? -1 : 1))
    const text = (s: MirrorSpec) =>
      JSON.stringify({ ...s, sources: [...s.sources], destinations: [...s.destinations], vlans: [...s.vlans] })
    const known = new Map(bridge.mirrors.map((m) => [text(m.spec), m]))
    const next = specs.map((s) => known.get(text(s)) ?? new Mirror(s))
    if (next.length === bridge.mirrors.length && next.every((m, i) => m === bridge.mirrors[i])) return
    bridge.mirrors = next
    bridge.portsChanged.changed()
  }

  /** A bridge that nobody controls is a learning switch (ovs-vswitchd.conf.db(5), fail_mode). */
  private learnByItself(bridge: Bridge): void {
    applyFlowMod(bridge, this.sw.slots, {
      type: 'flow_mod',
      xid: 0,
      command: 'add',
      match: [],
      priority: 0,
      table: 0,
      cookie: 0n,
      cookieMask: 0n,
      idleTimeout: 0,
      hardTimeout: 0,
      importance: 0,
      flags: 0,
      bufferId: 0xffffffff,
      outPort: 0xffff,
      outGroup: 0xffffffff,
      actions: [{ type: 'output', port: 0xfffa, maxLen: 0 }],
    })
  }

  private ports(bridge: Bridge, row: OVS.Bridge): void {
    const wanted = new Map<string, { port: OVS.Port; iface: OVS.Interface }>()
    for (const uuid of row.ports) {
      const port = this.db.table('Port').get(uuid)
      if (!port) continue
      for (const i of port.interfaces) {
        const iface = this.db.table('Interface').get(i)
        if (iface) wanted.set(iface.name, { port, iface })
      }
    }
    for (const p of [...bridge.sortedPorts()]) {
      if (p.isLocal) continue
      const w = wanted.get(p.name)
      const known = this.interfaces.get(p.name)
      if (w && known?.identity === identity(w.iface)) continue
      this.sw.removePort(p)
      this.interfaces.delete(p.name)
    }
    for (const [name, c] of this.interfaces) {
      const w = wanted.get(name)
      if (!c.port && w && (this.retry || c.iface !== w.iface)) this.interfaces.delete(name)
    }
    for (const { port, iface } of wanted.values()) this.oneInterface(bridge, port, iface)
  }

  private oneInterface(bridge: Bridge, port: OVS.Port, iface: OVS.Interface): void {
    let c = this.interfaces.get(iface.name)
    if (!c) {
      c = this.open(bridge, iface)
      this.interfaces.set(iface.name, c)
      if (c.error && !this.reported.has(`${iface.name} ${c.error}`)) {
        this.reported.add(`${iface.name} ${c.error}`)
        sayRefused(this.sw.log, bridge.name, iface, c.refusal ?? { error: c.error, of: 'device' })
      }
    }
    const p = c.port
    if (!this.all && c.iface === iface && c.row === port) return
    c.iface = iface
    c.row = port
    if (!p) return
    const options = optionsText(iface)
    if (c.options !== options) {
      c.options = options
      this.change(p, iface)
    }
    const vlan = vlanOf(port)
    if (vlanText(p.vlan) !== vlanText(vlan) || p.bundle !== port.name || p.protectedPort !== port.protected) {
      p.vlan = vlan
      p.bundle = port.name
      p.protectedPort = port.protected
      bridge.macs.flush((e) => e.port === p)
      bridge.portModified(p)
    }
    this.sw.bfd.configure(p, iface.bfd)
    this.shape(p, port)
    const device = this.sw.device(p)
    if (device && iface.mtu_request !== undefined && device.mtu !== iface.mtu_request)
      device.setMtu?.(iface.mtu_request)
    p.revision++
  }

  private open(bridge: Bridge, iface: OVS.Interface): Configured {
    const base = { identity: identity(iface), options: optionsText(iface), iface: undefined, row: undefined }
    if (iface.name === bridge.name) return { ...base, port: bridge.local, error: undefined }
    const taken = this.sw.portByName(iface.name)
    if (taken)
      return { ...base, port: undefined, error: `${iface.name}: is a port of bridge ${taken.bridge.name} already` }
    const spec = portSpec(iface)
    if ('error' in spec) return { ...base, port: undefined, error: spec.error, refusal: spec }
    if (spec.tunnel) {
      const twin = this.twin(spec.tunnel)
      if (twin) {
        const refusal = refusedTwin(iface.name, twin)
        return { ...base, port: undefined, error: refusal.error, refusal }
      }
      sayIgnored(this.sw.log, iface, ignoredOptions(iface.name, iface.type, iface.options))
    }
    const port = this.sw.addPort(bridge, spec)
    return 'error' in port ? { ...base, port: undefined, error: port.error } : { ...base, port, error: undefined }
  }

  /** A tunnel that is there with the same configuration. */
  private twin(config: TunnelConfig): { readonly name: string; readonly config: TunnelConfig } | undefined {
    for (const bridge of this.sw.bridges.values()) {
      for (const port of bridge.ports.values()) {
        if (port.tunnel && sameTunnel(port.tunnel, config)) return { name: port.name, config: port.tunnel }
      }
    }
    return undefined
  }

  /** Options changed on a port that stays. */
  private change(p: BridgePort, iface: OVS.Interface): void {
    const spec = portSpec(iface)
    if ('error' in spec) {
      sayRefused(this.sw.log, p.bridge.name, iface, spec)
      return
    }
    p.peer = spec.peer
    if (spec.tunnel) this.sw.tunnels.change(p, spec.tunnel)
    p.bridge.portModified(p)
    this.sw.datapath.flushFlows()
  }

  private zones(root: OVS.OpenVSwitchRow): void {
    const ct = this.sw.conntrack
    const seen = new Set<number>()
    let fallback = 0
    for (const uuid of root.datapaths.values()) {
      const row = this.db.table('Datapath').get(uuid)
      if (!row) continue
      fallback = row.ct_zone_default_limit ?? fallback
      for (const [zone, z] of row.ct_zones) {
        const settings = this.db.table('CT_Zone').get(z)
        if (!settings) continue
        seen.add(zone)
        ct.setLimit(zone, settings.limit)
        const policy =
          settings.timeout_policy === undefined
            ? undefined
            : this.db.table('CT_Timeout_Policy').get(settings.timeout_policy)
        ct.setTimeouts(zone, policy ? timeoutsOf(policy.timeouts) : undefined)
      }
    }
    ct.defaultLimit = fallback
    for (const zone of [...ct.zoneLimits().keys()]) if (!seen.has(zone)) ct.setLimit(zone, undefined)
  }

  // --- back to the database ---

  private armStatistics(): void {
    const wanted = Number(this.root?.other_config.get('stats-update-interval'))
    this.statistics = this.sw.clock.after(wanted >= 5000 ? wanted : STATISTICS_INTERVAL, () => {
      const root = this.root
      if (root && this.db.state === 'synced' && this.wasReady) this.back.run(root, true)
      this.armStatistics()
    })
  }

  close(): void {
    this.closed = true
    this.scheduled?.cancel()
    this.scheduledWrite?.cancel()
    this.statistics?.cancel()
    for (const s of this.stop) s()
    this.sw.onPortsChanged = undefined
    this.sw.onConnections = undefined
    this.sw.bfd.onStatus = undefined
  }
}

function firstAddress(list: string | undefined): string | undefined {
  const first = list?.split(',')[0]?.trim()
  return first ? first : undefined
}

function vlanText(v: BridgePort['vlan']): string {
  return `${v.mode}/${v.tag}/${[...v.trunks].sort((a, b) => a - b).join()}/${v.priorityTags}`
}

function timeoutsOf(t: ReadonlyMap<string, number>): Timeouts {
  const out: Record<string, number> = { ...DEFAULT_TIMEOUTS }
  for (const [k, seconds] of t) if (k in out) out[k] = seconds * 1000
  return out as unknown as Timeouts
}
