import type { Json } from './json.ts'

/** Why a stream is not JSON: the text Open vSwitch logs, with the place. */
export class JsonError extends Error {}

/** An array or object that has begun. The elements of an array wait on a stack that all arrays share. */
interface Container {
  readonly object: Record<string, Json> | undefined
  /** Of an object: the name of the member that comes. */
  key: string
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

/**
 * One JSON value out of bytes that come in pieces. The text is never whole in memory: only the
 * value grows. Throws JsonError.
 */
export class JsonParser {
  private stack: Container[] = []
  private readonly elements: Json[] = []
  private readonly known = new KnownStrings()
  private state: State = STATE.value
  private token: number[] = []
  private mode: 'none' | 'string' | 'escape' | 'hex' | 'number' | 'word' = 'none'
  private hex = ''
  private pieces: string[] = []
  private raw: Uint8Array[] = []
  private high: number | undefined
  private readonly decoder = new TextDecoder('utf-8', { fatal: true })
  private line = 0
  private lineStart = 0
  private offset = 0
  result: Json | undefined

  /** @param depth how many arrays and objects may lie in each other. */
  constructor(private readonly depth = 1000) {}

  private fail(what: string): never {
    throw new JsonError(`line ${this.line}, column ${this.offset - this.lineStart}, byte ${this.offset}: ${what}`)
  }

  /** Takes bytes; returns how many belonged to the value. It is complete when `done`. */
  push(bytes: Uint8Array, from = 0): number {
    let i = from
    const base = this.offset - from
    while (i < bytes.length && this.state !== STATE.done) {
      this.offset = base + i
      if (this.mode === 'none') i = this.structure(bytes, i)
      else if (this.mode === 'string') i = this.string(bytes, i)
      else if (this.mode === 'escape') i = this.escape(bytes, i)
      else if (this.mode === 'hex') i = this.unicode(bytes, i)
      else i = this.word(bytes, i)
    }
    this.offset = base + i
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
      this.lineStart = this.offset
      return at + 1
    }
    switch (this.state) {
      case STATE.colon:
        if (c !== 0x3a) this.fail("syntax error parsing object expecting ':'")
        this.state = STATE.value
        return at + 1
      case STATE.next:
        this.separator(c)
        return at + 1
      case STATE.firstKey:
      case STATE.key:
        if (c === 0x22) return this.plainString(bytes, at + 1)
        if (c === 0x7d && this.state === STATE.firstKey) this.close()
        else this.fail('syntax error parsing object expecting string')
        return at + 1
      default:
        return this.value(c, bytes, at)
    }
  }

  private separator(c: number): void {
    const top = this.stack[this.stack.length - 1] as Container
    if (!top.object) {
      if (c === 0x2c) this.state = STATE.value
      else if (c === 0x5d) this.close()
      else this.fail("syntax error expecting ']' or ','")
    } else if (c === 0x2c) this.state = STATE.key
    else if (c === 0x7d) this.close()
    else this.fail("syntax error expecting '}' or ','")
  }

  private value(c: number, bytes: Uint8Array, at: number): number {
    if (c === 0x22) {
      if (!this.stack.length) this.fail('syntax error at beginning of input')
      return this.plainString(bytes, at + 1)
    }
    if (c === 0x7b || c === 0x5b) {
      if (this.stack.length >= this.depth) this.fail(`input exceeds maximum nesting depth ${this.depth}`)
      this.stack.push({ object: c === 0x5b ? undefined : {}, key: '', from: this.elements.length })
      this.state = c === 0x5b ? STATE.firstElement : STATE.firstKey
    } else if (c === 0x5d && this.state === STATE.firstElement) this.close()
    else if (!this.stack.length) this.fail('syntax error at beginning of input')
    else if (c === 0x2d || (c >= 0x30 && c <= 0x39)) {
      return this.shortNumber(bytes, at)
    } else if (c >= 0x61 && c <= 0x7a) {
      this.begin('word')
      return at
    } else this.fail('syntax error expecting value')
    return at + 1
  }

