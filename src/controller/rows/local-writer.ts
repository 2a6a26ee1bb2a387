import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import type { Operation } from '../../ovsdb/client/operation.ts'
import type { Replica } from '../../ovsdb/client/replica.ts'
import { Reconciler } from '../../ovsdb/relations/reconciler.ts'
import type { Derived, Relation } from '../../reactive/relation.ts'
import type { OpenVSwitch, Port } from '../../schema/open-vswitch.ts'
import type { Binding } from '../binding/binding.ts'
import type { DesiredTunnel } from '../encaps/desired.ts'
import type { DesiredPatch } from '../patch.ts'
import type { DesiredQueue } from '../qos/desired.ts'
import { egressPorts, queueOperations } from '../qos/rows.ts'
import { effectiveSettings, parseMappings } from '../settings.ts'
import type { Zones } from '../zones/zones.ts'
import {
  bridgeNamed,
  integrationBridge,
  portNamed,
  portOperations,
  prefixOperations,
  removePort,
} from './bridge-rows.ts'
import { mapChanges } from './map-changes.ts'
import { RestoreWait } from './restore-wait.ts'
import type { Acknowledgement } from './southbound-writer.ts'

export interface LocalWriterParts {
  readonly ovs: Replica<OpenVSwitch>
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  readonly chassisName: string | undefined
  readonly bindings: Derived<Binding>
  readonly installed: Relation<true>
  readonly tunnels: Derived<DesiredTunnel>
  readonly patches: Derived<DesiredPatch>
  readonly zones: Zones
  readonly queues: Derived<DesiredQueue>
  /** Whether zones and ports may be removed: not before all that is wanted is known. */
  readonly settled: () => boolean
}

const ZONE_PREFIX = 'ct-zone-'

/** Writes what the controller keeps in the local Open vSwitch database. */
export class LocalWriter {
  readonly rows: Reconciler<OpenVSwitch>
  private acknowledged: Acknowledgement | undefined
  private readonly restoreWait = new RestoreWait()
  private readonly startedAt: number
  /** When the flows of an interface were all there (milliseconds since 1970), by logical port. */
  private readonly installedAt = new Map<string, number>()

  constructor(private readonly parts: LocalWriterParts) {
    const { ovs, bindings, installed, tunnels, patches, zones } = parts
    this.startedAt = parts.clock.now()
    this.rows = new Reconciler(ovs, {
      clock: parts.clock,
      log: parts.log.child('main'),
      comment: 'ovn-controller',
      enabled: () => true,
    })
    this.rows.watch('bridge', () => this.bridge(), { on: { Bridge: () => ['br-int'], Open_vSwitch: () => ['br-int'] } })
    this.rows.watch('restore wait', () => this.restoreOperations(), { on: { Open_vSwitch: () => ['switch'] } })
    this.rows.watch('prefixes', () => this.prefixes(), {
      on: { Bridge: () => ['br-int'], Flow_Table: () => ['br-int'] },
    })
    this.rows.watch('zones', () => this.bridgeIds(), { on: { Bridge: () => ['zones'] } })
    const ofPort = ({ old, new: row }: { old?: Port; new?: Port }) => {
      const ids = [old, row].flatMap((p) => p?.external_ids.get('ovn-chassis-id') ?? [])
      return [...new Set(ids)]
    }
    this.rows.watch('tunnel', (id) => this.tunnel(id), {
      on: { Port: ofPort, Interface: ({ new: row }) => this.tunnelOf(row?.name) },
    })
    const ofPatch = ({ old, new: row }: { old?: { name: string }; new?: { name: string } }) => {
      const name = row?.name ?? old?.name
      return name?.startsWith('patch-') ? [name] : []
    }
    this.rows.watch('patch', (name) => this.patch(name), { on: { Port: ofPatch } })
    this.rows.watch('interface', (name) => this.interfaceIds(name), {
      on: {
        Interface: ({ new: row }) =>
          row?.external_ids.has('iface-id') || row?.external_ids.has('ovn-installed') ? [row.name] : [],
      },
    })

    bindings.subscribe((changes) => {
      for (const { before, after } of changes.values()) {
        for (const vif of [before?.vif, after?.vif]) if (vif) this.rows.mark('interface', vif.name)
      }
    })
    installed.subscribe((changes) => {
      for (const [name, { after }] of changes) {
        if (after) this.installedAt.set(name, parts.clock.now())
        else this.installedAt.delete(name)
        const vif = bindings.peek(name)?.vif
        if (vif) this.rows.mark('interface', vif.name)
      }
    })
    tunnels.subscribe((changes) => {
      for (const id of changes.keys()) this.rows.mark('tunnel', id)
    })
    patches.subscribe((changes) => {
      for (const name of changes.keys()) this.rows.mark('patch', name)
    })
    zones.subscribe(() => this.rows.mark('zones', 'zones'))
    this.rows.watch('queues', () => this.queueRows(), { on: { Bridge: () => ['all'], QoS: () => ['all'] } })
    parts.queues.subscribe(() => this.rows.mark('queues', 'all'))
    ovs.onSynced(() => this.all())
  }

