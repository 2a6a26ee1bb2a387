import { err, ok, type Result } from '../../base/result.ts'
import type { SocketTarget } from '../appenders/socket.ts'
import { SYSLOG_FACILITIES } from '../python/arguments.ts'
import type { AppenderConfig } from './config.ts'
import { javaSchedule, ofLog4j } from './log4j.ts'
import type { Options } from './options.ts'
import type { Property } from './properties.ts'
import type { History } from './rolling.ts'
import { filenamePattern, type Period, RHYTHMS } from './schedule.ts'

/** What an appender does with its lines, as data. */
export type AppenderKind =
  | { readonly kind: 'null' }
  | { readonly kind: 'console'; readonly fd: 1 | 2 }
  | { readonly kind: 'file'; readonly file: FileSettings }
  | { readonly kind: 'rolling'; readonly file: FileSettings; readonly maxBytes: number; readonly backups: number }
  | {
      readonly kind: 'daily'
      readonly file: FileSettings
      readonly period: Period
      readonly datePattern: string | undefined
      readonly backups: number
      readonly rollOnClose: boolean
    }
  | {
      readonly kind: 'history'
      /** Its path is undefined where lines go to the file of their period from the start. */
      readonly file: Omit<FileSettings, 'path'> & { readonly path: string | undefined }
      readonly history: History
      readonly rollOnClose: boolean
    }
  | {
      readonly kind: 'syslog'
      readonly ident: string
      readonly facility: number
      /** Undefined: the daemon of this machine. */
      readonly server: Server | undefined
    }
  | {
      readonly kind: 'remote'
      readonly server: Server
      /** Of this machine, as the server is to know it; undefined: events go as XML. */
      readonly serverName: string | undefined
    }
  | { readonly kind: 'async'; readonly inner: AppenderConfig }

type Server = Exclude<SocketTarget, { readonly kind: 'unix' }>

export interface FileSettings {
  readonly path: string
  readonly truncate: boolean
  readonly createFolders: boolean
  /** Milliseconds after which a file that could not be opened is tried again. */
  readonly retry: number
}

/** Less is not accepted for MaxFileSize. */
const LEAST_SIZE = 200 * 1024

/** An appender by the name of its class, without log4cplus's namespace. */
export function appenderKind(
  name: string,
  given: string,
  options: Options,
  warn: (message: string) => void,
  inner: (kind: Property, options: Options) => Result<AppenderConfig>,
): Result<AppenderKind> {
  switch (name) {
    case 'NullAppender':
      return ok({ kind: 'null' })
    case 'ConsoleAppender': {
      const toError = options.flag('logToStdErr', false) || options.get('Target') === 'System.err'
      return ok({ kind: 'console', fd: toError ? 2 : 1 })
    }
    case 'FileAppender':
      return withFile(options, false, warn, (file) => ({ kind: 'file', file }))
    case 'RollingFileAppender':
      return withFile(options, true, warn, (file) => ({
        ...{ kind: 'rolling', file, maxBytes: maxFileSize(options, warn) },
        backups: Math.max(1, options.integer('MaxBackupIndex') ?? 1),
      }))
    case 'DailyRollingFileAppender':
      if (ofLog4j(given)) {
        const { period, suffix } = javaSchedule(options.get('DatePattern') ?? '')
        const daily = { kind: 'daily', period, datePattern: suffix, backups: 10, rollOnClose: false } as const
        return withFile(options, true, warn, (file) => ({ ...daily, file }))
      }
      return withFile(options, true, warn, (file) => ({
        ...{ kind: 'daily', file, period: schedule(options, warn), datePattern: options.get('DatePattern') },
        backups: Math.max(1, options.integer('MaxBackupIndex') ?? 10),
        rollOnClose: options.flag('RollOnClose', true),
      }))
    case 'TimeBasedRollingFileAppender':
      return timeBased(options, warn)
    case 'SysLogAppender':
    case 'SyslogAppender':
      return ok(syslog(options, name === 'SyslogAppender' ? 'SyslogHost' : 'host', warn))
    case 'AsyncAppender': {
      const kind = options.property('Appender')
      if (!kind || kind.text === '') return err('Unspecified appender for AsyncAppender.')
      if (/AsyncAppender$/.test(kind.text)) return err('an AsyncAppender in an AsyncAppender')
      const r = inner(kind, options.below('Appender.'))
      return r.ok ? ok({ kind: 'async', inner: r.value }) : r
    }
    case 'SocketAppender':
      return ok({
        kind: 'remote',
        server: server(options, 'tcp', 9998, warn),
        serverName: options.get('ServerName') ?? '',
      })
    case 'Log4jUdpAppender':
      return ok({ kind: 'remote', server: server(options, 'udp', 5000, warn), serverName: undefined })
    default:
      return err(`Cannot find appender class "${given}"`)
  }
}

