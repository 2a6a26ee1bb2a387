import { err, ok, type Result } from '../../base/result.ts'

export interface OsloValue {
  readonly text: string
  /** 1 for the first line. */
  readonly line: number
}

/** The values of section [DEFAULT] in their order, by their names; an option may come several times. */
export type OsloFile = ReadonlyMap<string, readonly OsloValue[]>

/**
 * Reads a file as oslo.config does: `key = value` or `key: value`, names as they are written, a value in
 * quotes without them, and values that go on on lines that begin with a blank. Comments have lines of
 * their own and end a value, as empty lines do. An error says `FILE:LINE: reason`.
 */
export function parseOsloFile(text: string, name: string): Result<OsloFile> {
  const options = new Map<string, { text: string; line: number }[]>()
  let section: string | undefined
  let open: { text: string; line: number } | undefined
  for (const [i, line] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
    .entries()) {
    const fail = (reason: string) => err(`${name}:${i + 1}: ${reason}`)
    if (line.trim() === '' || line.startsWith('#') || line.startsWith(';')) {
      open = undefined
      continue
    }
    if (/^\s/.test(line)) {
      if (!open) return fail(`Unexpected continuation line: '${line}'`)
      open.text += `\n${line.trim()}`
      continue
    }
    const content = line.trimEnd()
    if (content.startsWith('[')) {
      if (!content.endsWith(']')) return fail(`Invalid section (must end with ]): '${content}'`)
      section = content.slice(1, -1)
      if (section === '') return fail(`Empty section name: '${content}'`)
      open = undefined
      continue
    }
    const at = content.search(/[=:]/)
    if (at < 0) return fail(`No ':' or '=' found in assignment: '${content}'`)
    const key = content.slice(0, at).trim()
    if (key === '') return fail(`Key cannot be empty: '${content}'`)
    if (section === undefined) return fail('Section must be started before assignment')
    open = { text: unquoted(content.slice(at + 1).trim()), line: i + 1 }
    if (section !== 'DEFAULT') continue
    const values = options.get(key)
    if (values) values.push(open)
    else options.set(key, [open])
  }
  return ok(options)
}

function unquoted(text: string): string {
  const quote = text[0]
  return (quote === '"' || quote === "'") && text.endsWith(quote) ? text.slice(1, -1) : text
}

/**
 * Puts the values of other options in the place of `$name` and `${name}`; `$$` and `\$` are a dollar.
 * `value` answers undefined for an option that is not there.
 */
export function substitute(text: string, value: (name: string) => Result<string | undefined>): Result<string> {
  let out = ''
  let end = 0
  for (const m of text.matchAll(/\\\$|\$\$|\$(?:([A-Za-z_][\w.]*)|\{([A-Za-z_][\w.]*)\})/g)) {
    out += text.slice(end, m.index)
    end = m.index + m[0].length
    const name = m[1] ?? m[2]
    if (name === undefined) {
      out += '$'
      continue
    }
    const other = value(name)
    if (!other.ok) return other
    if (other.value === undefined) return err(`no such option ${name} to put in place of '${m[0]}'`)
    // Values that double at each step would fill the memory long before they end.
    if (out.length + other.value.length > 1_000_000) return err('value too long')
    out += other.value
  }
  return ok(out + text.slice(end))
}
