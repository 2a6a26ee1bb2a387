import { err, ok, type Result } from '../../base/result.ts'
import { type IniFile, parseIni } from '../config/ini.ts'
import type { Layout } from '../event.ts'
import { bind, className, HANDLER_PARAMETERS } from './arguments.ts'
import { LEVEL_NUMBERS, pythonLayout } from './formatter.ts'
import { type HandlerKind, handlerKind } from './handler.ts'
import { type Literal, parseLiteral } from './literal.ts'

export interface HandlerConfig {
  readonly name: string
  /** Events below it are not for this handler. */
  readonly level: number
  readonly layout: Layout
  readonly what: HandlerKind
  /** For a memory handler: who gets what it kept. */
  readonly target: string | undefined
}

export interface LoggerConfig {
  /** Dotted; empty for the root. */
  readonly name: string
  /** 0: that of the logger above. */
  readonly level: number
  readonly propagate: boolean
  readonly handlers: readonly string[]
}

/** A configuration of Python's logging.config.fileConfig, as data. */
export interface PythonConfig {
  readonly handlers: readonly HandlerConfig[]
  readonly loggers: readonly LoggerConfig[]
}

/** Classes that are not of Python's logging, by their whole names; undefined for one that is not known. */
export interface PythonClasses {
  formatter?(name: string, dateFormat: string | undefined): Layout | undefined
  handler?(name: string): HandlerKind | undefined
}

/** Reads the text of a file for logging.config.fileConfig; an error says `FILE:LINE: reason`. */
export function parsePythonConfig(
  text: string,
  file: string,
  pid: number,
  classes: PythonClasses = {},
): Result<PythonConfig> {
  const ini = parseIni(text, file)
  if (!ini.ok) return ini
  return new Config(ini.value, pid, classes).read()
}

type Layouts = ReadonlyMap<string, Layout>

class Refusal extends Error {}

class Config {
  constructor(
    private readonly ini: IniFile,
    private readonly pid: number,
    private readonly classes: PythonClasses,
  ) {}

  read(): Result<PythonConfig> {
    try {
      const layouts = new Map(this.keys('formatters').map((name) => [name, this.formatter(name)]))
      const names = this.keys('handlers')
      const handlers = names.map((name) => this.handler(name, layouts))
      for (const h of handlers) this.followTargets(h, handlers)
      const loggers = this.keys('loggers').map((name) => this.logger(name, names))
      if (!loggers.some((l) => l.name === '')) this.refuse('loggers', 'keys', "'root' is missing among the loggers")
      return ok({ handlers, loggers })
    } catch (e) {
      if (e instanceof Refusal) return err(e.message)
      throw e
    }
  }

  /** A memory handler that fills itself in the end would never be empty. */
  private followTargets(from: HandlerConfig, handlers: readonly HandlerConfig[]): void {
    const seen = new Set<string>()
    let at: HandlerConfig | undefined = from
    while (at?.target !== undefined) {
      if (seen.has(at.name)) this.refuse(`handler_${from.name}`, 'target', 'target leads back to the handler itself')
      seen.add(at.name)
      const target: string = at.target
      at = handlers.find((h) => h.name === target)
      if (!at) this.refuse(`handler_${from.name}`, 'target', `no handler '${target}'`)
    }
  }

  private refuse(section: string, key: string, reason: string): never {
    const line = this.ini.raw(section, key)?.line
    throw new Refusal(line === undefined ? `${this.ini.name}: [${section}] ${reason}` : this.ini.at(line, reason))
  }

  private get(section: string, key: string): string | undefined {
    const r = this.ini.get(section, key)
    if (!r.ok) throw new Refusal(r.error)
    return r.value?.text
  }

  private list(section: string, key: string): string[] {
    const text = this.get(section, key) ?? ''
    return text === '' ? [] : text.split(',').map((n) => n.trim())
  }

  private keys(section: string): string[] {
    if (!this.ini.sections.has(section)) this.refuse(section, 'keys', 'the section is missing')
    if (this.ini.raw(section, 'keys') === undefined) this.refuse(section, 'keys', "'keys' is missing")
    return this.list(section, 'keys')
  }

