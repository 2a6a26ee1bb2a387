import { isObject, type Json, type JsonObject, printString } from '../../jsonrpc/json.ts'
import { writeDifference } from '../monitor/encode.ts'
import { syntaxError } from '../schema/error.ts'
import {
  type Atom,
  type ColumnType,
  columnType,
  compareAtoms,
  type Datum,
  datumOf,
  equalDatums,
  parseUuid,
  type Row,
  UNLIMITED,
} from '../schema/index.ts'
import type { Database, Delta, RowChange, Table } from '../transaction/index.ts'
import { readDatum, writeDatum } from '../wire/index.ts'

/** The members of a new row that are stored: neither ephemeral nor default. */
export function writeNewRow(table: Table, row: Row): string {
  let s = ''
  for (const column of table.schema.columns.values()) {
    if (column.ephemeral) continue
    const datum = row[column.name]
    if (!table.isDefault(column.name, datum)) s += `${s ? ',' : ''}"${column.name}":${writeDatum(column.type, datum)}`
  }
  return `{${s}}`
}

function writeChangedRow(table: Table, old: Row, now: Row, differences: boolean): string {
  let s = ''
  for (const column of table.schema.columns.values()) {
    if (column.ephemeral) continue
    const before = old[column.name]
    const after = now[column.name]
    if (before === after || equalDatums(before, after)) continue
    const value = differences ? writeDifference(column.type, before, after) : writeDatum(column.type, after)
    s += `${s ? ',' : ''}"${column.name}":${value}`
  }
  return s && `{${s}}`
}

export interface RecordOptions {
  /** About how many characters a piece has. */
  readonly pieceSize?: number
  /** Modified sets and maps are written as differences, where programs of before Open vSwitch 2.17 need not read them. */
  readonly differences?: boolean
}

/** The rows of a transaction that is worth pieces. */
const MANY_ROWS = 64

/**
 * The text of a transaction's record (ovsdb(5)) without its line end, empty when nothing of it is stored; undefined when it is to be
 * written in pieces.
 */
