import { MessageSocket } from '../appenders/socket.ts'
import { SocketAppender } from '../appenders/socket-appender.ts'
import type { LoggingContext } from '../context.ts'
import type { Backend, Layout, LogEvent } from '../event.ts'
import { PythonBackend } from '../python/backend.ts'
import type { HandlerConfig, LoggerConfig } from '../python/config.ts'
import type { HandlerKind } from '../python/handler.ts'
import { secondsFormat } from '../strftime.ts'
import { contextLayout, journalFields, jsonLayout, reset, severity } from './formatter.ts'
import { JOURNAL_SOCKET, journalDatagram } from './journal.ts'
import type { OsloOptions } from './options.ts'
import { RateLimited } from './rate-limit.ts'

const MEGABYTE = 1024 * 1024

const WHEN: Readonly<Record<string, string>> = {
  seconds: 'S',
  minutes: 'M',
  hours: 'H',
  days: 'D',
  midnight: 'MIDNIGHT',
}

/** Where lines go to a file: a rolling one, or one that is opened anew when it was moved away. */
function fileHandler(options: OsloOptions, path: string): HandlerKind {
  const file = { path, truncate: false, delay: false }
  const backups = options.maxCount
  if (options.rotation === 'size') return { kind: 'rotating', file, maxBytes: options.maxMegabytes * MEGABYTE, backups }
  if (options.rotation === 'none') return { kind: 'file', file, watch: true }
  const weekday = options.rotateUnit === 'weekday'
  return {
    ...{ kind: 'timed', file, backups, utc: false },
    when: weekday ? `W${options.rotateEvery}` : (WHEN[options.rotateUnit] ?? 'D'),
    interval: weekday ? 1 : options.rotateEvery,
  }
}

/** Logging as oslo.log's options say. */
export function osloBackend(options: OsloOptions, context: LoggingContext): Backend {
  const { useJson, color } = options
  const plain = useJson ? jsonLayout(options, context) : contextLayout(options, context, false)
  const terminal = !color ? plain : useJson ? reset(plain) : contextLayout(options, context, true)
  const handlers: HandlerConfig[] = []
  const add = (name: string, what: HandlerKind, layout: Layout = plain) =>
    handlers.push({ name, level: 0, layout, what, target: undefined })
  if (options.file !== undefined) add('file', fileHandler(options, options.file))
  if (options.useStderr) add('stderr', { kind: 'stream', fd: 2 }, terminal)
  if (options.useJournal) add('journal', { kind: 'other', open: (c) => new JournalMessages(options.facility, c) })
  // Without another place lines go to the console; syslog is no such place.
  if (!handlers.length) add('stdout', { kind: 'stream', fd: 1 }, terminal)
  if (options.useSyslog) add('syslog', { kind: 'other', open: (c) => new SyslogLines(options.facility, c) })
  const root: LoggerConfig = {
    ...{ name: '', propagate: true, handlers: handlers.map((h) => h.name) },
    level: options.levels.get('') ?? (options.debug ? 10 : 20),
  }
  const loggers = [...options.levels]
    .filter(([name]) => name !== '')
    .map(([name, level]) => ({ name, level, propagate: true, handlers: [] }))
  const backend = new PythonBackend({ handlers, loggers: [root, ...loggers] }, context)
  const { interval, burst } = options.rate
  return interval > 0 && burst > 0 ? new RateLimited(backend, options.rate, context.now()) : backend
}

/** As syslog(3) sends a line: `<PRI>TIME PROGRAM: LINE`. */
export class SyslogLines extends SocketAppender {
  private readonly date = secondsFormat('%b %e %H:%M:%S')

  constructor(
    private readonly facility: number,
    context: LoggingContext,
  ) {
    super(new MessageSocket({ kind: 'unix', path: '/dev/log' }, context.onTrouble))
  }

  append(line: string, event: LogEvent): void {
    const priority = this.facility * 8 + severity(event)
    this.socket.send(`<${priority}>${this.date(event.time)} ${event.component}: ${line}`, event.time)
  }
}

/** Messages with their fields to systemd's journal. */
export class JournalMessages extends SocketAppender {
  constructor(
    private readonly facility: number,
    context: LoggingContext,
  ) {
    super(new MessageSocket({ kind: 'unix', path: JOURNAL_SOCKET }, context.onTrouble))
  }

  append(line: string, event: LogEvent): void {
    this.socket.send(journalDatagram(journalFields(event, line, this.facility)), event.time)
  }
}