  /** Looks at everything again: what was found there on the first connection may be stale. */
  all(): void {
    const { ovs } = this.parts
    this.rows.mark('bridge', 'br-int')
    this.rows.mark('prefixes', 'br-int')
    this.rows.mark('zones', 'zones')
    this.rows.mark('queues', 'all')
    for (const id of this.parts.tunnels.contents.keys()) this.rows.mark('tunnel', id)
    for (const name of this.parts.patches.contents.keys()) this.rows.mark('patch', name)
    for (const port of ovs.table('Port').values()) {
      const id = port.external_ids.get('ovn-chassis-id')
      if (id !== undefined) this.rows.mark('tunnel', id)
      if (port.external_ids.has('ovn-localnet-port') || port.external_ids.has('ovn-l2gateway-port')) {
        this.rows.mark('patch', port.name)
      }
    }
    for (const i of ovs.table('Interface').values())
      if (i.external_ids.has('iface-id')) this.rows.mark('interface', i.name)
  }

  acknowledge(what: Acknowledgement): void {
    this.acknowledged = what
    this.rows.mark('zones', 'zones')
  }

  /** A connection to the switch was made; its flows are not there yet. */
  connected(): void {
    this.restoreWait.connected()
  }

  /** All flows are in the switch for the first time on this connection. */
  flowsInstalled(): void {
    this.restoreWait.flowsInstalled()
    this.rows.mark('restore wait', 'switch')
  }

  /** Takes out what there is for the sake of other chassis. */
  withdraw(name: string, done: () => void): void {
    this.rows.close()
    const { ovs } = this.parts
    const bridge = bridgeNamed(ovs, this.bridgeName())
    const [root] = ovs.table('Open_vSwitch').values()
    if (ovs.state !== 'synced' || !root) {
      done()
      return
    }
    const out: Operation[] = []
    for (const port of ovs.table('Port').values()) {
      if (bridge?.ports.includes(port._uuid) && port.external_ids.has('ovn-chassis-id'))
        out.push(...removePort(bridge, port))
    }
    const where = [['_uuid', '==', root._uuid]] as const
    out.push({
      op: 'mutate',
      table: 'Open_vSwitch',
      where,
      mutations: [['other_config', 'delete', [`ovn-chassis-idx-${name}`]]],
    })
    ovs.transact(out, done)
  }

  close(): void {
    this.rows.close()
  }

  private settings(): Map<string, string> {
    const [row] = this.parts.ovs.table('Open_vSwitch').values()
    return row ? effectiveSettings(row, this.parts.chassisName) : new Map()
  }

  private bridgeName(): string {
    return this.settings().get('ovn-bridge') ?? 'br-int'
  }

