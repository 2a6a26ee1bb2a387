import type { Clock } from '../../base/clock.ts'
import type { OpenFlowChannel } from '../../openflow/connection/channel.ts'
import type { ErrorName } from '../../openflow/messages/errors.ts'
import type { AsyncConfig, AsyncKind, Message } from '../../openflow/messages/message.ts'
import { PACKET_IN_FORMAT } from '../../openflow/nicira/message.ts'
import type { UserspaceAction } from '../datapath/action.ts'
import type { Packet } from '../datapath/packet.ts'
import { Meter } from '../meters/meter.ts'
import type { Rule } from '../pipeline/rule.ts'
import type { Switch } from '../switch.ts'
import type { Bridge, BridgeEvents } from './bridge.ts'
import { Bundles } from './bundles.ts'
import { type Applied, applyFlowMod, checkActions } from './flow-mod.ts'
import { applyGroupMod } from './group-mod.ts'
import { FlowMonitors } from './monitor.ts'
import { optionsInUse } from './options-in-use.ts'
import { packetInOf, packetOut, resumePacket } from './packets.ts'
import type { BridgePort } from './port.ts'
import { answer } from './stats.ts'

const ROLE_EQUAL = 1
const ROLE_PRIMARY = 2
const ROLE_SECONDARY = 3

/** What a controller gets unless it says otherwise, by role (OpenFlow 1.5 §7.3.10). */
const DEFAULT_ASYNC: Record<AsyncKind, { primary: number; secondary: number }> = {
  packet_in: { primary: 0b111011, secondary: 0 },
  port_status: { primary: 0b111, secondary: 0b111 },
  flow_removed: { primary: 0b111111, secondary: 0 },
  role_status: { primary: 0, secondary: 0 },
  table_status: { primary: 0, secondary: 0 },
  requestforward: { primary: 0, secondary: 0 },
}

/** One controller's OpenFlow connection to a bridge, or that of a tool. */
export class OpenFlowConnection implements BridgeEvents {
  role = ROLE_EQUAL
  /** Controller.target, where the connection is one that the database asks for. */
  target: string | undefined = undefined
  controllerId = 0
  /** Zero: no asynchronous messages, as befits a tool. */
  missSendLen = 0
  private format: 'standard' | 'nxt' | 'nxt2' = 'standard'
  private readonly async = structuredClone(DEFAULT_ASYNC)
  private readonly bundles: Bundles
  private readonly monitors: FlowMonitors
  private generationSeen: bigint | undefined
  private configFlags = 0
  private closed = false
  private nextXid = 1
  onClose: (() => void) | undefined

  constructor(
    readonly sw: Switch,
    readonly bridge: Bridge,
    readonly channel: OpenFlowChannel,
  ) {
    this.monitors = new FlowMonitors(bridge, sw.slots, (m) => channel.send(m))
    this.bundles = new Bundles({
      apply: (m) => this.apply(m),
      fail: (m, error) => this.fail(m, error),
      send: (m) => channel.send(m),
    })
    bridge.events.add(this)
    if (channel.version < 4) bridge.missListeners++
    channel.onMessage = (m) => this.handle(m)
    channel.onClose = () => this.ended()
  }

  private get clock(): Clock {
    return this.sw.clock
  }

  close(): void {
    this.channel.close()
    this.ended()
  }

  private ended(): void {
    if (this.closed) return
    this.closed = true
    this.bridge.events.delete(this)
    if (this.channel.version < 4) this.bridge.missListeners--
    this.sw.connections.delete(this)
    this.sw.onConnections?.()
    this.onClose?.()
  }

  private fail(m: Message, error: ErrorName): void {
    this.channel.send({ type: 'error', xid: m.xid, error, data: new Uint8Array(0) })
  }

