import type { Clock, Timer } from '../base/clock.ts'
import type { ControlCommand } from '../base/command.ts'
import { eventCounter } from '../base/event-counter.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { Stopwatch } from '../base/stopwatch.ts'
import type { OpenFlowChannel } from '../openflow/connection/channel.ts'
import type { Message } from '../openflow/messages/message.ts'
import type { Replica } from '../ovsdb/client/replica.ts'
import { follow } from '../ovsdb/relations/feed.ts'
import { Graph } from '../reactive/graph.ts'
import type { AnyRelation, Derived, Input } from '../reactive/relation.ts'
import { formatWhy, why } from '../reactive/why.ts'
import type { OpenVSwitch } from '../schema/open-vswitch.ts'
import type { Southbound } from '../schema/southbound.ts'
import { Aging } from './aging/aging.ts'
import { Announcer } from './announcements/announcer.ts'
import { declareAnnouncements } from './announcements/desired.ts'
import { type Bindings, declareBindings } from './binding/binding.ts'
import { controllerCommands } from './commands.ts'
import { type Datapaths, declareDatapaths } from './datapaths.ts'
import { declareTunnels } from './encaps/desired.ts'
import type { Flow } from './flow.ts'
import { FlowInstaller } from './flow-installer/installer.ts'
import { declareHa } from './ha.ts'
import { injection } from './inject.ts'
import { Conditions } from './inputs/conditions.ts'
import { localInputs, type SouthboundInputs, southboundInputs } from './inputs/inputs.ts'
import { type ChassisRelations, declareChassis, declareInterfaces, type Interfaces, US } from './interfaces.ts'
import { declareEnvironment, type Environment } from './lowering/environment.ts'
import { declareLowering, type Lowering } from './lowering/lowering.ts'
import { namedSets } from './lowering/translate.ts'
import { PacketIns } from './packet-loop/dispatch.ts'
import { declarePatches } from './patch.ts'
import { declarePhysical } from './physical/physical.ts'
import { declarePlaces, type Places } from './physical/places.ts'
import { declareQueues } from './qos/desired.ts'
import { ReleaseMatch } from './release-match.ts'
import { bridgeNamed } from './rows/bridge-rows.ts'
import { LocalWriter } from './rows/local-writer.ts'
import { SouthboundWriter } from './rows/southbound-writer.ts'
import { declareSettings, effectiveSettings, isTrue, type Settings } from './settings.ts'
import { S } from './strata.ts'
import { declareZones, type Zones, zoneRange } from './zones/zones.ts'

/**
 * Opens a connection to the switch of a bridge; `done` gets undefined where that does not come about, with the
 * target's name and why, for the log.
 * `remote` is external_ids:ovn-bridge-remote, if it is set.
 */
export type DialSwitch = (
  bridge: string,
  done: (channel: OpenFlowChannel | undefined, target?: string, error?: string) => void,
  remote: string | undefined,
) => void

export interface ControllerOptions {
  readonly sb: Replica<Southbound>
  readonly ovs: Replica<OpenVSwitch>
  readonly openflow: DialSwitch
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  /** Overrides external_ids:system-id. */
  readonly chassisName?: string
  /** For external_ids:hostname where that is not set. */
  readonly hostname?: string
}

/** What handlers of packet-ins, announcements and control commands see of the controller. */
export interface ControllerState {
  readonly options: ControllerOptions
  readonly graph: Graph
  readonly inputs: SouthboundInputs
  readonly settings: Settings
  readonly chassis: ChassisRelations
  readonly interfaces: Interfaces
  readonly bindings: Bindings
  readonly datapaths: Datapaths
  readonly places: Places
  readonly zones: Zones
  readonly environment: Environment
  readonly lowering: Lowering
  readonly flows: Derived<Flow>
  readonly installer: FlowInstaller
  readonly southbound: SouthboundWriter
  /** Sends to the switch, if there is one. */
  send(message: Message): void
}

const RECONNECT_MS = 1000
/** A pass of the graph is cut into slices of this many milliseconds, so that connections are served between them. */
const runs = eventCounter('lflow_run')
const SLICE_MS = 50
const CONDITION_POLL_MS = 5

