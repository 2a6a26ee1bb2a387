import {
  type Atom,
  atomsOf,
  type BaseType,
  type ColumnSchema,
  type Datum,
  defaultDatum,
  isConstrained,
  type Row,
  type TableSchema,
  ZERO_UUID,
} from '../schema/index.ts'
import { columnOf } from '../schema/schema.ts'
import { writeDatum } from '../wire/datum.ts'
import { Rows } from './rows.ts'

export type MutableRow = { _uuid: string; _version: string; [column: string]: Datum }

/** A column that refers to rows, by its key, its value or both. */
export interface ReferenceColumn {
  readonly column: ColumnSchema
  readonly key: BaseType | undefined
  readonly value: BaseType | undefined
}

function referenceColumns(schema: TableSchema, kind: 'strong' | 'weak'): ReferenceColumn[] {
  const out: ReferenceColumn[] = []
  const of = (base: BaseType | undefined) => (base?.refTable !== undefined && base.refType === kind ? base : undefined)
  for (const column of schema.columns.values()) {
    const key = of(column.type.key)
    const value = of(column.type.value)
    if (key || value) out.push({ column, key, value })
  }
  return out
}

/** Calls `visit` for each row that `row` refers to by these columns, as often as it does. */
export function eachReference(
  row: Row,
  columns: readonly ReferenceColumn[],
  visit: (table: string, uuid: string, column: ColumnSchema) => void,
): void {
  for (const { column, key, value } of columns) {
    const datum = row[column.name]
    if (datum === undefined) continue
    if (typeof datum !== 'object') {
      if (key?.refTable !== undefined) visit(key.refTable, datum as string, column)
      continue
    }
    if (key?.refTable !== undefined) for (const atom of atomsOf(datum)) visit(key.refTable, atom as string, column)
    if (value?.refTable !== undefined) {
      for (const atom of (datum as ReadonlyMap<Atom, Atom>).values()) visit(value.refTable, atom as string, column)
    }
  }
}

/** One unique index of a table: its columns and the rows by their values. */
export class Index {
  readonly rows = new Map<string, string>()
  private readonly columns: readonly ColumnSchema[]

  constructor(
    table: TableSchema,
    readonly names: readonly string[],
  ) {
    this.columns = names.map((name) => columnOf(table, name) as ColumnSchema)
  }

  key(row: Row): string {
    const [only] = this.columns
    if (this.columns.length === 1 && only) {
      const datum = row[only.name]
      return typeof datum === 'string' ? datum : writeDatum(only.type, datum)
    }
    return this.columns.map((c) => writeDatum(c.type, row[c.name])).join(',')
  }

  get schemas(): readonly ColumnSchema[] {
    return this.columns
  }
}

/** The committed rows of one table, with what is kept to check the next transaction. */
export class Table {
  readonly rows = new Rows()
  readonly indexes: readonly Index[]
  readonly strong: readonly ReferenceColumn[]
  readonly weak: readonly ReferenceColumn[]
  /** Columns of which not every value of the type is allowed. */
  readonly constrained: readonly ColumnSchema[]
  /** How many strong references there are to a row; absent for none. */
  readonly references = new Map<string, number>()
  /** Rows of other tables, as `TABLE UUID`, that refer weakly to a row of this one. */
  readonly referrers = new Map<string, Set<string>>()
  private readonly template: Row

  constructor(readonly schema: TableSchema) {
    this.indexes = schema.indexes.map((names) => new Index(schema, names))
    this.strong = referenceColumns(schema, 'strong')
    this.weak = referenceColumns(schema, 'weak')
    this.constrained = [...schema.columns.values()].filter(
      ({ type: { key, value } }) => isConstrained(key) || (value && isConstrained(value)),
    )
    const template: MutableRow = { _uuid: ZERO_UUID, _version: ZERO_UUID }
    for (const column of schema.columns.values()) template[column.name] = defaultDatum(column.type)
    this.template = template
  }

  /** A row with the default in every column. */
  blank(uuid: string): MutableRow {
    return { ...this.template, _uuid: uuid }
  }

  isDefault(column: string, datum: Datum): boolean {
    const value = this.template[column]
    return datum === value || (typeof datum === 'object' && typeof value === 'object' && sameEmpty(datum, value))
  }
}

function sameEmpty(a: object, b: object): boolean {
  if (a instanceof Map && b instanceof Map) {
    if (a.size !== b.size) return false
    for (const [k, v] of a) if (b.get(k) !== v) return false
    return true
  }
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((x, i) => x === b[i])
  return false
}
