import type { Datum, Row } from '../schema/index.ts'

/** RFC 7047 §5.1 `<function>`. */
export type ConditionFunction = '<' | '<=' | '==' | '!=' | '>=' | '>' | 'includes' | 'excludes'

/** RFC 7047 §5.1 `<condition>`, or a boolean (ovsdb-server(7), 5.1). All of a `where` must hold. */
export type Condition = boolean | readonly [column: string, fn: ConditionFunction, value: Datum]

/** RFC 7047 §5.1 `<mutator>`. */
export type Mutator = '+=' | '-=' | '*=' | '/=' | '%=' | 'insert' | 'delete'

/** To delete from a map the value may be a set of keys: an array. */
export type Mutation = readonly [column: string, mutator: Mutator, value: Datum]

export type ColumnValues = { readonly [column: string]: Datum }

/** RFC 7047 §5.2 `<operation>`, with values in native form and uuids for names. */
export type Operation =
  | { readonly op: 'insert'; readonly table: string; readonly row: ColumnValues; readonly uuid?: string | undefined }
  | {
      readonly op: 'select'
      readonly table: string
      readonly where: readonly Condition[]
      readonly columns?: readonly string[]
    }
  | { readonly op: 'update'; readonly table: string; readonly where: readonly Condition[]; readonly row: ColumnValues }
  | {
      readonly op: 'mutate'
      readonly table: string
      readonly where: readonly Condition[]
      readonly mutations: readonly Mutation[]
    }
  | { readonly op: 'delete'; readonly table: string; readonly where: readonly Condition[] }
  | {
      readonly op: 'wait'
      readonly table: string
      readonly where: readonly Condition[]
      /** All, unless given. */
      readonly columns?: readonly string[]
      readonly until: '==' | '!='
      readonly rows: readonly ColumnValues[]
      /** Milliseconds; for ever, unless given. */
      readonly timeout?: number
    }
  | { readonly op: 'commit'; readonly durable: boolean }
  | { readonly op: 'abort' }
  | { readonly op: 'comment'; readonly comment: string }
  | { readonly op: 'assert'; readonly lock: string }

/** The outcome of one operation that succeeded. */
export interface OperationResult {
  readonly count?: number
  readonly uuid?: string
  readonly rows?: readonly Row[]
  /** Of a select: the columns that were asked for. */
  readonly columns?: readonly string[]
}

/** Who asks: what a transaction may do depends on it. */
export interface Requester {
  /** Locks held, for `assert`. */
  owns(lock: string): boolean
  /** The role of role-based access control; undefined or empty: all is allowed. */
  readonly role?: string | undefined
  /** The client's certificate name, compared with rows under role-based access control. */
  readonly id?: string | undefined
  /** Operations that would change something are refused. */
  readonly readOnly?: boolean
  /** The server itself: may write where clients may not. */
  readonly internal?: boolean
}

/** What one transaction did to one row: inserted (no old), deleted (no new) or modified it. */
export interface RowChange {
  readonly old?: Row
  readonly new?: Row
}

/** What one committed transaction did. */
export interface Delta {
  /** The transaction's own uuid (ovsdb-server(7), 4.1.15 `<last-txn-id>`). */
  readonly id: string
  readonly tables: ReadonlyMap<string, ReadonlyMap<string, RowChange>>
  readonly comment: string
  readonly durable: boolean
}
