import { isObject, type Json, type JsonObject } from '../../jsonrpc/json.ts'
import {
  type Atom,
  type BaseType,
  type ColumnType,
  compareAtoms,
  type Datum,
  defaultDatum,
  Failure,
  parseUuid,
  type Row,
  type TableSchema,
  UNLIMITED,
} from '../schema/index.ts'
import { readDatum } from '../wire/datum.ts'
import type { ChangeSet, TableData } from './tables.ts'

/** Told of a value that is not of its column's type. */
export type OnBadValue = (table: string, column: string, why: string) => void

/** A type without enumeration, range and size: what a newer server allows is to be read all the same. */
function anyValue(type: ColumnType): ColumnType {
  const base = (b: BaseType): BaseType => ({ type: b.type })
  const many = type.shape === 'set' || type.shape === 'map' ? ({ min: 0, max: UNLIMITED } as const) : {}
  return { ...type, ...many, key: base(type.key), ...(type.value ? { value: base(type.value) } : {}) }
}

const NO_VERSION = '00000000-0000-0000-0000-000000000000'

/**
 * Makes rows of one table from JSON: all of one shape, what is not told is the default. A value of another
 * type (the server's schema is not ours) is told to `onBad` and leaves the column as it was.
 */
export class RowReader {
  private readonly template: Record<string, Datum>

  private readonly types = new Map<string, ColumnType>()

  constructor(
    private readonly schema: TableSchema,
    private readonly onBad: OnBadValue = () => {},
  ) {
    this.template = { _uuid: '', _version: NO_VERSION }
    for (const column of schema.columns.values()) {
      this.template[column.name] = defaultDatum(column.type)
      this.types.set(column.name, anyValue(column.type))
    }
  }

  /** A value that could not be read: the column stays as it was. */
  private refused(column: string, error: unknown, otherwise: Datum): Datum {
    if (!(error instanceof Failure)) throw error
    this.onBad(this.schema.name, column, error.message)
    return otherwise
  }

  /** A new row from the columns that are told. */
  full(uuid: string, json: Json): Row {
    return this.over(this.template, uuid, json)
  }

  /** A row with the columns that are told replaced. */
  replaced(old: Row, json: Json): Row {
    return this.over(old, old._uuid, json)
  }

  private over(base: Readonly<Record<string, Datum>>, uuid: string, json: Json): Row {
    const row: Record<string, Datum> = { ...base, _uuid: uuid }
    const columns = objectOf(json, this.schema.name)
    for (const name in columns) {
      const value = columns[name]
      const type = this.types.get(name)
      if (!type || value === undefined) continue
      try {
        row[name] = readDatum(type, value)
      } catch (e) {
        row[name] = this.refused(name, e, base[name])
      }
    }
    return row as unknown as Row
  }

  /** A row with the differences applied (ovsdb-server(7), `modify` of update2). */
  modified(old: Row, json: Json): Row {
    const row: Record<string, Datum> = { ...old }
    const columns = objectOf(json, this.schema.name)
    for (const name in columns) {
      const value = columns[name]
      const type = this.types.get(name)
      if (!type || value === undefined) continue
      try {
        row[name] = applyDiff(type, old[name], value)
      } catch (e) {
        row[name] = this.refused(name, e, old[name])
      }
    }
    return row as unknown as Row
  }
}

/** Of columns with at most one value the new value is told, of others the members that came or went. */
function applyDiff(type: ColumnType, old: Datum, json: Json): Datum {
  if (type.max === 1 && !type.value) return readDatum(type, json)
  const diff = readDatum({ ...type, min: 0, max: 4294967295, shape: type.value ? 'map' : 'set' }, json)
  if (diff instanceof Map) {
    const map = new Map(old instanceof Map ? old : [])
    for (const [key, value] of diff) {
      if (map.get(key) === value) map.delete(key)
      else map.set(key, value)
    }
    return new Map([...map].sort(([a], [b]) => compareAtoms(a, b)))
  }
  const members = new Set(old as readonly Atom[])
  for (const member of diff as readonly Atom[]) if (!members.delete(member)) members.add(member)
  return [...members].sort(compareAtoms)
}

/** Applies the `<table-updates>` of `update` (RFC 7047 §4.1.6): whole rows, of changed ones what they were too. */
export function applyUpdates(
  tables: ReadonlyMap<string, TableData>,
  readers: Readers,
  json: Json,
  set: ChangeSet,
): void {
  eachRow(tables, readers, json, (table, reader, uuid, update) => {
    const after = update['new']
    if (after === undefined || after === null) {
      if (update['old'] === undefined) throw inconsistent(`${table.name}: neither old nor new of row ${uuid}`)
      set.add(table.name, uuid, table.apply(uuid, undefined))
    } else {
      const old = table.get(uuid)
      set.add(table.name, uuid, table.apply(uuid, old ? reader.replaced(old, after) : reader.full(uuid, after)))
    }
  })
}

/** Applies the `<table-updates2>` of `update2` and `update3` (ovsdb-server(7), 4.1.13). */
export function applyUpdates2(
  tables: ReadonlyMap<string, TableData>,
  readers: Readers,
  json: Json,
  set: ChangeSet,
): void {
  eachRow(tables, readers, json, (table, reader, uuid, update) => {
    const whole = update['initial'] ?? update['insert']
    const diff = update['modify']
    if (whole !== undefined) set.add(table.name, uuid, table.apply(uuid, reader.full(uuid, whole)))
    else if (diff !== undefined) {
      const old = table.get(uuid)
      if (!old) throw inconsistent(`${table.name} has no row ${uuid}`)
      set.add(table.name, uuid, table.apply(uuid, reader.modified(old, diff)))
    } else if ('delete' in update) set.add(table.name, uuid, table.apply(uuid, undefined))
    else throw inconsistent(`${table.name}: no change of row ${uuid} that is known`)
  })
}

export type Readers = ReadonlyMap<string, RowReader>

const inconsistent = (details: string): Failure => new Failure({ error: 'inconsistent update', details })

function objectOf(json: Json, what: string): JsonObject {
  if (isObject(json)) return json
  throw inconsistent(`${what}: not an object`)
}

/** Rows of tables that were not asked for are passed over; what is no update at all is not. */
function eachRow(
  tables: ReadonlyMap<string, TableData>,
  readers: Readers,
  json: Json,
  visit: (table: TableData, reader: RowReader, uuid: string, update: JsonObject) => void,
): void {
  const updates = objectOf(json, '<table-updates>')
  for (const name in updates) {
    const [table, reader, told] = [tables.get(name), readers.get(name), updates[name]]
    if (!table || !reader || told === undefined) continue
    const rows = objectOf(told, name)
    for (const uuid in rows) {
      const update = rows[uuid]
      if (update === undefined) continue
      if (parseUuid(uuid) !== uuid) throw inconsistent(`${name} has no row "${uuid}": it is no uuid`)
      visit(table, reader, uuid, objectOf(update, `${name} ${uuid}`))
    }
  }
}
