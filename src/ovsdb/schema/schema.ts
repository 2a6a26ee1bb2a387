import { err, ok, type Result } from '../../base/result.ts'
import { isInteger, type Json } from '../../jsonrpc/json.ts'
import {
  Failure,
  fail,
  isArray,
  isBoolean,
  isId,
  isObject,
  isString,
  Members,
  type OvsdbError,
  syntaxError,
} from './error.ts'
import {
  type BaseType,
  type ColumnType,
  columnType,
  isTypeJson,
  parseColumnType,
  printColumnType,
  UNLIMITED,
} from './type.ts'

/** RFC 7047 §3.2 `<column-schema>`. */
export interface ColumnSchema {
  readonly name: string
  readonly type: ColumnType
  /** Not written to storage. */
  readonly ephemeral: boolean
  readonly mutable: boolean
}

/** RFC 7047 §3.2 `<table-schema>`. */
export interface TableSchema {
  readonly name: string
  /** Without `_uuid` and `_version`, in the order of the schema. */
  readonly columns: ReadonlyMap<string, ColumnSchema>
  /** UNLIMITED for no limit. */
  readonly maxRows: number
  /** Rows live without being referred to: garbage is collected only in the other tables. */
  readonly isRoot: boolean
  /** Names of columns, `_uuid` may be among them. */
  readonly indexes: readonly (readonly string[])[]
}

/** RFC 7047 §3.2 `<database-schema>`. */
export interface DatabaseSchema {
  readonly name: string
  /** `x.y.z`; empty when the schema has none. */
  readonly version: string
  /** As the schema's file says; empty when it says nothing. */
  readonly cksum: string
  readonly tables: ReadonlyMap<string, TableSchema>
}

/** A row as the engine keeps it and replicas share it: never modified. Absent optional values are undefined. */
export interface Row {
  readonly _uuid: string
  readonly _version: string
  readonly [column: string]: import('./atom.ts').Datum
}

export const UUID_COLUMN: ColumnSchema = {
  name: '_uuid',
  type: columnType({ type: 'uuid' }, undefined, 1, 1),
  ephemeral: false,
  mutable: false,
}

export const VERSION_COLUMN: ColumnSchema = {
  name: '_version',
  type: columnType({ type: 'uuid' }, undefined, 1, 1),
  ephemeral: true,
  mutable: false,
}

/** A column of a table, `_uuid` and `_version` too. */
export function columnOf(table: TableSchema, name: string): ColumnSchema | undefined {
  return table.columns.get(name) ?? (name === '_uuid' ? UUID_COLUMN : name === '_version' ? VERSION_COLUMN : undefined)
}

const VERSION = /^[0-9]+\.[0-9]+\.[0-9]+$/

function parseColumn(name: string, json: Json): ColumnSchema {
  const members = new Members(json, `schema for column ${name}`)
  const mutable = members.optional('mutable', isBoolean) ?? true
  const ephemeral = members.optional('ephemeral', isBoolean) ?? false
  const typeJson = members.required('type', isTypeJson)
  members.finish()
  const type = parseColumnType(typeJson)
  // ovsdb-server(7), 3.2: a column with weak references changes by itself, so it is always mutable.
  const weak = type.key.refType === 'weak' || type.value?.refType === 'weak'
  return { name, type, ephemeral, mutable: mutable || weak }
}

function checkName(json: Json, name: string): void {
  if (name.startsWith('_')) syntaxError(json, 'names beginning with "_" are reserved')
  if (!isId(name)) syntaxError(json, 'name must be a valid id')
}

function parseIndex(json: Json, table: Json, columns: ReadonlyMap<string, ColumnSchema>): string[] {
  const names = isArray(json) ? json : []
  if (!isArray(json) || !names.every(isString) || new Set(names).size !== names.length) {
    syntaxError(json, 'array of distinct column names expected')
  }
  for (const name of names) {
    if (!columns.has(name as string) && name !== '_uuid' && name !== '_version') {
      syntaxError(json, `${name as string} is not a valid column name`)
    }
  }
  if (!names.length) syntaxError(table, 'index must have at least one column')
  for (const name of names) {
    if (name === '_version' || columns.get(name as string)?.ephemeral) {
      syntaxError(table, `ephemeral columns (such as ${name as string}) may not be indexed`)
    }
  }
  return names as string[]
}

