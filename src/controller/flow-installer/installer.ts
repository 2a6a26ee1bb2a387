import { equalBytes, Writer } from '../../base/bytes.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Fields, Log } from '../../base/log.ts'
import type { Action } from '../../openflow/actions/action.ts'
import { actionContext } from '../../openflow/actions/context.ts'
import { encodeActions } from '../../openflow/actions/encode.ts'
import type { OpenFlowChannel } from '../../openflow/connection/channel.ts'
import { errorText } from '../../openflow/messages/errors.ts'
import { type Message, OF15 } from '../../openflow/messages/message.ts'
import { MORE, type StatsReply } from '../../openflow/messages/multipart.ts'
import { sameValue } from '../../reactive/relation.ts'
import { type Flow, flowKey } from '../flow.ts'
import { GENEVE_OPTION, OFTABLE } from '../tables.ts'
import type { Desired, Group, Kind, Meter } from './desired.ts'
import { bundle, DUMP, flowMod, groupMod, meterMod } from './messages.ts'

/**
 * - `disconnected`: no switch
 * - `greeting`: the Geneve option's field is being settled
 * - `reading`: what the switch has is on its way
 * - `waiting`: it is known, but what it should have is not yet
 * - `running`: differences are sent as they come
 */
export type InstallerState = 'disconnected' | 'greeting' | 'reading' | 'waiting' | 'running'

const RETRY_MS = 1000
/** Flows that others learn in the switch are not ours to remove. */
const LEARNED_TABLES: ReadonlySet<number> = new Set([OFTABLE.CHK_LB_HAIRPIN_REPLY, OFTABLE.CHK_LB_AFFINITY])

/**
 * Brings the switch's flows, groups and meters to what they should be. On a new connection what
 * the switch has is read first and only differences are touched, so that a restart of the
 * controller loses no packet. Changes go in a bundle: all at once or not at all.
 */
export class FlowInstaller {
  private channel: OpenFlowChannel | undefined
  private current: InstallerState = 'disconnected'
  private readonly installed: { flows: Map<string, Flow>; groups: Map<string, Group>; meters: Map<string, Meter> } = {
    flows: new Map(),
    groups: new Map(),
    meters: new Map(),
  }
  private readonly dirty: { [K in Kind]: Set<string> } = { flows: new Set(), groups: new Set(), meters: new Set() }
  private xid = 0
  private bundleId = 0
  private awaited = new Map<number, 'tlv' | 'tlv added' | 'dump' | 'barrier'>()
  private barriers: { xid: number; done: (() => void)[] }[] = []
  private waiters: (() => void)[] = []
  private zones: number[] = []
  private scheduled = false
  private retry: Timer | undefined
  private failed = false
  /** What the last messages carried, to know what an error is about. */
  private sent = new Map<number, { readonly kind: Kind; readonly key: string }>()
  /** What the switch refused, left alone until it changes. */
  private readonly refused = new Map<string, unknown>()
  onState: ((state: InstallerState) => void) | undefined

  constructor(
    private readonly desired: Desired,
    private readonly options: {
      readonly clock: Clock
      readonly log: Log
      /** Whether what is desired is complete enough to remove what is not. */
      readonly ready: () => boolean
    },
  ) {}

  get state(): InstallerState {
    return this.current
  }

  get counts(): { readonly flows: number; readonly groups: number; readonly meters: number } {
    const { flows, groups, meters } = this.installed
    return { flows: flows.size, groups: groups.size, meters: meters.size }
  }

  nextXid = (): number => {
    this.xid = (this.xid + 1) >>> 0 || 1
    return this.xid
  }

  connected(channel: OpenFlowChannel): void {
    this.channel = channel
    this.barriers = []
    this.greet()
  }

  disconnected(): void {
    this.channel = undefined
    this.awaited.clear()
    this.retry?.cancel()
    this.enter('disconnected')
  }

  mark(kind: Kind, key: string): void {
    this.dirty[kind].add(key)
    this.schedule()
  }

  /** Forgets the connections of a zone that is given to another use. */
  flushZone(zone: number): void {
    this.zones.push(zone)
    this.schedule()
  }

  /** Calls back when the switch has confirmed all that is desired at present. */
  whenInstalled(done: () => void): void {
    this.waiters.push(done)
    this.schedule()
  }

