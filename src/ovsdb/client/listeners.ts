import type { Clock } from '../../base/clock.ts'

/**
 * Functions to be called when something happens. One may leave while they are being called. One that
 * throws keeps neither the others nor the caller from going on: its exception comes out of the clock, soon,
 * where nobody can take it for one of ours.
 */
export class Listeners<A extends readonly unknown[]> {
  private readonly set = new Set<(...args: A) => void>()

  constructor(private readonly clock: Clock) {}

  add(listener: (...args: A) => void): () => void {
    // a wrapper of its own, so that the same function can be added twice
    const own = (...args: A) => listener(...args)
    this.set.add(own)
    return () => this.set.delete(own)
  }

  call(...args: A): void {
    for (const listener of [...this.set]) if (this.set.has(listener)) this.callOne(listener, args)
  }

  private callOne(listener: (...args: A) => void, args: A): void {
    try {
      listener(...args)
    } catch (e) {
      this.clock.after(0, () => {
        throw e
      })
    }
  }

  clear(): void {
    this.set.clear()
  }
}
