import type { Clock, Timer } from '../../base/clock.ts'
import type { ColumnType, Row } from '../schema/index.ts'
import type { LockHolder, Locks } from '../server/locks.ts'
import { compileCondition } from '../transaction/condition.ts'
import type { Database } from '../transaction/database.ts'
import { operations as source } from '../transaction/database.ts'
import type { Delta, Requester } from '../transaction/operation.ts'
import { BaseReplica } from './base-replica.ts'
import { locksOf } from './local-locks.ts'
import { checkLockName } from './lock.ts'
import type { Operation } from './operation.ts'
import {
  type LockHandle,
  type Replica,
  type RowChange,
  type TableCondition,
  type TableName,
  type TableRequests,
  type TransactOutcome,
  type TypedSchema,
  transactError,
} from './replica.ts'
import { ChangeSet, sameDatum } from './tables.ts'

export interface LocalOptions<T> {
  readonly clock: Clock
  readonly tables?: TableRequests<T>
  /** Who holds which lock: those of the server that serves the database to others. */
  readonly locks?: Locks
}

type Test = (row: Row) => boolean

/**
 * A replica of a database of this process: rows are the engine's own objects, transactions go in as
 * they are. What happened is told in a later call of the clock, as over a wire.
 */
export class LocalReplica<T> extends BaseReplica<T> {
  private readonly queue: (() => void)[] = []
  private timer: Timer | undefined
  private readonly stopFollowing: () => void
  private readonly tests = new Map<string, Test>()
  private readonly columns = new Map<string, readonly string[]>()
  private readonly locks: Locks
  private readonly held = new Map<string, LocalLock>()
  private pending = 0
  /** What to do with transactions whose outcome was not told when we are closed. */
  private readonly unanswered = new Set<() => void>()
  private readonly requester: Requester = { owns: (name) => this.held.get(name)?.owned ?? false }

  constructor(
    private readonly database: Database,
    schema: TypedSchema<T>,
    options: LocalOptions<T>,
  ) {
    super(schema, options.clock, options.tables)
    this.locks = options.locks ?? locksOf(database)
    for (const [name, request] of this.requests) {
      this.tests.set(name, this.compile(name, request.where ?? true))
      if (request.columns) this.columns.set(name, request.columns)
    }
    this.stopFollowing = database.onCommit((delta) => this.later(() => this.take(delta)))
    this.later(() => this.copy())
  }

  /** Runs in a later call of the clock, in order with everything else that is told. */
  private later(run: () => void): void {
    this.queue.push(run)
    this.timer ??= this.clock.after(0, () => {
      this.timer = undefined
      for (let next = this.queue.shift(); next && this.state !== 'closed'; next = this.queue.shift()) next()
    })
  }

  private compile(name: string, where: TableCondition): Test {
    if (typeof where === 'boolean') return () => where
    const table = this.schema.tables.get(name)
    if (!table) throw new Error(`database ${this.schema.name} has no table ${name}`)
    const tests = where.map((condition) => compileCondition(table, condition, false))
    return (row) => tests.some((test) => test(row))
  }

  /** The first copy. Commits made between `later` and now are in it; their deltas then change nothing. */
  private copy(): void {
    const set = new ChangeSet()
    for (const name of this.tables.keys()) this.compare(name, set)
    this.announce(set)
    this.setState('synced')
  }

  /** Makes a table what its condition says of the database as it is. */
  private compare(name: string, set: ChangeSet): void {
    const table = this.tables.get(name)
    const test = this.tests.get(name)
    if (!table || !test) return
    for (const uuid of [...table.keys()]) {
      const row = this.database.row(name, uuid)
      if (!row || !test(row)) set.add(name, uuid, table.apply(uuid, undefined))
    }
    for (const row of this.database.rows(name)) if (test(row)) this.put(name, row._uuid, row, set)
  }

