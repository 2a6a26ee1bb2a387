import { err, ok, type Result } from '../../base/result.ts'

/** A value as the arguments of a handler are written. */
export type Literal = string | number | boolean | null | readonly Literal[] | Name | Dict

/** A constant by its name: `handlers.SysLogHandler.LOG_USER`, `sys.stdout`. */
export interface Name {
  readonly name: string
}

export interface Dict {
  readonly entries: readonly (readonly [Literal, Literal])[]
}

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' },
  ...{ '\\': '\\', "'": "'", '"': '"', '\n': '' },
}

/** Longer than any path or address. */
const LONGEST = 100_000

/** Deeper than any file in use, and far from the end of the stack. */
const MAX_DEPTH = 50

/**
 * Reads literals, tuples, lists, dictionaries (`dict(key=value)` too), dotted names, sums of texts and arithmetic of
 * whole numbers, with comments behind #. Runs nothing.
 */
export function parseLiteral(text: string, numbers: Readonly<Record<string, number>> = {}): Result<Literal> {
  const reader = new Reader(text, numbers)
  try {
    return ok(reader.whole())
  } catch (e) {
    if (e instanceof Refusal) return err(e.message)
    throw e
  }
}

class Refusal extends Error {}

class Reader {
  private at = 0

  constructor(
    private readonly text: string,
    /** Names that stand for numbers. */
    private readonly numbers: Readonly<Record<string, number>>,
  ) {}

  whole(): Literal {
    const value = this.shift(0)
    this.space()
    if (this.at < this.text.length) this.refuse('is not understood')
    return value
  }

  private refuse(what: string): never {
    const rest = this.text.slice(this.at, this.at + 20)
    throw new Refusal(rest ? `'${rest}' ${what}` : 'ends too early')
  }

