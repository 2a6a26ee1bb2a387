import { type Random, uuid4 } from '../../base/random.ts'
import { isArray, type Json, type JsonObject, printString } from '../../jsonrpc/json.ts'
import { Failure, isBoolean, isId, isNumber, isObject, isString, Members, syntaxError } from '../schema/error.ts'
import {
  columnOf,
  type DatabaseSchema,
  type Datum,
  fail,
  type NamedUuids,
  type OvsdbError,
  parseUuid,
  type Row,
  type TableSchema,
} from '../schema/index.ts'
import { argumentType, isConditionFunction, mismatch } from '../transaction/condition.ts'
import type { OperationSource } from '../transaction/database.ts'
import { isMutator, mutationTypes } from '../transaction/mutation.ts'
import type { ColumnValues, Condition, Mutation, Operation, OperationResult } from '../transaction/operation.ts'
import { readDatum, writeDatum } from './datum.ts'

/** RFC 7047 §5.1 `<condition>`, or a boolean. */
export function readCondition(table: TableSchema, json: Json, named?: NamedUuids): Condition {
  if (typeof json === 'boolean') return json
  if (!isArray(json) || json.length !== 3 || typeof json[0] !== 'string' || typeof json[1] !== 'string') {
    syntaxError(json, 'Parse error in condition.')
  }
  const [name, fn] = json as readonly [string, string]
  const column = columnOf(table, name)
  if (!column) syntaxError(json, `No column ${name} in table ${table.name}.`, 'unknown column')
  if (!isConditionFunction(fn)) fail('unknown function', `No function named ${fn}.`)
  const type = argumentType(column.type, fn)
  if (!type) syntaxError(json, mismatch(fn, column))
  const value = readDatum(type, json[2] as Json, named)
  return [name, fn, value]
}

/** RFC 7047 §5.1 `<mutation>`. */
function readMutation(table: TableSchema, json: Json, named: NamedUuids): Mutation {
  if (!isArray(json) || json.length !== 3 || typeof json[0] !== 'string' || typeof json[1] !== 'string') {
    syntaxError(json, 'Parse error in mutation.')
  }
  const [name, mutator] = json as readonly [string, string]
  const value = json[2] as Json
  const column = columnOf(table, name)
  if (!column) syntaxError(json, `No column ${name} in table ${table.name}.`, 'unknown column')
  if (!column.mutable) {
    syntaxError(json, `Cannot mutate immutable column ${name} in table ${table.name}.`, 'constraint violation')
  }
  if (!isMutator(mutator)) fail('unknown mutator', `No mutator named ${mutator}.`)
  const [type, keys] = mutationTypes(column.type, mutator)
  if (!type) syntaxError(json, mismatch(mutator, column))
  try {
    return [name, mutator, readDatum(type, value, named)]
  } catch (e) {
    // From a map, keys alone can be deleted too (RFC 7047 §5.1).
    if (!(e instanceof Failure) || !keys) throw e
    return [name, mutator, setOf(readDatum(keys, value, named))]
  }
}

const setOf = (datum: Datum): Datum => (typeof datum === 'object' ? datum : datum === undefined ? [] : [datum])

/** RFC 7047 §5.1 `<row>`. @param stored leaves out `_uuid` and `_version`, which no client sets. */
export function readRow(table: TableSchema, json: Json, named?: NamedUuids, stored = false): ColumnValues {
  if (!isObject(json)) syntaxError(json, 'row must be JSON object')
  const row: Record<string, Datum> = {}
  for (const name of Object.keys(json)) {
    const column = columnOf(table, name)
    if (!column) syntaxError(json, `No column ${name} in table ${table.name}.`, 'unknown column')
    const datum = readDatum(column.type, json[name] as Json, named)
    if (!stored || table.columns.has(name)) row[name] = datum
  }
  return row
}

/** A set of columns of a table: all of them unless given. */
export function readColumns(table: TableSchema, json: Json): readonly string[] {
  if (!isArray(json) || !json.every(isString) || new Set(json).size !== json.length) {
    syntaxError(json, 'array of distinct column names expected')
  }
  for (const name of json) {
    if (!columnOf(table, name as string)) syntaxError(json, `${name as string} is not a valid column name`)
  }
  return json as readonly string[]
}

interface Symbol {
  uuid: string
  created: boolean
}

/** An insert of which the row is read only once the uuid is found to be free: its error comes first. */
class WireInsert {
  readonly op = 'insert'
  readonly table: string

