import type { Level } from '../../base/log.ts'
import { ConsoleAppender } from '../appenders/console.ts'
import { FileAppender, type FileOptions } from '../appenders/file.ts'
import { RollingFileAppender } from '../appenders/rolling.ts'
import { MessageSocket } from '../appenders/socket.ts'
import { SocketAppender } from '../appenders/socket-appender.ts'
import type { LoggingContext } from '../context.ts'
import { type Appender, type Backend, type LogEvent, loggerName } from '../event.ts'
import { LevelOverrides, type SetLevel } from '../overrides.ts'
import type { AppenderConfig, Log4cplusConfig, LoggerConfig } from './config.ts'
import { passes } from './filter.ts'
import type { FileSettings } from './kinds.ts'
import { levelNumber } from './levels.ts'
import { binaryMessage, type MessageOf, xmlMessage } from './remote.ts'
import { HistoryAppender, rollByPeriod, rollBySizeReached, rollToHistory } from './rolling.ts'
import { syslogMessage } from './syslog.ts'

/** An appender with what its events go through first. */
interface Output {
  readonly config: AppenderConfig
  readonly appender: Appender
}

/** What an event of one logger meets on its way up. */
interface Path {
  readonly level: number
  readonly outputs: readonly Output[]
}

/** What the root lets through when nothing else is said. */
const ROOT_LEVEL = 10000

/** Logging as a properties file for log4cplus says. */
export class Log4cplusBackend implements Backend {
  private readonly outputs = new Map<string, Output>()
  private readonly loggers = new Map<string, LoggerConfig>()
  private readonly paths = new Map<string, Path>()
  private readonly overrides = new LevelOverrides()

  constructor(
    private readonly config: Log4cplusConfig,
    context: LoggingContext,
  ) {
    for (const l of config.loggers) this.loggers.set(l.name, l)
    // Also those that no logger has: log4cplus opens them all.
    for (const a of config.appenders) this.outputs.set(a.name, { config: a, appender: appender(a, context) })
  }

  enabled(level: Level, component: string, module: string): boolean {
    const path = this.path(loggerName({ component, module }))
    const number = levelNumber(level)
    const on = this.overrides.admits(level, module) ?? number >= path.level
    return on && path.outputs.some((o) => number >= o.config.threshold)
  }

  write(event: LogEvent): void {
    const path = this.path(loggerName(event))
    if (!(this.overrides.admits(event.level, event.module) ?? levelNumber(event.level) >= path.level)) return
    for (const o of path.outputs) put(o.config, o.appender, event)
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
    const outputs: Output[] = []
    let level: number | undefined
    let open = true
    for (let at: string | undefined = name; at !== undefined; at = above(at)) {
      const logger = this.loggers.get(at)
      level ??= logger?.level
      if (!open) continue
      for (const a of logger?.appenders ?? []) {
        const output = this.outputs.get(a)
        if (output) outputs.push(output)
      }
      open = !this.config.closed.has(at)
    }
    return { level: level ?? ROOT_LEVEL, outputs }
  }

  reopen(): void {
    for (const o of this.outputs.values()) o.appender.reopen()
  }

  release(): void {
    for (const o of this.outputs.values()) o.appender.release?.()
  }

  flush(): void {
    for (const o of this.outputs.values()) o.appender.flush()
  }

  close(): void {
    for (const o of this.outputs.values()) o.appender.close()
  }
}

function put(config: AppenderConfig, appender: Appender, event: LogEvent): void {
  if (levelNumber(event.level) < config.threshold || !passes(config.filters, event)) return
  if (config.what.kind === 'async') put(config.what.inner, appender, event)
  else appender.append(config.layout(event), event)
}

function above(name: string): string | undefined {
  if (name === '') return undefined
  const dot = name.lastIndexOf('.')
  return dot < 0 ? '' : name.slice(0, dot)
}

const nowhere: Appender = { append() {}, reopen() {}, flush() {}, close() {} }

/** Files that this process has begun: a configuration that is read again does not empty them once more. */
const begun = new Set<string>()

function begins(path: string): boolean {
  const first = !begun.has(path)
  begun.add(path)
  return first
}

function appender(config: AppenderConfig, context: LoggingContext): Appender {
  const { what } = config
  const options = (file: Omit<FileSettings, 'path'>, path: string): Omit<FileOptions, 'path'> => ({
    ...{ truncate: file.truncate && begins(path), createFolders: file.createFolders, retry: file.retry },
    // What others may read of a log is for the process's umask to say.
    ...{ end: '', mode: 0o666, onTrouble: context.onTrouble },
  })
  const at = (file: FileSettings): FileOptions => {
    const path = context.resolve(file.path)
    return { ...options(file, path), path }
  }
  switch (what.kind) {
    case 'null':
      return nowhere
    case 'console':
      return context.console?.(what.fd) ?? new ConsoleAppender(what.fd, '')
    case 'file':
      return new FileAppender(at(what.file))
    case 'rolling':
      return new RollingFileAppender(at(what.file), rollBySizeReached(what.maxBytes, what.backups))
    case 'daily': {
      const rolling = rollByPeriod({ ...what, atClose: what.rollOnClose, now: () => context.now() })
      return new RollingFileAppender({ ...at(what.file), watch: what.rollOnClose }, rolling)
    }
    case 'history': {
      const { file, rollOnClose } = what
      const history = { ...what.history, pattern: context.resolve(what.history.pattern) }
      const { path } = file
      if (path === undefined) return new HistoryAppender(history, options(file, history.pattern), context.now())
      const more = { atClose: rollOnClose, createFolders: file.createFolders, now: () => context.now() }
      // A configuration that is read again opens the file before the old one puts it away.
      return new RollingFileAppender({ ...at({ ...file, path }), watch: rollOnClose }, rollToHistory(history, more))
    }
    case 'syslog': {
      const target = what.server ?? { kind: 'unix' as const, path: '/dev/log' }
      const message = syslogMessage({ ...context, ...what, remote: target.kind })
      return new Messages(new MessageSocket(target, context.onTrouble), message)
    }
    case 'remote': {
      const { pid } = context
      const message = what.serverName === undefined ? xmlMessage(pid) : binaryMessage(what.serverName, pid)
      return new Messages(new MessageSocket(what.server, context.onTrouble), message)
    }
    case 'async':
      return appender(what.inner, context)
  }
}

/** Lines that a server gets. */
class Messages extends SocketAppender {
  constructor(
    socket: MessageSocket,
    private readonly message: MessageOf,
  ) {
    super(socket)
  }

  append(line: string, event: LogEvent): void {
    this.socket.send(this.message(line, event), event.time)
  }
}
