import { err, ok, type Result } from '../../base/result.ts'

export interface IniValue {
  readonly text: string
  /** 1 for the first line. */
  readonly line: number
}

/** A section's own keys, in lower case. */
export type IniSection = ReadonlyMap<string, IniValue>

/** A file of sections, keys and values, as Python's configparser reads it. */
export class IniFile {
  constructor(
    readonly name: string,
    readonly sections: ReadonlyMap<string, IniSection>,
    /** The keys of [DEFAULT], which all sections have. */
    readonly defaults: IniSection,
  ) {}

  /** The value as it stands. */
  raw(section: string, key: string): IniValue | undefined {
    return this.sections.get(section)?.get(key) ?? this.defaults.get(key)
  }

  /** The value with `%(key)s` replaced by the other keys' values and `%%` by `%`. */
  get(section: string, key: string): Result<IniValue | undefined> {
    const value = this.raw(section, key)
    if (!value) return ok(undefined)
    const r = this.interpolate(section, value, 0)
    return r.ok ? ok({ text: r.value, line: value.line }) : r
  }

  /** `FILE:LINE: reason`. */
  at(line: number, reason: string): string {
    return `${this.name}:${line}: ${reason}`
  }

  private interpolate(section: string, value: IniValue, depth: number): Result<string> {
    if (depth > 9) return err(this.at(value.line, 'value refers to itself'))
    let out = ''
    for (let i = 0; i < value.text.length; i++) {
      const c = value.text[i] as string
      if (c !== '%') {
        out += c
        continue
      }
      if (value.text[i + 1] === '%') {
        out += '%'
        i++
        continue
      }
      const m = /^%\(([^)]+)\)s/.exec(value.text.slice(i))
      if (!m) return err(this.at(value.line, `'%' must be followed by '%' or '(', found: '${value.text.slice(i)}'`))
      const other = this.raw(section, (m[1] as string).toLowerCase())
      if (!other) return err(this.at(value.line, `no key '${m[1]}' to put in place of '${m[0]}'`))
      const r = this.interpolate(section, other, depth + 1)
      if (!r.ok) return r
      // Values that double at each step would fill the memory long before they end.
      if (out.length + r.value.length > 1_000_000) return err(this.at(value.line, 'value too long'))
      out += r.value
      i += m[0].length - 1
    }
    return ok(out)
  }
}

/**
 * Reads sections, `key = value` and `key: value`, lines that continue a value by being further indented,
 * and comments on lines of their own behind # or ;. A key or section that comes twice is an error.
 */
export function parseIni(text: string, name: string): Result<IniFile> {
  const fail = (line: number, reason: string) => err(`${name}:${line}: ${reason}`)
  const sections = new Map<string, Map<string, { lines: string[]; line: number }>>()
  const defaults = new Map<string, { lines: string[]; line: number }>()
  let section: Map<string, { lines: string[]; line: number }> | undefined
  let value: { lines: string[]; line: number } | undefined
  let indent = 0
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)
  for (const [i, line] of lines.entries()) {
    const trimmed = line.trim()
    const number = i + 1
    if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith(';')) {
      // An empty line inside of a value belongs to it, a comment does not.
      if (trimmed === '') value?.lines.push('')
      continue
    }
    const depth = line.length - line.trimStart().length
    if (value && depth > indent) {
      value.lines.push(trimmed)
      continue
    }
    indent = depth
    const header = /^\[(.+)\]/.exec(trimmed)
    if (header) {
      const title = header[1] as string
      value = undefined
      if (title === 'DEFAULT') {
        section = defaults
        continue
      }
      if (sections.has(title)) return fail(number, `section '${title}' already exists`)
      section = new Map()
      sections.set(title, section)
      continue
    }
    if (!section) return fail(number, `no section before '${trimmed}'`)
    const at = trimmed.search(/[=:]/)
    if (at < 0) return fail(number, `neither '[section]' nor 'key = value': '${trimmed}'`)
    const key = trimmed.slice(0, at).trim().toLowerCase()
    if (key === '') return fail(number, 'key is missing')
    if (section.has(key)) return fail(number, `key '${key}' already exists`)
    value = { lines: [trimmed.slice(at + 1).trim()], line: number }
    section.set(key, value)
  }
  const finish = (from: Map<string, { lines: string[]; line: number }>): IniSection =>
    new Map([...from].map(([k, v]) => [k, { text: v.lines.join('\n').trimEnd(), line: v.line }]))
  return ok(new IniFile(name, new Map([...sections].map(([k, s]) => [k, finish(s)])), finish(defaults)))
}
