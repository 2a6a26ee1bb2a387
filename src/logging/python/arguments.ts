import { err, ok, type Result } from '../../base/result.ts'
import type { Dict, Literal, Name } from './literal.ts'

/** Facilities of syslog as SysLogHandler names them (RFC 5424 §6.2.1). */
export const SYSLOG_FACILITIES: Readonly<Record<string, number>> = {
  ...{ kern: 0, user: 1, mail: 2, daemon: 3, auth: 4, syslog: 5, lpr: 6, news: 7, uucp: 8, cron: 9 },
  ...{ authpriv: 10, ftp: 11, ntp: 12, security: 13, console: 14, 'solaris-cron': 15 },
  ...{ local0: 16, local1: 17, local2: 18, local3: 19, local4: 20, local5: 21, local6: 22, local7: 23 },
}

/** The kinds of handlers, each with the parameters of its constructor in their order. */
export const HANDLER_PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  StreamHandler: ['stream'],
  FileHandler: ['filename', 'mode', 'encoding', 'delay', 'errors'],
  WatchedFileHandler: ['filename', 'mode', 'encoding', 'delay', 'errors'],
  RotatingFileHandler: ['filename', 'mode', 'maxBytes', 'backupCount', 'encoding', 'delay', 'errors'],
  TimedRotatingFileHandler: [
    ...['filename', 'when', 'interval', 'backupCount', 'encoding', 'delay', 'utc', 'atTime', 'errors'],
  ],
  MemoryHandler: ['capacity', 'flushLevel', 'target', 'flushOnClose'],
  SysLogHandler: ['address', 'facility', 'socktype'],
  NullHandler: [],
}

const isName = (v: Literal): v is Name => typeof v === 'object' && v !== null && 'name' in v
const isDict = (v: Literal): v is Dict => typeof v === 'object' && v !== null && 'entries' in v
export const isList = (v: Literal | undefined): v is readonly Literal[] => Array.isArray(v)

/** What a class's last name is: `logging.handlers.X`, `handlers.X` and `X` are the same. */
export function className(text: string): string {
  return text.replace(/^(logging\.)?(handlers\.)?/, '')
}

/** A constant's value; streams and socket kinds stay names, which their handlers know. */
function constant(name: string): Result<Literal> {
  const facility = /^(?:logging\.)?(?:handlers\.)?SysLogHandler\.LOG_(\w+)$/.exec(name)?.[1]
  if (facility !== undefined) {
    const number = SYSLOG_FACILITIES[facility.toLowerCase().replace('_', '-')]
    return number === undefined ? err(`no facility '${name}'`) : ok(number)
  }
  const plain = name.replace(/^logging\./, '')
  const levels: Readonly<Record<string, number>> = {
    ...{ CRITICAL: 50, FATAL: 50, ERROR: 40, WARNING: 30, WARN: 30, INFO: 20, DEBUG: 10, NOTSET: 0 },
  }
  const level = levels[plain]
  if (level !== undefined) return ok(level)
  if (plain === 'handlers.DEFAULT_UDP_PORT' || plain === 'handlers.SYSLOG_UDP_PORT') return ok(514)
  if (plain === 'handlers.SYSLOG_TCP_PORT') return ok(514)
  if (/^(sys\.(stdout|stderr|__stdout__|__stderr__)|(socket\.)?SOCK_(STREAM|DGRAM))$/.test(plain)) {
    return ok({ name: plain.replaceAll('__', '').replace(/^socket\./, '') })
  }
  return err(`'${name}' is no constant that may stand here`)
}

/** Constants put in place of their names, also within tuples. */
function resolve(value: Literal): Result<Literal> {
  if (isName(value)) return constant(value.name)
  if (!isList(value)) return ok(value)
  const out: Literal[] = []
  for (const v of value) {
    const r = resolve(v)
    if (!r.ok) return r
    out.push(r.value)
  }
  return ok(out)
}

/** A handler's arguments by their names. */
export type Arguments = ReadonlyMap<string, Literal>

/** Gives positional and named arguments to a handler's parameters. */
export function bind(kind: string, positional: Literal, named: Literal): Result<Arguments> {
  const parameters = HANDLER_PARAMETERS[kind] ?? []
  const args = isList(positional) ? positional : undefined
  if (!args) return err('args is no tuple: a single argument needs a comma behind it')
  if (!isDict(named)) return err('kwargs is no dictionary')
  if (args.length > parameters.length) return err(`${kind} takes ${parameters.length} arguments, not ${args.length}`)
  const out = new Map<string, Literal>()
  for (const [i, value] of args.entries()) {
    const r = resolve(value)
    if (!r.ok) return r
    out.set(parameters[i] as string, r.value)
  }
  for (const [key, value] of named.entries) {
    if (typeof key !== 'string' || !parameters.includes(key))
      return err(`${kind} takes no argument ${JSON.stringify(key)}`)
    if (out.has(key)) return err(`${kind} is given '${key}' twice`)
    const r = resolve(value)
    if (!r.ok) return r
    out.set(key, r.value)
  }
  return ok(out)
}

export const stringArgument = (value: Literal | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined

/** A whole number; undefined for something else. */
export function numberArgument(value: Literal | undefined): number | undefined {
  if (typeof value === 'boolean') return value ? 1 : 0
  return typeof value === 'number' && Number.isFinite(value) ? Math.trunc(value) : undefined
}

export const nameArgument = (value: Literal | undefined): string | undefined =>
  value !== undefined && isName(value) ? value.name : undefined
