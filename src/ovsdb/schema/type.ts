import { isArray, isInteger, type Json, type JsonObject } from '../../jsonrpc/json.ts'
import { ATOMIC_TYPES, type Atom, type AtomicType, compareAtoms, type Datum, defaultAtom } from './atom.ts'
import { readAtom } from './atom-json.ts'
import { fail, isAnyJson, isId, isNumber, isString, Members, syntaxError } from './error.ts'

/** RFC 7047 §3.2 `<base-type>`: an atomic type and what constrains it. */
export interface BaseType {
  readonly type: AtomicType
  /** Sorted, unique, at least one. */
  readonly enum?: readonly Atom[]
  readonly minInteger?: number | bigint
  readonly maxInteger?: number | bigint
  readonly minReal?: number
  readonly maxReal?: number
  /** In characters. */
  readonly minLength?: number
  readonly maxLength?: number
  /** The table that a uuid refers to. */
  readonly refTable?: string
  readonly refType?: 'strong' | 'weak'
}

/**
 * How a column's value looks in its native form.
 * - `scalar`: exactly one, an Atom
 * - `optional`: none or one, Atom or undefined
 * - `set`: any other set, an array, sorted, unique
 * - `map`: a Map, sorted by key
 */
export type Shape = 'scalar' | 'optional' | 'set' | 'map'

export const UNLIMITED = 4294967295

/** RFC 7047 §3.2 `<type>`. */
export interface ColumnType {
  readonly key: BaseType
  readonly value?: BaseType
  readonly min: 0 | 1
  /** UNLIMITED for no limit. */
  readonly max: number
  readonly shape: Shape
}

export function columnType(key: BaseType, value: BaseType | undefined, min: number, max: number): ColumnType {
  const shape = value ? 'map' : min === 1 && max === 1 ? 'scalar' : min === 0 && max === 1 ? 'optional' : 'set'
  const type = { key, min: min ? (1 as const) : (0 as const), max, shape: shape as Shape }
  return value ? { ...type, value } : type
}

const EMPTY_SET: readonly Atom[] = Object.freeze([])
const EMPTY_MAP: ReadonlyMap<Atom, Atom> = new Map()

/** RFC 7047 §5.2.1: the value of a column that an insert leaves out. */
export function defaultDatum(type: ColumnType): Datum {
  switch (type.shape) {
    case 'scalar':
      return defaultAtom(type.key.type)
    case 'optional':
      return undefined
    case 'set':
      return type.min ? [defaultAtom(type.key.type)] : EMPTY_SET
    case 'map':
      return type.min && type.value ? new Map([[defaultAtom(type.key.type), defaultAtom(type.value.type)]]) : EMPTY_MAP
  }
}

function parseAtomicType(json: string): AtomicType {
  const type = ATOMIC_TYPES.find((t) => t === json)
  if (!type) syntaxError(json, `"${json}" is not an atomic-type`)
  return type
}

/** The value of an enumeration's member or of a set of them; only atoms, without constraints. */
function parseEnum(type: AtomicType, json: Json): readonly Atom[] {
  const members = isArray(json) && json.length === 2 && json[0] === 'set' ? json[1] : [json]
  if (!isArray(members)) syntaxError(json, 'array expected')
  if (members.length < 1) syntaxError(json, `set must have 1 to ${UNLIMITED} members but ${members.length} are present`)
  const atoms = members.map((m) => readAtom(type, m)).sort(compareAtoms)
  for (let i = 1; i < atoms.length; i++) if (atoms[i] === atoms[i - 1]) fail('ovsdb error', 'set contains duplicate')
  return atoms
}

function parseLength(json: number | bigint | undefined, name: string): number | undefined {
  if (json === undefined) return undefined
  if (!isInteger(json) || json < 0 || json > UNLIMITED) {
    syntaxError(json, `${name} out of valid range 0 to ${UNLIMITED}`)
  }
  return Number(json)
}

