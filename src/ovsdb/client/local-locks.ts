import { Locks } from '../server/locks.ts'
import type { Database } from '../transaction/database.ts'

const known = new WeakMap<Database, Locks>()

/** The locks that the programs of this process share for a database that no server serves. */
export function locksOf(database: Database): Locks {
  let locks = known.get(database)
  if (!locks) {
    locks = new Locks()
    known.set(database, locks)
  }
  return locks
}