  /** @param duplicate the name for the uuid, when an insert before had it */
  constructor(
    private readonly schema: TableSchema,
    readonly uuid: string | undefined,
    private readonly json: JsonObject,
    private readonly named: NamedUuids,
    private readonly duplicate: string | undefined,
  ) {
    this.table = schema.name
  }

  get row(): ColumnValues {
    if (this.duplicate !== undefined) duplicateName(this.duplicate)
    return readRow(this.schema, this.json, this.named, true)
  }
}

/** The operations of a `transact` request (RFC 7047 §4.1.3), read one by one as they are run. */
export class WireOperations implements OperationSource {
  readonly trusted = true
  /** Made for the first name: most transactions have none. */
  private symbols: Map<string, Symbol> | undefined
  private readonly named: NamedUuids = (name) => this.symbol(name).uuid

  constructor(
    private readonly schema: DatabaseSchema,
    private readonly json: readonly Json[],
    private readonly random: Random,
  ) {}

  get length(): number {
    return this.json.length
  }

  private symbol(name: string): Symbol {
    this.symbols ??= new Map()
    let symbol = this.symbols.get(name)
    if (!symbol) {
      symbol = { uuid: uuid4(this.random), created: false }
      this.symbols.set(name, symbol)
    }
    return symbol
  }

  at(i: number): Operation {
    if (i === 0) this.symbols = undefined
    const json = this.json[i] as Json
    const members = new Members(json, `ovsdb operation ${i + 1} of ${this.length}`)
    const op = members.required('op', isId)
    const operation = this.read(op, members, json as JsonObject)
    members.finish()
    return operation
  }

  private table(members: Members): TableSchema {
    const name = members.required('table', isId)
    return this.schema.tables.get(name) ?? members.fail(`No table named ${name}.`)
  }

  private where(table: TableSchema, json: readonly Json[]): readonly Condition[] {
    return json.map((c) => readCondition(table, c, this.named))
  }

  private read(op: string, members: Members, json: JsonObject): Operation {
    switch (op) {
      case 'insert':
        return this.insert(members)
      case 'select': {
        const table = this.table(members)
        const where = members.required('where', isArray)
        const columns = members.optional('columns', isArray)
        return {
          op,
          table: table.name,
          where: this.where(table, where),
          ...(columns ? { columns: readColumns(table, columns) } : {}),
        }
      }
      case 'update': {
        const table = this.table(members)
        const where = members.required('where', isArray)
        const rowJson = members.required('row', isObject)
        const row = readRow(table, rowJson, this.named)
        for (const name of Object.keys(row)) {
          if (!columnOf(table, name)?.mutable) {
            syntaxError(json, `Cannot update immutable column ${name} in table ${table.name}.`, 'constraint violation')
          }
        }
        return { op, table: table.name, where: this.where(table, where), row }
      }
      case 'mutate': {
        const table = this.table(members)
        const where = members.required('where', isArray)
        const mutations = members.required('mutations', isArray)
        return {
          op,
          table: table.name,
          mutations: mutations.map((m) => readMutation(table, m, this.named)),
          where: this.where(table, where),
        }
      }
      case 'delete': {
        const where = members.required('where', isArray)
        const table = this.table(members)
        return { op, table: table.name, where: this.where(table, where) }
      }
      case 'wait':
        return this.wait(members)
      case 'commit':
        return { op, durable: members.required('durable', isBoolean) }
      case 'abort':
        return { op }
      case 'comment':
        return { op, comment: members.required('comment', isString) }
      case 'assert':
        return { op, lock: members.required('lock', isId) }
      default:
        return members.fail(`No operation ${printString(op)}`)
    }
  }

  private insert(members: Members): Operation {
    const table = this.table(members)
    const name = members.optional('uuid-name', isId)
    const uuidJson = members.optional('uuid', isString)
    const rowJson = members.required('row', isObject)
    let uuid: string | undefined
    let duplicate = false
    if (uuidJson !== undefined) uuid = parseUuid(uuidJson) ?? syntaxError(uuidJson, 'bad uuid')
    if (name !== undefined) {
      const known = this.symbols?.has(name) === true
      const symbol = this.symbol(name)
      duplicate = symbol.created
      if (duplicate && uuid === undefined) duplicateName(name)
      symbol.created = true
      if (uuid === undefined) uuid = symbol.uuid
      else if (!known) symbol.uuid = uuid
    }
    return new WireInsert(table, uuid, rowJson, this.named, duplicate ? name : undefined)
  }

