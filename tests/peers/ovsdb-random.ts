// Schemas, transactions and monitors out of chance, for comparison with the real server.
import { below, type Random } from '../../src/base/random.ts'
import { isObject, type Json, printJson } from '../../src/jsonrpc/json.ts'

export const uuidOf = (n: number) => `${n.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`

const rowUuid = (r: Random, table: number) => uuidOf(16 * table + 1 + below(r, 8))

const uuidAtom = (r: Random): Json => ['uuid', rowUuid(r, below(r, 3))]

const STRINGS = ['', 'a', 'b', 'é', 'a b', '\n"']

const ATOMS: Readonly<Record<string, (r: Random) => Json>> = {
  integer: (r) => below(r, 6),
  real: (r) => below(r, 5) / 4,
  boolean: (r) => below(r, 2) === 1,
  string: (r) => pick(r, STRINGS),
  // Tables do not share uuids, as they never do.
  uuid: uuidAtom,
}

interface RandomColumn {
  readonly name: string
  readonly key: string
  readonly value: string | undefined
  /** The schema's limits on keys and values. */
  readonly limits: readonly [Constraint, Constraint]
  readonly min: number
  readonly max: number | 'unlimited'
  readonly weak: boolean
}

export interface RandomTable {
  readonly name: string
  readonly columns: readonly RandomColumn[]
}

const TYPES = Object.keys(ATOMS)
const pick = <T>(r: Random, list: readonly T[]): T => list[below(r, list.length)] as T
const often = (r: Random, one: number, of: number) => below(r, of) < one

interface Constraint {
  readonly json: { readonly [member: string]: Json }
  allows(atom: Json): boolean
}

const NONE: Constraint = { json: {}, allows: () => true }

/** Limits on an atom's values, sometimes. */
function constraint(r: Random, type: string): Constraint {
  if (often(r, 2, 3)) return NONE
  const enumeration = (values: readonly Json[]): Constraint => ({
    json: { enum: ['set', values] },
    allows: (atom) => values.includes(atom),
  })
  const range = (low: string, high: string, min: number, max: number): Constraint => ({
    json: { [low]: min, [high]: max },
    allows: (atom) => (atom as number) >= min && (atom as number) <= max,
  })
  switch (type) {
    case 'integer':
      return pick(r, [range('minInteger', 'maxInteger', below(r, 3), 4), enumeration([0, 1, 2, 4])])
    case 'real':
      return pick(r, [range('minReal', 'maxReal', below(r, 2) / 4, 0.75), enumeration([0, 0.25, 1])])
    case 'string': {
      const [min, max] = [below(r, 2), 1 + below(r, 2)]
      const lengths = range('minLength', 'maxLength', min, max)
      return pick(r, [
        { json: lengths.json, allows: (atom) => lengths.allows((atom as string).length) },
        enumeration(['', 'a', 'é']),
      ])
    }
    case 'boolean':
      return often(r, 1, 4) ? enumeration([true]) : NONE
    default:
      return NONE
  }
}

