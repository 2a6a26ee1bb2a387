import type { Clock, Timer } from '../../base/clock.ts'
import { type Random, uuid4 } from '../../base/random.ts'
import { type DatabaseSchema, Failure, type OvsdbError, type Row } from '../schema/index.ts'
import { apply, type ReferenceDeltas, rebuild, settle, settleUnchecked } from './commit.ts'
import type { Delta, Operation, OperationResult, Requester, RowChange } from './operation.ts'
import { Overlay } from './overlay.ts'
import { andThen, finish, inGroups, isSteps, type Steps, type Work } from './steps.ts'
import { Table } from './table.ts'
import { Blocked, Transaction } from './transaction.ts'

/** Where commits go to outlive the process. */
export interface Journal {
  /** Takes a transaction before it becomes visible; a text says why it can not. */
  append(delta: Delta, date: number): Work<OvsdbError | undefined>
  /** Calls `done` when all that was appended so far is safe from a crash of the machine. */
  sync(done: (error?: OvsdbError) => void): void
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

/** The error of a transaction that was withdrawn, or whose database is gone: it did not run. */
export const CANCELED = { error: 'canceled' } as const

export const anyone: Requester = { owns: () => false }

/** A transaction that somebody waits for. */
interface Submission {
  attempt(): Work<Outcome>
  ended(outcome: Outcome): void
  abandon(error: OvsdbError): void
  timer: Timer | undefined
}

type Outcome = TransactResult | Blocked

/** Operations of a program of this process, with values not yet canonical. */
export function operations(list: readonly Operation[]): OperationSource {
  return { length: list.length, trusted: false, at: (i) => list[i] as Operation }
}

/** How long a transaction may hold up all others of the process at a time, in milliseconds. */
const SLICE = 25
/** So many operations are run before a transaction may be put aside. */
const STEP_OPERATIONS = 256

/** As many transactions as the real server remembers for monitor_cond_since. */
const HISTORY = 100
/** Transactions that changed more rows than this together are remembered only as far as there are as many rows. */
const HISTORY_ROWS = 10_000

/** One database: committed rows, and transactions that change them. Knows no I/O. */
export class Database {
  readonly name: string
  readonly tables: ReadonlyMap<string, Table>
  /** The uuid of the last transaction: of the contents as they are. */
  lastId: string
  /** The latest transactions, oldest first, and some older ones. */
  private readonly remembered: Delta[] = []
  /** Rows that they changed. */
  private historyRows = 0
  /** Commits that are to outlive the process go here. */
  journal: Journal | undefined
  /** Clients may only read: the server's own database, a backup, a relay without its source. */
  readOnly = false
  private readonly listeners = new Set<(delta: Delta) => void>()
  private readonly waiting = new Set<Submission>()
  private retrying = false
  private running: { readonly submission: Submission; readonly steps: Steps<Outcome> } | undefined
  /** What comes while a transaction is under way, in order. */
  private readonly queue = new Set<Submission>()
  private draining = false
  /** The locks that the transaction under way, or the last one, has asserted so far. */
  private asserted: ReadonlySet<string> = new Set()
  /** Commits that the listeners have yet to hear of, while they hear of one. */
  private readonly announcements: Delta[] = []
  private announcing = false
  /** Why nothing is done here any more. */
  private gone: OvsdbError | undefined

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
    if (this.gone) return { results: [], error: this.gone }
    this.finishRunning()
    const result = finish(this.attempt(operations(list), requester, Number.MAX_SAFE_INTEGER))
    if (result instanceof Blocked) return { results: [], error: { error: 'timed out' } }
    if (result.delta) this.announce(result.delta)
    return result
  }

  /**
   * Runs a transaction, again after each commit while a `wait` of it blocks. A large one is run in
   * slices, and nothing of it is seen before it commits; others' transactions come after it. `done` is
   * called once: at once, or when it has had its turn, the wait is over and, for a durable commit, it
   * is safe. Returns how to withdraw it while it waits: then `done` is never called, and `true` returned.
   */
  submit(source: OperationSource, requester: Requester, done: (result: TransactResult) => void): () => boolean {
    if (this.gone) {
      done({ results: [], error: this.gone })
      return () => false
    }
    let start: number | undefined
    let elapsed = 0
    let withdrawn = false
    const submission: Submission = {
      timer: undefined,
      attempt: () => {
        const now = this.clock.monotonic()
        start ??= now
        elapsed = Math.floor(now - start)
        return this.attempt(source, requester, elapsed)
      },
      abandon: (error) => done({ results: [], error }),
      ended: (outcome) => {
        if (!(outcome instanceof Blocked)) {
          this.forget(submission)
          this.finish(outcome, done)
          return
        }
        if (withdrawn) {
          submission.abandon(CANCELED)
          return
        }
        this.waiting.add(submission)
        submission.timer?.cancel()
        submission.timer =
          outcome.timeout === undefined
            ? undefined
            : this.clock.after(Math.ceil(outcome.timeout - elapsed), () => this.run(submission))
      },
    }
    this.run(submission)
    return () => {
      withdrawn = true
      return this.forget(submission)
    }
  }

