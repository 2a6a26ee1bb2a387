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
  ...{ n: '\n', t: '\t', r: '\r', '0': '\0', a: '\x07', b: '\b', f: '\f', v: '\v' },
  ...{ '\\': '\\', "'": "'", '"': '"', '\n': '' },
}

/** Deeper than any file in use, and far from the end of the stack. */
const MAX_DEPTH = 50

/** Reads literals, tuples, lists, dictionaries, dotted names, and sums and products of numbers. Runs nothing. */
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
    const value = this.sum(0)
    this.space()
    if (this.at < this.text.length) this.refuse('is not understood')
    return value
  }

  private refuse(what: string): never {
    const rest = this.text.slice(this.at, this.at + 20)
    throw new Refusal(rest ? `'${rest}' ${what}` : 'ends too early')
  }

  private space(): void {
    while (/\s/.test(this.text[this.at] ?? '')) this.at++
  }

  private accept(c: string): boolean {
    this.space()
    if (!this.text.startsWith(c, this.at)) return false
    this.at += c.length
    return true
  }

  private sum(depth: number): Literal {
    let left = this.product(depth)
    for (;;) {
      const op = this.accept('+') ? '+' : this.accept('-') ? '-' : undefined
      if (!op) return left
      const right = this.product(depth)
      if (typeof left !== 'number' || typeof right !== 'number') this.refuse('is no sum of numbers')
      left = op === '+' ? left + right : left - right
    }
  }

  private product(depth: number): Literal {
    let left = this.power(depth)
    while (!this.text.startsWith('**', this.at) && this.accept('*')) {
      const right = this.power(depth)
      if (typeof left !== 'number' || typeof right !== 'number') this.refuse('is no product of numbers')
      left *= right
    }
    return left
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
    return Object.hasOwn(this.numbers, word) ? (this.numbers[word] as number) : { name: word }
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
      values.push(this.sum(depth + 1))
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
      const key = this.sum(depth + 1)
      if (!this.accept(':')) this.refuse("stands where ':' is awaited")
      entries.push([key, this.sum(depth + 1)])
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
      const hex = /^(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})/.exec(this.text.slice(this.at - 1))
      if (raw) out += `\\${e}`
      else if (hex) {
        out += String.fromCharCode(Number.parseInt(hex[0].slice(1), 16))
        this.at += hex[0].length - 1
      } else out += ESCAPES[e] ?? `\\${e}`
    }
    this.at += quote.length
    return out
  }
}