  /** What is desired may have become complete. */
  schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    this.options.clock.after(0, () => {
      this.scheduled = false
      this.flush()
    })
  }

  /** Whether the message was an answer to something of ours. */
  receive(message: Message): boolean {
    switch (message.type) {
      case 'tlv_table_reply':
        this.settleOption(message.maps)
        return true
      case 'multipart_reply':
        if (this.awaited.get(message.xid) !== 'dump') return false
        this.take(message.reply)
        if (!(message.flags & MORE)) this.answered(message.xid)
        return true
      case 'barrier_reply':
        this.confirmed(message.xid)
        return true
      case 'bundle_control':
        return true
      case 'error': {
        const kind = this.awaited.get(message.xid)
        this.options.log.warn(`OpenFlow error: ${errorText(message.error)}`, {
          code: 'openflow-error',
          xid: message.xid,
          ...this.aboutSent(message.xid),
        })
        if (kind === 'dump') {
          // A switch without groups or meters has none to read.
          this.answered(message.xid)
        } else if (kind === 'tlv' || kind === 'tlv added') {
          this.read()
        } else {
          const about = this.sent.get(message.xid)
          if (about) this.refused.set(`${about.kind} ${about.key}`, this.desired[about.kind].get(about.key))
          this.failed = true
        }
        return true
      }
      default:
        return false
    }
  }

  private enter(state: InstallerState): void {
    if (this.current === state) return
    this.current = state
    this.onState?.(state)
  }

  private send(message: Message): void {
    this.channel?.send(message)
  }

  private greet(): void {
    this.enter('greeting')
    const xid = this.nextXid()
    this.awaited.set(xid, 'tlv')
    this.send({ type: 'tlv_table_request', xid })
  }

  private settleOption(maps: readonly { class: number; type: number; index: number }[]): void {
    if (this.current !== 'greeting') return
    const known = maps.find((m) => m.class === GENEVE_OPTION.class && m.type === GENEVE_OPTION.type)
    if (known && known.index !== 0) {
      this.options.log.err(`switch using tun_metadata${known.index} for the option of OVN, tun_metadata0 is needed`, {
        code: 'tlv-slot-taken',
      })
    }
    if (!known) {
      const xid = this.nextXid()
      this.awaited.set(xid, 'tlv added')
      this.send({ type: 'tlv_table_mod', xid, command: 'add', maps: [{ ...GENEVE_OPTION, index: 0 }] })
    }
    this.read()
  }

  private read(): void {
    this.enter('reading')
    this.failed = false
    for (const kind of ['flows', 'groups', 'meters'] as const) this.installed[kind].clear()
    for (const request of DUMP) {
      const xid = this.nextXid()
      this.awaited.set(xid, 'dump')
      this.send({ type: 'multipart_request', xid, flags: 0, request })
    }
  }

  private take(reply: StatsReply): void {
    if (reply.kind === 'flow') {
      for (const f of reply.flows) {
        if (LEARNED_TABLES.has(f.table)) continue
        const flow: Flow = {
          table: f.table,
          priority: f.priority,
          match: f.match,
          actions: f.actions,
          cookie: Number(f.cookie & 0xffffffffn),
        }
        this.installed.flows.set(flowKey(f.table, f.priority, f.match), flow)
      }
    } else if (reply.kind === 'group_desc') {
      for (const g of reply.groups) {
        const group = {
          id: g.group,
          type: g.groupType,
          buckets: g.buckets,
          ...(g.selection ? { selection: g.selection } : {}),
        }
        this.installed.groups.set(String(g.group), group)
      }
    } else if (reply.kind === 'meter_config') {
      for (const m of reply.meters) {
        this.installed.meters.set(String(m.meter), { id: m.meter, flags: m.flags, bands: m.bands })
      }
    }
  }

  private answered(xid: number): void {
    this.awaited.delete(xid)
    if (this.current !== 'reading' || [...this.awaited.values()].includes('dump')) return
    this.enter('waiting')
    this.schedule()
  }

  private confirmed(xid: number): void {
    const at = this.barriers.findIndex((b) => b.xid === xid)
    if (at < 0) return
    if (this.failed) {
      // The bundle did not come about: read again what is there.
      this.failed = false
      const unanswered = this.barriers.flatMap((b) => b.done)
      this.barriers = []
      this.waiters.unshift(...unanswered)
      this.retry?.cancel()
      this.retry = this.options.clock.after(RETRY_MS, () => {
        if (this.channel) this.read()
      })
      this.enter('greeting')
      return
    }
    const done = this.barriers.splice(0, at + 1).flatMap((b) => b.done)
    for (const call of done) call()
  }

  private flush(): void {
    if (!this.channel) return
    if (this.current === 'waiting' && this.options.ready()) {
      this.enter('running')
      for (const kind of ['flows', 'groups', 'meters'] as const) {
        this.dirty[kind].clear()
        for (const key of this.installed[kind].keys()) this.dirty[kind].add(key)
        for (const key of this.desired[kind].keys()) this.dirty[kind].add(key)
      }
    }
    if (this.current !== 'running') return
    for (const zone of this.zones.splice(0)) this.send({ type: 'ct_flush_zone', xid: this.nextXid(), zone })
    const meters = this.meterChanges()
    for (const m of meters.add) this.send(m)
    this.sent.clear()
    const changes = this.changes()
    if (changes.length) for (const m of bundle(++this.bundleId, this.nextXid, changes)) this.send(m)
    for (const m of meters.remove) this.send(m)
    const sent = changes.length + meters.add.length + meters.remove.length
    if (!sent && !this.waiters.length) return
    const xid = this.nextXid()
    this.barriers.push({ xid, done: this.waiters.splice(0) })
    this.send({ type: 'barrier_request', xid })
  }

  private meterChanges(): { add: Message[]; remove: Message[] } {
    const add: Message[] = []
    const remove: Message[] = []
    for (const key of this.dirty.meters) {
      const want = this.desired.meters.get(key)
      const have = this.installed.meters.get(key)
      if (want) {
        if (have && sameValue(have, want)) continue
        add.push(meterMod(this.nextXid(), have ? 'modify' : 'add', want))
        this.installed.meters.set(key, want)
      } else if (have) {
        remove.push(meterMod(this.nextXid(), 'delete', have))
        this.installed.meters.delete(key)
      }
    }
    this.dirty.meters.clear()
    return { add, remove }
  }

  /** Groups come before the flows that use them, and go after. */
  private changes(): Message[] {
    const out: Message[] = []
    const goneGroups: Group[] = []
    for (const key of this.dirty.groups) {
      const want = this.desired.groups.get(key)
      const have = this.installed.groups.get(key)
      if (want) {
        if (have && this.sameGroup(have, want)) continue
        if (this.isRefused('groups', key, want)) continue
        out.push(groupMod(this.note('groups', key), have ? 'modify' : 'add', want))
        this.installed.groups.set(key, want)
      } else if (have) goneGroups.push(have)
    }
    this.dirty.groups.clear()
    const gone: Flow[] = []
    for (const key of this.dirty.flows) {
      const want = this.desired.flows.get(key)
      const have = this.installed.flows.get(key)
      if (want) {
        if (have && have.cookie === want.cookie && this.sameActions(have.actions, want.actions)) {
          this.installed.flows.set(key, want)
          continue
        }
        if (this.isRefused('flows', key, want)) continue
        out.push(flowMod(this.note('flows', key), 'add', want))
        this.installed.flows.set(key, want)
      } else if (have) gone.push(have)
    }
    this.dirty.flows.clear()
    for (const flow of gone) {
      out.push(flowMod(this.nextXid(), 'delete_strict', flow))
      this.installed.flows.delete(flowKey(flow.table, flow.priority, flow.match))
    }
    for (const group of goneGroups) {
      out.push(groupMod(this.nextXid(), 'delete', group))
      this.installed.groups.delete(String(group.id))
    }
    return out
  }

  private note(kind: Kind, key: string): number {
    const xid = this.nextXid()
    this.sent.set(xid, { kind, key })
    return xid
  }

  /** What a message carried, for the log: of a flow the cookie, which is how its logical flow's uuid begins. */
  private aboutSent(xid: number): Fields {
    const about = this.sent.get(xid)
    if (!about) return {}
    if (about.kind !== 'flows') return { [about.kind === 'groups' ? 'group' : 'meter']: about.key }
    const flow = this.desired.flows.get(about.key)
    return flow ? { cookie: flow.cookie.toString(16).padStart(8, '0'), table: flow.table } : {}
  }

  private isRefused(kind: Kind, key: string, want: unknown): boolean {
    const name = `${kind} ${key}`
    if (!this.refused.has(name)) return false
    if (this.refused.get(name) === want) return true
    this.refused.delete(name)
    return false
  }

  /** The same on the wire: an action has several spellings that mean one thing. */
  private sameActions(a: readonly Action[], b: readonly Action[]): boolean {
    return a === b || sameValue(a, b) || equalBytes(wire(a), wire(b))
  }

  private sameGroup(a: Group, b: Group): boolean {
    return (
      a.type === b.type &&
      a.buckets.length === b.buckets.length &&
      (a.selection?.method ?? '') === (b.selection?.method ?? '') &&
      (a.selection?.param ?? 0n) === (b.selection?.param ?? 0n) &&
      a.buckets.every((x, i) => {
        const y = b.buckets[i]
        return y !== undefined && x.id === y.id && x.weight === y.weight && this.sameActions(x.actions, y.actions)
      })
    )
  }
}

function wire(actions: readonly Action[]): Uint8Array {
  return encodeActions(new Writer(), actions, actionContext(OF15)).done()
}
