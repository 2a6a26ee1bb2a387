import { zoneName } from './zone-name.ts'

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

/** A moment's fields, in UTC or in the time zone of the process. */
export interface BrokenTime {
  readonly year: number
  /** 0 to 11. */
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly millisecond: number
  /** 0 is Sunday. */
  readonly weekday: number
  /** 0 to 365. */
  readonly yearday: number
  /** Minutes east of Greenwich. */
  readonly offset: number
  readonly zone: string
}

export function breakTime(ms: number, utc: boolean): BrokenTime {
  const d = new Date(ms)
  const year = utc ? d.getUTCFullYear() : d.getFullYear()
  const month = utc ? d.getUTCMonth() : d.getMonth()
  const day = utc ? d.getUTCDate() : d.getDate()
  return {
    year,
    month,
    day,
    hour: utc ? d.getUTCHours() : d.getHours(),
    minute: utc ? d.getUTCMinutes() : d.getMinutes(),
    second: utc ? d.getUTCSeconds() : d.getSeconds(),
    millisecond: utc ? d.getUTCMilliseconds() : d.getMilliseconds(),
    weekday: utc ? d.getUTCDay() : d.getDay(),
    yearday: Math.round((Date.UTC(year, month, day) - Date.UTC(year, 0, 1)) / 86_400_000),
    offset: utc ? 0 : -d.getTimezoneOffset(),
    // Only where it is asked for: it takes longer than all the others.
    get zone() {
      return utc ? 'UTC' : zoneName(ms)
    },
  }
}

const two = (n: number) => String(n).padStart(2, '0')

/** ISO 8601 week and its year. */
function isoWeek(t: BrokenTime): { week: number; year: number } {
  const weekday = (t.weekday + 6) % 7
  const thursday = new Date(Date.UTC(t.year, t.month, t.day - weekday + 3))
  const year = thursday.getUTCFullYear()
  const week = 1 + Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * 86_400_000))
  return { week, year }
}

/** Expands one conversion; undefined for a letter that is none. */
function expand(letter: string, t: BrokenTime, ms: number): string | undefined {
  switch (letter) {
    case 'a':
      return (DAYS[t.weekday] as string).slice(0, 3)
    case 'A':
      return DAYS[t.weekday]
    case 'b':
    case 'h':
      return (MONTHS[t.month] as string).slice(0, 3)
    case 'B':
      return MONTHS[t.month]
    case 'c':
      return format('%a %b %e %H:%M:%S %Y', t, ms)
    case 'C':
      return two(Math.floor(t.year / 100))
    case 'd':
      return two(t.day)
    case 'D':
      return format('%m/%d/%y', t, ms)
    case 'e':
      return String(t.day).padStart(2, ' ')
    case 'F':
      return format('%Y-%m-%d', t, ms)
    case 'g':
      return two(isoWeek(t).year % 100)
    case 'G':
      return String(isoWeek(t).year)
    case 'H':
      return two(t.hour)
    case 'I':
      return two(t.hour % 12 || 12)
    case 'j':
      return String(t.yearday + 1).padStart(3, '0')
    case 'k':
      return String(t.hour).padStart(2, ' ')
    case 'l':
      return String(t.hour % 12 || 12).padStart(2, ' ')
    case 'm':
      return two(t.month + 1)
    case 'M':
      return two(t.minute)
    case 'n':
      return '\n'
    case 'p':
      return t.hour < 12 ? 'AM' : 'PM'
    case 'P':
      return t.hour < 12 ? 'am' : 'pm'
    case 'r':
      return format('%I:%M:%S %p', t, ms)
    case 'R':
      return format('%H:%M', t, ms)
    case 's':
      return String(Math.floor(ms / 1000))
    case 'S':
      return two(t.second)
    case 't':
      return '\t'
    case 'T':
    case 'X':
      return format('%H:%M:%S', t, ms)
    case 'u':
      return String(t.weekday || 7)
    case 'U':
      return two(Math.floor((t.yearday + 7 - t.weekday) / 7))
    case 'V':
      return two(isoWeek(t).week)
    case 'w':
      return String(t.weekday)
    case 'W':
      return two(Math.floor((t.yearday + 7 - ((t.weekday + 6) % 7)) / 7))
    case 'x':
      return format('%m/%d/%y', t, ms)
    case 'y':
      return two(t.year % 100)
    case 'Y':
      return String(t.year)
    case 'z': {
      const o = Math.abs(t.offset)
      return `${t.offset < 0 ? '-' : '+'}${two(Math.floor(o / 60))}${two(o % 60)}`
    }
    case 'Z':
      return t.zone
    case '%':
      return '%'
    default:
      return undefined
  }
}

