import type { Json } from './json.ts'

/** Why a stream is not JSON: the text Open vSwitch logs, with the place. */
export class JsonError extends Error {}

/** An array or object that has begun. The elements of an array wait on a stack that all arrays share. */
interface Container {
  readonly object: Record<string, Json> | undefined
  /** Of an object: the name of the member that comes. */
  key: string
  /** Of an object: how many members it has. */
  members: number
  /** Of an array: where on the stack its elements begin. */
  readonly from: number
}

const STATE = { value: 0, firstElement: 1, firstKey: 2, key: 3, colon: 4, next: 5, done: 6 } as const
type State = (typeof STATE)[keyof typeof STATE]

const ESCAPES: Readonly<Record<number, string>> = {
  34: '"',
  92: '\\',
  47: '/',
  98: '\b',
  102: '\f',
  110: '\n',
  114: '\r',
  116: '\t',
}

const NUMBER = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/

/** The value of a number's text: a whole one exactly, as far as 64 bits go. */
export function parseNumber(text: string): number | bigint | undefined {
  const m = NUMBER.exec(text)
  if (!m) return undefined
  if (!m[2] && !m[3]) {
    if (text.length <= 16) {
      const n = Number(text)
      if (Number.isSafeInteger(n)) return n + 0
    }
    if (text.length <= 20) {
      const big = BigInt(text)
      if (big >= -(2n ** 63n) && big < 2n ** 63n) return narrow(big)
    }
  }
  const value = Number(text)
  if (!Number.isFinite(value)) return undefined
  // Open vSwitch takes a number with a fraction or exponent for an integer when it is whole.
  if (Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 2 ** 63) return narrow(BigInt(value))
  return value + 0
}

function narrow(big: bigint): number | bigint {
  return big >= -9007199254740991n && big <= 9007199254740991n ? Number(big) : big
}

function ascii(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1')
}

/** Longer numbers and keywords are refused. */
const LONGEST_WORD = 1 << 16

/** The longest string there can be in V8, in UTF-16 units. */
const LONGEST_STRING = 2 ** 29 - 24
/** Bytes of memory of an array or object, and of a member of it. */
const CONTAINER = 48
const MEMBER = 8
/** From so many members on an object is a hash table, and a member has more weight. */
const MANY_MEMBERS = 128
const HASHED_MEMBER = 88
/** Of so many pieces one is made: a piece needs more memory than a character. */
const MANY_PIECES = 1 << 12

/** Strings of so many bytes are looked up among those that came before. */
const SHORT = 48

/** Short strings that came lately: names and words come again and again, and need be in memory but once. */
class KnownStrings {
  private readonly texts: string[] = new Array<string>(1024).fill('')

  /** The text of printable ASCII bytes. */
  text(bytes: Uint8Array, from: number, to: number, hash: number): string {
    const slot = hash & 1023
    const known = this.texts[slot] as string
    if (known.length === to - from) {
      let i = from
      while (i < to && known.charCodeAt(i - from) === bytes[i]) i++
      if (i === to) return known
    }
    const text = ascii(bytes, from, to)
    this.texts[slot] = text
    return text
  }
}

/** What kind of byte can begin a token, and what lies between tokens. */
const BLANK = 1
const PUNCTUATION = 2
const QUOTE = 3
const DIGIT = 4
const LETTER = 5
const KINDS = new Uint8Array(256)
for (const c of ' \t\r\n') KINDS[c.charCodeAt(0)] = BLANK
for (const c of '{}[]:,') KINDS[c.charCodeAt(0)] = PUNCTUATION
for (const c of '-0123456789') KINDS[c.charCodeAt(0)] = DIGIT
for (let c = 0x61; c <= 0x7a; c++) KINDS[c] = LETTER
KINDS[0x22] = QUOTE

/** Whether a byte can stand outside of strings at all. */
export function isOutside(c: number): boolean {
  return KINDS[c] !== 0 || (c >= 0x41 && c <= 0x5a) || c === 0x2b || c === 0x2e
}

/** Where in the text a value begins, counted from zero. */
export interface Place {
  readonly line: number
  /** Bytes of this line before it. */
  readonly column: number
  readonly byte: number
}

const BEGINNING: Place = { line: 0, column: 0, byte: 0 }

/**
 * One JSON value out of bytes that come in pieces. The text is never whole in memory: only the
 * value grows. Throws JsonError, with the place where Open vSwitch notices: the end of the token.
 */
