import type { Clock, Timer } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { type Random, uuid4 } from '../../base/random.ts'
import type { ColumnValues, Operation } from '../../ovsdb/client/operation.ts'
import {
  describeTransactError,
  type Replica,
  type RowChange,
  type TransactOutcome,
} from '../../ovsdb/client/replica.ts'
import type { DatabaseSchema, Datum, Row } from '../../ovsdb/schema/index.ts'
import { type Derived, sameValue } from '../../reactive/index.ts'
import type { Removed } from './learned.ts'
import type { DesiredRow } from './outputs.ts'

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
  /** What a row has in columns that others own until they write them. */
  readonly initial?: DesiredRow
  /** What a row is made with and never reminded of. */
  readonly born?: (key: string) => DesiredRow
  /** Rows are neither made nor removed, only written to. */
  readonly updateOnly?: boolean
}

/** Keys of rows already known, by table and uuid. */
export interface KeyLookup {
  key(table: string, uuid: string): string | undefined
  /** The keys of rows of a table whose column refers to a row. */
  referrer(table: string, column: string, uuid: string): string | undefined
}

interface Target {
  readonly table: SinkTable
  readonly byKey: Map<string, string>
  readonly keys: Map<string, string>
  readonly dirty: Set<string>
  /** The uuids of rows removed lately: what comes back is the same row. */
  readonly retired: Map<string, string>
  /** Columns that refer to rows of output tables, with the table. */
  readonly references: ReadonlyMap<string, string>
}

export interface SinkOptions {
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
 * Makes a database say what relations say: desired rows, actual rows, dirty keys. One transaction is
 * under way at a time; what changes meanwhile goes into the next. After a failure everything is
 * compared again with the replica.
 */
export class Sink<T> {
  private readonly targets = new Map<string, Target>()
  private inFlight = false
  private matched = false
  private open = false
  private retry: Timer | undefined
  private closed = false
  private readonly stop: (() => void)[] = []
  /** Transactions and operations so far, for statistics. */
  readonly counters = { transactions: 0, operations: 0, failures: 0 }

