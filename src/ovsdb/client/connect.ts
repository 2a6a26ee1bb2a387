import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import { err } from '../../base/result.ts'
import { SystemClock } from '../../io/clock.ts'
import { systemRandom } from '../../io/random.ts'
import { dial, parseActive } from '../../io/socket.ts'
import { dialTls, type TlsKeys } from '../../io/tls.ts'
import type { DatabaseSchema, Row } from '../schema/index.ts'
import { readSchema } from '../schema/index.ts'
import { Draft } from './draft.ts'
import type { Operation, OperationResult } from './operation.ts'
import { type Dial, RemoteReplica } from './remote.ts'
import {
  describeTransactError,
  type LockHandle,
  type Replica,
  type ReplicaChange,
  type TableName,
  type TableReplica,
  type TableRequests,
  type TransactError,
  type TypedSchema,
} from './replica.ts'
import { RpcClient } from './rpc.ts'

export interface ConnectOptions<T> {
  readonly schema: TypedSchema<T>
  /** `unix:FILE`, `tcp:HOST:PORT`, `ssl:HOST:PORT`; several of them are servers of one cluster. */
  readonly remotes: string | readonly string[]
  /** All of all tables, unless given. */
  readonly tables?: TableRequests<T>
  /** Of a cluster, only the leader will do: reads are never behind. True unless given. */
  readonly leaderOnly?: boolean
  /** Keys and certificates for `ssl:`, as the contents of their files. */
  readonly tls?: TlsKeys
  /** Milliseconds of silence after which the server is asked for a sign of life; 5000 unless given, 0: never. */
  readonly probeInterval?: number
  /** Milliseconds that the first contents may take to arrive; for ever, unless given. */
  readonly timeout?: number
  readonly log?: Log
  readonly clock?: Clock
  readonly random?: Random
}

/** A transaction that did not come about; `reason` says why, by kind. */
export class TransactFailure extends Error {
  override readonly name = 'TransactFailure'
  constructor(readonly reason: TransactError) {
    super(describeTransactError(reason))
  }
}

/** How often an edit is tried again after another client got in between. */
const ATTEMPTS = 10

/**
 * A connection to a database: its tables, kept up to date, and transactions on it. Made by `connect`;
 * it reconnects by itself until it is closed.
 */
export class OvsdbConnection<T> {
  constructor(
    readonly replica: Replica<T>,
    private readonly clock: Clock,
    private readonly random: Random,
  ) {}

  get connected(): boolean {
    return this.replica.state === 'synced'
  }

  /** The rows of a table, as they are now; they are immutable, a change is another object. */
  table<N extends TableName<T>>(name: N): TableReplica<T[N]> {
    return this.replica.table(name)
  }

  /** Calls `listener` once for each update, after the tables have changed. Returns how to stop it. */
  onChange(listener: (change: ReplicaChange<T>) => void): () => void {
    return this.replica.onChange(listener)
  }

  /** Every change from now on, until the loop is left or the connection closed. */
  async *changes(): AsyncGenerator<ReplicaChange<T>, void, void> {
    const queue: ReplicaChange<T>[] = []
    let wake = () => {}
    const stops = [
      this.replica.onChange((change) => {
        queue.push(change)
        wake()
      }),
      this.replica.onState(() => wake()),
    ]
    try {
      for (;;) {
        const change = queue.shift()
        if (change) yield change
        else if (this.replica.state === 'closed') return
        else {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      }
    } finally {
      for (const stop of stops) stop()
    }
  }

  /** Resolves when `test` holds, now or after some change. */
  until(test: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      if (test()) {
        resolve()
        return
      }
      const stops: (() => void)[] = []
      const end = (finish: () => void) => {
        for (const stop of stops) stop()
        finish()
      }
      stops.push(
        this.replica.onChange(() => {
          if (test()) end(resolve)
        }),
        this.replica.onState((state) => {
          if (state === 'closed') end(() => reject(new Error('connection closed')))
        }),
      )
    })
  }

  /** Runs operations as they are; throws TransactFailure. The tables have what they did when it returns. */
  transact(operations: readonly Operation[]): Promise<readonly OperationResult[]> {
    return new Promise((resolve, reject) => {
      this.replica.transact(operations, (outcome) => {
        if (outcome.ok) resolve(outcome.results)
        else reject(new TransactFailure(outcome.error))
      })
    })
  }

  /**
   * One transaction of typed edits. `change` sees the tables as they will be; it runs again when
   * something it has `verify`-ed was changed by another in between, so it has to depend on nothing
   * but what it reads from the draft. Returns what it returned; throws TransactFailure.
   */
  async edit<R>(change: (draft: Draft<T>) => R): Promise<R> {
    for (let attempt = 1; ; attempt++) {
      const draft = new Draft<T>(this.replica, this.random)
      const value = change(draft)
      const operations = draft.operations()
      if (!operations.length) return value
      try {
        await this.transact(operations)
        return value
      } catch (e) {
        const again = e instanceof TransactFailure && e.reason.kind === 'conflict' && attempt < ATTEMPTS
        if (!again) throw e
        await new Promise<void>((resolve) => this.clock.after(attempt, resolve))
      }
    }
  }

  /** Resolves once the lock is ours (RFC 7047 §4.1.8); watch `onChange` of what it gives for its loss. */
  lock(name: string): Promise<LockHandle> {
    const handle = this.replica.lock(name)
    return new Promise((resolve) => {
      if (handle.owned) resolve(handle)
      else {
        handle.onChange = (owned) => {
          if (owned) resolve(handle)
        }
      }
    })
  }

  close(): void {
    this.replica.close()
  }
}