  private space(): void {
    const blank = /(?:\s|#[^\n]*)*/y
    blank.lastIndex = this.at
    this.at += blank.exec(this.text)?.[0].length ?? 0
  }

  private accept(c: string): boolean {
    this.space()
    if (!this.text.startsWith(c, this.at)) return false
    this.at += c.length
    return true
  }

  /** `1 << 20`, as sizes are written. */
  private shift(depth: number): Literal {
    let left = this.sum(depth)
    while (this.accept('<<')) {
      const right = this.sum(depth)
      if (typeof left !== 'number' || typeof right !== 'number' || right < 0) this.refuse('stands behind no shift')
      left *= 2 ** right
    }
    return left
  }

  private sum(depth: number): Literal {
    let left = this.product(depth)
    for (;;) {
      const op = this.accept('+') ? '+' : this.accept('-') ? '-' : undefined
      if (!op) return left
      const right = this.product(depth)
      if (op === '+' && typeof left === 'string' && typeof right === 'string') {
        if (left.length + right.length > LONGEST) this.refuse('makes a text too long')
        left += right
        continue
      }
      if (typeof left !== 'number' || typeof right !== 'number') this.refuse('stands behind no sum of numbers')
      left = op === '+' ? left + right : left - right
    }
  }

  private product(depth: number): Literal {
    let left = this.power(depth)
    for (;;) {
      const op = this.accept('//') ? '//' : this.accept('*') ? '*' : undefined
      if (!op) return left
      const right = this.power(depth)
      if (typeof left !== 'number' || typeof right !== 'number') this.refuse('stands behind no product of numbers')
      if (op === '//' && right === 0) this.refuse('stands behind a division by zero')
      left = op === '*' ? left * right : Math.floor(left / right)
    }
  }

  private power(depth: number): Literal {
    const base = this.one(depth)
    if (!this.accept('**')) return base
    const exponent = this.one(depth)
    if (typeof base !== 'number' || typeof exponent !== 'number') this.refuse('is no power of numbers')
    return base ** exponent
  }

  private one(depth: number): Literal {
    if (depth > MAX_DEPTH) this.refuse('is nested too deep')
    this.space()
    const c = this.text[this.at]
    if (c === undefined) this.refuse('')
    if (c === '(') return this.tuple(depth)
    if (c === '[') {
      this.at++
      return this.items(']', depth).values
    }
    if (c === '{') return this.dict(depth)
    if (c === '-' || c === '+') {
      this.at++
      const value = this.one(depth + 1)
      if (typeof value !== 'number') this.refuse('is no number')
      return c === '-' ? -value : value
    }
    const rest = this.text.slice(this.at)
    const prefix = /^([rRuU]?)('''|"""|'|")/.exec(rest)
    if (prefix) return this.strings()
    if (/^0\d/.test(rest)) this.refuse('begins with a zero')
    if (/^[bBfF][rR]?['"]|^[rR][bBfF]['"]/.test(rest)) this.refuse('is no plain text')
    const number = /^(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|(\d[\d_]*)(\.\d*)?([eE][+-]?\d+)?|\.\d+)/.exec(rest)
    if (number) {
      this.at += number[0].length
      return Number(number[0].replaceAll('_', ''))
    }
    const name = /^[A-Za-z_]\w*(\s*\.\s*[A-Za-z_]\w*)*/.exec(rest)
    if (!name) this.refuse('is no literal')
    this.at += name[0].length
    const word = name[0].replace(/\s/g, '')
    if (word === 'True' || word === 'False') return word === 'True'
    if (word === 'None') return null
    if (this.accept('(')) return word === 'dict' ? this.named(depth) : this.refuseRun(word, '(...)')
    if (this.accept('[')) this.refuseRun(word, '[...]')
    return Object.hasOwn(this.numbers, word) ? (this.numbers[word] as number) : { name: word }
  }

  private refuseRun(word: string, rest: string): never {
    throw new Refusal(`'${word}${rest}' would have to be run, which only texts, numbers and constants are not`)
  }

  /** `dict(key=value)`, behind its bracket. */
  private named(depth: number): Dict {
    const entries: [Literal, Literal][] = []
    let comma = true
    while (!this.accept(')')) {
      if (!comma) this.refuse("stands where ',' or ')' is awaited")
      this.space()
      const key = /^[A-Za-z_]\w*/.exec(this.text.slice(this.at))?.[0]
      if (key === undefined) this.refuse('is no name')
      this.at += key.length
      if (!this.accept('=')) this.refuse("stands where '=' is awaited")
      entries.push([key, this.shift(depth + 1)])
      comma = this.accept(',')
    }
    return { entries }
  }

  private tuple(depth: number): Literal {
    this.at++
    const { values, comma } = this.items(')', depth)
    return values.length === 1 && !comma ? (values[0] as Literal) : values
  }

  private items(end: string, depth: number): { values: Literal[]; comma: boolean } {
    const values: Literal[] = []
    let comma = false
    while (!this.accept(end)) {
      if (values.length && !comma) this.refuse(`stands where ',' or '${end}' is awaited`)
      values.push(this.shift(depth + 1))
      comma = this.accept(',')
    }
    return { values, comma }
  }

  private dict(depth: number): Dict {
    this.at++
    const entries: [Literal, Literal][] = []
    let comma = true
    while (!this.accept('}')) {
      if (!comma) this.refuse("stands where ',' or '}' is awaited")
      const key = this.shift(depth + 1)
      if (!this.accept(':')) this.refuse("stands where ':' is awaited")
      entries.push([key, this.shift(depth + 1)])
      comma = this.accept(',')
    }
    return { entries }
  }

  /** Strings that follow each other are one. */
  private strings(): string {
    let out = ''
    for (;;) {
      this.space()
      const m = /^([rRuU]?)('''|"""|'|")/.exec(this.text.slice(this.at))
      if (!m) return out
      this.at += m[0].length
      out += this.string(m[2] as string, /r/i.test(m[1] as string))
    }
  }

  private string(quote: string, raw: boolean): string {
    let out = ''
    while (!this.text.startsWith(quote, this.at)) {
      const c = this.text[this.at++]
      if (c === undefined) this.refuse('')
      if (c === '\n' && quote.length === 1) this.refuse('stands where a quote is awaited')
      if (c !== '\\') {
        out += c
        continue
      }
      const e = this.text[this.at++]
      if (e === undefined) this.refuse('')
      const number = /^(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U00(?:0\d|10)[0-9a-fA-F]{4}|[0-7]{1,3})/.exec(
        this.text.slice(this.at - 1),
      )?.[0]
      if (raw) out += `\\${e}`
      else if (number !== undefined) {
        const octal = /^\d/.test(number)
        out += String.fromCodePoint(Number.parseInt(octal ? number : number.slice(1), octal ? 8 : 16))
        this.at += number.length - 1
      } else if (e === 'N') this.refuse('is a letter by its name')
      else out += ESCAPES[e] ?? `\\${e}`
    }
    this.at += quote.length
    return out
  }
}
