import type { Fields } from '../../base/log.ts'
import { type Layout, type LogEvent, loggerName } from '../event.ts'
import { strftime } from '../strftime.ts'
import { levelName } from './levels.ts'
import { javaDates } from './log4j.ts'

/** What a layout writes besides the event. */
export interface LayoutContext {
  readonly hostname: string
  readonly pid: number
  environment(name: string): string | undefined
  /** Dates are as log4j has them: Java's letters, by the clock of this place. */
  readonly java?: boolean
  warn(message: string): void
}

/** The mapped diagnostic context of an event: its fields as texts, by their names. */
export function mappedContext(fields: Fields | undefined): [string, string][] {
  const given = Object.entries(fields ?? {}).filter((f): f is [string, string | number | boolean] => f[1] !== undefined)
  return given.map(([k, v]): [string, string] => [k, String(v)]).sort(([a], [b]) => (a < b ? -1 : 1))
}

/** The value of one key of it, empty where there is none. */
export function mappedValue(fields: Fields | undefined, key: string): string {
  const value = fields && Object.hasOwn(fields, key) ? fields[key] : undefined
  return value === undefined ? '' : String(value)
}

/** The nested diagnostic context of an event: the values of its fields, in their order. */
export function nestedContext(fields: Fields | undefined, depth = 0): string {
  if (!fields) return ''
  const values = Object.values(fields).filter((v) => v !== undefined)
  return (depth > 0 ? values.slice(0, depth) : values).join(' ')
}

/**
 * Writes moments, milliseconds since 1970, by strftime(3) and `%q` (milliseconds) and `%Q` (those with a
 * fraction).
 */
export function timeFormat(pattern: string, utc: boolean): (time: number) => string {
  const marked = pattern.replace(/%(.)/gs, (whole, letter: string) => {
    if (letter === 'q' || letter === 'Q') return `\0${letter}`
    return letter === 'Z' && utc ? 'GMT' : whole
  })
  // What does not change within a second is made once for it.
  let second = Number.NaN
  let pieces: string[] = []
  return (time) => {
    const now = Math.floor(time / 1000)
    if (now !== second) {
      second = now
      pieces = strftime(marked, now * 1000, utc).split('\0')
    }
    let out = pieces[0] ?? ''
    for (let i = 1; i < pieces.length; i++) {
      const piece = pieces[i] ?? ''
      out += (piece.startsWith('q') ? milliseconds(time) : withFraction(time)) + piece.slice(1)
    }
    return out
  }
}

const milliseconds = (time: number) => String(Math.floor(time - Math.floor(time / 1000) * 1000)).padStart(3, '0')

/** `234.567`: what the fraction of a number cannot hold of a microsecond is not taken for less of one. */
function withFraction(time: number): string {
  const micros = Math.floor(Math.round((time - Math.floor(time / 1000) * 1000) * 1_000_000) / 1000)
  return (Math.min(micros, 999_999) / 1000).toFixed(3).padStart(7, '0')
}

type Part = (event: LogEvent) => string

const DATE = '%Y-%m-%d %H:%M:%S'

/**
 * A layout of log4cplus's PatternLayout: `%p`, `%-5p`, `%.3c`, `%c{2}`, `%D{%H:%M:%S.%q}` ... What belongs
 * to a place in a program (`%b`, `%F`, `%L`, `%M`) is empty. Where the pattern is wrong, that part of it is
 * text and a warning says why, as with log4cplus.
 */
export function patternLayout(pattern: string, nestedDepth: number, context: LayoutContext): Layout {
  const parts: Part[] = []
  let literal = ''
  const flush = () => {
    const text = literal
    literal = ''
    if (text) parts.push(() => text)
  }
  let at = 0
  while (at < pattern.length) {
    if (pattern[at] !== '%') {
      literal += pattern[at++]
      continue
    }
    if (pattern[at + 1] === '%') {
      literal += '%'
      at += 2
      continue
    }
    const width = readWidth(pattern, at + 1)
    if (width.error !== undefined) {
      context.warn(width.error)
      literal += pattern.slice(at, width.end)
      at = width.end
      continue
    }
    const letter = pattern[width.end]
    if (letter === undefined) {
      literal += pattern.slice(at)
      break
    }
    const option = OPTIONS.includes(letter) ? readOption(pattern, width.end + 1, context) : undefined
    const part = conversion(letter, option?.text ?? '', nestedDepth, context)
    if (!part) {
      context.warn(`Unexpected char [${letter}] at position ${width.end + 1} in conversion pattern`)
      literal += pattern.slice(at, width.end + 1)
      at = width.end + 1
      continue
    }
    flush()
    parts.push(width.value ? padded(part, width.value) : part)
    at = option?.end ?? width.end + 1
  }
  flush()
  return (event) => {
    let out = ''
    for (const part of parts) out += part(event)
    return out
  }
}