/** The local controller of one chassis: southbound and local database in, OpenFlow out. No I/O of its own. */
export class Controller {
  readonly graph: Graph
  readonly state: ControllerState
  /** How long a pass over all that changed takes. */
  readonly flowGeneration = new Stopwatch('flow-generation')
  /** Milliseconds spent on the pass that is not yet at its end. */
  private passTime = 0
  private readonly installed: Input<true>
  private readonly local: LocalWriter
  private readonly conditions: Conditions
  private readonly stops: (() => void)[] = []
  private channel: OpenFlowChannel | undefined
  /** The connection whose flows were waited for. */
  private mayForward: OpenFlowChannel | undefined
  private dialled: string | undefined
  private dialling = false
  private redial: Timer | undefined
  private conditionPoll: Timer | undefined
  private started = false
  private closed = false
  private scheduled = false
  private paused = false
  private readonly release: ReleaseMatch
  private acknowledged = -1
  private wasComplete = false
  readonly packetIns: PacketIns
  private readonly aging: Aging
  /** Milliseconds by which the report of nb_cfg is put off: for measurements. */
  acknowledgeDelay = 0
  private readonly announcer: Announcer

  constructor(readonly options: ControllerOptions) {
    const { clock, log, sb, ovs, random } = options
    const strict = () => isTrue(this.localIds().get('ovn-match-northd-version'))
    this.release = new ReleaseMatch(sb, log.child('main'), strict)
    this.graph = new Graph({ clock, log: log.child('graph') })
    const graph = this.graph
    const inputs = southboundInputs(graph)
    const localTables = localInputs(graph)
    this.installed = graph.input<true>('installed ports')

    const settings = declareSettings(graph, localTables.Open_vSwitch, options.chassisName)
    const chassis = declareChassis(graph, inputs, settings)
    const interfaces = declareInterfaces(graph, localTables, settings)
    const groups = declareHa(graph, inputs, chassis, interfaces)
    const bindings = declareBindings(graph, inputs, chassis, interfaces, groups)
    const datapaths = declareDatapaths(graph, inputs, chassis, bindings.all)
    const local = datapaths.local
    const range = () => zoneRange(this.localIds().get('ct-zone-range'))
    const zones = declareZones(graph, inputs, bindings.all, local, {
      get first() {
        return range().first
      },
      get last() {
        return range().last
      },
      previous: (key) => this.persistedZone(key),
      full: (zone) => log.child('ct_zone').warn('exhausted all ct zones', { code: 'ct-zones-exhausted', zone }),
    })
    const places = declarePlaces(graph, {
      sb: inputs,
      settings,
      chassis,
      interfaces,
      bindings,
      datapaths,
      groups,
      zones,
    })
    const environment = declareEnvironment(graph, inputs, { chassis, bindings: bindings.all, local })
    const flows = graph.derived<Flow>('flows', S.ALL_FLOWS)
    declarePhysical(graph, flows, { sb: inputs, settings, chassis, interfaces, bindings, datapaths, places })
    const lowering = declareLowering(graph, flows, {
      sb: inputs,
      local,
      env: environment,
      resident: bindings.resident,
      log: log.child('lflow'),
    })
    const tunnels = declareTunnels(graph, { sb: inputs, settings, chassis, datapaths, groups })
    const patches = declarePatches(graph, {
      sb: inputs,
      ovs: localTables,
      settings,
      local,
      bindings: bindings.all,
      log: log.child('patch'),
    })

    const installer = new FlowInstaller(
      { flows: flows.contents, groups: lowering.groups.contents, meters: lowering.meters.contents },
      { clock, log: log.child('ofctrl'), ready: () => this.complete() },
    )
    const southbound = new SouthboundWriter({
      sb,
      ovs,
      clock,
      log,
      random,
      chassisName: options.chassisName,
      hostname: options.hostname ?? '',
      us: chassis.us,
      bindings: bindings.all,
      installed: this.installed,
      // Rows of ours that are still on their way must not be made a second time.
      enabled: () => !this.paused && !this.release.blocks() && !sb.conditionsPending,
      settled: () => this.complete(),
    })
    this.local = new LocalWriter({
      ovs,
      clock,
      log,
      random,
      chassisName: options.chassisName,
      bindings: bindings.all,
      installed: this.installed,
      tunnels,
      patches,
      zones,
      queues: declareQueues(graph, { sb: inputs, local, bindings: bindings.all }),
      settled: () => this.complete(),
    })
    this.conditions = new Conditions(sb)
    this.state = {
      options,
      graph,
      inputs,
      settings,
      chassis,
      interfaces,
      bindings,
      datapaths,
      places,
      zones,
      environment,
      lowering,
      flows,
      installer,
      southbound,
      send: (message) => this.channel?.send(message),
    }

    this.packetIns = new PacketIns(this.state)
    this.aging = new Aging(this.state)
    this.announcer = new Announcer(
      declareAnnouncements(graph, { sb: inputs, datapaths, places, resident: bindings.resident }),
      {
        clock,
        nextXid: installer.nextXid,
        send: (message) => this.channel?.send(message),
        whenReady: (ready) => installer.whenInstalled(ready),
        maxPause: () => 1000 * Math.max(0, Number(settings.peek('garp-max-timeout-sec')) || 0),
      },
    )
    for (const kind of ['flows', 'groups', 'meters'] as const) {
      const relation: AnyRelation = kind === 'flows' ? flows : lowering[kind]
      relation.subscribe((changes) => {
        for (const key of changes.keys()) installer.mark(kind, key)
      })
    }
    zones.subscribe((changes) => {
      for (const [key, { before, after }] of changes) {
        // Another connection may have used the zone before; one that was ours all along is left alone.
        if (before === undefined && after !== undefined && this.persistedZone(key) !== after) installer.flushZone(after)
      }
    })
    bindings.all.subscribe((changes) => {
      for (const [name, { after }] of changes) if (!after?.claim) this.installed.delete(name)
    })
    graph.onWork = () => this.schedule()
    graph.onSettled = () => this.settled()

    this.stops.push(follow(sb, inputs), follow(ovs, localTables))
    this.stops.push(
      ovs.onSynced(() => this.schedule()),
      ovs.onChange(() => this.lookAtRelease()),
      sb.onChange(() => this.lookAtRelease()),
      sb.onSynced(() => this.schedule()),
      sb.onState((state) => {
        if (state === 'synced') this.settled()
      }),
    )
  }

