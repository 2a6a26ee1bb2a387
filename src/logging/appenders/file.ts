import { closeSync, openSync, write, writeSync } from 'node:fs'
import type { Appender, LogEvent } from '../event.ts'

export interface FileOptions {
  readonly path: string
  /** Bytes that may wait for a slow disk; lines beyond are dropped and counted. */
  readonly limit?: number
  /** Permission bits of a new file. */
  readonly mode?: number
  /** Called when trouble begins, not for each line of it; and when it is over. */
  readonly onTrouble?: (message: string) => void
}

/**
 * A file that lines are appended to, without the event loop waiting for the disk: lines gather
 * while a write is under way and go out together.
 */
export class FileAppender implements Appender {
  private fd: number | undefined
  private waiting: string[] = []
  private bytes = 0
  private writing = false
  private dropped = 0
  private troubled = false
  readonly path: string

  constructor(private readonly options: FileOptions) {
    this.path = options.path
    const error = this.open()
    if (error) this.trouble(error)
  }

  /** Undefined when the file is open, or why it is not. */
  open(): string | undefined {
    try {
      this.fd = openSync(this.options.path, 'a', this.options.mode ?? 0o640)
      return undefined
    } catch (e) {
      this.fd = undefined
      return e instanceof Error ? e.message : String(e)
    }
  }

  append(line: string, _event?: LogEvent): void {
    const limit = this.options.limit ?? 16 * 1024 * 1024
    if (this.bytes + line.length + 1 > limit) {
      this.dropped++
      return
    }
    this.waiting.push(line)
    this.bytes += line.length + 1
    if (!this.writing) this.next()
  }

  private next(): void {
    if (!this.waiting.length || this.fd === undefined) return
    this.writing = true
    const buffer = Buffer.from(`${this.waiting.join('\n')}\n`)
    this.waiting = []
    this.bytes = 0
    this.send(buffer, 0)
  }

  private send(buffer: Buffer, from: number): void {
    const fd = this.fd
    if (fd === undefined) {
      this.writing = false
      return
    }
    write(fd, buffer, from, buffer.length - from, null, (error, written) => {
      if (error) {
        // A full disk: these lines are lost, the next ones are tried again.
        this.writing = false
        this.dropped += buffer.subarray(from).filter((b) => b === 10).length
        this.trouble(error.message)
        return
      }
      if (from + written < buffer.length) {
        this.send(buffer, from + written)
        return
      }
      this.writing = false
      this.recovered()
      this.next()
    })
  }

  reopen(): void {
    this.flush()
    this.closeFd()
    const error = this.open()
    if (error) this.trouble(error)
    else this.recovered()
  }

  flush(): void {
    if (!this.waiting.length || this.fd === undefined) return
    const buffer = Buffer.from(`${this.waiting.join('\n')}\n`)
    this.waiting = []
    this.bytes = 0
    try {
      writeSync(this.fd, buffer)
    } catch (e) {
      this.trouble(e instanceof Error ? e.message : String(e))
    }
  }

  close(): void {
    this.flush()
    this.closeFd()
  }

  private closeFd(): void {
    if (this.fd === undefined) return
    const fd = this.fd
    this.fd = undefined
    try {
      closeSync(fd)
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
