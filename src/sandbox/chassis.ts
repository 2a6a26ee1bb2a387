import { type Clock, ClockScope } from '../base/clock.ts'
import type { MemoryUnderlay } from '../base/datagram.ts'
import type { FramePort } from '../base/frame.ts'
import type { Log } from '../base/log.ts'
import { type Random, uuid4 } from '../base/random.ts'
import { type Controller, createController } from '../controller/index.ts'
import { channelPair } from '../openflow/connection/pair.ts'
import { localReplica } from '../ovsdb/client/local.ts'
import type { Replica } from '../ovsdb/client/replica.ts'
import type { Server } from '../ovsdb/server/index.ts'
import type { ColumnValues, Database } from '../ovsdb/transaction/index.ts'
import type { OpenVSwitch, Southbound } from '../schema/index.ts'
import { openVSwitch, southbound } from '../schema/index.ts'
import { Configuration, Switch } from '../vswitch/index.ts'

/** What makes a chassis. */
export interface ChassisOptions {
  readonly name: string
  /** Its address in the underlay, where the others' tunnels end. */
  readonly encapIp: string
  readonly bridgeMappings: string
  /** Whether routers may be scheduled on it: `enable-chassis-as-gw`. */
  readonly gateway: boolean
}

export interface ChassisWorld {
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  readonly underlay: MemoryUnderlay
  readonly southbound: Database
  /** The chassis' cable into the physical network. */
  uplink(): FramePort
  unplugUplink(): void
  /** Serves the chassis' database to whoever connects. */
  readonly server: Server
  /** Made with the chassis, and kept over its restarts. */
  readonly database: Database
}

/** The name of the interface that joins br-ex to the physical network. */
const UPLINK = 'eth0'

/** A host: an Open_vSwitch database, a switch and a controller. Its database outlives a stop. */
export class SandboxChassis {
  private running:
    | {
        readonly sw: Switch
        readonly configuration: Configuration
        readonly controller: Controller
        readonly close: () => void
      }
    | undefined
  private readonly ports = new Map<string, FramePort>()
  /** Reads and writes the Open_vSwitch database from outside of the parts. */
  readonly ovs: Replica<OpenVSwitch>

  constructor(
    readonly options: ChassisOptions,
    private readonly world: ChassisWorld,
  ) {
    this.ovs = localReplica(world.database, openVSwitch, { clock: world.clock, locks: world.server.locks })
  }

  get name(): string {
    return this.options.name
  }

  /** Serves the Open_vSwitch database to whoever connects. */
  get server(): Server {
    return this.world.server
  }

  get up(): boolean {
    return this.running !== undefined
  }

  /** The switch, while the chassis is up. */
  get switch(): Switch {
    if (!this.running) throw new Error(`${this.name} is stopped`)
    return this.running.sw
  }

  /** The controller, while the chassis is up. */
  get controller(): Controller {
    if (!this.running) throw new Error(`${this.name} is stopped`)
    return this.running.controller
  }

  /** What an operator configures once: who the chassis is, and its bridge to the outside. */
  install(): void {
    const { name, encapIp, bridgeMappings, gateway } = this.options
    const [bridge, local, localIf, uplink, uplinkIf] = Array.from({ length: 5 }, () => uuid4(this.world.random)) as [
      string,
      string,
      string,
      string,
      string,
    ]
    const ids = new Map([
      ['system-id', name],
      ['hostname', name],
      ['ovn-remote', 'unix:ovnsb_db.sock'],
      ['ovn-encap-type', 'geneve'],
      ['ovn-encap-ip', encapIp],
      ['ovn-bridge-mappings', bridgeMappings],
    ])
    if (gateway) ids.set('ovn-cms-options', 'enable-chassis-as-gw')
    const insert = (table: string, row: ColumnValues, uuid = uuid4(this.world.random)) => ({
      op: 'insert' as const,
      table,
      uuid,
      row,
    })
    const r = this.world.database.transact([
      insert('Open_vSwitch', { bridges: [bridge], external_ids: ids }),
      insert('Bridge', { name: 'br-ex', ports: [local, uplink].sort(), fail_mode: 'standalone' }, bridge),
      insert('Port', { name: 'br-ex', interfaces: [localIf] }, local),
      insert('Interface', { name: 'br-ex', type: 'internal' }, localIf),
      insert('Port', { name: UPLINK, interfaces: [uplinkIf] }, uplink),
      insert('Interface', { name: UPLINK }, uplinkIf),
    ])
    if (r.error) throw new Error(`${name}: ${r.error.error}: ${r.error.details ?? ''}`)
  }

  /** Starts the switch and the controller. */
  start(): void {
    if (this.running) return
    const { random, underlay } = this.world
    const clock = new ClockScope(this.world.clock)
    const log = this.world.log.child(this.name)
    const sw = new Switch({ clock, log, random, underlay, tunnelAddress: this.options.encapIp })
    sw.attachPort(UPLINK, this.world.uplink())
    for (const [name, port] of this.ports) sw.attachPort(name, port)
    const mine = localReplica<OpenVSwitch>(this.world.database, openVSwitch, { clock })
    const theirs = localReplica<OpenVSwitch>(this.world.database, openVSwitch, { clock })
    const sb = localReplica<Southbound>(this.world.southbound, southbound, { clock })
    const configuration = new Configuration(sw, mine)
    const controller = createController({
      sb,
      ovs: theirs,
      clock,
      log,
      random,
      // The switch has the bridge a moment after the controller has asked for it.
      openflow: (bridge, done) => {
        const [near, far] = channelPair(clock)
        const attempt = (left: number) => {
          if (sw.connect(bridge, far)) done(near)
          else if (left === 0 || this.running?.sw !== sw) done(undefined)
          else clock.after(1, () => attempt(left - 1))
        }
        clock.after(0, () => attempt(100))
      },
    })
    controller.start()
    const close = () => {
      controller.close()
      configuration.close()
      sw.close()
      this.world.unplugUplink()
      for (const r of [mine, theirs, sb]) r.close()
      clock.close()
    }
    this.running = { sw, configuration, controller, close }
  }

  /** Ends both at once, as a power cut would: nothing is said to anyone. */
  stop(): void {
    this.running?.close()
    this.running = undefined
  }

  /** Joins a cable to an interface of that name, over restarts too. */
  attach(name: string, port: FramePort): void {
    this.ports.set(name, port)
    this.running?.sw.attachPort(name, port)
  }

  detach(name: string): void {
    this.ports.delete(name)
    this.running?.sw.detachPort(name)
  }

  close(): void {
    this.stop()
    this.ovs.close()
  }
}
