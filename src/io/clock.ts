import type { Clock, Timer } from '../base/clock.ts'

/** The machine's clock. Calls with delay 0 run in order before any I/O is looked at again, in slices. */
export class SystemClock implements Clock {
  private soon: { run: (() => void) | undefined }[] = []
  private scheduled = false

  /** @param slice milliseconds that due calls may take before sockets are served again. */
  constructor(private readonly slice = 10) {}

  now(): number {
    return Date.now()
  }

  monotonic(): number {
    return performance.now()
  }

  after(delay: number, run: () => void): Timer {
    if (delay > 0) {
      const timer = setTimeout(run, Math.min(delay, 0x7fff_ffff))
      return { cancel: () => clearTimeout(timer) }
    }
    const entry: { run: (() => void) | undefined } = { run }
    this.soon.push(entry)
    if (!this.scheduled) {
      this.scheduled = true
      setImmediate(() => this.drain())
    }
    return {
      cancel: () => {
        entry.run = undefined
      },
    }
  }

  private drain(): void {
    const end = performance.now() + this.slice
    let i = 0
    try {
      while (i < this.soon.length) {
        const run = this.soon[i++]?.run
        run?.()
        // Each time: one call may itself be a slice of something long.
        if (performance.now() > end) break
      }
    } finally {
      // A call that threw is not run again; the ones behind it are.
      this.soon = this.soon.slice(i)
      this.scheduled = this.soon.length > 0
      if (this.scheduled) setImmediate(() => this.drain())
    }
  }
}
