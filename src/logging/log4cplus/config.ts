import { err, ok, type Result } from '../../base/result.ts'
import type { Layout } from '../event.ts'
import { type Filter, filterNamed } from './filter.ts'
import { type AppenderKind, appenderKind } from './kinds.ts'
import { layoutNamed, simpleLayout } from './layout.ts'
import { numberNamed } from './levels.ts'
import { ofLog4j } from './log4j.ts'
import { Options } from './options.ts'
import type { LayoutContext } from './pattern.ts'
import { type Properties, type Property, parseProperties, substitute } from './properties.ts'

export interface AppenderConfig {
  readonly name: string
  /** Events below it are not for this appender. */
  readonly threshold: number
  readonly filters: readonly Filter[]
  /** Lines have their ends with them. */
  readonly layout: Layout
  readonly what: AppenderKind
}

export interface LoggerConfig {
  /** Dotted; empty for the root. */
  readonly name: string
  /** Undefined: that of the logger above. */
  readonly level: number | undefined
  readonly appenders: readonly string[]
}

/** A configuration of log4cplus, as data. */
export interface Log4cplusConfig {
  readonly appenders: readonly AppenderConfig[]
  readonly loggers: readonly LoggerConfig[]
  /** Loggers whose events the loggers above do not get. */
  readonly closed: ReadonlySet<string>
  /** `FILE:LINE: reason`, for what has no effect. */
  readonly warnings: readonly string[]
}

export interface ConfigContext extends Omit<LayoutContext, 'warn' | 'java'> {
  /** The text of an included file, undefined when there is none to read. */
  include(path: string): string | undefined
}

/** A file that is wrong throughout says so this often. */
const MOST_WARNINGS = 100

/**
 * Reads the text of a properties file as log4cplus does: what it does not understand has no effect, and
 * a warning says so. Where nothing could be logged at all the file is refused: `FILE:LINE: reason`.
 */
export function parseLog4cplus(text: string, file: string, context: ConfigContext): Result<Log4cplusConfig> {
  const warnings: string[] = []
  let unsaid = 0
  const warn = (message: string) => {
    if (warnings.length < MOST_WARNINGS) warnings.push(message)
    else unsaid++
  }
  const given = parseProperties(text, file, { include: (path) => context.include(path), warn })
  const properties = substitute(given, (name) => context.environment(name), warn)
  const config = new Config(Options.all(unified(properties)), file, context, warn).read()
  if (!config.ok) return config
  if (unsaid) warnings.push(`${file}: ${unsaid} more lines have no effect`)
  return ok({ ...config.value, warnings })
}

/** Files for log4j have another prefix; where both are there, log4cplus's own counts. */
function unified(properties: Properties): Properties {
  const all = new Map<string, Property>()
  for (const [key, property] of properties) if (key.startsWith('log4j.')) all.set(key.slice(6), property)
  for (const [key, property] of properties) if (key.startsWith('log4cplus.')) all.set(key.slice(10), property)
  return all
}

/** The class without its namespace: log4cplus's, or that of log4j. */
export function className(text: string): string {
  return text.replace(/^(log4cplus::(spi::)?|org\.apache\.log4j\.(varia\.|spi\.)?)/, '')
}

class Config {
  private readonly appenders = new Map<string, AppenderConfig>()
  /** Appenders that there are none of, or none that work: said once. */
  private readonly missing = new Set<string>()

  constructor(
    private readonly options: Options,
    private readonly file: string,
    private readonly context: ConfigContext,
    private readonly warn: (message: string) => void,
  ) {}

  read(): Result<Omit<Log4cplusConfig, 'warnings'>> {
    for (const [name, own] of this.options.below('appender.').grouped()) this.appender(name, own)
    const loggers: LoggerConfig[] = []
    const root = this.options.property('rootLogger')
    if (root) {
      const logger = this.root(root)
      if (!logger.ok) return logger
      loggers.push(logger.value)
    }
    const named = this.options.below('logger.')
    for (const name of named.names()) {
      const property = named.property(name)
      if (property && name !== '') loggers.push(this.logger(name, property))
    }
    if (!loggers.length) return err(`${this.file}:1: log4cplus.rootLogger is missing, and no logger is there`)
    if (!loggers.some((l) => l.appenders.length) && this.missing.size)
      return err(`${place(root, this.file)}: none of the appenders works: ${[...this.missing].join(', ')}`)
    const closed = new Set<string>()
    const additivity = this.options.below('additivity.')
    for (const name of additivity.names()) if (!additivity.flag(name, true)) closed.add(name)
    return ok({ appenders: [...this.appenders.values()], loggers, closed })
  }

