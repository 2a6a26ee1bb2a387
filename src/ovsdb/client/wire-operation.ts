import { isArray, isObject, type Json } from '../../jsonrpc/json.ts'
import {
  type ColumnType,
  columnOf,
  type DatabaseSchema,
  type Datum,
  Failure,
  type OvsdbError,
  type Row,
  type TableSchema,
} from '../schema/index.ts'
import { datumJson, readDatum } from '../wire/datum.ts'
import type { ColumnValues, Condition, Mutation, Operation, OperationResult } from './operation.ts'

function typeOf(table: TableSchema, column: string): ColumnType {
  const found = columnOf(table, column)
  if (!found) throw new Error(`table ${table.name} has no column ${column}`)
  return found.type
}

const keysOf = (type: ColumnType): ColumnType => ({ key: type.key, min: 0, max: type.max, shape: 'set' })

/** A `<clause>`: the type of the value is the column's, whatever the function. */
export function conditionJson(table: TableSchema, condition: Condition): Json {
  if (typeof condition === 'boolean') return condition
  const [column, fn, value] = condition
  const type = typeOf(table, column)
  if (type.value && Array.isArray(value)) return [column, fn, datumJson(keysOf(type), value as Datum)]
  return [column, fn, datumJson(type, value)]
}

function mutationJson(table: TableSchema, [column, mutator, value]: Mutation): Json {
  const type = typeOf(table, column)
  if (type.value && Array.isArray(value)) {
    // `delete` from a map takes a set of its keys too (RFC 7047 §5.1)
    return [column, mutator, datumJson(keysOf(type), value as Datum)]
  }
  return [column, mutator, datumJson(type, value)]
}

function rowJson(table: TableSchema, row: ColumnValues): Json {
  const out: Record<string, Json> = {}
  for (const [column, value] of Object.entries(row)) out[column] = datumJson(typeOf(table, column), value)
  return out
}

function tableOf(schema: DatabaseSchema, name: string): TableSchema {
  const table = schema.tables.get(name)
  if (!table) throw new Error(`database ${schema.name} has no table ${name}`)
  return table
}

/** An operation as `transact` takes it. Throws on a table or column that the schema has not. */
export function operationJson(schema: DatabaseSchema, op: Operation): Json {
  switch (op.op) {
    case 'commit':
      return { op: op.op, durable: op.durable }
    case 'abort':
      return { op: op.op }
    case 'comment':
      return { op: op.op, comment: op.comment }
    case 'assert':
      return { op: op.op, lock: op.lock }
    default:
  }
  const table = tableOf(schema, op.table)
  const head = { op: op.op, table: op.table }
  if (op.op === 'insert') {
    return { ...head, row: rowJson(table, op.row), ...(op.uuid === undefined ? {} : { uuid: op.uuid }) }
  }
  const where = op.where.map((c) => conditionJson(table, c))
  switch (op.op) {
    case 'select':
      return { ...head, where, ...(op.columns ? { columns: op.columns } : {}) }
    case 'update':
      return { ...head, where, row: rowJson(table, op.row) }
    case 'mutate':
      return { ...head, where, mutations: op.mutations.map((m) => mutationJson(table, m)) }
    case 'delete':
      return { ...head, where }
    case 'wait':
      return {
        ...head,
        ...{ where, until: op.until, rows: op.rows.map((r) => rowJson(table, r)) },
        ...(op.columns ? { columns: op.columns } : {}),
        ...(op.timeout === undefined ? {} : { timeout: op.timeout }),
      }
  }
}

/** An `<error>` from an answer. */
export function readError(json: Json): OvsdbError {
  if (isObject(json) && typeof json['error'] === 'string') {
    const { details, syntax } = json
    return {
      error: json['error'],
      ...(typeof details === 'string' ? { details } : {}),
      ...(typeof syntax === 'string' ? { syntax } : {}),
    }
  }
  return { error: typeof json === 'string' ? json : 'unknown error' }
}

/** What a transaction was answered: `senseless` where the answer does not fit, so that nobody knows what came about. */
export type Answered =
  | { readonly kind: 'done'; readonly results: OperationResult[] }
  /** The error of the first operation that failed; an index past the operations is the commit's. */
  | { readonly kind: 'failed'; readonly error: OvsdbError; readonly index: number }
  | { readonly kind: 'senseless'; readonly why: string }

/** Reads the `result` of a `transact` (RFC 7047 §4.1.3): an object for each operation, or an error on the way. */
export function readResults(schema: DatabaseSchema, operations: readonly Operation[], json: Json): Answered {
  if (!isArray(json)) return { kind: 'senseless', why: 'transact did not answer an array' }
  const failed = json.findIndex((r) => isObject(r) && r['error'] !== undefined)
  if (failed >= 0) return { kind: 'failed', error: readError(json[failed] as Json), index: failed }
  const results = json.filter(isObject)
  if (results.length !== operations.length || json.length !== operations.length) {
    return { kind: 'senseless', why: `${results.length} results of ${operations.length} operations` }
  }
  return { kind: 'done', results: operations.map((op, i) => readResult(schema, op, json[i] ?? null)) }
}

function readResult(schema: DatabaseSchema, op: Operation, json: Json): OperationResult {
  if (!isObject(json)) return {}
  const { count, uuid, rows } = json
  const table = 'table' in op ? schema.tables.get(op.table) : undefined
  return {
    ...(typeof count === 'number' ? { count } : {}),
    ...(isArray(uuid) && typeof uuid[1] === 'string' ? { uuid: uuid[1] } : {}),
    ...(isArray(rows) && table ? { rows: rows.map((r) => readPartialRow(table, r)) } : {}),
  }
}

/** The columns of a selected row that are of our schema's types: those that are not are left out. */
function readPartialRow(table: TableSchema, json: Json): Row {
  const row: Record<string, Datum> = {}
  for (const [name, value] of Object.entries(isObject(json) ? json : {})) {
    const column = columnOf(table, name)
    if (!column || value === undefined) continue
    try {
      row[name] = readDatum(column.type, value)
    } catch (e) {
      if (!(e instanceof Failure)) throw e
    }
  }
  return row as unknown as Row
}