  private wait(members: Members): Operation {
    const timeout = members.optional('timeout', isNumber)
    const where = members.required('where', isArray)
    const columns = members.optional('columns', isArray)
    const until = members.required('until', isString)
    const rows = members.required('rows', isArray)
    const table = this.table(members)
    if (timeout !== undefined && timeout < 0) syntaxError(timeout, 'timeout must be nonnegative')
    if (until !== '==' && until !== '!=') syntaxError(until, '"until" must be "==" or "!="')
    return {
      op: 'wait',
      table: table.name,
      where: this.where(table, where),
      ...(columns ? { columns: readColumns(table, columns) } : {}),
      until,
      rows: rows.map((row) => readRow(table, row, this.named)),
      ...(timeout === undefined ? {} : { timeout: Number(timeout) }),
    }
  }
}

function duplicateName(name: string): never {
  syntaxError(name, 'This "uuid-name" appeared on an earlier "insert" operation.', 'duplicate uuid-name')
}

/** The text of `<error>` (RFC 7047 §3.1). */
export function writeError(e: OvsdbError): string {
  let s = `{"error":${printString(e.error)}`
  if (e.details !== undefined) s += `,"details":${printString(e.details)}`
  if (e.syntax !== undefined) s += `,"syntax":${printString(e.syntax)}`
  if (e.io !== undefined) s += `,"io-error":${printString(e.io)}`
  return `${s}}`
}

/** The text of a row with these columns. */
export function writeRow(table: TableSchema, row: Row, columns: readonly string[]): string {
  let s = '{'
  for (const name of columns) {
    const column = columnOf(table, name)
    if (column) s += `${s.length > 1 ? ',' : ''}"${name}":${writeDatum(column.type, row[name])}`
  }
  return `${s}}`
}

/** What an operation that gives no rows has for a result. */
function writeCount(result: OperationResult): string {
  if (result.uuid !== undefined) return `{"uuid":["uuid","${result.uuid}"]}`
  return result.count === undefined ? '{}' : `{"count":${result.count}}`
}

function* writeRows(schema: DatabaseSchema, json: Json, result: OperationResult): Generator<string> {
  const name = (json as JsonObject)['table'] as string
  const table = schema.tables.get(name) as TableSchema
  let first = true
  yield '{"rows":['
  for (const row of result.rows ?? []) {
    yield `${first ? '' : ','}${writeRow(table, row, result.columns ?? [])}`
    first = false
  }
  yield ']}'
}

/** Results of more operations than this are worth pieces. */
const MANY_RESULTS = 256

/**
 * The pieces of a `transact` reply's result: of the operations that ran, the error, and null for the
 * rest. Together they may be longer than any one string can be.
 */
export function resultPieces(
  schema: DatabaseSchema,
  operations: readonly Json[],
  results: readonly OperationResult[],
  error: OvsdbError | undefined,
  pieceSize = 1 << 20,
): Iterable<string> {
  if (operations.length > MANY_RESULTS || results.some((result) => result.rows)) {
    return longResult(schema, operations, results, error, pieceSize)
  }
  let text = '['
  for (const result of results) text += `${text.length > 1 ? ',' : ''}${writeCount(result)}`
  return [`${text}${restOfResult(operations.length, results.length, error)}`]
}

function* longResult(
  schema: DatabaseSchema,
  operations: readonly Json[],
  results: readonly OperationResult[],
  error: OvsdbError | undefined,
  pieceSize: number,
): Generator<string> {
  let piece = '['
  for (const [i, result] of results.entries()) {
    if (i) piece += ','
    for (const text of result.rows ? writeRows(schema, operations[i] as Json, result) : [writeCount(result)]) {
      piece += text
      if (piece.length > pieceSize) {
        yield piece
        piece = ''
      }
    }
  }
  yield `${piece}${restOfResult(operations.length, results.length, error)}`
}

/** @param ran how many of the operations have a result */
function restOfResult(operations: number, ran: number, error: OvsdbError | undefined): string {
  let text = ''
  let n = ran
  if (error) text += `${n++ ? ',' : ''}${writeError(error)}`
  for (; n < operations; n++) text += n ? ',null' : 'null'
  return `${text}]`
}

/** The text of a `transact` reply's result. */
export function writeResults(
  schema: DatabaseSchema,
  operations: readonly Json[],
  results: readonly OperationResult[],
  error: OvsdbError | undefined,
): string {
  return [...resultPieces(schema, operations, results, error)].join('')
}

export { Failure }
