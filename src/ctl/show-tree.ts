import type { TableName } from '../ovsdb/client/replica.ts'
import { sameDatum } from '../ovsdb/client/tables.ts'
import { type Atom, defaultDatum, type Row } from '../ovsdb/schema/index.ts'
import type { Call, Command } from './command.ts'
import { fatal } from './error.ts'
import { formatAtom, formatDatum } from './format.ts'

/** How `show` prints the rows of a table. */
export interface ShowTable {
  /** The column with the name that stands behind the table's; none: the uuid stands alone. */
  readonly name: string | undefined
  /** Printed in this order: values that are not the default, rows of shown tables in full. */
  readonly columns: readonly string[]
  /** A table whose rows refer to this one with a column: only their names are printed. */
  readonly referrers?: { readonly table: string; readonly column: string; readonly name: string }
}

export type ShowTables = Readonly<Record<string, ShowTable>>

/** `--filter=TABLE(TEXT|TEXT),...`; without a table it is for the first one. */
function readFilter(text: string | undefined, first: string): ReadonlyMap<string, readonly string[]> {
  const filters = new Map<string, readonly string[]>()
  for (const rule of text ? text.split(',') : []) {
    const [, table, inner, bare] = /^(?:(\w+)\((.*)\)|(.*))$/.exec(rule) ?? []
    filters.set(table ?? first, (inner ?? bare ?? '').split('|'))
  }
  return filters
}

/** `show` of sbctl and vsctl: a tree of rows from the first table down (ovs-vsctl(8), show). */
export function showCommand<T>(tables: ShowTables, extra: readonly string[] = []): Command<T> {
  const [first = ''] = Object.keys(tables)

  function show(call: Call<T>): void {
    const filters = readFilter(call.options.get('filter'), first)
    for (const name of filters.keys()) if (!tables[name]) fatal(`table ${name} is not shown`)
    for (const row of sorted(first, call.db.anyRows(first))) {
      const text = print(call, first, row, 0, filters, new Set())
      if (text !== undefined) call.print(text)
    }
  }

  const nameOf = (table: string, row: Row): string => {
    const column = tables[table]?.name
    const value = column === undefined ? undefined : row[column]
    return value === undefined ? row._uuid : String(value)
  }

  const sorted = (table: string, rows: readonly Row[]): Row[] =>
    [...rows].sort((a, b) => (nameOf(table, a) < nameOf(table, b) ? -1 : nameOf(table, a) > nameOf(table, b) ? 1 : 0))

  /** A row and what it refers to; undefined when a filter leaves it out. */
  function print(
    call: Call<T>,
    table: string,
    row: Row,
    level: number,
    filters: ReadonlyMap<string, readonly string[]>,
    seen: ReadonlySet<string>,
  ): string | undefined {
    const how = tables[table]
    if (!how) return undefined
    const indent = '    '.repeat(level)
    const name = how.name === undefined ? undefined : row[how.name]
    let out =
      how.name === undefined ? `${indent}${row._uuid}\n` : `${indent}${table} ${formatAtom('string', String(name))}\n`
    const above = new Set([...seen, table])
    const schema = call.db.schema.tables.get(table)
    for (const column of how.columns) {
      const type = schema?.columns.get(column)?.type
      if (!type) continue
      const target = type.key.refTable ?? type.value?.refTable
      if (target !== undefined && tables[target] && !above.has(target)) {
        const rows = uuidsOf(row[column])
          .map((u) => call.db.anyRow(target, u))
          .filter((r) => r !== undefined)
        for (const r of sorted(target, rows)) out += print(call, target, r, level + 1, filters, above) ?? ''
      } else if (!sameDatum(row[column], defaultDatum(type))) {
        out += `${indent}    ${column}: ${formatDatum(type, row[column])}\n`
      }
    }
    const { referrers } = how
    if (referrers) {
      const rows = call.db.anyRows(referrers.table).filter((r) => r[referrers.column] === row._uuid)
      const names = rows.map((r) => formatAtom('string', String(r[referrers.name]))).sort()
      for (const n of names) out += `${indent}    ${referrers.table} ${n}\n`
    }
    const wanted = filters.get(table)
    return wanted && !wanted.some((w) => out.includes(w)) ? undefined : out
  }

  const needed = [
    ...Object.keys(tables),
    ...Object.values(tables).flatMap((t) => (t.referrers ? [t.referrers.table] : [])),
    ...extra,
  ]
  return {
    name: 'show',
    args: [0, 0],
    options: ['filter='],
    access: 'ro',
    tables: needed as TableName<T>[],
    run: show,
  }
}

function uuidsOf(value: Row[string]): string[] {
  if (value instanceof Map) return [...value.values()].map(String)
  if (Array.isArray(value)) return (value as readonly Atom[]).map(String)
  return value === undefined ? [] : [String(value)]
}
