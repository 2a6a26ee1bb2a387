/** A part of a comma-separated list: `name`, `name=value`, `name:value`, `name(args)`, `name(args)->rest`. */
export interface Item {
  readonly name: string
  /** What follows `=` or `:`, or stands in the parentheses. */
  readonly value: string | undefined
  readonly delimiter: '=' | ':' | '(' | undefined
  /** What follows the closing parenthesis, without `->`. */
  readonly arrow: string | undefined
}

/** Where a name ends. */
const DELIMITERS = ':=('

/** Cuts a text at commas (and, as ovs-ofctl does, blanks) outside parentheses; empty parts are dropped. */
export function split(text: string): string[] {
  const out: string[] = []
  let depth = 0
  let quoted = false
  let start = 0
  for (let i = 0; i <= text.length; i++) {
    const c = text[i]
    if (quoted) {
      if (c === '\\') i++
      else if (c === '"') quoted = false
      if (c !== undefined) continue
    }
    if (c === '"') quoted = true
    else if (c === '(') depth++
    else if (c === ')') depth--
    else if (c === undefined || (depth <= 0 && (c === ',' || c === ' ' || c === '\t' || c === '\n' || c === '\r'))) {
      if (i > start) out.push(text.slice(start, i))
      start = i + 1
    }
  }
  return out
}

/** Takes a part apart. */
export function item(part: string): Item {
  let i = 0
  while (i < part.length && !DELIMITERS.includes(part[i] as string)) i++
  const name = part.slice(0, i)
  const c = part[i]
  if (c === undefined) return { name, value: undefined, delimiter: undefined, arrow: undefined }
  if (c !== '(') return { name, value: part.slice(i + 1), delimiter: c as '=' | ':', arrow: undefined }
  let depth = 0
  let end = part.length
  for (let j = i; j < part.length; j++) {
    if (part[j] === '(') depth++
    else if (part[j] === ')' && --depth === 0) {
      end = j
      break
    }
  }
  const rest = part.slice(end + 1)
  return {
    name,
    value: part.slice(i + 1, end),
    delimiter: '(',
    arrow: rest.startsWith('->') ? rest.slice(2) : rest === '' ? undefined : rest,
  }
}
