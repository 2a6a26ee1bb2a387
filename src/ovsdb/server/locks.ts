/** One who waits for a lock, or has it. */
export interface LockHolder {
  /** `locked` or `stolen` (RFC 7047 §4.1.9, §4.1.10). */
  notify(method: 'locked' | 'stolen', lock: string): void
}

/** The locks of a server (RFC 7047 §4.1.8): for each name those who want it, the owner first. */
export class Locks {
  private readonly queues = new Map<string, LockHolder[]>()
  /** What each of them wants or has. */
  private readonly wanted = new Map<LockHolder, Set<string>>()
  /** Called before a lock leaves its owner. */
  beforeHandOver: ((lock: string) => void) | undefined

  owner(lock: string): LockHolder | undefined {
    return this.queues.get(lock)?.[0]
  }

  wants(lock: string, holder: LockHolder): boolean {
    return this.wanted.get(holder)?.has(lock) ?? false
  }

  /** How many locks somebody wants or has. */
  count(holder: LockHolder): number {
    return this.wanted.get(holder)?.size ?? 0
  }

  private want(lock: string, holder: LockHolder): void {
    const locks = this.wanted.get(holder)
    if (locks) locks.add(lock)
    else this.wanted.set(holder, new Set([lock]))
  }

  /** Asks for a lock; returns whether it is had at once. */
  lock(lock: string, holder: LockHolder): boolean {
    this.want(lock, holder)
    const queue = this.queues.get(lock)
    if (!queue) {
      this.queues.set(lock, [holder])
      return true
    }
    queue.push(holder)
    return false
  }

  /** Takes a lock from whoever has it. */
  steal(lock: string, holder: LockHolder): void {
    this.want(lock, holder)
    const queue = this.queues.get(lock)
    if (!queue) {
      this.queues.set(lock, [holder])
      return
    }
    const victim = queue[0]
    this.beforeHandOver?.(lock)
    queue.unshift(holder)
    victim?.notify('stolen', lock)
  }

  unlock(lock: string, holder: LockHolder): void {
    const queue = this.queues.get(lock)
    if (!queue) return
    const at = queue.indexOf(holder)
    if (at < 0) return
    if (at === 0) this.beforeHandOver?.(lock)
    queue.splice(at, 1)
    this.wanted.get(holder)?.delete(lock)
    if (!queue.length) this.queues.delete(lock)
    else if (at === 0) queue[0]?.notify('locked', lock)
  }

  /** Gives up everything a holder wants. */
  release(holder: LockHolder): void {
    for (const lock of this.wanted.get(holder) ?? []) this.unlock(lock, holder)
    this.wanted.delete(holder)
  }
}