  /** A change that touches none of the columns asked for is none. */
  private put(name: string, uuid: string, row: Row, set: ChangeSet): void {
    const table = this.tables.get(name)
    const columns = this.columns.get(name)
    const change = table?.apply(uuid, row)
    if (change?.old && columns) {
      const { old } = change
      if (columns.every((c) => sameDatum(old[c], row[c]))) return
    }
    set.add(name, uuid, change)
  }

  private take(delta: Delta): void {
    const set = new ChangeSet()
    for (const [name, rows] of delta.tables) {
      const table = this.tables.get(name)
      const test = this.tests.get(name)
      if (!table || !test) continue
      for (const [uuid, change] of rows) this.takeRow(name, uuid, change, test, set)
    }
    this.announce(set)
  }

  private takeRow(name: string, uuid: string, change: RowChange<Row>, test: Test, set: ChangeSet): void {
    const after = change.new && test(change.new) ? change.new : undefined
    if (after) this.put(name, uuid, after, set)
    else set.add(name, uuid, this.tables.get(name)?.apply(uuid, undefined))
  }

  has(table: string, column?: string): boolean {
    const there = this.database.schema.tables.get(table)
    return there !== undefined && (column === undefined || there.columns.has(column))
  }

  typeOf(table: string, column: string): ColumnType | undefined {
    return this.database.schema.tables.get(table)?.columns.get(column)?.type
  }

  transact(operations: readonly Operation[], done: (outcome: TransactOutcome) => void): void {
    if (this.state === 'closed') {
      this.clock.after(0, () => done({ ok: false, error: { kind: 'disconnected' } }))
      return
    }
    const lost = () => this.clock.after(0, () => done({ ok: false, error: { kind: 'unknown' } }))
    this.unanswered.add(lost)
    this.database.submit(source(operations), this.requester, ({ results, error }) => {
      const outcome: TransactOutcome = error
        ? { ok: false, error: transactError(operations, { error, index: results.length }) }
        : { ok: true, results }
      this.later(() => {
        this.unanswered.delete(lost)
        this.tell(done, outcome)
      })
    })
  }

  lock(name: string): LockHandle {
    const known = this.held.get(name)
    if (known) return known
    checkLockName(name)
    const lock = new LocalLock(name, this.locks, this.clock, () => this.held.delete(name))
    this.held.set(name, lock)
    return lock
  }

  setCondition(name: TableName<T>, condition: TableCondition): void {
    if (!this.tables.has(name)) throw new Error(`table ${name} was not asked for`)
    const test = this.compile(name, condition)
    this.pending++
    this.later(() => {
      this.pending--
      this.tests.set(name, test)
      const set = new ChangeSet()
      this.compare(name, set)
      this.announce(set)
    })
  }

  get conditionsPending(): boolean {
    return this.pending > 0 || this.state !== 'synced'
  }

  override close(): void {
    this.stopFollowing()
    for (const lock of [...this.held.values()]) lock.release()
    super.close()
    this.timer?.cancel()
    this.queue.length = 0
    for (const lost of this.unanswered) lost()
    this.unanswered.clear()
  }
}

class LocalLock implements LockHandle, LockHolder {
  owned = false
  onChange: ((owned: boolean) => void) | undefined

  constructor(
    readonly name: string,
    private readonly locks: Locks,
    private readonly clock: Clock,
    private readonly forget: () => void,
  ) {
    if (locks.lock(name, this)) this.tell(true)
  }

  notify(method: 'locked' | 'stolen'): void {
    this.tell(method === 'locked')
  }

  private tell(owned: boolean): void {
    if (this.owned === owned) return
    this.owned = owned
    this.clock.after(0, () => this.onChange?.(owned))
  }

  release(): void {
    this.forget()
    this.tell(false)
    this.locks.unlock(this.name, this)
  }
}

/** A replica that sits on the engine. */
export function localReplica<T>(database: Database, schema: TypedSchema<T>, options: LocalOptions<T>): Replica<T> {
  return new LocalReplica<T>(database, schema, options)
}
