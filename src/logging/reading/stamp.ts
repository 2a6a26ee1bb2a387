/** The time at the head of a line. */
export interface Stamp {
  /** Milliseconds since 1970. */
  readonly time: number
  /** Characters up to the end of the time. */
  readonly length: number
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

const DAY = 24 * 3_600_000

/** What may stand before the time: a bracket, a syslog message's head, a level (`WARNING:`, `[INFO]`, `INFO  `). */
const BEFORE = String.raw`^(?:<\d{1,3}>1? ?)?(?:\[?[A-Z]{3,8}\]?[\s:|-]{1,8})?[[(]?`

/** `08:38:31`, with a fraction behind a point or (Python) a comma. */
const CLOCK = String.raw`(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?`

/** ISO 8601 with a T or a blank. */
const ISO = new RegExp(`${BEFORE}(\\d{4})[-/](\\d\\d)[-/](\\d\\d)[T ]${CLOCK}( ?(?:Z|UTC|[+-]\\d\\d:?\\d\\d)\\b)?`)

/** `Nov  4 08:38:31` (RFC 3164 §4.1.2), `Wed Nov 4 08:38:31 2026` (ctime(3)). */
const SYSLOG = new RegExp(`${BEFORE}(?:[A-Z][a-z]{2},? )?([A-Z][a-z]{2}) {1,2}(\\d{1,2}) ${CLOCK}( \\d{4}\\b)?`)

/** `04 Nov 2026 08:38:31,793` (log4j's DATE), `04/Nov/2026:08:38:31`. */
const DAY_FIRST = new RegExp(`${BEFORE}(\\d{1,2})[ /-]([A-Z][a-z]{2})[ /-](\\d{4})[ :]${CLOCK}`)

/** `11/04/26 08:38:31,793` (log4cplus in many of its files), `11/04/2026 ...`. */
const MONTH_FIRST = new RegExp(`${BEFORE}(\\d\\d)[/-](\\d\\d)[/-](\\d{4}|\\d\\d),? ${CLOCK}`)

/**
 * The time that a line begins with, in one of the forms that logs have. Without a zone it is this machine's time;
 * without a year (syslog) it is the last such day up to a day after `now`, milliseconds since 1970.
 */
export function stampOf(line: string, now: number): Stamp | undefined {
  const head = line.length > 120 ? line.slice(0, 120) : line
  let m = ISO.exec(head)
  if (m) return made(m, [m[1], m[2], m[3]], m.slice(4, 8), m[8])
  m = SYSLOG.exec(head)
  if (m) {
    const month = monthOf(m[1])
    if (month === undefined) return undefined
    if (m[7] !== undefined) return made(m, [m[7], month, m[2]], m.slice(3, 7), undefined)
    const year = new Date(now).getFullYear()
    const here = made(m, [String(year), month, m[2]], m.slice(3, 7), undefined)
    return here && here.time > now + DAY ? made(m, [String(year - 1), month, m[2]], m.slice(3, 7), undefined) : here
  }
  m = DAY_FIRST.exec(head)
  if (m) return made(m, [m[3], monthOf(m[2]), m[1]], m.slice(4, 8), undefined)
  m = MONTH_FIRST.exec(head)
  if (m) return made(m, [m[3]?.length === 2 ? `20${m[3]}` : m[3], m[1], m[2]], m.slice(4, 8), undefined)
  return undefined
}

function monthOf(name: string | undefined): string | undefined {
  const at = MONTHS.indexOf((name ?? '').toLowerCase())
  return at < 0 ? undefined : String(at + 1)
}

function made(
  m: RegExpExecArray,
  date: readonly (string | undefined)[],
  clock: readonly (string | undefined)[],
  zone: string | undefined,
): Stamp | undefined {
  const two = (text: string | undefined) => (text ?? '').trim().padStart(2, '0')
  const z = zone?.trim()
  const offset = z === undefined ? '' : z === 'Z' || z === 'UTC' ? 'Z' : `${z.slice(0, 3)}:${z.slice(-2)}`
  const text = `${two(date[0])}-${two(date[1])}-${two(date[2])}T${two(clock[0])}:${two(clock[1])}:${two(clock[2])}`
  const seconds = Date.parse(text + offset)
  if (Number.isNaN(seconds)) return undefined
  return { time: seconds + (clock[3] ? Number(`0.${clock[3]}`) * 1000 : 0), length: m[0].length }
}
