/** How often a file is put away, by the clock of this place. */
export type Period = 'MONTHLY' | 'WEEKLY' | 'DAILY' | 'TWICE_DAILY' | 'HOURLY' | 'MINUTELY'

interface Rhythm {
  /** What names a file of this period, by strftime(3). */
  readonly suffix: string
  /** How long it takes, milliseconds, but for the changes of the clock and the lengths of months. */
  readonly length: number
  /** The moment, milliseconds since 1970, of the first change after `time` and those that follow it. */
  change(time: Date, count: number): Date
}

const HOUR = 3_600_000

export const RHYTHMS: Readonly<Record<Period, Rhythm>> = {
  MONTHLY: {
    suffix: '%Y-%m',
    length: 31 * 24 * HOUR,
    change: (t, n) => new Date(t.getFullYear(), t.getMonth() + n, 1),
  },
  WEEKLY: {
    suffix: '%Y-%W',
    length: 7 * 24 * HOUR,
    // On Mondays. What is begun on a Sunday goes on to the Monday in eight days, as observed.
    change: (t, n) => new Date(t.getFullYear(), t.getMonth(), t.getDate() - t.getDay() + 1 + 7 * n),
  },
  DAILY: {
    suffix: '%Y-%m-%d',
    length: 24 * HOUR,
    change: (t, n) => new Date(t.getFullYear(), t.getMonth(), t.getDate() + n),
  },
  TWICE_DAILY: {
    suffix: '%Y-%m-%d-%p',
    length: 12 * HOUR,
    change: (t, n) => new Date(t.getFullYear(), t.getMonth(), t.getDate(), 12 * (Math.floor(t.getHours() / 12) + n)),
  },
  HOURLY: {
    suffix: '%Y-%m-%d-%H',
    length: HOUR,
    change: (t, n) => new Date(t.getFullYear(), t.getMonth(), t.getDate(), t.getHours() + n),
  },
  MINUTELY: {
    suffix: '%Y-%m-%d-%H-%M',
    length: 60_000,
    change: (t, n) => new Date(t.getFullYear(), t.getMonth(), t.getDate(), t.getHours(), t.getMinutes() + n),
  },
}

/** The moment at which the period that `time` is in ends. */
export function nextChange(period: Period, time: number): number {
  const { change, length } = RHYTHMS[period]
  const next = change(new Date(time), 1).getTime()
  // Where the clock goes back, the hour that comes twice would begin again and again.
  return next > time ? next : Math.floor(time / length) * length + length
}

/** The moment that lies `count` periods before `time`. */
export function earlier(period: Period, time: number, count: number): number {
  if (period === 'MONTHLY') return RHYTHMS.MONTHLY.change(new Date(time), -count).getTime()
  return time - count * RHYTHMS[period].length
}

/**
 * What `%d{...}` says in the letters of Java's SimpleDateFormat, as strftime(3) says it. Letters that mean
 * nothing in that number are left out, others are text.
 */
function javaDate(text: string): string {
  return text.replace(/([adDEhHmMsuwyYzZ])\1*/g, (run: string) => {
    const letter = run.charAt(0)
    const length = letter === 'E' || letter === 'M' ? Math.min(run.length, 4) : run.length
    return JAVA[letter + length] ?? ''
  })
}

const JAVA: Readonly<Record<string, string>> = {
  ...{ y2: '%y', y4: '%Y', Y2: '%y', Y4: '%Y', M2: '%m', M3: '%b', M4: '%B', w2: '%W', D3: '%j', d2: '%d' },
  ...{ E3: '%a', E4: '%A', u1: '%u', a2: '%p', H2: '%H', h2: '%I', m2: '%M', s2: '%S', z1: '%Z', Z1: '%z' },
}

/** FilenamePattern of TimeBasedRollingFileAppender: names by strftime(3), and how often they change. */
export function filenamePattern(text: string): { readonly pattern: string; readonly period: Period } {
  let dates = ''
  const pattern = text.replace(/%d(?:\{([^}]*)(?:\}|$))?/g, (_, date: string | undefined) => {
    const expanded = date === undefined ? RHYTHMS.DAILY.suffix : javaDate(date)
    dates += expanded
    return expanded
  })
  const has = (letters: string) => [...letters].some((c) => dates.includes(`%${c}`))
  if (has('MS')) return { pattern, period: 'MINUTELY' }
  if (has('HI')) return { pattern, period: 'HOURLY' }
  if (has('daAju')) return { pattern, period: 'DAILY' }
  return { pattern, period: has('W') ? 'WEEKLY' : 'MONTHLY' }
}
