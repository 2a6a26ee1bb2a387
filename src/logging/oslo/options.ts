import { err, ok, type Result } from '../../base/result.ts'
import { SYSLOG_FACILITIES } from '../python/arguments.ts'
import { LEVEL_NUMBERS } from '../python/formatter.ts'
import { compilePercent, type Style } from '../python/style.ts'
import { type OsloFile, parseOsloFile, substitute } from './file.ts'

/** Options of oslo.log (its configuration reference), with the defaults filled in. */
export interface OsloOptions {
  readonly debug: boolean
  readonly configFile: string | undefined
  readonly dateFormat: string | undefined
  /** Undefined: no file. */
  readonly file: string | undefined
  readonly useSyslog: boolean
  readonly facility: number
  readonly useJournal: boolean
  readonly useJson: boolean
  readonly useStderr: boolean
  readonly color: boolean
  /** Nothing rolls a file that is watched: who moves it does. */
  readonly rotation: 'interval' | 'size' | 'none'
  readonly rotateEvery: number
  /** As oslo.log names them, in lower case. */
  readonly rotateUnit: string
  readonly maxCount: number
  readonly maxMegabytes: number
  /** Formats; undefined where they are empty. */
  readonly contextFormat: OsloFormat | undefined
  readonly defaultFormat: OsloFormat | undefined
  /** Behind lines of level DEBUG. */
  readonly debugSuffix: Style | undefined
  readonly instanceFormat: Style | undefined
  /** Numbers of levels by the names of loggers; the root's is empty. */
  readonly levels: ReadonlyMap<string, number>
  readonly rate: RateLimitOptions
}

export interface OsloFormat extends Style {
  /** %(error_summary) of a message without an error: empty, unless the format has just this as `%(error_summary)s`. */
  readonly summary: string
}

export interface RateLimitOptions {
  /** Seconds; 0 is no limit. */
  readonly interval: number
  readonly burst: number
  /** Events of this level and above are not counted. */
  readonly exceptLevel: number
}

const HEAD = '%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s'
const INSTANCE = '[instance: %(uuid)s] '

/** The defaults, as they would be written. */
const DEFAULTS: Readonly<Record<string, string>> = {
  ...{ debug: 'false', log_config_append: '', log_date_format: '%Y-%m-%d %H:%M:%S', log_file: '', log_dir: '' },
  ...{ watch_log_file: 'false', use_syslog: 'false', use_journal: 'false', syslog_log_facility: 'LOG_USER' },
  ...{ use_json: 'false', use_stderr: 'false', use_eventlog: 'false', log_color: 'false' },
  ...{ log_rotate_interval: '1', log_rotate_interval_type: 'days', max_logfile_count: '30' },
  ...{ max_logfile_size_mb: '200', log_rotation_type: 'none' },
  logging_context_format_string: `${HEAD} [%(global_request_id)s %(request_id)s %(user_identity)s] %(instance)s%(message)s`,
  logging_default_format_string: `${HEAD} [-] %(instance)s%(message)s`,
  logging_debug_format_suffix: '%(funcName)s %(pathname)s:%(lineno)d',
  logging_exception_prefix: '%(asctime)s.%(msecs)03d %(process)d ERROR %(name)s %(instance)s',
  logging_user_identity_format: '%(user)s %(project)s %(domain)s %(system_scope)s %(user_domain)s %(project_domain)s',
  // Its default names loggers of Python libraries: none is ours.
  ...{ default_log_levels: '', publish_errors: 'false', instance_format: INSTANCE, instance_uuid_format: INSTANCE },
  ...{ rate_limit_interval: '0', rate_limit_burst: '0', rate_limit_except_level: 'CRITICAL' },
  fatal_deprecations: 'false',
}

/** Older names of options. */
const OLDER: Readonly<Record<string, string>> = {
  ...{ logfile: 'log_file', logdir: 'log_dir', log_config: 'log_config_append' },
}

