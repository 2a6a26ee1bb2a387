import type { Period } from './schedule.ts'

// What is otherwise in files for log4j, whose classes are those of org.apache.log4j: dates by Java's SimpleDateFormat.

/** Whether a class is log4j's, by its whole name. */
export function ofLog4j(className: string): boolean {
  return className.startsWith('org.apache.log4j.')
}

const NAMED: Readonly<Record<string, string>> = {
  '': '%Y-%m-%d %H:%M:%S,%q',
  ISO8601: '%Y-%m-%d %H:%M:%S,%q',
  ABSOLUTE: '%H:%M:%S,%q',
  DATE: '%d %b %Y %H:%M:%S,%q',
}

/** A letter of SimpleDateFormat, or several of them, as strftime(3) and `%q` say it; undefined for one that has no such. */
function conversion(letter: string, length: number): string | undefined {
  if (letter === 'y') return length === 2 ? '%y' : '%Y'
  if (letter === 'M') return length < 3 ? '%m' : length === 3 ? '%b' : '%B'
  if (letter === 'E') return length < 4 ? '%a' : '%A'
  const others: Readonly<Record<string, string>> = {
    ...{ d: '%d', D: '%j', H: '%H', k: '%H', h: '%I', K: '%I', m: '%M', s: '%S', S: '%q', a: '%p', w: '%V' },
    ...{ z: '%Z', Z: '%z', X: '%z', u: '%u' },
  }
  return others[letter]
}

/** A date format of log4j, named or in Java's letters, in those of strftime(3). Text in quotes stays, a letter that is none does too. */
export function javaDates(format: string): string {
  const named = Object.hasOwn(NAMED, format) ? NAMED[format] : undefined
  if (named !== undefined) return named
  return format.replace(/'((?:[^']|'')*)'|([A-Za-z])\2*|%/g, (run: string, quoted?: string, letter?: string) => {
    if (quoted !== undefined) return quoted === '' ? "'" : quoted.replaceAll("''", "'").replaceAll('%', '%%')
    return letter === undefined ? '%%' : (conversion(letter, run.length) ?? run)
  })
}

/** DatePattern of log4j's DailyRollingFileAppender: how often the file changes, and what stands behind its name. */
export function javaSchedule(pattern: string): { readonly period: Period; readonly suffix: string } {
  const suffix = javaDates(pattern || "'.'yyyy-MM-dd")
  const has = (letters: string) => [...letters].some((c) => suffix.includes(`%${c}`))
  const period: Period = has('MSq')
    ? 'MINUTELY'
    : has('HI')
      ? 'HOURLY'
      : has('p')
        ? 'TWICE_DAILY'
        : has('djaAu')
          ? 'DAILY'
          : has('V')
            ? 'WEEKLY'
            : 'MONTHLY'
  // The dot is put there in any case.
  return { period, suffix: suffix.replace(/^\./, '') }
}