  private handle(m: Message): void {
    if (this.closed) return
    switch (m.type) {
      case 'hello':
      case 'error':
      case 'echo_reply':
      case 'barrier_reply':
        return
      case 'echo_request':
        this.channel.send({ type: 'echo_reply', xid: m.xid, data: m.data })
        return
      case 'features_request':
        this.features(m.xid)
        return
      case 'get_config_request':
        this.channel.send({
          type: 'get_config_reply',
          xid: m.xid,
          flags: this.configFlags,
          missSendLen: this.missSendLen,
        })
        return
      case 'set_config':
        this.configFlags = m.flags & 3
        this.missSendLen = m.missSendLen
        return
      case 'barrier_request':
        this.channel.send({ type: 'barrier_reply', xid: m.xid })
        return
      case 'flow_mod':
      case 'group_mod':
      case 'port_mod': {
        if (this.readOnly(m)) return
        const done = this.apply(m)
        if ('error' in done) this.fail(m, done.error)
        else {
          done.applied.tell()
          this.monitors.flush(m.xid)
        }
        return
      }
      case 'meter_mod': {
        if (this.readOnly(m)) return
        const bad = this.meterMod(m)
        if (bad) this.fail(m, bad)
        return
      }
      case 'table_mod':
        if (this.readOnly(m)) return
        if (m.table !== 0xff && m.table >= 254) this.fail(m, 'OFPTMFC_BAD_TABLE')
        return
      case 'packet_out': {
        if (this.readOnly(m)) return
        const bad = packetOut(this.sw, this.bridge, m)
        if (bad) this.fail(m, bad)
        return
      }
      case 'resume': {
        if (this.readOnly(m)) return
        const bad = resumePacket(this.sw, m)
        if (bad) this.fail(m, bad)
        return
      }
      case 'role_request':
        this.setRole(m)
        return
      case 'set_async':
        this.setAsync(m)
        return
      case 'get_async_request':
        this.channel.send({ type: 'get_async_reply', xid: m.xid, format: 'standard', masks: this.async })
        return
      case 'bundle_control':
        this.bundles.control(m)
        this.monitors.flush(0)
        return
      case 'bundle_add':
        this.bundles.add(m)
        return
      case 'multipart_request':
        this.sw.datapath.flushStatistics()
        if (m.request.kind === 'flow_monitor') {
          const bad = this.monitors.add(m.xid, m.request)
          if (bad) this.fail(m, bad)
          return
        }
        {
          const parts = answer(this.sw, this.bridge, m.request)
          if (typeof parts === 'string') {
            this.fail(m, parts)
            return
          }
          parts.forEach((reply, i) => {
            this.channel.send({
              type: 'multipart_reply',
              xid: m.xid,
              flags: i < parts.length - 1 ? 1 : 0,
              reply,
            })
          })
        }
        return
      case 'queue_get_config_request':
        this.channel.send({ type: 'queue_get_config_reply', xid: m.xid, port: m.port, queues: [] })
        return
      case 'set_flow_format':
      case 'flow_mod_table_id':
        return
      case 'set_packet_in_format':
        if (m.format === PACKET_IN_FORMAT.NXT_PACKET_IN2) this.format = 'nxt2'
        else if (m.format === PACKET_IN_FORMAT.NXT_PACKET_IN) this.format = 'nxt'
        else if (m.format === PACKET_IN_FORMAT.STANDARD) this.format = 'standard'
        else this.fail(m, 'OFPBRC_EPERM')
        return
      case 'set_controller_id':
        this.controllerId = m.id
        return
      case 'tlv_table_request':
        this.channel.send({
          type: 'tlv_table_reply',
          xid: m.xid,
          maxSpace: 256,
          maxFields: 64,
          maps: this.sw.slots.mappings(),
        })
        return
      case 'tlv_table_mod':
        this.tlvTableMod(m)
        return
      case 'ct_flush_zone':
        this.sw.conntrack.flush(m.zone)
        return
      case 'ct_flush':
        this.sw.flushConnections(m)
        return
      case 'flow_monitor_cancel':
        if (!this.monitors.cancel(m.id)) this.fail(m, 'OFPMOFC_UNKNOWN_MONITOR')
        return
      default:
        this.fail(m, 'OFPBRC_BAD_TYPE')
    }
  }

  private readOnly(m: Message): boolean {
    if (this.role !== ROLE_SECONDARY) return false
    this.fail(m, 'OFPBRC_IS_SECONDARY')
    return true
  }

