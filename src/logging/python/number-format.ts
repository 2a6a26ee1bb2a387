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

/**
 * The digits of a number by a conversion letter of printf's; undefined for another letter. `alternate` is its
 * flag #: a prefix, or a point and zeros that would be left out.
 */
export function digits(
  letter: string,
  value: number,
  precision: number | undefined,
  alternate = false,
): string | undefined {
  const fraction = Math.min(precision ?? 6, 100)
  const point = (text: string) => (alternate && fraction === 0 ? text.replace(/^-?\d+/, '$&.') : text)
  switch (letter) {
    case 'd':
    case 'i':
    case 'u':
      return whole(value, 10, precision)
    case 'x':
      return whole(value, 16, precision, alternate ? '0x' : '')
    case 'X':
      return whole(value, 16, precision, alternate ? '0x' : '').toUpperCase()
    case 'o':
      return whole(value, 8, precision, alternate ? '0o' : '')
    case 'f':
    case 'F':
      return point(fixed(value, fraction))
    case 'e':
      return point(exponent(exponential(value, fraction)))
    case 'E':
      return point(exponent(exponential(value, fraction))).toUpperCase()
    case 'g':
    case 'G': {
      const g = general(value, precision === 0 ? 1 : fraction, alternate)
      return letter === 'g' ? g : g.toUpperCase()
    }
    default:
      return undefined
  }
}

/** Digits by JavaScript, which rounds what lies in the middle up, as C has them, where the last digit is even. */
function even(rounded: string, exact: string): string {
  const shorter = exact.slice(0, rounded.length)
  const rest = exact.slice(rounded.length)
  return /^\.?50*$/.test(rest) && /[02468]\.?$/.test(shorter) ? shorter : rounded
}

function fixed(value: number, fraction: number): string {
  return even(value.toFixed(fraction), value.toFixed(100))
}

function exponential(value: number, fraction: number): string {
  const [exact = '', exactPower] = value.toExponential(100).split('e')
  const [rounded = '', power] = value.toExponential(fraction).split('e')
  return exactPower === power ? `${even(rounded, exact)}e${power}` : `${rounded}e${power}`
}

/** The precision of a whole number is its least number of digits. */
function whole(value: number, base: number, precision: number | undefined, prefix = ''): string {
  const digits = Math.trunc(value).toString(base)
  if (prefix === '' && digits.length >= (precision ?? 0)) return digits
  return digits.replace(
    /^(-?)(\w+)$/,
    (_, sign: string, text: string) => sign + prefix + text.padStart(precision ?? 0, '0'),
  )
}

function general(value: number, precision: number, alternate: boolean): string {
  const e = value === 0 ? 0 : Number(exponential(value, precision - 1).split('e')[1])
  const trim = (text: string) => {
    if (!alternate) return text.includes('.') ? text.replace(/\.?0+$/, '') : text
    return text.includes('.') ? text : `${text}.`
  }
  if (e >= -4 && e < precision) return trim(fixed(value, Math.min(100, Math.max(0, precision - 1 - e))))
  const [mantissa, power] = exponential(value, precision - 1).split('e')
  return exponent(`${trim(mantissa as string)}e${power}`)
}
