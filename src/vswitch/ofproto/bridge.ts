import type { Clock } from '../../base/clock.ts'
import { OFPP } from '../../openflow/actions/action.ts'
import { Dependency, type Generation } from '../datapath/dependency.ts'
import type { Group } from '../groups/group.ts'
import type { Meter } from '../meters/meter.ts'
import { MacTable } from '../pipeline/macs.ts'
import type { Mirror } from '../pipeline/mirror.ts'
import type { Rule } from '../pipeline/rule.ts'
import { FlowTable } from '../pipeline/table.ts'
import type { BridgePort } from './port.ts'

/** Tables that controllers may use: 254 is the switch's own. */
export const TABLES = 254

/** What a bridge tells those who watch it: connections, the database. */
export interface BridgeEvents {
  flowRemoved?(rule: Rule, reason: number): void
  flowChanged?(event: 'added' | 'deleted' | 'modified', rule: Rule, reason: number, by: unknown): void
  portChanged?(port: BridgePort, reason: 'add' | 'delete' | 'modify'): void
}

/** One bridge: its ports, tables, groups and meters. */
export class Bridge {
  private readonly tables: FlowTable[] = []
  readonly groups = new Map<number, Group>()
  readonly meters = new Map<number, Meter>()
  readonly ports = new Map<number, BridgePort>()
  private readonly byName = new Map<string, BridgePort>()
  readonly portsChanged: Dependency
  readonly groupsChanged: Dependency
  readonly metersChanged: Dependency
  readonly macs: MacTable
  /** In the order of their names. */
  mirrors: readonly Mirror[] = []
  readonly events = new Set<BridgeEvents>()
  missSendLen = 0xffff
  forwardBpdu = false
  /** While actions of a packet-out are being translated. */
  packetOut = false
  failMode: 'standalone' | 'secure' = 'standalone'
  description = 'None'
  /** Connections that want packets without a flow: those of OpenFlow before 1.3. */
  missListeners = 0
  private sorted: BridgePort[] | undefined

  constructor(
    readonly name: string,
    public datapathId: bigint,
    private readonly clock: Clock,
    private readonly generation: Generation,
  ) {
    this.portsChanged = new Dependency(generation)
    this.groupsChanged = new Dependency(generation)
    this.metersChanged = new Dependency(generation)
    this.macs = new MacTable(clock, generation)
  }

  table(id: number): FlowTable {
    return (this.tables[id] ??= new FlowTable(id, this.generation))
  }

  /** The tables that exist, in order. */
  *usedTables(): IterableIterator<FlowTable> {
    for (const t of this.tables) if (t) yield t
  }

  sortedPorts(): readonly BridgePort[] {
    this.sorted ??= [...this.ports.values()].sort((a, b) => a.number - b.number)
    return this.sorted
  }

  portByName(name: string): BridgePort | undefined {
    return this.byName.get(name)
  }

  get local(): BridgePort | undefined {
    return this.ports.get(OFPP.LOCAL)
  }

  addPort(port: BridgePort): void {
    this.ports.set(port.number, port)
    this.byName.set(port.name, port)
    this.sorted = undefined
    this.portsChanged.changed()
    for (const e of this.events) e.portChanged?.(port, 'add')
  }

  removePort(port: BridgePort): void {
    if (this.ports.get(port.number) !== port) return
    this.ports.delete(port.number)
    this.byName.delete(port.name)
    this.sorted = undefined
    this.macs.flush((e) => e.port === port)
    this.portsChanged.changed()
    for (const e of this.events) e.portChanged?.(port, 'delete')
  }

  /** Says that something about a port changed that controllers and flows depend on. */
  portModified(port: BridgePort): void {
    port.revision++
    this.portsChanged.changed()
    for (const e of this.events) e.portChanged?.(port, 'modify')
  }

  /** The lowest number from 1 on that is free, the one asked for if it is. */
  freePort(requested: number | undefined): number {
    if (requested !== undefined && requested > 0 && requested < OFPP.MAX && !this.ports.has(requested)) return requested
    for (let n = 1; n < OFPP.MAX; n++) if (!this.ports.has(n)) return n
    throw new Error(`${this.name}: no OpenFlow port number is free`)
  }

  missToController(): boolean {
    return this.missListeners > 0
  }

  flowCount(): number {
    let n = 0
    for (const t of this.tables) if (t) n += t.size
    return n
  }

  *rules(): IterableIterator<Rule> {
    for (const t of this.usedTables()) yield* t.classifier.rules()
  }

  now(): number {
    return this.clock.monotonic()
  }
}
