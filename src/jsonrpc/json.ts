/**
 * A JSON value as Open vSwitch understands it. A whole number is a `number` up to 2^53 and a
 * `bigint` between that and 2^63; every other number is a real. (ovsdb-server(7), 3.1: of two
 * members with one name the last counts.)
 */
export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [member: string]: Json | undefined
}

export function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

export function isArray(json: Json | undefined): json is readonly Json[] {
  return Array.isArray(json)
}

/** A whole number of 64 bits. */
export function isInteger(json: Json | undefined): json is number | bigint {
  return typeof json === 'bigint' || (typeof json === 'number' && Number.isSafeInteger(json))
}

/** A real as Open vSwitch prints one: 15 significant digits, whatever that loses. */
export function printReal(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value === 0 ? 0 : value)
  return printG(value, 15)
}

/** C's `%.{digits}g`. */
function printG(value: number, digits: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
  const [mantissa = '', exponent = '0'] = value.toExponential(digits - 1).split('e')
  const e = Number(exponent)
  const trim = (s: string) => (s.includes('.') ? s.replace(/\.?0+$/, '') : s)
  if (e < -4 || e >= digits) {
    return `${trim(mantissa)}e${e < 0 ? '-' : '+'}${String(Math.abs(e)).padStart(2, '0')}`
  }
  return trim(value.toFixed(Math.max(0, digits - 1 - e)))
}

function printNumber(value: number): string {
  return Number.isSafeInteger(value) ? String(value === 0 ? 0 : value) : printReal(value)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly the characters that JSON escapes
const ESCAPED = /[\u0000-\u001f"\\]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly the characters that JSON escapes
const ESCAPED_ALL = /[\u0000-\u001f"\\]/g

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

/** A string with its quotes; only what must be escaped is. */
export function printString(text: string): string {
  if (!ESCAPED.test(text)) return `"${text}"`
  return `"${text.replace(ESCAPED_ALL, (c) => SHORT[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`
}

/** JSON without blanks; `sorted`: the members of objects in the order of their names. */
export function printJson(json: Json, sorted = false): string {
  switch (typeof json) {
    case 'string':
      return printString(json)
    case 'number':
      return printNumber(json)
    case 'bigint':
    case 'boolean':
      return String(json)
    default:
  }
  if (json === null) return 'null'
  if (isArray(json)) {
    let s = '['
    for (let i = 0; i < json.length; i++) s += (i ? ',' : '') + printJson(json[i] as Json, sorted)
    return `${s}]`
  }
  const names = Object.keys(json)
  if (sorted) names.sort()
  let s = '{'
  for (const name of names) {
    const value = (json as JsonObject)[name]
    if (value === undefined) continue
    s += `${s.length > 1 ? ',' : ''}${printString(name)}:${printJson(value, sorted)}`
  }
  return `${s}}`
}

/** Equality of values: the order of an object's members does not matter. */
export function equalJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true
  if (isArray(a)) {
    if (!isArray(b) || a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (!equalJson(a[i], b[i])) return false
    return true
  }
  if (!isObject(a) || !isObject(b)) return false
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  for (const name of names) if (!Object.hasOwn(b, name) || !equalJson(a[name], b[name])) return false
  return true
}