interface Width {
  readonly least: number
  readonly most: number
  readonly left: boolean
  /** What is too long loses its end, not its beginning. */
  readonly cutEnd: boolean
}

/** `-8.20`, `.-30`: undefined where there is none. */
function readWidth(
  pattern: string,
  from: number,
): { readonly value?: Width; readonly end: number; readonly error?: string } {
  const m = /^(-*)(\d*)(?:(\.)(-?)(\d*))?/.exec(pattern.slice(from, from + 40)) as RegExpExecArray
  const end = from + m[0].length
  const [, minus, least, dot, cut, most] = m
  if (dot && !most && end < pattern.length)
    return {
      end: end + 1,
      error: `digit expected at position ${end + 1} in conversion pattern, found '${pattern[end]}'`,
    }
  if (!m[0]) return { end }
  return {
    end,
    value: {
      least: bounded(least, 0),
      most: bounded(most, Number.POSITIVE_INFINITY),
      left: Boolean(minus),
      cutEnd: Boolean(cut),
    },
  }
}

const bounded = (digits: string | undefined, missing: number) => (digits ? Math.min(Number(digits), 10_000) : missing)

function padded(part: Part, width: Width): Part {
  return (event) => {
    const text = part(event)
    if (text.length > width.most) return width.cutEnd ? text.slice(0, width.most) : text.slice(text.length - width.most)
    return width.left ? text.padEnd(width.least) : text.padStart(width.least)
  }
}

/** Conversions that `{...}` may follow. */
const OPTIONS = 'cdDEX'

function readOption(
  pattern: string,
  from: number,
  context: LayoutContext,
): { readonly text: string; readonly end: number } | undefined {
  if (pattern[from] !== '{') return undefined
  const close = pattern.indexOf('}', from)
  if (close < 0) {
    context.warn(`No matching '}' found in conversion pattern string "${pattern}"`)
    return { text: '', end: pattern.length }
  }
  return { text: pattern.slice(from + 1, close), end: close + 1 }
}

function conversion(letter: string, option: string, nestedDepth: number, context: LayoutContext): Part | undefined {
  switch (letter) {
    case 'b':
    case 'F':
    case 'L':
    case 'M':
      return () => ''
    case 'l':
      return () => ':'
    case 'c': {
      const count = Number(/^\s*\+?(\d{1,9})/.exec(option)?.[1] ?? 0)
      return count > 0 ? (event) => lastNames(loggerName(event), count) : loggerName
    }
    case 'd':
    case 'D': {
      const format = context.java ? timeFormat(javaDates(option), false) : timeFormat(option || DATE, letter === 'd')
      return (event) => format(event.time)
    }
    case 'E': {
      const value = context.environment(option) ?? ''
      return () => value
    }
    case 'h':
    case 'H':
      return () => context.hostname
    case 'i':
    case 't':
    case 'T':
      return () => String(context.pid)
    case 'm':
      return (event) => event.message
    case 'n':
      return () => '\n'
    case 'p':
      return (event) => levelName(event.level)
    case 'r':
      return (event) => String(Math.floor(event.elapsed))
    case 'x':
      return (event) => nestedContext(event.fields, nestedDepth)
    case 'X':
      return option === ''
        ? (event) =>
            mappedContext(event.fields)
              .map(([k, v]) => `{${k}, ${v}}`)
              .join('')
        : (event) => mappedValue(event.fields, option)
    default:
      return undefined
  }
}

function lastNames(name: string, count: number): string {
  let at = name.length
  for (let i = 0; i < count; i++) {
    at = name.lastIndexOf('.', at - 1)
    if (at < 0) return name
    // A dot in front of all is looked for from the end again by lastIndexOf.
    if (at === 0) return i + 1 < count ? name : name.slice(1)
  }
  return name.slice(at + 1)
}
