import {
  type Atom,
  atomsOf,
  type ColumnSchema,
  type ColumnType,
  canonicalDatum,
  checkDatum,
  columnType,
  compareAtoms,
  type Datum,
  datumOf,
  describeType,
  fail,
  integerAtom,
  UNLIMITED,
} from '../schema/index.ts'
import { mismatch } from './condition.ts'
import type { Mutator } from './operation.ts'

const MUTATORS: readonly string[] = ['+=', '-=', '*=', '/=', '%=', 'insert', 'delete']

export function isMutator(name: string): name is Mutator {
  return MUTATORS.includes(name)
}

/** The types a mutator's argument may have, tried in turn; none where it does not apply. RFC 7047 §5.1. */
export function mutationTypes(type: ColumnType, mutator: Mutator): readonly ColumnType[] {
  const { key, value } = type
  switch (mutator) {
    case 'insert':
      return type.shape === 'scalar' ? [] : [columnType(key, value, 0, type.max)]
    case 'delete': {
      if (type.shape === 'scalar') return []
      const same = columnType(key, value, 0, UNLIMITED)
      return value ? [same, columnType(key, undefined, 0, UNLIMITED)] : [same]
    }
    default:
      if (value || (key.type !== 'integer' && (key.type !== 'real' || mutator === '%='))) return []
      return [columnType({ type: key.type }, undefined, 1, 1)]
  }
}

const WORDS: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  '+=': (a, b) => a + b,
  '-=': (a, b) => a - b,
  '*=': (a, b) => a * b,
  '/=': (a, b) => a / b,
  '%=': (a, b) => a % b,
}

function integerResult(mutator: Mutator, a: number | bigint, b: number | bigint): Atom {
  if ((mutator === '/=' || mutator === '%=') && b === 0) fail('domain error', 'Division by zero.')
  const result = integerAtom((WORDS[mutator] as (a: bigint, b: bigint) => bigint)(BigInt(a), BigInt(b)))
  if (result === undefined) fail('range error', `Result of "${mutator}" operation is out of range.`)
  return result
}

function realResult(mutator: Mutator, a: number, b: number): Atom {
  if (mutator === '/=' && b === 0) fail('domain error', 'Division by zero.')
  const r = mutator === '+=' ? a + b : mutator === '-=' ? a - b : mutator === '*=' ? a * b : a / b
  if (!Number.isFinite(r)) fail('range error', `Result of "${mutator}" operation is out of range.`)
  return r + 0
}

function compute(type: ColumnType, mutator: Mutator, datum: Datum, by: Atom): Datum {
  const whole = type.key.type === 'integer'
  const atoms = atomsOf(datum).map((a) =>
    whole ? integerResult(mutator, a as number, by as number) : realResult(mutator, a as number, by as number),
  )
  atoms.sort(compareAtoms)
  for (let i = 1; i < atoms.length; i++) {
    if (atoms[i] === atoms[i - 1]) fail('constraint violation', `Result of "${mutator}" operation contains duplicates.`)
  }
  return datumOf(type, atoms)
}

function checkSize(type: ColumnType, n: number): void {
  if (n < type.min || n > type.max) {
    fail('constraint violation', `Attempted to store ${n} elements in ${describeType(type)}.`)
  }
}

/** The union of two sorted arrays; the first itself when the second adds nothing. */
export function unionSorted(a: readonly Atom[], b: readonly Atom[]): readonly Atom[] {
  const more = b.filter((x) => !includesSorted(a, x))
  return more.length ? [...a, ...more].sort(compareAtoms) : a
}

function includesSorted(sorted: readonly Atom[], atom: Atom): boolean {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const mid = (low + high) >> 1
    const c = compareAtoms(sorted[mid] as Atom, atom)
    if (c === 0) return true
    if (c < 0) low = mid + 1
    else high = mid
  }
  return false
}

function insert(type: ColumnType, datum: Datum, argument: Datum): Datum {
  if (type.value) {
    const have = datum as ReadonlyMap<Atom, Atom>
    const add = [...(argument as ReadonlyMap<Atom, Atom>)].filter(([k]) => !have.has(k))
    if (!add.length) return datum
    checkSize(type, have.size + add.length)
    return new Map([...have, ...add].sort((a, b) => compareAtoms(a[0], b[0])))
  }
  const have = atomsOf(datum)
  const all = unionSorted(have, atomsOf(argument))
  if (all === have) return datum
  checkSize(type, all.length)
  return datumOf(type, all)
}

function remove(type: ColumnType, datum: Datum, argument: Datum): Datum {
  if (type.value) {
    const have = datum as ReadonlyMap<Atom, Atom>
    const gone =
      argument instanceof Map
        ? [...argument].filter(([k, v]) => have.get(k) === v).map(([k]) => k)
        : atomsOf(argument).filter((k) => have.has(k))
    if (!gone.length) return datum
    checkSize(type, have.size - gone.length)
    const left = new Map(have)
    for (const k of gone) left.delete(k)
    return left
  }
  const have = atomsOf(datum)
  const gone = atomsOf(argument)
  const left = have.filter((a) => !gone.includes(a))
  if (left.length === have.length) return datum
  checkSize(type, left.length)
  return datumOf(type, left)
}

/** The canonical argument of a native mutation; throws Failure. */
export function mutationArgument(column: ColumnSchema, mutator: Mutator, value: Datum): Datum {
  const types = mutationTypes(column.type, mutator)
  const type = types.length > 1 && !(value instanceof Map) ? types[1] : types[0]
  if (!type) fail('syntax error', mismatch(mutator, column))
  return canonicalDatum(type, value)
}

/** A column's value after a mutation with a canonical argument; the same object when nothing changes. */
export function mutateDatum(type: ColumnType, datum: Datum, mutator: Mutator, argument: Datum): Datum {
  if (mutator === 'insert') return insert(type, datum, argument)
  if (mutator === 'delete') return remove(type, datum, argument)
  const result = compute(type, mutator, datum, argument as Atom)
  checkDatum(type, result)
  return result
}
