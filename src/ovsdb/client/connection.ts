import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { Changes } from './changes.ts'
import type { Draft } from './draft.ts'
import { type EditOptions, Edits } from './edits.ts'
import { TransactFailure } from './failure.ts'
import type { Operation, OperationResult } from './operation.ts'
import type {
  LockHandle,
  Replica,
  ReplicaChange,
  ReplicaState,
  TableCondition,
  TableName,
  TableReplica,
} from './replica.ts'

/**
 * A connection to a database: its tables, kept up to date, and transactions on it. Made by `connect`;
 * it reconnects by itself until it is closed.
 */
export class OvsdbConnection<T> {
  private readonly edits: Edits<T>

  constructor(
    readonly replica: Replica<T>,
    private readonly clock: Clock,
    random: Random,
  ) {
    this.edits = new Edits(replica, clock, random)
  }

  get connected(): boolean {
    return this.replica.state === 'synced'
  }

  /** The rows of a table, as they are now; they are immutable, a change is another object. */
  table<N extends TableName<T>>(name: N): TableReplica<T[N]> {
    return this.replica.table(name)
  }

  /** Asks for other rows of a table from now on: all, none, or those for which one of the conditions holds. */
  setCondition<N extends TableName<T>>(table: N, condition: TableCondition<T[N]>): void {
    this.replica.setCondition(table, condition as TableCondition)
  }

  /** Whether the server has not yet answered a condition that was set: the rows may still be those of the last. */
  get conditionsPending(): boolean {
    return this.replica.conditionsPending
  }

  /** Calls `listener` once for each update, after the tables have changed. Returns how to stop it. */
  onChange(listener: (change: ReplicaChange<T>) => void): () => void {
    return this.replica.onChange(listener)
  }

  /** Calls `listener` whenever the connection comes or goes. Returns how to stop it. */
  onState(listener: (state: ReplicaState) => void): () => void {
    return this.replica.onState(listener)
  }

  /**
   * Every change from now on, for `for await`, until the loop is left or the connection closed. One that
   * waits for a slow loop is joined with those before it, so it never grows beyond the tables.
   */
  // One type argument: TypeScript before 5.6 knows no other.
  changes(): AsyncIterableIterator<ReplicaChange<T>> {
    return new Changes(this.replica)
  }

  /**
   * Resolves when `test` holds, now or after some change; rejects after `timeout` milliseconds, if given, with
   * what `test` throws, and when the connection is closed.
   */
  until(test: () => boolean, options: { readonly timeout?: number } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (test()) {
        resolve()
        return
      }
      if (this.replica.state === 'closed') throw new Error('connection closed')
      const stops: (() => void)[] = []
      const end = (finish: () => void) => {
        for (const stop of stops) stop()
        finish()
      }
      const look = () => {
        try {
          if (test()) end(resolve)
        } catch (e) {
          end(() => reject(e))
        }
      }
      stops.push(
        this.replica.onChange(look),
        this.replica.onState((state) => {
          if (state === 'closed') end(() => reject(new Error('connection closed')))
          else look()
        }),
      )
      const { timeout } = options
      if (timeout === undefined) return
      const timer = this.clock.after(timeout, () => end(() => reject(new Error(`not within ${timeout} ms`))))
      stops.push(() => timer.cancel())
    })
  }

  /** Runs operations as they are; throws TransactFailure. The tables have what they did when it returns. */
  transact(operations: readonly Operation[]): Promise<readonly OperationResult[]> {
    return new Promise((resolve, reject) => {
      this.replica.transact(operations, (outcome) => {
        if (outcome.ok) resolve(outcome.results)
        else reject(new TransactFailure(outcome.error, operations))
      })
    })
  }

  /**
   * Typed edits, all or none. `change` sees the tables as they will be. It may run several times: when
   * something that it `verify`-ed was changed by another in between, or when it is tried apart from other
   * edits; so it has to depend on nothing but what it reads from the draft. Edits are done in order;
   * those that wait for a transaction that is under way go into the next one together.
   *
   * Without a connection it waits for one. Where the connection breaks before the answer, it finds out
   * what became of the transaction if a row was inserted; else it rejects with reason `unknown`.
   * Returns what `change` returned; throws TransactFailure, or what `change` throws.
   */
  edit<R>(change: (draft: Draft<T>) => R, options?: EditOptions): Promise<R> {
    return this.edits.add(change, options)
  }

  /**
   * Resolves once the lock is ours (RFC 7047 §4.1.8); watch `onChange` of what it gives for its loss and
   * its return. Asked for again by the same name it gives the same handle. Rejects when the connection is
   * closed before, and when the name is none.
   */
  lock(name: string): Promise<LockHandle> {
    return new Promise((resolve, reject) => {
      if (this.replica.state === 'closed') throw new Error('connection closed')
      const handle = this.replica.lock(name)
      if (handle.owned) {
        resolve(handle)
        return
      }
      const stop = this.replica.onState((state) => {
        if (state !== 'closed') return
        stop()
        reject(new Error('connection closed'))
      })
      // Whoever asked before, and waits or has lost the lock since, is told as well.
      const { onChange } = handle
      handle.onChange = (owned) => {
        onChange?.(owned)
        // It may have gone again before this was told.
        if (!handle.owned) return
        stop()
        handle.onChange = onChange
        resolve(handle)
      }
    })
  }

  close(): void {
    this.replica.close()
  }
}
