import type { Row } from '../schema/index.ts'
import { type Delta, type RowChange, STEP_ROWS, type Steps } from '../transaction/index.ts'

/** What was done to rows, by table and uuid. */
export type Changes = ReadonlyMap<string, ReadonlyMap<string, RowChange>>

type Merged = Map<string, Map<string, { old?: Row; new?: Row }>>

/** Commits of more rows than this are kept as they are: adding them to what was missed would hold up others. */
const LARGE = 4 * STEP_ROWS

/**
 * The commits a slow client has not been told of, put together: it costs no more memory than the rows
 * that the client has not seen, and, of commits that changed many, twice that.
 */
export class Missed {
  /** In order. */
  private parts: Changes[] = []
  /** The last part, when it is not that of a commit but was put together here. */
  private own: Merged | undefined
  /** Rows of the parts that are kept as they are. */
  private rows = 0

  /** @param large commits of more rows than this are kept as they are. */
  constructor(private readonly large = LARGE) {}

  get none(): boolean {
    return !this.parts.length
  }

  /** @param limit of rows, above which even large commits are put together. */
  add(delta: Delta, wanted: (table: string) => boolean, limit: () => number): void {
    const changes = new Map([...delta.tables].filter(([name]) => wanted(name)))
    const size = rowsOf(changes)
    if (!size) return
    if (this.none || size > this.large) {
      this.parts.push(changes)
      this.own = undefined
      this.rows += size
      if (this.parts.length > 1 && this.rows > this.large + limit()) this.mergeAll()
      return
    }
    if (!this.own) {
      this.own = new Map()
      // What was kept as it is because it was the first, and is small.
      const [first] = this.parts
      if (this.parts.length === 1 && first && rowsOf(first) <= this.large) {
        this.parts = []
        this.rows = 0
        finishMerge(this.own, first)
      }
      this.parts.push(this.own)
    }
    finishMerge(this.own, changes)
  }

  private mergeAll(): void {
    const own: Merged = new Map()
    for (const part of this.parts) finishMerge(own, part)
    this.own = own
    this.parts = [own]
    this.rows = 0
  }

  /** All of it; nothing is missed any more. */
  take(): readonly Changes[] {
    const { parts } = this
    this.parts = []
    this.own = undefined
    this.rows = 0
    return parts
  }
}

function rowsOf(changes: Changes): number {
  let n = 0
  for (const rows of changes.values()) n += rows.size
  return n
}

/** The steps of making one of what was done one after the other. */
export function* merge(parts: readonly Changes[]): Steps<Changes> {
  const [only] = parts
  if (parts.length === 1 && only) return only
  const merged: Merged = new Map()
  for (const part of parts) yield* mergeInto(merged, part)
  return merged
}

function finishMerge(merged: Merged, part: Changes): void {
  const steps = mergeInto(merged, part)
  while (!steps.next().done);
}

function* mergeInto(merged: Merged, part: Changes): Steps<void> {
  let seen = 0
  for (const [name, rows] of part) {
    let into = merged.get(name)
    if (!into) {
      into = new Map()
      merged.set(name, into)
    }
    for (const [uuid, change] of rows) {
      if (++seen % STEP_ROWS === 0) yield
      const before = into.get(uuid)
      if (!before) into.set(uuid, { ...change })
      else if (change.new) before.new = change.new
      else delete before.new
    }
  }
}
