/**
 * A vocabulary to write database schemas as data: `name: optional(string)`, `ports:
 * set(strong('Port'))`. What it makes is what `parseSchema` makes of the .ovsschema file.
 */
import type { TypedSchema } from '../ovsdb/client/replica.ts'
import { type BaseType, type ColumnSchema, columnType, type TableSchema, UNLIMITED } from '../ovsdb/schema/index.ts'

/** A column as it is being described: its type and its properties, no name yet. */
export interface Column {
  readonly key: BaseType
  readonly value?: BaseType
  readonly min: number
  readonly max: number
  readonly ephemeral?: boolean
  readonly immutable?: boolean
}

/** A table as it is being described. */
export interface Table {
  readonly columns: Readonly<Record<string, Column>>
  readonly isRoot: boolean
  readonly maxRows: number
  readonly indexes: readonly (readonly string[])[]
}

const one = (key: BaseType): Column => ({ key, min: 1, max: 1 })

export const integer: Column = one({ type: 'integer' })
export const boolean: Column = one({ type: 'boolean' })
export const string: Column = one({ type: 'string' })
export const uuid: Column = one({ type: 'uuid' })

/** One of the given strings. */
export const oneOf = (...values: string[]): Column => one({ type: 'string', enum: [...values].sort() })

/** An integer from `min` to `max`, both included. */
export const range = (min: number | undefined, max?: number): Column =>
  one({
    type: 'integer',
    ...(min === undefined ? {} : { minInteger: min }),
    ...(max === undefined ? {} : { maxInteger: max }),
  })

/** A string of `min` to `max` characters. */
export const text = (min: number | undefined, max?: number): Column =>
  one({
    type: 'string',
    ...(min === undefined ? {} : { minLength: min }),
    ...(max === undefined ? {} : { maxLength: max }),
  })

/** A reference that keeps the row it names alive. */
export const strong = (refTable: string): Column => one({ type: 'uuid', refTable, refType: 'strong' })

/** A reference that goes when the row it names goes. */
export const weak = (refTable: string): Column => one({ type: 'uuid', refTable, refType: 'weak' })

/** One value or none. */
export const optional = (member: Column): Column => ({ key: member.key, min: 0, max: 1 })

export const set = (member: Column, min = 0, max: number | 'unlimited' = 'unlimited'): Column => ({
  key: member.key,
  min,
  max: max === 'unlimited' ? UNLIMITED : max,
})

export const map = (key: Column, value: Column, min = 0, max: number | 'unlimited' = 'unlimited'): Column => ({
  key: key.key,
  value: value.key,
  min,
  max: max === 'unlimited' ? UNLIMITED : max,
})

/** A column whose value is not kept on disk. */
export const ephemeral = (column: Column): Column => ({ ...column, ephemeral: true })

/** A column that cannot be changed once its row exists. */
export const immutable = (column: Column): Column => ({ ...column, immutable: true })

export function table(
  columns: Readonly<Record<string, Column>>,
  options: { isRoot?: boolean; maxRows?: number; indexes?: string[][] },
): Table {
  return {
    columns,
    isRoot: options.isRoot ?? false,
    maxRows: options.maxRows ?? UNLIMITED,
    indexes: options.indexes ?? [],
  }
}

/** The schema of a database whose tables have the row types of `T`. */
export function database<T>(
  head: { readonly name: string; readonly version: string; readonly cksum: string },
  tables: Readonly<Record<keyof T & string, Table>>,
): TypedSchema<T> {
  const out = new Map<string, TableSchema>()
  for (const [name, t] of Object.entries<Table>(tables)) {
    const columns = new Map<string, ColumnSchema>()
    for (const [column, c] of Object.entries(t.columns)) {
      columns.set(column, {
        name: column,
        type: columnType(c.key, c.value, c.min, c.max),
        ephemeral: c.ephemeral ?? false,
        mutable: !c.immutable,
      })
    }
    out.set(name, { name, columns, maxRows: t.maxRows, isRoot: t.isRoot, indexes: t.indexes })
  }
  return { ...head, tables: out }
}
