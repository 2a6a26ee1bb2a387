import type { Level } from '../../base/log.ts'
import { ok, type Result } from '../../base/result.ts'
import { type Layout, type LogEvent, loggerName } from '../event.ts'
import { secondsFormat } from '../strftime.ts'
import { type Attribute, Float } from './number-format.ts'
import { compileStyle } from './style.ts'

/** Numbers of the levels by their names. */
export const LEVEL_NUMBERS: Readonly<Record<string, number>> = {
  ...{ CRITICAL: 50, FATAL: 50, ERROR: 40, WARN: 30, WARNING: 30, INFO: 20, DEBUG: 10, NOTSET: 0 },
}

const OURS: Readonly<Record<Level, readonly [string, number]>> = {
  emer: ['CRITICAL', 50],
  err: ['ERROR', 40],
  warn: ['WARNING', 30],
  info: ['INFO', 20],
  dbg: ['DEBUG', 10],
}

export const levelNumber = (level: Level): number => OURS[level][1]

export interface FormatOptions {
  readonly format: string | undefined
  readonly dateFormat: string | undefined
  readonly style: string
  readonly pid: number
}

/**
 * A layout of `logging.Formatter`. What belongs to a place in a Python program (`pathname`, `lineno`,
 * `funcName`) is as where Python does not know it; `module` is the part of ours. Other names are the
 * event's fields, empty where it has none.
 */
export function pythonLayout(options: FormatOptions): Result<Layout> {
  const format = options.format || { '%': '%(message)s', '{': '{message}', $: '$message' }[options.style]
  const style = compileStyle(format ?? '', options.style)
  if (!style.ok) return style
  const { fill } = style.value
  const around = recordOptions(options.dateFormat, options.pid)
  return ok((event) => fill((name) => recordAttribute(name, event, around)))
}

/** What a record has that its event does not say. */
export interface RecordOptions {
  readonly pid: number
  /** The text of a moment, as far as the whole second. */
  readonly date: (time: number) => string
  /** Whether milliseconds are behind it: where no other format of dates is given. */
  readonly milliseconds: boolean
}

export function recordOptions(dateFormat: string | undefined, pid: number): RecordOptions {
  return { pid, date: secondsFormat(dateFormat || '%Y-%m-%d %H:%M:%S'), milliseconds: !dateFormat }
}

/** An attribute of an event's `logging.LogRecord`; undefined where it has none. */
export function recordAttribute(name: string, event: LogEvent, options: RecordOptions): Attribute | undefined {
  switch (name) {
    case 'message':
    case 'msg':
      return event.message
    case 'asctime':
      return asctime(event.time, options)
    case 'name':
      return loggerName(event)
    case 'levelname':
      return OURS[event.level][0]
    case 'levelno':
      return OURS[event.level][1]
    case 'created':
      return new Float(event.time / 1000)
    case 'msecs':
      return new Float(Math.floor(event.time % 1000))
    case 'relativeCreated':
      return new Float(event.elapsed)
    case 'module':
      return event.module || event.component
    case 'pathname':
    case 'filename':
      return '(unknown file)'
    case 'lineno':
      return 0
    case 'funcName':
      return '(unknown function)'
    case 'process':
    case 'thread':
      return options.pid
    case 'processName':
      return 'MainProcess'
    case 'threadName':
      return 'MainThread'
    default: {
      const field = event.fields && Object.hasOwn(event.fields, name) ? event.fields[name] : undefined
      return typeof field === 'boolean' ? (field ? 'True' : 'False') : field
    }
  }
}

function asctime(time: number, options: RecordOptions): string {
  const date = options.date(time)
  return options.milliseconds ? `${date},${String(Math.floor(time % 1000)).padStart(3, '0')}` : date
}
