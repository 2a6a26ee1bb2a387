import type { Clock, Timer } from '../../base/clock.ts'
import { below, type Random } from '../../base/random.ts'
import { Draft } from './draft.ts'
import { TransactFailure } from './failure.ts'
import type { Operation } from './operation.ts'
import type { Replica, TransactError, TransactOutcome } from './replica.ts'

/** How one edit is done. */
export interface EditOptions {
  /** Milliseconds that it may wait for a connection, and for a moment when no other client gets in between; 30,000 unless given. */
  readonly timeout?: number
  /** In a transaction of its own, not together with what else is edited at the moment. */
  readonly alone?: boolean
}

interface Edit<T> {
  readonly change: (draft: Draft<T>) => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  alone: boolean
  /** How often another client got in between. */
  conflicts: number
  /** Why it is not done yet, and what was tried, for when its time is up. */
  reason: TransactError
  tried: readonly Operation[]
  value: unknown
  timer: Timer | undefined
  /** Its time was up while its transaction was under way: it waits for nothing after that. */
  late: boolean
}

/** A transaction whose answer never came, but of which can be found out what became of it. */
interface Unsettled<T> {
  readonly edits: readonly Edit<T>[]
  readonly operations: readonly Operation[]
  /** A row that it made: where it is, the transaction is. */
  readonly table: string
  readonly uuid: string
}

/** Milliseconds that are waited after another client got in between, at most. */
const LONGEST_WAIT_MS = 100
/** How many edits go into one transaction at most. */
const TOGETHER = 100
const TIMEOUT_MS = 30_000

/**
 * The edits of one connection, in the order in which they were asked for. One transaction is under way at
 * a time; what is edited meanwhile goes into the next, together, so that no edit works on tables that lack
 * an earlier one, and many small edits cost few round trips. Each succeeds or fails by itself: where a
 * common transaction is refused, its edits are done one by one.
 */
export class Edits<T> {
  private readonly queue: Edit<T>[] = []
  private underWay = false
  private soon: Timer | undefined
  private unsettled: Unsettled<T> | undefined

  constructor(
    private readonly replica: Replica<T>,
    private readonly clock: Clock,
    private readonly random: Random,
  ) {
    replica.onSynced(() => this.schedule(0))
    replica.onState((state) => {
      if (state === 'closed') this.closed()
    })
  }

