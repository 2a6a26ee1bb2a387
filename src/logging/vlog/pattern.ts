import type { Level } from '../../base/log.ts'
import type { Layout, LogEvent } from '../event.ts'
import { strftime } from '../strftime.ts'

/** What a pattern may print besides the event. */
export interface PatternContext {
  readonly hostname: string
  readonly pid: number
  /** For %T. */
  readonly subprogram?: string | undefined
  /** RFC 5424 facility number, for %B. */
  facility(): number
}

/** Severity by level (RFC 5424 §6.2.1), as the real daemons have it: information is a notice. */
const SEVERITY: Readonly<Record<Level, number>> = { emer: 1, err: 3, warn: 4, info: 5, dbg: 7 }

export function severityOf(level: Level): number {
  return SEVERITY[level]
}

/** Compiles a pattern of Open vSwitch's logs (ovs-appctl(8), vlog/set PATTERN). */
export function patternLayout(pattern: string, context: PatternContext): Layout {
  const parts: ((event: LogEvent) => string)[] = []
  let literal = ''
  let i = 0
  const flush = () => {
    if (!literal) return
    const text = literal
    parts.push(() => text)
    literal = ''
  }
  while (i < pattern.length) {
    const c = pattern[i++] as string
    if (c !== '%') {
      literal += c
      continue
    }
    let left = false
    let zero = false
    if (pattern[i] === '-') {
      left = true
      i++
    }
    if (pattern[i] === '0') {
      zero = true
      i++
    }
    let width = 0
    while (/[0-9]/.test(pattern[i] ?? '')) width = Math.min(width * 10 + Number(pattern[i++]), 1000)
    const letter = pattern[i++]
    if (letter === undefined) break
    let argument: string | undefined
    if (pattern[i] === '{') {
      const end = pattern.indexOf('}', i)
      if (end > 0) {
        argument = pattern.slice(i + 1, end)
        i = end + 1
      }
    }
    const field = fieldOf(letter, argument, context)
    flush()
    parts.push((event) => {
      const text = field(event)
      if (text.length >= width) return text
      return left ? text.padEnd(width, zero ? '0' : ' ') : text.padStart(width, zero ? '0' : ' ')
    })
  }
  flush()
  return (event) => {
    let line = ''
    for (const part of parts) line += part(event)
    return line
  }
}

function fieldOf(letter: string, argument: string | undefined, context: PatternContext): (event: LogEvent) => string {
  switch (letter) {
    case 'A':
      return (e) => e.component
    case 'B':
      return (e) => String(context.facility() * 8 + severityOf(e.level))
    case 'c':
      return (e) => e.module
    case 'd':
      return date(argument, false)
    case 'D':
      return date(argument, true)
    case 'E':
      return () => context.hostname
    case 'm':
      return (e) => e.message
    case 'N':
      return (e) => String(e.serial)
    case 'n':
      return () => '\n'
    case 'p':
      return (e) => e.level.toUpperCase()
    case 'P':
      return () => String(context.pid)
    case 'r':
      return (e) => String(Math.floor(e.elapsed))
    case 't':
      return () => 'main'
    case 'T':
      return () => (context.subprogram ? `(${context.subprogram})` : '')
    default:
      return () => letter
  }
}

/** Formatted once a second; a run of # is the fraction of the second, truncated. */
function date(format: string | undefined, utc: boolean): (event: LogEvent) => string {
  const pieces = (format ?? '%Y-%m-%d %H:%M:%S').split(/(#+)/)
  let second = Number.NaN
  let texts: string[] = []
  return (e) => {
    const now = Math.floor(e.time / 1000)
    if (now !== second) {
      second = now
      texts = pieces.map((p) => (p.startsWith('#') ? p : strftime(p, now * 1000, utc)))
    }
    if (texts.length === 1) return texts[0] as string
    const fraction = String(Math.floor(e.time % 1000)).padStart(3, '0')
    let out = ''
    for (let i = 0; i < texts.length; i++) {
      const text = texts[i] as string
      out += i % 2 ? fraction.slice(0, text.length).padEnd(text.length, '0') : text
    }
    return out
  }
}
