import { type Atom, compareAtoms, type Datum, type Row } from '../schema/index.ts'
import type { Mutation, Operation } from './operation.ts'
import { sameDatum } from './tables.ts'

/**
 * When is it written what a row has already, by our copy? `always`: with the transaction, if that does
 * anything at all, since another client may have changed it and we not have heard; `changes`: never, as the
 * ctl tools do.
 */
export type WriteWhen = 'always' | 'changes'

/** What a transaction does to one row. Members and keys are mutations, unless the column is written whole. */
export class RowEdit {
  /** What the row is by now; undefined: deleted. */
  row: Row | undefined
  /** Whether anything becomes other than our copy has it. */
  changes: boolean
  private readonly replaced = new Set<string>()
  private readonly mutations: Mutation[] = []

  constructor(
    row: Row | undefined,
    /** Whether the transaction makes the row. */
    readonly created: boolean,
    /** Whether our copy has a column: of others `row` has the default only. */
    private readonly isKnown: (column: string) => boolean,
  ) {
    this.row = row
    this.changes = created || row === undefined
  }

  set(values: Readonly<Record<string, Datum>>, when: WriteWhen): void {
    const { row } = this
    if (!row) return
    for (const [column, value] of Object.entries(values)) {
      const same = this.isKnown(column) && sameDatum(row[column], value)
      if (same && when === 'changes') continue
      this.replaced.add(column)
      this.changes ||= !same
    }
    this.row = { ...row, ...values }
  }

  addMembers(column: string, members: readonly Atom[], when: WriteWhen): void {
    const old = this.row?.[column]
    if (!Array.isArray(old)) return
    const fresh = members.filter((member) => !old.includes(member))
    const told = this.told(column, fresh, members, when)
    if (told.length) {
      this.mutate([column, 'insert', [...told].sort(compareAtoms)], [...old, ...fresh].sort(compareAtoms))
    }
  }

  removeMembers(column: string, members: readonly Atom[], when: WriteWhen): void {
    const old = this.row?.[column]
    if (!Array.isArray(old)) return
    const gone = members.filter((member) => old.includes(member))
    const told = this.told(column, gone, members, when)
    const rest = old.filter((member: Atom) => !gone.includes(member))
    if (told.length) this.mutate([column, 'delete', [...told].sort(compareAtoms)], rest)
  }

  setKey(column: string, key: Atom, value: Atom, when: WriteWhen): void {
    const old = this.row?.[column]
    if (!(old instanceof Map)) return
    const changed = old.get(key) === value ? [] : [key]
    if (!this.told(column, changed, [key], when).length) return
    const next = sortMap(new Map([...old, [key, value]]))
    // an insert leaves a key that is there as it is
    const maybe = when === 'always' || !this.isKnown(column)
    if (old.has(key) || maybe) this.mutate([column, 'delete', [key]], old)
    this.mutate([column, 'insert', new Map([[key, value]])], next)
  }

  removeKeys(column: string, keys: readonly Atom[], when: WriteWhen): void {
    const old = this.row?.[column]
    if (!(old instanceof Map)) return
    const gone = keys.filter((key) => old.has(key))
    const told = this.told(column, gone, keys, when)
    const rest = new Map([...old].filter(([key]) => !gone.includes(key)))
    if (told.length) this.mutate([column, 'delete', told], rest)
  }

  /** Which members or keys the server is told of; notes whether that changes anything. */
  private told(column: string, changed: readonly Atom[], all: readonly Atom[], when: WriteWhen): readonly Atom[] {
    const known = this.isKnown(column)
    this.changes ||= !known || changed.length > 0
    return known && when === 'changes' ? changed : all
  }

  private mutate(mutation: Mutation, after: Datum): void {
    if (!this.row) return
    if (!this.created) this.mutations.push(mutation)
    this.row = { ...this.row, [mutation[0]]: after }
  }

  /** How a row that was there becomes what it is to be; none where only a delete or an insert can do it. */
  writes(table: string): Operation[] {
    const { row } = this
    if (!row || this.created) return []
    const where = [['_uuid', '==', row._uuid]] as const
    const out: Operation[] = []
    if (this.replaced.size) {
      const values = Object.fromEntries([...this.replaced].map((column) => [column, row[column]]))
      out.push({ op: 'update', table, where, row: values })
    }
    const mutations = this.mutations.filter(([column]) => !this.replaced.has(column))
    if (mutations.length) out.push({ op: 'mutate', table, where, mutations })
    return out
  }
}

/** A map in the order of its keys. */
export function sortMap(pairs: ReadonlyMap<Atom, Atom>): ReadonlyMap<Atom, Atom> {
  return new Map([...pairs].sort(([a], [b]) => compareAtoms(a, b)))
}
