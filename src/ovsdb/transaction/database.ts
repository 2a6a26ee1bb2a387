import type { Clock, Timer } from '../../base/clock.ts'
import { type Random, uuid4 } from '../../base/random.ts'
import { type DatabaseSchema, Failure, type OvsdbError, type Row } from '../schema/index.ts'
import { apply, type ReferenceDeltas, rebuild, settle, settleUnchecked } from './commit.ts'
import type { Delta, Operation, OperationResult, Requester } from './operation.ts'
import { Overlay } from './overlay.ts'
import { Table } from './table.ts'
import { Blocked, Transaction } from './transaction.ts'

/** Where commits go to outlive the process. */
export interface Journal {
  /** Takes a transaction before it becomes visible; a text says why it can not. */
  append(delta: Delta, date: number): string | undefined
  /** Calls `done` when all that was appended so far is safe from a crash of the machine. */
  sync(done: (error?: string) => void): void
}

/** A transaction's operations, made (and, from JSON, parsed) one at a time, as they are run. */
export interface OperationSource {
  readonly length: number
  /** The values are canonical and within the columns' constraints. */
  readonly trusted: boolean
  /** The i-th operation; throws Failure. Called again from 0 when the transaction is tried again. */
  at(i: number): Operation
}

export interface TransactResult {
  /** One for each operation that ran. */
  readonly results: readonly OperationResult[]
  /** Why nothing was committed: the operation behind the last result failed, or the commit when all ran. */
  readonly error?: OvsdbError
  /** What was committed; undefined when nothing changed. */
  readonly delta?: Delta
}

export const anyone: Requester = { owns: () => false }

interface Waiting {
  run(): void
  abandon(error: OvsdbError): void
  timer: Timer | undefined
}

/** Operations of a program of this process, with values not yet canonical. */
export function operations(list: readonly Operation[]): OperationSource {
  return { length: list.length, trusted: false, at: (i) => list[i] as Operation }
}

/** As many transactions as the real server remembers for monitor_cond_since. */
const HISTORY = 100

/** One database: committed rows, and transactions that change them. Knows no I/O. */
export class Database {
  readonly name: string
  readonly tables: ReadonlyMap<string, Table>
  /** The uuid of the last transaction: of the contents as they are. */
  lastId: string
  /** The latest transactions, oldest first. */
  readonly history: Delta[] = []
  /** Commits that are to outlive the process go here. */
  journal: Journal | undefined
  /** Clients may only read: the server's own database, a backup, a relay without its source. */
  readOnly = false
  private readonly listeners = new Set<(delta: Delta) => void>()
  private readonly waiting = new Set<Waiting>()
  private retrying = false

  constructor(
    readonly schema: DatabaseSchema,
    private readonly clock: Clock,
    private readonly random: Random,
  ) {
    this.name = schema.name
    this.tables = new Map([...schema.tables].map(([name, table]) => [name, new Table(table)]))
    this.lastId = uuid4(random)
  }

  row(table: string, uuid: string): Row | undefined {
    return this.tables.get(table)?.rows.get(uuid)
  }

  rows(table: string): IterableIterator<Row> {
    return (this.tables.get(table)?.rows ?? new Map<string, Row>()).values()
  }

