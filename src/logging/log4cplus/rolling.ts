import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { FileAppender, type FileOptions } from '../appenders/file.ts'
import { move, type Rolling, remove, shift } from '../appenders/rolling.ts'
import type { Appender, LogEvent } from '../event.ts'
import { strftime } from '../strftime.ts'
import { earlier, nextChange, type Period, RHYTHMS } from './schedule.ts'

/** RollingFileAppender: a file that is over `most` bytes is put away at once. */
export function rollBySizeReached(most: number, backups: number): Rolling {
  return {
    due: (_line, size) => size > most,
    full: (size) => size > most,
    roll: (path) => {
      shift(path, backups)
      return 'moved'
    },
  }
}

/**
 * DailyRollingFileAppender: a file is put away as `FILE.DATE`, by the moment it was begun. One that is there
 * already becomes `FILE.DATE.1`, and so on up to `backups`.
 */
export function rollByPeriod(options: {
  readonly period: Period
  /** strftime(3); undefined: the period's own. */
  readonly datePattern: string | undefined
  readonly backups: number
  readonly atClose: boolean
  /** Milliseconds since 1970. */
  now(): number
}): Rolling {
  const suffix = options.datePattern || RHYTHMS[options.period].suffix
  let begun = options.now()
  let end = nextChange(options.period, begun)
  const putAway = (path: string) => {
    const to = `${path}.${strftime(suffix, begun, false)}`
    if (existsSync(to)) shift(to, options.backups)
    move(path, to)
  }
  return {
    due: (_line, _size, time) => time >= end,
    roll(path, time) {
      putAway(path)
      begun = time
      end = nextChange(options.period, time)
      return 'moved'
    },
    ...(options.atClose ? { rollLast: putAway } : {}),
  }
}

/** TimeBasedRollingFileAppender: where the files of former periods are, and how many of them stay. */
export interface History {
  readonly period: Period
  /** A path by strftime(3). */
  readonly pattern: string
  /** Periods whose files stay, besides the present one. */
  readonly kept: number
}

/** A file that is put away under the name of its period. */
export function rollToHistory(
  history: History,
  options: { readonly atClose: boolean; readonly createFolders: boolean; now(): number },
): Rolling {
  let begun = options.now()
  let end = nextChange(history.period, begun)
  const expiry = new Expiry(history)
  const putAway = (path: string) => {
    const to = strftime(history.pattern, begun, false)
    if (options.createFolders) makeFolders(to)
    // A period comes twice where the clock goes back, and with each closing: what is there is kept, this file grows on.
    if (existsSync(to)) return 'kept'
    move(path, to)
    return 'moved'
  }
  return {
    due(_line, _size, time) {
      if (time >= end) return true
      expiry.first(time)
      return false
    },
    roll(path, time) {
      const done = putAway(path)
      begun = time
      end = nextChange(history.period, time)
      expiry.run(time)
      return done
    },
    ...(options.atClose
      ? {
          rollLast(path: string) {
            putAway(path)
            expiry.run(options.now())
          },
        }
      : {}),
  }
}

/** Without a file of its own, each period's lines go to the period's file from the start. */
export class HistoryAppender implements Appender {
  private file: FileAppender
  private end: number
  private readonly expiry: Expiry

  constructor(
    private readonly history: History,
    private readonly options: Omit<FileOptions, 'path'>,
    now: number,
  ) {
    this.file = this.begin(now, options)
    this.end = nextChange(history.period, now)
    this.expiry = new Expiry(history)
  }

  private begin(time: number, options: Omit<FileOptions, 'path'>): FileAppender {
    return new FileAppender({ ...options, path: strftime(this.history.pattern, time, false) })
  }

  append(line: string, event: LogEvent): void {
    if (event.time >= this.end) {
      this.file.close()
      this.file = this.begin(event.time, { ...this.options, truncate: false })
      this.end = nextChange(this.history.period, event.time)
      this.expiry.run(event.time)
    } else this.expiry.first(event.time)
    this.file.append(line, event)
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
    this.file.close()
  }
}

/** The first time, files of so long a time ago are looked for, milliseconds. */
const LONG_AGO = 31 * 24 * 3_600_000

/** More names than these are not tried in one go: each takes some microseconds. */
const MOST_NAMES = 45_000

/** Removes the files of periods that are over for long. */
class Expiry {
  private last: number | undefined

  constructor(private readonly history: History) {}

  /** At the first line of all. */
  first(time: number): void {
    if (this.last === undefined) this.run(time)
  }

  run(time: number): void {
    const { period, kept, pattern } = this.history
    const { length } = RHYTHMS[period]
    // One period more than have passed: a part of one may have begun another.
    const passed = this.last === undefined ? LONG_AGO / length : Math.max(0, time - this.last) / length + 1
    this.last = time
    const count = Math.min(Math.floor(passed), MOST_NAMES)
    const candidates = this.candidates()
    const present = strftime(pattern, time, false)
    if (candidates && period === 'MINUTELY' && namesOnce(pattern)) {
      // Those that stay are soon known; where there are no others, tens of thousands of names need not be tried.
      for (let i = 0; i <= kept && candidates.size; i++)
        candidates.delete(strftime(pattern, earlier(period, time, i), false))
    }
    for (let i = 1; i <= count && candidates?.size !== 0; i++) {
      const path = strftime(pattern, earlier(period, time, kept + i), false)
      if (path === present || (candidates && !candidates.delete(path))) continue
      remove(path)
      if (!candidates && i >= 1000) return
    }
  }

  /** The files that may be of a former period; undefined where they are in folders of several names. */
  private candidates(): Set<string> | undefined {
    const { pattern } = this.history
    const folder = dirname(pattern)
    if (folder.includes('%')) return undefined
    const name = basename(pattern)
    const [first, last] = [name.indexOf('%'), name.lastIndexOf('%')]
    const [head, tail] = first < 0 ? [name, ''] : [name.slice(0, first), name.slice(last + 2)]
    try {
      const names = readdirSync(folder).filter((n) => n.startsWith(head) && n.endsWith(tail))
      return new Set(names.map((n) => join(folder, n)))
    } catch {
      return new Set()
    }
  }
}

/** Whether no minute has the name of another one, but where the clock goes back. */
function namesOnce(pattern: string): boolean {
  return [/%[Yy]/, /%[mbBj]/, /%[dj]/, /%H/, /%M/].every((part) => part.test(pattern))
}

function makeFolders(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true })
  } catch {
    // The file is then written on where it is.
  }
}
