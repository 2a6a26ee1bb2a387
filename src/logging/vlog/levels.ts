import { err, ok, type Result } from '../../base/result.ts'

/** Destinations, in the order in which `vlog/list` has its columns. */
export const DESTINATIONS = ['console', 'syslog', 'file'] as const
export type Destination = (typeof DESTINATIONS)[number]

/** Levels as a specification names them; `off` lets nothing through. */
export const VLOG_LEVELS = ['off', 'emer', 'err', 'warn', 'info', 'dbg'] as const
export type VlogLevel = (typeof VLOG_LEVELS)[number]

/** RFC 5424 facilities by the names that `vlog/set FACILITY:` takes, in the order of their numbers. */
export const FACILITIES = [
  'kern',
  'user',
  'mail',
  'daemon',
  'auth',
  'syslog',
  'lpr',
  'news',
  'uucp',
  'clock',
  'ftp',
  'ntp',
  'audit',
  'alert',
  'clock2',
  'local0',
  'local1',
  'local2',
  'local3',
  'local4',
  'local5',
  'local6',
  'local7',
] as const

/** The number of a facility: 11 is FTP after the private authorisation facility at 10, which has no name here. */
export function facilityNumber(name: string): number | undefined {
  const at = (FACILITIES as readonly string[]).indexOf(name)
  if (at < 0) return undefined
  return at < 10 ? at : at + 1
}

/** What one specification asks for. */
export type VlogSpec =
  | {
      readonly kind: 'levels'
      readonly module: string | undefined
      readonly destination: Destination | undefined
      readonly level: VlogLevel
    }
  | { readonly kind: 'pattern'; readonly destination: Destination | undefined; readonly pattern: string }
  | { readonly kind: 'facility'; readonly facility: number }

/** A specification of `-v` and `vlog/set`, with the real daemon's words for what is wrong with it. */
export function parseSpec(text: string, isModule: (name: string) => string | undefined): Result<VlogSpec> {
  const words = text.split(/[ ,:]+/).filter((w) => w !== '')
  const first = words[0]?.toLowerCase()
  if (first === 'pattern') return parsePattern(text)
  if (first === 'facility') {
    const name = text.split(':').slice(1).join(':')
    const facility = facilityNumber(name.toLowerCase())
    return facility === undefined ? err('invalid facility') : ok({ kind: 'facility', facility })
  }
  let module: string | undefined
  let destination: Destination | undefined
  let level: VlogLevel | undefined
  for (const word of words) {
    const lower = word.toLowerCase()
    if ((DESTINATIONS as readonly string[]).includes(lower)) {
      if (destination) return err('cannot specify multiple destinations')
      destination = lower as Destination
    } else if ((VLOG_LEVELS as readonly string[]).includes(lower)) {
      if (level) return err('cannot specify multiple levels')
      level = lower as VlogLevel
    } else if (isModule(word) !== undefined) {
      if (module) return err('cannot specify multiple modules')
      module = isModule(word)
    } else if (lower !== 'any') return err(`no destination, level, or module "${word}"`)
  }
  return ok({ kind: 'levels', module, destination, level: level ?? 'dbg' })
}

/** `PATTERN:DESTINATION:PATTERN`: the pattern is all that follows the destination and one separator, even nothing. */
function parsePattern(text: string): Result<VlogSpec> {
  const m = /^[ ,:]*pattern[ ,:]+([^ ,:]+)(?:[ ,:](.*))?$/is.exec(text)
  if (!m) return err('missing destination')
  const name = m[1]?.toLowerCase() ?? ''
  if (name !== 'any' && !(DESTINATIONS as readonly string[]).includes(name)) return err(`unknown destination "${m[1]}"`)
  return ok({ kind: 'pattern', destination: name === 'any' ? undefined : (name as Destination), pattern: m[2] ?? '' })
}