  private features(xid: number): void {
    const { version } = this.channel
    const ports = this.bridge.sortedPorts().map((p) => p.describe())
    // statistics of flows, tables, ports and queues; groups since 1.1, bundles in 1.4
    const capabilities = 0x47 | (version >= 2 ? 0x08 : 0) | (version >= 5 ? 0x200 : 0) | (version === 1 ? 0x80 : 0)
    this.channel.send({
      type: 'features_reply',
      xid,
      datapathId: this.bridge.datapathId,
      buffers: 0,
      tables: 254,
      auxiliary: 0,
      capabilities,
      ...(version === 1 ? { actions: 0xfff } : {}),
      ...(version < 4 ? { ports } : {}),
    })
  }

  private apply(m: Message): { applied: Applied } | { error: ErrorName } {
    // what was counted belongs to flows and groups as they are now
    this.sw.datapath.flushStatistics()
    switch (m.type) {
      case 'flow_mod': {
        const r = applyFlowMod(this.bridge, this.sw.slots, m, this, this.channel.version)
        if (!r.ok) return { error: r.error }
        if (m.idleTimeout || m.hardTimeout) this.sw.expires()
        return { applied: r.value }
      }
      case 'group_mod': {
        const r = applyGroupMod(this.bridge, this.sw.slots, m)
        return r.ok ? { applied: r.value } : { error: r.error }
      }
      case 'port_mod': {
        const port = this.bridge.ports.get(m.port)
        if (!port) return { error: 'OFPPMFC_BAD_PORT' }
        if (port.mac !== m.mac) return { error: 'OFPPMFC_BAD_HW_ADDR' }
        const before = port.config
        // down, no receive, no flood, no forward, no packet-in
        const mask = m.mask & 0x75
        port.config = (port.config & ~mask) | (m.config & mask)
        return {
          applied: {
            undo: () => {
              port.config = before
            },
            tell: () => {
              if (port.config !== before) this.bridge.portModified(port)
            },
          },
        }
      }
      case 'packet_out': {
        const bad = checkActions(this.bridge, this.sw.slots, m.actions, undefined)
        if (bad) return { error: bad }
        return { applied: { undo: () => {}, tell: () => void packetOut(this.sw, this.bridge, m) } }
      }
      default:
        return { error: 'OFPBFC_MSG_UNSUP' }
    }
  }

  private meterMod(m: Message & { type: 'meter_mod' }): ErrorName | undefined {
    const { bridge, sw } = this
    const all = m.meter === 0xffffffff
    if (m.command === 'delete') {
      if (all) for (const id of [...bridge.meters.keys()]) sw.removeMeter(bridge, id)
      else sw.removeMeter(bridge, m.meter)
      return undefined
    }
    if (m.meter === 0 || (m.meter > 0xffff0000 && m.meter < 0xfffffffd) || all) return 'OFPMMFC_INVALID_METER'
    const exists = bridge.meters.has(m.meter)
    if (m.command === 'add' && exists) return 'OFPMMFC_METER_EXISTS'
    if (m.command === 'modify' && !exists) return 'OFPMMFC_UNKNOWN_METER'
    if (m.bands.length > 8) return 'OFPMMFC_OUT_OF_BANDS'
    if ((m.flags & 1) !== 0 && (m.flags & 2) !== 0) return 'OFPMMFC_BAD_FLAGS'
    sw.setMeter(bridge, new Meter(m.meter, m.flags, m.bands, this.clock.monotonic()))
    return undefined
  }

  // --- packets ---

  /** Sends a packet to this controller, if it wants it. */
  packetIn(packet: Packet, action: UserspaceAction): void {
    if (!this.wants('packet_in', action.reason) || action.controllerId !== this.controllerId) return
    this.channel.send(packetInOf(this.sw, packet, action, this.format))
  }

  // --- asynchronous messages ---

  private wants(kind: AsyncKind, reason: number): boolean {
    if (this.missSendLen === 0) return false
    const masks = this.async[kind]
    return ((this.role === ROLE_SECONDARY ? masks.secondary : masks.primary) & (1 << reason)) !== 0
  }

