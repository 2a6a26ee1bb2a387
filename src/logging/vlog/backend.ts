import type { Level } from '../../base/log.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { Appender, Backend, Layout, LogEvent } from '../event.ts'
import { DESTINATIONS, type Destination, parseSpec, type VlogLevel, type VlogSpec } from './levels.ts'
import { patternLayout } from './pattern.ts'

export const DEFAULT_PATTERNS: Readonly<Record<Destination, string>> = {
  console: '%D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m',
  syslog: 'ovs|%05N|%c%T|%p|%m',
  file: '%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m',
}

/** The RFC 3164 head that `vlog/list-pattern` shows before a syslog line; the appender writes it. */
const SYSLOG_PREFIX = '<%B> %D{%h %e %T} %E %A: '

/** The facility of %B where none is set. */
const LOCAL0 = 16

const DEPTH: Readonly<Record<VlogLevel, number>> = { off: 0, emer: 1, err: 2, warn: 3, info: 4, dbg: 5 }

export interface VlogOptions {
  /** The modules that `vlog/list` names; others join as they log. */
  readonly modules: readonly string[]
  readonly hostname: string
  readonly pid: number
  /** What `%T` says in brackets: `monitor` in the process that watches over a daemon. */
  readonly subprogram?: string
  /** Undefined where a destination is not there (yet): a daemon without --log-file has no file. */
  readonly appenders: { readonly [D in Destination]?: Appender }
}

/** Open vSwitch's own way of logging: three destinations, a level for each of them and each module. */
export class VlogBackend implements Backend {
  private readonly levels = new Map<string, Record<Destination, VlogLevel>>()
  private readonly patterns: Record<Destination, string> = { ...DEFAULT_PATTERNS }
  private readonly layouts: Record<Destination, Layout>
  private readonly appenders: Partial<Record<Destination, Appender>>
  private facility: number | undefined
  private closedFile: Appender | undefined
  /** Called when levels changed. */
  onChange: (() => void) | undefined

  constructor(private readonly options: VlogOptions) {
    for (const module of options.modules) this.module(module)
    this.appenders = { ...options.appenders }
    this.layouts = { console: this.compile('console'), syslog: this.compile('syslog'), file: this.compile('file') }
  }

  enabled(level: Level, _component: string, module: string): boolean {
    const levels = this.module(module)
    return DESTINATIONS.some((d) => this.appenders[d] && DEPTH[level] <= DEPTH[levels[d]])
  }

  write(event: LogEvent): void {
    const levels = this.module(event.module)
    for (const d of DESTINATIONS) {
      const appender = this.appenders[d]
      if (appender && DEPTH[event.level] <= DEPTH[levels[d]]) appender.append(this.layouts[d](event), event)
    }
  }

  /** Puts an appender in place, closing the one before it. */
  attach(destination: Destination, appender: Appender | undefined): void {
    this.appenders[destination]?.close()
    if (destination === 'file') this.closedFile = undefined
    if (appender) this.appenders[destination] = appender
    else delete this.appenders[destination]
    this.onChange?.()
  }

  /** The log file, open or closed. */
  get logFile(): Appender | undefined {
    return this.appenders.file ?? this.closedFile
  }

  /** Closes the log file until it is to be opened again. */
  closeFile(): void {
    const { file } = this.appenders
    if (!file) return
    this.attach('file', undefined)
    this.closedFile = file
  }

  get syslogFacility(): number | undefined {
    return this.facility
  }

  /** Carries out one specification of `-v` or `vlog/set`; on an error nothing changes. */
  set(spec: string): Result<VlogSpec> {
    const parsed = parseSpec(spec, (name) => this.findModule(name))
    if (!parsed.ok) return err(parsed.error)
    const s = parsed.value
    if (s.kind === 'facility') this.facility = s.facility
    else if (s.kind === 'pattern') {
      for (const d of s.destination ? [s.destination] : DESTINATIONS) {
        this.patterns[d] = s.pattern
        this.layouts[d] = this.compile(d)
      }
    } else {
      const modules = s.module === undefined ? [...this.levels.keys()] : [s.module]
      for (const module of modules)
        for (const d of s.destination ? [s.destination] : DESTINATIONS) this.module(module)[d] = s.level
      if (s.module === undefined)
        for (const d of s.destination ? [s.destination] : DESTINATIONS) this.defaults[d] = s.level
    }
    this.onChange?.()
    return ok(s)
  }

  /** `vlog/list`; `beside` is the level at which a module logs to files that are not ours. */
  list(beside: (module: string) => VlogLevel = () => 'off'): string {
    const lines = ['                 console    syslog    file', '                 -------    ------    ------']
    for (const module of [...this.levels.keys()].filter(Boolean).sort()) {
      const own = this.module(module)
      const other = beside(module)
      // Where there are other files, ours counts only when it is there.
      const file = other === 'off' || (this.appenders.file && DEPTH[own.file] > DEPTH[other]) ? own.file : other
      const l = { ...own, file }
      const cell = (d: Destination) => ` ${l[d].toUpperCase().padStart(4)}      `
      lines.push(`${module.padEnd(16)} ${cell('console')}${cell('syslog')}${` ${l.file.toUpperCase().padStart(4)}`}`)
    }
    return `${lines.join('\n')}\n`
  }

  /** `vlog/list-pattern`. */
  listPattern(): string {
    const row = (name: string, prefix: string, pattern: string) => `${name.padEnd(8)} ${prefix.padEnd(33)} ${pattern}`
    return `${[
      row('', 'prefix', 'format'),
      row('', '------', '------'),
      row('SYSLOG', SYSLOG_PREFIX, this.patterns.syslog),
      row('CONSOLE', 'none', this.patterns.console),
      row('FILE', 'none', this.patterns.file),
    ].join('\n')}\n`
  }

  /** The log file that was closed takes lines again. */
  openFile(): void {
    if (!this.closedFile) return
    this.appenders.file = this.closedFile
    this.closedFile = undefined
    this.onChange?.()
  }

  reopen(): void {
    this.openFile()
    for (const d of DESTINATIONS) this.appenders[d]?.reopen()
  }

  flush(): void {
    for (const d of DESTINATIONS) this.appenders[d]?.flush()
  }

  close(): void {
    for (const d of DESTINATIONS) this.appenders[d]?.close()
  }

  private readonly defaults: Record<Destination, VlogLevel> = { console: 'info', syslog: 'info', file: 'info' }

  private module(name: string): Record<Destination, VlogLevel> {
    let levels = this.levels.get(name)
    if (!levels) {
      levels = this.defaults ? { ...this.defaults } : { console: 'info', syslog: 'info', file: 'info' }
      this.levels.set(name, levels)
    }
    return levels
  }

  /** A module by its name; case does not matter. */
  findModule(name: string): string | undefined {
    const wanted = name.toLowerCase()
    for (const module of this.levels.keys()) if (module.toLowerCase() === wanted) return module
    return undefined
  }

  private compile(d: Destination): Layout {
    return patternLayout(this.patterns[d], {
      hostname: this.options.hostname,
      pid: this.options.pid,
      subprogram: this.options.subprogram,
      facility: () => this.facility ?? LOCAL0,
    })
  }
}
