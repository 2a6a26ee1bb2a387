/** A pending call; `cancel` is harmless once it has run. */
export interface Timer {
  cancel(): void
}

/**
 * Time as a parameter. Outside `io/` and the adapter folders nothing reads the system's time or
 * sets a timer. Whatever a part defers (also "as soon as the present call is over") goes through
 * `after`, so that a whole deployment can run on virtual time, step by step and repeatably.
 */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z; may jump. */
  now(): number
  /** Milliseconds since an arbitrary moment; never goes back. */
  monotonic(): number
  /** Calls `run` once, `delay` milliseconds from now; 0 means after the present call, in order. */
  after(delay: number, run: () => void): Timer
}

interface Entry extends Timer {
  readonly at: number
  readonly seq: number
  run: (() => void) | undefined
}

/** A clock that moves only when told to. Calls due at one moment run in the order they were made. */
export class VirtualClock implements Clock {
  private time: number
  private seq = 0
  private heap: Entry[] = []
  private soon: Entry[] = []

  /** @param start milliseconds since 1970, of the first moment. */
  constructor(private readonly start = Date.UTC(2026, 0, 1)) {
    this.time = start
  }

  now(): number {
    return this.time
  }

  monotonic(): number {
    return this.time - this.start
  }

  after(delay: number, run: () => void): Timer {
    const entry: Entry = {
      at: this.time + Math.max(0, delay),
      seq: this.seq++,
      run,
      cancel() {
        entry.run = undefined
      },
    }
    if (delay <= 0) this.soon.push(entry)
    else this.push(entry)
    return entry
  }

  /** Runs all that is due now, and what that makes due now, up to `limit` calls. Returns how many ran. */
  settle(limit = 10_000_000): number {
    let ran = 0
    while (this.step(this.time)) {
      if (++ran > limit) throw new Error(`virtual time does not settle: ${limit} calls at one moment`)
    }
    return ran
  }

  /** Moves time forward by `ms`, running everything that falls due on the way. */
  advance(ms: number): void {
    const end = this.time + ms
    while (this.step(end));
    this.time = end
  }

  /** The moment of the next call, in milliseconds since 1970, or undefined when there is none. */
  next(): number | undefined {
    if (this.soon.some((e) => e.run)) return this.time
    this.trim()
    return this.heap[0]?.at
  }

  private step(end: number): boolean {
    for (;;) {
      this.trim()
      const head = this.heap[0]
      const soon = this.soon[0]
      if (soon && !(head && head.at <= this.time && head.seq < soon.seq)) {
        this.soon.shift()
        if (!soon.run) continue
        this.call(soon)
        return true
      }
      if (!head || head.at > end) return false
      this.pop()
      this.time = Math.max(this.time, head.at)
      this.call(head)
      return true
    }
  }

  private call(entry: Entry): void {
    const run = entry.run
    entry.run = undefined
    run?.()
  }

  private trim(): void {
    while (this.heap[0] && !this.heap[0].run) this.pop()
  }

  private push(entry: Entry): void {
    const heap = this.heap
    let i = heap.push(entry) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      const p = heap[parent] as Entry
      if (!before(entry, p)) break
      heap[i] = p
      i = parent
    }
    heap[i] = entry
  }

  private pop(): void {
    const heap = this.heap
    const last = heap.pop()
    if (!last || heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child++
      if (!before(heap[child] as Entry, last)) break
      heap[i] = heap[child] as Entry
      i = child
    }
    heap[i] = last
  }
}

/**
 * A clock that can be thrown away with all that waits on it: what ends a part that is simply gone, as
 * after a power cut. Time is that of the clock it is made from.
 */
export class ClockScope implements Clock {
  private readonly timers = new Set<Timer>()
  private closed = false

  constructor(private readonly inner: Clock) {}

  now(): number {
    return this.inner.now()
  }

  monotonic(): number {
    return this.inner.monotonic()
  }

  after(delay: number, run: () => void): Timer {
    if (this.closed) return { cancel() {} }
    if (delay <= 0) {
      return this.inner.after(0, () => {
        if (!this.closed) run()
      })
    }
    const timer = this.inner.after(delay, () => {
      this.timers.delete(handle)
      run()
    })
    const handle: Timer = {
      cancel: () => {
        timer.cancel()
        this.timers.delete(handle)
      },
    }
    this.timers.add(handle)
    return handle
  }

  /** Nothing that waits is called any more, and nothing new is taken. */
  close(): void {
    this.closed = true
    for (const timer of [...this.timers]) timer.cancel()
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.seq < b.seq)
}
