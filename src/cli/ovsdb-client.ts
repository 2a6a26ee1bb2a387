import { readFileSync } from 'node:fs'
import { CtlError, fatal } from '../ctl/error.ts'
import { readOptions } from '../ctl/grammar.ts'
import {
  checkCommon,
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
import { formatTable, TABLE_STYLE } from '../ctl/table.ts'
import { SystemClock } from '../io/clock.ts'
import { errorText } from '../io/errors.ts'
import { isArray } from '../jsonrpc/json.ts'
import { RpcClient } from '../ovsdb/client/rpc.ts'
import { Failure } from '../ovsdb/schema/index.ts'
import { encodeRecord } from '../ovsdb/storage/log.ts'
import { dialer } from './_dial.ts'

const OPTIONS = [
  ...TABLE_OPTIONS,
  ...SSL_OPTIONS,
  ...LOG_OPTIONS,
  ...[flag('timestamp'), flag('force'), flag('leader-only'), flag('no-leader-only'), withValue('timeout', 't')],
  ...[flag('help', 'h'), flag('version', 'V'), flag('detach'), maybeValue('pidfile'), flag('no-chdir')],
  ...[flag('overwrite-pidfile'), maybeValue('record'), maybeValue('replay')],
]

const clock = new SystemClock()

function leave(status: number, message?: string): void {
  const end = () => process.exit(status)
  if (message) process.stderr.write(`ovsdb-client: ${message}\n`, end)
  // what was written to the standard output goes out first
  else process.stdout.write('', end)
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
  if (options.has('version')) process.stdout.write('ovsdb-client (Open vSwitch) 4.0.0\n')
  if (options.has('help') || name === 'help') process.stdout.write(help())
  if (options.has('version') || options.has('help') || name === 'help') return
  if (name === undefined) fatal('missing command name; use --help for help')
  const command = CLIENT_COMMANDS.find((c) => c.name === name)
  if (!command) fatal(`unknown command '${name}'; use --help for help`)
  const given = words.length > command.args[0] && isServer(words[0] ?? '')
  const server = given ? (words[0] as string) : `unix:${process.env['OVS_RUNDIR'] || '/var/run/openvswitch'}/db.sock`
  const timeout = Number(options.get('timeout') ?? 0)
  if (timeout > 0) clock.after(timeout * 1000, () => process.kill(process.pid, 'SIGALRM'))
  connect(
    server.split(','),
    0,
    server,
    (rpc) => start(rpc, command, server, given ? words.slice(1) : words, options),
    options,
  )
}

function connect(
  remotes: readonly string[],
  at: number,
  server: string,
  done: (rpc: RpcClient) => void,
  options: ReadonlyMap<string, string>,
): void {
  dialer(options)(remotes[at] ?? '', (result) => {
    if (result.ok) {
      const rpc = new RpcClient(result.value, () => clock.monotonic())
      rpc.onEnd = (reason) => leave(1, `${server}: ${reason}`)
      guard(() => done(rpc))
    } else if (at + 1 < remotes.length) connect(remotes, at + 1, server, done, options)
    else leave(1, `failed to connect to "${server}" (${result.error})`)
  })
}

/** Finds out which database is meant, then runs the command. */
function start(
  rpc: RpcClient,
  command: ClientCommand,
  server: string,
  words: readonly string[],
  options: ReadonlyMap<string, string>,
): void {
  const begin = (database: string, args: readonly string[]) =>
    guard(() => {
      const [min, max] = command.args
      if (args.length < min || args.length > max) {
        fatal(`invalid syntax for '${command.name}' (use --help for help)`)
      }
      command.run(session(rpc, server, database, args, options))
    })
  if (command.database === 'none') begin('', words)
  else if (command.database === 'named') begin(words[0] ?? '', words.slice(1))
  else {
    rpc.request('list_dbs', [], (reply) => {
      const names = isArray(reply.result) ? reply.result.map(String) : []
      const [first = ''] = words
      if (names.includes(first)) begin(first, words.slice(1))
      else guard(() => begin(defaultDatabase(command.name, names), words))
    })
  }
}

function defaultDatabase(command: string, names: readonly string[]): string {
  if (names.includes('Open_vSwitch')) return 'Open_vSwitch'
  const own = names.filter((n) => !n.startsWith('_'))
  const [only] = own
  if (only !== undefined && own.length === 1) return only
  return fatal(`no default database for \`${command}' command, please specify a database name`)
}

function session(
  rpc: RpcClient,
  server: string,
  database: string,
  args: readonly string[],
  options: ReadonlyMap<string, string>,
): Session {
  const style = styleOf(TABLE_STYLE, options)
  return {
    ...{ rpc, server, database, args, options, clock, guard },
    print: (text) => void process.stdout.write(text),
    table: (table) => void process.stdout.write(formatTable(table, style)),
    readFile: (path) => {
      try {
        return readFileSync(path, 'utf8')
      } catch (e) {
        throw new Error(errorText(e))
      }
    },
    readInput: (done) => {
      const chunks: Buffer[] = []
      process.stdin.on('data', (chunk) => chunks.push(chunk))
      process.stdin.on('end', () => done(Buffer.concat(chunks).toString('utf8')))
    },
    record: (text) => Buffer.from(encodeRecord(text)).toString('utf8'),
    fail: (message) => leave(1, message),
    finish: (status) => leave(status),
  }
}

guard(main)
