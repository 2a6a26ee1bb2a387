import type { Result } from '../../base/result.ts'
import { ok } from '../../base/result.ts'
import type { Database, Journal } from '../transaction/index.ts'

/** Where a database lives when no process has it. */
export interface Storage extends Journal {
  /** As `get-db-storage-status` and messages name it: a file's path. */
  readonly name: string
  /** Puts the stored rows into a fresh database of the stored schema. */
  load(database: Database): Result<void>
  /** Told after each commit: time to think of compaction. */
  committed(database: Database): void
  /** Writes everything anew: after a change of schema, or to be smaller. A text says why it could not. */
  rewrite(database: Database): string | undefined
  /** Compacts without keeping the server from its work. */
  compact(database: Database, done: (error?: string) => void): void
  close(): void
}

/** A storage that forgets: for the sandbox, where nothing is to outlive the process. */
export class MemoryStorage implements Storage {
  readonly name = 'memory'

  constructor(private readonly later: (run: () => void) => void) {}

  load(): Result<void> {
    return ok(undefined)
  }
  append(): undefined {}
  sync(done: () => void): void {
    this.later(() => done())
  }
  committed(): void {}
  rewrite(): string | undefined {
    return undefined
  }
  compact(_database: Database, done: (error?: string) => void): void {
    this.later(() => done())
  }
  close(): void {}
}
