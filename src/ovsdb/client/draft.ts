import { type Random, uuid4 } from '../../base/random.ts'
import { type Atom, type ColumnSchema, type Datum, defaultDatum, type Row } from '../schema/index.ts'
import type { Operation } from './operation.ts'
import type { IdOf, TableName, TableReplica, TypedSchema } from './replica.ts'
import { RowEdit, sortMap } from './row-edit.ts'
import { sameDatum } from './tables.ts'

export { sortMap } from './row-edit.ts'

/** What a draft reads: a replica, or what looks like one. */
export interface Source<T> {
  readonly schema: TypedSchema<T>
  anyTable(name: string): TableReplica<Row> | undefined
}

/** A column's value as it is given to be written: a map of texts may be a plain object. */
type Given<V> = V extends ReadonlyMap<infer K, infer W> ? V | (K extends string ? { readonly [P in K]?: W } : never) : V

/** The columns of a new row; the others get their defaults. */
export type Values<R> = { readonly [C in keyof Omit<R, '_uuid'>]?: Given<R[C]> }

/** A member of a set, where the column is one. */
type Member<V> = V extends readonly (infer M)[] ? M : never
type Key<V> = V extends ReadonlyMap<infer K, Atom> ? K : never
type Value<V> = V extends ReadonlyMap<Atom, infer W> ? W : never

/** The columns of `R` that hold a set. */
type SetColumn<R> = { [C in keyof R]: R[C] extends readonly unknown[] ? C : never }[keyof R] & string
/** The columns of `R` that hold a map. */
type MapColumn<R> = { [C in keyof R]: R[C] extends ReadonlyMap<Atom, Atom> ? C : never }[keyof R] & string

type Values_ = Readonly<Record<string, Datum>>

/**
 * A transaction being put together: the tables as they will be, over the tables as they are. Members
 * put into sets and maps become mutations, so that two tools that add a port each do not undo one
 * another.
 */
export class Draft<T> {
  private readonly edits = new Map<string, Map<string, RowEdit>>()
  private readonly verified: Operation[] = []
  private readonly seen = new Set<string>()
  private readonly locks = new Set<string>()
  private readonly comments: string[] = []
  private over = false

  constructor(
    private readonly source: Source<T>,
    private readonly random: Random,
  ) {}

  get schema(): TypedSchema<T> {
    return this.source.schema
  }

  /** The rows of a table: those there are, then those created here. */
  rows<N extends TableName<T>>(table: N): readonly T[N][] {
    return this.anyRows(table) as unknown as readonly T[N][]
  }

  get<N extends TableName<T>>(table: N, uuid: IdOf<T[N]>): T[N] | undefined {
    return this.anyRow(table, uuid) as T[N] | undefined
  }

  anyRows(table: string): readonly Row[] {
    const base = this.table(table)
    const edits = this.edits.get(table)
    if (!edits) return [...base.values()]
    const out: Row[] = []
    for (const row of base.values()) {
      const edit = edits.get(row._uuid)
      const now = edit ? edit.row : row
      if (now) out.push(now)
    }
    for (const edit of edits.values()) if (edit.created && edit.row) out.push(edit.row)
    return out
  }

  anyRow(table: string, uuid: string): Row | undefined {
    const edit = this.edits.get(table)?.get(uuid)
    return edit ? edit.row : this.table(table).get(uuid)
  }

  /** Creates a row and returns its uuid, by which other rows of the transaction can refer to it. */
  insert<N extends TableName<T>>(table: N, values: Values<T[N]>, uuid?: IdOf<T[N]>): IdOf<T[N]> {
    return this.anyInsert(table, this.native(table, values), uuid) as IdOf<T[N]>
  }

  anyInsert(table: string, values: Values_, uuid = uuid4(this.random)): string {
    const row: Record<string, Datum> = { _uuid: uuid, _version: '00000000-0000-0000-0000-000000000000' }
    for (const c of this.columns(table))
      row[c.name] = Object.hasOwn(values, c.name) ? values[c.name] : defaultDatum(c.type)
    const unknown = Object.keys(values).find((column) => !Object.hasOwn(row, column))
    if (unknown !== undefined) throw new Error(`table ${table} has no column ${unknown}`)
    this.editsOf(table).set(uuid, new RowEdit(row as unknown as Row, true, () => true))
    return uuid
  }

