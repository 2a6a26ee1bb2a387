import { err, ok, type Result } from '../../base/result.ts'
import { type Attribute, digits, Float, numeric, quoted, text } from './number-format.ts'

/** Gives the attribute of a record by its name; undefined where the record has none. */
export type Lookup = (name: string) => Attribute | undefined

/** A compiled format: the names it uses, and how it is filled in. */
export interface Style {
  readonly names: ReadonlySet<string>
  fill(lookup: Lookup): string
}

type Part = string | ((lookup: Lookup) => string)

function style(parts: readonly Part[], names: ReadonlySet<string>): Style {
  return {
    names,
    fill(lookup) {
      let out = ''
      for (const part of parts) out += typeof part === 'string' ? part : part(lookup)
      return out
    },
  }
}

/** Width beyond which no log line has a use. */
const MAX_WIDTH = 10_000

/** Formats as `logging.Formatter` takes them, in the style %, { or $. */
export function compileStyle(format: string, kind: string): Result<Style> {
  if (kind === '%') {
    const r = compilePercent(format)
    return r.ok && !r.value.names.size ? err(`invalid format '${format}' for '%' style`) : r
  }
  if (kind === '{') return braces(format)
  if (kind === '$') return template(format)
  return err("style must be one of: '%', '{', '$'")
}

