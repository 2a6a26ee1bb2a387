import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { type Random, uuid4 } from '../../base/random.ts'
import { type Derived, sameValue } from '../../reactive/index.ts'
import type { ColumnValues, Operation } from '../client/operation.ts'
import {
  describeTransactError,
  type Replica,
  type RowChange,
  type TransactError,
  transactErrorLine,
} from '../client/replica.ts'
import type { DatabaseSchema, Datum, Row } from '../schema/index.ts'
import { ServerLimits } from './limits.ts'
import { aboutRefused } from './refused.ts'
import { inherit, rename, retire, revive } from './same-row.ts'
import { Transactor } from './transactor.ts'

/**
 * A row as it shall be: the columns that are written. A column that refers to a row of another table of
 * the sink holds that row's key in its relation, not its uuid.
 */
export type DesiredRow = Readonly<Record<string, Datum>>

/** How a table's rows are known again. */
export interface SinkTable {
  readonly name: string
  readonly desired: Derived<DesiredRow>
  /** The key of a row that is there, from its contents; undefined for one that is none of ours. */
  keyOf(row: Row, keys: KeyLookup): string | undefined
  /** The uuid a new row shall have; a random one unless given. */
  readonly uuidOf?: (key: string) => string | undefined
  /** Keys of which one may become the other, the row being the same: what they have in common. */
  readonly alike?: (key: string) => string | undefined
  /**
   * Where others refer to these rows, by table and column. A new key takes over the row of a key that
   * goes if most of the referrers move from the one to the other: so they need not be written.
   */
  readonly inherited?: { readonly table: string; readonly column: string }
  /** What a row has in columns that others own until they write them. */
  readonly initial?: DesiredRow
  /** What a row is made with and never reminded of. */
  readonly born?: (key: string) => DesiredRow
  /** Rows are neither made nor removed, only written to; keys are their uuids. */
  readonly updateOnly?: boolean
}

/** Keys of rows already known, by table and uuid. */
export interface KeyLookup {
  key(table: string, uuid: string): string | undefined
  /** The keys of rows of a table whose column refers to a row. */
  referrer(table: string, column: string, uuid: string): string | undefined
}

/** A row that goes in the transaction being made. */
export interface Removed {
  readonly table: string
  readonly uuid: string
}

/** What a sink knows of one table. */
export interface Target {
  readonly table: SinkTable
  /** Uuids by key, and the other way round. */
  readonly byKey: Map<string, string>
  readonly keys: Map<string, string>
  readonly dirty: Set<string>
  /** The uuids of rows removed lately: what comes back is the same row. */
  readonly retired: Map<string, string>
  /** Columns that refer to rows of the sink's tables, with the table. */
  readonly references: ReadonlyMap<string, string>
}

export interface RowSinkOptions {
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  /** Asserted in each transaction. */
  readonly lock?: string
  /**
   * What else has to go with rows that go; `anew` when the rows that are there have just been matched.
   * Asked only where rows go or `anew`.
   */
  readonly along?: (removed: readonly Removed[], anew: boolean) => readonly Operation[]
  /** Called after a transaction came about, or when there was nothing to write. */
  onDone(): void
}

const RETRY_MS = 1000

/**
 * Makes a database say what relations say: desired rows, actual rows, dirty keys. Rows that are there are
 * known again by their contents and keep their uuid. After a failure everything is compared again with
 * the replica.
 */
export class RowSink<T> {
  private readonly targets = new Map<string, Target>()
  private readonly transactor: Transactor<T>
  private limits: ServerLimits
  private matched = false
  private open = false
  private readonly stops: (() => void)[] = []

  constructor(
    private readonly replica: Replica<T>,
    tables: readonly SinkTable[],
    private readonly options: RowSinkOptions,
  ) {
    const names = new Set(tables.map((t) => t.name))
    for (const table of tables) this.addTarget(table, names)
    this.limits = ServerLimits.of(replica, names, options.log)
    this.transactor = new Transactor(replica, {
      clock: options.clock,
      ready: () => this.open,
      collect: () => this.collect(),
      committed: () => this.transactor.flush(),
      failed: (error) => this.failed(error),
      idle: () => options.onDone(),
    })
    this.stops.push(
      replica.onChange((change) => {
        for (const [name, rows] of Object.entries(change.tables) as [string, ReadonlyMap<string, RowChange<Row>>][]) {
          const target = this.targets.get(name)
          if (target && this.matched) for (const [uuid, c] of rows) this.observed(target, uuid, c)
        }
      }),
      // another server, or the same after an upgrade, may take more or less
      replica.onState((state) => {
        if (state !== 'synced') return
        const limits = ServerLimits.of(replica, names, options.log, this.limits)
        if (!limits.equals(this.limits)) this.matched = false
        this.limits = limits
      }),
    )
  }

