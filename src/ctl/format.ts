import { type Json, printJson, printReal, printString } from '../jsonrpc/json.ts'
import { type Atom, type BaseType, type ColumnType, type Datum, parseUuid } from '../ovsdb/schema/index.ts'

/** How cells print (`--data`). */
export type DataFormat = 'string' | 'bare' | 'json'

const WORD = /^[A-Za-z_][A-Za-z0-9_.-]*$/

/** Whether a string could be taken for something else without its quotes (ovs-vsctl(8), Database Values). */
function needsQuotes(text: string): boolean {
  return !WORD.test(text) || text === 'true' || text === 'false' || parseUuid(text) !== undefined
}

/** An atom as people write it: `br0`, `"a b"`, `5`. */
export function formatAtom(type: BaseType['type'], atom: Atom): string {
  if (type === 'string') return needsQuotes(String(atom)) ? printString(String(atom)) : String(atom)
  return bareAtom(type, atom)
}

function bareAtom(type: BaseType['type'], atom: Atom): string {
  return type === 'real' && typeof atom === 'number' ? printReal(atom) : String(atom)
}

const isMap = (value: Datum): value is ReadonlyMap<Atom, Atom> => value instanceof Map
const members = (value: Datum): readonly Atom[] =>
  value === undefined || isMap(value) ? [] : Array.isArray(value) ? (value as readonly Atom[]) : [value as Atom]

/** A column's value in the simple format: `[a, "b c"]`, `{k=v}`, `[]` for no value. */
export function formatDatum(type: ColumnType, value: Datum): string {
  if (isMap(value)) {
    const valueType = type.value?.type ?? 'string'
    const pairs = [...value].map(([k, v]) => `${formatAtom(type.key.type, k)}=${formatAtom(valueType, v)}`)
    return `{${pairs.join(', ')}}`
  }
  const atoms = members(value)
  const text = atoms.map((a) => formatAtom(type.key.type, a)).join(', ')
  return type.max > 1 || atoms.length !== 1 ? `[${text}]` : text
}

/** Without punctuation. */
function bareDatum(type: ColumnType, value: Datum): string {
  if (isMap(value)) {
    const valueType = type.value?.type ?? 'string'
    return [...value].map(([k, v]) => `${bareAtom(type.key.type, k)}=${bareAtom(valueType, v)}`).join(' ')
  }
  return members(value)
    .map((a) => bareAtom(type.key.type, a))
    .join(' ')
}

const jsonAtom = (type: BaseType['type'], atom: Atom): Json => (type === 'uuid' ? ['uuid', atom] : atom)

/** RFC 7047 §5.1 `<value>`. */
export function jsonDatum(type: ColumnType, value: Datum): Json {
  if (isMap(value)) {
    const valueType = type.value?.type ?? 'string'
    return ['map', [...value].map(([k, v]) => [jsonAtom(type.key.type, k), jsonAtom(valueType, v)])]
  }
  const atoms = members(value)
  const [only] = atoms
  if (atoms.length === 1 && only !== undefined) return jsonAtom(type.key.type, only)
  return ['set', atoms.map((a) => jsonAtom(type.key.type, a))]
}

export function formatCell(type: ColumnType, value: Datum, format: DataFormat): string {
  switch (format) {
    case 'string':
      return formatDatum(type, value)
    case 'bare':
      return bareDatum(type, value)
    case 'json':
      return printJson(jsonDatum(type, value))
  }
}
