import type { Row } from '../schema/index.ts'
import { type Delta, type RowChange, STEP_ROWS, type Steps } from '../transaction/index.ts'

/** What was done to rows, by table and uuid. */
export type Changes = ReadonlyMap<string, ReadonlyMap<string, RowChange>>

type Merged = Map<string, Map<string, { old?: Row; new?: Row }>>

/** Commits of more rows than this are kept as they are: adding them to what was missed would hold up others. */
const LARGE = 4 * STEP_ROWS
/** So many rows of such commits may be kept; they cost little, since all slow clients have the same ones. */
const CROWDED = 512 * STEP_ROWS

/**
 * The commits a slow client has not been told of, put together: it costs no more memory than the rows
 * that the client has not seen. Only large commits are kept as they are, until there are many.
 */
export class Missed {
  /** In order. */
  private parts: Changes[] = []
  /** The last part, when it is not that of a commit but was put together here. */
  private own: Merged | undefined
  /** Rows of the commits that are kept as they are. */
  private rows = 0
  private tidying = false

  /** @param large commits of more rows than this are kept as they are, so many rows of them. */
  constructor(
    private readonly large = LARGE,
    private readonly most = CROWDED,
  ) {}

  get none(): boolean {
    return !this.parts.length
  }

  add(delta: Delta, wanted: (table: string) => boolean): void {
    const changes = new Map([...delta.tables].filter(([name]) => wanted(name)))
    const size = rowsOf(changes)
    if (!size) return
    if (this.none || size > this.large) {
      this.parts.push(changes)
      this.own = undefined
      this.rows += size
      return
    }
    if (!this.own) {
      this.own = new Map()
      // What was kept as it is because it was the first, and is small.
      const [first] = this.parts
      if (!this.tidying && this.parts.length === 1 && first && rowsOf(first) <= this.large) {
        this.parts = []
        this.rows = 0
        finishMerge(this.own, first)
      }
      this.parts.push(this.own)
    }
    finishMerge(this.own, changes)
  }

  /** Whether it is time to `tidy`. */
  get crowded(): boolean {
    return !this.tidying && this.parts.length > 1 && this.rows > this.most
  }

  /**
   * The steps of putting together what was kept as it is, while more is added, and perhaps all is taken. From now
   * on it is not `crowded`: who asks again before the first step must not begin once more.
   */
  tidy(): Steps<void> {
    this.own = undefined
    this.tidying = true
    return this.putTogether(this.parts, this.parts.length)
  }

  private *putTogether(parts: Changes[], count: number): Steps<void> {
    const merged = yield* merge(parts.slice(0, count))
    // Of another list `take` has made another to be tidied.
    if (this.parts !== parts) return
    parts.splice(0, count, merged)
    this.rows = 0
    for (const part of parts) if (part !== merged && part !== this.own) this.rows += rowsOf(part)
    this.tidying = false
  }

  /** All of it; nothing is missed any more. */
  take(): readonly Changes[] {
    const { parts } = this
    this.parts = []
    this.own = undefined
    this.rows = 0
    this.tidying = false
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
      else if (!before.old && !change.new) into.delete(uuid)
      else if (change.new) before.new = change.new
      else delete before.new
    }
  }
}