/** A schema out of chance: every atomic type, number, reference and constraint turns up soon. */
export function randomSchema(r: Random): { schema: Json; tables: RandomTable[] } {
  const names = ['A', 'B', 'C']
  const roots = [true, below(r, 2) === 1, false]
  const tables: RandomTable[] = []
  const out: Record<string, Json> = {}
  for (const [t, name] of names.entries()) {
    const columns: RandomColumn[] = []
    const json: Record<string, Json> = {}
    const stored: string[] = []
    for (let i = 0; i < 4; i++) {
      const key = pick(r, TYPES)
      const value = often(r, 1, 4) ? pick(r, TYPES) : undefined
      const min = often(r, 1, 3) ? 1 : 0
      const max = pick(r, [1, 1, 2, 'unlimited'] as const)
      const base = (type: string): { readonly json: Json; readonly weak: boolean; readonly limit: Constraint } => {
        if (type !== 'uuid' || often(r, 1, 4)) {
          const limit = constraint(r, type)
          return { json: { type, ...limit.json }, weak: false, limit }
        }
        const target = below(r, 3)
        // A weak reference to garbage is where the real server errs.
        const weak = (roots[target] as boolean) && often(r, 1, 2)
        return {
          json: { type, refTable: names[target] as string, refType: weak ? 'weak' : 'strong' },
          weak,
          limit: NONE,
        }
      }
      const keyBase = base(key)
      const valueBase = value === undefined ? undefined : base(value)
      const weak = keyBase.weak || (valueBase?.weak ?? false)
      const limits = [keyBase.limit, valueBase?.limit ?? NONE] as const
      const column = { name: `c${i}`, key, value, min, max, weak, limits }
      columns.push(column)
      const ephemeral = often(r, 1, 8)
      if (!ephemeral && !value && max === 1 && min === 1) stored.push(column.name)
      json[column.name] = {
        type: { key: keyBase.json, ...(valueBase ? { value: valueBase.json } : {}), min, max },
        ...(ephemeral ? { ephemeral: true } : {}),
        ...(often(r, 1, 8) ? { mutable: false } : {}),
      }
    }
    out[name] = {
      columns: json,
      ...(roots[t] ? { isRoot: true } : {}),
      ...(often(r, 1, 5) ? { maxRows: 4 } : {}),
      ...(stored.length && often(r, 1, 3) ? { indexes: [stored.slice(0, 1 + below(r, 2))] } : {}),
    }
    tables.push({ name, columns })
  }
  return { schema: { name: 'R', version: '1.0.0', tables: out }, tables }
}

/** An atom, within the limit: the schema allows one of a few at least. */
function randomAtom(r: Random, type: string, limit: Constraint): Json {
  for (;;) {
    const atom = (ATOMS[type] as (r: Random) => Json)(r)
    if (limit.allows(atom)) return atom
  }
}

/** A value for a column; `bad`: what the schema's limits forbid may be in it. */
function randomValue(r: Random, c: RandomColumn, bad = false): Json {
  const upTo = c.max === 'unlimited' ? 4 : c.max
  const [keys, values] = bad ? [NONE, NONE] : c.limits
  const n = Math.min(upTo, Math.max(c.min, below(r, upTo + 1)))
  const distinct = new Map<string, Json>()
  for (let i = 0; i < n * 3 && distinct.size < n; i++) {
    const atom = randomAtom(r, c.key, keys)
    distinct.set(printJson(atom), atom)
  }
  const atoms = [...distinct.values()]
  const { value } = c
  if (value) return ['map', atoms.map((a) => [a, randomAtom(r, value, values)])]
  return atoms.length === 1 && below(r, 2) ? (atoms[0] as Json) : ['set', atoms]
}

const FUNCTIONS = ['==', '!=', 'includes', 'excludes', '<', '<=', '>', '>=']
const MUTATORS = ['insert', 'delete', '+=', '-=', '*=', '/=', '%=']

function randomCondition(r: Random, table: RandomTable): Json {
  const kind = below(r, 4)
  if (kind === 0) return ['_uuid', pick(r, ['==', '!=', 'includes']), uuidAtom(r)]
  const c = pick(r, table.columns)
  return [c.name, pick(r, FUNCTIONS), randomValue(r, c, often(r, 1, 4))]
}