  private section(kind: string, name: string): string {
    const section = `${kind}_${name}`
    if (!this.ini.sections.has(section)) this.refuse(`${kind}s`, 'keys', `there is no section [${section}]`)
    return section
  }

  private formatter(name: string): Layout {
    const section = this.section('formatter', name)
    const kind = this.get(section, 'class')
    if (kind !== undefined && kind !== '' && kind !== 'logging.Formatter' && kind !== 'Formatter') {
      const own = this.classes.formatter?.(kind, this.ini.raw(section, 'datefmt')?.text)
      return own ?? this.refuse(section, 'class', `no formatter class '${kind}'`)
    }
    const layout = pythonLayout({
      format: this.ini.raw(section, 'format')?.text,
      dateFormat: this.ini.raw(section, 'datefmt')?.text,
      style: this.ini.raw(section, 'style')?.text ?? '%',
      pid: this.pid,
    })
    if (!layout.ok) this.refuse(section, 'format', layout.error)
    return layout.value
  }

  private level(section: string): number | undefined {
    const text = this.get(section, 'level')
    if (text === undefined) return undefined
    const number = LEVEL_NUMBERS[text]
    if (number === undefined) this.refuse(section, 'level', `Unknown level: '${text}'`)
    return number
  }

  private literal(section: string, key: string, missing: string): Literal {
    const r = parseLiteral(this.get(section, key) ?? missing, LEVEL_NUMBERS)
    if (!r.ok) this.refuse(section, key, `${key}: ${r.error}`)
    return r.value
  }

  private handler(name: string, layouts: Layouts): HandlerConfig {
    const section = this.section('handler', name)
    const given = this.get(section, 'class')
    if (given === undefined) this.refuse(section, 'class', "'class' is missing")
    const other = this.classes.handler?.(given)
    if (other) return this.handlerOf(name, section, other, layouts)
    const kind = className(given)
    if (!Object.hasOwn(HANDLER_PARAMETERS, kind)) this.refuse(section, 'class', `no handler class '${given}'`)
    const args = bind(kind, this.literal(section, 'args', '()'), this.literal(section, 'kwargs', '{}'))
    if (!args.ok) this.refuse(section, 'args', args.error)
    const what = handlerKind(kind, args.value)
    if (!what.ok) this.refuse(section, 'args', what.error)
    const target = kind === 'MemoryHandler' ? this.get(section, 'target') || undefined : undefined
    return { ...this.handlerOf(name, section, what.value, layouts), target }
  }

  private handlerOf(name: string, section: string, what: HandlerKind, layouts: Layouts): HandlerConfig {
    const formatter = this.get(section, 'formatter')
    const layout = formatter ? layouts.get(formatter) : (e: { message: string }) => e.message
    if (!layout) this.refuse(section, 'formatter', `no formatter '${formatter}'`)
    return { name, level: this.level(section) ?? 0, layout, what, target: undefined }
  }

  private logger(key: string, handlers: readonly string[]): LoggerConfig {
    const section = this.section('logger', key)
    const names = this.list(section, 'handlers')
    for (const n of names) if (!handlers.includes(n)) this.refuse(section, 'handlers', `no handler '${n}'`)
    const root = key === 'root'
    const name = root ? '' : this.get(section, 'qualname')
    if (name === undefined) this.refuse(section, 'qualname', "'qualname' is missing")
    const propagate = this.get(section, 'propagate') ?? '1'
    if (!/^\s*[-+]?\d+\s*$/.test(propagate))
      this.refuse(section, 'propagate', `propagate is 0 or 1, not '${propagate}'`)
    // Python's root lets warnings through when nothing else is said.
    // A logger has a handler once, however often it is named.
    const own = [...new Set(names)]
    return { name, level: this.level(section) ?? (root ? 30 : 0), propagate: Number(propagate) !== 0, handlers: own }
  }
}
