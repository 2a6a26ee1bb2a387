import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Operation } from '../client/operation.ts'
import {
  type Replica,
  type RowChange,
  type TableName,
  type TransactError,
  transactErrorLine,
} from '../client/replica.ts'
import { ServerLimits } from './limits.ts'
import { aboutRefused } from './refused.ts'
import { Transactor } from './transactor.ts'

/**
 * What a part wants of some rows: given a key of its own, the operations that lead from the
 * replica's present contents to the desired ones; none where all is well.
 */
export type Check = (key: string) => readonly Operation[]

export interface Watch<T> {
  /** Which key a change of a row concerns: so that what others do to our rows is put right. */
  readonly on?: { readonly [N in TableName<T>]?: (change: RowChange<T[N]>) => readonly string[] }
}

const RETRY_MS = 1000
/** What is refused again and again is tried ever less often. */
const MAX_RETRY_MS = 60_000

/**
 * Brings rows of a database, or the parts of them that are ours, to what they should be. Keys are marked
 * as dirty and compared with the replica when the transaction is made up; after a failure, or an unknown
 * outcome, the same keys are compared again.
 */
export class Reconciler<T> {
  private readonly checks = new Map<string, Check>()
  private readonly dirty = new Map<string, Set<string>>()
  private readonly stops: (() => void)[] = []
  private readonly transactor: Transactor<T>
  private limits: ServerLimits
  /** What the transaction under way is about. */
  private sent: readonly Mark[] = []
  /** Keys of refused transactions, and from when on they may be tried again. */
  private readonly suspects = new Map<string, { readonly due: number; readonly pause: number }>()
  /** Called when nothing is under way and nothing is dirty. */
  onIdle: (() => void) | undefined

  constructor(
    private readonly replica: Replica<T>,
    private readonly options: {
      readonly clock: Clock
      readonly log: Log
      /** Goes with every transaction, for the server's log. */
      readonly comment: string
      /** Whether to write at all. */
      readonly enabled: () => boolean
    },
  ) {
    const limits = (before?: ServerLimits) =>
      ServerLimits.of(replica, replica.schema.tables.keys(), options.log, before)
    this.limits = limits()
    this.transactor = new Transactor(replica, {
      clock: options.clock,
      ready: () => this.dirty.size > 0 && options.enabled(),
      collect: () => this.collect(),
      committed: () => {
        for (const mark of this.sent) this.suspects.delete(markText(mark))
        this.goOn()
      },
      failed: (error) => {
        this.failed(error)
        this.goOn()
        return undefined
      },
      idle: () => {
        if (!this.dirty.size) this.onIdle?.()
      },
    })
    this.stops.push(
      // another server, or the same after an upgrade, may take more or less
      replica.onState((state) => {
        if (state === 'synced') this.limits = limits(this.limits)
      }),
      replica.onSynced(() => this.schedule()),
    )
  }

  private goOn(): void {
    if (this.dirty.size) this.schedule()
    else this.onIdle?.()
  }

  watch(name: string, check: Check, watch: Watch<T> = {}): void {
    this.checks.set(name, check)
    const on = watch.on
    if (!on) return
    this.stops.push(
      this.replica.onChange((change) => {
        for (const [table, keysOf] of Object.entries(on)) {
          const rows = change.tables[table as TableName<T>] as ReadonlyMap<string, RowChange<unknown>> | undefined
          if (!rows) continue
          const of = keysOf as (change: RowChange<unknown>) => readonly string[]
          for (const row of rows.values()) for (const key of of(row)) this.mark(name, key)
        }
      }),
    )
  }

  mark(name: string, key: string): void {
    let keys = this.dirty.get(name)
    if (!keys) {
      keys = new Set()
      this.dirty.set(name, keys)
    }
    keys.add(key)
    this.schedule()
  }

  get idle(): boolean {
    return !this.transactor.underWay && this.dirty.size === 0
  }

  /** Looks at the dirty keys soon. */
  schedule(): void {
    this.transactor.schedule()
  }

  close(): void {
    this.transactor.close()
    for (const stop of this.stops) stop()
  }

  private collect(): Operation[] {
    const operations: Operation[] = []
    const sent: Mark[] = []
    this.collectDirty(operations, sent)
    this.sent = sent
    if (operations.length) operations.push({ op: 'comment', comment: this.options.comment })
    return operations
  }

  /**
   * Takes the operations of all dirty keys; of those that a refused transaction had, only one, by
   * itself: so one wish that the database does not grant holds up no other.
   */
  private collectDirty(operations: Operation[], sent: Mark[]): void {
    const now = this.options.clock.monotonic()
    let suspect: Mark | undefined
    for (const [name, check] of this.checks) {
      const keys = this.dirty.get(name)
      if (!keys) continue
      for (const key of keys) {
        const due = this.suspects.get(`${name} ${key}`)?.due
        if (due !== undefined) {
          if (due <= now) suspect ??= { name, key }
          continue
        }
        keys.delete(key)
        this.take({ name, key }, check, operations, sent)
      }
      if (!keys.size) this.dirty.delete(name)
    }
    if (operations.length || !suspect) return
    const keys = this.dirty.get(suspect.name)
    keys?.delete(suspect.key)
    if (keys?.size === 0) this.dirty.delete(suspect.name)
    this.take(suspect, this.checks.get(suspect.name) as Check, operations, sent)
    if (!operations.length) {
      this.suspects.delete(markText(suspect))
      this.schedule()
    }
  }

  private take(mark: Mark, check: Check, operations: Operation[], sent: Mark[]): void {
    const ops = this.limits.writable(check(mark.key))
    if (!ops.length) return
    operations.push(...ops)
    sent.push(mark)
  }

  private failed(error: TransactError): void {
    const { sent } = this
    this.options.log.child('ovsdb_idl').warn(`transaction error: ${transactErrorLine(error)}`, {
      code: 'transaction-failed',
      transaction: sent.slice(0, MOST_TOLD).map(markText).join(', '),
      ...aboutRefused(error),
    })
    const { clock } = this.options
    let wait = MAX_RETRY_MS
    for (const { name, key } of sent) {
      const keys = this.dirty.get(name)
      if (keys) keys.add(key)
      else this.dirty.set(name, new Set([key]))
      if (error.kind !== 'refused') continue
      // The first time it may have been another's fault; what is refused by itself waits.
      const before = this.suspects.get(`${name} ${key}`)?.pause ?? 0
      const pause = sent.length > 1 ? 0 : Math.min(MAX_RETRY_MS, Math.max(RETRY_MS, 2 * before))
      this.suspects.set(`${name} ${key}`, { due: clock.monotonic() + pause, pause })
      wait = Math.min(wait, pause)
    }
    // What refused it may take time to change; what raced with it has changed already.
    if (error.kind === 'refused') clock.after(wait, () => this.schedule())
  }
}

/** How many of the keys that a transaction is about are told of one that failed. */
const MOST_TOLD = 8

interface Mark {
  readonly name: string
  readonly key: string
}

const markText = (m: Mark): string => `${m.name} ${m.key}`
