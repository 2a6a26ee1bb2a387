import { readFileSync } from 'node:fs'
import type { Log } from '../base/log.ts'
import { ok } from '../base/result.ts'
import { DaemonLog } from '../daemons/_daemon-log.ts'
import { type OptionSpec, optionsHelp, type ParsedOptions, parseOptions } from '../daemons/_options.ts'
import { type Family, logDirectory, PROCESS_OPTIONS, runDirectory } from '../daemons/_process-options.ts'
import { SystemClock } from '../io/clock.ts'
import { errorText } from '../io/errors.ts'
import { canLock, lockHolder } from '../io/lock.ts'
import { dial } from '../io/socket.ts'
import { isArray, isObject, type Json, printJson } from '../jsonrpc/json.ts'
import { MessageReader } from '../jsonrpc/reader.ts'

/** ovs-appctl or ovn-appctl: they differ in whom they ask when nobody is named, and where they look. */
export interface AppctlProgram {
  readonly name: string
  readonly family: Family
  readonly defaultTarget: string
  readonly version: string
  readonly about: string
}

const OTHER = 'Other options'

function optionsOf(program: AppctlProgram): readonly OptionSpec[] {
  const format: readonly OptionSpec[] = [
    { name: 'format', short: 'f', argument: 'FMT', help: "'json' or 'text' (default: text)", group: OTHER },
    { name: 'pretty', help: 'with --format=json, over several lines', group: OTHER },
  ]
  return [
    { name: 'target', short: 't', argument: 'TARGET', help: 'pidfile or socket to contact', group: 'Targets' },
    { name: 'timeout', short: 'T', argument: 'SECS', help: 'wait at most SECS seconds for a response', group: OTHER },
    // ovn-appctl has no other formats.
    ...(program.family === 'ovs' ? format : []),
    ...PROCESS_OPTIONS.filter((o) => o.group === 'Logging options').map((o) => ({ ...o, hidden: true })),
    { name: 'help', short: 'h', help: 'display this help message', group: OTHER },
    { name: 'version', short: 'V', help: 'display version information', group: OTHER },
  ]
}

const MODULES = ['daemon_unix', 'fatal_signal', 'unixctl', 'vlog']
const SERVER_ERROR = 2
/** How the C library's users call the end of a stream. */
const END = 'End of file'

/** Asks a daemon's control socket (ovs-appctl(8)). Status 1: it could not be asked; 2: the answer is an error. */
export async function appctl(program: AppctlProgram): Promise<void> {
  const specs = optionsOf(program)
  const fatal = (message: string): never => {
    process.stderr.write(`${program.name}: ${message}\n`)
    process.exit(1)
  }
  const parsed = parseOptions(process.argv.slice(2), specs, { inOrder: true })
  if (!parsed.ok) return fatal(parsed.error)
  const options = parsed.value
  if (options.has('version')) {
    process.stdout.write(`${program.version}\n`)
    return
  }
  if (options.has('help')) {
    const usage = `${program.name}: ${program.about}\nusage: ${program.name} [TARGET] COMMAND [ARG...]\n`
    process.stdout.write(`${usage}\nThe command list-commands lists those of the target.\n\n${optionsHelp(specs)}`)
    return
  }
  const clock = new SystemClock()
  const logging = new DaemonLog({
    ...{ name: program.name, options, modules: MODULES, clock, directory: logDirectory(program.family) },
    ...{ quiet: false, fatal },
  })
  await logging.open()
  const timeout = options.value('timeout')
  if (timeout !== undefined && !(/^\d{1,9}$/.test(timeout) && Number(timeout) > 0)) {
    fatal(`value ${timeout} on -T or --timeout is invalid`)
  }
  const format = options.value('format') ?? 'text'
  if (format !== 'text' && format !== 'json') fatal(`value ${format} on -f or --format is invalid`)
  if (options.has('pretty') && format !== 'json') fatal('--pretty is supported with --format json only')
  const [command, ...args] = options.rest
  if (command === undefined) return fatal('at least one non-option argument is required (use --help for help)')
  if (timeout !== undefined) {
    clock.after(Number(timeout) * 1000, () => {
      const text = 'terminating with signal 14 (Alarm clock)'
      logging.log('fatal_signal').warn(text, { code: 'ended-by-signal' })
      process.kill(process.pid, 'SIGALRM')
    })
  }
  const target = options.value('target') ?? program.defaultTarget
  const socket = socketOf(target, program, logging.log('daemon_unix'), fatal)
  const connection = new Connection((why) => {
    const [jsonrpc, unixctl] = [logging.log('jsonrpc'), logging.log('unixctl')]
    const received = `unix:${socket}: receive error: ${why}`
    if (why !== END) jsonrpc.warn(received, { code: 'target-unreachable' })
    unixctl.warn(`error communicating with unix:${socket}: ${why}`, { code: 'target-unreachable' })
    fatal(`${target}: transaction error (${why})`)
  })
  connection.open(socket, (why) => {
    logging.log('unixctl').warn(`failed to connect to ${socket}`, { code: 'target-unreachable' })
    fatal(`cannot connect to "${target}" (${why})`)
  })
  const refused = (error: string, what: string) => {
    process.stderr.write(ended(error))
    process.stderr.write(`${program.name}: ${target}: ${what}\n`)
    process.exit(SERVER_ERROR)
  }
  if (format === 'json') {
    connection.ask('set-options', ['--format', 'json'], (reply) => {
      if (reply.error !== undefined) refused(reply.error, 'failed to set options')
    })
  }
  connection.ask(command, args, (reply) => {
    if (reply.error !== undefined) refused(reply.error, 'server returned an error')
    process.stdout.write(ended(textOf(reply.result, options)), () => process.exit(0))
  })
}

