import { err, ok, type Result } from '../../base/result.ts'
import type { LoggingContext } from '../context.ts'
import type { Appender } from '../event.ts'
import { type Arguments, isList, nameArgument, numberArgument, SYSLOG_FACILITIES, stringArgument } from './arguments.ts'
import type { Literal } from './literal.ts'
import { pythonSchedule } from './schedule.ts'

/** What a handler does with its lines, as data. */
export type HandlerKind =
  | { readonly kind: 'null' }
  | { readonly kind: 'stream'; readonly fd: 1 | 2 }
  | { readonly kind: 'file'; readonly file: File; readonly watch: boolean }
  | { readonly kind: 'rotating'; readonly file: File; readonly maxBytes: number; readonly backups: number }
  | {
      readonly kind: 'timed'
      readonly file: File
      readonly when: string
      readonly interval: number
      readonly backups: number
      readonly utc: boolean
    }
  | { readonly kind: 'memory'; readonly capacity: number; readonly flushLevel: number; readonly flushOnClose: boolean }
  | { readonly kind: 'syslog'; readonly address: SyslogAddress; readonly facility: number }
  /** An appender that is no handler of Python's. */
  | { readonly kind: 'other'; readonly open: (context: LoggingContext) => Appender }

interface File {
  readonly path: string
  readonly truncate: boolean
  readonly delay: boolean
}

export type SyslogAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'udp' | 'tcp'; readonly host: string; readonly port: number }

/** A handler of a class from its arguments. */
export function handlerKind(kind: string, args: Arguments): Result<HandlerKind> {
  switch (kind) {
    case 'NullHandler':
      return ok({ kind: 'null' })
    case 'StreamHandler': {
      const stream = args.get('stream')
      if (stream === undefined || stream === null) return ok({ kind: 'stream', fd: 2 })
      const name = nameArgument(stream)
      if (name !== 'sys.stdout' && name !== 'sys.stderr') return err('StreamHandler takes sys.stdout or sys.stderr')
      return ok({ kind: 'stream', fd: name === 'sys.stdout' ? 1 : 2 })
    }
    case 'FileHandler':
    case 'WatchedFileHandler':
      return withFile(args, (file) => ok({ kind: 'file', file, watch: kind === 'WatchedFileHandler' }))
    case 'RotatingFileHandler':
      return withFile(args, (file) => {
        const [maxBytes, backups] = [integer(args, 'maxBytes', 0), integer(args, 'backupCount', 0)]
        if (maxBytes === undefined || backups === undefined) return err('maxBytes and backupCount are whole numbers')
        // A file that may roll is never emptied: each start would throw a log away.
        return ok({ kind: 'rotating', file: maxBytes > 0 ? { ...file, truncate: false } : file, maxBytes, backups })
      })
    case 'TimedRotatingFileHandler':
      return withFile(args, (file) => timed(file, args))
    case 'MemoryHandler': {
      const [capacity, flushLevel] = [integer(args, 'capacity', undefined), integer(args, 'flushLevel', 40)]
      if (capacity === undefined || flushLevel === undefined) return err('MemoryHandler takes a capacity and a level')
      return ok({ kind: 'memory', capacity, flushLevel, flushOnClose: args.get('flushOnClose') !== false })
    }
    case 'SysLogHandler':
      return syslog(args)
    default:
      return err(`no handler class '${kind}'`)
  }
}

function integer<D>(args: Arguments, name: string, missing: D): number | D | undefined {
  return args.has(name) ? numberArgument(args.get(name)) : missing
}

function withFile(args: Arguments, then: (file: File) => Result<HandlerKind>): Result<HandlerKind> {
  const path = stringArgument(args.get('filename'))
  if (!path) return err('the name of the file is missing')
  const mode = args.get('mode') ?? 'a'
  if (typeof mode !== 'string' || !/^[aw](t?\+?|\+t)$/.test(mode))
    return err(`mode is 'a' or 'w', not ${JSON.stringify(mode)}`)
  const encoding = args.get('encoding')
  if (typeof encoding === 'string' ? !/^(utf[-_]?8|ascii|us-ascii)$/i.test(encoding) : (encoding ?? null) !== null)
    return err(`files are written in UTF-8, not ${JSON.stringify(encoding)}`)
  return then({ path, truncate: mode.startsWith('w'), delay: Boolean(args.get('delay')) })
}

function timed(file: File, args: Arguments): Result<HandlerKind> {
  const when = stringArgument(args.get('when') ?? 'h')
  const [interval, backups] = [integer(args, 'interval', 1), integer(args, 'backupCount', 0)]
  if (when === undefined || interval === undefined || backups === undefined)
    return err('when is a string, interval and backupCount are whole numbers')
  if ((args.get('atTime') ?? null) !== null) return err('atTime is not supported')
  const utc = Boolean(args.get('utc'))
  const schedule = pythonSchedule(when, interval, utc)
  return schedule.ok ? ok({ kind: 'timed', file, when, interval, backups, utc }) : schedule
}

function syslog(args: Arguments): Result<HandlerKind> {
  const facility = facilityOf(args.get('facility') ?? 1)
  if (facility === undefined) return err(`no facility ${JSON.stringify(args.get('facility'))}`)
  const socktype = args.get('socktype') ?? null
  const type = socktype === null ? 'SOCK_DGRAM' : nameArgument(socktype)
  if (type === undefined) return err('socktype is socket.SOCK_DGRAM or socket.SOCK_STREAM')
  const address = args.get('address') ?? ['localhost', 514]
  if (typeof address === 'string') {
    if (type === 'SOCK_STREAM' && socktype !== null) return err('a unix socket takes datagrams only')
    return ok({ kind: 'syslog', address: { kind: 'unix', path: address }, facility })
  }
  const [host, port] = isList(address) ? address : []
  if (typeof host !== 'string' || typeof port !== 'number' || !(port > 0 && port < 65536))
    return err('address is a path, or a tuple of host and port')
  const kind = type === 'SOCK_STREAM' ? 'tcp' : 'udp'
  return ok({ kind: 'syslog', address: { kind, host, port }, facility })
}

function facilityOf(value: Literal): number | undefined {
  if (typeof value === 'string') return SYSLOG_FACILITIES[value]
  return typeof value === 'number' && value >= 0 && value < 24 ? value : undefined
}
