import { printReal, printString } from '../../jsonrpc/json.ts'
import { type Atom, type AtomicType, compareAtoms, type Datum, integerAtom, parseUuid } from './atom.ts'
import { fail } from './error.ts'
import { type BaseType, type ColumnType, UNLIMITED } from './type.ts'

const BARE = /^[A-Za-z_][A-Za-z0-9_.-]*$/

/** An atom as the tools and messages write it: strings in quotes only where they need them. */
export function atomText(type: AtomicType, atom: Atom): string {
  if (type === 'real') return printReal(atom as number)
  if (type !== 'string') return String(atom)
  const text = atom as string
  return BARE.test(text) && text !== 'true' && text !== 'false' && !parseUuid(text) ? text : printString(text)
}

/** A datum as messages write it: `a`, `[a, b]`, `{k=v, l=w}`. */
export function datumText(type: ColumnType, datum: Datum): string {
  const value = type.value
  if (value) {
    const pairs = [...(datum as ReadonlyMap<Atom, Atom>)]
    return `{${pairs.map(([k, v]) => `${atomText(type.key.type, k)}=${atomText(value.type, v)}`).join(', ')}}`
  }
  const atoms = atomsOf(datum)
  const texts = atoms.map((a) => atomText(type.key.type, a))
  return texts.length === 1 ? (texts[0] as string) : `[${texts.join(', ')}]`
}

/** The members of a scalar, optional or set; the keys of a map. */
export function atomsOf(datum: Datum): readonly Atom[] {
  if (datum === undefined) return []
  if (typeof datum !== 'object') return [datum]
  return datum instanceof Map ? [...datum.keys()] : (datum as readonly Atom[])
}

function checkRange(type: AtomicType, atom: Atom, min: Atom | undefined, max: Atom | undefined): void {
  const low = min !== undefined && atom < min
  const high = max !== undefined && atom > max
  if (!low && !high) return
  const text = (a: Atom) => atomText(type, a)
  const it = text(atom)
  if (min !== undefined && max !== undefined) {
    fail('constraint violation', `${it} is not in the valid range ${text(min)} to ${text(max)} (inclusive)`)
  }
  if (low) fail('constraint violation', `${it} is less than minimum allowed value ${text(min)}`)
  fail('constraint violation', `${it} is greater than maximum allowed value ${text(max as Atom)}`)
}

function characters(text: string): number {
  let n = 0
  for (const _ of text) n++
  return n
}

function checkLength(text: string, min: number | undefined, max: number | undefined): void {
  if (min === undefined && (max === undefined || text.length <= max)) return
  const n = characters(text)
  if (min !== undefined && n < min) {
    fail('constraint violation', `"${text}" length ${n} is less than minimum allowed length ${min}`)
  }
  if (max !== undefined && n > max) {
    fail('constraint violation', `"${text}" length ${n} is greater than maximum allowed length ${max}`)
  }
}

/** Fails when an atom is not what its base type allows. References are checked at commit. */
export function checkAtom(base: BaseType, atom: Atom): void {
  if (base.enum) {
    if (base.enum.includes(atom)) return
    const texts = base.enum.map((a) => atomText(base.type, a))
    fail(
      'constraint violation',
      `${atomText(base.type, atom)} is not one of the allowed values ([${texts.join(', ')}])`,
    )
  }
  if (base.type === 'integer') {
    if (base.minInteger !== undefined || base.maxInteger !== undefined)
      checkRange('integer', atom, base.minInteger, base.maxInteger)
  } else if (base.type === 'real') {
    if (base.minReal !== undefined || base.maxReal !== undefined) checkRange('real', atom, base.minReal, base.maxReal)
  } else if (base.type === 'string') {
    if (base.minLength !== undefined || base.maxLength !== undefined)
      checkLength(atom as string, base.minLength, base.maxLength)
  }
}

export function isConstrained(base: BaseType): boolean {
  return (
    base.enum !== undefined ||
    base.minInteger !== undefined ||
    base.maxInteger !== undefined ||
    base.minReal !== undefined ||
    base.maxReal !== undefined ||
    base.minLength !== undefined ||
    base.maxLength !== undefined
  )
}