export class JsonParser {
  private stack: Container[] = []
  private readonly elements: Json[] = []
  private readonly known = new KnownStrings()
  private state: State = STATE.value
  private token: number[] = []
  private mode: 'none' | 'string' | 'escape' | 'hex' | 'number' | 'word' = 'none'
  /** Why the token that has begun can not stand here; said when it is whole. */
  private misplaced: string | undefined
  /** What is wrong in the string that has begun; said when it is whole. */
  private malformed: string | undefined
  private hex = ''
  private pieces: string[] = []
  /** Many pieces, put together. */
  private joined: string[] = []
  /** UTF-16 units of both. */
  private length = 0
  private raw: Uint8Array[] = []
  /** The first half of a pair of escaped surrogates. */
  private high: number | undefined
  private readonly decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  private line: number
  private lineStart: number
  /** Bytes before the piece that is being read. */
  private base: number
  result: Json | undefined
  /** Bytes of memory that the value needs so far: an estimate. */
  weight = 0

  /**
   * @param depth how many arrays and objects may lie in each other.
   * @param longest how many UTF-16 units a string may have.
   */
  constructor(
    private readonly depth = 1000,
    place: Place = BEGINNING,
    private readonly longest = LONGEST_STRING,
  ) {
    this.line = place.line
    this.base = place.byte
    this.lineStart = place.byte - place.column
  }

  /** @param at where in the piece that is being read. */
  private fail(what: string, at: number): never {
    const byte = this.base + at
    throw new JsonError(`line ${this.line}, column ${byte - this.lineStart}, byte ${byte}: ${what}`)
  }

  /** Takes bytes; returns how many belonged to the value. It is complete when `done`. */
  push(bytes: Uint8Array, from = 0): number {
    let i = from
    this.base -= from
    while (i < bytes.length && this.state !== STATE.done) {
      if (this.mode === 'none') i = this.structure(bytes, i)
      else if (this.mode === 'string') i = this.string(bytes, i)
      else if (this.mode === 'escape') i = this.escape(bytes, i)
      else if (this.mode === 'hex') i = this.unicode(bytes, i)
      else i = this.word(bytes, i)
    }
    this.base += i
    return i - from
  }

  get done(): boolean {
    return this.state === STATE.done
  }

  private structure(bytes: Uint8Array, at: number): number {
    const c = bytes[at] as number
    if (c === 0x20 || c === 0x09 || c === 0x0d) return at + 1
    if (c === 0x0a) {
      this.line++
      this.lineStart = this.base + at + 1
      return at + 1
    }
    switch (this.state) {
      case STATE.colon:
        if (c !== 0x3a) return this.unexpected(c, at)
        this.state = STATE.value
        return at + 1
      case STATE.next:
        return this.separator(c, at)
      case STATE.firstKey:
      case STATE.key:
        if (c === 0x22) return this.plainString(bytes, at + 1)
        if (c !== 0x7d || this.state !== STATE.firstKey) return this.unexpected(c, at)
        this.close()
        return at + 1
      default:
        return this.value(c, bytes, at)
    }
  }

  private separator(c: number, at: number): number {
    const array = !(this.stack[this.stack.length - 1] as Container).object
    if (c === 0x2c) this.state = array ? STATE.value : STATE.key
    else if (c === (array ? 0x5d : 0x7d)) this.close()
    else return this.unexpected(c, at)
    return at + 1
  }

  private value(c: number, bytes: Uint8Array, at: number): number {
    if (c === 0x7b || c === 0x5b) {
      if (this.stack.length >= this.depth) this.fail(`input exceeds maximum nesting depth ${this.depth}`, at)
      this.weight += CONTAINER
      this.stack.push({ object: c === 0x5b ? undefined : {}, key: '', members: 0, from: this.elements.length })
      this.state = c === 0x5b ? STATE.firstElement : STATE.firstKey
      return at + 1
    }
    if (!this.stack.length) return this.unexpected(c, at)
    if (c === 0x22) return this.plainString(bytes, at + 1)
    if (c === 0x5d && this.state === STATE.firstElement) {
      this.close()
      return at + 1
    }
    const kind = KINDS[c]
    if (kind === DIGIT) return this.shortNumber(bytes, at)
    if (kind !== LETTER) return this.unexpected(c, at)
    this.begin('word')
    return at
  }

  /** A byte that can not come here. A token that it begins is read to its end first. */
  private unexpected(c: number, at: number): number {
    const kind = KINDS[c]
    if (kind === PUNCTUATION) this.fail(this.expectation, at)
    if (!kind) {
      const text = c > 0x20 && c < 0x7f ? `'${String.fromCharCode(c)}'` : `U+${c.toString(16).padStart(4, '0')}`
      this.fail(`invalid character ${text}`, at)
    }
    this.misplaced = this.expectation
    this.begin(kind === QUOTE ? 'string' : kind === DIGIT ? 'number' : 'word')
    return kind === QUOTE ? at + 1 : at
  }