  private addTarget(table: SinkTable, names: ReadonlySet<string>): void {
    const target: Target = {
      table,
      byKey: new Map(),
      keys: new Map(),
      dirty: new Set(),
      retired: new Map(),
      references: referencesOf(this.replica.schema, table.name, names),
    }
    this.targets.set(table.name, target)
    this.stops.push(
      table.desired.subscribe((changes) => {
        for (const key of changes.keys()) target.dirty.add(key)
      }),
    )
  }

  /** Lets transactions out, or holds them back: a standby keeps its sink shut. */
  setOpen(open: boolean): void {
    if (open === this.open) return
    this.open = open
    // Somebody else may have written while it was shut.
    if (open) this.matched = false
  }

  close(): void {
    this.transactor.close()
    for (const stop of this.stops) stop()
  }

  /** Writes what differs. */
  flush(): void {
    this.transactor.flush()
  }

  private collect(): Operation[] {
    const anew = !this.matched
    if (anew) this.match()
    const operations = this.operations(anew)
    if (operations.length && this.options.lock !== undefined)
      operations.unshift({ op: 'assert', lock: this.options.lock })
    return operations
  }

  private failed(error: TransactError): number {
    this.matched = false
    if (error.kind === 'refused')
      this.options.log.child('ovsdb_idl').warn(`transaction error: ${transactErrorLine(error)}`, {
        code: 'transaction-refused',
        ...aboutRefused(error),
      })
    else this.options.log.info(`transaction not done: ${describeTransactError(error)}`, aboutRefused(error))
    return error.kind === 'conflict' ? 0 : RETRY_MS
  }

  /** A row of one of the tables changed: by our transaction, or by somebody else. */
  private observed(target: Target, uuid: string, change: RowChange<Row>): void {
    const known = target.keys.get(uuid)
    if (known !== undefined) {
      target.dirty.add(known)
      if (!change.new && target.byKey.get(known) === uuid) {
        target.byKey.delete(known)
        target.keys.delete(uuid)
      }
      return
    }
    if (change.new) this.adopt(target, change.new)
  }

  private adopt(target: Target, row: Row): void {
    const key = target.table.keyOf(row, this.lookup) ?? `\u0000${row._uuid}`
    const other = target.byKey.get(key)
    // A second row with one key goes under a key that nobody wishes for, so that it is removed.
    const own = other !== undefined && other !== row._uuid ? `\u0000${row._uuid}` : key
    target.byKey.set(own, row._uuid)
    target.keys.set(row._uuid, own)
    target.dirty.add(own)
  }

  private readonly lookup: KeyLookup = {
    key: (table, uuid) => this.targets.get(table)?.keys.get(uuid),
    referrer: (table, column, uuid) => {
      const index = this.replica.anyTable(table)?.index(`by ${column}`, (row) => {
        const value = (row as Readonly<Record<string, Datum>>)[column]
        return Array.isArray(value) ? (value as string[]) : typeof value === 'string' ? value : undefined
      })
      const row = index?.first(uuid)
      return row && this.targets.get(table)?.keys.get(row._uuid)
    },
  }

  /** Finds out which rows there are, from nothing; everything is dirty then. */
  private match(): void {
    for (const target of this.targets.values()) {
      target.byKey.clear()
      target.keys.clear()
      target.dirty.clear()
      for (const key of target.table.desired.contents.keys()) target.dirty.add(key)
    }
    for (const target of this.targets.values()) {
      const rows = this.replica.anyTable(target.table.name)
      if (rows) for (const row of rows.values()) this.adopt(target, row)
    }
    this.matched = true
  }

  private operations(anew: boolean): Operation[] {
    const out: Operation[] = []
    const removed: Removed[] = []
    for (const target of this.targets.values()) this.letInherit(target)
    for (const target of this.targets.values()) rename(target)
    // All new rows have their uuid before any refers to them.
    const fresh = new Map([...this.targets.values()].map((target) => [target, this.name(target)]))
    for (const target of this.targets.values()) {
      this.write(target, fresh.get(target) ?? NONE, out, removed)
      target.dirty.clear()
    }
    if (removed.length || anew) out.push(...(this.options.along?.(removed, anew) ?? []))
    return out
  }