  private root(property: Property): Result<LoggerConfig> {
    const { level, appenders } = this.assignment(property)
    // An empty value is as if the line were not there; a level that is none leaves log4cplus without one.
    if (property.text !== '' && numberNamed(level) === undefined)
      return err(`${place(property, this.file)}: rootLogger: Unrecognized log level: ${level}`)
    return ok({ name: '', level: numberNamed(level), appenders })
  }

  private logger(name: string, property: Property): LoggerConfig {
    const { level, appenders } = this.assignment(property)
    const number = numberNamed(level)
    if (number === undefined && !/^inherit(ed)?$/i.test(level))
      this.warn(`${place(property, this.file)}: logger '${name}': Unrecognized log level: ${level}`)
    return { name, level: number, appenders }
  }

  /** `LEVEL, APPENDER, APPENDER`. */
  private assignment(property: Property): { readonly level: string; readonly appenders: readonly string[] } {
    const [level = '', ...names] = property.text.replace(/\s+/g, '').split(',')
    const appenders = new Set<string>()
    for (const name of names) {
      if (name === '') continue
      if (this.appenders.has(name)) appenders.add(name)
      else if (!this.missing.has(name)) {
        this.missing.add(name)
        this.warn(`${place(property, this.file)}: no appender '${name}'`)
      }
    }
    return { level, appenders: [...appenders] }
  }

  private appender(name: string, own: { readonly property: Property | undefined; readonly options: Options }): void {
    // Options of an appender that there is none of: its logger says so.
    if (!own.property) return
    const where = `${place(own.property, this.file)}: appender '${name}'`
    const config = this.configured(name, own.property, own.options, where)
    if (config.ok) this.appenders.set(name, config.value)
    else {
      this.missing.add(name)
      this.warn(`${where}: ${config.error}`)
    }
  }

  private configured(name: string, property: Property, options: Options, where: string): Result<AppenderConfig> {
    const warn = (message: string) => this.warn(`${where}: ${message}`)
    const layout = this.layout(options, warn)
    if (!layout.ok) return layout
    const filters = this.filters(options, warn)
    if (!filters.ok) return filters
    const what = appenderKind(className(property.text), property.text, options, warn, (kind, inner) =>
      this.configured(name, kind, inner, where),
    )
    if (!what.ok) return what
    const threshold = options.get('Threshold')
    const number = threshold === undefined ? 0 : numberNamed(threshold)
    if (number === undefined) warn(`Threshold: Unrecognized log level: ${threshold}`)
    return ok({ name, threshold: number ?? 0, filters: filters.value, layout: layout.value, what: what.value })
  }

  private layout(options: Options, warn: (message: string) => void): Result<Layout> {
    const kind = options.get('layout')
    if (kind === undefined) return ok(simpleLayout)
    return layoutNamed(className(kind), options.below('layout.'), {
      hostname: this.context.hostname,
      pid: this.context.pid,
      java: ofLog4j(kind),
      environment: (name) => this.context.environment(name),
      warn,
    })
  }

  /** From the first on, without gaps. */
  private filters(options: Options, warn: (message: string) => void): Result<Filter[]> {
    const filters: Filter[] = []
    for (let i = 1; ; i++) {
      const kind = options.get(`filters.${i}`)
      if (kind === undefined) return ok(filters)
      const filter = filterNamed(className(kind), options.below(`filters.${i}.`), warn)
      if (!filter.ok) return filter
      filters.push(filter.value)
    }
  }
}

function place(property: Property | undefined, file: string): string {
  return property ? `${property.file}:${property.line}` : `${file}:1`
}