  /** Begins; what was set up before only listened. */
  start(): void {
    if (this.started) return
    this.started = true
    this.schedule()
  }

  /** Ends without a trace in the databases: as after `exit --restart`, or a crash. */
  close(): void {
    if (this.closed) return
    this.closed = true
    for (const stop of this.stops) stop()
    this.redial?.cancel()
    this.conditionPoll?.cancel()
    this.state.southbound.close()
    this.local.close()
    this.announcer.close()
    this.aging.close()
    this.packetIns.close()
    this.graph.close()
    this.channel?.close()
    this.channel = undefined
  }

  /**
   * Ends for good. Unless it is for a restart, what others see of this chassis is taken back first:
   * its rows in the southbound database, the tunnels here. Flows stay: packets may still flow by them.
   */
  stop(restart: boolean, done: () => void): void {
    const cleanup = !restart && isTrue(this.localIds().get('ovn-cleanup-on-exit'), true)
    this.options.log.child('main').info(`Exiting ovn-controller, resource cleanup: ${cleanup ? 'True' : 'False'}`)
    if (!cleanup || this.closed) {
      this.close()
      this.options.clock.after(0, done)
      return
    }
    this.paused = true
    const name = this.localIds().get('system-id') ?? ''
    let left = 2
    const finished = () => {
      if (--left) return
      this.close()
      done()
    }
    this.state.southbound.withdraw(name, finished)
    this.local.withdraw(name, finished)
  }

  /** Derives everything anew; nothing changes by it when the rules are right. */
  recompute(): void {
    this.graph.recompute()
  }

  /** Why a derived row is there, as text; undefined for an unknown relation. */
  why(relation: string, key: string): string | undefined {
    const found = this.graph.relation(relation)
    return found && formatWhy(why(found, key))
  }

  /** Stops (true) and goes on with (false) processing changes. */
  setPaused(paused: boolean): void {
    this.paused = paused
    if (!paused) {
      this.schedule()
      this.state.southbound.rows.schedule()
    }
  }

  get isPaused(): boolean {
    return this.paused
  }