  private forget(submission: Submission): boolean {
    submission.timer?.cancel()
    const waited = this.waiting.delete(submission)
    return (this.queue.delete(submission) || waited) && this.running?.submission !== submission
  }

  private finish(result: TransactResult, done: (result: TransactResult) => void): void {
    if (!result.delta?.durable || !this.journal) {
      done(result)
      return
    }
    this.journal.sync((error) => {
      done(error ? { results: result.results, error } : result)
    })
  }

  /** Runs a transaction, or puts it behind the one that is under way, or is being told of. */
  private run(submission: Submission): void {
    if (this.running || this.queue.size || this.announcing) {
      this.queue.add(submission)
      this.drainSoon()
      return
    }
    this.begin(submission)
  }

  private begin(submission: Submission): void {
    const work = submission.attempt()
    if (isSteps(work)) {
      this.running = { submission, steps: work }
      this.goOn()
    } else this.end(submission, work)
  }

  /** Goes on with the transaction under way, until it ends or has taken its time. */
  private goOn(): void {
    const { running } = this
    if (!running) return
    let until: number | undefined
    for (;;) {
      const step = running.steps.next()
      if (step.done) {
        this.end(running.submission, step.value)
        return
      }
      const now = this.clock.monotonic()
      until ??= now + SLICE
      if (now < until) continue
      this.clock.after(0, () => {
        if (this.running === running) this.goOn()
      })
      return
    }
  }

  private end(submission: Submission, outcome: Outcome): void {
    this.running = undefined
    if (!(outcome instanceof Blocked) && outcome.delta) this.announce(outcome.delta)
    submission.ended(outcome)
    this.drainSoon()
  }

  /** Runs what has queued up behind a large transaction. */
  private drain(): void {
    this.draining = false
    const until = this.clock.monotonic() + SLICE
    for (const next of this.queue) {
      if (this.running) return
      this.queue.delete(next)
      this.begin(next)
      if (this.clock.monotonic() >= until) break
    }
    this.drainSoon()
  }

  private drainSoon(): void {
    if (!this.queue.size || this.draining || this.running) return
    this.draining = true
    this.clock.after(0, () => this.drain())
  }

  /** Ends what is under way, at once: before something that needs the database to itself. */
  finishRunning(): void {
    const { running } = this
    if (running) this.end(running.submission, finish(running.steps))
  }

  /**
   * A lock is about to go to somebody else: what was asserted by whoever has it is done first, so that the
   * next one sees it.
   */
  handOver(lock: string): void {
    if (this.running && this.asserted.has(lock)) this.finishRunning()
  }

  /** Ends what is under way and runs all that has queued up behind it, at once. */
  finishQueued(): void {
    this.finishRunning()
    for (const next of this.queue) {
      this.queue.delete(next)
      this.begin(next)
      this.finishRunning()
    }
  }

  private attempt(source: OperationSource, requester: Requester, elapsed: number): Work<Outcome> {
    const transaction = new Transaction(this.tables, this.random, requester, this.readOnly, elapsed)
    this.asserted = transaction.asserted
    const results: OperationResult[] = []
    try {
      const work = this.operate(transaction, source, results)
      return isSteps(work) ? attemptInSteps(work, results) : committed(results, work)
    } catch (e) {
      return failed(results, e)
    }
  }

  /** Runs operations and commits what they did. */
  private operate(
    transaction: Transaction,
    source: OperationSource,
    results: OperationResult[],
  ): Work<Delta | undefined> {
    const atOnce = Math.min(source.length, STEP_OPERATIONS)
    while (results.length < atOnce) {
      const work = transaction.execute(source.at(results.length), source.trusted)
      if (isSteps(work)) return this.operateInSteps(transaction, source, results, work)
      results.push(work)
    }
    if (atOnce < source.length) return this.operateInSteps(transaction, source, results)
    return this.commit(transaction)
  }

  /** @param operation what is left of the operation under way */
  private *operateInSteps(
    transaction: Transaction,
    source: OperationSource,
    results: OperationResult[],
    operation?: Steps<OperationResult>,
  ): Steps<Delta | undefined> {
    if (operation) results.push(yield* operation)
    while (results.length < source.length) {
      if (results.length % STEP_OPERATIONS === 0) yield
      const work = transaction.execute(source.at(results.length), source.trusted)
      results.push(isSteps(work) ? yield* work : work)
    }
    const work = this.commit(transaction)
    return isSteps(work) ? yield* work : work
  }

