import {
  atomsOf,
  type ColumnSchema,
  type ColumnType,
  canonicalDatum,
  columnOf,
  columnType,
  type Datum,
  describeType,
  equalDatums,
  fail,
  type Row,
  type TableSchema,
  UNLIMITED,
} from '../schema/index.ts'
import type { Condition, ConditionFunction } from './operation.ts'

export type RowTest = (row: Row) => boolean

const FUNCTIONS: readonly string[] = ['<', '<=', '==', '!=', '>=', '>', 'includes', 'excludes']

export function isConditionFunction(name: string): name is ConditionFunction {
  return FUNCTIONS.includes(name)
}

/**
 * The type of a function's argument: that of the column, looser in number for `includes` and
 * `excludes`, exactly one to compare by size. Undefined where the function does not apply.
 * RFC 7047 §5.1, ovsdb-server(7), 5.1.
 */
export function argumentType(type: ColumnType, fn: ConditionFunction): ColumnType | undefined {
  switch (fn) {
    case '==':
    case '!=':
      return type
    case 'includes':
      return type.shape === 'scalar' ? type : columnType(type.key, type.value, 0, type.max)
    case 'excludes':
      return type.shape === 'scalar' ? type : columnType(type.key, type.value, 0, UNLIMITED)
    default:
      if (type.shape !== 'scalar' && type.shape !== 'optional') return undefined
      if (type.key.type !== 'integer' && type.key.type !== 'real') return undefined
      return columnType(type.key, undefined, 1, 1)
  }
}

export function mismatch(fn: string, column: ColumnSchema): string {
  return `Type mismatch: "${fn}" operator may not be applied to column ${column.name} of type ${describeType(column.type)}.`
}

function compileFunction(name: string, type: ColumnType, fn: ConditionFunction, argument: Datum): RowTest {
  switch (fn) {
    case '==':
      if (typeof argument !== 'object') return (row) => row[name] === argument
      return (row) => equalDatums(row[name], argument)
    case '!=':
      if (typeof argument !== 'object') return (row) => row[name] !== argument
      return (row) => !equalDatums(row[name], argument)
    case 'includes':
    case 'excludes':
      return type.value ? compileMap(name, fn, argument) : compileSet(name, type, fn, argument)
    default: {
      const than = argument as number | bigint
      return (row) => {
        const value = row[name]
        if (value === undefined) return false
        const v = value as number | bigint
        return fn === '<' ? v < than : fn === '<=' ? v <= than : fn === '>' ? v > than : v >= than
      }
    }
  }
}

function compileSet(name: string, type: ColumnType, fn: 'includes' | 'excludes', argument: Datum): RowTest {
  const wanted = atomsOf(argument)
  if (type.shape !== 'set') {
    if (fn === 'excludes') return (row) => !wanted.includes(row[name] as never)
    return (row) => wanted.every((a) => row[name] === a)
  }
  if (fn === 'excludes') {
    return (row) => {
      const have = row[name] as readonly unknown[]
      return !wanted.some((a) => have.includes(a))
    }
  }
  return (row) => {
    const have = row[name] as readonly unknown[]
    return wanted.every((a) => have.includes(a))
  }
}

function compileMap(name: string, fn: 'includes' | 'excludes', argument: Datum): RowTest {
  const pairs = [...(argument as ReadonlyMap<never, unknown>)]
  if (fn === 'includes') {
    return (row) => pairs.every(([k, v]) => (row[name] as ReadonlyMap<never, unknown>).get(k) === v)
  }
  return (row) => !pairs.some(([k, v]) => (row[name] as ReadonlyMap<never, unknown>).get(k) === v)
}

/** A condition as a test of rows; throws Failure. `trusted`: the argument is canonical. */
export function compileCondition(table: TableSchema, condition: Condition, trusted: boolean): RowTest {
  if (typeof condition === 'boolean') return () => condition
  const [name, fn, value] = condition
  const column = columnOf(table, name)
  if (!column) fail('unknown column', `No column ${name} in table ${table.name}.`)
  const type = argumentType(column.type, fn)
  if (!type) fail('syntax error', mismatch(fn, column))
  return compileFunction(name, column.type, fn, trusted ? value : canonicalDatum(type, value))
}

/** The uuid that a `where` pins the row to, if it does. */
export function pinnedUuid(where: readonly Condition[]): string | undefined {
  for (const c of where) {
    if (typeof c === 'object' && c[0] === '_uuid' && (c[1] === '==' || c[1] === 'includes') && typeof c[2] === 'string')
      return c[2]
  }
  return undefined
}
