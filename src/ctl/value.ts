import { err, ok, type Result } from '../base/result.ts'
import { sortMap } from '../ovsdb/client/draft.ts'
import {
  type Atom,
  type BaseType,
  type ColumnType,
  compareAtoms,
  type Datum,
  integerAtom,
  parseUuid,
  UNLIMITED,
} from '../ovsdb/schema/index.ts'
import { CtlError, fatal } from './error.ts'

/** What `@name` in a value stands for: a uuid. */
export type Symbols = (name: string) => string

const noSymbols: Symbols = (name) =>
  fatal(`row id "${name}" is referenced but never created (e.g. with "-- --id=${name} create ...")`)

const DELIMITERS = new Set(':=, []{}!<>')

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

/** Takes words out of an argument: bare ones end at a delimiter, quoted ones are JSON strings. */
export class Scanner {
  at = 0
  constructor(readonly text: string) {}

  get next(): string {
    return this.text[this.at] ?? ''
  }

  get rest(): string {
    return this.text.slice(this.at)
  }

  skipSpaces(): void {
    while (this.next === ' ') this.at++
  }

  atDelimiter(): boolean {
    return DELIMITERS.has(this.next)
  }

  /** A word, whether it was quoted, and how it stood there; empty at a delimiter or the end. */
  word(): { readonly text: string; readonly quoted: boolean; readonly raw: string } {
    const start = this.at
    const quoted = this.next === '"'
    const text = quoted ? this.quoted() : this.bare()
    return { text, quoted, raw: this.text.slice(start, this.at) }
  }

  private bare(): string {
    let out = ''
    while (this.at < this.text.length && !this.atDelimiter()) {
      if (this.next === '\\' && this.at + 1 < this.text.length) this.at++
      out += this.next
      this.at++
    }
    return out
  }

  private quoted(): string {
    const start = this.at
    for (let i = start + 1; i < this.text.length; i++) {
      const c = this.text[i]
      if (c === '\\') i++
      else if (c === '"') {
        this.at = i + 1
        return unquote(this.text.slice(start + 1, i), this.text.slice(start))
      }
    }
    return fatal(`${this.text.slice(start)}: quoted string extends past end of argument`)
  }
}

/** The value of what stands between the quotes of a JSON string. */
function unquote(inner: string, whole: string): string {
  let out = ''
  for (let i = 0; i < inner.length; i++) {
    const c = inner[i] as string
    if (c !== '\\') {
      out += c
      continue
    }
    const e = inner[++i] ?? ''
    if (e === 'u') {
      const hex = inner.slice(i + 1, i + 5)
      if (hex.length < 4) fatal(`${whole}: quoted string ends within \\u escape`)
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) fatal(`${whole}: malformed \\u escape`)
      const code = Number.parseInt(hex, 16)
      if (code === 0) fatal(`${whole}: null bytes not supported in quoted strings`)
      out += String.fromCharCode(code)
      i += 4
    } else {
      const known = ESCAPES[e]
      if (known === undefined) fatal(`${whole}: bad escape \\${e}`)
      out += known
    }
  }
  return out
}

/** A word as an atom of some type. Also an inclusive range `1-3` when `range` is given. */
function readAtom(base: BaseType, text: string, quoted: boolean, symbols: Symbols): Atom {
  switch (base.type) {
    case 'integer':
      return readInteger(text) ?? fatal(`"${text}" is not a valid integer or range`)
    case 'real': {
      const value = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN
      return Number.isFinite(value) ? value : fatal(`"${text}" is not a valid real number`)
    }
    case 'boolean':
      if (text === 'true' || text === 'yes' || text === 'on' || text === '1') return true
      if (text === 'false' || text === 'no' || text === 'off' || text === '0') return false
      return fatal(`"${text}" is not a valid boolean (use "true" or "false")`)
    case 'string':
      if (text === '' && !quoted) fatal('An empty string is not valid as input; use "" to represent the empty string')
      return text
    case 'uuid':
      if (text.startsWith('@') && !quoted) return symbols(text)
      return parseUuid(text) ?? fatal(`"${text}" is not a valid UUID`)
  }
}

function readInteger(text: string): number | bigint | undefined {
  if (!/^\s*[+-]?\d+$/.test(text)) return undefined
  return integerAtom(BigInt(text.trim().replace(/^\+/, '')))
}

function checkAtom(base: BaseType, atom: Atom): Atom {
  if (base.enum) {
    if (base.enum.includes(atom)) return atom
    return fatal(`constraint violation: ${atom} is not one of the allowed values ([${base.enum.join(', ')}])`)
  }
  const [min, max] = base.type === 'real' ? [base.minReal, base.maxReal] : [base.minInteger, base.maxInteger]
  if (typeof atom !== 'number' && typeof atom !== 'bigint') return atom
  const [low, high] = [min !== undefined && atom < min, max !== undefined && atom > max]
  if (low || high) {
    if (min !== undefined && max !== undefined) {
      fatal(`constraint violation: ${atom} is not in the valid range ${min} to ${max} (inclusive)`)
    }
    if (low) fatal(`constraint violation: ${atom} is less than minimum allowed value ${min}`)
    fatal(`constraint violation: ${atom} is greater than maximum allowed value ${max}`)
  }
  return atom
}

const RANGE = /^([+-]?\d+)-([+-]?\d+)$/