  /** Calls `listener` after each commit that changed something, before the answer to whoever made it. */
  onCommit(listener: (delta: Delta) => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  /** Runs native operations at once; a `wait` that does not hold has timed out. */
  transact(list: readonly Operation[], requester: Requester = anyone): TransactResult {
    const result = this.attempt(operations(list), requester, Number.MAX_SAFE_INTEGER)
    return result instanceof Blocked ? { results: [], error: { error: 'timed out' } } : result
  }

  /**
   * Runs a transaction, again after each commit while a `wait` of it blocks. `done` is called once:
   * at once, or when the wait is over and, for a durable commit, when it is safe. Returns how to
   * withdraw it while it waits: then `done` is never called, and `true` returned.
   */
  submit(source: OperationSource, requester: Requester, done: (result: TransactResult) => void): () => boolean {
    const start = this.clock.monotonic()
    const waiting: Waiting = {
      timer: undefined,
      abandon: (error) => done({ results: [], error }),
      run: () => {
        const elapsed = Math.floor(this.clock.monotonic() - start)
        const result = this.attempt(source, requester, elapsed)
        if (!(result instanceof Blocked)) {
          this.forget(waiting)
          this.finish(result, done)
          return
        }
        this.waiting.add(waiting)
        waiting.timer?.cancel()
        waiting.timer =
          result.timeout === undefined ? undefined : this.clock.after(Math.ceil(result.timeout - elapsed), waiting.run)
      },
    }
    waiting.run()
    return () => this.forget(waiting)
  }

  private forget(waiting: Waiting): boolean {
    waiting.timer?.cancel()
    return this.waiting.delete(waiting)
  }

  private finish(result: TransactResult, done: (result: TransactResult) => void): void {
    if (!result.delta?.durable || !this.journal) {
      done(result)
      return
    }
    this.journal.sync((error) => {
      done(error === undefined ? result : { results: result.results, error: { error: 'I/O error', details: error } })
    })
  }

  private attempt(source: OperationSource, requester: Requester, elapsed: number): TransactResult | Blocked {
    const transaction = new Transaction(this.tables, this.random, requester, this.readOnly, elapsed)
    const results: OperationResult[] = []
    try {
      for (let i = 0; i < source.length; i++) results.push(transaction.execute(source.at(i), source.trusted))
      const delta = this.commit(transaction)
      return delta ? { results, delta } : { results }
    } catch (e) {
      if (e instanceof Blocked) return e
      if (e instanceof Failure) return { results, error: e.error }
      throw e
    }
  }

  private commit(transaction: Transaction): Delta | undefined {
    const { overlay } = transaction
    if (!overlay.changes.size) return undefined
    const deltas = settle(overlay)
    const { durable } = transaction
    return this.publish(overlay, deltas, { comment: transaction.comments.join('\n'), durable, id: uuid4(this.random) })
  }

  /**
   * Takes over what another server committed: each row as it is now, or undefined for one that is
   * gone. Nothing is checked; read-only databases take it too. @param id of that transaction.
   */
  adopt(rows: ReadonlyMap<string, ReadonlyMap<string, Row | undefined>>, id?: string): Delta | undefined {
    const overlay = new Overlay(this.tables)
    for (const [name, changes] of rows) {
      const table = this.tables.get(name)
      if (table) for (const [uuid, row] of changes) overlay.put(table, uuid, row)
    }
    const deltas = settleUnchecked(overlay)
    return this.publish(overlay, deltas, { comment: '', durable: false, id: id ?? uuid4(this.random) })
  }

  private publish(
    overlay: Overlay,
    deltas: ReferenceDeltas,
    note: { readonly comment: string; readonly durable: boolean; readonly id: string },
  ): Delta | undefined {
    const { id } = note
    const tables = new Map<string, ReadonlyMap<string, { old?: Row; new?: Row }>>()
    for (const [name, changes] of overlay.changes) {
      if (!changes.size) continue
      tables.set(name, changes as ReadonlyMap<string, { old?: Row; new?: Row }>)
      for (const change of changes.values()) {
        // The row is the transaction's own until it is committed.
        if (change.new) (change.new as { _version: string })._version = id
      }
    }
    if (!tables.size) return undefined
    const delta: Delta = { ...note, tables }
    const error = this.journal?.append(delta, this.clock.now())
    if (error !== undefined) throw new Failure({ error: 'I/O error', details: error })
    apply(overlay, deltas)
    this.announce(delta)
    return delta
  }

  private announce(delta: Delta): void {
    this.lastId = delta.id
    this.history.push(delta)
    if (this.history.length > HISTORY) this.history.shift()
    for (const listener of [...this.listeners]) listener(delta)
    if (this.waiting.size && !this.retrying) {
      this.retrying = true
      this.clock.after(0, () => {
        this.retrying = false
        for (const waiting of [...this.waiting]) if (this.waiting.has(waiting)) waiting.run()
      })
    }
  }

  /** Puts a row as it was read from storage, unchecked: `loaded` must follow before anything else. */
  load(table: string, uuid: string, row: Row | undefined): void {
    const rows = this.tables.get(table)?.rows
    if (row) rows?.set(uuid, row)
    else rows?.delete(uuid)
  }

  /** Takes the rows that were loaded as the committed state. */
  loaded(): void {
    rebuild(this.tables)
  }

  /** Ends every transaction that waits, with this error and no result. */
  abandon(error: OvsdbError): void {
    for (const waiting of [...this.waiting]) {
      if (this.forget(waiting)) waiting.abandon(error)
    }
  }
}
