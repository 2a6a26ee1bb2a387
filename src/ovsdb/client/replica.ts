import { printJson } from '../../jsonrpc/json.ts'
import type { ColumnType, DatabaseSchema, Datum, OvsdbError, Row, TableSchema } from '../schema/index.ts'
import type { Condition, ConditionFunction, Operation, OperationResult } from './operation.ts'

/**
 * A schema that knows the types of its tables' rows: `T` maps a table's name to its row type.
 * Nothing is kept at run time.
 */
export interface TypedSchema<T> extends DatabaseSchema {
  readonly rows?: T
}

/**
 * The uuid of a row of a table: a string, of which the compiler knows whose it is. A plain string will do
 * for one; that of another table's row will not.
 */
export type RowId<N extends string> = string & { readonly '~table'?: N }

/** What identifies a row of type `R`. */
export type IdOf<R> = R extends { readonly _uuid: infer U extends string } ? U : string

/** The name of a table of `T`. */
export type TableName<T> = keyof T & string

/**
 * - `connecting`: not yet, or no longer, in touch with a server; the tables keep what they had
 * - `syncing`: connected, the contents are on their way
 * - `synced`: the tables are those of the server, but for what is on its way now
 * - `closed`: for good
 */
export type ReplicaState = 'connecting' | 'syncing' | 'synced' | 'closed'

/** A row that came (`new` alone), went (`old` alone) or changed. */
export interface RowChange<R> {
  readonly old?: R
  readonly new?: R
}

/** What one update of the server changed, by table and uuid. */
export interface ReplicaChange<T> {
  readonly tables: { readonly [N in TableName<T>]?: ReadonlyMap<string, RowChange<T[N]>> }
}

/** Rows by a value made of them. */
export interface TableIndex<R> {
  /** In the order of their uuids. */
  get(value: string): readonly R[]
  first(value: string): R | undefined
}

/** The rows of one table, as far as the server has told. Rows are immutable: a change is another object. */
export interface TableReplica<R> {
  readonly name: string
  readonly schema: TableSchema
  /** The columns that were asked for; the others of a row have their default value, or their real one. */
  readonly columns: ReadonlySet<string>
  readonly size: number
  get(uuid: IdOf<R>): R | undefined
  has(uuid: IdOf<R>): boolean
  values(): IterableIterator<R>
  keys(): IterableIterator<string>
  entries(): IterableIterator<[string, R]>
  /** An index by what `of` gives for a row: none, one or several values. Kept up from now on; asked again by `name`. */
  index(name: string, of: (row: R) => string | undefined | readonly string[]): TableIndex<R>
}

/** Why a transaction did not come about. */
export type TransactError =
  /** Refused by the server; `error` has its name and details, `index` and `operation` what it was refused for. */
  | {
      readonly kind: 'refused'
      readonly error: OvsdbError
      readonly index: number | undefined
      readonly operation: Operation | undefined
    }
  /** A `wait` operation did not find what it was to find: something else changed it before. Read again and retry. */
  | { readonly kind: 'conflict'; readonly index: number; readonly operation: Operation; readonly error: OvsdbError }
  /** An `assert` operation found the lock in other hands. */
  | { readonly kind: 'not owner'; readonly lock: string }
  /** Not sent, since there is no connection. */
  | { readonly kind: 'disconnected' }
  /** Not sent, since an edit's time was up before its turn came: others before it took all of it. */
  | { readonly kind: 'timeout' }
  /** Sent, but the connection broke before the answer: nobody knows, compare with the replica when synced. */
  | { readonly kind: 'unknown' }

export type TransactOutcome =
  | { readonly ok: true; readonly results: readonly OperationResult[] }
  | { readonly ok: false; readonly error: TransactError }

/** By kind, the error that a server gives for the operation at an index; past the operations it is the commit's. */
export function transactError(
  operations: readonly Operation[],
  { error, index }: { readonly error: OvsdbError; readonly index: number },
): TransactError {
  const operation = operations[index]
  if (operation?.op === 'wait' && error.error === 'timed out') return { kind: 'conflict', index, operation, error }
  if (operation?.op === 'assert' && error.error === 'not owner') return { kind: 'not owner', lock: operation.lock }
  return { kind: 'refused', error, index: operation ? index : undefined, operation }
}

