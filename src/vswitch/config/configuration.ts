import { formatMac, parseMac } from '../../address/mac.ts'
import type { Timer } from '../../base/clock.ts'
import type { Operation } from '../../ovsdb/client/operation.ts'
import type { Replica } from '../../ovsdb/client/replica.ts'
import type { Datum } from '../../ovsdb/schema/index.ts'
import type { OpenVSwitch, OVS } from '../../schema/index.ts'
import { DEFAULT_TIMEOUTS, type Timeouts } from '../conntrack/connection.ts'
import type { Bridge } from '../ofproto/bridge.ts'
import { applyFlowMod } from '../ofproto/flow-mod.ts'
import { type BridgePort, LINK_DOWN } from '../ofproto/port.ts'
import { Mirror, type MirrorSpec } from '../pipeline/mirror.ts'
import type { Switch } from '../switch.ts'
import { CAPABILITIES } from './capabilities.ts'
import { DATAPATH_TYPES, INTERFACE_TYPES, identity, optionsText, portSpec, shaperConfig, vlanOf } from './desired.ts'
import { controllerStatus, interfaceStatistics, interfaceStatus } from './status.ts'

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
  readonly identity: string
  options: string
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
  private statistics: Timer | undefined
  private inFlight = false
  private again = false
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
    this.stop.push(
      db.onChange(() => this.schedule()),
      db.onSynced(() => this.schedule()),
    )
    sw.onPortsChanged = () => this.schedule()
    sw.onConnections = () => this.schedule()
    sw.bfd.onStatus = () => this.schedule()
    this.armStatistics()
  }

  private schedule(): void {
    if (this.closed) return
    this.scheduled ??= this.sw.clock.after(0, () => {
      this.scheduled = undefined
      if (this.db.state === 'synced') this.run()
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
    this.sw.tunnels.rebind()
    this.zones(root)
    this.writeBack(root, false)
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
      // those that failed are tried again: a device may have come
      if (!c.port && wanted.has(name)) this.interfaces.delete(name)
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
        this.sw.log.warn(c.error, { code: 'interface-open', interface: iface.name })
      }
    }
    const p = c.port
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
  }

  private open(bridge: Bridge, iface: OVS.Interface): Configured {
    const base = { identity: identity(iface), options: optionsText(iface) }
    if (iface.name === bridge.name) return { ...base, port: bridge.local, error: undefined }
    const taken = this.sw.portByName(iface.name)
    if (taken)
      return { ...base, port: undefined, error: `${iface.name}: is a port of bridge ${taken.bridge.name} already` }
    const spec = portSpec(iface)
    if ('error' in spec) return { ...base, port: undefined, error: spec.error }
    const port = this.sw.addPort(bridge, spec)
    return 'error' in port ? { ...base, port: undefined, error: port.error } : { ...base, port, error: undefined }
  }

  /** Options changed on a port that stays. */
  private change(p: BridgePort, iface: OVS.Interface): void {
    const spec = portSpec(iface)
    if ('error' in spec) {
      this.sw.log.warn(spec.error, { code: 'interface-options', interface: iface.name })
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
      if (root && this.db.state === 'synced' && this.wasReady) this.writeBack(root, true)
      this.armStatistics()
    })
  }

  private writeBack(root: OVS.OpenVSwitchRow, statistics: boolean): void {
    if (this.inFlight) {
      this.again = true
      return
    }
    const operations: Operation[] = []
    const update = (table: string, row: { readonly _uuid: string }, columns: Record<string, Datum>) => {
      const changed: Record<string, Datum> = {}
      let any = false
      for (const [k, v] of Object.entries(columns)) {
        if (equalDatum((row as unknown as Record<string, Datum>)[k], v)) continue
        changed[k] = v
        any = true
      }
      if (any) operations.push({ op: 'update', table, where: [['_uuid', '==', row._uuid]], row: changed })
    }
    for (const uuid of root.bridges) {
      const row = this.db.table('Bridge').get(uuid)
      const bridge = row && this.sw.bridge(row.name)
      if (!row || !bridge) continue
      update('Bridge', row, {
        datapath_id: bridge.datapathId.toString(16).padStart(16, '0'),
        datapath_version: this.sw.version,
      })
      for (const u of row.controller) {
        const controller = this.db.table('Controller').get(u)
        if (controller) update('Controller', controller, controllerStatus(this.sw, bridge, controller.target))
      }
      for (const p of row.ports) {
        for (const i of this.db.table('Port').get(p)?.interfaces ?? []) {
          const iface = this.db.table('Interface').get(i)
          if (iface) this.writeInterface(iface, update, statistics)
        }
      }
    }
    for (const uuid of root.datapaths.values()) {
      const row = this.db.table('Datapath').get(uuid)
      if (row) update('Datapath', row, { datapath_version: this.sw.version, capabilities: CAPABILITIES })
    }
    update('Open_vSwitch', root, {
      cur_cfg: root.next_cfg,
      ovs_version: this.sw.version,
      iface_types: INTERFACE_TYPES,
      datapath_types: DATAPATH_TYPES,
    })
    if (operations.length === 0) return
    this.inFlight = true
    this.db.transact(operations, (outcome) => {
      this.inFlight = false
      if (!outcome.ok && outcome.error.kind === 'refused')
        this.sw.log.warn(`could not write to the database: ${outcome.error.error.error}`, { code: 'database-write' })
      if (this.again) {
        this.again = false
        this.schedule()
      }
    })
  }

  private writeInterface(
    iface: OVS.Interface,
    update: (table: string, row: OVS.Interface, columns: Record<string, Datum>) => void,
    statistics: boolean,
  ): void {
    const c = this.interfaces.get(iface.name)
    const port = c?.port
    if (!port) {
      update('Interface', iface, {
        ofport: -1,
        error: c?.error,
        mac_in_use: undefined,
        admin_state: undefined,
        link_state: undefined,
        ifindex: undefined,
        mtu: undefined,
        status: EMPTY,
        statistics: EMPTY,
        bfd_status: EMPTY,
      })
      return
    }
    const device = this.sw.device(port)
    const peerless = port.kind === 'patch' && !this.sw.patchPeer(port)
    const up = (port.state & LINK_DOWN) === 0
    update('Interface', iface, {
      ofport: port.number,
      mac_in_use: formatMac(port.mac),
      admin_state: up ? 'up' : 'down',
      link_state: up ? 'up' : 'down',
      link_resets: 0,
      ifindex: device?.index ?? 0,
      mtu: device?.mtu,
      error: peerless ? `No usable peer '${port.peer ?? ''}' exists in 'system' datapath.` : undefined,
      status: interfaceStatus(this.sw, port),
      bfd_status: bfdStatus(this.sw, port),
      ...(statistics || iface.statistics.size === 0 ? { statistics: interfaceStatistics(port) } : {}),
    })
  }

  close(): void {
    this.closed = true
    this.scheduled?.cancel()
    this.statistics?.cancel()
    for (const s of this.stop) s()
    this.sw.onPortsChanged = undefined
    this.sw.onConnections = undefined
    this.sw.bfd.onStatus = undefined
  }
}

const EMPTY: ReadonlyMap<string, string> = new Map()

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

function bfdStatus(sw: Switch, port: BridgePort): ReadonlyMap<string, string> {
  const s = sw.bfd.status(port)
  if (!s) return EMPTY
  return new Map([
    ['diagnostic', s.diagnostic],
    ['flap_count', String(s.flapCount)],
    ['forwarding', String(s.forwarding)],
    ['remote_diagnostic', s.remoteDiagnostic],
    ['remote_state', s.remoteState],
    ['state', s.state],
  ])
}

function equalDatum(a: Datum | undefined, b: Datum | undefined): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((x, i) => x === b[i])
  if (a instanceof Map && b instanceof Map) {
    if (a.size !== b.size) return false
    for (const [k, v] of a) if (b.get(k) !== v) return false
    return true
  }
  return false
}