  /** Whether both databases are known, this chassis is registered, and nothing is on its way. */
  complete(): boolean {
    const { sb, ovs } = this.options
    return (
      sb.state === 'synced' &&
      ovs.state === 'synced' &&
      !sb.conditionsPending &&
      !this.graph.busy &&
      this.state.chassis.us.peek(US) !== undefined
    )
  }

  private localIds(): ReadonlyMap<string, string> {
    const [row] = this.options.ovs.table('Open_vSwitch').values()
    return row ? effectiveSettings(row, this.options.chassisName) : new Map()
  }

  private persistedZone(key: string): number | undefined {
    const bridge = bridgeNamed(this.options.ovs, this.localIds().get('ovn-bridge') ?? 'br-int')
    const zone = Number(bridge?.external_ids.get(`ct-zone-${key}`))
    return Number.isInteger(zone) && zone > 0 ? zone : undefined
  }

  private schedule(): void {
    if (this.scheduled || this.closed || !this.started) return
    this.scheduled = true
    this.options.clock.after(0, () => {
      this.scheduled = false
      this.run()
    })
  }

  /** Goes on where northd was of another release and is of ours now. */
  private lookAtRelease(): void {
    if (!this.release.waiting || this.release.blocks()) return
    this.schedule()
    this.state.southbound.rows.schedule()
  }

  private run(): void {
    if (this.closed || this.paused) return
    const { ovs, clock } = this.options
    // Zones that outlive us are in the local database: nothing may be given out before it is known.
    if (ovs.state !== 'synced' || this.release.blocks()) return
    const began = clock.monotonic()
    const end = began + SLICE_MS
    if (!this.graph.busy) {
      this.settled()
      return
    }
    const settled = this.graph.settle(() => clock.monotonic() >= end)
    this.passTime += clock.monotonic() - began
    if (!settled) {
      this.schedule()
      return
    }
    runs.hit()
    this.flowGeneration.sample(this.passTime)
    this.passTime = 0
  }

  /** After a pass: the rest of the world is told. */
  private settled(): void {
    if (this.closed || !this.started) return
    this.dial()
    this.watchInterest()
    this.state.installer.schedule()
    this.state.southbound.rows.schedule()
    if (!this.complete()) {
      this.wasComplete = false
      return
    }
    if (!this.wasComplete) {
      // What was not removed before, for all that might have wanted it was not known, may go now.
      this.wasComplete = true
      this.local.all()
    }
    this.state.southbound.release()
    this.endRestoreWait()
    this.confirmPorts()
    this.acknowledge()
  }

  private watchInterest(): void {
    const { settings, interfaces, chassis, datapaths } = this.state
    if (this.options.sb.state !== 'synced') return
    const asked = this.conditions.update({
      all: isTrue(settings.peek('ovn-monitor-all')),
      chassis: chassis.us.peek(US),
      ports: [...interfaces.vifs.contents.keys()].sort(),
      datapaths: [...datapaths.local.contents.values()].sort((a, b) => (a.uuid < b.uuid ? -1 : 1)),
    })
    if (asked || this.options.sb.conditionsPending) this.awaitConditions()
  }

  /** An answer to a condition may bring no row, and so no call: look whether it came. */
  private awaitConditions(): void {
    if (this.conditionPoll) return
    this.conditionPoll = this.options.clock.after(CONDITION_POLL_MS, () => {
      this.conditionPoll = undefined
      if (this.options.sb.conditionsPending) this.awaitConditions()
      else if (!this.graph.busy) this.settled()
    })
  }

  /** Once on each connection, when the switch has its flows, it may forward. */
  private endRestoreWait(): void {
    const { channel } = this
    if (!channel || this.mayForward === channel) return
    this.mayForward = channel
    this.state.installer.whenInstalled(() => {
      if (this.channel === channel) this.local.flowsInstalled()
    })
  }

