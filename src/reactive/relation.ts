import { invariant } from '../base/result.ts'
import type { Graph } from './graph.ts'

/** What a rule run read: it is told when that changes. One cell stands for a key, an index entry or a whole relation. */
export class Cell {
  readers: Set<Reader> | undefined
  constructor(
    readonly relation: AnyRelation,
    /** How the read was made, for `why`: `key`, `all`, or an index's name. */
    readonly how: string,
    readonly value: string,
  ) {}

  touch(): void {
    if (this.readers) for (const reader of this.readers) reader.invalidate()
  }
}

/** Something that reads relations and runs again when what it read changed: a run of a rule. */
export interface Reader {
  readonly stratum: number
  readonly reads: Set<Cell>
  /** Who reads, for messages. */
  readonly label: string
  invalidate(): void
}

/** Something that follows a relation's changes as they happen within a pass: a rule's source, a fold. */
export interface Follower<R> {
  readonly stratum: number
  changed(key: string, before: R | undefined, after: R | undefined): void
}

export interface Change<R> {
  readonly before: R | undefined
  readonly after: R | undefined
}

/** One run's claim to a derived row. */
export interface Claim<R> {
  readonly owner: Owner
  value: R
}

/** Who emitted a row; the least (rank, key) wins where two emit different values under one key. */
export interface Owner {
  readonly rank: number
  readonly key: string
  readonly label: string
  readonly reads: ReadonlySet<Cell>
}

function precedes(a: Owner, b: Owner): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.key < b.key)
}

export interface RelationOptions<R> {
  /** Equality of two values under one key; a structural comparison unless given. */
  readonly equal?: (a: R, b: R) => boolean
}

// biome-ignore lint/suspicious/noExplicitAny: a heterogeneous list of relations has no narrower type
export type AnyRelation = Relation<any>

/**
 * A keyed table. Its rows are immutable values. Reads made while a rule runs are recorded; a row
 * that is replaced by an equal one has not changed.
 */
export class Relation<R> {
  private readonly rows = new Map<string, R>()
  private readonly cells = new Map<string, Cell>()
  private readonly whole: Cell
  private readonly indexes: Index<R>[] = []
  private readonly followers: Follower<R>[] = []
  private readonly listeners: ((changes: ReadonlyMap<string, Change<R>>) => void)[] = []
  private sorted: readonly R[] | undefined
  private touched: Map<string, R | undefined> | undefined
  readonly equal: (a: R, b: R) => boolean

  constructor(
    readonly graph: Graph,
    readonly name: string,
    /** 0 for inputs; a rule reads strata below its own. */
    readonly stratum: number,
    options: RelationOptions<R> = {},
  ) {
    this.whole = new Cell(this, 'all', '')
    this.equal = options.equal ?? sameValue
  }

  /** The row under a key. An absent key counts as read. */
  get(key: string): R | undefined {
    const reader = this.graph.reader
    if (reader) {
      let cell = this.cells.get(key)
      if (!cell) {
        cell = new Cell(this, 'key', key)
        this.cells.set(key, cell)
      }
      this.graph.record(cell, reader)
    }
    return this.rows.get(key)
  }

  has(key: string): boolean {
    return this.get(key) !== undefined
  }

  /** All rows, in the order of their keys: a read of the whole relation. */
  values(): readonly R[] {
    this.readWhole()
    if (!this.sorted) this.sorted = [...this.rows.keys()].sort().map((k) => this.rows.get(k) as R)
    return this.sorted
  }

  keys(): readonly string[] {
    this.readWhole()
    return [...this.rows.keys()].sort()
  }

  get size(): number {
    this.readWhole()
    return this.rows.size
  }

  /** All rows by key, unordered: a read of the whole relation. */
  entries(): ReadonlyMap<string, R> {
    this.readWhole()
    return this.rows
  }

  /** An index by whatever values `of` gives for a row (none, one or several). Declare it before rows arrive. */
  index(name: string, of: (row: R) => string | undefined | readonly string[]): Index<R> {
    const known = this.indexes.find((i) => i.name === name)
    if (known) return known
    const index = new Index<R>(this, name, of)
    for (const [key, row] of this.rows) index.update(key, undefined, row)
    this.indexes.push(index)
    return index
  }