  private bridge(): readonly Operation[] {
    const { ovs, random } = this.parts
    const settings = this.settings()
    const out = integrationBridge(ovs, this.bridgeName(), settings.get('ovn-bridge-datapath-type'), random)
    const [root] = ovs.table('Open_vSwitch').values()
    const chassis = settings.get('system-id')
    if (root && chassis !== undefined) {
      // The switch must look into packets behind their VLAN tags; and the chassis' place among
      // several controllers of one switch, which goes into the names of tunnels.
      const wanted = new Map([['vlan-limit', '0']])
      if (!root.other_config.has(`ovn-chassis-idx-${chassis}`))
        wanted.set(`ovn-chassis-idx-${chassis}`, this.freeIndex())
      const mutations = mapChanges('other_config', root.other_config, wanted)
      if (mutations.length)
        out.push({ op: 'mutate', table: 'Open_vSwitch', where: [['_uuid', '==', root._uuid]], mutations })
    }
    return out
  }

  private restoreOperations(): readonly Operation[] {
    const [root] = this.parts.ovs.table('Open_vSwitch').values()
    const log = this.parts.log.child('main')
    return root ? this.restoreWait.operations(root, (text) => log.info(text), this.acknowledged?.nbCfg ?? 0) : []
  }

  private prefixes(): readonly Operation[] {
    const bridge = bridgeNamed(this.parts.ovs, this.bridgeName())
    const out = bridge ? prefixOperations(this.parts.ovs, bridge, this.parts.random) : []
    if (out.length)
      this.parts.log.child('main').info('Setting flow table prefixes: ip_src, ip_dst, ipv6_src, ipv6_dst.')
    return out
  }

  /** The first controller of a switch has the empty index, the next ones a letter or digit. */
  private freeIndex(): string {
    const [root] = this.parts.ovs.table('Open_vSwitch').values()
    const taken = new Set<string>()
    for (const [key, value] of root?.other_config ?? []) if (key.startsWith('ovn-chassis-idx-')) taken.add(value)
    for (const index of ['', ...'0123456789abcdefghijklmnopqrstuvwxyz']) if (!taken.has(index)) return index
    return ''
  }

  private chassisIndex(): string {
    const [root] = this.parts.ovs.table('Open_vSwitch').values()
    const chassis = this.settings().get('system-id')
    return root?.other_config.get(`ovn-chassis-idx-${chassis}`) ?? ''
  }

  private bridgeIds(): readonly Operation[] {
    const bridge = bridgeNamed(this.parts.ovs, this.bridgeName())
    if (!bridge) return []
    const wanted = new Map<string, string | undefined>([['ovn-startup-ts', String(this.startedAt)]])
    for (const [key, zone] of this.parts.zones.contents) wanted.set(ZONE_PREFIX + key, String(zone))
    if (this.parts.settled()) {
      for (const key of bridge.external_ids.keys()) {
        if (key.startsWith(ZONE_PREFIX) && !wanted.has(key)) wanted.set(key, undefined)
      }
    }
    if (this.acknowledged) {
      wanted.set('ovn-nb-cfg', String(this.acknowledged.nbCfg))
      wanted.set('ovn-nb-cfg-ts', String(this.acknowledged.at))
    }
    const mutations = mapChanges('external_ids', bridge.external_ids, wanted)
    return mutations.length
      ? [{ op: 'mutate', table: 'Bridge', where: [['_uuid', '==', bridge._uuid]], mutations }]
      : []
  }

  private tunnelOf(name: string | undefined): string[] {
    const id = name?.startsWith('ovn-')
      ? portNamed(this.parts.ovs, name)?.port.external_ids.get('ovn-chassis-id')
      : undefined
    return id === undefined ? [] : [id]
  }