/** Opens the connection methods of ovsdb(7). */
function dialer(tls: TlsKeys | undefined): Dial {
  return (remote, done) => {
    const endpoint = parseActive(remote)
    if (endpoint?.kind === 'ssl' && tls) return dialTls(endpoint, tls, done)
    if (endpoint && endpoint.kind !== 'ssl') return dial(endpoint, done)
    done(err(endpoint ? 'no keys and certificates were given for ssl:' : 'bad connection method'))
    return () => {}
  }
}

const listOf = (remotes: string | readonly string[]): readonly string[] =>
  typeof remotes === 'string' ? remotes.split(',') : remotes

/** Connects to a database; resolves when its contents are here. Rejects when the time is up. */
export function connect<T>(options: ConnectOptions<T>): Promise<OvsdbConnection<T>> {
  const clock = options.clock ?? new SystemClock()
  let last = 'no answer'
  const replica = new RemoteReplica<T>({
    schema: options.schema,
    remotes: listOf(options.remotes),
    dial: dialer(options.tls),
    clock,
    leaderOnly: options.leaderOnly ?? true,
    onUnreachable: (error) => {
      last = error
    },
    ...(options.tables ? { tables: options.tables } : {}),
    ...(options.log ? { log: options.log } : {}),
    ...(options.probeInterval === undefined ? {} : { probeInterval: options.probeInterval }),
  })
  return new Promise((resolve, reject) => {
    const timer =
      options.timeout === undefined
        ? undefined
        : clock.after(options.timeout, () => {
            stop()
            replica.close()
            reject(new Error(`no contents within ${options.timeout} ms: ${last}`))
          })
    const stop = replica.onSynced(() => {
      stop()
      timer?.cancel()
      resolve(new OvsdbConnection(replica, clock, options.random ?? systemRandom))
    })
  })
}

/** Rows of a database whose schema is known only at run time. */
export type AnyRows = { [table: string]: Row }

/** Asks a server for the schema of a database, to connect to one that no types are shipped for. */
export function fetchSchema(
  remote: string,
  database: string,
  options: { readonly tls?: TlsKeys; readonly clock?: Clock } = {},
): Promise<DatabaseSchema & TypedSchema<AnyRows>> {
  const clock = options.clock ?? new SystemClock()
  return new Promise((resolve, reject) => {
    dialer(options.tls)(remote, (result) => {
      if (!result.ok) {
        reject(new Error(`${remote}: ${result.error}`))
        return
      }
      const rpc = new RpcClient(result.value, () => clock.monotonic())
      const lost = () => reject(new Error(`${remote}: connection lost`))
      rpc.request(
        'get_schema',
        [database],
        (reply) => {
          rpc.end('done')
          try {
            if (reply.error !== null) reject(new Error(`${remote}: no schema of ${database}`))
            else resolve(readSchema(reply.result) as DatabaseSchema & TypedSchema<AnyRows>)
          } catch (e) {
            reject(e)
          }
        },
        lost,
      )
    })
  })
}
