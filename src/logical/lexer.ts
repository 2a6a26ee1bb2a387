import { formatIpv4, ipv4Mask, parseIpv4 } from '../address/ipv4.ts'
import { formatIpv6, ipv6Mask, parseIpv6 } from '../address/ipv6.ts'
import { formatMac, parseMac } from '../address/mac.ts'

/** How an integer was written; a masked constant's value and mask have the same one. */
export type IntegerFormat = 'decimal' | 'hexadecimal' | 'ipv4' | 'ipv6' | 'ethernet'

export interface Integer {
  readonly format: IntegerFormat
  readonly value: bigint
  /** Present for `value/mask`; a prefix length has become a mask. */
  readonly mask?: bigint
}

export type TokenType =
  | 'id' // ip4.src
  | 'string' // "vm1"
  | 'integer' // 80, 0x50, 10.0.0.1, fd00::1, 00:00:5e:00:53:01
  | 'masked' // 10.0.0.0/8
  | 'macro' // $address_set
  | 'port-group' // @port_group
  | 'template' // ^variable
  | 'error'
  | 'end'
  | 'punctuation'

export interface Token {
  readonly type: TokenType
  /** Name, string value, punctuation or error message. */
  readonly text: string
  readonly integer?: Integer
  /** Where the token lies in the source: [start, end). */
  readonly start: number
  readonly end: number
}