  private tunnel(id: string): readonly Operation[] {
    const { ovs, tunnels, random } = this.parts
    const bridge = bridgeNamed(ovs, this.bridgeName())
    if (!bridge) return []
    const wanted = tunnels.peek(id)
    const present = ovs
      .table('Port')
      .index('tunnel id', (p) => p.external_ids.get('ovn-chassis-id'))
      .get(id)
    const ours = present.filter((p) => bridge.ports.includes(p._uuid))
    if (!wanted) return this.parts.settled() ? ours.flatMap((p) => removePort(bridge, p)) : []
    const [keep, ...extra] = ours
    const portIds = new Map([['ovn-chassis-id', id]])
    const port = {
      name: keep?.name ?? this.tunnelName(wanted.chassis),
      bridge: bridge.name,
      type: wanted.type,
      options: wanted.options,
      portIds,
      bfd: wanted.bfd,
    }
    return [...portOperations(ovs, port, random), ...extra.flatMap((p) => removePort(bridge, p))]
  }

  /** `ovn-`, at most six characters of the chassis, and the first number that is free. */
  private tunnelName(chassis: string): string {
    const byName = this.parts.ovs.table('Port').index('name', (p) => p.name)
    for (let n = 0; ; n++) {
      const name = `ovn-${this.chassisIndex()}${chassis.slice(0, 6)}-${n.toString(16)}`
      if (!byName.first(name) && !this.reserved.has(name)) {
        this.reserve(name)
        return name
      }
    }
  }

  /** Names given out in the transaction that is being made up. */
  private readonly reserved = new Set<string>()

  private reserve(name: string): void {
    if (!this.reserved.size) this.parts.clock.after(0, () => this.reserved.clear())
    this.reserved.add(name)
  }

  private patch(name: string): readonly Operation[] {
    const { ovs, patches, random } = this.parts
    const wanted = patches.peek(name)
    if (wanted) {
      const { bridge, peer, key, port } = wanted
      const options = new Map([['peer', peer]])
      return portOperations(ovs, { name, bridge, type: 'patch', options, portIds: new Map([[key, port]]) }, random)
    }
    const found = portNamed(ovs, name)
    const ours = found?.port.external_ids.has('ovn-localnet-port') || found?.port.external_ids.has('ovn-l2gateway-port')
    return ours && found?.bridge && this.parts.settled() ? removePort(found.bridge, found.port) : []
  }

  /** Queues where packets leave for each physical network. */
  private queueRows(): readonly Operation[] {
    const { ovs, queues, random } = this.parts
    if (!this.parts.settled()) return []
    const wanted = [...queues.contents.values()]
    const out: Operation[] = []
    for (const [network, name] of parseMappings(this.settings().get('ovn-bridge-mappings'))) {
      const bridge = bridgeNamed(ovs, name)
      const here = wanted.filter((q) => q.network === network)
      for (const port of bridge ? egressPorts(ovs, bridge) : []) out.push(...queueOperations(ovs, port, here, random))
    }
    return out
  }

  private interfaceIds(name: string): readonly Operation[] {
    const { ovs, bindings, installed } = this.parts
    const log = this.parts.log.child('binding')
    const row = ovs
      .table('Interface')
      .index('name', (i) => i.name)
      .first(name)
    if (!row) return []
    const port = row.external_ids.get('iface-id')
    const binding = port === undefined ? undefined : bindings.peek(port)
    const bound = port !== undefined && binding?.kind === 'vif' && binding.vif?.name === name
    const there = bound && installed.contents.has(port)
    const says = row.external_ids.has('ovn-installed')
    const wanted = new Map<string, string | undefined>()
    if (there && !says) {
      log.info(`Setting lport ${port} ovn-installed in OVS`, { port, interface: name, row: row._uuid })
      wanted.set('ovn-installed', 'true')
      wanted.set('ovn-installed-ts', String(this.installedAt.get(port) ?? this.parts.clock.now()))
    } else if (!bound && says && this.parts.settled()) {
      const about = { port, interface: name, row: row._uuid }
      log.info(`Removing iface ${name} ovn-installed in OVS`, about)
      if (port !== undefined && !binding) log.info(`Removing lport ${port} ovn-installed in OVS`, about)
      wanted.set('ovn-installed', undefined)
    }
    const mutations = mapChanges('external_ids', row.external_ids, wanted)
    return mutations.length
      ? [{ op: 'mutate', table: 'Interface', where: [['_uuid', '==', row._uuid]], mutations }]
      : []
  }
}
