import { existsSync, readdirSync, renameSync, statSync, unlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Appender, LogEvent } from '../event.ts'
import { FileAppender, type FileOptions } from './file.ts'

/** When a file is full, and what becomes of it. */
export interface Rolling {
  /** Asked before each line; `size` is the file's, in bytes. */
  due(line: string, size: number, time: number): boolean
  /** Asked behind each line, where a file is not left full. */
  full?(size: number): boolean
  /** Moves the full file away, if it is kept; or says that it is to grow on for now. */
  roll(path: string, time: number): 'moved' | 'kept'
  /** Moves the last file away, when the log is closed. */
  rollLast?(path: string): void
}

/** Renames without complaint: what cannot be moved is written on, and nothing is lost. */
export function move(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch {
    // not there, or not ours to move
  }
}

export function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // somebody was quicker
  }
}

/**
 * Rolls at `maxBytes`, keeping `backups` older files as `FILE.1` (the youngest), `FILE.2` ... Without
 * backups the file grows on, as with Python's RotatingFileHandler.
 */
export function rollBySize(maxBytes: number, backups: number): Rolling {
  return {
    // What counts of the line is its characters (Python's documentation says bytes). UTF-16 has at least as many.
    due: (line, size) =>
      backups > 0 && maxBytes > 0 && size + line.length + 1 >= maxBytes && size + [...line].length + 1 >= maxBytes,
    roll: (path) => {
      shift(path, backups)
      return 'moved'
    },
  }
}

/** Makes of a file `FILE.1`, of `FILE.1` `FILE.2` and so on, and lets go of what comes after `backups`. */
export function shift(path: string, backups: number): void {
  remove(`${path}.${backups}`)
  for (let i = backups - 1; i >= 1; i--) if (existsSync(`${path}.${i}`)) move(`${path}.${i}`, `${path}.${i + 1}`)
  move(path, `${path}.1`)
}

/** The times at which a file rolls, and the names of those before. */
export interface Schedule {
  /** Milliseconds since 1970 of the first roll after `time`. */
  next(time: number): number
  /** The roll that follows `roll` and is after `time`. */
  following(roll: number, time: number): number
  /** What is put behind the name of a file that was to roll at `roll`, and does at `time`. */
  suffix(roll: number, time: number): string
  /** Whether a name's end is such a suffix. */
  readonly pattern: RegExp
}

/** Rolls by the clock, keeping the `backups` youngest; 0 keeps all. */
export function rollByTime(schedule: Schedule, backups: number, path: string, now: number): Rolling {
  let begun = now
  try {
    const stat = statSync(path)
    if (stat.size > 0) begun = stat.mtimeMs
  } catch {
    // a new file
  }
  let at = schedule.next(begun)
  return {
    due: (_line, _size, time) => Math.floor(time / 1000) * 1000 >= at,
    roll(path, time) {
      const to = `${path}.${schedule.suffix(at, time)}`
      // Where the clock went back, a period comes twice: the file of the first is kept, this one goes on to the next.
      const again = existsSync(to)
      if (!again) move(path, to)
      if (backups > 0) expire(path, schedule.pattern, backups)
      at = schedule.following(at, time)
      return again ? 'kept' : 'moved'
    },
  }
}

function expire(path: string, pattern: RegExp, keep: number): void {
  const start = `${basename(path)}.`
  let names: string[]
  try {
    names = readdirSync(dirname(path))
  } catch {
    return
  }
  const old = names.filter((n) => n.startsWith(start) && pattern.test(n.slice(start.length))).sort()
  for (const name of old.slice(0, Math.max(0, old.length - keep))) remove(join(dirname(path), name))
}

/** A full file that could not be moved away is tried again after so long, milliseconds of the events' time. */
const AGAIN = 1000

/** A file that is exchanged for an empty one when it is full or old. */
export class RollingFileAppender implements Appender {
  private readonly file: FileAppender
  private readonly onTrouble: ((message: string) => void) | undefined
  /** When a full file stayed where it was: its folder is not ours to write in. */
  private stuck: number | undefined

  constructor(
    options: FileOptions,
    private readonly rolling: Rolling,
  ) {
    this.file = new FileAppender(options)
    this.onTrouble = options.onTrouble
  }

  append(line: string, event: LogEvent): void {
    if (this.rolling.due(line, this.file.size, event.time)) this.roll(event.time)
    this.file.append(line, event)
    if (this.rolling.full?.(this.file.size)) this.roll(event.time)
  }

  private roll(time: number): void {
    if (this.stuck !== undefined && time - this.stuck < AGAIN && time >= this.stuck) return
    const { path, size } = this.file
    this.file.leave()
    const meant = this.rolling.roll(path, time) === 'moved'
    this.file.open()
    const moved = !meant || size === 0 || this.file.size < size
    if (!moved && this.stuck === undefined) this.onTrouble?.(`${path}: cannot move full log away, it grows on`)
    this.stuck = moved ? undefined : time
  }

  reopen(): void {
    this.file.reopen()
  }

  release(): void {
    this.file.close()
  }

  flush(): void {
    this.file.flush()
  }

  close(): void {
    if (this.rolling.rollLast) {
      this.file.leave()
      this.rolling.rollLast(this.file.path)
      this.file.open()
    }
    this.file.close()
  }
}
