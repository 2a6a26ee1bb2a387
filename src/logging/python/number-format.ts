/** A number that Python would hold as a float: its text has a point. */
export class Float {
  constructor(readonly value: number) {}
}

/** What a record's attribute may be. */
export type Attribute = string | number | Float

const exponent = (text: string) => text.replace(/e([+-])(\d)$/, 'e$10$2')

/** str() and repr() of a number. */
function numberText(value: Attribute): string {
  if (!(value instanceof Float)) return String(value)
  const n = value.value
  if (Number.isInteger(n) && Math.abs(n) < 1e16) return `${n}.0`
  return exponent(String(n))
}

/** str(). */
export function text(value: Attribute): string {
  return typeof value === 'string' ? value : numberText(value)
}

/** repr(). */
export function quoted(value: Attribute): string {
  if (typeof value !== 'string') return numberText(value)
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'"
  let out = quote
  for (const c of value) {
    if (c === quote || c === '\\') out += `\\${c}`
    else if (c === '\n') out += '\\n'
    else if (c === '\r') out += '\\r'
    else if (c === '\t') out += '\\t'
    else if (c < ' ' || c === '\x7f') out += `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`
    else out += c
  }
  return out + quote
}

export function numeric(value: Attribute): number {
  return value instanceof Float ? value.value : Number(value)
}

/** The digits of a number by a conversion letter of printf's; undefined for another letter. */
export function digits(letter: string, value: number, precision: number | undefined): string | undefined {
  switch (letter) {
    case 'd':
    case 'i':
    case 'u':
      return String(Math.trunc(value)).replace(/^(-?)(\d+)$/, (_, sign: string, d: string) => {
        return sign + d.padStart(precision ?? 0, '0')
      })
    case 'x':
      return Math.trunc(value).toString(16)
    case 'X':
      return Math.trunc(value).toString(16).toUpperCase()
    case 'o':
      return Math.trunc(value).toString(8)
    case 'f':
    case 'F':
      return value.toFixed(Math.min(precision ?? 6, 100))
    case 'e':
      return exponent(value.toExponential(Math.min(precision ?? 6, 100)))
    case 'E':
      return exponent(value.toExponential(Math.min(precision ?? 6, 100))).toUpperCase()
    case 'g':
    case 'G': {
      const g = general(value, Math.min(precision === 0 ? 1 : (precision ?? 6), 100))
      return letter === 'g' ? g : g.toUpperCase()
    }
    default:
      return undefined
  }
}

function general(value: number, precision: number): string {
  const e = value === 0 ? 0 : Number(value.toExponential(precision - 1).split('e')[1])
  const trim = (s: string) => (s.includes('.') ? s.replace(/\.?0+$/, '') : s)
  if (e >= -4 && e < precision) return trim(value.toFixed(Math.min(100, Math.max(0, precision - 1 - e))))
  const [mantissa, power] = value.toExponential(precision - 1).split('e')
  return exponent(`${trim(mantissa as string)}e${power}`)
}
