import { formatMac } from '../address/mac.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { ControlCommand } from '../base/command.ts'
import { eventCounter } from '../base/event-counter.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { Stopwatch } from '../base/stopwatch.ts'
import type { LockHandle, Replica, ReplicaChange } from '../ovsdb/client/replica.ts'
import { feed, fill } from '../ovsdb/relations/feed.ts'
import { RowSink } from '../ovsdb/relations/row-sink.ts'
import { Graph } from '../reactive/index.ts'
import type { Northbound } from '../schema/northbound.ts'
import type { PortBinding, Southbound } from '../schema/southbound.ts'
import { Acknowledge } from './acknowledge.ts'
import { northdCommands } from './commands.ts'
import type { Identity } from './context.ts'
import { CURRENT, OLDER } from './pipeline/numbering.ts'
import { lsIn } from './pipeline/stage.ts'
import { northdRules, type Rules } from './rules.ts'
import type { KeyMemory } from './southbound/datapath.ts'
import { learnedRowsToRemove } from './southbound/learned.ts'
import { northboundSinkTables, southboundSinkTables } from './southbound/tables.ts'

const runs = eventCounter('northd_run')

export interface NorthdOptions {
  readonly nb: Replica<Northbound>
  readonly sb: Replica<Southbound>
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  readonly options?: {
    /** Starts paused: follows both databases and writes neither. */
    readonly dryRun?: boolean
    /** Milliseconds a pass may take before others are served. */
    readonly slice?: number
  }
}

/** What each southbound transaction asserts, so that of several northds one alone writes. */
export const LOCK = 'ovn_northd'

export type NorthdStatus = 'active' | 'standby' | 'paused'

/** Intent into logical flows: follows a northbound, writes a southbound. No I/O of its own. */
export class Northd {
  /** How long a pass over all that changed takes. */
  readonly loop = new Stopwatch('ovn-northd-loop')
  /** Milliseconds spent on the pass that is not yet at its end. */
  private passTime = 0
  readonly graph: Graph
  readonly rules: Rules
  readonly log: Log
  private readonly southSink: RowSink<Southbound>
  private readonly northSink: RowSink<Northbound>
  private readonly acknowledge: Acknowledge
  private lock: LockHandle | undefined
  private hadLock = false
  private scheduled: Timer | undefined
  private started = false
  private loaded = false
  private closed = false
  private paused: boolean
  private readonly stops: (() => void)[] = []
  private readonly memory = { datapaths: new Map<string, number>(), ports: new Map<string, number>() }

  constructor(private readonly given: NorthdOptions) {
    const { nb, sb, clock, random } = given
    this.log = given.log
    this.paused = given.options?.dryRun === true
    this.graph = new Graph({ clock, log: given.log })
    const memory: KeyMemory = {
      datapath: (uuid) => this.memory.datapaths.get(uuid),
      port: (name) => this.memory.ports.get(name),
    }
    this.rules = northdRules({ graph: this.graph, log: given.log, identity: drawIdentity(random), memory })
    const { context } = this.rules
    this.acknowledge = new Acknowledge(nb, sb, clock, () => this.active && !this.graph.busy)
    this.southSink = new RowSink(sb, southboundSinkTables(context.outputs), {
      clock,
      random,
      log: given.log,
      lock: LOCK,
      along: (removed, anew) => learnedRowsToRemove(sb, removed, anew),
      onDone: () => this.acknowledge.southboundWritten(),
    })
    this.northSink = new RowSink(nb, northboundSinkTables(context.northboundOutputs), {
      clock,
      random,
      log: given.log,
      onDone: () => {},
    })
    this.graph.onWork = () => this.schedule()
    this.graph.onSettled = () => this.flush()
  }

  /** Whether this is the one that writes. */
  get active(): boolean {
    return !this.paused && this.lock?.owned === true
  }

  get status(): NorthdStatus {
    return this.paused ? 'paused' : this.active ? 'active' : 'standby'
  }

  get connected(): { readonly northbound: boolean; readonly southbound: boolean } {
    return { northbound: this.given.nb.state === 'synced', southbound: this.given.sb.state === 'synced' }
  }

  start(): void {
    if (this.started) return
    this.started = true
    const { nb, sb } = this.given
    const load = () => this.load()
    this.stops.push(nb.onSynced(load), sb.onSynced(load))
    this.stops.push(
      nb.onChange((change) => this.northboundChanged(change)),
      sb.onChange((change) => this.southboundChanged(change)),
    )
    if (!this.paused) this.aspire()
    load()
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.scheduled?.cancel()
    for (const stop of this.stops) stop()
    this.southSink.close()
    this.northSink.close()
    this.graph.close()
    this.lock?.release()
  }

  pause(): void {
    if (this.paused) return
    this.paused = true
    this.log.info('This ovn-northd instance is now paused.')
    this.lock?.release()
    this.lock = undefined
    this.hadLock = false
    this.openSinks()
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.aspire()
  }

  get isPaused(): boolean {
    return this.paused
  }

  /** Everything derived is derived again; only what comes out different is written. */
  recompute(): void {
    this.log.child('inc_proc_eng').info('User triggered force recompute.')
    this.graph.recompute()
    this.flush()
  }

