import type { Clock } from '../../base/clock.ts'
import type { ColumnType, Row } from '../schema/index.ts'
import { Listeners } from './listeners.ts'
import type { Operation } from './operation.ts'
import type {
  LockHandle,
  Replica,
  ReplicaChange,
  ReplicaState,
  TableCondition,
  TableName,
  TableReplica,
  TableRequest,
  TableRequests,
  TransactOutcome,
  TypedSchema,
} from './replica.ts'
import { type ChangeSet, makeTables, type TableData } from './tables.ts'

/** What the replicas have in common: tables, listeners, states. */
export abstract class BaseReplica<T> implements Replica<T> {
  protected readonly tables: Map<string, TableData>
  protected readonly requests = new Map<string, TableRequest>()
  protected readonly changes: Listeners<[ReplicaChange<T>]>
  private readonly syncs: Listeners<[]>
  private readonly states: Listeners<[ReplicaState]>
  private now: ReplicaState = 'connecting'

  constructor(
    readonly schema: TypedSchema<T>,
    protected readonly clock: Clock,
    requests: TableRequests<T> | undefined,
  ) {
    this.changes = new Listeners(clock)
    this.syncs = new Listeners(clock)
    this.states = new Listeners(clock)
    const asked = Object.entries(requests ?? {}) as [string, TableRequest | true | undefined][]
    for (const [name, request] of asked) {
      if (request !== undefined) this.requests.set(name, request === true ? {} : request)
    }
    if (!requests) for (const name of schema.tables.keys()) this.requests.set(name, {})
    this.tables = makeTables(schema, this.requests)
  }

  get state(): ReplicaState {
    return this.now
  }

  protected setState(state: ReplicaState): void {
    if (this.now === state || this.now === 'closed') return
    this.now = state
    this.states.call(state)
    // a listener may have closed us
    if (this.now === 'synced') this.syncs.call()
  }

  table<N extends TableName<T>>(name: N): TableReplica<T[N]> {
    const table = this.anyTable(name)
    if (!table) throw new Error(`table ${name} was not asked for`)
    return table as unknown as TableReplica<T[N]>
  }

  anyTable(name: string): TableReplica<Row> | undefined {
    return this.tables.get(name)
  }

  onChange(listener: (change: ReplicaChange<T>) => void): () => void {
    return this.changes.add(listener)
  }

  onSynced(listener: () => void): () => void {
    const stop = this.syncs.add(listener)
    if (this.now !== 'synced') return stop
    const timer = this.clock.after(0, listener)
    return () => {
      timer.cancel()
      stop()
    }
  }

  onState(listener: (state: ReplicaState) => void): () => void {
    // one that closes us is called before others, which are then told of the end alone
    return this.states.add((state) => {
      if (state === this.now) listener(state)
    })
  }

  /** Tells what has been applied to the tables. */
  protected announce(set: ChangeSet): void {
    if (!set.empty) this.changes.call({ tables: set.tables } as unknown as ReplicaChange<T>)
  }

  /** Calls back; what that throws comes out of the clock, as with listeners. */
  protected tell(done: (outcome: TransactOutcome) => void, outcome: TransactOutcome): void {
    try {
      done(outcome)
    } catch (e) {
      this.clock.after(0, () => {
        throw e
      })
    }
  }

  abstract has(table: string, column?: string): boolean
  abstract typeOf(table: string, column: string): ColumnType | undefined
  abstract transact(operations: readonly Operation[], done: (outcome: TransactOutcome) => void): void
  abstract lock(name: string): LockHandle
  abstract setCondition(table: TableName<T>, condition: TableCondition): void
  abstract readonly conditionsPending: boolean

  forgetIndex(): void {}

  close(): void {
    this.setState('closed')
    this.changes.clear()
  }
}
