import { type Clock, ClockScope, VirtualClock } from '../base/clock.ts'
import { MemoryUnderlay } from '../base/datagram.ts'
import { cable } from '../base/frame.ts'
import { type Log, silent } from '../base/log.ts'
import { type Random, seeded } from '../base/random.ts'
import { unwrap } from '../base/result.ts'
import { nbctl } from '../ctl/nbctl/index.ts'
import type { Program } from '../ctl/program.ts'
import { runCtl } from '../ctl/run.ts'
import { sbctl } from '../ctl/sbctl/index.ts'
import { vsctl } from '../ctl/vsctl/index.ts'
import { EthernetSwitch, VirtualHost } from '../hosts/index.ts'
import { createNorthd, type Northd } from '../northd/index.ts'
import { localReplica } from '../ovsdb/client/local.ts'
import type { Operation } from '../ovsdb/client/operation.ts'
import { describeTransactError, type Replica } from '../ovsdb/client/replica.ts'
import { createServer, type Server, type Transport } from '../ovsdb/server/index.ts'
import type { Database, OperationResult } from '../ovsdb/transaction/index.ts'
import { type Northbound, northbound, openVSwitch, type Southbound, southbound } from '../schema/index.ts'
import { type ChassisOptions, SandboxChassis } from './chassis.ts'
import { Driver } from './drive.ts'
import { Guest } from './guest.ts'
import { words } from './words.ts'

export interface SandboxOptions {
  /** Chassis by name, or with settings; those called `gw...` may be gateways. Default: gw1 gw2 hv1 hv2. */
  readonly chassis?: readonly (string | (Partial<ChassisOptions> & { readonly name: string }))[]
  /** A VirtualClock (the default): time moves only when awaited. The system's clock: as on the wall. */
  readonly clock?: Clock
  readonly log?: Log
  readonly random?: Random
  /** The physical network that br-ex of each chassis is on. Default: `datacentre`. */
  readonly physicalNetwork?: string
  /** How the databases may be listened for; in memory only unless given. */
  readonly transport?: Transport
}

export interface PlugOptions {
  /** Where the machine runs. */
  readonly chassis: string
  /** Default: the first of the logical switch port's addresses. */
  readonly mac?: string
  /** `10.0.0.4/24`; none where DHCP gives one. */
  readonly addresses?: readonly string[]
  readonly gateway?: string
  readonly mtu?: number
}

export interface ExternalOptions {
  readonly mac: string
  readonly addresses: readonly string[]
  readonly gateway?: string
  /** The VLAN of the physical network it is on; untagged unless given. */
  readonly vlan?: number
  /** Networks it answers for: a piece of the Internet. */
  readonly beyond?: readonly string[]
}

/** A command of a ctl tool that failed: what it printed, and its exit status. */
export class CommandFailed extends Error {
  constructor(
    readonly command: string,
    readonly stderr: string,
    readonly status: number,
  ) {
    super(`${command}: ${stderr.trim()}`)
  }
}

/** A whole virtual network in this process: databases, northd, chassis, machines. */
export class Sandbox {
  readonly clock: Clock
  readonly log: Log
  /** Joins the chassis' tunnels. */
  readonly underlay: MemoryUnderlay
  /** Joins br-ex of the chassis and hosts outside: one port a chassis, of its name. */
  readonly physical: EthernetSwitch
  readonly northbound: Database
  readonly southbound: Database
  /** Serve the two databases to whoever connects: `nbServer.listen('ptcp:6641:127.0.0.1')`. */
  readonly nbServer: Server
  readonly sbServer: Server
  readonly nb: Replica<Northbound>
  readonly sb: Replica<Southbound>
  readonly northd: Northd
  private readonly random: Random
  private readonly driver: Driver
  private readonly chassisByName = new Map<string, SandboxChassis>()
  private readonly guests = new Map<string, { readonly guest: Guest; readonly leave: () => void }>()
  private readonly closers: (() => void)[] = []
  private readonly transit = new Set<(from: string, to: string) => void>()
  private stopped = false