  private commit(transaction: Transaction): Work<Delta | undefined> {
    const { overlay } = transaction
    if (!overlay.changes.size) return undefined
    return andThen(settle(overlay), (deltas) => {
      const note = {
        comment: transaction.comments.join('\n'),
        durable: transaction.durable,
        id: uuid4(this.random),
      }
      return this.publish(overlay, deltas, note)
    })
  }

  /**
   * Takes over what another server committed: each row as it is now, or undefined for one that is
   * gone. Nothing is checked; read-only databases take it too. @param id of that transaction.
   */
  adopt(rows: ReadonlyMap<string, ReadonlyMap<string, Row | undefined>>, id?: string): Delta | undefined {
    if (this.gone) return undefined
    this.finishRunning()
    const overlay = new Overlay(this.tables)
    for (const [name, changes] of rows) {
      const table = this.tables.get(name)
      if (table) for (const [uuid, row] of changes) overlay.put(table, uuid, row)
    }
    const deltas = settleUnchecked(overlay)
    const note = { comment: '', durable: false, id: id ?? uuid4(this.random) }
    const delta = finish(this.publish(overlay, deltas, note))
    if (delta) this.announce(delta)
    return delta
  }

  /** Makes a settled transaction the committed state; it is yet to be announced. */
  private publish(
    overlay: Overlay,
    deltas: ReferenceDeltas,
    note: { readonly comment: string; readonly durable: boolean; readonly id: string },
  ): Work<Delta | undefined> {
    const tables = new Map<string, ReadonlyMap<string, RowChange>>()
    const stamped = inGroups(overlay.changes, (_, rows) => {
      // A row is the transaction's own until it is committed.
      for (const [, change] of rows) if (change.new) (change.new as { _version: string })._version = note.id
    })
    return andThen(stamped, () => {
      for (const [name, changes] of overlay.changes) {
        if (changes.size) tables.set(name, changes as ReadonlyMap<string, RowChange>)
      }
      if (!tables.size) return undefined
      const { id, comment, durable } = note
      const delta: Delta = { id, tables, comment, durable }
      return andThen(this.journal?.append(delta, this.clock.now()), (error) => {
        if (error) throw new Failure(error)
        return andThen(apply(overlay, deltas), () => delta)
      })
    })
  }

  /** The latest transactions, oldest first. */
  get history(): readonly Delta[] {
    return this.remembered.slice(-HISTORY)
  }

  /** Keeps the rows as they were, for clients that come back: never more of them than there are rows. */
  private remember(delta: Delta): void {
    const { remembered } = this
    remembered.push(delta)
    this.historyRows += changedRows(delta)
    // All that stay move up when one goes: many go at a time.
    if (remembered.length >= 2 * HISTORY) this.forgetOldest(HISTORY)
    let limit = HISTORY_ROWS
    if (this.historyRows > limit) for (const table of this.tables.values()) limit += table.rows.size
    while (remembered.length > 1 && this.historyRows > limit) this.forgetOldest(1)
  }

  private forgetOldest(count: number): void {
    for (const delta of this.remembered.splice(0, count)) this.historyRows -= changedRows(delta)
  }

  /** Tells every listener of every commit, in the order in which they were made, even of one that a listener makes. */
  private announce(delta: Delta): void {
    this.announcements.push(delta)
    if (this.announcing) return
    this.announcing = true
    try {
      for (let next = this.announcements.shift(); next; next = this.announcements.shift()) {
        this.lastId = next.id
        this.remember(next)
        for (const listener of [...this.listeners]) listener(next)
      }
    } finally {
      this.announcing = false
    }
    if (this.waiting.size && !this.retrying) {
      this.retrying = true
      this.clock.after(0, () => {
        this.retrying = false
        // There may be many of them: they take turns with all that comes meanwhile.
        for (const waiting of this.waiting) this.queue.add(waiting)
        this.drain()
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

  /**
   * The end of this database: every transaction that waits, and every later one, has this error and no result.
   * The one under way is finished.
   */
  abandon(error: OvsdbError): void {
    this.finishRunning()
    this.gone = error
    for (const waiting of [...this.waiting, ...this.queue]) {
      if (this.forget(waiting)) waiting.abandon(error)
    }
  }
}

function* attemptInSteps(work: Steps<Delta | undefined>, results: readonly OperationResult[]): Steps<Outcome> {
  try {
    return committed(results, yield* work)
  } catch (e) {
    return failed(results, e)
  }
}

function committed(results: readonly OperationResult[], delta: Delta | undefined): Outcome {
  return delta ? { results, delta } : { results }
}

function failed(results: readonly OperationResult[], e: unknown): Outcome {
  if (e instanceof Blocked) return e
  if (e instanceof Failure) return { results, error: e.error }
  // RFC 7047 §5.2: a text of it would be longer than any string can be.
  if (e instanceof RangeError) return { results, error: { error: 'resources exhausted', details: e.message } }
  throw e
}

function changedRows(delta: Delta): number {
  let n = 0
  for (const changes of delta.tables.values()) n += changes.size
  return n
}
