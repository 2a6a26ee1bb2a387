/** RFC 7047 §3.2 `<atomic-type>`. */
export type AtomicType = 'integer' | 'real' | 'boolean' | 'string' | 'uuid'

/**
 * One value in its native form. Integers are `number` within 2^53 and `bigint` outside, never a
 * bigint that a number could hold, so `===` is equality. A uuid is its 36 characters in lower case.
 */
export type Atom = string | number | bigint | boolean

/** A column's value: see ColumnType.shape for which of these a column holds. */
export type Datum = Atom | undefined | readonly Atom[] | ReadonlyMap<Atom, Atom>

export const ATOMIC_TYPES: readonly AtomicType[] = ['integer', 'real', 'boolean', 'string', 'uuid']

export const ZERO_UUID = '00000000-0000-0000-0000-000000000000'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** The 36 characters of a uuid, in either case; undefined if `text` is none. */
export function parseUuid(text: string): string | undefined {
  if (text.length !== 36) return undefined
  if (UUID.test(text)) return text
  const lower = text.toLowerCase()
  return UUID.test(lower) ? lower : undefined
}

/** RFC 7047 §5.2.1: the value of a column that an insert leaves out. */
export function defaultAtom(type: AtomicType): Atom {
  switch (type) {
    case 'integer':
    case 'real':
      return 0
    case 'boolean':
      return false
    case 'string':
      return ''
    case 'uuid':
      return ZERO_UUID
  }
}

const MIN_INTEGER = -(2n ** 63n)
const MAX_INTEGER = 2n ** 63n - 1n

/** The atom of an integer: a bigint only where a number is not exact. Undefined outside 64 bits. */
export function integerAtom(value: number | bigint): number | bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value + 0 : undefined
  if (value >= -9007199254740991n && value <= 9007199254740991n) return Number(value)
  return value >= MIN_INTEGER && value <= MAX_INTEGER ? value : undefined
}

/** Order of strings by their UTF-8 bytes, which is the order of code points. */
export function compareStrings(a: string, b: string): number {
  const n = Math.min(a.length, b.length)
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) {
      // A surrogate stands for a code point above all of the basic plane.
      if (x >= 0xd800 && y >= 0xd800) {
        const high = (c: number) => (c <= 0xdfff ? c + 0x2000 : c - 0x800)
        return high(x) - high(y)
      }
      return x - y
    }
  }
  return a.length - b.length
}

/** The order of atoms of one type within sets and maps, and of results. */
export function compareAtoms(a: Atom, b: Atom): number {
  if (typeof a === 'string') return compareStrings(a, b as string)
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** The order of values of one column: by the number of members, then the members or keys, then the values of a map. */
export function compareDatums(a: Datum, b: Datum): number {
  const [keys, others] = [keysOf(a), keysOf(b)]
  const size = keys.length - others.length
  return size || compareMembers(keys, others) || compareMembers(valuesOf(a), valuesOf(b))
}

const isMap = (datum: Datum): datum is ReadonlyMap<Atom, Atom> => datum instanceof Map

function keysOf(datum: Datum): readonly Atom[] {
  if (datum === undefined) return []
  if (isMap(datum)) return [...datum.keys()]
  return typeof datum === 'object' ? datum : [datum]
}

const valuesOf = (datum: Datum): readonly Atom[] => (isMap(datum) ? [...datum.values()] : [])

/** @param a, b as long as each other */
function compareMembers(a: readonly Atom[], b: readonly Atom[]): number {
  for (const [i, x] of a.entries()) {
    const order = compareAtoms(x, b[i] as Atom)
    if (order) return order
  }
  return 0
}
