import type { Command, ParsedCall } from './command.ts'
import { fatal } from './error.ts'
import type { GlobalOption, Program } from './program.ts'

export interface Written<T> extends ParsedCall {
  readonly command: Command<T>
}

/** A command line, read. */
export interface Invocation<T> {
  readonly args: readonly string[]
  readonly globals: ReadonlyMap<string, string>
  readonly calls: readonly Written<T>[]
  /** The commands as words, the options of the first in front of it, to be given to a daemon. */
  readonly words: readonly string[]
}

interface Known {
  readonly name: string
  readonly value: 'none' | 'required' | 'optional'
  readonly global: boolean
}

const optionName = (option: string): string => option.replace(/[=?]$/, '')
const optionValue = (option: string): Known['value'] =>
  option.endsWith('=') ? 'required' : option.endsWith('?') ? 'optional' : 'none'

/** Every option there is, global or of a command, by name. */
function knownOptions<T>(program: Program<T>): Map<string, Known> {
  const known = new Map<string, Known>()
  for (const command of program.commands) {
    for (const option of command.options ?? []) {
      const name = optionName(option)
      known.set(name, { name, value: optionValue(option), global: false })
    }
  }
  for (const option of program.options) known.set(option.name, { name: option.name, value: option.value, global: true })
  return known
}

/** The option that `text` is the name or the only possible beginning of. */
function complete(known: ReadonlyMap<string, Known>, text: string): Known | undefined {
  const exact = known.get(text)
  if (exact) return exact
  const found = [...known.values()].filter((k) => k.name.startsWith(text))
  const [first] = found
  return first && found.length === 1 ? first : undefined
}

type Options = Map<string, string>

/**
 * The options before the first command, as getopt_long reads them: `--name=value`, `--name value`,
 * `-tvalue`, abbreviated names. Returns where the commands start.
 */
function readLeading(
  known: ReadonlyMap<string, Known>,
  options: readonly GlobalOption[],
  own: boolean,
  args: readonly string[],
  globals: Options,
  local: Options,
): number {
  const shorts = new Map(options.flatMap((o) => (o.short === undefined ? [] : [[o.short, o] as const])))
  let i = 0
  while (i < args.length) {
    const arg = args[i] as string
    if (arg === '--') return i + 1
    if (!arg.startsWith('-') || arg === '-') return i
    i++
    if (arg.startsWith('--')) {
      const eq = arg.indexOf('=')
      const name = eq < 0 ? arg.slice(2) : arg.slice(2, eq)
      const option = complete(known, name)
      if (!option) fatal(`unrecognized option '${eq < 0 ? arg : `--${name}`}'`)
      if (eq >= 0 && option.value === 'none') fatal(`option '${arg}' doesn't allow an argument`)
      let value = eq < 0 ? '' : arg.slice(eq + 1)
      if (eq < 0 && option.value === 'required') {
        if (i >= args.length) fatal(`option '${arg}' requires an argument`)
        value = args[i++] as string
      }
      if (option.global) give(globals, option.name, value)
      else if (local.has(option.name)) fatal(`'--${option.name}' option specified multiple times`)
      else local.set(option.name, value)
    } else i = readShort(arg, args, i, shorts, globals, own)
  }
  return i
}

/** Options stand in the order in which they were last given: of some, the later one wins over the other. */
function give(options: Options, name: string, value: string): void {
  options.delete(name)
  options.set(name, value)
}

/** A bundle of one-letter options; returns where to go on. */
function readShort(
  arg: string,
  args: readonly string[],
  next: number,
  shorts: ReadonlyMap<string, GlobalOption>,
  globals: Options,
  own: boolean,
): number {
  for (let j = 1; j < arg.length; j++) {
    const letter = arg[j] as string
    const option = shorts.get(letter)
    if (!option) fatal(own ? `unrecognized option '${letter}'` : `invalid option -- '${letter}'`)
    if (option.value === 'none') {
      give(globals, option.name, '')
      continue
    }
    const rest = arg.slice(j + 1)
    if (option.value === 'optional' || rest) give(globals, option.name, rest)
    else {
      if (next >= args.length) fatal(`option requires an argument -- '${letter}'`)
      give(globals, option.name, args[next++] as string)
    }
    return next
  }
  return next
}

