import type { Level } from '../../base/log.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { SocketTarget } from '../appenders/socket.ts'
import { syslogAddress } from '../appenders/syslog.ts'
import { SYSLOG_FACILITIES } from '../python/arguments.ts'
import { levelNamed } from '../reading/record.ts'
import { type IniFile, type IniValue, parseIni } from './ini.ts'

/** The plain parameters. */
export interface PlainParameters {
  /** Undefined: the console. */
  readonly file: string | undefined
  readonly level: Level
  /** Whether to log to file or console at all. */
  readonly local: boolean
  /** Only these modules; none: all. */
  readonly categories: ReadonlySet<string>
  readonly disabled: boolean
  /** Bytes at which a file rolls; 0: never. */
  readonly fileSize: number
  /** Older files kept. */
  readonly filesCount: number
  readonly json: boolean
  /** Where to, and the number of the facility; undefined when syslog is not used. */
  readonly syslog: { readonly address: SocketTarget; readonly facility: number } | undefined
}

/** What a file given with --logging-config asks for. */
export type LoggingParameters = (PlainFile | OtherFile | OwnLogger) & { readonly warnings: readonly string[] }

interface PlainFile {
  readonly kind: 'plain'
  readonly plain: PlainParameters
}

/** Another file: for Python's logging.config.fileConfig, of oslo.log's options, of log4cplus properties. */
export interface OtherFile {
  readonly kind: 'python' | 'oslo' | 'properties'
  readonly file: string
  /** `FILE:LINE` of the parameter that names it. */
  readonly at: string
}

/** A class of one's own. */
export interface OwnLogger {
  readonly kind: 'own'
  /** The module's path, or a package's name. */
  readonly module: string
  /** What it exports. */
  readonly className: string
  /** logging_conf, which is the class's own to read. */
  readonly file: string | undefined
  /** The keys, in lower case, of the section that has the class's name. */
  readonly options: Readonly<Record<string, string>>
  /** `FILE:LINE` of logger_class. */
  readonly at: string
}

const PLAIN = [
  ...['log_file', 'log_level', 'log_local', 'log_category', 'log_disable', 'log_file_size', 'log_files_count'],
  ...['log_format', 'use_syslog', 'syslog_facility', 'syslog_address'],
]
const DEV_LOG: SocketTarget = { kind: 'unix', path: '/dev/log' }
const OTHERS = ['logging_conf', 'logger_class', 'log_property_file']

/** Names of classes, the last part of a Python path, that mean the built-in ones; `plain` is the default. */
const CLASSES: Readonly<Record<string, 'plain' | 'python' | 'oslo'>> = {
  ...{ ConfigLogger: 'python', SandeshConfigLogger: 'python' },
  ...{ OsloLogger: 'oslo', ContrailOsloLogger: 'oslo' },
  SandeshLogger: 'plain',
}

/** `pysandesh.sandesh_logger.SandeshConfigLogger` is `SandeshConfigLogger`, wherever a release has put it. */
function knownClass(text: string): 'plain' | 'python' | 'oslo' | undefined {
  if (!/^(\w+\.)*\w+$/.test(text)) return undefined
  const name = text.slice(text.lastIndexOf('.') + 1)
  return Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined
}

/** What to do with a file that was given in the place of the one that is to name it. */
const NAMED_BY = {
  log4cplus: 'a file for log4cplus or log4j is named by log_property_file',
  python: "a file for Python's logging is named by logging_conf, with logger_class = ConfigLogger",
}

/** Reads the parameters of section [DEFAULT]; an error says `FILE:LINE: reason`. */
export function parseParameters(text: string, file: string): Result<LoggingParameters> {
  const ini = parseIni(text, file)
  if (!ini.ok) return /^\s*log4(cplus|j)\./m.test(text) ? err(`${ini.error}; ${NAMED_BY.log4cplus}`) : ini
  const { defaults } = ini.value
  if (defaults.size === 0 && ini.value.sections.has('loggers'))
    return err(`${file}:1: no [DEFAULT]; ${NAMED_BY.python}`)
  const warnings: string[] = []
  for (const [key, value] of defaults)
    if (!PLAIN.includes(key) && !OTHERS.includes(key))
      warnings.push(ini.value.at(value.line, `unknown parameter '${key}' ignored`))
  const named = namedLogging(ini.value, warnings)
  if (!named.ok) return named
  if (named.value === undefined) {
    const plain = plainParameters(ini.value)
    return plain.ok ? ok({ kind: 'plain', plain: plain.value, warnings }) : plain
  }
  const ignored = PLAIN.filter((key) => defaults.has(key))
  const by =
    named.value.kind === 'properties' ? 'log_property_file' : named.value.file ? 'logging_conf' : 'logger_class'
  if (ignored.length) warnings.push(`${file}: ${by} is set, ignored: ${ignored.join(', ')}`)
  return ok({ ...named.value, warnings })
}