function randomOperation(r: Random, tables: readonly RandomTable[]): Json {
  const table = pick(r, tables)
  const where = () => Array.from({ length: below(r, 3) }, () => randomCondition(r, table))
  const row = (n: number) => {
    const out: Record<string, Json> = {}
    // One at most that is not allowed: which of two is named first is up to the real server's hashes.
    const bad = often(r, 1, 4) ? pick(r, table.columns) : undefined
    for (let i = 0; i < n; i++) {
      const c = pick(r, table.columns)
      out[c.name] = randomValue(r, c, c === bad)
    }
    return out
  }
  const op = pick(r, ['insert', 'insert', 'insert', 'update', 'mutate', 'mutate', 'delete', 'select', 'wait', 'other'])
  switch (op) {
    case 'insert':
      return { op, table: table.name, row: row(often(r, 1, 2) ? 4 : 12), uuid: rowUuid(r, tables.indexOf(table)) }
    case 'update':
      return { op, table: table.name, where: where(), row: row(2) }
    case 'delete':
      return { op, table: table.name, where: [randomCondition(r, table)] }
    case 'select':
      return { op, table: table.name, where: where(), columns: [pick(r, table.columns).name] }
    case 'wait':
      return {
        op,
        timeout: 0,
        table: table.name,
        where: where(),
        columns: [pick(r, table.columns).name],
        until: pick(r, ['==', '!=']),
        rows: [row(2)],
      }
    case 'mutate': {
      const mutations = Array.from({ length: 1 + below(r, 2) }, () => {
        const c = pick(r, table.columns)
        const [mutator, value] = [pick(r, MUTATORS), randomValue(r, c, often(r, 1, 4))]
        // The real server dies of a negative integer multiplied by zero.
        return [c.name, mutator === '*=' && /\b0\b/.test(printJson(value)) ? '+=' : mutator, value]
      })
      return { op, table: table.name, where: where(), mutations }
    }
    default:
      return pick<Json>(r, [
        { op: 'comment', comment: 'nothing' },
        { op: 'abort' },
        { op: 'assert', lock: 'not held' },
        { op: 'commit', durable: false },
        { op: 'nothing' },
        { op: 'select', table: 'Z', where: [] },
        { op: 'select', table: table.name, where: [], columns: ['c0', 'z'] },
        { op: 'update', table: table.name, where: [['z', '==', 1]], row: {} },
        { op: 'delete', table: table.name },
      ])
  }
}

/** One operation, or several that belong together; names in the place of uuids, too. */
export function randomTransaction(r: Random, tables: readonly RandomTable[]): readonly Json[] {
  // The real server forgets a weak reference to a deleted row when the row that has it is modified by
  // the same transaction: there one operation a transaction must do.
  if (tables.some((t) => t.columns.some((c) => c.weak))) return [randomOperation(r, tables)]
  const operations = Array.from({ length: 1 + below(r, 3) }, () => randomOperation(r, tables))
  if (often(r, 2, 3)) return operations
  const uuid = ['uuid', rowUuid(r, below(r, 3))]
  return operations.map((operation) => {
    const named = renamed(operation, printJson(uuid), ['named-uuid', 'r1'])
    if (!isObject(named) || named['op'] !== 'insert' || named['uuid'] !== uuid[1]) return named
    return { ...named, 'uuid-name': 'r1' }
  })
}

/** The same with another value wherever there was this one. */
function renamed(json: Json, from: string, to: Json): Json {
  if (Array.isArray(json))
    return printJson(json) === from ? to : (json as readonly Json[]).map((x) => renamed(x, from, to))
  if (!isObject(json)) return json
  return Object.fromEntries(Object.entries(json).map(([name, value]) => [name, renamed(value as Json, from, to)]))
}

/** Conditions, columns and kinds for a monitor. */
export function randomMonitor(r: Random, tables: readonly RandomTable[], conditional: boolean): Json {
  const out: Record<string, Json> = {}
  for (const table of tables) {
    if (often(r, 1, 5)) continue
    const columns = table.columns.filter(() => often(r, 2, 3)).map((c) => c.name)
    out[table.name] = [
      {
        ...(often(r, 1, 8) ? {} : { columns }),
        ...(conditional && often(r, 1, 2)
          ? { where: Array.from({ length: 1 + below(r, 2) }, () => randomClause(r, table)) }
          : {}),
        ...(often(r, 1, 4)
          ? {
              select: {
                initial: below(r, 2) === 1,
                insert: below(r, 2) === 1,
                delete: below(r, 2) === 1,
                modify: below(r, 2) === 1,
              },
            }
          : {}),
      },
    ]
  }
  return out
}

/** A clause of a monitor's condition; `bad`: it may be one that is refused. */
export function randomClause(r: Random, table: RandomTable, bad = false): Json {
  if (often(r, 1, 6)) return below(r, 2) === 1
  const c = pick(r, table.columns)
  const ordered = c.key === 'integer' || c.key === 'real'
  if (c.max === 1 && !c.value && c.min === 1) {
    return [c.name, pick(r, ordered || bad ? FUNCTIONS : ['==', '!=']), randomValue(r, c, bad && often(r, 1, 4))]
  }
  return below(r, 2)
    ? ['_uuid', '==', uuidAtom(r)]
    : [c.name, pick(r, ['includes', 'excludes', '==', '!=']), randomValue(r, c)]
}
