import { createHash } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { errorText } from '../../io/errors.ts'
import { type JsonObject, printJson } from '../../jsonrpc/json.ts'
import {
  type DatabaseSchema,
  describeError,
  Failure,
  type OvsdbError,
  printSchema,
  type Row,
  readSchema,
} from '../schema/index.ts'
import type { Database, Delta, Steps, Work } from '../transaction/index.ts'
import { DiskSpeed } from './disk-speed.ts'
import type { FileSystem, LogFile } from './files.ts'
import { encodeRecord, type LogProblem, RecordEncoder, readRecord, recordHeader } from './log.ts'
import { ReadAhead } from './read-ahead.ts'
import { loadTransaction, type RecordOptions, shortTransaction, writeEverything, writeTransaction } from './record.ts'
import type { Storage } from './storage.ts'

/**
 * `differences`: `--disable-file-column-diff` turns them off. `pieceSize`: about how many characters of a record
 * are made, and written, before others are served; 1 Mi unless given.
 */
export interface FileStorageOptions extends RecordOptions {
  readonly files: FileSystem
  readonly clock: Clock
  readonly log: Log
}

/** Automatic compaction: not below this size, in bytes, nor before the log has doubled. */
const COMPACT_SIZE = 10 << 20
/** Nor sooner after the last than this, in milliseconds. */
const COMPACT_PAUSE = 60_000
/** How long compaction may hold up the server at a time, in milliseconds. */
const SLICE = 5

export interface OpenedFile {
  readonly schema: DatabaseSchema
  readonly storage: FileStorage
}

/** Makes a new database file. A text says why it could not. */
export function createFile(files: FileSystem, path: string, schema: DatabaseSchema): string | undefined {
  try {
    const file = files.open(path, 'create')
    file.write(0, encodeRecord(printJson(printSchema(schema))))
    file.syncNow()
    file.close()
    files.syncDirectory(path)
    return undefined
  } catch (e) {
    return `${path}: create failed (${errorText(e)})`
  }
}

/** Opens a database file for writing. */
export function openFile(path: string, options: FileStorageOptions): Result<OpenedFile> {
  const { files } = options
  const lock = files.lock(path)
  if (typeof lock === 'string') return err(`I/O error: ${path}: failed to lock lockfile (${lock})`)
  let file: LogFile
  try {
    file = files.open(path, 'write')
  } catch (e) {
    lock.release()
    return err(`I/O error: ${path}: open failed (${errorText(e)})`)
  }
  const refuse = (message: string) => {
    file.close()
    lock.release()
    return err(message)
  }
  const first = readRecord(file, path, 0)
  if (!first.ok) return refuse(describeProblem(first.error))
  try {
    const schema = readSchema(first.value.json)
    return ok({ schema, storage: new FileStorage(path, file, first.value.end, lock, options) })
  } catch (e) {
    if (!(e instanceof Failure)) throw e
    return refuse(`${path}: ${describeError(e.error)}`)
  }
}

export function describeProblem(problem: LogProblem): string {
  return problem.kind === 'corrupt'
    ? `${problem.message}: the log is corrupt at offset ${problem.offset}, nothing was changed`
    : `ovsdb error: ${problem.message}`
}

/** A database in a log file (ovsdb(5)). */
export class FileStorage implements Storage {
  private readonly log: Log
  private readonly disk = new DiskSpeed()
  /** A sync is under way, or is about to begin. */
  private syncing = false
  /** Those for whom the sync under way is, and those for whom the next will be. */
  private served: ((error?: OvsdbError) => void)[] = []
  private waiting: ((error?: OvsdbError) => void)[] = []
  private snapshotSize: number
  private compactedAt: number
  /** Gives up the compaction that is under way. */
  private giveUp: ((why: string) => void) | undefined
  /** Transactions since the snapshot that a compaction under way writes. */
  private sinceSnapshot: Uint8Array[] | undefined
  /** Part of a record is in the log: it must not be exchanged for another. */
  private appending = false
  private afterAppend: (() => void) | undefined
  /** Why nothing more can be written, or not be called durable. */
  private broken: OvsdbError | undefined
  /** The log of which nobody knows what is on the disk. */
  private unsynced: LogFile | undefined
  private closed = false
  private tables: Database['tables'] = new Map()

  constructor(
    readonly name: string,
    private file: LogFile,
    private end: number,
    private readonly lock: { release(): void },
    private readonly options: FileStorageOptions,
  ) {
    this.log = options.log.child('ovsdb_file')
    this.snapshotSize = end
    this.compactedAt = options.clock.monotonic()
  }