  private get expectation(): string {
    const top = this.stack[this.stack.length - 1]
    if (!top) return 'syntax error at beginning of input'
    switch (this.state) {
      case STATE.colon:
        return "syntax error parsing object expecting ':'"
      case STATE.firstKey:
      case STATE.key:
        return 'syntax error parsing object expecting string'
      case STATE.next:
        return top.object ? "syntax error expecting '}' or ','" : "syntax error expecting ']' or ','"
      default:
        return 'syntax error expecting value'
    }
  }

  private begin(mode: 'string' | 'number' | 'word'): void {
    this.mode = mode
    this.token = []
    this.pieces = []
    this.joined = []
    this.length = 0
    this.raw = []
  }

  private close(): void {
    const { object, from } = this.stack.pop() as Container
    if (object) {
      this.put(object)
      return
    }
    // Cut to size: an array that grew by itself has room for many more.
    const array = this.elements.slice(from)
    this.elements.length = from
    this.put(array)
  }

  private put(value: Json): void {
    const top = this.stack[this.stack.length - 1]
    if (!top) {
      this.result = value
      this.state = STATE.done
      return
    }
    this.state = STATE.next
    this.weight += MEMBER
    if (!top.object) {
      this.elements.push(value)
      return
    }
    if (++top.members > MANY_MEMBERS) this.weight += HASHED_MEMBER
    if (top.key === '__proto__') {
      Object.defineProperty(top.object, top.key, { value, enumerable: true, configurable: true, writable: true })
    } else top.object[top.key] = value
  }

  /** A string that is here whole, in printable ASCII without escapes, is taken at once; any other is begun. */
  private plainString(bytes: Uint8Array, at: number): number {
    let hash = 0
    for (let i = at; i < bytes.length; i++) {
      const c = bytes[i] as number
      if (c === 0x22) {
        this.putString(i - at <= SHORT ? this.known.text(bytes, at, i, hash) : ascii(bytes, at, i))
        return i + 1
      }
      if (c < 0x20 || c === 0x5c || c > 0x7e) break
      hash = (Math.imul(hash, 31) + c) | 0
    }
    this.begin('string')
    return at
  }

