import type { Row } from '../schema/index.ts'

/** Rows that a transaction changes, by uuid, as they were before it. */
type Before = ReadonlyMap<string, { readonly old?: Row | undefined; readonly new?: Row | undefined }>

/** What a map's methods give, by whatever name the reader's TypeScript calls it: MapIterator since 5.6. */
type Iterated<M extends 'entries' | 'keys' | 'values'> = ReturnType<ReadonlyMap<string, Row>[M]>

/**
 * The committed rows of one table. While a large transaction is made the committed state, in slices,
 * they are read as they were before it, until `show`: others see all of it at once.
 */
export class Rows implements ReadonlyMap<string, Row> {
  private readonly stored = new Map<string, Row>()
  private hidden: Before | undefined
  private sizeBefore = 0

  /** From now on the rows are read as they were before these changes. */
  hide(changes: Before): void {
    this.hidden = changes
    this.sizeBefore = this.stored.size
  }

  /** From now on the rows are read as they are stored. */
  show(): void {
    this.hidden = undefined
  }

  set(uuid: string, row: Row): void {
    this.stored.set(uuid, row)
  }

  delete(uuid: string): void {
    this.stored.delete(uuid)
  }

  get(uuid: string): Row | undefined {
    if (this.hidden) {
      const change = this.hidden.get(uuid)
      if (change) return change.old
    }
    return this.stored.get(uuid)
  }

  has(uuid: string): boolean {
    return this.get(uuid) !== undefined
  }

  get size(): number {
    return this.hidden ? this.sizeBefore : this.stored.size
  }

  entries(): Iterated<'entries'> {
    return this.hidden ? this.before(this.hidden, (uuid, row) => [uuid, row]) : this.stored.entries()
  }

  keys(): Iterated<'keys'> {
    return this.hidden ? this.before(this.hidden, (uuid) => uuid) : this.stored.keys()
  }

  values(): Iterated<'values'> {
    return this.hidden ? this.before(this.hidden, (_, row) => row) : this.stored.values()
  }

  [Symbol.iterator](): Iterated<'entries'> {
    return this.entries()
  }

  forEach(visit: (row: Row, uuid: string, rows: ReadonlyMap<string, Row>) => void): void {
    for (const [uuid, row] of this.entries()) visit(row, uuid, this)
  }

  /** The rows as the log has them: with those of a transaction that is hidden as yet. */
  logged(): Row[] {
    if (!this.hidden) return [...this.stored.values()]
    const rows: Row[] = []
    for (const [uuid, row] of this.stored) if (!this.hidden.has(uuid)) rows.push(row)
    for (const change of this.hidden.values()) if (change.new) rows.push(change.new)
    return rows
  }

  private *before<T>(hidden: Before, of: (uuid: string, row: Row) => T): Generator<T, undefined> {
    for (const [uuid, row] of this.stored) if (!hidden.has(uuid)) yield of(uuid, row)
    for (const [uuid, { old }] of hidden) if (old) yield of(uuid, old)
    return undefined
  }
}
