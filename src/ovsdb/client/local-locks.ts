import type { Database } from '../transaction/database.ts'

/** Who holds locks and who waits for them (RFC 7047 §4.1.8). */
export interface LockQueue {
  /** Waits for a lock; `tell` hears when it is ours and when no longer. Returns how to leave. */
  join(name: string, tell: (owned: boolean) => void): () => void
}

/** Locks of the programs of one process: first come, first served. */
export class LocalLocks implements LockQueue {
  private readonly queues = new Map<string, ((owned: boolean) => void)[]>()

  join(name: string, tell: (owned: boolean) => void): () => void {
    const own = (owned: boolean) => tell(owned)
    let queue = this.queues.get(name)
    if (!queue) {
      queue = []
      this.queues.set(name, queue)
    }
    queue.push(own)
    if (queue.length === 1) own(true)
    return () => this.leave(name, own)
  }

  private leave(name: string, own: (owned: boolean) => void): void {
    const queue = this.queues.get(name) ?? []
    const at = queue.indexOf(own)
    if (at < 0) return
    queue.splice(at, 1)
    if (!queue.length) this.queues.delete(name)
    else if (at === 0) queue[0]?.(true)
  }
}

const known = new WeakMap<Database, LocalLocks>()

/** The locks that the programs of this process share for a database. */
export function locksOf(database: Database): LocalLocks {
  let locks = known.get(database)
  if (!locks) {
    locks = new LocalLocks()
    known.set(database, locks)
  }
  return locks
}