  /** Sets columns to values, whatever they are by then. */
  update<N extends TableName<T>>(table: N, uuid: IdOf<T[N]>, values: Values<T[N]>): void {
    this.present(table, uuid).set(this.native(table, values), 'always')
  }

  anyUpdate(table: string, uuid: string, values: Values_): void {
    this.edit(table, uuid)?.set(values, 'changes')
  }

  /** Puts a member into a set. */
  addMember<N extends TableName<T>, C extends SetColumn<T[N]>>(
    table: N,
    uuid: IdOf<T[N]>,
    column: C,
    member: Member<T[N][C]>,
  ): void {
    this.present(table, uuid).addMembers(column, [member as Atom], 'always')
  }

  /** Takes a member out of a set; done, where the row is gone. */
  removeMember<N extends TableName<T>, C extends SetColumn<T[N]>>(
    table: N,
    uuid: IdOf<T[N]>,
    column: C,
    member: Member<T[N][C]>,
  ): void {
    this.edit(table, uuid)?.removeMembers(column, [member as Atom], 'always')
  }

  /** Sets a key of a map. */
  setKey<N extends TableName<T>, C extends MapColumn<T[N]>>(
    table: N,
    uuid: IdOf<T[N]>,
    column: C,
    key: Key<T[N][C]>,
    value: Value<T[N][C]>,
  ): void {
    this.present(table, uuid).setKey(column, key as Atom, value as Atom, 'always')
  }

  /** Takes a key out of a map; done, where the row is gone. */
  removeKey<N extends TableName<T>, C extends MapColumn<T[N]>>(
    table: N,
    uuid: IdOf<T[N]>,
    column: C,
    key: Key<T[N][C]>,
  ): void {
    this.edit(table, uuid)?.removeKeys(column, [key as Atom], 'always')
  }

  anyAddMembers(table: string, uuid: string, column: string, members: readonly Atom[]): void {
    this.edit(table, uuid)?.addMembers(column, members, 'changes')
  }

  anyRemoveMembers(table: string, uuid: string, column: string, members: readonly Atom[]): void {
    this.edit(table, uuid)?.removeMembers(column, members, 'changes')
  }

  anySetKey(table: string, uuid: string, column: string, key: Atom, value: Atom): void {
    this.edit(table, uuid)?.setKey(column, key, value, 'changes')
  }

  anyRemoveKeys(table: string, uuid: string, column: string, keys: readonly Atom[]): void {
    this.edit(table, uuid)?.removeKeys(column, keys, 'changes')
  }

  /** Removes a row; done, where it is gone. */
  delete<N extends TableName<T>>(table: N, uuid: IdOf<T[N]>): void {
    this.anyDelete(table, uuid)
  }

  anyDelete(table: string, uuid: string): void {
    const edits = this.editsOf(table)
    if (edits.get(uuid)?.created) edits.delete(uuid)
    else if (this.table(table).has(uuid)) edits.set(uuid, new RowEdit(undefined, false, () => true))
  }

  /** Lets the transaction fail, to be done again, when a column is no longer what it is now. */
  verify<N extends TableName<T>>(table: N, uuid: IdOf<T[N]>, column: keyof T[N] & string): void {
    this.present(table, uuid)
    const { columns } = this.table(table)
    if (!columns.has(column)) throw new Error(`column ${column} of table ${table} was not asked for`)
    const row = this.table(table).get(uuid)
    const key = `${table} ${uuid} ${column}`
    // what was made here nobody else can have changed
    if (!row || this.seen.has(key)) return
    this.seen.add(key)
    const where = [['_uuid', '==', uuid]] as const
    const rows = [{ [column]: row[column] }]
    this.verified.push({ op: 'wait', table, where, columns: [column], until: '==', rows, timeout: 0 })
  }

  /** Lets the transaction fail, to be done again, when a table has rows by then. */
  verifyEmpty(table: TableName<T>): void {
    this.checkOpen()
    this.verified.push({ op: 'wait', table, where: [], columns: ['_uuid'], until: '==', rows: [], timeout: 0 })
  }

  /** Lets the transaction fail, for good, when a lock is not ours by then: `reason` is `not owner`. */
  assertLock(name: string): void {
    this.checkOpen()
    this.locks.add(name)
  }

  /** Says in the server's log what this is. */
  comment(text: string): void {
    this.checkOpen()
    this.comments.push(text)
  }