function parseTable(name: string, json: Json): TableSchema {
  const members = new Members(json, `table schema for table ${name}`)
  const columnsJson = members.required('columns', isObject)
  const maxRows = members.optional('maxRows', isInteger)
  const isRoot = members.optional('isRoot', isBoolean) ?? false
  const indexes = members.optional('indexes', isArray) ?? []
  members.finish()
  if (maxRows !== undefined && maxRows <= 0) syntaxError(json, 'maxRows must be at least 1')
  const names = Object.keys(columnsJson)
  if (!names.length) syntaxError(json, 'table must have at least one column')
  const columns = new Map<string, ColumnSchema>()
  for (const column of names) {
    checkName(json, column)
    columns.set(column, parseColumn(column, columnsJson[column] as Json))
  }
  return {
    name,
    columns,
    maxRows: maxRows === undefined || maxRows > UNLIMITED ? UNLIMITED : Number(maxRows),
    isRoot,
    indexes: indexes.map((index) => parseIndex(index, json, columns)),
  }
}

function checkReference(
  column: ColumnSchema,
  base: BaseType | undefined,
  name: string,
  tables: ReadonlyMap<string, TableSchema>,
) {
  if (base?.refTable === undefined) return
  const target = tables.get(base.refTable)
  if (!target) fail('syntax error', `column ${column.name} ${name} refers to undefined table ${base.refTable}`)
}

/** A strong reference to a row that lives by it must outlive the server: such a column is never ephemeral. */
function storeReferences(columns: ReadonlyMap<string, ColumnSchema>, tables: ReadonlyMap<string, TableSchema>) {
  const keeps = (base: BaseType | undefined) =>
    base?.refTable !== undefined && base.refType === 'strong' && !tables.get(base.refTable)?.isRoot
  const out = new Map<string, ColumnSchema>()
  for (const [name, c] of columns) {
    out.set(name, c.ephemeral && (keeps(c.type.key) || keeps(c.type.value)) ? { ...c, ephemeral: false } : c)
  }
  return out
}

/** A schema from JSON; throws Failure. */
export function readSchema(json: Json): DatabaseSchema {
  const members = new Members(json, 'database schema')
  const name = members.required('name', isId)
  const version = members.optional('version', isString) ?? ''
  const cksum = members.optional('cksum', isString) ?? ''
  const tablesJson = members.required('tables', isObject)
  members.finish()
  if (version && !VERSION.test(version)) {
    syntaxError(json, `schema version "${version}" not in format x.y.z`)
  }
  const tables = new Map<string, TableSchema>()
  for (const [tableName, tableJson] of Object.entries(tablesJson)) {
    checkName(json, tableName)
    tables.set(tableName, parseTable(tableName, tableJson as Json))
  }
  // RFC 7047 §3.2 isRoot: a schema without any root table, from before the notion, has only roots.
  if (![...tables.values()].some((t) => t.isRoot)) {
    for (const [key, table] of tables) tables.set(key, { ...table, isRoot: true })
  }
  for (const table of tables.values()) {
    for (const column of table.columns.values()) {
      checkReference(column, column.type.key, 'key', tables)
      checkReference(column, column.type.value, 'value', tables)
    }
    tables.set(table.name, { ...table, columns: storeReferences(table.columns, tables) })
  }
  return { name, version, cksum, tables }
}

/** A schema from its JSON; the error has the real server's text. */
export function parseSchema(json: Json): Result<DatabaseSchema, OvsdbError> {
  try {
    return ok(readSchema(json))
  } catch (e) {
    if (e instanceof Failure) return err(e.error)
    throw e
  }
}

/** The schema's JSON, without what goes without saying. */
export function printSchema(schema: DatabaseSchema): Json {
  const allRoots = [...schema.tables.values()].every((t) => t.isRoot)
  const tables: Record<string, Json> = {}
  for (const table of schema.tables.values()) {
    const columns: Record<string, Json> = {}
    for (const column of table.columns.values()) {
      columns[column.name] = {
        type: printColumnType(column.type),
        ...(column.mutable ? {} : { mutable: false }),
        ...(column.ephemeral ? { ephemeral: true } : {}),
      }
    }
    tables[table.name] = {
      columns,
      ...(table.maxRows !== UNLIMITED ? { maxRows: table.maxRows } : {}),
      ...(table.isRoot && !allRoots ? { isRoot: true } : {}),
      ...(table.indexes.length ? { indexes: table.indexes } : {}),
    }
  }
  return {
    name: schema.name,
    ...(schema.version ? { version: schema.version } : {}),
    ...(schema.cksum ? { cksum: schema.cksum } : {}),
    tables,
  }
}