/** A text ends its line, unless there is none. */
const ended = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`)

function textOf(result: Json | undefined, options: ParsedOptions): string {
  if (options.value('format') !== 'json') return typeof result === 'string' ? result : printJson(result ?? '', true)
  return options.has('pretty') ? pretty(result ?? '', '') : printJson(result ?? '', true)
}

/** JSON a member a line, closed on the line of the last, as Open vSwitch's programs print it. */
function pretty(json: Json, indent: string): string {
  const inner = `${indent}  `
  const lines = (items: readonly string[], [open, close]: readonly [string, string]) =>
    items.length ? `${open}\n${items.map((item) => inner + item).join(',\n')}${close}` : open + close
  if (isArray(json))
    return lines(
      json.map((item) => pretty(item, inner)),
      ['[', ']'],
    )
  if (!isObject(json)) return printJson(json)
  const members = Object.entries(json).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return lines(
    members.map(([name, value]) => `${printJson(name)}: ${pretty(value ?? null, inner)}`),
    ['{', '}'],
  )
}

/** The control socket of a target: a path, or the name of a daemon whose pidfile says its process. */
function socketOf(target: string, program: AppctlProgram, log: Log, fatal: (message: string) => never): string {
  if (target.startsWith('/')) return target
  const directory = runDirectory(program.family)
  const pidfile = `${directory}/${target}.pid`
  let text: string
  try {
    text = readFileSync(pidfile, 'utf8')
  } catch (e) {
    log.warn(`${pidfile}: open: ${errorText(e)}`, { code: 'target-unreachable' })
    return fatal(`cannot read pidfile "${pidfile}" (${errorText(e)})`)
  }
  const holder = canLock() ? lockHolder(pidfile) : ok(alive(Number(text)))
  const pid = holder.ok ? holder.value : undefined
  if (pid === undefined) return fatal(`cannot read pidfile "${pidfile}" (No such process)`)
  return `${directory}/${target}.${pid}.ctl`
}

function alive(pid: number): number | undefined {
  try {
    if (pid > 0) process.kill(pid, 0)
    return pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}

interface Reply {
  readonly result: Json | undefined
  readonly error: string | undefined
}

/** One question after the other: JSON-RPC 1.0 over a unix socket. */
class Connection {
  private readonly waiting: ((reply: Reply) => void)[] = []
  private readonly unsent: string[] = []
  private write: ((text: string) => void) | undefined
  private asked = 0

  constructor(private readonly broken: (why: string) => void) {}

  open(path: string, failed: (why: string) => void): void {
    dial({ kind: 'unix', path }, (result) => {
      if (!result.ok) {
        failed(result.error)
        return
      }
      const stream = result.value
      const reader = new MessageReader((message) => this.answered(message), { size: 1 << 28 })
      stream.onData = (bytes) => {
        try {
          reader.push(bytes)
        } catch (e) {
          this.broken(errorText(e))
        }
      }
      stream.onClose = (error) => this.broken(error ? errorText(error) : END)
      this.write = (text) => void stream.write(Buffer.from(text))
      for (const text of this.unsent.splice(0)) this.write(text)
    })
  }

  ask(method: string, params: readonly string[], answered: (reply: Reply) => void): void {
    this.waiting.push(answered)
    const text = printJson({ id: this.asked++, method, params })
    if (this.write) this.write(text)
    else this.unsent.push(text)
  }

  private answered(message: Json): void {
    if (!isObject(message)) {
      this.broken('Protocol error')
      return
    }
    const { result, error } = message
    const failure = error === undefined || error === null ? undefined : error
    const text = failure === undefined || typeof failure === 'string' ? failure : printJson(failure)
    this.waiting.shift()?.({ result, error: text })
  }
}
