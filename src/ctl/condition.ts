import {
  type Atom,
  type ColumnType,
  compareAtoms,
  type Datum,
  type Row,
  type TableSchema,
} from '../ovsdb/schema/index.ts'
import { fatal } from './error.ts'
import { readColumnArgument } from './records.ts'
import { readDatum, readWholeAtom, type Symbols } from './value.ts'

/** The operators of `find` and `wait-until`, in the order in which errors list them. */
const OPERATORS = [
  ...['=', '!=', '<', '>', '<=', '>='],
  ...['{=}', '{!=}', '{<}', '{>}', '{<=}', '{>=}', '{in}', '{not-in}'],
] as const

const list = (value: Datum): readonly Atom[] =>
  value === undefined ? [] : value instanceof Map ? [...value.keys()] : Array.isArray(value) ? value : [value as Atom]

const values = (value: Datum): readonly Atom[] | undefined => (value instanceof Map ? [...value.values()] : undefined)

function compareLists(a: readonly Atom[], b: readonly Atom[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const order = compareAtoms(a[i] as Atom, b[i] as Atom)
    if (order) return order
  }
  return 0
}

/** The total order of ovs-vsctl(8), find: by size, then by members, keys before values. */
function compareData(a: Datum, b: Datum): number {
  const [x, y] = [list(a), list(b)]
  if (x.length !== y.length) return x.length - y.length
  return compareLists(x, y) || compareLists(values(a) ?? [], values(b) ?? [])
}

const sign = (order: number): number => Math.sign(order)

/** Whether each element of `a` is in `b`. */
function included(a: Datum, b: Datum): boolean {
  if (a instanceof Map) return b instanceof Map && [...a].every(([k, v]) => b.get(k) === v)
  const members = new Set(list(b))
  return list(a).every((m) => members.has(m))
}

function disjoint(a: Datum, b: Datum): boolean {
  if (a instanceof Map) return !(b instanceof Map) || ![...a].some(([k, v]) => b.get(k) === v)
  const members = new Set(list(b))
  return !list(a).some((m) => members.has(m))
}

function holds(operator: string, a: Datum, b: Datum): boolean {
  const proper = list(a).length !== list(b).length
  switch (operator) {
    case '=':
    case '{=}':
      return compareData(a, b) === 0
    case '!=':
    case '{!=}':
      return compareData(a, b) !== 0
    case '<':
      return sign(compareData(a, b)) < 0
    case '>':
      return sign(compareData(a, b)) > 0
    case '<=':
      return sign(compareData(a, b)) <= 0
    case '>=':
      return sign(compareData(a, b)) >= 0
    case '{<=}':
    case '{in}':
      return included(a, b)
    case '{<}':
      return included(a, b) && proper
    case '{>=}':
      return included(b, a)
    case '{>}':
      return included(b, a) && proper
    case '{not-in}':
      return disjoint(a, b)
    default:
      return fatal(`unknown operator ${operator}`)
  }
}

/** A test made of `column[:key]OPvalue`. */
export function readCondition(table: TableSchema, text: string, symbols: Symbols): (row: Row) => boolean {
  const { column, key, operator = '=', value = '' } = readColumnArgument(table, text, OPERATORS)
  const type = column.type
  if (key === undefined) {
    const wanted = readDatum(type, value, symbols)
    return (row) => holds(operator, row[column.name], wanted)
  }
  if (!type.value) return fatal(`cannot specify key to check for non-map column ${column.name}`)
  const at = readWholeAtom(type.key, key, symbols)
  const set: ColumnType = { key: type.value, min: 0, max: 4294967295, shape: 'set' }
  const ofSets = operator.startsWith('{')
  const wanted = ofSets ? readDatum(set, value, symbols) : [readWholeAtom(type.value, value, symbols)]
  return (row) => {
    const map = row[column.name]
    const found = map instanceof Map ? (map.get(at) as Atom | undefined) : undefined
    if (found === undefined) return ofSets && holds(operator, [], wanted)
    return holds(operator, [found], wanted)
  }
}
