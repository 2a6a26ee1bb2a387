import { type Clock, VirtualClock } from '../base/clock.ts'

/** What did not happen in time, in the sandbox's time. */
export class SandboxTimeout extends Error {
  constructor(what: string, ms: number) {
    super(`timed out after ${ms} ms: ${what}`)
  }
}

/**
 * Moves a deployment along until something has happened. On virtual time it runs what is due and
 * jumps from one due moment to the next; on the wall clock it waits. This is the one place where
 * the callbacks of the parts become promises.
 */
export class Driver {
  constructor(readonly clock: Clock) {}

  /** Runs `start`, and resolves with what it gives to `done`, at most `limit` milliseconds later. */
  complete<T>(what: string, start: (done: (value: T) => void) => void, limit = 30_000): Promise<T> {
    return new Promise((resolve, reject) => {
      let over = false
      const deadline = this.clock.after(limit, () => {
        over = true
        reject(new SandboxTimeout(what, limit))
      })
      start((value) => {
        if (over) return
        over = true
        deadline.cancel()
        resolve(value)
      })
      this.pump(() => over)
    })
  }

  /** Resolves once `condition` holds, looking again whenever anything has happened. */
  until(what: string, condition: () => boolean, limit = 30_000): Promise<void> {
    if (condition()) return Promise.resolve()
    return this.complete<void>(
      what,
      (done) => {
        const look = () => {
          if (condition()) done()
          else this.clock.after(this.clock instanceof VirtualClock ? 1 : 5, look)
        }
        this.clock.after(0, look)
      },
      limit,
    )
  }

  /** Lets `ms` milliseconds pass: at once on virtual time. */
  async advance(ms: number): Promise<void> {
    if (this.clock instanceof VirtualClock) {
      this.clock.advance(ms)
      await Promise.resolve()
      return
    }
    await new Promise<void>((resolve) => {
      this.clock.after(ms, resolve)
    })
  }

  /** Runs all that is due at this moment. */
  async settle(): Promise<void> {
    if (this.clock instanceof VirtualClock) this.clock.settle()
    else await new Promise<void>((resolve) => this.clock.after(0, resolve))
  }

  private pump(over: () => boolean): void {
    const clock = this.clock
    if (!(clock instanceof VirtualClock)) return
    while (!over()) {
      const next = clock.next()
      // The deadline itself is due one day, so there is always a next moment until then.
      if (next === undefined) return
      if (next > clock.now()) clock.advance(next - clock.now())
      else clock.settle()
    }
  }
}
