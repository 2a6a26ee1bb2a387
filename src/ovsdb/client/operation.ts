import type { Datum, Row } from '../schema/index.ts'

/** RFC 7047 §5.1 `<function>`. */
export type ConditionFunction = '<' | '<=' | '==' | '!=' | '>=' | '>' | 'includes' | 'excludes'
export type Condition = readonly [column: string, fn: ConditionFunction, value: Datum]

/** RFC 7047 §5.1 `<mutator>`. */
export type Mutator = '+=' | '-=' | '*=' | '/=' | '%=' | 'insert' | 'delete'
export type Mutation = readonly [column: string, mutator: Mutator, value: Datum]

export type ColumnValues = { readonly [column: string]: Datum }

/** RFC 7047 §5.2 `<operation>`, with values in native form. */
export type Operation =
  | { readonly op: 'insert'; readonly table: string; readonly row: ColumnValues; readonly uuid?: string }
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
      readonly columns: readonly string[]
      readonly until: '==' | '!='
      readonly rows: readonly ColumnValues[]
      /** Milliseconds. */
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
}