  private setAsync(m: AsyncConfig): void {
    for (const [kind, masks] of Object.entries(m.masks)) {
      const to = this.async[kind as AsyncKind]
      if (masks?.primary !== undefined) to.primary = masks.primary
      if (masks?.secondary !== undefined) to.secondary = masks.secondary
    }
  }

  private setRole(m: Message & { type: 'role_request' | 'role_reply' }): void {
    if (m.role === ROLE_PRIMARY || m.role === ROLE_SECONDARY) {
      if (!m.nicira) {
        const seen = this.generationSeen
        if (seen !== undefined && BigInt.asIntN(64, m.generation - seen) < 0n) {
          this.fail(m, 'OFPRRFC_STALE')
          return
        }
        this.generationSeen = m.generation
      }
      if (m.role === ROLE_PRIMARY) {
        for (const c of this.sw.connections) {
          if (c !== this && c.bridge === this.bridge && c.role === ROLE_PRIMARY) c.demote()
        }
      }
    }
    if (m.role !== 0) {
      this.role = m.role
      this.sw.onConnections?.()
    }
    this.channel.send({
      type: 'role_reply',
      xid: m.xid,
      role: this.role,
      generation: this.generationSeen ?? 0xffffffffffffffffn,
      ...(m.nicira ? { nicira: true } : {}),
    })
  }

  private demote(): void {
    this.role = ROLE_SECONDARY
    if (this.wants('role_status', 0)) {
      this.channel.send({
        type: 'role_status',
        xid: 0,
        role: ROLE_SECONDARY,
        reason: 0,
        generation: this.generationSeen ?? 0xffffffffffffffffn,
      })
    }
  }

  flowRemoved(rule: Rule, reason: number): void {
    if (!this.wants('flow_removed', reason)) return
    const age = this.clock.monotonic() - rule.created
    this.channel.send({
      type: 'flow_removed',
      xid: this.nextXid++,
      match: rule.match,
      cookie: rule.cookie,
      priority: rule.priority,
      reason,
      table: rule.table,
      durationSec: Math.floor(age / 1000),
      durationNsec: Math.floor((age % 1000) * 1e6),
      idleTimeout: rule.idleTimeout,
      hardTimeout: rule.hardTimeout,
      packets: BigInt(rule.packets),
      bytes: BigInt(rule.bytes),
    })
  }

  flowChanged(event: 'added' | 'deleted' | 'modified', rule: Rule, reason: number, by: unknown): void {
    this.monitors.changed(event, rule, reason, by === this)
  }

  portChanged(port: BridgePort, reason: 'add' | 'delete' | 'modify'): void {
    if (!this.wants('port_status', reason === 'add' ? 0 : reason === 'delete' ? 1 : 2)) return
    this.channel.send({ type: 'port_status', xid: 0, reason, port: port.describe() })
  }

  private tlvTableMod(m: Message & { type: 'tlv_table_mod' }): void {
    const { slots } = this.sw
    if (m.command !== 'add') {
      const gone = m.command === 'clear' ? slots.mappings().map((x) => x.index) : m.maps.map((x) => x.index)
      if (optionsInUse(this.sw.bridges.values(), new Set(gone))) {
        this.fail(m, 'NXTTMFC_INVALID_TLV_DEL')
        return
      }
      for (const index of gone) slots.unmap(index)
    } else {
      const done: number[] = []
      for (const map of m.maps) {
        const bad = slots.map(map)
        if (bad) {
          for (const i of done) slots.unmap(i)
          this.fail(m, TLV_ERRORS[bad])
          return
        }
        done.push(map.index)
      }
    }
    this.sw.datapath.flushFlows()
  }
}

const TLV_ERRORS = {
  'bad-length': 'NXTTMFC_BAD_OPT_LEN',
  'bad-index': 'NXTTMFC_BAD_FIELD_IDX',
  'already-mapped': 'NXTTMFC_ALREADY_MAPPED',
  'duplicate-entry': 'NXTTMFC_DUP_ENTRY',
  'table-full': 'NXTTMFC_TABLE_FULL',
} as const