  /** Bytes of the log. */
  get size(): number {
    return this.end
  }

  load(database: Database): Result<void> {
    this.tables = database.tables
    const log = new ReadAhead(this.file)
    let first = true
    while (this.end < log.size) {
      const record = readRecord(log, this.name, this.end)
      if (!record.ok) {
        if (record.error.kind !== 'torn') return err(describeProblem(record.error))
        const lost = log.size - this.end
        this.log.warn(
          `${record.error.message}: log ends in an incomplete record, discarding ${lost} bytes at offset ${this.end}`,
          { code: 'torn-log', offset: this.end },
        )
        this.file.truncate(this.end)
        break
      }
      try {
        loadTransaction(database, record.value.json)
      } catch (e) {
        if (!(e instanceof Failure)) throw e
        return err(`${this.name}: record at offset ${this.end}: ${describeError(e.error)}`)
      }
      this.end = record.value.end
      if (first) this.snapshotSize = this.end
      first = false
    }
    database.loaded()
    return ok(undefined)
  }

  append(delta: Delta, date: number): Work<OvsdbError | undefined> {
    if (this.broken && !this.mend()) return this.broken
    const text = shortTransaction(this.tables, delta, date, this.options)
    if (text === undefined) return this.appendInSteps(delta, date)
    if (!text) return undefined
    if (this.closed) return this.closedError()
    const record = encodeRecord(text)
    try {
      this.file.write(this.end, record)
    } catch (e) {
      return this.writeFailed(e)
    }
    this.end += record.length
    this.sinceSnapshot?.push(record)
    return undefined
  }

  private *appendInSteps(delta: Delta, date: number): Steps<OvsdbError | undefined> {
    const record = new RecordEncoder()
    let first = true
    for (const piece of writeTransaction(this.tables, delta, date, this.options)) {
      if (!first) yield
      first = false
      record.add(piece)
    }
    const parts = record.finish()
    this.appending = true
    const failed = yield* this.write(parts)
    this.appending = false
    if (failed === undefined) this.sinceSnapshot?.push(...parts)
    const { afterAppend } = this
    this.afterAppend = undefined
    if (afterAppend) this.options.clock.after(0, afterAppend)
    return failed
  }

  /** Writes a record at the end of the log; one that does not fit leaves the log as it was. */
  private *write(parts: readonly Uint8Array[]): Steps<OvsdbError | undefined> {
    let at = this.end
    try {
      for (const part of parts) {
        if (at > this.end) yield
        if (this.closed) return this.closedError()
        this.file.write(at, part)
        at += part.length
      }
    } catch (e) {
      return this.writeFailed(e)
    }
    this.end = at
    return undefined
  }

  /** Cuts off what was written of a record; says why it was not written. */
  private writeFailed(e: unknown): OvsdbError {
    const failed = this.failure('write failed', e)
    try {
      this.file.truncate(this.end)
    } catch (again) {
      this.broken = this.truncateFailed(again)
    }
    return failed
  }

  private truncateFailed(e: unknown): OvsdbError {
    return this.failure(`cannot truncate to length ${this.end}`, e)
  }

  /** Tries to cut off what is left of a record; whether the log can be written to again. */
  private mend(): boolean {
    if (this.unsynced === this.file) return false
    try {
      this.file.truncate(this.end)
      this.broken = undefined
      return true
    } catch (e) {
      this.broken = this.truncateFailed(e)
      return false
    }
  }

  /** The error of a call of the system, logged. */
  private failure(what: string, e: unknown): OvsdbError {
    const error = { error: 'I/O error', details: `${this.name}: ${what}`, io: errorText(e) }
    this.log.err(described(error), { code: 'write-failed' })
    return error
  }

  private closedError(): OvsdbError {
    return { error: 'I/O error', details: `${this.name}: database closed` }
  }

  sync(done: (error?: OvsdbError) => void): void {
    this.waiting.push(done)
    if (this.syncing) return
    const { clock } = this.options
    if (!this.disk.isFast(clock.monotonic())) {
      this.startSync()
      return
    }
    // First all is read that has come in: who else wants a sync shares it.
    this.syncing = true
    clock.after(0, () => {
      this.syncing = false
      if (this.waiting.length) this.startSync()
    })
  }

