import { readFileSync } from 'node:fs'
import { CtlError, fatal } from '../ctl/error.ts'
import { readOptions } from '../ctl/grammar.ts'
import {
  checkCommon,
  DAEMON_OPTIONS,
  flag,
  LOG_OPTIONS,
  maybeValue,
  SSL_OPTIONS,
  styleOf,
  TABLE_OPTIONS,
  withValue,
} from '../ctl/options.ts'
import { CLIENT_COMMANDS, type ClientCommand } from '../ctl/ovsdb-client/commands.ts'
import { messageOf, type Session } from '../ctl/ovsdb-client/session.ts'
import { TABLE_STYLE, tablePieces } from '../ctl/table.ts'
import { SystemClock } from '../io/clock.ts'
import { errorText } from '../io/errors.ts'
import { isArray } from '../jsonrpc/json.ts'
import type { RpcClient } from '../ovsdb/client/rpc.ts'
import { Failure } from '../ovsdb/schema/index.ts'
import { bytesFile, encodeRecord } from '../ovsdb/storage/index.ts'
import { dialer, readKeys } from './_dial.ts'
import { type ConnectRequest, connectClient } from './_ovsdb-client-connect.ts'
import type { Background } from './_ovsdb-client-daemon.ts'
import { readDatabase } from './_ovsdb-file.ts'
import { toolLog } from './_tool-log.ts'

const OPTIONS = [
  ...TABLE_OPTIONS,
  ...SSL_OPTIONS,
  ...LOG_OPTIONS,
  ...[flag('timestamp'), flag('force'), flag('leader-only'), flag('no-leader-only'), withValue('timeout', 't')],
  ...DAEMON_OPTIONS,
  ...[flag('help', 'h'), flag('version', 'V'), maybeValue('record'), maybeValue('replay')],
]

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
  `usage: ovsdb-client [OPTIONS] COMMAND [ARG...]\n\nCommands:\n${CLIENT_COMMANDS.map((c) => `  ${c.name} ${c.usage}\n`).join('')}`

/** A word that names a server: a connection method. */
const isServer = (word: string): boolean => /^[a-z]+:/i.test(word)

function main(): void {
  // whoever read the output has seen enough
  process.stdout.on('error', () => process.exit(1))
  const { globals: options, rest } = readOptions(OPTIONS, process.argv.slice(2))
  checkCommon(options)
  const [name, ...words] = rest
  if (options.has('version')) process.stdout.write(`${VERSION}\n`)
  if (options.has('help') || name === 'help') process.stdout.write(help())
  if (options.has('version') || options.has('help') || name === 'help') return
  if (name === undefined) fatal('missing command name; use --help for help')
  const command = CLIENT_COMMANDS.find((c) => c.name === name)
  if (!command) fatal(`unknown command '${name}'; use --help for help`)
  const least = command.args[0] + (command.database === 'named' ? 1 : 0)
  const given = words.length > least && isServer(words[0] ?? '')
  const server = given ? (words[0] as string) : `unix:${process.env['OVS_RUNDIR'] || '/var/run/openvswitch'}/db.sock`
  const args = given ? words.slice(1) : words
  const about = prepare(command, args)
  const timeout = Number(options.get('timeout') ?? 0)
  if (timeout > 0) clock.after(timeout * 1000, () => process.kill(process.pid, 'SIGALRM'))
  if (!options.has('detach') || !command.endless) {
    connect(command, server, args, about, options)
    return
  }
  // what a daemon takes to load is not for those who want to see a table
  import('./_ovsdb-client-daemon.ts')
    .then(({ goToBackground }) => goToBackground(process.argv.slice(2), OPTIONS, VERSION))
    .then(
      (background) => background && guard(() => connect(command, server, args, about, options, background)),
      (e: unknown) => leave(1, errorText(e)),
    )
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

function connect(
  command: ClientCommand,
  server: string,
  args: readonly string[],
  about: string | undefined,
  options: ReadonlyMap<string, string>,
  background?: Background,
): void {
  const several = server.includes(',')
  const database = command.database === 'optional' ? args[0] : about
  if (several && command.database === 'optional' && database === undefined) {
    fatal('database name is required with multiple remotes')
  }
  const request: ConnectRequest = {
    ...{ server, database, leaderOnly: !options.has('no-leader-only') },
    dial: dialer(options),
    keys: () => readKeys(options),
    monotonic: () => clock.monotonic(),
  }
  connectClient(request, (rpc) => {
    if (typeof rpc === 'string') {
      leave(1, rpc)
      return
    }
    rpc.onEnd = (reason) => leave(1, `${server}: ${reason}`)
    guard(() => start(rpc, command, server, args, options, background))
  })
}

/** Finds out which database is meant, then runs the command. */
function start(
  rpc: RpcClient,
  command: ClientCommand,
  server: string,
  words: readonly string[],
  options: ReadonlyMap<string, string>,
  background: Background | undefined,
): void {
  const begin = (database: string, args: readonly string[]) =>
    guard(() => {
      checkCount(command, args)
      command.run(session(rpc, server, database, args, options, background))
    })
  if (command.database === 'none') begin('', words)
  else if (command.database === 'named') begin(words[0] ?? '', words.slice(1))
  else {
    rpc.request('list_dbs', [], (reply) => {
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

function session(
  rpc: RpcClient,
  server: string,
  database: string,
  args: readonly string[],
  options: ReadonlyMap<string, string>,
  background: Background | undefined,
): Session {
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
    settled: (commands) =>
      background?.settled(commands, () => {
        rpc.onEnd = undefined
        rpc.end('exit')
      }),
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
    inform: (text) => toolLog('ovsdb_client', 'INFO', text),
    record: (text) => Buffer.from(encodeRecord(text)).toString('utf8'),
    fail: (message) => leave(1, message),
    finish: (status) => leave(status),
  }
}

guard(main)