  /** The rows of a table that were created here. */
  created(table: TableName<T>): string[] {
    return [...(this.edits.get(table) ?? [])].filter(([, e]) => e.created && e.row).map(([uuid]) => uuid)
  }

  /** Whether any row written here refers to a row. */
  refersTo(table: string, uuid: string): boolean {
    for (const [name, edits] of this.edits) {
      for (const column of this.columns(name)) {
        const { key, value } = column.type
        if (key.refTable !== table && value?.refTable !== table) continue
        for (const edit of edits.values()) if (holds(edit.row?.[column.name], uuid)) return true
      }
    }
    return false
  }

  /** Whether there is anything to do. */
  get changed(): boolean {
    return this.changes().length > 0
  }

  /** None, unless something becomes other than our copy has it. */
  private changes(): Operation[] {
    if (![...this.edits.values()].some((edits) => [...edits.values()].some((edit) => edit.changes))) return []
    const deletes: Operation[] = []
    const writes: Operation[] = []
    const inserts: Operation[] = []
    for (const [table, edits] of this.edits) {
      for (const [uuid, edit] of edits) {
        const where = [['_uuid', '==', uuid]] as const
        if (!edit.row) deletes.push({ op: 'delete', table, where })
        else if (edit.created) inserts.push({ op: 'insert', table, uuid, row: this.given(table, edit.row) })
        else writes.push(...edit.writes(table))
      }
    }
    return [...deletes, ...writes, ...inserts]
  }

  /** The operations, none when nothing would change. */
  operations(): Operation[] {
    const changes = this.changes()
    if (!changes.length) return []
    const comments = this.comments.length ? [{ op: 'comment' as const, comment: this.comments.join('\n') }] : []
    const asserts = [...this.locks].map((lock) => ({ op: 'assert' as const, lock }))
    return [...asserts, ...this.verified, ...changes, ...comments]
  }

  /** Takes no more edits: they would be lost. */
  end(): void {
    this.over = true
  }

  private checkOpen(): void {
    if (this.over) throw new Error('this transaction is over: edit within the function, and do not wait in it')
  }

  /** Values as rows have them: a plain object for a map becomes one. */
  private native(table: string, values: object): Values_ {
    const out: Record<string, Datum> = { ...(values as Values_) }
    for (const { name, type } of this.columns(table)) {
      const value: unknown = out[name]
      if (!type.value || typeof value !== 'object' || value === null || value instanceof Map) continue
      const pairs = Object.entries(value as Readonly<Record<string, Atom | undefined>>)
      out[name] = sortMap(new Map(pairs.flatMap(([k, v]) => (v === undefined ? [] : [[k, v] as const]))))
    }
    return out
  }

  private given(table: string, row: Row): Record<string, Datum> {
    const out: Record<string, Datum> = {}
    for (const c of this.columns(table)) {
      if (!sameDatum(row[c.name], defaultDatum(c.type))) out[c.name] = row[c.name]
    }
    return out
  }

  private table(name: string): TableReplica<Row> {
    const table = this.source.anyTable(name)
    if (!table) throw new Error(`table ${name} was not asked for`)
    return table
  }

  private columns(table: string): Iterable<ColumnSchema> {
    const { schema } = this.source
    const found = schema.tables.get(table)
    if (!found) throw new Error(`database ${schema.name} has no table ${table}`)
    return found.columns.values()
  }

  private editsOf(table: string): Map<string, RowEdit> {
    this.checkOpen()
    let edits = this.edits.get(table)
    if (!edits) {
      edits = new Map()
      this.edits.set(table, edits)
    }
    return edits
  }

  private edit(table: string, uuid: string): RowEdit | undefined {
    const edits = this.editsOf(table)
    const known = edits.get(uuid)
    if (known) return known
    const { columns } = this.table(table)
    const row = this.table(table).get(uuid)
    if (!row) return undefined
    const edit = new RowEdit(row, false, (column) => columns.has(column))
    edits.set(uuid, edit)
    return edit
  }

  /** Of a row that is there, or made here. */
  private present(table: string, uuid: string): RowEdit {
    const edit = this.edit(table, uuid)
    if (!edit?.row) throw new Error(`${table} has no row ${uuid}`)
    return edit
  }
}

function holds(value: Datum, uuid: string): boolean {
  if (value instanceof Map) return value.has(uuid) || [...value.values()].includes(uuid)
  return value === uuid || (Array.isArray(value) && value.includes(uuid))
}
