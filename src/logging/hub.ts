import type { Clock } from '../base/clock.ts'
import { type Fields, LEVELS, type Level, type Log } from '../base/log.ts'
import type { Backend, LogEvent } from './event.ts'
import type { SetLevel } from './overrides.ts'
import { RateLimits } from './rate-limit.ts'

/** The logging of one program: hands events to its backends, which may be exchanged while it runs. */
export class Logging {
  private serial = 0
  private readonly started: number
  private readonly loggers = new Map<string, ModuleLog>()
  /** How often a message with a code may come again. */
  readonly limits = new RateLimits()

  constructor(
    readonly component: string,
    private readonly clock: Clock,
    private backends: readonly Backend[],
  ) {
    this.started = clock.monotonic()
  }

  /** The log of a module, the same object for the same name. */
  log(module = ''): Log {
    let log = this.loggers.get(module)
    if (!log) {
      log = new ModuleLog(this, module)
      this.loggers.set(module, log)
    }
    return log
  }

  /** Puts other backends in place; those that do not stay are flushed and closed. */
  use(backends: readonly Backend[]): void {
    const old = this.backends
    this.backends = backends
    for (const backend of old) {
      if (backends.includes(backend)) continue
      backend.flush()
      backend.close()
    }
    this.changed()
  }

  /** A backend's levels changed: what loggers remember of them is out of date. */
  changed(): void {
    for (const log of this.loggers.values()) log.refresh()
  }

  enabled(level: Level, module: string): boolean {
    return this.backends.some((b) => b.enabled(level, this.component, module))
  }

  /** Whether another backend than this one logs at all. */
  logsBeside(backend: Backend): boolean {
    return this.backends.some((b) => b !== backend && b.enabled('emer', this.component, ''))
  }

  write(level: Level, module: string, message: string, fields: Fields | undefined): void {
    if (fields !== undefined) {
      const verdict = this.limits.judge(module, level, fields, this.clock.monotonic())
      if (verdict === 'suppress') return
      if (verdict.notice !== undefined)
        this.put(level, module, verdict.notice, { code: fields['code'], suppressed: verdict.dropped })
    }
    this.put(level, module, message, fields)
  }

  private put(level: Level, module: string, message: string, fields: Fields | undefined): void {
    const event: LogEvent = {
      time: this.clock.now(),
      level,
      component: this.component,
      module,
      message,
      fields,
      serial: ++this.serial,
      elapsed: this.clock.monotonic() - this.started,
    }
    for (const backend of this.backends) backend.write(event)
  }

  /** Opens the files of all backends again, but of one that has been told already. */
  reopen(told?: Backend): void {
    for (const backend of this.backends) if (backend !== told) backend.reopen()
  }

  /** Sets the level of a module, or of all, in every backend that has levels by a configuration. */
  setLevel(module: string | undefined, level: SetLevel): void {
    for (const backend of this.backends) backend.setLevel?.(module, level)
    this.changed()
  }

  /** The least severe level that a module logs at anywhere beside one backend. */
  levelBeside(told: Backend, module: string): SetLevel {
    const others = this.backends.filter((b) => b !== told)
    return LEVELS.findLast((level) => others.some((b) => b.enabled(level, this.component, module))) ?? 'off'
  }

  /** Closes the files of all backends but one until they are reopened. */
  release(told: Backend): void {
    for (const backend of this.backends) if (backend !== told) backend.release?.()
  }

  flush(): void {
    for (const backend of this.backends) backend.flush()
  }

  close(): void {
    this.flush()
    for (const backend of this.backends) backend.close()
    this.backends = []
    this.changed()
  }
}

const DEPTH: Readonly<Record<Level, number>> = { emer: 0, err: 1, warn: 2, info: 3, dbg: 4 }

/** A module's log. Which levels are on is remembered as one number, so a line that is off costs a comparison. */
class ModuleLog implements Log {
  private depth = -1

  constructor(
    private readonly hub: Logging,
    private readonly module: string,
  ) {
    this.refresh()
  }

  refresh(): void {
    this.depth = -1
    for (let i = 0; i < LEVELS.length; i++) if (this.hub.enabled(LEVELS[i] as Level, this.module)) this.depth = i
  }

  child(module: string): Log {
    return this.hub.log(module)
  }

  enabled(level: Level): boolean {
    return DEPTH[level] <= this.depth
  }

  emer(message: string, fields?: Fields): void {
    if (this.depth >= 0) this.hub.write('emer', this.module, message, fields)
  }

  err(message: string, fields?: Fields): void {
    if (this.depth >= 1) this.hub.write('err', this.module, message, fields)
  }

  warn(message: string, fields?: Fields): void {
    if (this.depth >= 2) this.hub.write('warn', this.module, message, fields)
  }

  info(message: string, fields?: Fields): void {
    if (this.depth >= 3) this.hub.write('info', this.module, message, fields)
  }

  dbg(message: string | (() => string), fields?: Fields): void {
    if (this.depth >= 4) this.hub.write('dbg', this.module, typeof message === 'string' ? message : message(), fields)
  }
}