/** One word, which for integers may stand for several atoms. */
function readAtoms(base: BaseType, scanner: Scanner, symbols: Symbols): readonly Atom[] {
  const { text: word, quoted, raw } = scanner.word()
  const text = base.type === 'string' ? word : raw
  if (scanner.at < scanner.text.length && quoted && !scanner.atDelimiter()) {
    fatal(`${scanner.text}: missing quote at end of quoted string`)
  }
  const range = base.type === 'integer' ? RANGE.exec(text) : null
  if (!range) return [checkAtom(base, readAtom(base, text, quoted, symbols))]
  const [start, end] = [Number(range[1]), Number(range[2])]
  if (end < start) fatal(`"${text}" is not a valid range. Range end cannot be before start.`)
  if (end - start > 1 << 20) fatal(`"${text}" is not a valid range. Range is too large.`)
  return Array.from({ length: end - start + 1 }, (_, i) => checkAtom(base, start + i))
}

/** A type in words: `set of up to 3 integers`. */
export function describeType(type: ColumnType): string {
  const { key, value, min, max } = type
  if (min === 1 && max === 1 && !value) return key.type
  let out = value ? 'map' : 'set'
  if (max === UNLIMITED) {
    if (min) out += ` of ${min} or more`
  } else out += min ? ` of ${min} to ${max}` : ` of up to ${max}`
  if (out === 'map' || out === 'set') out += ' of'
  return value ? `${out} (${key.type}, ${value.type}) pairs` : `${out} ${key.type}s`
}

/**
 * A column's value from an argument (ovs-vsctl(8), Database Values): `a,b`, `[1, 2]`, `{k=v}`.
 * Throws CtlError with the tools' own texts.
 */
export function readDatum(type: ColumnType, text: string, symbols: Symbols = noSymbols): Datum {
  const scanner = new Scanner(text)
  const [open, close] = type.value ? ['{', '}'] : ['[', ']']
  const unexpected = () => fatal(`${text}: unexpected "${scanner.next}" parsing ${describeType(type)}`)
  scanner.skipSpaces()
  const bracketed = scanner.next === open
  if (bracketed) {
    scanner.at++
    scanner.skipSpaces()
  }
  const atoms: Atom[] = []
  const pairs = new Map<Atom, Atom>()
  while (scanner.at < text.length && !(bracketed && scanner.next === close)) {
    if (scanner.atDelimiter()) unexpected()
    if (type.value) readPair(type.key, type.value, scanner, pairs, text, symbols)
    else atoms.push(...readAtoms(type.key, scanner, symbols))
    scanner.skipSpaces()
    if (scanner.next === ',') {
      scanner.at++
      scanner.skipSpaces()
    }
  }
  if (bracketed) {
    if (scanner.next !== close) fatal(`${text}: missing "${close}" at end of data`)
    scanner.at++
    scanner.skipSpaces()
    if (scanner.at < text.length) fatal(`${text}: trailing garbage after "${close}"`)
  }
  const count = type.value ? pairs.size : atoms.length
  if (count < type.min) fatal(`${text}: ${count} value(s) specified but the minimum number is ${type.min}`)
  if (count > type.max) fatal(`${text}: ${count} value(s) specified but the maximum number is ${type.max}`)
  if (type.value) return sortMap(pairs)
  const sorted = atoms.sort(compareAtoms)
  if (sorted.some((a, i) => i > 0 && a === sorted[i - 1])) fatal(`${text}: set contains duplicate value`)
  return type.shape === 'set' ? sorted : sorted[0]
}

function readPair(
  key: BaseType,
  value: BaseType,
  scanner: Scanner,
  pairs: Map<Atom, Atom>,
  text: string,
  symbols: Symbols,
): void {
  const start = scanner.at
  const k = one(readAtoms(key, scanner, symbols))
  scanner.skipSpaces()
  if (scanner.next !== '=') {
    // the real tools print the character itself here, a NUL at the end of the text, which ends the message
    const rest = scanner.next === '' ? '"' : `"${scanner.next}" expecting "="`
    fatal(`${text.slice(start)}: syntax error at ${rest}`)
  }
  scanner.at++
  scanner.skipSpaces()
  const sub = new Scanner(scanner.rest)
  const v = one(readAtoms(value, sub, symbols))
  scanner.at += sub.at
  if (pairs.has(k)) fatal(`${text}: map contains duplicate key`)
  pairs.set(k, v)
}

function one(atoms: readonly Atom[]): Atom {
  const [atom] = atoms
  if (atom === undefined || atoms.length > 1) fatal('range is not valid in a map')
  return atom
}

/** One atom from a whole argument: a quoted string, or all of it as it stands. */
export function readWholeAtom(base: BaseType, text: string, symbols: Symbols = noSymbols): Atom {
  if (base.type !== 'string' || !text.startsWith('"')) return checkAtom(base, readAtom(base, text, false, symbols))
  if (text.length < 2 || !text.endsWith('"')) fatal(`${text}: missing quote at end of quoted string`)
  return checkAtom(base, unquote(text.slice(1, -1), text))
}

/** Runs a reader that throws CtlError for what comes from outside. */
export function attempt<T>(read: () => T): Result<T> {
  try {
    return ok(read())
  } catch (e) {
    if (e instanceof CtlError) return err(e.message)
    throw e
  }
}