  private begin(mode: 'string' | 'number' | 'word'): void {
    this.mode = mode
    this.token = []
    this.pieces = []
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
    if (!top.object) this.elements.push(value)
    else if (top.key === '__proto__') {
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
    if (
      (c === 0x2c || c === 0x5d || c === 0x7d) &&
      i > from &&
      i - from < 16 &&
      (bytes[from] !== 0x30 || i - from === 1)
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
    } else this.put(text)
  }

  private string(bytes: Uint8Array, at: number): number {
    let i = at
    for (; i < bytes.length; i++) {
      const c = bytes[i] as number
      if (c === 0x22 || c === 0x5c || c < 0x20) break
    }
    if (i > at) {
      if (this.high !== undefined) this.fail('malformed escape: half of a surrogate pair')
      // A copy, since the bytes are the stream's.
      this.raw.push(i < bytes.length ? bytes.subarray(at, i) : bytes.slice(at, i))
    }
    if (i === bytes.length) return i
    const c = bytes[i]
    if (c === 0x5c) {
      this.flush()
      this.mode = 'escape'
      return i + 1
    }
    if (c !== 0x22)
      this.fail(`U+${(c as number).toString(16).padStart(4, '0').toUpperCase()} is not allowed in a JSON string`)
    this.flush()
    if (this.high !== undefined) this.fail('malformed escape: half of a surrogate pair')
    this.mode = 'none'
    const text = this.pieces.length === 1 ? (this.pieces[0] as string) : this.pieces.join('')
    this.putString(text)
    return i + 1
  }

  private flush(): void {
    if (!this.raw.length) return
    const bytes = this.raw.length === 1 ? (this.raw[0] as Uint8Array) : concat(this.raw)
    this.raw = []
    try {
      this.pieces.push(this.decoder.decode(bytes))
    } catch (e) {
      this.fail(e instanceof TypeError ? 'invalid UTF-8 sequence in string' : 'string too long')
    }
  }

  private escape(bytes: Uint8Array, at: number): number {
    const c = bytes[at] as number
    if (c === 0x75) {
      this.hex = ''
      this.mode = 'hex'
      return at + 1
    }
    const text = ESCAPES[c]
    if (text === undefined) this.fail(`bad escape \\${String.fromCharCode(c)}`)
    if (this.high !== undefined) this.fail('malformed escape: half of a surrogate pair')
    this.pieces.push(text)
    this.mode = 'string'
    return at + 1
  }

  private unicode(bytes: Uint8Array, at: number): number {
    this.hex += String.fromCharCode(bytes[at] as number)
    if (this.hex.length < 4) return at + 1
    if (!/^[0-9a-fA-F]{4}$/.test(this.hex)) this.fail('malformed \\u escape')
    const code = Number.parseInt(this.hex, 16)
    this.mode = 'string'
    if (code === 0) this.fail('null bytes not supported in quoted strings')
    const low = code >= 0xdc00 && code < 0xe000
    if (this.high !== undefined) {
      if (!low) this.fail('malformed escape: half of a surrogate pair')
      this.pieces.push(String.fromCharCode(this.high, code))
      this.high = undefined
    } else if (code >= 0xd800 && code < 0xdc00) this.high = code
    else if (low) this.fail('malformed escape: half of a surrogate pair')
    else this.pieces.push(String.fromCharCode(code))
    return at + 1
  }

  private word(bytes: Uint8Array, at: number): number {
    let i = at
    for (; i < bytes.length; i++) {
      const c = bytes[i] as number
      const more =
        this.mode === 'number'
          ? (c >= 0x30 && c <= 0x39) || c === 0x2e || c === 0x2d || c === 0x2b || c === 0x65 || c === 0x45
          : c >= 0x61 && c <= 0x7a
      if (!more) break
      this.token.push(c)
      if (this.token.length > 1000) this.fail('token too long')
    }
    if (i === bytes.length) return i
    const text = String.fromCharCode(...this.token)
    if (this.mode === 'number') {
      const value = parseNumber(text)
      if (value === undefined) this.fail(NUMBER.test(text) ? 'number outside valid range' : 'syntax error in number')
      this.mode = 'none'
      this.put(value)
    } else {
      this.mode = 'none'
      if (text === 'true') this.put(true)
      else if (text === 'false') this.put(false)
      else if (text === 'null') this.put(null)
      else this.fail(`invalid keyword '${text}'`)
    }
    return i
  }
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
