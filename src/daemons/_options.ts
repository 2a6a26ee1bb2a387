import { err, ok, type Result } from '../base/result.ts'

/** One option of a program, as data: parsing, --help and documentation come from it. */
export interface OptionSpec {
  /** Without the dashes. */
  readonly name: string
  /** A one-letter form. */
  readonly short?: string
  /** What the argument is called in the help; none for a flag. */
  readonly argument?: string
  /** The argument may be left out: `--log-file[=FILE]`. */
  readonly optional?: boolean
  readonly help: string
  readonly group: string
  /** Not an option of the real program: no abbreviation that works there may become ambiguous by it. */
  readonly own?: boolean
  /** Understood, but not shown by --help. */
  readonly hidden?: boolean
}

/** Options in the order given, and what is left. */
export interface ParsedOptions {
  readonly given: readonly { readonly name: string; readonly value: string | undefined }[]
  readonly rest: readonly string[]
  has(name: string): boolean
  /** The last value given. */
  value(name: string): string | undefined
  values(name: string): readonly string[]
}

export interface ParseMode {
  /** Is told of each option that is wrong, which is then left out; without it the first one fails all. */
  readonly forgive?: (error: string) => void
  /** The first word that is no option ends them: what follows belongs to a command. */
  readonly inOrder?: boolean
}

/**
 * Splits a command line as getopt_long(3) does: long options by any unambiguous beginning, an
 * argument behind `=` or as the next word, short ones bundled, options and words mixed, `--` ends.
 */
export function parseOptions(
  argv: readonly string[],
  specs: readonly OptionSpec[],
  { forgive, inOrder = false }: ParseMode = {},
): Result<ParsedOptions> {
  const given: { name: string; value: string | undefined }[] = []
  const rest: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] as string
    if (word === '--') {
      rest.push(...argv.slice(i + 1))
      break
    }
    if (word.startsWith('--')) {
      const eq = word.indexOf('=')
      const name = eq < 0 ? word.slice(2) : word.slice(2, eq)
      const found = find(name, word, specs)
      if (!found.ok) {
        if (!forgive) return err(found.error)
        forgive(found.error)
        continue
      }
      const spec = found.value
      let value = eq < 0 ? undefined : word.slice(eq + 1)
      let wrong: string | undefined
      if (!spec.argument && value !== undefined) wrong = `option '--${spec.name}' doesn't allow an argument`
      if (spec.argument && !spec.optional && value === undefined) {
        value = argv[++i]
        if (value === undefined) wrong = `option '--${spec.name}' requires an argument`
      }
      if (wrong !== undefined) {
        if (!forgive) return err(wrong)
        forgive(wrong)
      } else given.push({ name: spec.name, value })
    } else if (word.startsWith('-') && word.length > 1) {
      for (let k = 1; k < word.length; k++) {
        const letter = word[k] as string
        const spec = specs.find((s) => s.short === letter)
        if (!spec) {
          const wrong = `invalid option -- '${letter}'`
          if (!forgive) return err(wrong)
          forgive(wrong)
          continue
        }
        if (!spec.argument) {
          given.push({ name: spec.name, value: undefined })
          continue
        }
        let value: string | undefined = word.slice(k + 1) || undefined
        if (value === undefined && !spec.optional) {
          value = argv[++i]
          if (value === undefined) {
            const wrong = `option requires an argument -- '${letter}'`
            if (!forgive) return err(wrong)
            forgive(wrong)
            break
          }
        }
        given.push({ name: spec.name, value })
        break
      }
    } else if (inOrder) {
      rest.push(...argv.slice(i))
      break
    } else rest.push(word)
  }
  return ok({
    given,
    rest,
    has: (name) => given.some((g) => g.name === name),
    value: (name) => given.findLast((g) => g.name === name)?.value,
    values: (name) => given.filter((g) => g.name === name).flatMap((g) => g.value ?? []),
  })
}

/** @param word as it was given, for the error */
function find(name: string, word: string, specs: readonly OptionSpec[]): Result<OptionSpec> {
  const exact = specs.find((s) => s.name === name)
  if (exact) return ok(exact)
  const begins = specs.filter((s) => s.name.startsWith(name))
  const real = begins.filter((s) => !s.own)
  const candidates = real.length ? real : begins
  if (candidates.length === 1) return ok(candidates[0] as OptionSpec)
  if (!candidates.length || name === '') return err(`unrecognized option '${word}'`)
  return err(`option '${word}' is ambiguous; possibilities: ${candidates.map((c) => `'--${c.name}'`).join(' ')}`)
}

/**
 * The text of --help: groups in the order of their first option.
 * @param defaults what an option is without an argument, by its name
 */
export function optionsHelp(specs: readonly OptionSpec[], defaults: Readonly<Record<string, string>> = {}): string {
  const groups = new Map<string, OptionSpec[]>()
  for (const spec of specs) {
    if (spec.hidden) continue
    const list = groups.get(spec.group)
    if (list) list.push(spec)
    else groups.set(spec.group, [spec])
  }
  const lines: string[] = []
  for (const [group, list] of groups) {
    lines.push('', `${group}:`)
    for (const spec of list) {
      const argument = spec.argument ? (spec.optional ? `[=${spec.argument}]` : `=${spec.argument}`) : ''
      const left = `  ${spec.short ? `-${spec.short}, ` : ''}--${spec.name}${argument}`
      const standard = defaults[spec.name]
      const help = [...spec.help.split('\n'), ...(standard === undefined ? [] : [`(default: ${standard})`])]
      if (left.length > 25) lines.push(left, ...help.map((h) => `${' '.repeat(26)}${h}`))
      else lines.push(...help.map((h, i) => (i ? `${' '.repeat(26)}${h}` : `${left.padEnd(26)}${h}`)))
    }
  }
  return `${lines.slice(1).join('\n')}\n`
}