export function parseBaseType(json: Json): BaseType {
  if (typeof json === 'string') return { type: parseAtomicType(json) }
  const members = new Members(json, 'ovsdb type')
  const type = parseAtomicType(members.required('type', isString))
  const base: { -readonly [K in keyof BaseType]: BaseType[K] } = { type }
  if (members.has('enum')) {
    base.enum = parseEnum(type, members.any('enum') as Json)
  } else if (type === 'integer') {
    const min = members.optional('minInteger', isInteger)
    const max = members.optional('maxInteger', isInteger)
    if (min !== undefined && max !== undefined && min > max) syntaxError(json, 'minInteger exceeds maxInteger')
    if (min !== undefined && min !== -(2n ** 63n)) base.minInteger = min
    if (max !== undefined && max !== 2n ** 63n - 1n) base.maxInteger = max
  } else if (type === 'real') {
    const min = members.optional('minReal', isNumber)
    const max = members.optional('maxReal', isNumber)
    if (min !== undefined && max !== undefined && min > max) syntaxError(json, 'minReal exceeds maxReal')
    if (min !== undefined) base.minReal = Number(min)
    if (max !== undefined) base.maxReal = Number(max)
  } else if (type === 'string') {
    const min = parseLength(members.optional('minLength', isNumber), 'minLength')
    const max = parseLength(members.optional('maxLength', isNumber), 'maxLength')
    if (min !== undefined && max !== undefined && min > max) syntaxError(json, 'minLength exceeds maxLength')
    if (min) base.minLength = min
    if (max !== undefined && max !== UNLIMITED) base.maxLength = max
  } else if (type === 'uuid') {
    const table = members.optional('refTable', isId)
    if (table !== undefined) {
      const refType = members.optional('refType', isId)
      if (refType !== undefined && refType !== 'strong' && refType !== 'weak') {
        syntaxError(json, `refType must be "strong" or "weak" (not "${refType}")`)
      }
      base.refTable = table
      base.refType = refType ?? 'strong'
    }
  }
  members.finish()
  return base
}

function parseMultiplicity(json: Json | undefined, otherwise: number): number {
  if (json === undefined) return otherwise
  if (isInteger(json) && json >= 0 && json < UNLIMITED) return Number(json)
  return syntaxError(json, 'bad min or max value')
}

const isTypeJson = (json: Json | undefined): json is string | JsonObject =>
  typeof json === 'string' || (typeof json === 'object' && json !== null && !Array.isArray(json))

export function parseColumnType(json: Json): ColumnType {
  if (typeof json === 'string') return columnType({ type: parseAtomicType(json) }, undefined, 1, 1)
  const members = new Members(json, 'ovsdb type')
  const key = parseBaseType(members.required('key', isTypeJson))
  const valueJson = members.optional('value', isTypeJson)
  const value = valueJson === undefined ? undefined : parseBaseType(valueJson)
  const min = parseMultiplicity(members.optional('min', isAnyJson), 1)
  const maxJson = members.optional('max', isAnyJson)
  const max = maxJson === 'unlimited' ? UNLIMITED : parseMultiplicity(maxJson, 1)
  members.finish()
  if (min > 1 || max < 1 || min > max) syntaxError(json, 'ovsdb type fails constraint checks')
  return columnType(key, value, min, max)
}

export { isTypeJson }

function printEnumAtom(type: AtomicType, atom: Atom): Json {
  return type === 'uuid' ? ['uuid', atom] : atom
}

export function printBaseType(base: BaseType): Json {
  const out: Record<string, Json> = { type: base.type }
  if (base.enum) {
    const [only] = base.enum
    out['enum'] =
      base.enum.length === 1 && only !== undefined
        ? printEnumAtom(base.type, only)
        : ['set', base.enum.map((a) => printEnumAtom(base.type, a))]
  }
  for (const name of ['minInteger', 'maxInteger', 'minReal', 'maxReal', 'minLength', 'maxLength'] as const) {
    const value = base[name]
    if (value !== undefined) out[name] = value
  }
  if (base.refTable !== undefined) {
    out['refTable'] = base.refTable
    if (base.refType === 'weak') out['refType'] = 'weak'
  }
  return Object.keys(out).length === 1 ? base.type : out
}

export function printColumnType(type: ColumnType): Json {
  const key = printBaseType(type.key)
  if (typeof key === 'string' && type.shape === 'scalar') return key
  const out: Record<string, Json> = { key }
  if (type.value) out['value'] = printBaseType(type.value)
  if (type.min !== 1) out['min'] = type.min
  if (type.max === UNLIMITED) out['max'] = 'unlimited'
  else if (type.max !== 1) out['max'] = type.max
  return out
}
