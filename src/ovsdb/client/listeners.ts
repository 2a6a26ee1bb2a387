/** Functions to be called when something happens. One may leave while they are being called. */
export class Listeners<A extends readonly unknown[]> {
  private readonly set = new Set<(...args: A) => void>()

  add(listener: (...args: A) => void): () => void {
    // a wrapper of its own, so that the same function can be added twice
    const own = (...args: A) => listener(...args)
    this.set.add(own)
    return () => this.set.delete(own)
  }

  call(...args: A): void {
    for (const listener of [...this.set]) if (this.set.has(listener)) listener(...args)
  }

  clear(): void {
    this.set.clear()
  }
}