/** Fails when a datum's atoms are not what the column allows. */
export function checkDatum(type: ColumnType, datum: Datum): void {
  const value = type.value
  if (isConstrained(type.key)) {
    if (typeof datum !== 'object') {
      if (datum !== undefined) checkAtom(type.key, datum)
    } else for (const atom of atomsOf(datum)) checkAtom(type.key, atom)
  }
  if (value && isConstrained(value)) for (const v of (datum as ReadonlyMap<Atom, Atom>).values()) checkAtom(value, v)
}

/** A type in words: `set of up to 2 strings`. */
export function describeType(type: ColumnType): string {
  const key = type.key.type
  if (type.shape === 'scalar') return key
  const count =
    type.max === UNLIMITED
      ? type.min === 0
        ? ''
        : `${type.min} or more `
      : type.min
        ? `${type.min} to ${type.max} `
        : `up to ${type.max} `
  return type.value ? `map of ${count}(${key}, ${type.value.type}) pairs` : `set of ${count}${key}s`
}

function nativeAtom(type: AtomicType, value: Atom): Atom {
  switch (type) {
    case 'integer': {
      const atom = typeof value === 'number' || typeof value === 'bigint' ? integerAtom(value) : undefined
      if (atom !== undefined) return atom
      break
    }
    case 'real':
      if (typeof value === 'number' && Number.isFinite(value)) return value + 0
      break
    case 'uuid': {
      const uuid = typeof value === 'string' ? parseUuid(value) : undefined
      if (uuid) return uuid
      break
    }
    default:
      if (typeof value === type) return value
  }
  return fail('syntax error', `expected ${type}`)
}

function checkCount(type: ColumnType, n: number): void {
  if (n >= type.min && n <= type.max) return
  const what = type.value ? 'map' : 'set'
  if (type.min === 1 && type.max === 1) {
    fail('syntax error', `${what} must have exactly one member but ${n} are present`)
  }
  fail('syntax error', `${what} must have ${type.min} to ${type.max} members but ${n} are present`)
}

/** A sorted set's datum, in the form that the type's shape asks for. */
export function datumOf(type: ColumnType, atoms: readonly Atom[]): Datum {
  return type.shape === 'set' ? atoms : atoms[0]
}

/**
 * A datum of a program of ours in its canonical form: sorted, unique, with the types, number and
 * constraints of the column; throws Failure. Sets may come as arrays whatever the shape.
 */
export function canonicalDatum(type: ColumnType, datum: Datum, constrained = true): Datum {
  const base = type.key
  let out: Datum
  if (type.value) {
    const value = type.value
    if (!(datum instanceof Map)) fail('syntax error', 'expected ["map", <array>]')
    const pairs = [...(datum as ReadonlyMap<Atom, Atom>)].map(
      ([k, v]) => [nativeAtom(base.type, k), nativeAtom(value.type, v)] as const,
    )
    checkCount(type, pairs.length)
    pairs.sort((a, b) => compareAtoms(a[0], b[0]))
    out = new Map(pairs)
  } else {
    if (datum instanceof Map) fail('syntax error', `expected ${base.type}`)
    const atoms = atomsOf(datum)
    checkCount(type, atoms.length)
    if (atoms.length <= 1) {
      out = datumOf(
        type,
        atoms.map((a) => nativeAtom(base.type, a)),
      )
    } else {
      const sorted = atoms.map((a) => nativeAtom(base.type, a)).sort(compareAtoms)
      for (let i = 1; i < sorted.length; i++) {
        if (sorted[i] === sorted[i - 1]) fail('ovsdb error', 'set contains duplicate')
      }
      out = sorted
    }
  }
  if (constrained) checkDatum(type, out)
  return out
}

/** Equality of two canonical datums of one column. */
export function equalDatums(a: Datum, b: Datum): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object') return false
  if (a instanceof Map) {
    const other = b as ReadonlyMap<Atom, Atom>
    if (a.size !== other.size) return false
    for (const [k, v] of a) if (other.get(k) !== v) return false
    return true
  }
  const x = a as readonly Atom[]
  const y = b as readonly Atom[]
  if (x.length !== y.length) return false
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false
  return true
}