  /** Takes a cluster that is behind what was seen before. */
  resetCluster(which: 'nb' | 'sb'): void {
    this.given[which].forgetIndex()
  }

  /** What the daemon's control socket offers of northd. */
  commands(): ControlCommand[] {
    return northdCommands(this)
  }

  private aspire(): void {
    const lock = this.given.sb.lock(LOCK)
    this.lock = lock
    lock.onChange = () => this.lockChanged()
    this.lockChanged()
  }

  private lockChanged(): void {
    const owned = this.lock?.owned === true
    if (owned === this.hadLock) {
      this.openSinks()
      return
    }
    this.hadLock = owned
    this.log.info(
      owned
        ? 'ovn-northd lock acquired. This ovn-northd instance is now active.'
        : 'ovn-northd lock lost. This ovn-northd instance is now on standby.',
    )
    this.openSinks()
  }

  private openSinks(): void {
    const open = this.active && this.loaded
    this.southSink.setOpen(open)
    this.northSink.setOpen(open)
    if (open && !this.graph.busy) this.flush()
  }

  /** All rows there are, once both databases are here. */
  private load(): void {
    const { nb, sb } = this.given
    if (this.closed || nb.state !== 'synced' || sb.state !== 'synced') return
    this.regardLimits()
    if (!this.loaded) {
      for (const row of sb.table('Datapath_Binding').values()) {
        // schemas before 26.03 have the northbound uuid only among the ids
        const ids = row.external_ids
        const uuid = row.nb_uuid ?? ids.get('logical-switch') ?? ids.get('logical-router')
        if (uuid !== undefined) this.memory.datapaths.set(uuid, row.tunnel_key)
      }
      for (const row of sb.table('Port_Binding').values()) this.memory.ports.set(row.logical_port, row.tunnel_key)
      fill(nb, this.rules.nb)
      fill(sb, this.rules.sb)
      for (const row of sb.table('Port_Binding').values()) this.portState(row)
      this.loaded = true
      this.seed()
      // What has work from the beginning was not announced.
      this.schedule()
    }
    this.openSinks()
  }

  /** The databases may be older than this northd, and may be upgraded while it runs. */
  private regardLimits(): void {
    const limits = this.rules.context.southboundLimits
    const last = this.given.sb.typeOf('Logical_Flow', 'table_id')?.key.maxInteger
    const numbering = last !== undefined && last < lsIn.l2_unknown.table ? OLDER : CURRENT
    const switchGroups = this.given.sb.has('Load_Balancer', 'ls_datapath_group')
    if (numbering === limits.numbering && switchGroups === limits.switchGroups) return
    limits.numbering = numbering
    limits.switchGroups = switchGroups
    if (this.loaded) this.graph.recompute()
  }

  /** Databases that nobody initialised get their one row. */
  private seed(): void {
    const { nb } = this.given
    if (!nb.table('NB_Global').size) nb.transact([{ op: 'insert', table: 'NB_Global', row: {} }], () => {})
  }

  private northboundChanged(change: ReplicaChange<Northbound>): void {
    if (this.loaded) feed(change, this.rules.nb)
  }

  private southboundChanged(change: ReplicaChange<Southbound>): void {
    if (this.loaded) {
      feed(change, this.rules.sb)
      for (const { old, new: row } of change.tables.Port_Binding?.values() ?? []) {
        if (row) this.portState(row)
        else if (old) this.rules.portStates.delete(old.logical_port)
      }
    }
    this.acknowledge.southboundChanged()
  }

  /** Of a port's row, only what the controllers write is an input. */
  private portState(row: PortBinding): void {
    this.rules.portStates.set(row.logical_port, {
      chassis: row.chassis,
      up: row.up,
      virtualParent: row.virtual_parent,
      additionalChassis: row.additional_chassis,
    })
  }

  private schedule(): void {
    if (this.scheduled || this.closed) return
    this.scheduled = this.given.clock.after(0, () => {
      this.scheduled = undefined
      this.pass()
    })
  }

  private pass(): void {
    if (this.closed) return
    const { clock, options } = this.given
    const began = clock.monotonic()
    const end = began + (options?.slice ?? 100)
    const settled = this.graph.settle(() => clock.monotonic() >= end)
    this.passTime += clock.monotonic() - began
    if (!settled) {
      this.schedule()
      return
    }
    runs.hit()
    this.loop.sample(this.passTime)
    this.passTime = 0
  }

  private flush(): void {
    if (!this.loaded || this.closed) return
    this.northSink.flush()
    this.southSink.flush()
  }
}

export function createNorthd(options: NorthdOptions): Northd {
  return new Northd(options)
}

/** Addresses for a deployment whose northbound has none yet: locally administered, no group bit. */
function drawIdentity(random: Random): Identity {
  const mac = () => {
    const value = (random.u32() % 0x100_0000) * 0x100_0000 + (random.u32() % 0x100_0000)
    const first = Math.floor(value / 0x100_0000_0000)
    return formatMac(value - first * 0x100_0000_0000 + ((first & 0xfc) | 0x02) * 0x100_0000_0000)
  }
  return { macPrefix: mac().slice(0, 8), serviceMac: mac(), serviceMacDestination: mac() }
}