/** What takes the plain parameters' place; undefined when they count. */
function namedLogging(ini: IniFile, warnings: string[]): Result<OtherFile | OwnLogger | undefined> {
  const value = (key: string) => {
    const v = ini.defaults.get(key)
    return v?.text ? v : undefined
  }
  const at = (v: IniValue) => `${ini.name}:${v.line}`
  const [conf, given, properties] = [value('logging_conf'), value('logger_class'), value('log_property_file')]
  const kind = given && knownClass(given.text)
  if (given && !kind) {
    if (properties) warnings.push(ini.at(properties.line, 'log_property_file is ignored: logger_class is set'))
    return ownLogger(ini, given, conf?.text)
  }
  if (conf && kind && kind !== 'plain') {
    if (properties) warnings.push(ini.at(properties.line, 'log_property_file is ignored: logging_conf is set'))
    return ok({ kind, file: conf.text, at: at(conf) })
  }
  if (conf) warnings.push(ini.at(conf.line, `logging_conf is ignored: logger_class is ${given?.text ?? 'missing'}`))
  else if (given && kind !== 'plain')
    warnings.push(ini.at(given.line, 'logger_class is ignored: logging_conf is missing'))
  return ok(properties && { kind: 'properties', file: properties.text, at: at(properties) })
}

/** `./my-logger.mjs#MyLogger`. */
function ownLogger(ini: IniFile, given: IniValue, file: string | undefined): Result<OwnLogger> {
  const m = /^([^#]+)#([A-Za-z_$][\w$]*)$/.exec(given.text)
  const [, module, className] = m ?? []
  if (module === undefined || className === undefined) {
    const known = "ConfigLogger, OsloLogger, or a class of one's own as MODULE#CLASS"
    return err(ini.at(given.line, `logger_class is ${known}, not '${given.text}'`))
  }
  const section = ini.sections.get(className) ?? new Map<string, IniValue>()
  const options = Object.fromEntries([...section].map(([key, v]) => [key, v.text]))
  return ok({ kind: 'own', module: module.trim(), className, file, options, at: `${ini.name}:${given.line}` })
}

class Refusal extends Error {}

function plainParameters(ini: IniFile): Result<PlainParameters> {
  const get = <T>(key: string, missing: T, read: (text: string) => T | undefined, wanted: string): T => {
    const v = ini.defaults.get(key)
    if (!v || v.text === '') return missing
    const value = read(v.text)
    if (value === undefined) throw new Refusal(ini.at(v.line, `${key} is ${wanted}, not '${v.text}'`))
    return value
  }
  const yes = (key: string, missing: boolean) => get(key, missing, boolean, 'true or false')
  try {
    const file = get('log_file', '', (t) => t, 'a path')
    const facility = get('syslog_facility', 1, facilityNamed, 'a facility of syslog')
    const address = get('syslog_address', DEV_LOG, syslogAddress, 'a path, HOST:PORT or tcp:HOST:PORT')
    return ok({
      file: file === '' || file === '<stdout>' ? undefined : file,
      level: get<Level>('log_level', 'info', levelNamed, 'a level'),
      local: yes('log_local', true),
      categories: get<ReadonlySet<string>>('log_category', new Set(), categories, 'a list of modules'),
      disabled: yes('log_disable', false),
      fileSize: get('log_file_size', 1024 * 1024, byteCount, 'a number of bytes'),
      filesCount: get('log_files_count', 10, count, 'a number'),
      json: get('log_format', false, (t) => ({ json: true, text: false })[t.toLowerCase()], 'json or text'),
      syslog: yes('use_syslog', false) ? { address, facility } : undefined,
    })
  } catch (e) {
    if (e instanceof Refusal) return err(e.message)
    throw e
  }
}

function boolean(text: string): boolean | undefined {
  if (/^(1|true|yes|on)$/i.test(text)) return true
  return /^(0|false|no|off)$/i.test(text) ? false : undefined
}

function count(text: string): number | undefined {
  return /^\d{1,6}$/.test(text) ? Number(text) : undefined
}

/** `1048576`, `1024K`, `1M`, `1 MiB`. */
function byteCount(text: string): number | undefined {
  const m = /^(\d{1,12})\s*([kmg]?)(?:i?b)?$/i.exec(text)
  if (!m) return undefined
  return Number(m[1]) * 1024 ** ['', 'k', 'm', 'g'].indexOf((m[2] as string).toLowerCase())
}

function categories(text: string): ReadonlySet<string> {
  const names = text.split(/[\s,]+/).filter((n) => n)
  return new Set(names.includes('*') ? [] : names.map((n) => n.toLowerCase().replaceAll('-', '_')))
}

/** `local0`, `LOG_LOCAL0`. */
function facilityNamed(text: string): number | undefined {
  const name = text.toLowerCase().replace(/^log_/, '')
  return Object.hasOwn(SYSLOG_FACILITIES, name) ? SYSLOG_FACILITIES[name] : undefined
}
