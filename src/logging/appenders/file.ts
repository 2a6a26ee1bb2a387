import { closeSync, constants, fstatSync, mkdirSync, openSync, statSync, write, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { errorText } from '../../io/errors.ts'
import type { Appender, LogEvent } from '../event.ts'
import { Trouble } from './trouble.ts'

export interface FileOptions {
  readonly path: string
  /** Bytes that may wait for a slow disk; lines beyond are dropped and counted. */
  readonly limit?: number
  /** Permission bits of a new file. */
  readonly mode?: number
  /** Begins with an empty file. */
  readonly truncate?: boolean
  /** Opens the file only when the first line comes. */
  readonly delay?: boolean
  /** Opens the file anew when another one, or none, is found at its path: after a rotation by rename. */
  readonly watch?: boolean
  /** What is put behind each line; a line feed when nothing is said. */
  readonly end?: string
  /** Makes the folders that the file is to be in. */
  readonly createFolders?: boolean
  /** A file that could not be opened is tried again after so long, milliseconds of the events' time; 1000. */
  readonly retry?: number
  /** Called when trouble begins, not for each line of it; and when it is over. */
  readonly onTrouble?: ((message: string) => void) | undefined
}

/** A write under way in another thread. */
interface Write {
  readonly buffer: Buffer
  /** What is written of it. */
  from: number
  /** Bytes of the file when all is written. */
  readonly end: number
  /** Seen to be done, before its callback had a turn. */
  settled: boolean
}

/** An open file, with what is still to be written to it. */
interface Opened {
  readonly fd: number
  readonly device: number
  readonly inode: number
  waiting: string[]
  /** Bytes in `waiting`. */
  bytes: number
  /** Bytes of the file, as far as we know: others may write to it, too. */
  written: number
  writing: Write | undefined
  /** Writes whose callback has had no turn: until then the descriptor is theirs. */
  underWay: number
  scheduled: boolean
  /** To be closed when all is written. */
  leaving: boolean
  /** Its number may be another file's by now. */
  closed: boolean
}

/** A watched file is looked at again after so long, milliseconds of the events' time, and whenever none waits. */
const LOOK = 50

/** Bytes that a caller who never yields may leave waiting before they are written at once. */
const BURST = 1024 * 1024

/** A full pipe is tried again after so long, milliseconds. */
const AGAIN = 20

/** How long the end of the program waits for the last write under way, milliseconds. */
const PATIENCE = 1000

/**
 * A file that lines are appended to, without the event loop waiting for the disk: lines of one turn of
 * the loop, or of one write under way, go out together.
 */
export class FileAppender implements Appender {
  private file: Opened | undefined
  /** Files left for another one, with something still to be written. */
  private readonly left = new Set<Opened>()
  private readonly trouble: Trouble
  /** Of the last line. */
  private time = 0
  /** The last write went well. */
  private well = false
  private tried = Number.NEGATIVE_INFINITY
  private looked = 0
  /** Bytes of the file, those included that wait to be written. */
  private length = 0
  private closed = false
  private started = false
  private readonly limit: number
  readonly path: string
  private readonly end: string

  constructor(private readonly options: FileOptions) {
    this.path = options.path
    this.end = options.end ?? '\n'
    this.limit = options.limit ?? 16 * 1024 * 1024
    this.trouble = new Trouble(options.onTrouble, {
      begins: (reason) => `${options.path}: cannot write log: ${reason}`,
      ends: (lost) => `${options.path}: log written again, ${lost} lines lost`,
    })
    if (!options.delay) this.open()
  }

  get size(): number {
    return this.length
  }

  /** Undefined when the file is open, or why it is not. */
  open(): string | undefined {
    try {
      this.take(this.openPath())
      return undefined
    } catch (e) {
      this.file = undefined
      this.length = 0
      this.well = false
      const error = errorText(e)
      this.trouble.begin(error, this.time)
      return error
    }
  }

  /** Throws where it cannot be opened. */
  private openPath(): Opened {
    const { O_APPEND, O_CREAT, O_NONBLOCK, O_TRUNC, O_WRONLY } = constants
    // A pipe is never waited for: neither until somebody reads it, nor while nobody does (open(2), fifo(7)).
    const flags = O_WRONLY | O_CREAT | O_NONBLOCK | (this.options.truncate && !this.started ? O_TRUNC : O_APPEND)
    if (this.options.createFolders) mkdirSync(dirname(this.options.path), { recursive: true })
    const fd = openSync(this.options.path, flags, this.options.mode ?? 0o640)
    const stat = fstatSync(fd)
    return {
      ...{ fd, device: stat.dev, inode: stat.ino, waiting: [], bytes: 0, written: stat.size },
      ...{ writing: undefined, underWay: 0, scheduled: false, leaving: false, closed: false },
    }
  }

  private take(file: Opened): void {
    this.file = file
    this.length = file.written
    this.started = true
  }

  /**
   * Opens what is at the path by now, beside the file in use. Undefined when it is the same; an error leaves the old
   * one in use; else `exchange` puts it in the place of the old one, if there is one.
   */
  renew(): { readonly error: string } | { readonly first: boolean; readonly exchange: () => void } | undefined {
    let next: Opened
    try {
      next = this.openPath()
    } catch (e) {
      return { error: errorText(e) }
    }
    const { file } = this
    if (file && file.device === next.device && file.inode === next.inode) {
      this.closeFd(next)
      return undefined
    }
    const exchange = () => {
      this.closed = false
      this.leave()
      this.take(next)
    }
    return { first: file === undefined, exchange }
  }

  append(line: string, event?: LogEvent): void {
    if (this.closed) return
    this.time = event?.time ?? 0
    if (this.options.watch) this.watch(this.time)
    if (!this.file) this.retry(this.time)
    const file = this.file
    const size = Buffer.byteLength(line) + this.end.length
    if (!file || file.bytes + size > this.limit) {
      this.trouble.lose(1, this.time)
      if (file) this.trouble.begin('the disk is too slow', this.time)
      return
    }
    file.waiting.push(line)
    file.bytes += size
    this.length += size
    if (file.bytes >= BURST && this.idle(file)) this.drain(file)
    else if (!file.writing && !file.scheduled) this.schedule(file)
  }

  private schedule(file: Opened): void {
    file.scheduled = true
    setImmediate(() => {
      file.scheduled = false
      if (!file.writing) this.next(file)
    })
  }

  private retry(time: number): void {
    if (time - this.tried < (this.options.retry ?? 1000) && time >= this.tried) return
    this.tried = time
    this.open()
  }

  /** Lines that are written together are in one file, so that one look will do for them. */
  private watch(time: number): void {
    if (!this.file || (this.file.waiting.length && Math.abs(time - this.looked) < LOOK)) return
    this.looked = time
    try {
      const stat = statSync(this.path)
      if (stat.dev === this.file.device && stat.ino === this.file.inode) return
    } catch {
      // Gone: a new one is made.
    }
    this.reopen()
  }

  private collect(file: Opened): Buffer {
    const buffer = Buffer.from(file.waiting.join(this.end) + this.end)
    file.waiting = []
    file.bytes = 0
    return buffer
  }

  private next(file: Opened): void {
    if (file.closed) return
    if (file.waiting.length) {
      const buffer = this.collect(file)
      file.writing = { buffer, from: 0, end: file.written + buffer.length, settled: false }
      this.send(file, file.writing)
    } else if (file.leaving && !file.underWay) this.closeFd(file)
  }

  private send(file: Opened, w: Write): void {
    file.underWay++
    this.put(file, w)
  }

  private put(file: Opened, w: Write): void {
    write(file.fd, w.buffer, w.from, w.buffer.length - w.from, null, (error, written) => {
      if (isFull(error) && !file.closed) {
        setTimeout(() => this.put(file, w), AGAIN).unref()
        return
      }
      file.underWay--
      if (!error) {
        w.from += written
        file.written += w.settled ? 0 : written
        if (w.from < w.buffer.length && !file.closed) {
          this.send(file, w)
          return
        }
      }
      // A full disk: these lines are lost, the next ones are tried again.
      if (error) this.lost(file, w.buffer.subarray(w.from), error)
      else this.recovered()
      if (file.writing === w) file.writing = undefined
      if (!file.writing) this.next(file)
    })
  }

  /**
   * Whether no write is under way. One whose callback had no turn yet is over when the file has grown by it: then
   * what waits can follow it, in order. Where others write to the file too, that is a guess, by which no line is lost.
   */
  private idle(file: Opened): boolean {
    const w = file.writing
    if (!w) return true
    try {
      if (fstatSync(file.fd).size < w.end) return false
    } catch {
      return false
    }
    w.settled = true
    file.written = w.end
    file.writing = undefined
    return true
  }

  private lost(file: Opened, bytes: Uint8Array, error: unknown): void {
    if (file === this.file) this.well = false
    let lines = 0
    for (const b of bytes) if (b === 10) lines++
    this.trouble.lose(lines, this.time)
    this.trouble.begin(errorText(error), this.time)
  }

  /** Opens the file at the path again; one that was closed, too. */
  reopen(): void {
    this.closed = false
    this.leave()
    this.open()
  }

  /** Lets go of the file: what waits is written to it, wherever it is moved meanwhile. */
  leave(): void {
    const file = this.file
    if (!file) return
    this.file = undefined
    file.leaving = true
    if (!file.writing) this.drain(file)
    if (file.underWay) this.left.add(file)
    else this.closeFd(file)
  }

  /** What waits is written before this returns, behind a write that may be under way. */
  flush(): void {
    for (const file of this.file ? [...this.left, this.file] : this.left) {
      const until = performance.now() + PATIENCE
      while (file.waiting.length && !this.idle(file) && performance.now() < until) pause()
      // Whatever became of the write under way, the program's end waits for it: no line is lost, none is there twice.
      this.drain(file)
    }
  }

  private drain(file: Opened): void {
    if (!file.waiting.length || file.closed) return
    const buffer = this.collect(file)
    let from = 0
    const until = performance.now() + PATIENCE
    while (from < buffer.length) {
      try {
        from += writeSync(file.fd, buffer, from)
        if (from === buffer.length) this.recovered()
      } catch (e) {
        if (isFull(e) && performance.now() < until) pause()
        else {
          this.lost(file, buffer.subarray(from), e)
          break
        }
      }
    }
    file.written += from
  }

  release(): void {
    this.close()
  }

  close(): void {
    this.closed = true
    this.leave()
  }

  private closeFd(file: Opened): void {
    if (file.closed) return
    file.closed = true
    if (this.left.delete(file) && this.well) this.recovered()
    try {
      closeSync(file.fd)
    } catch {
      // closed underneath: nothing of ours is left open
    }
  }

  /** A write went well. What a file left for another one may still lose belongs to the same trouble. */
  private recovered(): void {
    if (!this.file && !this.closed) return
    this.well = true
    if (this.left.size === 0) this.trouble.end(this.time)
  }
}

/** Whether the reader of a pipe has to read before more can be written (write(2)). */
function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN'
}

const bell = new Int32Array(new SharedArrayBuffer(4))

/** Gives the writing threads a millisecond. */
function pause(): void {
  Atomics.wait(bell, 0, 0, 1)
}