const FACILITIES = [
  ...['user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv'],
  ...['local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
]

const INTERVALS = ['seconds', 'minutes', 'hours', 'days', 'weekday', 'midnight']

/** Reads a file of oslo.log's options for a program; an error says `FILE:LINE: reason`. */
export function parseOsloOptions(
  text: string,
  file: string,
  component: string,
): Result<{ readonly options: OsloOptions; readonly warnings: readonly string[] }> {
  const parsed = parseOsloFile(text, file)
  if (!parsed.ok) return parsed
  try {
    const reader = new Reader(parsed.value, file)
    return ok({ options: read(reader, component), warnings: reader.warnings })
  } catch (e) {
    if (e instanceof Refusal) return err(e.message)
    throw e
  }
}

class Refusal extends Error {}

/** The options by their present names. */
class Reader {
  readonly warnings: string[] = []
  private readonly values = new Map<string, { readonly text: string; readonly line: number }>()

  constructor(
    options: OsloFile,
    private readonly file: string,
  ) {
    for (const [given, values] of options) {
      const last = values.at(-1)
      if (!last) continue
      const older = Object.hasOwn(OLDER, given) ? OLDER[given] : undefined
      const name = older ?? given
      const warn = (reason: string) => this.warnings.push(`${file}:${last.line}: ${reason}`)
      if (!Object.hasOwn(DEFAULTS, name)) {
        const meant = given.toLowerCase().replaceAll('-', '_')
        const known = Object.hasOwn(DEFAULTS, meant) || Object.hasOwn(OLDER, meant)
        const hint = known ? `: it is written '${meant}'` : ''
        warn(`unknown option '${given}' ignored${hint}`)
        continue
      }
      if (older !== undefined) warn(`option '${given}' is deprecated, use '${name}'`)
      if (older === undefined || !options.has(name)) this.values.set(name, last)
    }
  }

  refuse(name: string, reason: string): never {
    const line = this.values.get(name)?.line
    throw new Refusal(line === undefined ? `${this.file}: ${name}: ${reason}` : `${this.file}:${line}: ${reason}`)
  }

  text(name: string): string {
    const r = this.expand(name, 0)
    if (!r.ok) this.refuse(name, `${name}: ${r.error}`)
    return r.value
  }

  private expand(name: string, depth: number): Result<string> {
    if (depth > 9) return err('value refers to itself')
    return substitute(this.values.get(name)?.text ?? DEFAULTS[name] ?? '', (other) => {
      const known = Object.hasOwn(OLDER, other) ? (OLDER[other] as string) : other
      if (!Object.hasOwn(DEFAULTS, known)) return ok(undefined)
      const text = this.expand(known, depth + 1)
      return text.ok ? ok(asPython(known, text.value)) : text
    })
  }

  boolean(name: string): boolean {
    const text = this.text(name)
    if (/^(1|true|yes|on)$/i.test(text)) return true
    if (/^(0|false|no|off)$/i.test(text)) return false
    return this.refuse(name, `${name} is true or false, not '${text}'`)
  }

  /** An option of what is not there: one warning when it is on. */
  withoutEffect(name: string, reason: string): void {
    if (this.boolean(name))
      this.warnings.push(`${this.file}:${this.values.get(name)?.line}: ${name} has no effect: ${reason}`)
  }

  integer(name: string, least: number): number {
    const text = this.text(name).trim()
    const number = Number(text)
    if (!/^[-+]?\d{1,9}$/.test(text) || number < least)
      this.refuse(name, `${name} is a whole number of at least ${least}, not '${text}'`)
    return number
  }

  /** A format of Python's operator %. */
  format(name: string): OsloFormat | undefined {
    const text = this.text(name)
    if (text === '') return undefined
    const r = compilePercent(text)
    if (!r.ok) this.refuse(name, `${name}: ${r.error}`)
    return { ...r.value, summary: text.includes('%(error_summary)s') ? '-' : '' }
  }

  choice<T extends string>(name: string, choices: readonly T[]): T {
    const text = this.text(name)
    const found = choices.find((c) => c === text.toLowerCase())
    return found ?? this.refuse(name, `${name}: Valid values are [${choices.join(', ')}], but found '${text}'`)
  }
}

/** An option's value in the middle of a text: str() of what Python has for it. */
function asPython(name: string, text: string): string {
  const missing = DEFAULTS[name]
  if (missing === '' && text === '' && name !== 'default_log_levels') return 'None'
  if (missing !== 'true' && missing !== 'false') return text
  return /^(1|true|yes|on)$/i.test(text) ? 'True' : 'False'
}

function read(reader: Reader, component: string): OsloOptions {
  const option = (name: string) => reader.text(name) || undefined
  reader.withoutEffect('publish_errors', 'there is no message bus to publish to')
  reader.withoutEffect('use_eventlog', 'there is no Windows event log here')
  reader.boolean('fatal_deprecations')
  return {
    debug: reader.boolean('debug'),
    configFile: option('log_config_append'),
    dateFormat: reader.text('log_date_format'),
    file: logFile(option('log_dir'), option('log_file'), component),
    useSyslog: reader.boolean('use_syslog'),
    facility: facility(reader),
    useJournal: reader.boolean('use_journal'),
    useJson: reader.boolean('use_json'),
    useStderr: reader.boolean('use_stderr'),
    color: reader.boolean('log_color'),
    rotation: reader.boolean('watch_log_file')
      ? 'none'
      : reader.choice('log_rotation_type', ['interval', 'size', 'none']),
    rotateEvery: rotateEvery(reader),
    rotateUnit: reader.choice('log_rotate_interval_type', INTERVALS),
    maxCount: reader.integer('max_logfile_count', 0),
    maxMegabytes: reader.integer('max_logfile_size_mb', 0),
    contextFormat: reader.format('logging_context_format_string'),
    defaultFormat: reader.format('logging_default_format_string'),
    debugSuffix: reader.format('logging_debug_format_suffix'),
    instanceFormat: reader.format('instance_uuid_format'),
    levels: levels(reader),
    rate: {
      interval: reader.integer('rate_limit_interval', 0),
      burst: reader.integer('rate_limit_burst', 0),
      exceptLevel: exceptLevel(reader),
    },
  }
}

/** A file alone, a file in a directory, or in that directory the file that is named after the program. */
function logFile(dir: string | undefined, file: string | undefined, component: string): string | undefined {
  if (dir === undefined) return file
  if (file === undefined) return `${dir.replace(/\/$/, '')}/${component}.log`
  return file.startsWith('/') ? file : `${dir.replace(/\/$/, '')}/${file}`
}

/** Days of the week count from Monday, 0. */
function rotateEvery(reader: Reader): number {
  if (reader.text('log_rotate_interval_type').toLowerCase() !== 'weekday')
    return reader.integer('log_rotate_interval', 1)
  const day = reader.integer('log_rotate_interval', 0)
  return day <= 6 ? day : reader.refuse('log_rotate_interval', `a day of the week is 0 to 6, not ${day}`)
}

function facility(reader: Reader): number {
  const text = reader.text('syslog_log_facility')
  const name = text.toLowerCase().replace(/^log_/, '')
  if (FACILITIES.includes(name)) return SYSLOG_FACILITIES[name] as number
  const names = FACILITIES.map((f) => `'LOG_${f.toUpperCase()}'`).join(', ')
  return reader.refuse('syslog_log_facility', `syslog facility must be one of: ${names}`)
}

function level(text: string): number | undefined {
  if (/^\d{1,6}$/.test(text)) return Number(text)
  return Object.hasOwn(LEVEL_NUMBERS, text) ? LEVEL_NUMBERS[text] : undefined
}

/** `logger=LEVEL` by commas. */
function levels(reader: Reader): ReadonlyMap<string, number> {
  const out = new Map<string, number>()
  const items = reader.text('default_log_levels').split(',')
  for (const [i, item] of items.entries()) {
    const pair = item.trim()
    if (pair === '' && i === items.length - 1) break
    const at = pair.indexOf('=')
    const [name, text] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
    const number = level(text)
    if (number === undefined) reader.refuse('default_log_levels', `Unknown level: '${text}'`)
    out.set(name === 'root' ? '' : name, number)
  }
  return out
}

/** Empty: all events are counted. */
function exceptLevel(reader: Reader): number {
  const text = reader.text('rate_limit_except_level')
  if (text === '') return Number.POSITIVE_INFINITY
  const number = ['CRITICAL', 'ERROR', 'WARNING', 'INFO', 'DEBUG'].includes(text) ? LEVEL_NUMBERS[text] : undefined
  return number ?? reader.refuse('rate_limit_except_level', `invalid log level name: '${text}'`)
}
