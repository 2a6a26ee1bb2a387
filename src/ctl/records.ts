import type { Draft } from '../ovsdb/client/draft.ts'
import {
  type ColumnSchema,
  columnOf,
  type Datum,
  type Row,
  type TableSchema,
  UUID_COLUMN,
} from '../ovsdb/schema/index.ts'
import { fatal } from './error.ts'
import { readWholeAtom, Scanner } from './value.ts'

/**
 * How commands may name a row of a table, besides by uuid. `name`: by a column; `external_ids:k`: by
 * a key of a column; `.`: the only row; `Bridge.sflow/name`: by the row of Bridge whose `sflow` it is.
 */
export type RecordNames = Readonly<Record<string, readonly string[]>>

const fold = (name: string): string => name.toLowerCase().replaceAll('-', '_')

/** The entries whose names begin with `text`, `-` and `_` and the cases being equal; an exact one alone. */
function matches<V>(entries: Iterable<[string, V]>, text: string): [string, V][] {
  const wanted = fold(text)
  const found: [string, V][] = []
  for (const entry of entries) {
    const name = fold(entry[0])
    if (name === wanted) return [entry]
    if (name.startsWith(wanted)) found.push(entry)
  }
  return found
}

export function findTable(schema: { readonly tables: ReadonlyMap<string, TableSchema> }, text: string): TableSchema {
  const found = matches(schema.tables, text)
  const [only] = found
  if (!only) return fatal(`unknown table "${text}"`)
  if (found.length === 1) return only[1]
  const names = found.map(([n]) => n).sort()
  return fatal(`"${text}" matches multiple table names: ${names.join(', ')}`)
}

function findColumn(table: TableSchema, text: string): ColumnSchema {
  const found = matches(table.columns, text)
  const [only] = found
  if (!only) return fatal(`${table.name} does not contain a column whose name matches "${text}"`)
  if (found.length === 1) return only[1]
  const names = found.map(([n]) => n).sort()
  return fatal(`${table.name} contains more than one column whose name matches "${text}": ${names.join(', ')}`)
}

/** Tables that looking up a row of `table` reads. */
export function recordTables(names: RecordNames, table: string): string[] {
  return [table, ...(names[table] ?? []).flatMap((n) => (n.includes('/') ? [n.slice(0, n.indexOf('.'))] : []))]
}

function valueAt(row: Row, path: string): Datum {
  const colon = path.indexOf(':')
  if (colon < 0) return row[path]
  const map = row[path.slice(0, colon)]
  return map instanceof Map ? map.get(path.slice(colon + 1)) : undefined
}

/** The type that a name has, which is read like any value. */
function readName(table: TableSchema, path: string, text: string): Datum {
  const colon = path.indexOf(':')
  const type = columnOf(table, colon < 0 ? path : path.slice(0, colon))?.type
  if (!type) return undefined
  try {
    return readWholeAtom(colon < 0 ? type.key : (type.value ?? type.key), text)
  } catch {
    return undefined
  }
}

/** The members of a reference column: uuids. */
const references = (value: Datum): readonly Datum[] =>
  value instanceof Map
    ? [...value.values()]
    : Array.isArray(value)
      ? (value as readonly Datum[])
      : value === undefined
        ? []
        : [value]

/** Rows of a table that `text` names by one of the ways that the table has. */
function byName<T>(draft: Draft<T>, table: TableSchema, way: string, text: string): Row[] {
  if (way === '.') return text === '.' ? draft.anyRows(table.name).slice(0, 1) : []
  const slash = way.indexOf('/')
  if (slash < 0) {
    const wanted = readName(table, way, text)
    return wanted === undefined ? [] : draft.anyRows(table.name).filter((row) => valueAt(row, way) === wanted)
  }
  const [from = '', column = ''] = way.slice(0, slash).split('.')
  const path = way.slice(slash + 1)
  const other = draft.schema.tables.get(from)
  if (!other) return []
  const holders = draft.anyRows(from).filter((row) => valueAt(row, path) === readName(other, path, text))
  if (holders.length > 1) fatal(`multiple rows in ${from} match "${text}"`)
  return holders
    .flatMap((row) => references(row[column]))
    .map((uuid) => draft.anyRow(table.name, String(uuid)))
    .filter((row) => row !== undefined)
}

const PARTIAL = /^[0-9a-fA-F][0-9a-fA-F-]{3,}$/

/** The row that `text` names: a uuid, the first 4 or more digits of one, or a name. Undefined: there is none. */
export function findRecord<T>(draft: Draft<T>, names: RecordNames, table: TableSchema, text: string): Row | undefined {
  const whole = draft.anyRow(table.name, text.toLowerCase())
  if (whole) return whole
  for (const way of names[table.name] ?? []) {
    const found = byName(draft, table, way, text)
    if (found.length > 1) fatal(`multiple rows in ${table.name} match "${text}"`)
    if (found[0]) return found[0]
  }
  if (!PARTIAL.test(text)) return undefined
  const start = text.toLowerCase()
  const found = draft.anyRows(table.name).filter((row) => row._uuid.startsWith(start))
  if (found.length > 1) fatal(`multiple rows in ${table.name} match "${text}"`)
  return found[0]
}

export function needRecord<T>(draft: Draft<T>, names: RecordNames, table: TableSchema, text: string): Row {
  return findRecord(draft, names, table, text) ?? fatal(`no row "${text}" in table ${table.name}`)
}

/** The column that an argument begins with: what is wrong there is told before the record is looked for. */
export function leadingColumn(table: TableSchema, text: string): ColumnSchema {
  const name = new Scanner(text).word().text
  if (!name) fatal(`${text}: missing column name`)
  return name === '_uuid' ? UUID_COLUMN : findColumn(table, name)
}

/** `column[:key][OP value]` as the database commands take it. */
export interface ColumnArgument {
  readonly column: ColumnSchema
  readonly key: string | undefined
  readonly operator: string | undefined
  readonly value: string | undefined
}

/**
 * Reads `column[:key][OP value]`. The operators given are tried longest first; without any, nothing
 * may follow the key.
 */
export function readColumnArgument(table: TableSchema, text: string, operators: readonly string[]): ColumnArgument {
  const scanner = new Scanner(text)
  const name = scanner.word().text
  if (!name) fatal(`${text}: missing column name`)
  const column = name === '_uuid' && !operators.length ? UUID_COLUMN : findColumn(table, name)
  let key: string | undefined
  if (scanner.next === ':') {
    scanner.at++
    key = scanner.word().text
  }
  const rest = scanner.rest
  if (!operators.length) {
    if (rest) fatal(`${text}: trailing garbage "${rest}" in argument`)
    return { column, key, operator: undefined, value: undefined }
  }
  const operator = [...operators].sort((a, b) => b.length - a.length).find((o) => rest.startsWith(o))
  const value = operator === undefined ? '' : rest.slice(operator.length)
  if (operator === undefined || value === '') {
    if (operators.length === 1) fatal(`${text}: argument does not end in "${operators[0]}" followed by a value.`)
    const list = operators.map((o) => `"${o}"`)
    fatal(`${text}: argument does not end in ${list.slice(0, -1).join(', ')}, or ${list.at(-1)} followed by a value.`)
  }
  return { column, key, operator, value }
}