  private letInherit(target: Target): void {
    const { inherited } = target.table
    const heirs = inherited && this.targets.get(inherited.table)
    if (heirs) inherit(target, heirs, inherited.column, this.replica.anyTable(inherited.table))
  }

  /** Gives every wished row that is not there its uuid; returns their keys. */
  private name(target: Target): ReadonlySet<string> {
    const { table, dirty, byKey, keys } = target
    const fresh = new Set<string>()
    if (table.updateOnly || !this.limits.has(table.name)) return fresh
    const limits = this.limits.table(table.name)
    for (const key of dirty) {
      const desired = byKey.has(key) ? undefined : table.desired.peek(key)
      if (desired === undefined) continue
      const refused = limits?.refuses(desired)
      if (refused) {
        this.limits.leftOut(table.name, refused.column, refused.why)
        continue
      }
      const uuid = table.uuidOf?.(key) ?? revive(target, key) ?? uuid4(this.options.random)
      byKey.set(key, uuid)
      keys.set(uuid, key)
      fresh.add(key)
    }
    return fresh
  }

  /** The operations that make the dirty rows of a table what they should be. */
  private write(target: Target, fresh: ReadonlySet<string>, out: Operation[], removed: Removed[]): void {
    const { table } = target
    const rows = this.replica.anyTable(table.name)
    const limits = this.limits.table(table.name)
    for (const key of target.dirty) {
      const uuid = target.byKey.get(key) ?? (table.updateOnly ? key : undefined)
      const desired = table.desired.peek(key)
      if (uuid === undefined) continue
      if (desired === undefined) {
        if (table.updateOnly) continue
        target.byKey.delete(key)
        target.keys.delete(uuid)
        retire(target, key, uuid)
        if (!rows?.has(uuid)) continue
        out.push({ op: 'delete', table: table.name, where: [['_uuid', '==', uuid]] })
        removed.push({ table: table.name, uuid })
        continue
      }
      const resolved = this.resolve(target, desired)
      const values = limits ? limits.known(resolved) : resolved
      if (fresh.has(key)) {
        const row = { ...table.initial, ...table.born?.(key), ...values }
        out.push({ op: 'insert', table: table.name, row: limits ? limits.known(row) : row, uuid })
        continue
      }
      const actual = rows?.get(uuid) as Readonly<Record<string, Datum>> | undefined
      if (!actual) continue
      const changed: Record<string, Datum> = {}
      for (const [column, value] of Object.entries(table.initial ?? {}))
        if (actual[column] === undefined) changed[column] = value
      for (const [column, value] of Object.entries(values))
        if (!sameValue(actual[column], value)) changed[column] = value
      const refused = limits?.refuses(changed)
      if (refused) this.limits.leftOut(table.name, refused.column, refused.why)
      else if (Object.keys(changed).length)
        out.push({ op: 'update', table: table.name, where: [['_uuid', '==', uuid]], row: changed })
    }
  }

  private resolve(target: Target, desired: DesiredRow): ColumnValues {
    if (!target.references.size) return desired
    const out: Record<string, Datum> = {}
    for (const [column, value] of Object.entries(desired)) {
      const table = target.references.get(column)
      if (table === undefined || value === undefined) {
        out[column] = value
        continue
      }
      const byKey = this.targets.get(table)?.byKey
      const one = (key: string) => byKey?.get(key)
      if (Array.isArray(value)) {
        const uuids = (value as readonly string[]).map(one).filter((u): u is string => u !== undefined)
        out[column] = [...new Set(uuids)].sort()
      } else if (value instanceof Map) {
        const entries = [...(value as ReadonlyMap<string, string>)].flatMap(([k, key]) => {
          const uuid = one(key)
          return uuid === undefined ? [] : [[k, uuid] as const]
        })
        out[column] = new Map(entries)
      } else out[column] = one(value as string)
    }
    return out
  }
}

const NONE: ReadonlySet<string> = new Set()

function referencesOf(schema: DatabaseSchema, table: string, outputs: ReadonlySet<string>): Map<string, string> {
  const out = new Map<string, string>()
  for (const [name, column] of schema.tables.get(table)?.columns ?? []) {
    const to = column.type.value?.refTable ?? column.type.key.refTable
    if (to !== undefined && outputs.has(to)) out.set(name, to)
  }
  return out
}
