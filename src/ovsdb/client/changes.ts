import type { Replica, ReplicaChange, RowChange } from './replica.ts'

/** So many updates may wait for a slow reader one by one; those behind are joined. */
const SEPARATE = 100

type Tables = Readonly<Record<string, ReadonlyMap<string, RowChange<unknown>> | undefined>>

/** Two changes as one: what was before the first, and what is after the second. */
export function joinChanges<T>(first: ReplicaChange<T>, second: ReplicaChange<T>): ReplicaChange<T> {
  const out: Record<string, Map<string, RowChange<unknown>>> = {}
  for (const [name, rows] of Object.entries(first.tables as Tables)) out[name] = new Map(rows ?? [])
  for (const [name, rows] of Object.entries(second.tables as Tables)) {
    const into = out[name] ?? new Map<string, RowChange<unknown>>()
    out[name] = into
    for (const [uuid, change] of rows ?? []) {
      const before = into.get(uuid)
      const old = before ? before.old : change.old
      if (old === undefined && change.new === undefined) into.delete(uuid)
      else
        into.set(uuid, {
          ...(old === undefined ? {} : { old }),
          ...(change.new === undefined ? {} : { new: change.new }),
        })
    }
    if (!into.size) delete out[name]
  }
  return { tables: out } as unknown as ReplicaChange<T>
}

/**
 * The changes of a replica from the moment it is made, for `for await`. A reader that is slow gets later
 * ones joined, so that what waits for it is never more than the rows there are.
 */
export class Changes<T> implements AsyncIterableIterator<ReplicaChange<T>> {
  private readonly waiting: ReplicaChange<T>[] = []
  private readonly readers: ((result: IteratorResult<ReplicaChange<T>, undefined>) => void)[] = []
  private readonly stops: (() => void)[]
  private ended = false

  constructor(replica: Replica<T>) {
    this.stops = [
      replica.onChange((change) => this.take(change)),
      replica.onState((state) => {
        if (state === 'closed') this.end()
      }),
    ]
    if (replica.state === 'closed') this.end()
  }

  private take(change: ReplicaChange<T>): void {
    const reader = this.readers.shift()
    const last = this.waiting.at(-1)
    if (reader) reader({ done: false, value: change })
    else if (last && this.waiting.length >= SEPARATE) this.waiting[this.waiting.length - 1] = joinChanges(last, change)
    else this.waiting.push(change)
  }

  /** What was told before the end is still given. */
  private end(): void {
    this.ended = true
    for (const stop of this.stops) stop()
    for (const reader of this.readers.splice(0)) reader({ done: true, value: undefined })
  }

  next(): Promise<IteratorResult<ReplicaChange<T>, undefined>> {
    const change = this.waiting.shift()
    if (change) return Promise.resolve({ done: false, value: change })
    if (this.ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => this.readers.push(resolve))
  }

  return(): Promise<IteratorResult<ReplicaChange<T>, undefined>> {
    this.waiting.length = 0
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
