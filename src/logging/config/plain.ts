import { LEVELS, type Level } from '../../base/log.ts'
import { ConsoleAppender } from '../appenders/console.ts'
import { RollingFileAppender, rollBySize } from '../appenders/rolling.ts'
import { SYSLOG_SEVERITY, SyslogAppender } from '../appenders/syslog.ts'
import type { LoggingContext } from '../context.ts'
import type { Appender, Backend, Layout, LogEvent } from '../event.ts'
import { LevelOverrides, type SetLevel } from '../overrides.ts'
import { DEFAULT_PATTERNS } from '../vlog/backend.ts'
import { patternLayout } from '../vlog/pattern.ts'
import type { PlainParameters } from './parameters.ts'

/** A message as one line of JSON, as `ovn logs` reads it. */
export function jsonLayout(event: LogEvent): string {
  return JSON.stringify({
    time: new Date(event.time).toISOString(),
    level: event.level.toUpperCase(),
    component: event.component,
    module: event.module,
    message: event.message,
    fields: event.fields,
  })
}

/** Logging as the plain parameters say: the layout of Open vSwitch, or JSON; to a file that rolls, or the console. */
export class PlainBackend implements Backend {
  private readonly outputs: { readonly appender: Appender; readonly layout: Layout }[] = []
  private readonly depth: number
  private readonly overrides = new LevelOverrides()

  constructor(
    private readonly parameters: PlainParameters,
    context: LoggingContext,
  ) {
    this.depth = parameters.disabled ? -1 : LEVELS.indexOf(parameters.level)
    if (parameters.disabled) return
    const facility = parameters.syslog?.facility ?? 1
    const around = { hostname: context.hostname, pid: context.pid, facility: () => facility }
    const layoutOf = (pattern: string) => patternLayout(pattern, around)
    const layout = (pattern: string): Layout => (parameters.json ? jsonLayout : layoutOf(pattern))
    if (parameters.local && parameters.file === undefined)
      this.outputs.push({ appender: new ConsoleAppender(1), layout: layout(DEFAULT_PATTERNS.console) })
    else if (parameters.local && parameters.file !== undefined) {
      const options = { path: context.resolve(parameters.file), onTrouble: context.onTrouble }
      const rolling = rollBySize(parameters.fileSize, parameters.filesCount)
      this.outputs.push({ appender: new RollingFileAppender(options, rolling), layout: layout(DEFAULT_PATTERNS.file) })
    }
    if (parameters.syslog !== undefined) {
      const { address } = parameters.syslog
      // syslog(3) names no host to its own machine's daemon (RFC 3164 §4.1 for the others).
      const rest = layoutOf(address.kind === 'unix' ? '%d{%b %e %H:%M:%S} %A: ' : '%d{%b %e %H:%M:%S} %E %A: ')
      const head: Layout = (e) => `<${facility * 8 + SYSLOG_SEVERITY[e.level]}>${rest(e)}`
      const appender = new SyslogAppender(address, head, context.onTrouble)
      this.outputs.push({ appender, layout: layout(DEFAULT_PATTERNS.syslog) })
    }
  }

  enabled(level: Level, _component: string, module: string): boolean {
    const on = this.overrides.admits(level, module) ?? LEVELS.indexOf(level) <= this.depth
    if (!on || !this.outputs.length) return false
    const { categories } = this.parameters
    return categories.size === 0 || categories.has(module.toLowerCase().replaceAll('-', '_'))
  }

  setLevel(module: string | undefined, level: SetLevel): void {
    this.overrides.set(module, level)
  }

  write(event: LogEvent): void {
    if (!this.enabled(event.level, event.component, event.module)) return
    for (const { appender, layout } of this.outputs) appender.append(layout(event), event)
  }

  reopen(): void {
    for (const o of this.outputs) o.appender.reopen()
  }

  release(): void {
    for (const o of this.outputs) o.appender.release?.()
  }

  flush(): void {
    for (const o of this.outputs) o.appender.flush()
  }

  close(): void {
    for (const o of this.outputs) o.appender.close()
  }
}
