import { closeSync, fstatSync, openSync, statSync, write, writeSync } from 'node:fs'
import { errorText } from '../../io/errors.ts'
import type { Appender, LogEvent } from '../event.ts'

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
  /** Called when trouble begins, not for each line of it; and when it is over. */
  readonly onTrouble?: ((message: string) => void) | undefined
}

/** An open file, with what is still to be written to it. */
interface Opened {
  readonly fd: number
  readonly device: number
  readonly inode: number
  waiting: string[]
  /** Bytes in `waiting`. */
  bytes: number
  /** A write is under way. */
  writing: boolean
  scheduled: boolean
  /** To be closed when all is written. */
  leaving: boolean
  /** Its number may be another file's by now. */
  closed: boolean
}

/** A file that could not be opened is tried again after so long, milliseconds of the events' time. */
const RETRY = 1000

/**
 * A file that lines are appended to, without the event loop waiting for the disk: lines of one turn of
 * the loop, or of one write under way, go out together.
 */
export class FileAppender implements Appender {
  private file: Opened | undefined
  private dropped = 0
  private troubled = false
  private tried = Number.NEGATIVE_INFINITY
  /** Bytes of the file, those included that wait to be written. */
  private length = 0
  private closed = false
  private started = false
  readonly path: string

  constructor(private readonly options: FileOptions) {
    this.path = options.path
    if (!options.delay) this.open()
  }

  get size(): number {
    return this.length
  }

  /** Undefined when the file is open, or why it is not. */
  open(): string | undefined {
    try {
      const flags = this.options.truncate && !this.started ? 'w' : 'a'
      const fd = openSync(this.options.path, flags, this.options.mode ?? 0o640)
      const stat = fstatSync(fd)
      this.file = {
        ...{ fd, device: stat.dev, inode: stat.ino, waiting: [], bytes: 0 },
        ...{ writing: false, scheduled: false, leaving: false, closed: false },
      }
      this.length = stat.size
      this.started = true
      return undefined
    } catch (e) {
      this.file = undefined
      const error = errorText(e)
      this.trouble(error)
      return error
    }
  }

  append(line: string, event?: LogEvent): void {
    if (this.closed) return
    if (this.options.watch) this.look()
    if (!this.file) this.retry(event?.time ?? 0)
    const file = this.file
    const size = Buffer.byteLength(line) + 1
    if (!file || file.bytes + size > (this.options.limit ?? 16 * 1024 * 1024)) {
      this.dropped++
      return
    }
    file.waiting.push(line)
    file.bytes += size
    this.length += size
    if (file.writing || file.scheduled) return
    file.scheduled = true
    setImmediate(() => {
      file.scheduled = false
      if (!file.writing) this.next(file)
    })
  }

  private retry(time: number): void {
    if (time - this.tried < RETRY && time >= this.tried) return
    this.tried = time
    if (this.open() === undefined) this.recovered()
  }

  private look(): void {
    if (!this.file) return
    try {
      const stat = statSync(this.path)
      if (stat.dev === this.file.device && stat.ino === this.file.inode) return
    } catch {
      // Gone: a new one is made.
    }
    this.reopen()
  }

  private take(file: Opened): Buffer {
    const buffer = Buffer.from(`${file.waiting.join('\n')}\n`)
    file.waiting = []
    file.bytes = 0
    return buffer
  }

  private next(file: Opened): void {
    if (file.waiting.length) {
      file.writing = true
      this.send(file, this.take(file), 0)
    } else if (file.leaving) this.closeFd(file)
  }

  private send(file: Opened, buffer: Buffer, from: number): void {
    write(file.fd, buffer, from, buffer.length - from, null, (error, written) => {
      if (!error && from + written < buffer.length) {
        this.send(file, buffer, from + written)
        return
      }
      file.writing = false
      // A full disk: these lines are lost, the next ones are tried again.
      if (error) this.lost(buffer.subarray(from), error)
      else this.recovered()
      this.next(file)
    })
  }

  private lost(bytes: Uint8Array, error: unknown): void {
    for (const b of bytes) if (b === 10) this.dropped++
    this.trouble(errorText(error))
  }

  reopen(): void {
    if (this.closed) return
    this.leave()
    if (this.open() === undefined) this.recovered()
  }

  /** Lets go of the file: what waits is written to it, wherever it is moved meanwhile. */
  leave(): void {
    const file = this.file
    if (!file) return
    this.file = undefined
    file.leaving = true
    if (file.writing) return
    this.drain(file)
    this.closeFd(file)
  }

  flush(): void {
    if (this.file && !this.file.writing) this.drain(this.file)
  }

  private drain(file: Opened): void {
    if (!file.waiting.length) return
    const buffer = this.take(file)
    let from = 0
    try {
      while (from < buffer.length) from += writeSync(file.fd, buffer, from)
      this.recovered()
    } catch (e) {
      this.lost(buffer.subarray(from), e)
    }
  }

  close(): void {
    this.closed = true
    this.leave()
  }

  private closeFd(file: Opened): void {
    if (file.closed) return
    file.closed = true
    try {
      closeSync(file.fd)
    } catch {
      // closed underneath: nothing of ours is left open
    }
  }

  private trouble(message: string): void {
    if (this.troubled) return
    this.troubled = true
    this.options.onTrouble?.(`${this.options.path}: cannot write log: ${message}`)
  }

  private recovered(): void {
    if (!this.troubled) return
    this.troubled = false
    const lost = this.dropped
    this.dropped = 0
    this.options.onTrouble?.(`${this.options.path}: log written again, ${lost} lines lost`)
  }
}