/** A format of Python's operator %, with or without fields. */
export function compilePercent(format: string): Result<Style> {
  const parts: Part[] = []
  const names = new Set<string>()
  const pattern = /%(?:\((\w+)\))?([-#0 +]*)(\d*)(?:\.(\d*))?[hlL]?(.)/gs
  let end = 0
  for (let at = format.indexOf('%'); at >= 0; at = format.indexOf('%', end)) {
    pattern.lastIndex = at
    const m = pattern.exec(format)
    if (m?.index !== at) return err(`invalid format '${format}'`)
    parts.push(format.slice(end, at))
    end = at + m[0].length
    const [, name, flags = '', width = '', precision, letter = ''] = m
    if (letter === '%') {
      parts.push('%')
      continue
    }
    if (name === undefined) return err(`invalid format '${format}': '${m[0]}' names no field`)
    if (!'diouxXeEfFgGcrsa'.includes(letter)) return err(`invalid format '${format}': no conversion '${letter}'`)
    if (Number(width) > MAX_WIDTH || Number(precision ?? 0) > MAX_WIDTH) return err('width too large')
    names.add(name)
    const limit = precision === undefined ? undefined : Number(precision)
    // Only numbers are filled up with zeros.
    const zeros = !'crsa'.includes(letter)
    parts.push((lookup) =>
      pad(printf(letter, flags, lookup(name) ?? '', limit), zeros ? flags : flags.replaceAll('0', ''), Number(width)),
    )
  }
  parts.push(format.slice(end))
  return ok(style(parts, names))
}

/** The first characters, as Python counts them: a pair of surrogates is one. */
function cut(value: string, length: number | undefined): string {
  if (length === undefined || value.length <= length) return value
  return [...value].slice(0, length).join('')
}

/** Characters, as Python counts them. */
function size(value: string): number {
  return /[\ud800-\udbff]/.test(value) ? [...value].length : value.length
}

function printf(letter: string, flags: string, value: Attribute, precision: number | undefined): string {
  if (letter === 's') return cut(text(value), precision)
  if (letter === 'r' || letter === 'a') return cut(quoted(value), precision)
  if (letter === 'c')
    return typeof value === 'string' ? value : String.fromCodePoint(Math.abs(numeric(value)) % 0x10ffff)
  const number = digits(letter, numeric(value), precision, flags.includes('#')) ?? ''
  if (number.startsWith('-')) return number
  return flags.includes('+') ? `+${number}` : flags.includes(' ') ? ` ${number}` : number
}

function pad(value: string, flags: string, width: number): string {
  if (width === 0) return value
  const missing = width - size(value)
  if (missing <= 0) return value
  if (flags.includes('-')) return value + ' '.repeat(missing)
  if (!flags.includes('0') || !/^[-+ ]?[0-9]/.test(value)) return ' '.repeat(missing) + value
  const head = /^[-+ ]?(0[xXo])?/.exec(value)?.[0] ?? ''
  return head + '0'.repeat(missing) + value.slice(head.length)
}

function braces(format: string): Result<Style> {
  const parts: Part[] = []
  const names = new Set<string>()
  for (let i = 0; i < format.length; i++) {
    const c = format[i] as string
    if (c === '{' || c === '}') {
      if (format[i + 1] === c) {
        parts.push(c)
        i++
        continue
      }
      const m = /^\{(\w+)(?:!([rsa]))?(?::([^{}]*))?\}/.exec(format.slice(i))
      if (!m) return err(`invalid format: '${format.slice(i, i + 20)}' is no field`)
      const [whole, name = '', conversion, spec = ''] = m
      const s = /^(?:(.)?([<>=^]))?([-+ ]?)(#?)(0?)(\d*)([,_]?)(?:\.(\d+))?([a-zA-Z%]?)$/s.exec(spec)
      if (!s || s[7] || s[4]) return err(`invalid format: bad specification '${spec}' of '${name}'`)
      if (Number(s[6]) > MAX_WIDTH || Number(s[8] ?? 0) > MAX_WIDTH) return err('width too large')
      names.add(name)
      parts.push((lookup) => {
        const value = lookup(name) ?? ''
        return formatSpec(conversion === undefined ? value : conversion === 's' ? text(value) : quoted(value), s)
      })
      i += whole.length - 1
    } else parts.push(c)
  }
  if (!names.size) return err('invalid format: no fields')
  return ok(style(join(parts), names))
}

/** Neighbouring texts made one. */
function join(parts: readonly Part[]): Part[] {
  const out: Part[] = []
  for (const p of parts) {
    const last = out.at(-1)
    if (typeof p === 'string' && typeof last === 'string') out[out.length - 1] = last + p
    else out.push(p)
  }
  return out
}

function formatSpec(value: Attribute, s: RegExpExecArray): string {
  const [, fill, align, sign, , zero, width, , precision, letter] = s
  let out: string
  const limit = precision === undefined ? undefined : Number(precision)
  const number = typeof value !== 'string'
  if (!number) out = limit === undefined ? value : value.slice(0, limit)
  else if (letter) out = digits(letter, numeric(value), limit) ?? text(value)
  else if (value instanceof Float && limit !== undefined) out = digits('g', value.value, limit) ?? ''
  else out = text(value)
  if (number && !out.startsWith('-') && (sign === '+' || sign === ' ')) out = sign + out
  const missing = Number(width) - out.length
  if (missing <= 0) return out
  const f = fill ?? (zero ? '0' : ' ')
  const where = align ?? (number ? (zero ? '=' : '>') : '<')
  if (where === '<') return out + f.repeat(missing)
  if (where === '>') return f.repeat(missing) + out
  if (where === '^') return f.repeat(Math.floor(missing / 2)) + out + f.repeat(Math.ceil(missing / 2))
  const mark = /^[-+ ]?/.exec(out)?.[0] ?? ''
  return mark + f.repeat(missing) + out.slice(mark.length)
}

function template(format: string): Result<Style> {
  const parts: Part[] = []
  const names = new Set<string>()
  let end = 0
  for (const m of format.matchAll(/\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\}|)/g)) {
    parts.push(format.slice(end, m.index))
    end = m.index + m[0].length
    const name = m[2] ?? m[3]
    if (m[1]) parts.push('$')
    else if (name === undefined) return err("invalid format: bare '$' not allowed")
    else {
      names.add(name)
      parts.push((lookup) => text(lookup(name) ?? ''))
    }
  }
  parts.push(format.slice(end))
  if (!names.size) return err('invalid format: no fields')
  return ok(style(parts, names))
}