  add<R>(change: (draft: Draft<T>) => R, options: EditOptions = {}): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const edit: Edit<T> = {
        change,
        resolve: (value) => resolve(value as R),
        reject,
        alone: options.alone ?? false,
        conflicts: 0,
        reason: { kind: 'timeout' },
        tried: [],
        value: undefined,
        timer: undefined,
        late: false,
      }
      if (this.replica.state === 'closed') reject(new TransactFailure({ kind: 'disconnected' }))
      else {
        edit.timer = this.clock.after(options.timeout ?? TIMEOUT_MS, () => this.timedOut(edit))
        this.queue.push(edit)
        this.schedule(0)
      }
    })
  }

  private schedule(delay: number): void {
    this.soon?.cancel()
    this.soon = this.clock.after(delay, () => {
      this.soon = undefined
      this.run()
    })
  }

  private run(): void {
    if (this.underWay || this.replica.state !== 'synced') return
    if (this.unsettled) {
      this.findOut(this.unsettled)
      return
    }
    const next = this.compose()
    if (!next) return
    const { edits, operations } = next
    this.underWay = true
    try {
      this.replica.transact(operations, (outcome) => {
        this.underWay = false
        this.answered(edits, operations, outcome)
      })
    } catch (e) {
      // operations that have no JSON form, as a column that the schema does not have
      this.underWay = false
      this.unsendable(edits, e)
    }
  }

  private unsendable(edits: readonly Edit<T>[], error: unknown): void {
    const [only] = edits
    if (edits.length === 1 && only) this.failed(only, error)
    else {
      for (const edit of edits) edit.alone = true
      this.queue.unshift(...edits)
    }
    this.run()
  }

  /** Takes the next edits, and what they come to; undefined: there are none, or nothing is to be done. */
  private compose(): { readonly edits: readonly Edit<T>[]; readonly operations: readonly Operation[] } | undefined {
    for (;;) {
      const [first] = this.queue
      if (!first) return undefined
      const after = this.queue.findIndex((e) => e.alone)
      const many = first.alone ? 1 : Math.min(after < 0 ? this.queue.length : after, TOGETHER)
      const edits = this.queue.slice(0, many)
      const draft = new Draft<T>(this.replica, this.random)
      const thrown = edits.find((edit) => this.thrown(edit, draft))
      draft.end()
      // a draft that an edit left half way is good for none
      if (thrown) continue
      this.queue.splice(0, many)
      const operations = draft.operations()
      if (operations.length) return { edits, operations }
      for (const edit of edits) this.done(edit)
    }
  }

  /** Whether an edit threw; it is out of the queue then, and told. */
  private thrown(edit: Edit<T>, draft: Draft<T>): boolean {
    try {
      edit.value = edit.change(draft)
      refusePromise(edit.value)
      return false
    } catch (e) {
      this.queue.splice(this.queue.indexOf(edit), 1)
      this.failed(edit, e)
      return true
    }
  }

  private answered(edits: readonly Edit<T>[], operations: readonly Operation[], outcome: TransactOutcome): void {
    if (outcome.ok) {
      for (const edit of edits) this.done(edit)
      this.run()
      return
    }
    const { error } = outcome
    if (error.kind === 'unknown') this.lost(edits, operations)
    else if (error.kind === 'disconnected') this.again(edits, error, operations)
    else if (edits.length > 1) {
      for (const edit of edits) edit.alone = true
      this.again(edits, error, operations)
      this.schedule(0)
    } else if (error.kind === 'conflict') {
      this.again(edits, error, operations)
      this.schedule(this.waitAfterConflict(edits))
    } else {
      for (const edit of edits) this.failed(edit, new TransactFailure(error, operations))
      this.run()
    }
  }

  /** By chance, so that of many clients that want the same not all come back at once; longer after each time. */
  private waitAfterConflict(edits: readonly Edit<T>[]): number {
    const times = Math.max(...edits.map((edit) => ++edit.conflicts))
    return below(this.random, Math.min(2 ** times, LONGEST_WAIT_MS) + 1)
  }

  /** Puts edits back to where they were; run when there is a connection. */
  private again(edits: readonly Edit<T>[], error: TransactError, operations: readonly Operation[]): void {
    const closed = this.replica.state === 'closed'
    const left = edits.filter((edit) => !closed && !edit.late)
    for (const edit of edits) {
      if (!left.includes(edit)) this.failed(edit, new TransactFailure(error, operations))
      else [edit.reason, edit.tried] = [error, operations]
    }
    this.queue.unshift(...left)
  }

  /** The connection broke before the answer. */
  private lost(edits: readonly Edit<T>[], operations: readonly Operation[]): void {
    const insert = this.telling(operations)
    const tells = this.replica.state !== 'closed' && insert?.op === 'insert' && insert.uuid !== undefined
    const left = edits.filter((edit) => tells && !edit.late)
    for (const edit of edits) {
      if (!left.includes(edit)) this.failed(edit, new TransactFailure({ kind: 'unknown' }, operations))
    }
    if (tells && left.length) this.unsettled = { edits: left, operations, table: insert.table, uuid: insert.uuid }
  }

  /** The insert whose row tells best: one that stays though nothing refers to it. */
  private telling(operations: readonly Operation[]): Operation | undefined {
    const inserts = operations.filter((op) => op.op === 'insert' && op.uuid !== undefined)
    const stays = (op: Operation) => op.op === 'insert' && this.replica.schema.tables.get(op.table)?.isRoot
    return inserts.find(stays) ?? inserts[0]
  }

  /**
   * Where a row is that the transaction was to make, it came about. Where not, the same is sent again, on
   * condition that the row is not there by then: a uuid is given out once, so that of two that arrive
   * only one can come about.
   */
  private findOut(unsettled: Unsettled<T>): void {
    const { edits, operations, table, uuid } = unsettled
    this.unsettled = undefined
    if (this.replica.anyTable(table)?.has(uuid)) {
      this.answered(edits, operations, { ok: true, results: [] })
      return
    }
    const where = [['_uuid', '==', uuid]] as const
    const absent: Operation = { op: 'wait', table, where, columns: ['_uuid'], until: '==', rows: [], timeout: 0 }
    this.underWay = true
    this.replica.transact([absent, ...operations], (outcome) => {
      this.underWay = false
      const there = !outcome.ok && (isOf(outcome.error, absent) || isDuplicate(outcome.error))
      if (!outcome.ok && outcome.error.kind === 'disconnected' && this.replica.state !== 'closed') {
        this.unsettled = unsettled
      } else this.answered(edits, operations, there ? { ok: true, results: [] } : outcome)
    })
  }

  private done(edit: Edit<T>): void {
    edit.timer?.cancel()
    edit.resolve(edit.value)
  }

  private failed(edit: Edit<T>, error: unknown): void {
    edit.timer?.cancel()
    edit.reject(error)
  }

  /** What is under way has its answer, or its end, soon enough: the connection is probed. */
  private timedOut(edit: Edit<T>): void {
    const at = this.queue.indexOf(edit)
    if (at >= 0) {
      this.queue.splice(at, 1)
      const reason: TransactError = this.replica.state === 'synced' ? edit.reason : { kind: 'disconnected' }
      edit.reject(new TransactFailure(reason, edit.tried))
    } else if (this.unsettled?.edits.includes(edit)) {
      const { edits, operations } = this.unsettled
      this.unsettled = undefined
      for (const each of edits) this.failed(each, new TransactFailure({ kind: 'unknown' }, operations))
    } else edit.late = true
  }

  private closed(): void {
    this.soon?.cancel()
    for (const edit of this.queue.splice(0)) this.failed(edit, new TransactFailure({ kind: 'disconnected' }))
    const { unsettled } = this
    this.unsettled = undefined
    for (const edit of unsettled?.edits ?? [])
      this.failed(edit, new TransactFailure({ kind: 'unknown' }, unsettled?.operations))
  }
}

/** An edit that waits would go on when its transaction is over; what it then does not find is nobody's business. */
function refusePromise(value: unknown): void {
  if (typeof value !== 'object' || value === null || !('then' in value) || typeof value.then !== 'function') return
  Promise.resolve(value).catch(() => {})
  throw new Error('an edit can not wait: its function gave a promise')
}

const isOf = (error: TransactError, operation: Operation): boolean =>
  error.kind === 'conflict' && error.operation === operation

const isDuplicate = (error: TransactError): boolean =>
  error.kind === 'refused' && error.error.error === 'duplicate uuid'
