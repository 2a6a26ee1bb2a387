import { createHash } from 'node:crypto'
import { isArray, isObject, type Json, type JsonObject, printJson } from '../../jsonrpc/json.ts'
import { isBoolean, isString, Members, syntaxError } from '../schema/error.ts'
import { columnOf, type DatabaseSchema, type Datum, fail, type Row, type TableSchema } from '../schema/index.ts'
import { type Condition, compileCondition } from '../transaction/index.ts'
import { readCondition } from '../wire/index.ts'

/** 1: `monitor`, 2: `monitor_cond`, 3: `monitor_cond_since`. */
export type MonitorVersion = 1 | 2 | 3

/** RFC 7047 §4.1.5 `<monitor-select>`. */
export interface Select {
  readonly initial: boolean
  readonly insert: boolean
  readonly delete: boolean
  readonly modify: boolean
}

/** What of a table is monitored. */
export interface TableRequest {
  readonly table: TableSchema
  /** Every monitored column with what it is monitored for. */
  readonly columns: ReadonlyMap<string, Select>
  /** Whether any column is monitored for this. */
  readonly select: Select
  /** Undefined: every row is wanted. */
  readonly test: ((row: Row) => boolean) | undefined
  /** The same for requests that ask for the same. */
  readonly key: string
  /** Characters of what is asked for. */
  readonly size: number
}

export type TableRequests = ReadonlyMap<string, TableRequest>

function readSelect(json: JsonObject | undefined, table: string): Select {
  const all = { initial: true, insert: true, delete: true, modify: true }
  if (!json) return all
  const members = new Members(json, `table ${table} select`)
  const one = (name: string) => members.optional(name, isBoolean) ?? true
  const select = { initial: one('initial'), insert: one('insert'), delete: one('delete'), modify: one('modify') }
  members.finish()
  return select
}

/** A test of rows: whether one of the clauses holds. Undefined when every row passes. */
function compileAny(table: TableSchema, where: readonly Condition[]): ((row: Row) => boolean) | undefined {
  if (!where.length || where.includes(true)) return undefined
  // A client often names what it wants one by one: thousands of uuids, or of datapaths whose rows it wants.
  const wanted = new Map<string, Set<Datum>>()
  const tests: ((row: Row) => boolean)[] = []
  for (const clause of where) {
    if (typeof clause === 'boolean') continue
    const [name, fn, value] = clause
    // Two atoms are equal when they are the same.
    if (fn !== '==' || typeof value === 'object') tests.push(compileCondition(table, clause, true))
    else wanted.set(name, (wanted.get(name) ?? new Set()).add(value))
  }
  for (const [name, values] of wanted) tests.push((row) => values.has(row[name]))
  const [only] = tests
  if (!only) return () => false
  return tests.length === 1 ? only : (row) => tests.some((test) => test(row))
}

function makeRequest(
  table: TableSchema,
  columns: ReadonlyMap<string, Select>,
  where: readonly Condition[],
  whereText: string,
  selects: readonly Select[],
): TableRequest {
  // A request may name no column: it is told of the rows alone.
  const any = (kind: keyof Select) => selects.some((s) => s[kind])
  const select = { initial: any('initial'), insert: any('insert'), delete: any('delete'), modify: any('modify') }
  const bits = (s: Select) => (s.initial ? 1 : 0) | (s.insert ? 2 : 0) | (s.delete ? 4 : 0) | (s.modify ? 8 : 0)
  const text = `${table.name} ${bits(select)} ${[...columns].map(([name, s]) => `${name}:${bits(s)}`).join(',')} ${whereText}`
  // Thousands of clients may name a thousand rows each: kept as they are, the texts would need more than all else.
  const key = createHash('sha256').update(text).digest('base64')
  return { table, columns, select, test: compileAny(table, where), key, size: text.length }
}

function readWhere(table: TableSchema, json: readonly Json[]): Condition[] {
  return json.map((c) => readCondition(table, c))
}

function readTable(table: TableSchema, json: Json, conditional: boolean): TableRequest {
  const requests = isArray(json) ? json : [json]
  const columns = new Map<string, Select>()
  const where: Condition[] = []
  const texts: string[] = []
  const selects: Select[] = []
  // Of several requests for one table, one without a condition wants every row.
  let everything = false
  for (const request of requests) {
    const members = new Members(request, `table ${table.name}`)
    const names = members.optional('columns', isArray)
    const clauses = conditional ? members.optional('where', isArray) : undefined
    const select = members.optional('select', isObject)
    members.finish()
    const chosen = readSelect(select, table.name)
    selects.push(chosen)
    for (const name of names ?? ['_version', ...table.columns.keys()]) {
      if (!isString(name)) syntaxError(names, 'array of column names expected')
      if (!columnOf(table, name)) syntaxError(names, `${name} is not a valid column name`)
      if (columns.has(name)) syntaxError(names, 'column name mentioned more than once')
      columns.set(name, chosen)
    }
    if (!clauses?.length) everything = true
    else {
      where.push(...readWhere(table, clauses))
      texts.push(printJson(clauses))
    }
  }
  return everything
    ? makeRequest(table, columns, [], '', selects)
    : makeRequest(table, columns, where, texts.join('|'), selects)
}

/** RFC 7047 §4.1.5 `<monitor-requests>`, or those of monitor_cond (ovsdb-server(7), 4.1.12). */
export function readRequests(schema: DatabaseSchema, json: Json | undefined, version: MonitorVersion): TableRequests {
  if (!isObject(json)) syntaxError(json, 'monitor-requests must be object')
  const out = new Map<string, TableRequest>()
  for (const [name, request] of Object.entries(json)) {
    const table = schema.tables.get(name)
    if (!table) fail('syntax error', `no table named ${name}`)
    out.set(name, readTable(table, request as Json, version > 1))
  }
  return out
}

/** ovsdb-server(7), 4.1.13 `<monitor-cond-update-requests>`: the requests that change. */
export function readConditionChange(
  before: TableRequests,
  schema: DatabaseSchema,
  json: Json | undefined,
): TableRequests {
  if (!isObject(json)) syntaxError(json, 'monitor-cond-change-requests must be object')
  const out = new Map<string, TableRequest>()
  for (const [name, requests] of Object.entries(json)) {
    const table = schema.tables.get(name)
    if (!table) fail('syntax error', `no table named ${name}`)
    const old = before.get(name)
    if (!old) fail('syntax error', `no table named ${name} in monitor session`)
    if (!isArray(requests)) fail('syntax error', `table ${name} no monitor-cond-change JSON array`)
    for (const request of requests) {
      const members = new Members(request, `table ${name}`)
      const columns = members.optional('columns', isArray)
      const where = members.optional('where', isArray)
      members.finish()
      if (columns) syntaxError(request, 'changing columns is unsupported')
      const clauses = where ?? []
      out.set(
        name,
        makeRequest(table, old.columns, readWhere(table, clauses), clauses.length ? printJson(clauses) : '', [
          old.select,
        ]),
      )
    }
  }
  return out
}
