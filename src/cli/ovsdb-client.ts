import { readFileSync } from 'node:fs'
import { CtlError, fatal } from '../ctl/error.ts'
import { checkCommon, styleOf } from '../ctl/options.ts'
import { CLIENT_COMMANDS, type ClientCommand } from '../ctl/ovsdb-client/commands.ts'
import { errorOf, messageOf, type Session } from '../ctl/ovsdb-client/session.ts'
import { TABLE_STYLE, tablePieces } from '../ctl/table.ts'
import { optionsHelp, parseOptions } from '../daemons/_options.ts'
import { helpDefaults, logDirectory } from '../daemons/_process-options.ts'
import { SystemClock } from '../io/clock.ts'
import { errorText } from '../io/errors.ts'
import { isArray } from '../jsonrpc/json.ts'
import type { RpcClient } from '../ovsdb/client/rpc.ts'
import { Failure } from '../ovsdb/schema/index.ts'
import { bytesFile, encodeRecord } from '../ovsdb/storage/index.ts'
import { dialer, readKeys } from './_dial.ts'
import { type ConnectRequest, connectClient, connectPatiently, lossReason } from './_ovsdb-client-connect.ts'
import type { Background } from './_ovsdb-client-daemon.ts'
import { CLIENT_OPTIONS, optionMap } from './_ovsdb-client-options.ts'
import { readDatabase } from './_ovsdb-file.ts'
import { openToolLog, toolLog } from './_tool-log.ts'

const NAME = 'ovsdb-client'
const VERSION = 'ovsdb-client (Open vSwitch) 4.0.0'

const clock = new SystemClock()

const STDIN = '/dev/stdin'

function leave(status: number, message?: string): void {
  const end = () => process.exit(status)
  if (message) process.stderr.write(`ovsdb-client: ${message}\n`, end)
  // what was written to the standard output goes out first
  else process.stdout.write('', (e) => process.exit(e ? 1 : status))
}

/** Runs what may fail with a message for the user. */
function guard(run: () => void): void {
  try {
    run()
  } catch (e) {
    if (!(e instanceof CtlError || e instanceof Failure)) throw e
    leave(1, messageOf(e))
  }
}

const help = (): string =>
  `ovsdb-client: asks and watches OVSDB servers\nusage: ovsdb-client [OPTIONS] COMMAND [ARG...]\n\nCommands:\n${CLIENT_COMMANDS.map((c) => `  ${c.name} ${c.usage}\n`).join('')}\nThe default SERVER is ${defaultServer()}.\nThe default DATABASE is Open_vSwitch.\n\n${optionsHelp(CLIENT_OPTIONS, helpDefaults(NAME, 'ovs'))}`

const defaultServer = (): string => `unix:${process.env['OVS_RUNDIR'] || '/var/run/openvswitch'}/db.sock`

/** A word that names a server: a connection method. */
const isServer = (word: string): boolean => /^[a-z]+:/i.test(word)

/** All that a command is run with. */
interface Invocation {
  readonly command: ClientCommand
  readonly server: string
  /** Behind the server. */
  readonly args: readonly string[]
  /** The database that the arguments are about, where they say it. */
  readonly about: string | undefined
  readonly options: ReadonlyMap<string, string>
  readonly background?: Background
}

async function main(): Promise<void> {
  // whoever read the output has seen enough
  process.stdout.on('error', () => process.exit(1))
  const parsed = parseOptions(process.argv.slice(2), CLIENT_OPTIONS)
  if (!parsed.ok) fatal(parsed.error)
  const given = parsed.value
  const told = given.given.find(({ name }) => name === 'help' || name === 'version')
  if (told) {
    process.stdout.write(told.name === 'help' ? help() : `${VERSION}\n`)
    return
  }
  for (const name of ['record', 'replay']) if (given.has(name)) fatal(`--${name} is not supported (docs/DAEMONS.md)`)
  const options = optionMap(given)
  checkCommon(options)
  const detached = given.has('detach')
  if (!detached) await openToolLog(NAME, given, logDirectory('ovs'))
  const invocation = readInvocation(given.rest, options)
  if (!invocation) return
  const timeout = Number(options.get('timeout') ?? 0)
  if (timeout > 0) {
    clock.after(timeout * 1000, () => {
      toolLog('fatal_signal', 'warn', 'terminating with signal 14 (Alarm clock)')
      process.kill(process.pid, 'SIGALRM')
    })
  }
  if (!detached || !invocation.command.endless) {
    connect(invocation)
    return
  }
  // what a daemon takes to load is not for those who want to see a table
  const { goToBackground } = await import('./_ovsdb-client-daemon.ts')
  const background = await goToBackground(given, VERSION)
  if (background) connect({ ...invocation, background })
}

/** The command, the server and what it is to be asked; undefined where there is nothing more to do. */
function readInvocation(rest: readonly string[], options: ReadonlyMap<string, string>): Invocation | undefined {
  const [name, ...words] = rest
  if (name === undefined) fatal('missing command name; use --help for help')
  if (name === 'help') {
    process.stdout.write(help())
    return undefined
  }
  const command = CLIENT_COMMANDS.find((c) => c.name === name)
  if (!command) fatal(`unknown command '${name}'; use --help for help`)
  const least = command.args[0] + (command.database === 'named' ? 1 : 0)
  const [first = ''] = words
  const named = words.length > least && isServer(first)
  const args = named ? words.slice(1) : words
  return { command, server: named ? first : defaultServer(), args, about: prepare(command, args), options }
}

