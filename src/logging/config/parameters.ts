import type { Level } from '../../base/log.ts'
import { err, ok, type Result } from '../../base/result.ts'
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
  /** Facility number, when syslog is used. */
  readonly syslog: number | undefined
}

/** What a file given with --logging-config asks for. */
export type LoggingParameters =
  | { readonly kind: 'plain'; readonly plain: PlainParameters; readonly warnings: readonly string[] }
  /** Another file, in the format of Python's logging.config.fileConfig. */
  | { readonly kind: 'python'; readonly file: string; readonly warnings: readonly string[] }

const PLAIN = [
  ...['log_file', 'log_level', 'log_local', 'log_category', 'log_disable', 'log_file_size', 'log_files_count'],
  ...['log_format', 'use_syslog', 'syslog_facility'],
]
const OTHERS = ['logging_conf', 'logger_class', 'log_property_file']

/** Names of classes in existing files that mean the built-in ones. */
const CLASSES: Readonly<Record<string, 'python' | 'oslo'>> = {
  ConfigLogger: 'python',
  OsloLogger: 'oslo',
  'pysandesh.sandesh_logger.SandeshConfigLogger': 'python',
  'contrail_oslo_logger.contrail_oslo_logger.ContrailOsloLogger': 'oslo',
}

/** Reads the parameters of section [DEFAULT]; an error says `FILE:LINE: reason`. */
export function parseParameters(text: string, file: string): Result<LoggingParameters> {
  const ini = parseIni(text, file)
  if (!ini.ok) return ini
  const { defaults } = ini.value
  const warnings: string[] = []
  for (const [key, value] of defaults)
    if (!PLAIN.includes(key) && !OTHERS.includes(key))
      warnings.push(ini.value.at(value.line, `unknown parameter '${key}' ignored`))
  const own = section(ini.value, warnings)
  if (!own.ok) return own
  if (own.value === undefined) {
    const plain = plainParameters(ini.value)
    return plain.ok ? ok({ kind: 'plain', plain: plain.value, warnings }) : plain
  }
  const ignored = PLAIN.filter((key) => defaults.has(key))
  if (ignored.length) warnings.push(`${file}: logging_conf is set, ignored: ${ignored.join(', ')}`)
  return ok({ kind: 'python', file: own.value, warnings })
}

/** The other file that is named; undefined when the plain parameters count. */
function section(ini: IniFile, warnings: string[]): Result<string | undefined> {
  const value = (key: string) => {
    const v = ini.defaults.get(key)
    return v?.text ? v : undefined
  }
  const [conf, given, properties] = [value('logging_conf'), value('logger_class'), value('log_property_file')]
  const refuse = (v: IniValue, reason: string) => err(ini.at(v.line, reason))
  if (properties) return refuse(properties, 'log_property_file: log4cplus properties are not supported yet')
  if (given && !conf && Object.hasOwn(CLASSES, given.text)) {
    warnings.push(ini.at(given.line, 'logger_class is ignored: logging_conf is missing'))
    return ok(undefined)
  }
  if (given) {
    const kind = Object.hasOwn(CLASSES, given.text) ? CLASSES[given.text] : undefined
    if (kind === 'oslo') return refuse(given, `logger_class '${given.text}': oslo.log's options are not supported yet`)
    if (kind === undefined)
      return refuse(given, `logger_class '${given.text}': classes of one's own are not supported yet`)
    return ok(conf?.text)
  }
  if (conf) warnings.push(ini.at(conf.line, 'logging_conf is ignored: logger_class is missing'))
  return ok(undefined)
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
    return ok({
      file: file === '' || file === '<stdout>' ? undefined : file,
      level: get<Level>('log_level', 'info', levelNamed, 'a level'),
      local: yes('log_local', true),
      categories: get<ReadonlySet<string>>('log_category', new Set(), categories, 'a list of modules'),
      disabled: yes('log_disable', false),
      fileSize: get('log_file_size', 1024 * 1024, byteCount, 'a number of bytes'),
      filesCount: get('log_files_count', 10, count, 'a number'),
      json: get('log_format', false, (t) => ({ json: true, text: false })[t.toLowerCase()], 'json or text'),
      syslog: yes('use_syslog', false) ? facility : undefined,
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