/** One command with its options: what stands between two `--`. */
function readCall<T>(commands: ReadonlyMap<string, Command<T>>, words: readonly string[], local: Options): Written<T> {
  const options = new Map(local)
  let i = 0
  for (; i < words.length && (words[i] as string).startsWith('-'); i++) {
    const word = words[i] as string
    const eq = word.indexOf('=')
    const name = eq < 0 ? word : word.slice(0, eq)
    if (!name.startsWith('--')) fatal(`unrecognized option '${name}'`)
    if (options.has(name.slice(2))) fatal(`'${name}' option specified multiple times`)
    options.set(name.slice(2), eq < 0 ? NO_VALUE : word.slice(eq + 1))
  }
  const name = words[i]
  if (name === undefined) fatal('missing command name (use --help for help)')
  const command = commands.get(name)
  if (!command) fatal(`unknown command '${name}'; use --help for help`)
  checkOptions(command, options)
  const args = words.slice(i + 1)
  const [min, max] = command.args
  if (args.length < min) fatal(`'${name}' command requires at least ${min} arguments`)
  if (args.length > max) {
    const hint = args.slice(max).some((a) => a.startsWith('--'))
      ? ' (note that options must precede command names and follow a "--" argument)'
      : ''
    fatal(`'${name}' command takes at most ${max} arguments${hint}`)
  }
  return { command, args, options }
}

/** Tells an option without a value from one with an empty value, while checking. */
const NO_VALUE = '\0'

function checkOptions<T>(command: Command<T>, options: Options): void {
  const allowed = new Map((command.options ?? []).map((o) => [optionName(o), optionValue(o)]))
  for (const [name, value] of options) {
    const kind = allowed.get(name)
    if (kind === undefined) fatal(`'${command.name}' command has no '--${name}' option`)
    if (kind === 'required' && value === NO_VALUE) {
      fatal(`missing argument to '--${name}' option on '${command.name}' command`)
    }
    if (kind === 'none' && value !== NO_VALUE && value !== '') {
      fatal(`'--${name}' option on '${command.name}' does not accept an argument`)
    }
    if (value === NO_VALUE) options.set(name, '')
  }
}

/** Reads the options of a tool without ctl commands; throws CtlError. */
export function readOptions(
  options: readonly GlobalOption[],
  args: readonly string[],
): { readonly globals: ReadonlyMap<string, string>; readonly rest: readonly string[] } {
  const globals: Options = new Map()
  const known = new Map(options.map((o) => [o.name, { name: o.name, value: o.value, global: true }]))
  const start = readLeading(known, options, false, args, globals, new Map())
  return { globals, rest: args.slice(start) }
}

/** Reads a command line; throws CtlError with the real tools' texts. */
export function parseInvocation<T>(program: Program<T>, args: readonly string[]): Invocation<T> {
  const globals: Options = new Map()
  const local: Options = new Map()
  const start = readLeading(knownOptions(program), program.options, program.name !== 'ovs-vsctl', args, globals, local)
  program.check(globals)
  if (['help', 'version', 'commands', 'options'].some((o) => globals.has(o)))
    return { args, globals, calls: [], words: [] }
  const commands = new Map(program.commands.map((c) => [c.name, c]))
  const calls: Written<T>[] = []
  let words: string[] = []
  let first = true
  const end = () => {
    if (words.length || (first && local.size)) {
      calls.push(readCall(commands, words, first ? local : new Map()))
      first = false
    }
    words = []
  }
  for (const arg of args.slice(start)) {
    if (arg === '--') end()
    else words.push(arg)
  }
  end()
  if (!calls.length && !globals.has('detach')) fatal('missing command name (use --help for help)')
  const options = [...local].map(([name, value]) => (value === '' ? `--${name}` : `--${name}=${value}`))
  return { args, globals, calls, words: [...options, ...args.slice(start)] }
}

/** The tables that a command line needs. */
export function tablesOf<T>(program: Program<T>, invocation: Invocation<T>): Set<string> {
  const tables = new Set<string>(program.always)
  for (const { command, ...call } of invocation.calls) {
    const wanted = typeof command.tables === 'function' ? command.tables(call) : command.tables
    for (const table of wanted) tables.add(table)
  }
  return tables
}