/** `%-d`, `%_H`, `%^a`, `%10Y`: how the C library changes what a conversion says. */
interface Shape {
  readonly flag: string
  readonly upper: boolean
  readonly swap: boolean
  readonly width: number
}

/** Conversions that are numbers: how they are padded, and to how many digits. */
const NUMBERS: Readonly<Record<string, readonly [pad: string, digits: number]>> = {
  ...{ C: ['0', 2], d: ['0', 2], e: [' ', 2], g: ['0', 2], G: ['0', 1], H: ['0', 2], I: ['0', 2], j: ['0', 3] },
  ...{ k: [' ', 2], l: [' ', 2], m: ['0', 2], M: ['0', 2], s: [' ', 1], S: ['0', 2], u: ['0', 1], U: ['0', 2] },
  ...{ V: ['0', 2], w: ['0', 1], W: ['0', 2], y: ['0', 2], Y: ['0', 1] },
}

/** The widest field that is made. */
const WIDEST = 1000

function shaped(letter: string, text: string, { flag, upper, swap, width }: Shape): string {
  const number = NUMBERS[letter]
  let out = text
  if (swap && 'pZ'.includes(letter)) out = out.toLowerCase()
  else if ((upper && letter !== 'P') || (swap && 'aAbBh'.includes(letter))) out = out.toUpperCase()
  if (!number) return out.padStart(width, flag === '0' ? '0' : ' ')
  const [usual, least] = number
  const pad = flag === '_' ? ' ' : flag === '0' ? '0' : usual
  const digits = /^-?\d+$/.test(out.trim()) ? String(Number(out)) : out.trim()
  if (flag === '-') return digits.padStart(width, ' ')
  return digits.padStart(Math.max(width, least), pad)
}

const CONVERSION = /%([-_0^#]*)(\d*)(?:E(?=[^aAbBdDeFgGhHIjklmMSUVwW])|O(?=[^aAcDFxXY]))?([A-Za-z%])/y

function format(pattern: string, t: BrokenTime, ms: number): string {
  let out = ''
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i] as string
    if (c !== '%' || i + 1 >= pattern.length) {
      out += c
      continue
    }
    const letter = pattern[i + 1] as string
    const plain = expand(letter, t, ms)
    if (plain !== undefined) {
      out += plain
      i++
      continue
    }
    CONVERSION.lastIndex = i
    const m = CONVERSION.exec(pattern)
    const text = m && expand(m[3] as string, t, ms)
    if (!m || typeof text !== 'string') {
      out += `%${letter}`
      i++
      continue
    }
    const flags = m[1] as string
    out += shaped(m[3] as string, text, {
      flag: /[-_0](?=[^-_0]*$)/.exec(flags)?.[0] ?? '',
      ...{ upper: flags.includes('^'), swap: flags.includes('#'), width: Math.min(Number(m[2]), WIDEST) },
    })
    i += m[0].length - 1
  }
  return out
}

/**
 * strftime(3) in the C locale, of a moment in milliseconds since 1970. An unknown conversion stays as
 * it stands.
 */
export function strftime(pattern: string, ms: number, utc: boolean): string {
  return format(pattern, breakTime(ms, utc), ms)
}

/** A format by strftime(3), in the time zone of the process, that is filled once for each second. */
export function secondsFormat(pattern: string): (time: number) => string {
  let second = Number.NaN
  let text = ''
  return (time) => {
    const now = Math.floor(time / 1000)
    if (now !== second) {
      second = now
      text = strftime(pattern, now * 1000, false)
    }
    return text
  }
}