function settings(options: Options, append: boolean, warn: (message: string) => void): Omit<FileSettings, 'path'> {
  if (options.flag('UseLockFile', false)) warn('UseLockFile has no effect: let each process have its own file')
  return {
    truncate: !options.flag('Append', append),
    createFolders: options.flag('CreateDirs', false),
    retry: 1000 * Math.min(Math.max(0, options.integer('ReopenDelay') ?? 1), 1_000_000),
  }
}

function withFile(
  options: Options,
  append: boolean,
  warn: (message: string) => void,
  then: (file: FileSettings) => AppenderKind,
): Result<AppenderKind> {
  const path = options.get('File')
  if (!path) return err('Invalid filename')
  return ok(then({ path, ...settings(options, append, warn) }))
}

/** Bytes, or `KB` or `MB` of them. */
function maxFileSize(options: Options, warn: (message: string) => void): number {
  const text = options.get('MaxFileSize')
  if (text === undefined) return 10 * 1024 * 1024
  const m = /^\s*(\d{1,12})(?:.*?(kb|mb)$)?/i.exec(text)
  const unit = { kb: 1024, mb: 1024 * 1024 }[m?.[2]?.toLowerCase() ?? ''] ?? 1
  const bytes = Number(m?.[1] ?? 0) * unit
  if (bytes >= LEAST_SIZE) return bytes
  warn(`MaxFileSize property value is too small. Resetting to ${LEAST_SIZE}.`)
  return LEAST_SIZE
}

function schedule(options: Options, warn: (message: string) => void): Period {
  const text = options.get('Schedule') ?? ''
  const period = text.toUpperCase()
  if (Object.hasOwn(RHYTHMS, period)) return period as Period
  warn(`"Schedule" not valid: ${text}`)
  return 'DAILY'
}

function timeBased(options: Options, warn: (message: string) => void): Result<AppenderKind> {
  const text = options.get('FilenamePattern')
  if (!text) return err('Invalid filename/filenamePattern values')
  return ok({
    kind: 'history',
    file: { path: options.get('File') || undefined, ...settings(options, true, warn) },
    history: { ...filenamePattern(text), kept: Math.max(0, options.integer('MaxHistory') ?? 10) },
    rollOnClose: options.flag('RollOnClose', true),
  })
}

/** Facilities that the C library has, by their names. */
const FACILITIES = new Set([
  ...['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'],
  ...['local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
])

/** Where a server is; `missing` is the port where none is given. */
function server(options: Options, kind: 'udp' | 'tcp', missing: number, warn: (message: string) => void): Server {
  const given = options.integer('port') ?? missing
  const valid = given > 0 && given < 65536
  if (!valid) warn(`port is a number up to 65535, not ${given}: ${missing} is taken`)
  const [host, ipv6] = [options.get('host') || 'localhost', options.flag('IPv6', false)]
  return { kind, host, port: valid ? given : missing, ipv6 }
}

function syslog(options: Options, hostOption: string, warn: (message: string) => void): AppenderKind {
  const name = (options.get('facility') ?? options.get('Facility') ?? '').toLowerCase()
  const facility = FACILITIES.has(name) ? SYSLOG_FACILITIES[name] : undefined
  if (facility === undefined && name !== '') warn(`Unknown syslog facility: ${name}`)
  const host = options.get('host') || options.get(hostOption)
  return {
    kind: 'syslog',
    ident: options.get('ident') ?? '',
    facility: facility ?? 1,
    server: host ? { ...server(options, options.flag('udp', true) ? 'udp' : 'tcp', 514, warn), host } : undefined,
  }
}
