import type { Level } from '../../base/log.ts'
import { ConsoleAppender } from '../appenders/console.ts'
import { FileAppender, type FileOptions } from '../appenders/file.ts'
import { RollingFileAppender, rollBySize, rollByTime } from '../appenders/rolling.ts'
import { MessageSocket } from '../appenders/socket.ts'
import { SocketAppender } from '../appenders/socket-appender.ts'
import { SYSLOG_SEVERITY } from '../appenders/syslog.ts'
import type { LoggingContext } from '../context.ts'
import { type Appender, type Backend, type LogEvent, loggerName } from '../event.ts'
import { LevelOverrides, type SetLevel } from '../overrides.ts'
import type { HandlerConfig, LoggerConfig, PythonConfig } from './config.ts'
import { levelNumber } from './formatter.ts'
import { pythonSchedule } from './schedule.ts'

/** An appender with the layout of its handler. */
interface Handler {
  readonly level: number
  handle(event: LogEvent): void
  reopen(): void
  release?(): void
  flush(): void
  close(): void
}

/** What an event of one logger meets on its way up. */
interface Path {
  readonly level: number
  readonly handlers: readonly Handler[]
}

/** Logging as a file for Python's logging.config.fileConfig says. */
export class PythonBackend implements Backend {
  private readonly handlers = new Map<string, Handler>()
  private readonly loggers = new Map<string, LoggerConfig>()
  private readonly paths = new Map<string, Path>()
  private readonly overrides = new LevelOverrides()
  /** Where no handler is found on the way up, warnings are not lost: they go to standard error, bare. */
  private readonly lastResort: Handler

  constructor(config: PythonConfig, context: LoggingContext) {
    for (const h of config.handlers)
      if (h.what.kind !== 'memory') this.handlers.set(h.name, new Plain(h, appender(h, context)))
    for (const h of config.handlers)
      if (h.what.kind === 'memory') this.handlers.set(h.name, new Memory(h, h.what, () => this.target(h)))
    for (const l of config.loggers) this.loggers.set(l.name, l)
    const bare: HandlerConfig = {
      ...{ name: '', level: 30, layout: (e) => e.message, target: undefined },
      what: { kind: 'stream', fd: 2 },
    }
    this.lastResort = new Plain(bare, appender(bare, context))
  }

  private target(h: HandlerConfig): Handler | undefined {
    return h.target === undefined ? undefined : this.handlers.get(h.target)
  }

  enabled(level: Level, component: string, module: string): boolean {
    const path = this.path(loggerName({ component, module }))
    const number = levelNumber(level)
    const on = this.overrides.admits(level, module) ?? number >= path.level
    return on && path.handlers.some((h) => number >= h.level)
  }

  write(event: LogEvent): void {
    const path = this.path(loggerName(event))
    const number = levelNumber(event.level)
    if (!(this.overrides.admits(event.level, event.module) ?? number >= path.level)) return
    for (const h of path.handlers) if (number >= h.level) h.handle(event)
  }

  setLevel(module: string | undefined, level: SetLevel): void {
    this.overrides.set(module, level)
  }

  private path(name: string): Path {
    let path = this.paths.get(name)
    if (!path) {
      path = this.climb(name)
      this.paths.set(name, path)
    }
    return path
  }

  private climb(name: string): Path {
    const handlers: Handler[] = []
    let level = 0
    let open = true
    for (let at: string | undefined = name; at !== undefined; at = above(at)) {
      const logger = this.loggers.get(at)
      if (!logger) continue
      if (level === 0) level = logger.level
      if (!open) continue
      for (const h of logger.handlers) {
        const handler = this.handlers.get(h)
        if (handler) handlers.push(handler)
      }
      open = logger.propagate
    }
    return { level, handlers: handlers.length ? handlers : [this.lastResort] }
  }

  reopen(): void {
    for (const h of this.handlers.values()) h.reopen()
  }

  release(): void {
    for (const h of this.handlers.values()) h.release?.()
  }

  flush(): void {
    for (const h of this.handlers.values()) h.flush()
  }

  close(): void {
    // What memory handlers kept goes to the others, which are closed after them.
    const all = [...this.handlers.values()]
    for (const h of all) if (h instanceof Memory) h.close()
    for (const h of all) if (!(h instanceof Memory)) h.close()
  }
}

function above(name: string): string | undefined {
  if (name === '') return undefined
  const dot = name.lastIndexOf('.')
  return dot < 0 ? '' : name.slice(0, dot)
}

class Plain implements Handler {
  readonly level: number

  constructor(
    private readonly config: HandlerConfig,
    private readonly appender: Appender,
  ) {
    this.level = config.level
  }

  handle(event: LogEvent): void {
    this.appender.append(this.config.layout(event), event)
  }

  reopen(): void {
    this.appender.reopen()
  }

  release(): void {
    this.appender.release?.()
  }

  flush(): void {
    this.appender.flush()
  }

  close(): void {
    this.appender.close()
  }
}

/** Keeps events until there are many, or a severe one comes. */
class Memory implements Handler {
  readonly level: number
  private kept: LogEvent[] = []

  constructor(
    config: HandlerConfig,
    private readonly what: { readonly capacity: number; readonly flushLevel: number; readonly flushOnClose: boolean },
    private readonly target: () => Handler | undefined,
  ) {
    this.level = config.level
  }

  handle(event: LogEvent): void {
    this.kept.push(event)
    if (this.kept.length >= this.what.capacity || levelNumber(event.level) >= this.what.flushLevel) this.pass()
  }

  private pass(): void {
    const target = this.target()
    const kept = this.kept
    this.kept = []
    for (const event of kept) target?.handle(event)
  }

  reopen(): void {}

  flush(): void {
    this.pass()
  }

  close(): void {
    if (this.what.flushOnClose) this.pass()
  }
}

const nowhere: Appender = { append() {}, reopen() {}, flush() {}, close() {} }

function appender(h: HandlerConfig, context: LoggingContext): Appender {
  const { what } = h
  const options = (file: { path: string; truncate: boolean; delay: boolean }): FileOptions => ({
    ...{ path: context.resolve(file.path), truncate: file.truncate, delay: file.delay },
    onTrouble: context.onTrouble,
  })
  switch (what.kind) {
    case 'null':
    case 'memory':
      return nowhere
    case 'other':
      return what.open(context)
    case 'stream':
      return context.console?.(what.fd) ?? new ConsoleAppender(what.fd)
    case 'file':
      return new FileAppender({ ...options(what.file), watch: what.watch })
    case 'rotating':
      return new RollingFileAppender(options(what.file), rollBySize(what.maxBytes, what.backups))
    case 'timed': {
      const file = options(what.file)
      const schedule = pythonSchedule(what.when, what.interval, what.utc)
      if (!schedule.ok) return new FileAppender(file)
      return new RollingFileAppender(file, rollByTime(schedule.value, what.backups, file.path, context.now()))
    }
    case 'syslog':
      return new SyslogMessages(new MessageSocket(what.address, context.onTrouble), what.facility)
  }
}

/** `<PRI>` and the line, with a zero behind it, as SysLogHandler sends it. */
class SyslogMessages extends SocketAppender {
  constructor(
    socket: MessageSocket,
    private readonly facility: number,
  ) {
    super(socket)
  }

  append(line: string, event: LogEvent): void {
    this.socket.send(`<${this.facility * 8 + SYSLOG_SEVERITY[event.level]}>${line}\0`, event.time)
  }
}