  constructor(
    private readonly replica: Replica<T>,
    tables: readonly SinkTable[],
    private readonly options: SinkOptions,
  ) {
    const names = new Set(tables.map((t) => t.name))
    for (const table of tables) {
      const target: Target = {
        table,
        byKey: new Map(),
        keys: new Map(),
        dirty: new Set(),
        retired: new Map(),
        references: referencesOf(replica.schema, table.name, names),
      }
      this.targets.set(table.name, target)
      this.stop.push(
        table.desired.subscribe((changes) => {
          for (const key of changes.keys()) target.dirty.add(key)
        }),
      )
    }
    this.stop.push(
      replica.onChange((change) => {
        for (const [name, rows] of Object.entries(change.tables) as [string, ReadonlyMap<string, RowChange<Row>>][]) {
          const target = this.targets.get(name)
          if (target && this.matched) for (const [uuid, c] of rows) this.observed(target, uuid, c)
        }
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

  get busy(): boolean {
    return this.inFlight || this.retry !== undefined
  }

  close(): void {
    this.closed = true
    this.retry?.cancel()
    for (const stop of this.stop) stop()
  }

  /** Writes what differs. */
  flush(): void {
    if (this.closed || !this.open || this.inFlight || this.retry || this.replica.state !== 'synced') return
    const anew = !this.matched
    if (anew) this.match()
    const operations = this.operations(anew)
    if (!operations.length) {
      this.options.onDone()
      return
    }
    if (this.options.lock !== undefined) operations.unshift({ op: 'assert', lock: this.options.lock })
    this.inFlight = true
    this.counters.transactions++
    this.counters.operations += operations.length
    this.replica.transact(operations, (outcome) => this.answered(outcome))
  }

  private answered(outcome: TransactOutcome): void {
    this.inFlight = false
    if (this.closed) return
    if (outcome.ok) {
      this.flush()
      return
    }
    this.counters.failures++
    this.matched = false
    const { error } = outcome
    if (error.kind === 'refused')
      this.options.log.err(`transaction error: ${describeTransactError(error)}`, { code: 'transaction-refused' })
    else this.options.log.info(`transaction not done: ${describeTransactError(error)}`)
    this.retry = this.options.clock.after(error.kind === 'conflict' ? 0 : RETRY_MS, () => {
      this.retry = undefined
      this.flush()
    })
  }

  /** A row of an output table changed: by our transaction, or by somebody else. */
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
    this.regroup()
    for (const target of this.targets.values()) rename(target)
    // All new rows have their uuid before any refers to them.
    const fresh = new Map<Target, Set<string>>()
    for (const target of this.targets.values()) {
      if (target.table.updateOnly) continue
      for (const key of target.dirty) {
        if (target.byKey.has(key) || target.table.desired.peek(key) === undefined) continue
        const uuid = target.table.uuidOf?.(key) ?? revive(target, key) ?? uuid4(this.options.random)
        target.byKey.set(key, uuid)
        target.keys.set(uuid, key)
        let set = fresh.get(target)
        if (!set) {
          set = new Set()
          fresh.set(target, set)
        }
        set.add(key)
      }
    }
    for (const target of this.targets.values()) {
      const { table } = target
      const rows = this.replica.anyTable(table.name)
      const made = fresh.get(target)
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
        const values = this.resolve(target, desired)
        if (made?.has(key)) {
          out.push({
            op: 'insert',
            table: table.name,
            row: { ...table.initial, ...table.born?.(key), ...values },
            uuid,
          })
          continue
        }
        const actual = rows?.get(uuid) as Readonly<Record<string, Datum>> | undefined
        if (!actual) continue
        const changed: Record<string, Datum> = {}
        for (const [column, value] of Object.entries(table.initial ?? {}))
          if (actual[column] === undefined) changed[column] = value
        for (const [column, value] of Object.entries(values))
          if (!sameValue(actual[column], value)) changed[column] = value
        if (Object.keys(changed).length)
          out.push({ op: 'update', table: table.name, where: [['_uuid', '==', uuid]], row: changed })
      }
      target.dirty.clear()
    }
    if (removed.length || anew) out.push(...(this.options.along?.(removed, anew) ?? []))
    return out
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

  /**
   * A group of datapaths whose members change keeps its row: one row is written instead of all the
   * flows that refer to it. The old group that most flows of a new one come from lends its row.
   */
  private regroup(): void {
    const groups = this.targets.get('Logical_DP_Group')
    const flows = this.targets.get('Logical_Flow')
    if (!groups || !flows) return
    const fresh = [...groups.dirty].filter((k) => !groups.byKey.has(k) && groups.table.desired.peek(k) !== undefined)
    if (!fresh.length) return
    const free = new Set<string>()
    for (const key of groups.dirty) {
      const uuid = groups.byKey.get(key)
      if (uuid !== undefined && groups.table.desired.peek(key) === undefined) free.add(uuid)
    }
    if (!free.size) return
    const rows = this.replica.anyTable('Logical_Flow')
    const votes = new Map<string, Map<string, number>>()
    for (const key of flows.dirty) {
      const uuid = flows.byKey.get(key)
      const group = flows.table.desired.peek(key)?.['logical_dp_group']
      if (uuid === undefined || typeof group !== 'string') continue
      const before = (rows?.get(uuid) as Readonly<Record<string, Datum>> | undefined)?.['logical_dp_group']
      if (typeof before !== 'string' || !free.has(before)) continue
      let count = votes.get(group)
      if (!count) {
        count = new Map()
        votes.set(group, count)
      }
      count.set(before, (count.get(before) ?? 0) + 1)
    }
    for (const key of fresh) {
      let best: string | undefined
      let most = 0
      for (const [uuid, n] of votes.get(key) ?? [])
        if (free.has(uuid) && n > most) {
          best = uuid
          most = n
        }
      if (best === undefined) continue
      free.delete(best)
      const before = groups.keys.get(best)
      if (before !== undefined) groups.byKey.delete(before)
      groups.keys.set(best, key)
      groups.byKey.set(key, best)
    }
  }
}

/** A row whose key goes while one alike comes is changed, not removed and made. */
function rename(target: Target): void {
  const { table, dirty, byKey, keys } = target
  const { alike } = table
  if (!alike) return
  const gone = new Map<string, string[]>()
  for (const key of dirty) {
    const kind = byKey.has(key) && table.desired.peek(key) === undefined ? alike(key) : undefined
    if (kind === undefined) continue
    const list = gone.get(kind)
    if (list) list.push(key)
    else gone.set(kind, [key])
  }
  if (!gone.size) return
  for (const key of dirty) {
    if (byKey.has(key) || table.desired.peek(key) === undefined) continue
    const before = gone.get(alike(key) ?? '')?.shift()
    const uuid = before === undefined ? undefined : byKey.get(before)
    if (before === undefined || uuid === undefined) continue
    byKey.delete(before)
    byKey.set(key, uuid)
    keys.set(uuid, key)
  }
}

/** How many removed rows of a table are remembered. */
const RETIRED = 10_000

function retire(target: Target, key: string, uuid: string): void {
  target.retired.set(key, uuid)
  if (target.retired.size <= RETIRED) return
  for (const oldest of target.retired.keys()) {
    target.retired.delete(oldest)
    break
  }
}

function revive(target: Target, key: string): string | undefined {
  const uuid = target.retired.get(key)
  if (uuid === undefined) return undefined
  target.retired.delete(key)
  return target.keys.has(uuid) ? undefined : uuid
}

function referencesOf(schema: DatabaseSchema, table: string, outputs: ReadonlySet<string>): Map<string, string> {
  const out = new Map<string, string>()
  for (const [name, column] of schema.tables.get(table)?.columns ?? []) {
    const to = column.type.value?.refTable ?? column.type.key.refTable
    if (to !== undefined && outputs.has(to)) out.set(name, to)
  }
  return out
}