/** What is wrong with the arguments can be told without a connection; so can the database that they are about. */
function prepare(command: ClientCommand, args: readonly string[]): string | undefined {
  if (!command.prepare) return undefined
  const own = command.database === 'named' ? args.slice(1) : args
  checkCount(command, own)
  return command.prepare(own, readFile)
}

function checkCount(command: ClientCommand, args: readonly string[]): void {
  const [min, max] = command.args
  if (args.length < min || args.length > max) fatal(`invalid syntax for '${command.name}' (use --help for help)`)
}

function connect(invocation: Invocation): void {
  const { command, server, args, options } = invocation
  const database = command.database === 'optional' ? args[0] : invocation.about
  if (server.includes(',') && command.database === 'optional' && database === undefined) {
    fatal('database name is required with multiple remotes')
  }
  const request: ConnectRequest = {
    ...{ server, database, leaderOnly: !options.has('no-leader-only') },
    dial: dialer(options),
    keys: () => readKeys(options),
    monotonic: () => clock.monotonic(),
  }
  if (command.patient) {
    connectPatiently(request, clock, (rpc) => guard(() => start(rpc, invocation)))
    return
  }
  connectClient(request, (rpc) => {
    if (typeof rpc === 'string') {
      leave(1, rpc)
      return
    }
    rpc.onEnd = (reason) => leave(1, lossText(server, reason, command.listens === true))
    guard(() => start(rpc, invocation))
  })
}

/** What ends the program when the server is gone: an answer was awaited, or whatever would be told. */
function lossText(server: string, reason: string, listening: boolean): string {
  const why = lossReason(server, reason)
  return listening ? `${server}: receive failed (${why})` : `transaction failed (${why})`
}

/** Finds out which database is meant, then runs the command. */
function start(rpc: RpcClient, invocation: Invocation): void {
  const { command, args: words } = invocation
  const begin = (database: string, args: readonly string[]) =>
    guard(() => {
      checkCount(command, args)
      command.run(session(rpc, database, args, invocation))
    })
  if (command.database === 'none') begin('', words)
  else if (command.database === 'named') begin(words[0] ?? '', words.slice(1))
  else {
    rpc.request('list_dbs', [], (reply) => {
      if (reply.error !== null) {
        leave(1, errorOf(reply.error))
        return
      }
      const names = isArray(reply.result) ? reply.result.map(String) : []
      const [first = ''] = words
      if (words.length > command.args[0] && names.includes(first)) begin(first, words.slice(1))
      else guard(() => begin(defaultDatabase(names), words))
    })
  }
}

function defaultDatabase(names: readonly string[]): string {
  if (names.includes('Open_vSwitch')) return 'Open_vSwitch'
  const own = names.filter((n) => !n.startsWith('_'))
  const [only] = own
  if (only !== undefined && own.length === 1) return only
  return fatal(`could not find a default database, please specify a database name`)
}

/** The contents of a file; throws Error with the system's text. */
function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (e) {
    throw new Error(errorText(e))
  }
}

function session(rpc: RpcClient, database: string, args: readonly string[], invocation: Invocation): Session {
  const { server, options, background } = invocation
  const style = styleOf(TABLE_STYLE, options)
  return {
    ...{ rpc, server, database, args, options, clock, guard },
    spaced: style.format !== 'json' && style.format !== 'html',
    print: (text) => void process.stdout.write(text),
    table: (table) => {
      // As bytes: many strings that wait would be joined to one, which may be too long.
      for (const piece of tablePieces(table, style)) process.stdout.write(Buffer.from(piece))
    },
    readFile,
    settled: (commands) => {
      if (!invocation.command.patient) rpc.onEnd = (reason) => leave(1, lossText(server, reason, true))
      background?.settled(commands, () => {
        rpc.onEnd = undefined
        rpc.end('exit')
      })
    },
    readSnapshot: (done) => {
      const chunks: Buffer[] = []
      process.stdin.on('error', (e) => leave(1, `I/O error: ${STDIN}: read error (${errorText(e)})`))
      process.stdin.on('data', (chunk) => chunks.push(chunk))
      process.stdin.on('end', () =>
        guard(() => {
          const read = readDatabase(bytesFile(Buffer.concat(chunks)), STDIN)
          if (read.ok) done(read.value.database)
          else leave(1, read.error)
        }),
      )
    },
    inform: (text) => toolLog('ovsdb_client', 'info', text),
    record: (text) => Buffer.from(encodeRecord(text)).toString('utf8'),
    fail: (message) => leave(1, message),
    finish: (status) => leave(status),
  }
}

main().catch((e: unknown) => {
  if (e instanceof CtlError || e instanceof Failure) leave(1, messageOf(e))
  else leave(1, errorText(e))
})