/** A transaction's error as the daemons log it: what the server said, as it said it. */
export function transactErrorLine(error: TransactError): string {
  if (error.kind !== 'refused' && error.kind !== 'conflict') return describeTransactError(error)
  const { details, error: name } = error.error
  return printJson({ ...(details === undefined ? {} : { details }), error: name }, true)
}

/** A transaction's error in one line, as the ctl tools print it. */
export function describeTransactError(error: TransactError): string {
  switch (error.kind) {
    case 'refused':
    case 'conflict':
      return error.error.details === undefined ? error.error.error : `${error.error.error}: ${error.error.details}`
    case 'not owner':
      return `lock ${error.lock} is not owned`
    case 'disconnected':
      return 'not connected to a database server'
    case 'timeout':
      return 'not sent within its time'
    case 'unknown':
      return 'connection lost before the transaction was answered'
  }
}

/** A lock of the server (RFC 7047 §4.1.8), asked for until `release`. */
export interface LockHandle {
  readonly name: string
  /** Whether it is ours now. */
  readonly owned: boolean
  /** Called whenever `owned` changes. */
  onChange: ((owned: boolean) => void) | undefined
  release(): void
}

/** The name of a column of rows of type `R`; any text, where the columns are known only at run time. */
export type ColumnName<R> = string extends keyof R ? string : Exclude<keyof R & string, '_uuid'>

/** A clause on rows of type `R`: a column, how to compare, and a value of the column's type. */
export type ConditionOn<R> = string extends keyof R
  ? Condition
  : boolean | { [C in keyof R & string]: readonly [column: C, fn: ConditionFunction, value: R[C]] }[keyof R & string]

/** All rows, none, or those that satisfy one of the clauses. */
export type TableCondition<R = Row> = boolean | readonly ConditionOn<R>[]

/** Which part of a table is wanted. */
export interface TableRequest<R = Row> {
  /** All, unless given. Columns not asked for have their default value, or their real one where that costs nothing. */
  readonly columns?: readonly ColumnName<R>[]
  readonly where?: TableCondition<R>
  /**
   * Columns that the program can not do without: a server whose schema lacks one is refused. All others
   * of an older server have their default value.
   */
  readonly required?: readonly ColumnName<R>[]
}

/** Which tables of `T` are wanted, and what of them; all of all, unless given. */
export type TableRequests<T> = { readonly [N in TableName<T>]?: TableRequest<T[N]> | true }

/**
 * A copy of a database (or of the part that was asked for) that follows the original. Listeners are
 * called from the clock, never from within a call of the reader's own.
 */
export interface Replica<T> {
  readonly schema: TypedSchema<T>
  readonly state: ReplicaState
  table<N extends TableName<T>>(name: N): TableReplica<T[N]>
  /** By a name known only at run time; undefined when there is no such table or it was not asked for. */
  anyTable(name: string): TableReplica<Row> | undefined
  /**
   * Whether the server's own schema has a table, or a column of it: one of an older release may not. What
   * it lacks can be read (no rows, default values) but not written. True while no server was asked.
   */
  has(table: string, column?: string): boolean
  /** The type that the server's own schema gives a column; undefined where it has none, or was not asked. */
  typeOf(table: string, column: string): ColumnType | undefined
  /** Calls `listener` once for each update, after the tables have changed. Returns how to stop it. */
  onChange(listener: (change: ReplicaChange<T>) => void): () => void
  /** Calls `listener` whenever the replica becomes `synced`; soon, if it is. */
  onSynced(listener: () => void): () => void
  /** Calls `listener` whenever `state` changes. */
  onState(listener: (state: ReplicaState) => void): () => void
  /** The tables have what the transaction did by the time `done` is called. */
  transact(operations: readonly Operation[], done: (outcome: TransactOutcome) => void): void
  /** Throws when the name is no `<id>` (RFC 7047 §3.1). */
  lock(name: string): LockHandle
  /** Asks for other rows of a table from now on. */
  setCondition(table: TableName<T>, condition: TableCondition): void
  /** Takes a cluster that is behind what was seen before: one that was made anew, or from a backup. */
  forgetIndex(): void
  /** Whether a condition was set that the server has not yet answered. */
  readonly conditionsPending: boolean
  close(): void
}

/** An empty value of each kind is shared by all rows. */
export type { Datum, Row }
