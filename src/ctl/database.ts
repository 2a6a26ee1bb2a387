import { sortMap } from '../ovsdb/client/draft.ts'
import type { TableName, TypedSchema } from '../ovsdb/client/replica.ts'
import {
  type Atom,
  type ColumnSchema,
  type Datum,
  type Row,
  type TableSchema,
  UUID_COLUMN,
} from '../ovsdb/schema/index.ts'
import type { Call, Command, ParsedCall } from './command.ts'
import { readCondition } from './condition.ts'
import { fatal } from './error.ts'
import { formatAtom, formatDatum } from './format.ts'
import {
  findRecord,
  findTable,
  leadingColumn,
  needRecord,
  type RecordNames,
  readColumnArgument,
  recordTables,
} from './records.ts'
import type { Cell } from './table.ts'
import { readDatum, readWholeAtom } from './value.ts'

/** The rows of a table in an order of their own: by name where they have one, then by uuid. */
function sortRows(table: TableSchema, rows: readonly Row[]): Row[] {
  const named = table.columns.get('name')?.type.shape === 'scalar'
  const key = (row: Row) => (named ? String(row['name']) : '')
  return [...rows].sort((a, b) => compare(key(a), key(b)) || compare(a._uuid, b._uuid))
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The database commands of every ctl tool (ovs-vsctl(8), Database Commands), for any schema. */
export function databaseCommands<T>(schema: TypedSchema<T>, names: RecordNames): Command<T>[] {
  const tableOf = (call: ParsedCall): TableSchema => findTable(schema, call.args[0] ?? '')
  const tables = (call: ParsedCall): string[] => recordTables(names, tableOf(call).name)

  const record = (call: Call<T>, table: TableSchema, text: string): Row | undefined => {
    const find = call.has('if-exists') ? findRecord : needRecord
    return find(call.db, names, table, text)
  }

  function columnsOf(call: Call<T>, table: TableSchema): ColumnSchema[] {
    const given = call.options.get('columns')
    if (given === undefined) {
      const sorted = [...table.columns.values()].sort((a, b) => compare(a.name, b.name))
      return [UUID_COLUMN, ...sorted]
    }
    const wanted = given.split(/[ ,]+/).filter((s) => s)
    if (!wanted.length) fatal('must specify at least one column name')
    return wanted.map((w) => (w === '_uuid' ? UUID_COLUMN : leadingColumn(table, w)))
  }

  function printRows(call: Call<T>, columns: readonly ColumnSchema[], rows: readonly Row[]): void {
    const cells = (row: Row): Cell[] => columns.map((c) => ({ type: c.type, value: row[c.name] }))
    call.table({ headings: columns.map((c) => c.name), rows: rows.map(cells) })
  }

  function list(call: Call<T>): void {
    const table = tableOf(call)
    const columns = columnsOf(call, table)
    const wanted = call.args.slice(1)
    const rows = wanted.length
      ? wanted.map((text) => record(call, table, text)).filter((row) => row !== undefined)
      : sortRows(table, call.db.anyRows(table.name))
    printRows(call, columns, rows)
  }

  function find(call: Call<T>): void {
    const table = tableOf(call)
    const columns = columnsOf(call, table)
    const texts = call.args.slice(1)
    for (const text of texts) leadingFilterColumn(table, text)
    const tests = texts.map((text) => readCondition(table, text, call.symbols))
    const rows = call.db.anyRows(table.name).filter((row) => tests.every((t) => t(row)))
    printRows(call, columns, sortRows(table, rows))
  }

  function get(call: Call<T>): void {
    const table = tableOf(call)
    const texts = call.args.slice(2)
    for (const text of texts) leadingColumn(table, text)
    const id = call.options.get('id')
    if (id !== undefined && call.has('if-exists')) fatal('--if-exists and --id may not be specified together')
    const row = record(call, table, call.arg(1))
    if (!row) return
    if (id !== undefined) call.bind(id, row._uuid)
    for (const text of texts) {
      const { column, key } = readColumnArgument(table, text, [])
      const value = row[column.name]
      if (key === undefined) {
        call.print(`${formatDatum(column.type, value)}\n`)
        continue
      }
      const type = column.type
      if (!type.value) fatal(`cannot specify key to get for non-map column ${column.name}`)
      const at = readWholeAtom(type.key, key, call.symbols)
      const found = value instanceof Map ? (value.get(at) as Atom | undefined) : undefined
      if (found !== undefined) call.print(`${formatAtom(type.value.type, found)}\n`)
      else if (call.has('if-exists')) call.print('\n')
      else fatal(`no key "${key}" in ${table.name} record "${call.arg(1)}" column ${column.name}`)
    }
  }

  /** Sets what `column[:key]=value` says. */
  function assign(call: Call<T>, table: TableSchema, uuid: string, text: string): void {
    const { column, key, value = '' } = readColumnArgument(table, text, ['='])
    const type = column.type
    if (key === undefined) {
      call.db.anyUpdate(table.name, uuid, { [column.name]: readDatum(type, value, call.symbols) })
      return
    }
    if (!type.value) fatal(`cannot specify key to set for non-map column ${column.name}`)
    const at = readWholeAtom(type.key, key, call.symbols)
    call.db.anySetKey(table.name, uuid, column.name, at, readWholeAtom(type.value, value, call.symbols))
  }

  function set(call: Call<T>): void {
    const table = tableOf(call)
    const texts = call.args.slice(2)
    for (const text of texts) mutableColumn(table, text)
    const row = record(call, table, call.arg(1))
    if (row) for (const text of texts) assign(call, table, row._uuid, text)
  }

  function add(call: Call<T>): void {
    const table = tableOf(call)
    const column = mutableColumn(table, call.arg(2))
    const row = record(call, table, call.arg(1))
    if (!row) return
    const type = { ...column.type, min: 0 as const, max: 4294967295, shape: column.type.value ? 'map' : 'set' } as const
    for (const text of call.args.slice(3)) {
      const value = readDatum(type, text, call.symbols)
      const now = call.db.anyRow(table.name, row._uuid) ?? row
      const size = count(merge(now[column.name], value))
      if (size > column.type.max) {
        fatal(
          `"add" operation would put ${size} values in column ${column.name} of table ${table.name} but the maximum number is ${column.type.max}`,
        )
      }
      if (value instanceof Map) {
        const old = now[column.name]
        for (const [k, v] of value) {
          if (!(old instanceof Map && old.has(k))) call.db.anySetKey(table.name, row._uuid, column.name, k, v)
        }
      } else if (column.type.shape === 'set') {
        call.db.anyAddMembers(table.name, row._uuid, column.name, value as readonly Atom[])
      } else {
        const merged = merge(now[column.name], value) as readonly Atom[]
        call.db.anyUpdate(table.name, row._uuid, { [column.name]: merged[0] })
      }
    }
  }

  function remove(call: Call<T>): void {
    const table = tableOf(call)
    const column = mutableColumn(table, call.arg(2))
    const row = record(call, table, call.arg(1))
    if (!row) return
    const type = column.type
    for (const text of call.args.slice(3)) {
      const now = call.db.anyRow(table.name, row._uuid)?.[column.name]
      if (type.value) {
        removePairs(call, table, column, row._uuid, now, text)
        continue
      }
      const many = { key: type.key, min: 0, max: 4294967295, shape: 'set' } as const
      const gone = readDatum(many, text, call.symbols) as readonly Atom[]
      if (type.shape === 'set') {
        const left = (now as readonly Atom[]).filter((m) => !gone.includes(m))
        checkLeft(table, column, left.length)
        call.db.anyRemoveMembers(table.name, row._uuid, column.name, gone)
      } else if (now !== undefined && gone.includes(now as Atom)) {
        checkLeft(table, column, 0)
        call.db.anyUpdate(table.name, row._uuid, { [column.name]: undefined })
      }
    }
  }

  function removePairs(
    call: Call<T>,
    table: TableSchema,
    c: ColumnSchema,
    uuid: string,
    now: Datum,
    text: string,
  ): void {
    if (!(now instanceof Map)) return
    const map = now as ReadonlyMap<Atom, Atom>
    const pairs = readPairsOrKeys(c, text, call)
    const gone =
      pairs instanceof Map
        ? [...pairs].filter(([k, v]) => map.get(k) === v).map(([k]) => k)
        : (pairs as readonly Atom[])
    checkLeft(table, c, [...map.keys()].filter((k) => !gone.includes(k)).length)
    call.db.anyRemoveKeys(table.name, uuid, c.name, gone)
  }

  function clear(call: Call<T>): void {
    const table = tableOf(call)
    const columns = call.args.slice(2).map((text) => mutableColumn(table, text))
    const row = record(call, table, call.arg(1))
    if (!row) return
    for (const column of columns) {
      if (column.type.min > 0) {
        fatal(
          `"clear" operation cannot be applied to column ${column.name} of table ${table.name}, which is not allowed to be empty`,
        )
      }
      const empty = column.type.value ? new Map() : column.type.shape === 'optional' ? undefined : []
      call.db.anyUpdate(table.name, row._uuid, { [column.name]: empty })
    }
  }

  function create(call: Call<T>): void {
    const table = tableOf(call)
    const texts = call.args.slice(1)
    for (const text of texts) mutableColumn(table, text)
    const id = call.options.get('id')
    if (id === undefined && !table.isRoot) {
      call.warn(
        'db_ctl_base',
        `applying "create" command to table ${table.name} without --id option will have no effect`,
      )
    }
    const uuid = call.db.anyInsert(table.name, {}, id === undefined ? undefined : call.declare(id, table))
    for (const text of texts) assign(call, table, uuid, text)
    call.print(`${uuid}\n`)
  }

  function destroy(call: Call<T>): void {
    const table = tableOf(call)
    const texts = call.args.slice(1)
    if (call.has('all')) {
      if (texts.length) fatal('--all and records argument should not be specified together')
      if (call.has('if-exists')) fatal('--all and --if-exists should not be specified together')
      for (const row of call.db.anyRows(table.name)) call.db.anyDelete(table.name, row._uuid)
    }
    for (const text of texts) {
      const row = record(call, table, text)
      if (row) call.db.anyDelete(table.name, row._uuid)
    }
  }

  function waitUntil(call: Call<T>): void {
    const table = tableOf(call)
    const texts = call.args.slice(2)
    for (const text of texts) leadingFilterColumn(table, text)
    const row = findRecord(call.db, names, table, call.arg(1))
    if (!row) call.retry()
    for (const text of texts) if (!readCondition(table, text, call.symbols)(row)) call.retry()
  }

  const rw = { access: 'rw', tables: tables as (call: ParsedCall) => TableName<T>[] } as const
  const ro = { access: 'ro', tables: tables as (call: ParsedCall) => TableName<T>[] } as const
  const MANY = Number.POSITIVE_INFINITY
  return [
    { name: 'comment', args: [0, MANY], usage: '[ARG]...', access: 'ro', tables: [], run: () => {} },
    { ...ro, name: 'list', args: [1, MANY], usage: 'TABLE [RECORD]...', options: ['if-exists', 'columns='], run: list },
    { ...ro, name: 'find', args: [1, MANY], usage: 'TABLE [COLUMN[:KEY]=VALUE]...', options: ['columns='], run: find },
    {
      ...ro,
      name: 'get',
      args: [2, MANY],
      usage: 'TABLE RECORD [COLUMN[:KEY]]...',
      options: ['if-exists', 'id='],
      run: get,
    },
    {
      ...rw,
      name: 'set',
      args: [3, MANY],
      usage: 'TABLE RECORD COLUMN[:KEY]=VALUE...',
      options: ['if-exists'],
      run: set,
    },
    {
      ...rw,
      name: 'add',
      args: [4, MANY],
      usage: 'TABLE RECORD COLUMN [KEY=]VALUE...',
      options: ['if-exists'],
      run: add,
    },
    {
      ...rw,
      name: 'remove',
      args: [4, MANY],
      usage: 'TABLE RECORD COLUMN KEY|VALUE|KEY=VALUE...',
      options: ['if-exists'],
      run: remove,
    },
    { ...rw, name: 'clear', args: [3, MANY], usage: 'TABLE RECORD COLUMN...', options: ['if-exists'], run: clear },
    { ...rw, name: 'create', args: [2, MANY], usage: 'TABLE COLUMN[:KEY]=VALUE...', options: ['id='], run: create },
    {
      ...rw,
      name: 'destroy',
      args: [1, MANY],
      usage: 'TABLE [RECORD]...',
      options: ['if-exists', 'all'],
      run: destroy,
    },
    { ...ro, name: 'wait-until', args: [2, MANY], usage: 'TABLE RECORD [COLUMN[:KEY]=VALUE]...', run: waitUntil },
  ]
}

/** The columns of conditions are without `_uuid`. */
function leadingFilterColumn(table: TableSchema, text: string): ColumnSchema {
  const column = leadingColumn(table, text)
  if (column === UUID_COLUMN) fatal(`${table.name} does not contain a column whose name matches "_uuid"`)
  return column
}

function mutableColumn(table: TableSchema, text: string): ColumnSchema {
  const column = leadingFilterColumn(table, text)
  if (!column.mutable) fatal(`cannot modify read-only column ${column.name} in table ${table.name}`)
  return column
}

function merge(old: Datum, added: Datum): Datum {
  if (added instanceof Map) return sortMap(new Map([...added, ...(old instanceof Map ? old : [])]))
  const before = old === undefined ? [] : Array.isArray(old) ? (old as Atom[]) : [old as Atom]
  return [...before, ...(added as Atom[]).filter((m) => !before.includes(m))]
}

const count = (value: Datum): number => (value instanceof Map ? value.size : Array.isArray(value) ? value.length : 1)

function checkLeft(table: TableSchema, column: ColumnSchema, left: number): void {
  if (left >= column.type.min) return
  fatal(
    `"remove" operation would put ${left} values in column ${column.name} of table ${table.name} but the minimum number is ${column.type.min}`,
  )
}

/** `key=value` pairs, or else keys alone. */
function readPairsOrKeys<T>(
  column: ColumnSchema,
  text: string,
  call: Call<T>,
): ReadonlyMap<Atom, Atom> | readonly Atom[] {
  const { key, value } = column.type
  const open = { min: 0, max: 4294967295 } as const
  try {
    return readDatum({ key, ...(value ? { value } : {}), ...open, shape: 'map' }, text, call.symbols) as ReadonlyMap<
      Atom,
      Atom
    >
  } catch {
    return readDatum({ key, ...open, shape: 'set' }, text, call.symbols) as readonly Atom[]
  }
}
