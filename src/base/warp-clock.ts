import type { Clock, Timer } from './clock.ts'

interface Waiting {
  /** Milliseconds of this clock's monotonic time. */
  readonly at: number
  readonly run: () => void
  /** Where the clock below waits for it: while time goes by. */
  timer: Timer | undefined
}

/**
 * A clock over another one that can be stopped and moved forward by hand: `time/stop` and `time/warp` of a
 * daemon under test. As long as nobody stops it, it is the clock below. What is due at once (`after(0)`) runs
 * while it stands, too.
 */
export class WarpClock implements Clock {
  private readonly waiting = new Set<Waiting>()
  /** Milliseconds this clock is ahead of the one below. */
  private ahead = 0
  /** The moments at which it stands, while it does. */
  private stoppedAt: { now: number; monotonic: number } | undefined

  constructor(private readonly below: Clock) {}

  now(): number {
    return this.stoppedAt?.now ?? this.below.now() + this.ahead
  }

  monotonic(): number {
    return this.stoppedAt?.monotonic ?? this.below.monotonic() + this.ahead
  }

  after(delay: number, run: () => void): Timer {
    if (delay <= 0) return this.below.after(0, run)
    const entry: Waiting = { at: this.monotonic() + delay, run, timer: undefined }
    this.waiting.add(entry)
    if (!this.stoppedAt) this.arm(entry, delay)
    return {
      cancel: () => {
        this.waiting.delete(entry)
        entry.timer?.cancel()
      },
    }
  }

  get stopped(): boolean {
    return this.stoppedAt !== undefined
  }

  /** From now on only `warp` moves time. */
  stop(): void {
    if (this.stoppedAt) return
    this.stoppedAt = { now: this.now(), monotonic: this.monotonic() }
    for (const entry of this.waiting) {
      entry.timer?.cancel()
      entry.timer = undefined
    }
  }

  /** Moves time forward by `ms`, running what falls due on the way, each at its moment. */
  warp(ms: number): void {
    const standing = this.stoppedAt
    if (!standing) {
      // It goes on by itself from the later moment: what is due meanwhile is due at once.
      this.ahead += ms
      for (const entry of this.waiting) {
        entry.timer?.cancel()
        this.arm(entry, Math.max(0, entry.at - this.monotonic()))
      }
      return
    }
    const end = standing.monotonic + ms
    for (;;) {
      const next = this.earliest(end)
      const moment = next ? Math.max(standing.monotonic, next.at) : end
      standing.now += moment - standing.monotonic
      standing.monotonic = moment
      if (!next) return
      this.waiting.delete(next)
      next.run()
    }
  }

  private arm(entry: Waiting, delay: number): void {
    entry.timer = this.below.after(delay, () => {
      this.waiting.delete(entry)
      entry.run()
    })
  }

  /** The first that waits for a moment up to `end`; those of one moment in the order they were made. */
  private earliest(end: number): Waiting | undefined {
    let first: Waiting | undefined
    for (const entry of this.waiting) if (entry.at <= end && (!first || entry.at < first.at)) first = entry
    return first
  }
}
