import { LEVELS, type Level } from '../../base/log.ts'
import type { LogEvent } from '../event.ts'
import { levelNamed } from '../reading/record.ts'

/** What a logger of one's own is made from. */
export interface LoggerContext {
  /** The program: `ovn-northd`. */
  readonly component: string
  readonly hostname: string
  readonly pid: number
  /** The absolute path of `logging_conf`, whose contents are the logger's own affair; undefined without one. */
  readonly conf: string | undefined
  /** The keys, in lower case, of the section with the class's name in the file of `--logging-config`. */
  readonly options: Readonly<Record<string, string>>
  /** An absolute path from one of the configuration. */
  resolve(path: string): string
  /** Says, on standard error and in the log, that lines cannot be written. */
  report(message: string): void
}

/** A message, with the full name of its logger: `ovn-northd.lflow`. */
export interface LoggedEvent extends LogEvent {
  readonly logger: string
}

/**
 * Marks BaseLogger and the classes that extend it. A registered symbol: the class that a module of one's own
 * extends may come from another copy of this package than the daemon's bundle.
 */
export const BASE_LOGGER = Symbol.for('ovn-ts.BaseLogger')

/**
 * A logger of one's own extends this, and is named in the file of `--logging-config`:
 * `logger_class = ./my-logger.mjs#MyLogger`.
 *
 * It needs `write`. A method that throws, or returns a promise that is rejected, does the daemon no harm: it
 * is said once, and the lost events are counted. What takes time belongs into queues of its own: the daemon
 * waits for `write`, and for nothing else.
 */
export abstract class BaseLogger {
  static readonly [BASE_LOGGER] = true
  private least: Level = 'info'

  /** Throws when the option `level` is none: what a constructor throws ends the daemon, with the message. */
  constructor(readonly context: LoggerContext) {
    const given = context.options['level']
    if (given === undefined) return
    const level = levelNamed(given)
    if (level === undefined) throw new Error(`level is emer, err, warn, info or dbg, not '${given}'`)
    this.least = level
  }

  /** Events less severe than it are not written; `info`, or what the option `level` says. */
  get level(): Level {
    return this.least
  }

  set level(level: Level) {
    this.least = level
    this.onLevels?.()
  }

  /** Called when levels changed: `enabled` is asked again for every logger. */
  onLevels?: () => void

  /** Whether an event of this level and logger is to be written. The answer is remembered. */
  enabled(level: Level, _logger: string): boolean {
    return LEVELS.indexOf(level) <= LEVELS.indexOf(this.least)
  }

  /** One event that is enabled. */
  abstract write(event: LoggedEvent): void

  /** Files are to be closed and opened again: somebody rotated them. */
  reopen(): void {}

  /** What waits is to be written at once: the program may end. */
  flush(): void {}

  /** The last call: another logger took over, or the program ends. */
  close(): void {}
}