  private constructor(private readonly options: SandboxOptions) {
    this.clock = options.clock ?? new VirtualClock()
    this.log = options.log ?? silent
    this.random = options.random ?? seeded(1)
    this.driver = new Driver(this.clock)
    this.underlay = new MemoryUnderlay(this.clock)
    this.underlay.onTransit = (from, to) => {
      for (const see of this.transit) see(from, to)
    }
    this.physical = new EthernetSwitch(this.clock, options.physicalNetwork ?? 'datacentre')
    this.nbServer = this.server('nb')
    this.sbServer = this.server('sb')
    this.northbound = unwrap(this.nbServer.addDatabase(northbound))
    this.southbound = unwrap(this.sbServer.addDatabase(southbound))
    this.northbound.transact([{ op: 'insert', table: 'NB_Global', row: {} }])
    this.southbound.transact([{ op: 'insert', table: 'SB_Global', row: {} }])
    this.nb = localReplica<Northbound>(this.northbound, northbound, { clock: this.clock, locks: this.nbServer.locks })
    this.sb = localReplica<Southbound>(this.southbound, southbound, { clock: this.clock, locks: this.sbServer.locks })
    const northdNb = localReplica<Northbound>(this.northbound, northbound, {
      clock: this.clock,
      locks: this.nbServer.locks,
    })
    const northdSb = localReplica<Southbound>(this.southbound, southbound, {
      clock: this.clock,
      locks: this.sbServer.locks,
    })
    this.northd = createNorthd({
      nb: northdNb,
      sb: northdSb,
      clock: this.clock,
      log: this.log.child('northd'),
      random: this.random,
    })
    this.closers.push(
      () => this.northd.close(),
      () => northdNb.close(),
      () => northdSb.close(),
      () => this.nb.close(),
      () => this.sb.close(),
    )
  }

  /** Brings everything up; resolves once all chassis are registered. */
  static async start(options: SandboxOptions = {}): Promise<Sandbox> {
    const sandbox = new Sandbox(options)
    sandbox.northd.start()
    const list = options.chassis ?? ['gw1', 'gw2', 'hv1', 'hv2']
    for (const [i, c] of list.entries()) {
      const given = typeof c === 'string' ? { name: c } : c
      sandbox.addChassis({
        encapIp: `10.20.0.${11 + i}`,
        bridgeMappings: `${options.physicalNetwork ?? 'datacentre'}:br-ex`,
        gateway: given.name.startsWith('gw'),
        ...given,
      })
    }
    await sandbox.until('all chassis are registered', () => sandbox.sb.table('Chassis').size === list.length)
    return sandbox
  }

  private server(name: string): Server {
    const { transport } = this.options
    const server = createServer({
      clock: this.clock,
      log: this.log.child(name),
      random: this.random,
      ...(transport ? { transport } : {}),
    })
    this.closers.push(() => server.close())
    return server
  }

  private addChassis(options: ChassisOptions): void {
    const { name } = options
    if (this.chassisByName.has(name)) throw new Error(`two chassis are called ${name}`)
    const server = this.server(name)
    const chassis = new SandboxChassis(options, {
      clock: this.clock,
      log: this.log,
      random: this.random,
      underlay: this.underlay,
      southbound: this.southbound,
      server,
      database: unwrap(server.addDatabase(openVSwitch)),
      uplink: () => this.physical.port(name),
      unplugUplink: () => this.physical.remove(name),
    })
    this.chassisByName.set(name, chassis)
    chassis.install()
    chassis.start()
  }

  /** A chassis by its name. */
  chassis(name: string): SandboxChassis {
    const chassis = this.chassisByName.get(name)
    if (!chassis) throw new Error(`there is no chassis ${name}: ${[...this.chassisByName.keys()].join(', ')}`)
    return chassis
  }

  get allChassis(): readonly SandboxChassis[] {
    return [...this.chassisByName.values()]
  }

  /** Runs ovn-nbctl command lines, one after the other; gives what the last one printed. */
  nbctl(...lines: readonly (string | readonly string[])[]): Promise<string> {
    return this.ctl(nbctl, this.nb, lines)
  }

  /** Runs ovn-sbctl command lines. */
  sbctl(...lines: readonly (string | readonly string[])[]): Promise<string> {
    return this.ctl(sbctl, this.sb, lines)
  }

  /** Runs ovs-vsctl command lines on a chassis. */
  vsctl(chassis: string, ...lines: readonly (string | readonly string[])[]): Promise<string> {
    return this.ctl(vsctl, this.chassis(chassis).ovs, lines)
  }

  private async ctl<T>(
    program: Program<T>,
    replica: Replica<T>,
    lines: readonly (string | readonly string[])[],
  ): Promise<string> {
    let last = ''
    for (const line of lines) {
      const args = typeof line === 'string' ? words(line) : line
      const command = `${program.name} ${args.join(' ')}`
      const r = await this.driver.complete<{ stdout: string; stderr: string; status: number }>(
        command,
        (done) => runCtl(program, args, { replica, clock: this.clock, random: this.random }, done),
        120_000,
      )
      if (r.status !== 0) throw new CommandFailed(command, r.stderr, r.status)
      last = r.stdout
    }
    return last
  }

  /** A transaction on the northbound or southbound database. */
  async transact(
    database: 'northbound' | 'southbound',
    operations: readonly Operation[],
  ): Promise<readonly OperationResult[]> {
    const replica = database === 'northbound' ? this.nb : this.sb
    return this.driver
      .complete<readonly OperationResult[] | Error>(`transaction on ${database}`, (done) => {
        replica.transact(operations, (o) => done(o.ok ? o.results : new Error(describeTransactError(o.error))))
      })
      .then((r) => {
        if (r instanceof Error) throw r
        return r
      })
  }

