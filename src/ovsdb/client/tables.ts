import type { DatabaseSchema, Datum, Row, TableSchema } from '../schema/index.ts'
import type { RowChange, TableIndex, TableReplica } from './replica.ts'

class Index implements TableIndex<Row> {
  private readonly entries = new Map<string, Map<string, Row>>()

  constructor(
    readonly name: string,
    private readonly of: (row: Row) => string | undefined | readonly string[],
  ) {}

  get(value: string): readonly Row[] {
    const entry = this.entries.get(value)
    if (!entry) return []
    return entry.size === 1 ? [...entry.values()] : [...entry.values()].sort((a, b) => (a._uuid < b._uuid ? -1 : 1))
  }

  first(value: string): Row | undefined {
    return this.get(value)[0]
  }

  update(before: Row | undefined, after: Row | undefined): void {
    const gone = before ? this.values(before) : []
    for (const v of gone) {
      const entry = this.entries.get(v)
      entry?.delete((before as Row)._uuid)
      if (entry?.size === 0) this.entries.delete(v)
    }
    for (const v of after ? this.values(after) : []) {
      let entry = this.entries.get(v)
      if (!entry) {
        entry = new Map()
        this.entries.set(v, entry)
      }
      entry.set((after as Row)._uuid, after as Row)
    }
  }

  private values(row: Row): readonly string[] {
    const v = this.of(row)
    return v === undefined ? [] : typeof v === 'string' ? [v] : v
  }
}

/** A table of a replica, with the door by which its owner changes it. */
export class TableData implements TableReplica<Row> {
  readonly name: string
  private readonly rows = new Map<string, Row>()
  private readonly indexes: Index[] = []
  readonly columns: ReadonlySet<string>

  constructor(
    readonly schema: TableSchema,
    columns: Iterable<string> = schema.columns.keys(),
  ) {
    this.name = schema.name
    this.columns = new Set(columns)
  }

  get size(): number {
    return this.rows.size
  }

  get(uuid: string): Row | undefined {
    return this.rows.get(uuid)
  }

  has(uuid: string): boolean {
    return this.rows.has(uuid)
  }

  values(): IterableIterator<Row> {
    return this.rows.values()
  }

  keys(): IterableIterator<string> {
    return this.rows.keys()
  }

  entries(): IterableIterator<[string, Row]> {
    return this.rows.entries()
  }

  index(name: string, of: (row: Row) => string | undefined | readonly string[]): TableIndex<Row> {
    const known = this.indexes.find((i) => i.name === name)
    if (known) return known
    const index = new Index(name, of)
    for (const row of this.rows.values()) index.update(undefined, row)
    this.indexes.push(index)
    return index
  }

  /** Puts, replaces or removes a row; undefined when nothing changed. */
  apply(uuid: string, after: Row | undefined): RowChange<Row> | undefined {
    const before = this.rows.get(uuid)
    if (before === after) return undefined
    if (after) this.rows.set(uuid, after)
    else this.rows.delete(uuid)
    for (const index of this.indexes) index.update(before, after)
    return { ...(before ? { old: before } : {}), ...(after ? { new: after } : {}) }
  }
}

/** The net changes of an update while it is being applied. */
export class ChangeSet {
  readonly tables: Record<string, Map<string, RowChange<Row>>> = {}
  empty = true

  add(table: string, uuid: string, change: RowChange<Row> | undefined): void {
    if (!change) return
    let rows = this.tables[table]
    if (!rows) {
      rows = new Map()
      this.tables[table] = rows
    }
    const earlier = rows.get(uuid)
    const old = earlier ? earlier.old : change.old
    if (!old && !change.new) rows.delete(uuid)
    else rows.set(uuid, { ...(old ? { old } : {}), ...(change.new ? { new: change.new } : {}) })
    this.empty = false
  }
}

/** The tables asked for, by name. Throws where there is no such table or column. */
export function makeTables(
  schema: DatabaseSchema,
  requests: ReadonlyMap<string, { readonly columns?: readonly string[] }>,
): Map<string, TableData> {
  const tables = new Map<string, TableData>()
  for (const [name, { columns }] of requests) {
    const table = schema.tables.get(name)
    if (!table) throw new Error(`database ${schema.name} has no table ${name}`)
    const unknown = columns?.find((column) => !table.columns.has(column))
    if (unknown !== undefined) throw new Error(`table ${name} has no column ${unknown}`)
    tables.set(name, new TableData(table, columns))
  }
  return tables
}

/** Whether two rows have the same values. */
export function sameRow(a: Row, b: Row): boolean {
  if (a === b) return true
  for (const name in a) if (name !== '_version' && !sameDatum(a[name], b[name])) return false
  return true
}

/** Equality of values in native form. */
export function sameDatum(a: Datum, b: Datum): boolean {
  if (a === b) return true
  if (a instanceof Map) {
    if (!(b instanceof Map) || a.size !== b.size) return false
    for (const [k, v] of a) if (b.get(k) !== v) return false
    return true
  }
  return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((v, i) => v === b[i])
}
