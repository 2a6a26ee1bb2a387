import type { Clock, Timer } from '../../base/clock.ts'
import type { Operation } from '../client/operation.ts'
import type { Replica, TransactError } from '../client/replica.ts'

export interface TransactorOptions {
  readonly clock: Clock
  /** Whether to write at all now; that the replica is synced goes without saying. */
  readonly ready: () => boolean
  /** The operations of the next transaction, from what is wanted and what is there by now. */
  readonly collect: () => Operation[]
  /** A transaction came about; the replica's tables have it. */
  readonly committed: () => void
  /**
   * A transaction did not come about. Returns for how many milliseconds no other is to be tried;
   * undefined: for none.
   */
  readonly failed: (error: TransactError) => number | undefined
  /** Nothing was to be written. */
  readonly idle: () => void
}

/**
 * Sends what writers want to a database, at most one transaction at a time: what they come to want
 * meanwhile goes into the next. So a slow server gets fewer and larger transactions, never a queue of
 * them, and each is made from tables that have the last one.
 */
export class Transactor<T> {
  private inFlight = false
  private soon = false
  private hold: Timer | undefined
  private closed = false

  constructor(
    private readonly replica: Replica<T>,
    private readonly options: TransactorOptions,
  ) {}

  /** Whether a transaction waits for its answer. */
  get underWay(): boolean {
    return this.inFlight
  }

  /** Sends what there is to be written once the present call is over. */
  schedule(): void {
    if (this.soon || this.closed) return
    this.soon = true
    this.options.clock.after(0, () => {
      this.soon = false
      this.flush()
    })
  }

  /** Sends what there is to be written now. */
  flush(): void {
    if (this.closed || this.inFlight || this.hold || this.replica.state !== 'synced' || !this.options.ready()) return
    const operations = this.options.collect()
    if (!operations.length) {
      this.options.idle()
      return
    }
    this.inFlight = true
    this.replica.transact(operations, (outcome) => {
      this.inFlight = false
      if (this.closed) return
      if (outcome.ok) this.options.committed()
      else this.failed(outcome.error)
    })
  }

  private failed(error: TransactError): void {
    const wait = this.options.failed(error)
    if (wait === undefined) return
    this.hold = this.options.clock.after(wait, () => {
      this.hold = undefined
      this.flush()
    })
  }

  close(): void {
    this.closed = true
    this.hold?.cancel()
  }
}