  /** A claimed port is up when the switch has the flows that its claim brought. */
  private confirmPorts(): void {
    const us = this.state.chassis.us.peek(US)?.uuid
    const byName = this.options.sb.table('Port_Binding').index('logical_port', (p) => p.logical_port)
    const due: string[] = []
    for (const [name, b] of this.state.bindings.all.contents) {
      if (!b.claim || this.installed.contents.has(name)) continue
      const row = byName.first(name)
      if (us !== undefined && row && (row.chassis === us || row.additional_chassis.includes(us))) due.push(name)
    }
    if (!due.length) return
    this.state.installer.whenInstalled(() => {
      for (const name of due) if (this.state.bindings.all.peek(name)?.claim) this.installed.set(name, true)
    })
  }

  /** Reports the configuration reached, when the switch has all of it and our own rows are written. */
  private acknowledge(): void {
    const [global] = this.state.inputs.SB_Global.contents.values()
    if (!global || global.nb_cfg === this.acknowledged) return
    const { nb_cfg } = global
    const report = () => {
      if (this.closed) return
      if (this.acknowledged >= nb_cfg && this.acknowledged - nb_cfg < 0x1000) return
      this.acknowledged = nb_cfg
      const what = { nbCfg: nb_cfg, at: this.options.clock.now() }
      this.state.southbound.acknowledge(what)
      if (nb_cfg > 0) this.local.acknowledge(what)
    }
    this.state.installer.whenInstalled(() => {
      if (this.acknowledgeDelay) this.options.clock.after(this.acknowledgeDelay, report)
      else report()
    })
  }

  /** Attempts to reach the switch since it was last there. */
  private failedDials = 0

  private dial(): void {
    const bridge = this.state.settings.peek('ovn-bridge')
    if (bridge === undefined || !bridgeNamed(this.options.ovs, bridge)) return
    const remote = this.state.settings.peek('ovn-bridge-remote')
    const target = `${bridge} ${remote ?? ''}`
    if (this.dialled !== target && this.channel) this.channel.close()
    if (this.channel || this.dialling || this.redial) return
    this.dialled = target
    this.dialling = true
    const done = (channel: OpenFlowChannel | undefined, at = bridge, error?: string) => {
      const log = this.options.log.child('rconn')
      this.dialling = false
      if (this.closed) channel?.close()
      else if (channel) {
        this.failedDials = 0
        if (at !== bridge) log.info(`${at}: connected`, { bridge })
        this.use(channel, at)
      } else {
        const text = `${at}: connection failed${error === undefined ? '' : ` (${error})`}`
        // The bridge may be about to be made: that takes the switch a moment, and is no trouble.
        if (this.failedDials++ === 0) log.info(text, { bridge })
        else log.warn(text, { code: 'switch-unreachable', bridge })
        this.dialAgain()
      }
    }
    this.options.openflow(bridge, done, remote)
  }

  private dialAgain(): void {
    this.redial?.cancel()
    this.redial = this.options.clock.after(RECONNECT_MS, () => {
      this.redial = undefined
      this.dial()
    })
  }

  private use(channel: OpenFlowChannel, at: string): void {
    this.channel = channel
    const { installer } = this.state
    channel.onMessage = (message) => {
      if (!installer.receive(message) && !this.aging.receive(message)) this.packetIns.receive(message)
    }
    channel.onClose = () => {
      if (this.channel !== channel) return
      this.channel = undefined
      if (!this.closed) this.options.log.child('rconn').info(`${at}: connection closed by peer`)
      installer.disconnected()
      if (!this.closed) this.dialAgain()
    }
    this.packetIns.connected(channel)
    this.local.connected()
    installer.connected(channel)
    if (this.complete()) this.endRestoreWait()
  }

  /**
   * Sends the packet that a microflow describes into the switch, as if it came from the port that it names.
   * @returns why it cannot, in the words of the real inject-pkt
   */
  inject(microflow: string): string | undefined {
    const { channel, state } = this
    if (!channel) return 'ovn-controller not ready.'
    const made = injection(microflow, namedSets(state.environment), (port) => state.interfaces.vifs.peek(port)?.ofport)
    if (!made.ok) return made.error
    channel.send(made.value)
    return undefined
  }

  /** The control commands; `exit` is what the daemon does about it, ending the process for one. */
  commands(
    exit: (restart: boolean, done: () => void) => void = (restart, done) => this.stop(restart, done),
  ): readonly ControlCommand[] {
    return controllerCommands(this, { exit })
  }
}

export function createController(options: ControllerOptions): Controller {
  return new Controller(options)
}