  /** Starts a machine behind a logical switch port, on a chassis. */
  async plug(port: string, options: PlugOptions): Promise<Guest> {
    if (this.guests.has(port)) throw new Error(`${port} is plugged already`)
    const chassis = this.chassis(options.chassis)
    const mac = options.mac ?? this.macOf(port)
    const clock = new ClockScope(this.clock)
    const [near, far] = cable(clock)
    const host = new VirtualHost({
      name: port,
      clock,
      log: this.log,
      port: near,
      mac,
      ...(options.mtu === undefined ? {} : { mtu: options.mtu }),
      ...(options.addresses ? { addresses: options.addresses } : {}),
      ...(options.gateway === undefined ? {} : { gateway: options.gateway }),
    })
    const device = `tap-${port}`.slice(0, 15)
    chassis.attach(device, far)
    await this.vsctl(options.chassis, [
      ...['add-port', 'br-int', device, '--', 'set', 'Interface', device, `external_ids:iface-id=${port}`],
      `external_ids:attached-mac="${mac}"`,
    ])
    const guest = new Guest(host, this.driver)
    this.guests.set(port, {
      guest,
      leave: () => {
        chassis.detach(device)
        clock.close()
      },
    })
    await this.until(`${port} is up`, () => this.isUp(port))
    return guest
  }

  /** Ends a machine, and removes its port from the chassis. */
  async unplug(port: string): Promise<void> {
    const entry = this.guests.get(port)
    if (!entry) throw new Error(`${port} is not plugged`)
    this.guests.delete(port)
    entry.leave()
    for (const chassis of this.chassisByName.values())
      await this.vsctl(chassis.name, ['--if-exists', 'del-port', `tap-${port}`.slice(0, 15)])
  }

  /** A host on the physical network. */
  external(name: string, options: ExternalOptions): Guest {
    const mode = options.vlan === undefined ? undefined : { access: options.vlan }
    const clock = new ClockScope(this.clock)
    this.closers.push(() => clock.close())
    const host = new VirtualHost({
      name,
      clock,
      log: this.log,
      port: this.physical.port(name, mode),
      mac: options.mac,
      addresses: options.addresses,
      ...(options.gateway === undefined ? {} : { gateway: options.gateway }),
    })
    for (const prefix of options.beyond ?? []) host.addLocal(prefix)
    return new Guest(host, this.driver)
  }

  /** Counts tunnel datagrams from one chassis to another from now on; call what it returns to end, and have their number. */
  countTunnel(from: string, to: string): () => number {
    const [a, b] = [this.chassis(from).options.encapIp, this.chassis(to).options.encapIp]
    let count = 0
    const see = (src: string, dst: string) => {
      if (src === a && dst === b) count++
    }
    this.transit.add(see)
    return () => {
      this.transit.delete(see)
      return count
    }
  }

  /** Whether a logical switch port is up, as the northbound says. */
  isUp(port: string): boolean {
    for (const row of this.nb.table('Logical_Switch_Port').values()) if (row.name === port) return row.up === true
    return false
  }

  /** Resolves once `condition` holds, letting time go on until then; rejects after `limit` milliseconds. */
  until(what: string, condition: () => boolean, limit?: number): Promise<void> {
    return this.driver.until(what, condition, limit)
  }

  /** Turns a callback of one of the parts into a promise, letting time go on until it is called. */
  complete<T>(what: string, start: (done: (value: T) => void) => void, limit?: number): Promise<T> {
    return this.driver.complete(what, start, limit)
  }

  /** Lets `ms` milliseconds pass: at once on virtual time. */
  advance(ms: number): Promise<void> {
    return this.driver.advance(ms)
  }

  /** Runs all that is due at this moment. */
  settle(): Promise<void> {
    return this.driver.settle()
  }

  /** Ends every part; nothing is left behind. */
  async stop(): Promise<void> {
    if (this.stopped) return
    this.stopped = true
    for (const { leave } of this.guests.values()) leave()
    for (const chassis of this.chassisByName.values()) chassis.close()
    for (const close of this.closers) close()
    await this.driver.settle()
  }

  private macOf(port: string): string {
    for (const row of this.nb.table('Logical_Switch_Port').values()) {
      if (row.name !== port) continue
      for (const text of [...row.addresses, row.dynamic_addresses ?? '']) {
        const mac = /^([0-9a-f]{2}(:[0-9a-f]{2}){5})/i.exec(text)?.[1]
        if (mac) return mac
      }
      throw new Error(`logical switch port ${port} has no MAC address: say which the machine has`)
    }
    throw new Error(`there is no logical switch port ${port}`)
  }
}
