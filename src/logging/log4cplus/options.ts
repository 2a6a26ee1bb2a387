import type { Properties, Property } from './properties.ts'

/** The properties whose names begin with one prefix, by the rest of their names. */
export class Options {
  private constructor(private readonly own: ReadonlyMap<string, Property>) {}

  static all(properties: Properties): Options {
    return new Options(properties)
  }

  /** What is below `prefix`, which ends with a dot. */
  below(prefix: string): Options {
    const own = new Map<string, Property>()
    for (const [k, p] of this.own) if (k.startsWith(prefix)) own.set(k.slice(prefix.length), p)
    return new Options(own)
  }

  /** The first parts of the names: the value that each has itself, and what is below it. */
  grouped(): Map<string, { readonly property: Property | undefined; readonly options: Options }> {
    const groups = new Map<string, Map<string, Property>>()
    for (const [k, p] of this.own) {
      const dot = k.indexOf('.')
      const first = dot < 0 ? k : k.slice(0, dot)
      let group = groups.get(first)
      if (!group) {
        group = new Map()
        groups.set(first, group)
      }
      if (dot >= 0) group.set(k.slice(dot + 1), p)
    }
    return new Map([...groups].map(([k, g]) => [k, { property: this.own.get(k), options: new Options(g) }]))
  }

  names(): Iterable<string> {
    return this.own.keys()
  }

  get(name: string): string | undefined {
    return this.own.get(name)?.text
  }

  /** The value and its place. */
  property(name: string): Property | undefined {
    return this.own.get(name)
  }

  /** `true` in any case, or a whole number other than 0; what is neither is as if it were not there. */
  flag(name: string, missing: boolean): boolean {
    const text = this.get(name)
    if (text === undefined) return missing
    if (/^(true|false)$/i.test(text)) return text.toLowerCase() === 'true'
    const number = this.integer(name)
    return number === undefined ? missing : number !== 0
  }

  /** A whole number; undefined where there is none. */
  integer(name: string): number | undefined {
    const text = this.get(name)
    return text !== undefined && /^[-+]?\d{1,15}$/.test(text) ? Number(text) : undefined
  }
}
