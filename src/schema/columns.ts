/**
 * A vocabulary to write database schemas as data: `name: optional(string)`, `ports:
 * set(strong('Port'))`. `database` turns it into the JSON form of a schema (RFC 7047 §3.2).
 */

/** A JSON value. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** <base-type> in its long form. */
export interface BaseJson {
  readonly [key: string]: Json
  readonly type: 'integer' | 'real' | 'boolean' | 'string' | 'uuid'
}

/** A column as it is being described: its type and its properties. */
export interface Column {
  readonly key: BaseJson
  readonly value?: BaseJson
  readonly min: number
  readonly max: number | 'unlimited'
  readonly ephemeral?: boolean
  readonly immutable?: boolean
}

export interface Table {
  readonly columns: Readonly<Record<string, Column>>
  readonly isRoot: boolean
  readonly maxRows: number | undefined
  readonly indexes: readonly (readonly string[])[]
}

/** A schema as `get_schema` replies it. */
export interface SchemaJson {
  readonly [key: string]: Json
  readonly name: string
  readonly version: string
  readonly cksum: string
}

const one = (key: BaseJson): Column => ({ key, min: 1, max: 1 })

export const integer: Column = one({ type: 'integer' })
export const real: Column = one({ type: 'real' })
export const boolean: Column = one({ type: 'boolean' })
export const string: Column = one({ type: 'string' })
export const uuid: Column = one({ type: 'uuid' })

/** One of the given strings; a reply of `get_schema` has them sorted, and a single one without "set". */
export const oneOf = (...values: string[]): Column =>
  one({ type: 'string', enum: values.length === 1 ? (values[0] ?? '') : ['set', [...values].sort()] })

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
export const strong = (refTable: string): Column => one({ type: 'uuid', refTable })

/** A reference that goes when the row it names goes. */
export const weak = (refTable: string): Column => one({ type: 'uuid', refTable, refType: 'weak' })

/** One value or none. */
export const optional = (member: Column): Column => ({ key: member.key, min: 0, max: 1 })

export const set = (member: Column, min = 0, max: number | 'unlimited' = 'unlimited'): Column => ({
  key: member.key,
  min,
  max,
})

export const map = (key: Column, value: Column, min = 0, max: number | 'unlimited' = 'unlimited'): Column => ({
  key: key.key,
  value: value.key,
  min,
  max,
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
    maxRows: options.maxRows,
    indexes: options.indexes ?? [],
  }
}

const plain = (base: BaseJson): Json => (Object.keys(base).length === 1 ? base.type : base)

function columnJson(column: Column): Json {
  const { key, value, min, max } = column
  const scalar = value === undefined && min === 1 && max === 1
  return {
    ...(column.ephemeral ? { ephemeral: true } : {}),
    ...(column.immutable ? { mutable: false } : {}),
    type:
      scalar && Object.keys(key).length === 1
        ? key.type
        : {
            key: plain(key),
            ...(value === undefined ? {} : { value: plain(value) }),
            ...(min === 1 ? {} : { min }),
            ...(max === 1 ? {} : { max }),
          },
  }
}

/** The JSON form of a whole schema. */
export function database(
  head: { readonly name: string; readonly version: string; readonly cksum: string },
  tables: Readonly<Record<string, Table>>,
): SchemaJson {
  const out: Record<string, Json> = {}
  for (const [name, t] of Object.entries(tables)) {
    const columns: Record<string, Json> = {}
    for (const [c, column] of Object.entries(t.columns)) columns[c] = columnJson(column)
    out[name] = {
      columns,
      ...(t.isRoot ? { isRoot: true } : {}),
      ...(t.maxRows === undefined ? {} : { maxRows: t.maxRows }),
      ...(t.indexes.length ? { indexes: t.indexes } : {}),
    }
  }
  return { ...head, tables: out }
}