const isIdStart = (c: number) => (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 95
const isDigit = (c: number) => c >= 48 && c <= 57
const isId = (c: number) => isIdStart(c) || isDigit(c) || c === 46
const isHex = (c: number) => isDigit(c) || (c >= 97 && c <= 102) || (c >= 65 && c <= 70)
const isBlank = (c: number) => c === 32 || (c >= 9 && c <= 13)

/** By first character, longest first. */
const PUNCTUATION: readonly (readonly string[])[] = (() => {
  const table: string[][] = []
  for (const p of ['<->', '==', '!=', '<=', '>=', '&&', '||', '..', '--', ...'()[]{}<>!,;=:-']) {
    const c = p.charCodeAt(0)
    ;(table[c] ??= []).push(p)
  }
  return table
})()
const MAX64 = (1n << 64n) - 1n
const MAX128 = (1n << 128n) - 1n

/**
 * Breaks the text of a match or of actions into tokens (ovn-sb(5), Logical_Flow.match). It never
 * throws: what is wrong comes as an `error` token, whose text is the real programs' message.
 */
export class Lexer {
  private at = 0
  private ahead: Token | undefined
  token: Token

  constructor(readonly text: string) {
    this.token = this.scan()
  }

  /** Moves to the next token. */
  next(): void {
    if (this.token.type === 'end') return
    this.token = this.ahead ?? this.scan()
    this.ahead = undefined
  }

  /** The token after the present one, without moving. */
  peek(): Token {
    return (this.ahead ??= this.scan())
  }

  /** True, and one further, if the present token is this punctuation. */
  match(text: string): boolean {
    if (!this.is(text)) return false
    this.next()
    return true
  }

  is(text: string): boolean {
    return this.token.type === 'punctuation' && this.token.text === text
  }

  matchId(name: string): boolean {
    if (this.token.type !== 'id' || this.token.text !== name) return false
    this.next()
    return true
  }

  /** `Syntax error at ... expecting WHAT.`, or the lexer's own complaint where it has one. */
  syntaxError(expecting: string): string {
    const t = this.token
    if (t.type === 'error') return t.text
    const where = t.type === 'end' ? ' at end of input' : ` at \`${this.text.slice(t.start, t.end)}'`
    return `Syntax error${where}${expecting ? ` ${expecting}` : ''}.`
  }

  private make(type: TokenType, text: string, start: number, integer?: Integer): Token {
    return integer ? { type, text, integer, start, end: this.at } : { type, text, start, end: this.at }
  }

  private error(message: string, start: number): Token {
    return this.make('error', message, start)
  }

  private scan(): Token {
    const s = this.text
    for (;;) {
      while (this.at < s.length && isBlank(s.charCodeAt(this.at))) this.at++
      if (s.charCodeAt(this.at) !== 47) break
      const start = this.at
      const next = s[this.at + 1]
      if (next === '/') {
        const end = s.indexOf('\n', this.at)
        this.at = end < 0 ? s.length : end
      } else if (next === '*') {
        const end = s.indexOf('*/', this.at + 2)
        if (end < 0) {
          this.at = s.length
          return this.error("`/*' without matching `*/'.", start)
        }
        this.at = end + 2
      } else {
        this.at++
        return this.error("`/' is only valid as part of `//' or `/*'.", start)
      }
    }
    const start = this.at
    if (start >= s.length) return this.make('end', '', start)
    const c = s.charCodeAt(start)
    if (isIdStart(c)) return this.isAddress(start) ? this.integer(start) : this.id('id', start, start)
    if (isDigit(c) || (c === 58 && s.charCodeAt(start + 1) === 58)) return this.integer(start)
    switch (c) {
      case 34:
        return this.string(start)
      case 36:
        return this.sigil('macro', '$', start)
      case 64:
        return this.sigil('port-group', '@', start)
      case 94:
        return this.sigil('template', '^', start)
    }
    for (const p of PUNCTUATION[c] ?? []) {
      if (p.length === 1 || s.startsWith(p, start)) {
        this.at = start + p.length
        return this.make('punctuation', p, start)
      }
    }
    this.at = start + 1
    const ch = s[start] as string
    if (ch === '&') return this.error("`&' is only valid as part of `&&'.", start)
    if (ch === '|') return this.error("`|' is only valid as part of `||'.", start)
    if (ch === '.') return this.error("`.' is only valid as part of `..' or a number.", start)
    if (c > 32 && c < 127) return this.error(`Invalid character \`${ch}' in input.`, start)
    // The real programs print the byte as a signed decimal number behind the 0x.
    const byte = new TextEncoder().encode(String.fromCodePoint(s.codePointAt(start) ?? 0))[0] ?? 0
    return this.error(`Invalid byte 0x${byte < 128 ? byte : byte - 256} in input.`, start)
  }

  /** Hexadecimal digits followed by a colon: an address that begins with a letter. */
  private isAddress(at: number): boolean {
    const s = this.text
    let i = at
    while (i < s.length && isHex(s.charCodeAt(i))) i++
    return i > at && s.charCodeAt(i) === 58 && (isHex(s.charCodeAt(i + 1)) || s.charCodeAt(i + 1) === 58)
  }

  private id(type: TokenType, from: number, start: number): Token {
    const s = this.text
    let i = from
    while (i < s.length && isId(s.charCodeAt(i))) i++
    this.at = i
    return this.make(type, s.slice(from, i), start)
  }

  private sigil(type: TokenType, sign: string, start: number): Token {
    if (isIdStart(this.text.charCodeAt(start + 1))) return this.id(type, start + 1, start)
    this.at = start + 1
    return this.error(`\`${sign}' must be followed by a valid identifier.`, start)
  }

  /** A quoted string of JSON (RFC 8259 §7). */
  private string(start: number): Token {
    const s = this.text
    let i = start + 1
    while (i < s.length && s[i] !== '"') i += s[i] === '\\' ? 2 : 1
    if (i >= s.length) {
      this.at = s.length
      return this.error('Input ends inside quoted string.', start)
    }
    this.at = i + 1
    const raw = s.slice(start, i + 1)
    const value = unquote(raw.slice(1, -1))
    return typeof value === 'string' ? this.make('string', value, start) : this.error(value.error, start)
  }

  private integer(start: number): Token {
    const value = this.number(start)
    if (typeof value === 'string') return this.error(value, start)
    const s = this.text
    if (s[this.at] !== '/') {
      return this.make('integer', s.slice(start, this.at), start, value)
    }
    const slash = this.at + 1
    const c = s.charCodeAt(slash)
    if (!isDigit(c) && c !== 58 && !this.isAddress(slash)) {
      this.at = slash
      return this.error('Integer constant expected.', start)
    }
    const mask = this.number(slash)
    if (typeof mask === 'string') return this.error(mask, start)
    let bits = mask.value
    if (mask.format !== value.format || value.format === 'ipv4' || value.format === 'ipv6') {
      if (mask.format === 'decimal' && value.format === 'ipv4' && mask.value <= 32n) {
        bits = BigInt(ipv4Mask(Number(mask.value)))
      } else if (mask.format === 'decimal' && value.format === 'ipv6' && mask.value <= 128n) {
        bits = ipv6Mask(Number(mask.value))
      } else if (mask.format !== value.format) {
        return this.error('Value and mask have incompatible formats.', start)
      }
    }
    return this.make('masked', s.slice(start, this.at), start, {
      format: value.format,
      value: value.value & bits,
      mask: bits,
    })
  }

  /** A number without a mask from `start`; moves behind it. A string is the error. */
  private number(start: number): Integer | string {
    const s = this.text
    let i = start
    const c1 = s[start + 1]
    if (s[start] === '0' && (c1 === 'x' || c1 === 'X')) {
      i = start + 2
      while (i < s.length && isHex(s.charCodeAt(i))) i++
      this.at = i
      if (i < s.length && isIdStart(s.charCodeAt(i)) && s[i] !== '_') {
        while (i < s.length && /[0-9a-zA-Z]/.test(s[i] as string)) i++
        this.at = i
        return 'Invalid syntax in hexadecimal constant.'
      }
      if (i === start + 2) return `Hex digits expected following 0${c1}.`
      const value = BigInt(s.slice(start, i))
      return value > MAX128 ? 'Hexadecimal constant requires more than 128 bits.' : { format: 'hexadecimal', value }
    }
    while (i < s.length && isHex(s.charCodeAt(i))) i++
    let address = s.charCodeAt(i) === 58 && (isHex(s.charCodeAt(i + 1)) || s.charCodeAt(i + 1) === 58)
    if (address && i > start + 4) address = false
    if (address) {
      while (i < s.length && (isHex(s.charCodeAt(i)) || s[i] === ':' || s[i] === '.')) {
        if (s[i] === '.' && s[i + 1] === '.') break
        i++
      }
      if (i < s.length && isIdStart(s.charCodeAt(i))) {
        while (i < s.length && (isDigit(s.charCodeAt(i)) || /[a-zA-Z.:]/.test(s[i] as string))) i++
        this.at = i
        return 'Invalid numeric constant.'
      }
      this.at = i
      const text = s.slice(start, i)
      if (/^([0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}$/.test(text)) {
        return { format: 'ethernet', value: BigInt(parseMac(text) ?? 0) }
      }
      const v6 = parseIpv6(text)
      return v6 === undefined ? 'Invalid numeric constant.' : { format: 'ipv6', value: v6 }
    }
    i = start
    while (i < s.length && (isDigit(s.charCodeAt(i)) || (s[i] === '.' && s[i + 1] !== '.'))) i++
    if (i < s.length && isIdStart(s.charCodeAt(i)) && s[i] !== '_') {
      while (i < s.length && /[0-9a-zA-Z.:]/.test(s[i] as string) && !(s[i] === '.' && s[i + 1] === '.')) i++
      this.at = i
      return 'Invalid numeric constant.'
    }
    this.at = i
    const text = s.slice(start, i)
    if (text.includes('.')) {
      const v4 = parseIpv4(text)
      return v4 === undefined ? 'Invalid numeric constant.' : { format: 'ipv4', value: BigInt(v4) }
    }
    if (text.length > 1 && text[0] === '0') return 'Decimal constants must not have leading zeros.'
    const value = BigInt(text)
    return value > MAX64 ? 'Decimal constants must be less than 2**64.' : { format: 'decimal', value }
  }
}

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

/** What is between the quotes of a JSON string, as Open vSwitch reads it. */
function unquote(raw: string): string | { readonly error: string } {
  let out = ''
  for (let i = 0; i < raw.length; i++) {
    const c = raw[i] as string
    if (c < ' ')
      return {
        error: `U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')} must be escaped in quoted string`,
      }
    if (c !== '\\') {
      out += c
      continue
    }
    const e = raw[++i] as string
    if (e !== 'u') {
      const plain = ESCAPES[e]
      if (plain === undefined) return { error: `bad escape \\${e}` }
      out += plain
      continue
    }
    const hex = raw.slice(i + 1, i + 5)
    if (hex.length < 4) return { error: 'quoted string ends within \\u escape' }
    if (!/^[0-9a-fA-F]{4}$/.test(hex)) return { error: 'malformed \\u escape' }
    const unit = Number.parseInt(hex, 16)
    if (unit === 0) return { error: 'null bytes not supported in quoted strings' }
    out += String.fromCharCode(unit)
    i += 4
  }
  return out
}

/** A constant as the language writes it, its mask as a prefix length where it is one. */
export function formatInteger(c: Integer): string {
  const one = (v: bigint): string => {
    switch (c.format) {
      case 'decimal':
        return v.toString()
      case 'hexadecimal':
        return `0x${v.toString(16)}`
      case 'ipv4':
        return formatIpv4(Number(v & 0xffffffffn))
      case 'ipv6':
        return formatIpv6(v)
      case 'ethernet':
        return formatMac(Number(v & 0xffffffffffffn))
    }
  }
  if (c.mask === undefined) return one(c.value)
  if (c.format === 'ipv4' || c.format === 'ipv6') {
    const all = c.format === 'ipv4' ? 32 : 128
    const inverse = ~c.mask & ((1n << BigInt(all)) - 1n)
    if ((inverse & (inverse + 1n)) === 0n)
      return `${one(c.value)}/${all - (inverse === 0n ? 0 : inverse.toString(2).length)}`
  }
  return `${one(c.value)}/${one(c.mask)}`
}