  /** Calls `listener` after each finished pass in which rows changed, with the net changes. */
  subscribe(listener: (changes: ReadonlyMap<string, Change<R>>) => void): () => void {
    this.listeners.push(listener)
    return () => {
      const i = this.listeners.indexOf(listener)
      if (i >= 0) this.listeners.splice(i, 1)
    }
  }

  /** Joins a follower that sees every change from now on, and first all rows there are. */
  follow(follower: Follower<R>): void {
    invariant(
      follower.stratum > this.stratum,
      `${this.name} (stratum ${this.stratum}) followed from ${follower.stratum}`,
    )
    this.followers.push(follower)
    for (const [key, row] of this.rows) follower.changed(key, undefined, row)
  }

  /** Without recording a read: for sinks, `why` and tests. */
  peek(key: string): R | undefined {
    return this.rows.get(key)
  }

  /** Without recording a read. */
  get contents(): ReadonlyMap<string, R> {
    return this.rows
  }

  /** Puts, replaces or (undefined) removes a row, and tells who read it. For the graph's own use. */
  apply(key: string, after: R | undefined): boolean {
    const before = this.rows.get(key)
    if (before === after || (before !== undefined && after !== undefined && this.equal(before, after))) return false
    if (after === undefined) this.rows.delete(key)
    else this.rows.set(key, after)
    this.sorted = undefined
    if (this.listeners.length) {
      if (!this.touched) {
        this.touched = new Map()
        this.graph.announce(this)
      }
      if (!this.touched.has(key)) this.touched.set(key, before)
    }
    for (const index of this.indexes) index.update(key, before, after)
    const cell = this.cells.get(key)
    if (cell) {
      cell.touch()
      if (!cell.readers && after === undefined) this.cells.delete(key)
    }
    this.whole.touch()
    for (const follower of this.followers) follower.changed(key, before, after)
    return true
  }

  /** Tells the listeners what the pass changed in the end. */
  flush(): void {
    const touched = this.touched
    this.touched = undefined
    if (!touched) return
    const changes = new Map<string, Change<R>>()
    for (const [key, before] of touched) {
      const after = this.rows.get(key)
      if (before === after || (before !== undefined && after !== undefined && this.equal(before, after))) continue
      changes.set(key, { before, after })
    }
    if (changes.size) for (const listener of [...this.listeners]) listener(changes)
  }

  /** A cell nobody reads is dropped. */
  forget(cell: Cell): void {
    if (cell.how === 'key') {
      if (this.cells.get(cell.value) === cell) this.cells.delete(cell.value)
    } else if (cell.how !== 'all') this.indexes.find((i) => i.name === cell.how)?.forget(cell)
  }

  /** Who claims a row; only derived relations have claims. */
  claims(_key: string): readonly Claim<R>[] {
    return []
  }

  private readWhole(): void {
    if (this.graph.reader) this.graph.record(this.whole, this.graph.reader)
  }
}

/** Rows by a value of theirs. An entry is read as a whole, its rows in the order of their keys. */
export class Index<R> {
  private readonly entries = new Map<string, Map<string, R>>()
  private readonly cells = new Map<string, Cell>()
  private readonly sorted = new Map<string, readonly R[]>()

  constructor(
    private readonly relation: Relation<R>,
    readonly name: string,
    private readonly of: (row: R) => string | undefined | readonly string[],
  ) {}

  get(value: string): readonly R[] {
    const graph = this.relation.graph
    const reader = graph.reader
    if (reader) {
      let cell = this.cells.get(value)
      if (!cell) {
        cell = new Cell(this.relation, this.name, value)
        this.cells.set(value, cell)
      }
      graph.record(cell, reader)
    }
    const known = this.sorted.get(value)
    if (known) return known
    const entry = this.entries.get(value)
    if (!entry) return []
    const rows = [...entry.keys()].sort().map((k) => entry.get(k) as R)
    this.sorted.set(value, rows)
    return rows
  }

  /** The entry's row with the least key, for indexes that should be unique. */
  first(value: string): R | undefined {
    return this.get(value)[0]
  }

