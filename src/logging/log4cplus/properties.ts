/** A property, and where it was given. */
export interface Property {
  readonly text: string
  readonly file: string
  /** 1 for the first line. */
  readonly line: number
}

/** Properties in the order of their names' first lines; of two with one name the last counts. */
export type Properties = ReadonlyMap<string, Property>

export interface PropertiesContext {
  /** The text of an included file, undefined when there is none to read. */
  include(path: string): string | undefined
  warn(message: string): void
}

/** Files that include each other are no deeper than this, and a file of files ends somewhere. */
const DEEPEST = 10
const MOST_INCLUDES = 1000

/**
 * Reads `name = value` lines as log4cplus does: white space around both is no part of them, a line that
 * begins with # is a comment, and one without `=` says nothing, but for `include FILE`. There is no way
 * to continue a line. Never fails.
 */
export function parseProperties(text: string, file: string, context: PropertiesContext): Properties {
  const properties = new Map<string, Property>()
  let includes = 0
  const read = (content: string, name: string, path: readonly string[]) => {
    let number = 0
    for (const raw of lines(content)) {
      number++
      const line = raw.trim()
      if (line === '' || line.startsWith('#') || line.startsWith('!')) continue
      const at = line.indexOf('=')
      const included = /^include\s+(.*)$/.exec(line)?.[1]
      if (included !== undefined && (at < 0 || !/^include\s*=/.test(line))) {
        const where = `${name}:${number}: include ${included}`
        if (path.includes(included)) context.warn(`${where}: the files include each other`)
        else if (path.length >= DEEPEST || ++includes > MOST_INCLUDES) context.warn(`${where}: too many files`)
        else {
          const content = context.include(included)
          if (content === undefined) context.warn(`${where}: could not open file`)
          else read(content, included, [...path, included])
        }
        continue
      }
      if (at <= 0) continue
      const key = line.slice(0, at).trimEnd()
      properties.set(key, { text: line.slice(at + 1).trimStart(), file: name, line: number })
    }
  }
  read(text, file, [file])
  return properties
}

/** Lines without their ends, one after the other: a large file is not there twice. */
function* lines(text: string): Generator<string> {
  let from = text.startsWith('\uFEFF') ? 1 : 0
  while (from < text.length) {
    let end = text.indexOf('\n', from)
    if (end < 0) end = text.length
    yield text.slice(from, end)
    from = end + 1
  }
}

/** Values that grow at each step would fill the memory long before they end. */
const LONGEST = 100_000

/**
 * Puts values in place of `${NAME}` in keys and values: of the environment, whose values stay as they
 * are, else of another property, whose own `${}` are filled too. A name that nobody knows, or is empty in
 * the environment, stays as it stands, and so does a text with a `${` that is not closed.
 */
export function substitute(
  properties: Properties,
  environment: (name: string) => string | undefined,
  warn: (message: string) => void,
): Properties {
  const filled = new Map<string, Property>()
  for (const [key, property] of properties) {
    const fill = (text: string, within: readonly string[]): string => {
      let out = ''
      let from = 0
      for (;;) {
        const open = text.indexOf('${', from)
        if (open < 0) return out + text.slice(from)
        const close = text.indexOf('}', open + 2)
        if (close < 0) throw new Unfilled('no closing brace')
        const name = text.slice(open + 2, close)
        const whole = text.slice(open, close + 1)
        let value = environment(name) || undefined
        if (value === undefined) {
          const other = properties.get(name)
          if (other && (within.includes(name) || within.length > DEEPEST))
            throw new Unfilled(`'${whole}' refers to itself`)
          value = other && fill(other.text, [...within, name])
        }
        out += text.slice(from, open) + (value || whole)
        if (out.length > LONGEST) throw new Unfilled('value too long')
        from = close + 1
      }
    }
    const tried = (text: string, within: readonly string[]): string => {
      if (!text.includes('${')) return text
      try {
        return fill(text, within)
      } catch (e) {
        if (!(e instanceof Unfilled)) throw e
        warn(`${property.file}:${property.line}: ${e.message}, left as it stands`)
        return text
      }
    }
    const name = tried(key, [])
    filled.set(name, { ...property, text: tried(property.text, [name]) })
  }
  return filled
}

/** Why a text keeps its `${}`. */
class Unfilled extends Error {}