  /** A whole number of few digits that is here whole is taken at once; any other is begun. */
  private shortNumber(bytes: Uint8Array, at: number): number {
    const negative = bytes[at] === 0x2d
    const from = negative ? at + 1 : at
    let value = 0
    let i = from
    for (; i < bytes.length; i++) {
      const digit = (bytes[i] as number) - 0x30
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    const c = bytes[i]
    const digits = i - from
    if (
      (c === 0x2c || c === 0x5d || c === 0x7d) &&
      digits > 0 &&
      digits < 16 &&
      (bytes[from] !== 0x30 || digits === 1)
    ) {
      this.put(negative && value ? -value : value)
      return i
    }
    this.begin('number')
    return at
  }

  private putString(text: string): void {
    const top = this.stack[this.stack.length - 1]
    if (top?.object && (this.state === STATE.firstKey || this.state === STATE.key)) {
      top.key = text
      this.state = STATE.colon
    } else {
      this.weight += MEMBER + text.length
      this.put(text)
    }
  }

  private string(bytes: Uint8Array, at: number): number {
    let i = at
    for (; i < bytes.length; i++) {
      const c = bytes[i] as number
      if (c === 0x22 || c === 0x5c || c < 0x20) break
    }
    if (i > at) {
      this.needLow()
      // A copy, since the bytes are the stream's.
      this.raw.push(i < bytes.length ? bytes.subarray(at, i) : bytes.slice(at, i))
    }
    if (i === bytes.length) return i
    this.flush()
    if (bytes[i] === 0x5c) this.mode = 'escape'
    else if (bytes[i] === 0x22) this.endString(i)
    else this.control(bytes[i] as number, i)
    return i + 1
  }

  private control(c: number, at: number): never {
    this.fail(`U+${c.toString(16).padStart(4, '0').toUpperCase()} must be escaped in quoted string`, at)
  }

  private endString(at: number): void {
    this.needLow()
    if (this.malformed !== undefined) this.fail(this.malformed, at)
    if (this.misplaced !== undefined) this.fail(this.misplaced, at)
    this.mode = 'none'
    this.join()
    this.putString(this.joined.length === 1 ? (this.joined[0] as string) : this.joined.join(''))
  }

  private add(piece: string): void {
    this.length += piece.length
    if (this.length > this.longest) {
      this.malformed ??= 'string too long'
      return
    }
    this.pieces.push(piece)
    if (this.pieces.length === MANY_PIECES) this.join()
  }

  private join(): void {
    const { pieces } = this
    if (!pieces.length) return
    this.joined.push(pieces.length === 1 ? (pieces[0] as string) : pieces.join(''))
    this.pieces = []
  }

  private flush(): void {
    if (!this.raw.length) return
    const bytes = this.raw.length === 1 ? (this.raw[0] as Uint8Array) : concat(this.raw)
    this.raw = []
    try {
      this.add(this.decoder.decode(bytes))
    } catch (e) {
      this.malformed ??= e instanceof TypeError ? 'invalid UTF-8 sequence in string' : 'string too long'
    }
  }

  /** What comes is not the second half of a pair. */
  private needLow(): void {
    if (this.high !== undefined) this.malformed ??= 'malformed escaped surrogate pair'
    this.high = undefined
  }

  private escape(bytes: Uint8Array, at: number): number {
    const c = bytes[at] as number
    if (c === 0x75) {
      this.hex = ''
      this.mode = 'hex'
      return at + 1
    }
    if (c < 0x20) this.control(c, at)
    this.needLow()
    const text = ESCAPES[c]
    if (text !== undefined) this.add(text)
    else this.malformed ??= `bad escape \\${String.fromCharCode(c)}`
    this.mode = 'string'
    return at + 1
  }

  private unicode(bytes: Uint8Array, at: number): number {
    const c = bytes[at] as number
    if (c === 0x22) {
      this.malformed ??= 'quoted string ends within \\u escape'
      this.endString(at)
    }
    if (c === 0x5c) {
      this.malformed ??= 'malformed \\u escape'
      this.mode = 'escape'
      return at + 1
    }
    if (c < 0x20) this.control(c, at)
    this.hex += String.fromCharCode(c)
    if (this.hex.length < 4) return at + 1
    this.mode = 'string'
    if (/^[0-9a-fA-F]{4}$/.test(this.hex)) this.codeUnit(Number.parseInt(this.hex, 16))
    else this.malformed ??= 'malformed \\u escape'
    return at + 1
  }

  private codeUnit(code: number): void {
    const low = code >= 0xdc00 && code < 0xe000
    if (this.high !== undefined) {
      if (low) this.add(String.fromCharCode(this.high, code))
      else this.malformed ??= 'second half of escaped surrogate pair is not trailing surrogate'
      this.high = undefined
    } else if (code === 0) this.malformed ??= 'null bytes not supported in quoted strings'
    else if (code >= 0xd800 && code < 0xdc00) this.high = code
    else if (low) this.malformed ??= 'malformed escaped surrogate pair'
    else this.add(String.fromCharCode(code))
  }

  private word(bytes: Uint8Array, at: number): number {
    const number = this.mode === 'number'
    let i = at
    for (; i < bytes.length; i++) {
      const c = bytes[i] as number
      const lower = c | 0x20
      const more = number
        ? (c >= 0x30 && c <= 0x39) || c === 0x2e || c === 0x2d || c === 0x2b || lower === 0x65
        : lower >= 0x61 && lower <= 0x7a
      if (!more) break
      this.token.push(c)
      if (this.token.length > LONGEST_WORD) this.fail('token too long', i)
    }
    if (i === bytes.length) return i
    const value = number ? this.numberValue(i) : this.keyword(i)
    if (this.misplaced !== undefined) this.fail(this.misplaced, i)
    this.mode = 'none'
    this.put(value)
    return i
  }

  private numberValue(at: number): number | bigint {
    const text = Buffer.from(this.token).toString('latin1')
    return parseNumber(text) ?? this.fail(numberProblem(text), at)
  }

  private keyword(at: number): boolean | null {
    const text = Buffer.from(this.token).toString('latin1')
    if (text === 'true' || text === 'false') return text === 'true'
    if (text === 'null') return null
    return this.fail(`invalid keyword '${text}'`, at)
  }
}

function numberProblem(text: string): string {
  if (!/^-?[0-9]/.test(text)) return "'-' must be followed by digit"
  if (/^-?0[0-9]/.test(text)) return 'leading zeros not allowed'
  if (/^-?[0-9]+\.(?![0-9])/.test(text)) return 'decimal point must be followed by digit'
  if (/^-?[0-9]+(\.[0-9]+)?[eE][+-]?(?![0-9])/.test(text)) return 'exponent must contain at least one digit'
  return NUMBER.test(text) ? 'number outside valid range' : 'syntax error in number'
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  let n = 0
  for (const p of parts) n += p.length
  const out = new Uint8Array(n)
  n = 0
  for (const p of parts) {
    out.set(p, n)
    n += p.length
  }
  return out
}

/** One JSON value, alone in its text; throws JsonError. Accepts atoms too. */
export function parseJson(text: string): Json {
  const parser = new JsonParser()
  const bytes = new TextEncoder().encode(`[${text}]`)
  parser.push(bytes)
  const list = parser.done ? (parser.result as readonly Json[]) : undefined
  if (list?.length !== 1) throw new JsonError('line 0, column 0, byte 0: unexpected end of input')
  return list[0] as Json
}
