import { isArray, type Json, printReal, printString } from '../../jsonrpc/json.ts'
import { syntaxError } from '../schema/error.ts'
import {
  type Atom,
  type AtomicType,
  type ColumnType,
  checkAtom,
  compareAtoms,
  type Datum,
  datumOf,
  fail,
  isConstrained,
  type NamedUuids,
  readAtom,
} from '../schema/index.ts'

function checkCount(json: Json, type: ColumnType, n: number): void {
  if (n >= type.min && n <= type.max) return
  const what = type.value ? 'map' : 'set'
  syntaxError(
    json,
    type.min === 1 && type.max === 1
      ? `${what} must have exactly one member but ${n} are present`
      : `${what} must have ${type.min} to ${type.max} members but ${n} are present`,
  )
}

/** RFC 7047 §5.1 `<value>` in its native form, within the column's constraints; throws Failure. */
export function readDatum(type: ColumnType, json: Json, named?: NamedUuids): Datum {
  const base = type.key
  if (type.value) return readMap(type, json, named)
  if (isArray(json) && json[0] === 'set') {
    const members = json[1]
    if (json.length !== 2 || !isArray(members)) syntaxError(json, 'expected ["set", <array>]')
    checkCount(json, type, members.length)
    const atoms: Atom[] = []
    let sorted = true
    for (const member of members) {
      const atom = readAtom(base.type, member, named)
      if (isConstrained(base)) checkAtom(base, atom)
      if (sorted && atoms.length && compareAtoms(atoms[atoms.length - 1] as Atom, atom) >= 0) sorted = false
      atoms.push(atom)
    }
    if (!sorted) {
      atoms.sort(compareAtoms)
      for (let i = 1; i < atoms.length; i++)
        if (atoms[i] === atoms[i - 1]) fail('ovsdb error', 'set contains duplicate')
    }
    return datumOf(type, atoms)
  }
  const atom = readAtom(base.type, json, named)
  if (isConstrained(base)) checkAtom(base, atom)
  return type.shape === 'set' ? [atom] : atom
}

function readMap(type: ColumnType, json: Json, named?: NamedUuids): Datum {
  const key = type.key
  const value = type.value
  if (!value || !isArray(json) || json[0] !== 'map' || json.length !== 2 || !isArray(json[1])) {
    syntaxError(json, 'expected ["map", <array>]')
  }
  const pairs: [Atom, Atom][] = []
  checkCount(json, type, json[1].length)
  let sorted = true
  for (const pair of json[1]) {
    if (!isArray(pair) || pair.length !== 2) syntaxError(pair, 'expected 2-element array')
    const k = readAtom(key.type, pair[0] as Json, named)
    if (isConstrained(key)) checkAtom(key, k)
    const v = readAtom(value.type, pair[1] as Json, named)
    if (isConstrained(value)) checkAtom(value, v)
    if (sorted && pairs.length && compareAtoms((pairs[pairs.length - 1] as [Atom, Atom])[0], k) >= 0) sorted = false
    pairs.push([k, v])
  }
  if (!sorted) pairs.sort((a, b) => compareAtoms(a[0], b[0]))
  const map = new Map(pairs)
  if (map.size !== pairs.length) fail('ovsdb error', 'map contains duplicate key')
  return map
}

export function atomJson(type: AtomicType, atom: Atom): Json {
  return type === 'uuid' ? ['uuid', atom] : atom
}

/** RFC 7047 §5.1 `<value>`: an atom alone where there is exactly one. */
export function datumJson(type: ColumnType, datum: Datum): Json {
  const key = type.key.type
  if (datum === undefined) return ['set', []]
  if (typeof datum !== 'object') return key === 'uuid' ? ['uuid', datum] : datum
  if (type.value) {
    const value = type.value.type
    return ['map', [...(datum as ReadonlyMap<Atom, Atom>)].map(([k, v]) => [atomJson(key, k), atomJson(value, v)])]
  }
  const atoms = datum as readonly Atom[]
  if (atoms.length === 1) return atomJson(key, atoms[0] as Atom)
  return ['set', atoms.map((a) => atomJson(key, a))]
}

/** The text of an atom's JSON, without making the JSON first. */
export function writeAtom(type: AtomicType, atom: Atom): string {
  switch (type) {
    case 'uuid':
      return `["uuid","${atom}"]`
    case 'string':
      return printString(atom as string)
    case 'real':
      return printReal(atom as number)
    default:
      return String(atom)
  }
}

/** The text of a datum's JSON, without making the JSON first. */
export function writeDatum(type: ColumnType, datum: Datum): string {
  const key = type.key.type
  if (datum === undefined) return '["set",[]]'
  if (typeof datum !== 'object') return writeAtom(key, datum)
  if (type.value) {
    const value = type.value.type
    let s = ''
    for (const [k, v] of datum as ReadonlyMap<Atom, Atom>) {
      s += `${s ? ',' : ''}[${writeAtom(key, k)},${writeAtom(value, v)}]`
    }
    return `["map",[${s}]]`
  }
  const atoms = datum as readonly Atom[]
  if (atoms.length === 1) return writeAtom(key, atoms[0] as Atom)
  let s = ''
  for (const atom of atoms) s += (s ? ',' : '') + writeAtom(key, atom)
  return `["set",[${s}]]`
}