  update(key: string, before: R | undefined, after: R | undefined): void {
    const olds = before === undefined ? [] : this.valuesOf(before)
    const news = after === undefined ? [] : this.valuesOf(after)
    for (const v of olds) {
      if (!news.includes(v)) {
        const entry = this.entries.get(v)
        entry?.delete(key)
        if (entry?.size === 0) this.entries.delete(v)
        this.changed(v)
      }
    }
    for (const v of news) {
      let entry = this.entries.get(v)
      if (!entry) {
        entry = new Map()
        this.entries.set(v, entry)
      }
      entry.set(key, after as R)
      this.changed(v)
    }
  }

  forget(cell: Cell): void {
    if (this.cells.get(cell.value) === cell) this.cells.delete(cell.value)
  }

  private changed(value: string): void {
    this.sorted.delete(value)
    this.cells.get(value)?.touch()
  }

  private valuesOf(row: R): readonly string[] {
    const v = this.of(row)
    return v === undefined ? [] : typeof v === 'string' ? [v] : v
  }
}

/** A relation fed from outside: a replica's table, a configuration. Changes wait for the next pass. */
export class Input<R> extends Relation<R> {
  set(key: string, row: R): void {
    this.graph.stage(this, key, row)
  }

  delete(key: string): void {
    this.graph.stage(this, key, undefined)
  }
}

/** A relation whose rows rules emit. A row goes with its last emitter. */
export class Derived<R> extends Relation<R> {
  private readonly claimed = new Map<string, Claim<R> | Claim<R>[]>()

  /** Adds or changes an owner's claim to a key. */
  claim(key: string, owner: Owner, value: R): void {
    const held = this.claimed.get(key)
    if (!held) this.claimed.set(key, { owner, value })
    else if (!Array.isArray(held)) {
      if (held.owner === owner) held.value = value
      else this.claimed.set(key, precedes(owner, held.owner) ? [{ owner, value }, held] : [held, { owner, value }])
    } else {
      const mine = held.find((c) => c.owner === owner)
      if (mine) mine.value = value
      else {
        const at = held.findIndex((c) => precedes(owner, c.owner))
        held.splice(at < 0 ? held.length : at, 0, { owner, value })
      }
    }
    this.settleKey(key)
  }

  /** Withdraws an owner's claim. */
  withdraw(key: string, owner: Owner): void {
    const held = this.claimed.get(key)
    if (!held) return
    if (Array.isArray(held)) {
      const rest = held.filter((c) => c.owner !== owner)
      if (rest.length === 1) this.claimed.set(key, rest[0] as Claim<R>)
      else this.claimed.set(key, rest)
    } else if (held.owner === owner) this.claimed.delete(key)
    this.settleKey(key)
  }

  override claims(key: string): readonly Claim<R>[] {
    const held = this.claimed.get(key)
    return held ? (Array.isArray(held) ? held : [held]) : []
  }

  private settleKey(key: string): void {
    const held = this.claimed.get(key)
    this.apply(key, held ? (Array.isArray(held) ? held[0]?.value : held.value) : undefined)
  }
}

/** Structural equality of immutable values: atoms, arrays, Maps, Sets, Uint8Arrays and plain objects. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null)
    return Number.isNaN(a) && Number.isNaN(b)
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (!sameValue(a[i], b[i])) return false
    return true
  }
  if (a instanceof Map) {
    if (!(b instanceof Map) || a.size !== b.size) return false
    for (const [k, v] of a) if (!b.has(k) || !sameValue(v, b.get(k))) return false
    return true
  }
  if (a instanceof Set) {
    if (!(b instanceof Set) || a.size !== b.size) return false
    for (const v of a) if (!b.has(v)) return false
    return true
  }
  if (a instanceof Uint8Array) {
    if (!(b instanceof Uint8Array) || a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
    return true
  }
  if (Array.isArray(b) || b instanceof Map || b instanceof Set || b instanceof Uint8Array) return false
  const x = a as Record<string, unknown>
  const y = b as Record<string, unknown>
  const keys = Object.keys(x)
  if (keys.length !== Object.keys(y).length) return false
  for (const k of keys) if (!sameValue(x[k], y[k])) return false
  return true
}