  /** One sync for all who wait; those who come meanwhile share the next. */
  private startSync(): void {
    const waiting = this.waiting
    this.waiting = []
    const { file } = this
    if (file === this.unsynced) {
      // The system tells of a failure once: the next sync of the same file would seem to succeed.
      for (const done of waiting) done(this.broken)
      return
    }
    this.served = waiting
    this.syncing = true
    const { clock } = this.options
    const start = clock.monotonic()
    const ended = (e?: Error) => {
      const now = clock.monotonic()
      this.disk.synced(now - start, now)
      this.synced(file, e)
    }
    // A thread is worth its while when there are others to be served meanwhile.
    if (waiting.length > 1 || !this.disk.isFast(start)) {
      file.sync(ended)
      return
    }
    let failed: Error | undefined
    try {
      file.syncNow()
    } catch (e) {
      failed = e instanceof Error ? e : new Error(errorText(e))
    }
    ended(failed)
  }

  private synced(file: LogFile, e: Error | undefined): void {
    this.syncing = false
    // After a failed sync nobody knows what is on the disk: go on only with a new file.
    if (e && file === this.file) {
      this.broken = this.failure('fsync failed', e)
      this.unsynced = file
    }
    const { served } = this
    this.served = []
    for (const done of served) done(e ? this.broken : undefined)
    if (this.waiting.length && !this.syncing) this.startSync()
  }

  committed(database: Database): void {
    if (this.giveUp || this.end < COMPACT_SIZE || this.end < 2 * this.snapshotSize) return
    if (this.options.clock.monotonic() - this.compactedAt < COMPACT_PAUSE) return
    this.compact(database, (error) => {
      if (error !== undefined) this.log.warn(`${this.name}: compaction failed: ${error}`, { code: 'compaction-failed' })
    })
  }

  private get temporary(): string {
    return `${this.options.files.resolve(this.name)}.tmp`
  }

  rewrite(database: Database, comment = 'compacting database online'): string | undefined {
    this.giveUp?.('the database is written anew')
    const note = { date: this.options.clock.now(), comment }
    let writer: Snapshot | undefined
    try {
      writer = new Snapshot(this.options.files, this.temporary, database, snapshot(database), note)
      while (!writer.step());
      const failed = this.adopt(writer.finish([]), writer.size)
      if (failed === undefined) this.tables = database.tables
      return failed
    } catch (e) {
      writer?.abandon()
      return `${this.name}: rewrite failed (${errorText(e)})`
    }
  }

  private comment() {
    return { date: this.options.clock.now(), comment: 'compacting database online' }
  }

  compact(database: Database, done: (error?: string) => void): void {
    if (this.giveUp) {
      done('compaction is already under way')
      return
    }
    this.sinceSnapshot = []
    const start = this.options.clock.monotonic()
    let ended = false
    const end = (error?: string) => {
      ended = true
      this.giveUp = undefined
      this.sinceSnapshot = undefined
      this.compactedAt = this.options.clock.monotonic()
      if (error === undefined) {
        const ms = Math.round(this.compactedAt - start)
        this.log.info(`${this.name}: compacted to ${this.end} bytes in ${ms}ms`)
      }
      done(error)
    }
    let writer: Snapshot
    try {
      writer = new Snapshot(this.options.files, this.temporary, database, snapshot(database), this.comment())
    } catch (e) {
      end(errorText(e))
      return
    }
    this.giveUp = (why) => {
      writer.abandon()
      end(why)
    }
    const change = (e?: Error) => {
      if (ended) return
      if (this.appending && !e) {
        this.afterAppend = () => change()
        return
      }
      try {
        if (e) throw e
        if (this.closed) throw new Error('database closed')
        end(this.adopt(writer.finish(this.sinceSnapshot ?? []), writer.size))
      } catch (error) {
        writer.abandon()
        end(errorText(error))
      }
    }
    const slice = () => {
      if (ended) return
      try {
        if (this.closed) throw new Error('database closed')
        const until = this.options.clock.monotonic() + SLICE
        while (!writer.step()) {
          if (this.options.clock.monotonic() < until) continue
          this.options.clock.after(0, slice)
          return
        }
        // The bulk is synced while transactions go on; what came meanwhile is little.
        writer.sync(change)
      } catch (e) {
        writer.abandon()
        end(errorText(e))
      }
    }
    this.options.clock.after(0, slice)
  }