export function shortTransaction(
  tables: ReadonlyMap<string, Table>,
  delta: Delta,
  date: number,
  { pieceSize = 1 << 20, differences = true }: RecordOptions = {},
): string | undefined {
  let text = ''
  let seen = 0
  for (const [name, changes] of delta.tables) {
    const table = tables.get(name)
    if (!table) continue
    let first = true
    for (const [uuid, change] of changes) {
      if (++seen > MANY_ROWS || text.length > pieceSize) return undefined
      const row = writeChange(table, change, differences)
      if (!row) continue
      text += `${first ? `"${name}":{` : ','}"${uuid}":${row}`
      first = false
    }
    if (!first) text += '},'
  }
  return text && `${recordStart(differences)}${text}${recordEnd(delta, date)}`
}

/**
 * The pieces of a transaction's record, none when nothing of it is stored. A large transaction is longer than
 * any one string can be.
 */
export function* writeTransaction(
  tables: ReadonlyMap<string, Table>,
  delta: Delta,
  date: number,
  { pieceSize = 1 << 20, differences = true }: RecordOptions = {},
): Generator<string> {
  let piece = recordStart(differences)
  let any = false
  for (const [name, changes] of delta.tables) {
    const table = tables.get(name)
    if (!table) continue
    let first = true
    for (const [uuid, change] of changes) {
      const text = writeChange(table, change, differences)
      if (!text) continue
      piece += `${first ? `"${name}":{` : ','}"${uuid}":${text}`
      first = false
      any = true
      if (piece.length > pieceSize) {
        yield piece
        piece = ''
      }
    }
    if (!first) piece += '},'
  }
  if (any) yield `${piece}${recordEnd(delta, date)}\n`
}

function writeChange(table: Table, { old, new: now }: RowChange, differences: boolean): string {
  return !now ? 'null' : old ? writeChangedRow(table, old, now, differences) : writeNewRow(table, now)
}

const recordStart = (differences: boolean) => (differences ? '{"_is_diff":true,' : '{')

function recordEnd(delta: Delta, date: number): string {
  const comment = delta.comment ? `"_comment":${printString(delta.comment)},` : ''
  return `${comment}"_date":${Math.floor(date)}}`
}

/** A stored difference may hold more members than the column. */
function differenceType(type: ColumnType): ColumnType {
  return type.max === 1 ? type : columnType(type.key, type.value, 0, UNLIMITED)
}

const arrayOf = (datum: Datum): readonly Atom[] =>
  datum === undefined ? [] : typeof datum === 'object' ? (datum as readonly Atom[]) : [datum]

/** The value that a difference makes of another. */
export function applyDifference(type: ColumnType, before: Datum, diff: Datum): Datum {
  if (type.max === 1) return diff
  if (type.value) {
    const out = new Map(before as ReadonlyMap<Atom, Atom>)
    for (const [k, v] of diff as ReadonlyMap<Atom, Atom>) {
      if (out.get(k) === v) out.delete(k)
      else out.set(k, v)
    }
    return new Map([...out].sort((a, b) => compareAtoms(a[0], b[0])))
  }
  const have = new Set(arrayOf(before))
  for (const atom of arrayOf(diff)) if (!have.delete(atom)) have.add(atom)
  return datumOf(type, [...have].sort(compareAtoms))
}

/** What a transaction's record says besides rows. */
export interface TransactionInfo {
  readonly date: number | undefined
  readonly comment: string | undefined
}

/** Puts a record's rows into a database that is being loaded; throws Failure. */
export function loadTransaction(database: Database, json: Json): TransactionInfo {
  if (!isObject(json)) syntaxError(json, 'object expected')
  const isDifference = json['_is_diff'] === true
  for (const name of Object.keys(json)) {
    const table = database.tables.get(name)
    if (!table) {
      if (name.startsWith('_')) continue
      syntaxError(json, `No table named ${name}.`)
    }
    const rows = json[name]
    if (!isObject(rows)) syntaxError(rows, 'object expected')
    for (const text of Object.keys(rows)) {
      const uuid = parseUuid(text)
      if (!uuid) syntaxError(rows, `"${text}" is not a valid UUID`)
      const row = rows[text]
      if (row === null) database.load(name, uuid, undefined)
      else if (isObject(row)) database.load(name, uuid, loadRow(table, uuid, row, isDifference, database.lastId))
      else syntaxError(row, 'null or object expected')
    }
  }
  const date = json['_date']
  const comment = json['_comment']
  return {
    date: typeof date === 'number' ? (date < 2 ** 32 ? date * 1000 : date) : undefined,
    comment: typeof comment === 'string' ? comment : undefined,
  }
}

function loadRow(table: Table, uuid: string, json: JsonObject, isDifference: boolean, version: string): Row {
  const old = table.rows.get(uuid)
  const row = old ? { ...old } : table.blank(uuid)
  const out = row as { _version: string; [column: string]: Datum }
  out._version = version
  for (const name of Object.keys(json)) {
    const column = table.schema.columns.get(name)
    // Left behind by a schema that had more columns.
    if (!column || column.ephemeral) continue
    const value = json[name] as Json
    if (old && isDifference) {
      out[name] = applyDifference(column.type, old[name], readDatum(differenceType(column.type), value))
    } else out[name] = readDatum(column.type, value)
  }
  return row
}

/** The pieces of a record that holds every row of a database. */
export function* writeEverything(
  database: Database,
  snapshot: ReadonlyMap<string, readonly Row[]>,
  date: number,
  comment: string,
  pieceSize = 1 << 16,
): Generator<string> {
  let piece = '{'
  for (const [name, rows] of snapshot) {
    const table = database.tables.get(name)
    if (!table || !rows.length) continue
    piece += `"${name}":{`
    let first = true
    for (const row of rows) {
      piece += `${first ? '' : ','}"${row._uuid}":${writeNewRow(table, row)}`
      first = false
      if (piece.length > pieceSize) {
        yield piece
        piece = ''
      }
    }
    piece += '},'
  }
  yield `${piece}"_comment":${printString(comment)},"_date":${Math.floor(date)}}\n`
}