  /**
   * Puts a new log, synced, in the place of the old. Once it has the old one's name it is the log; a text
   * says that a crash of the machine may bring the old one back, so that nothing more can be made durable.
   */
  private adopt(file: LogFile, size: number): string | undefined {
    const { files } = this.options
    const path = files.resolve(this.name)
    files.rename(this.temporary, path)
    let failed: OvsdbError | undefined
    try {
      files.syncDirectory(path)
    } catch (e) {
      failed = this.failure('fsync of its directory failed', e)
    }
    const old = this.file
    this.file = file
    this.end = size
    this.snapshotSize = size
    this.broken = failed
    this.unsynced = failed ? file : undefined
    // A sync of the old file may still be under way.
    if (this.syncing) this.options.clock.after(10_000, () => closeQuietly(old))
    else closeQuietly(old)
    return failed && described(failed)
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    // At once: the next who opens the database may compact it, in a file of the same name.
    this.giveUp?.('database closed')
    try {
      if (this.appending) this.file.truncate(this.end)
      this.file.syncNow()
    } catch (e) {
      this.broken = this.failure('fsync failed', e)
      this.unsynced = this.file
    }
    this.file.close()
    this.lock.release()
    // The sync under way may find the file closed: it is this one that counts.
    const waiting = [...this.served, ...this.waiting]
    this.served = []
    this.waiting = []
    for (const done of waiting) done(this.file === this.unsynced ? this.broken : undefined)
  }
}

/** Closes a file of which nothing is wanted any more. */
function closeQuietly(file: LogFile): void {
  try {
    file.close()
  } catch {
    // The system has let go of it all the same.
  }
}

/** An I/O error without these words. */
function described({ details, io }: OvsdbError): string {
  return `${details} (${io})`
}

/** What a log must hold in the place of all records so far. */
function snapshot(database: Database): ReadonlyMap<string, readonly Row[]> {
  return new Map([...database.tables].map(([name, table]) => [name, table.rows.logged()]))
}

/** Writes a database to a file of its own, whatever was there. Throws the system's errors. */
export function writeFile(
  files: FileSystem,
  path: string,
  database: Database,
  note: { readonly date: number; readonly comment: string },
): void {
  const temporary = `${files.resolve(path)}.tmp`
  const writer = new Snapshot(files, temporary, database, snapshot(database), note)
  while (!writer.step());
  writer.finish([]).close()
  files.rename(temporary, files.resolve(path))
  files.syncDirectory(path)
}

/** Writes a new log beside the old: the schema, and all rows in one record. */
class Snapshot {
  size = 0
  private readonly file: LogFile
  private measured = 0
  private readonly hash = createHash('sha1')
  private pieces: Generator<string>
  private pass: 'measure' | 'write' = 'measure'
  private closed = false

  constructor(
    private readonly files: FileSystem,
    private readonly path: string,
    private readonly database: Database,
    private readonly rows: ReadonlyMap<string, readonly Row[]>,
    private readonly note: { readonly date: number; readonly comment: string },
  ) {
    this.file = files.open(path, 'replace')
    try {
      this.put(encodeRecord(printJson(printSchema(database.schema) as JsonObject)))
    } catch (e) {
      this.abandon()
      throw e
    }
    this.pieces = this.generate()
  }

  private generate(): Generator<string> {
    return writeEverything(this.database, this.rows, this.note.date, this.note.comment)
  }

  private put(bytes: Uint8Array): void {
    this.file.write(this.size, bytes)
    this.size += bytes.length
  }

  /**
   * Goes one piece further; true when all is written. The length and hash come first in a record,
   * so the text is made twice rather than kept.
   */
  step(): boolean {
    const next = this.pieces.next()
    if (!next.done) {
      const bytes = Buffer.from(next.value)
      if (this.pass === 'write') this.put(bytes)
      else {
        this.hash.update(bytes)
        this.measured += bytes.length
      }
      return false
    }
    if (this.pass === 'write') return true
    this.pass = 'write'
    this.put(Buffer.from(recordHeader(this.measured, this.hash.digest('hex'))))
    this.pieces = this.generate()
    return false
  }

  sync(done: (error?: Error) => void): void {
    this.file.sync(done)
  }

  /** Adds what was committed meanwhile; returns the file, synced. */
  finish(records: readonly Uint8Array[]): LogFile {
    for (const record of records) this.put(record)
    this.file.syncNow()
    return this.file
  }

  abandon(): void {
    if (this.closed) return
    this.closed = true
    closeQuietly(this.file)
    try {
      this.files.remove(this.path)
    } catch {
      // It is only in the way.
    }
  }
}
