import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { getHeapStatistics } from 'node:v8'
import { type ControlCommand, command } from '../base/command.ts'
import { systemRandom } from '../io/random.ts'
import { MessageMemory } from '../jsonrpc/memory.ts'
import { createServer, memoryUsage, Relays, Replication, type Server, type Transport } from '../ovsdb/server/index.ts'
import { socketTransport } from '../ovsdb/transport/sockets.ts'
import { endText } from './_background.ts'
import { type Measure, single } from './_metrics.ts'
import { type OptionSpec, optionsHelp, type ParsedOptions, parseOptions } from './_options.ts'
import { readConfig, type ServerConfig } from './_ovsdb-config.ts'
import { Databases, databaseArgument } from './_ovsdb-databases.ts'
import { TlsSettings } from './_ovsdb-tls.ts'
import { DaemonProcess, Detaching } from './_process.ts'
import { databaseDirectory, helpDefaults, PROCESS_OPTIONS } from './_process-options.ts'

const OPTIONS: readonly OptionSpec[] = [
  {
    name: 'remote',
    argument: 'REMOTE',
    help: 'connect or listen to REMOTE',
    group: 'JSON-RPC options (may be specified any number of times)',
  },
  { name: 'private-key', short: 'p', argument: 'FILE', help: 'file with private key', group: 'PKI configuration' },
  {
    name: 'certificate',
    short: 'c',
    argument: 'FILE',
    help: 'file with certificate for private key',
    group: 'PKI configuration',
  },
  { name: 'ca-cert', short: 'C', argument: 'FILE', help: 'file with peer CA certificate', group: 'PKI configuration' },
  {
    name: 'bootstrap-ca-cert',
    argument: 'FILE',
    help: 'file with peer CA certificate to read or create',
    group: 'PKI configuration',
  },
  {
    name: 'peer-ca-cert',
    argument: 'FILE',
    help: 'file with further certificates to send to peers',
    group: 'PKI configuration',
    hidden: true,
  },
  { name: 'ssl-protocols', argument: 'PROTOS', help: 'range of SSL/TLS protocols to enable', group: 'SSL/TLS options' },
  {
    name: 'ssl-ciphers',
    argument: 'CIPHERS',
    help: 'list of SSL/TLS ciphers to enable\nwith TLSv1.2',
    group: 'SSL/TLS options',
  },
  {
    name: 'ssl-ciphersuites',
    argument: 'SUITES',
    help: 'list of SSL/TLS ciphersuites to\nenable with TLSv1.3 and later',
    group: 'SSL/TLS options',
  },
  {
    name: 'ssl-server-name',
    argument: 'NAME',
    help: 'server name for TLS Server Name\nIndication (SNI)',
    group: 'SSL/TLS options',
  },
  {
    name: 'config-file',
    argument: 'PATH',
    help: 'read databases and remotes from this file',
    group: 'Configuration file',
  },
  ...PROCESS_OPTIONS,
  {
    name: 'sync-from',
    argument: 'SERVER',
    help: 'sync DATABASE from active SERVER and start in\nbackup mode (except with --active)',
    group: 'Syncing options',
  },
  {
    name: 'sync-exclude-tables',
    argument: 'DB:TABLE,...',
    help: 'exclude the TABLE in DB from syncing',
    group: 'Syncing options',
  },
  { name: 'active', help: 'with --sync-from, start in active mode', group: 'Syncing options' },
  { name: 'record', argument: 'DIR', optional: true, help: 'refused', group: 'Replay options', hidden: true },
  { name: 'replay', argument: 'DIR', optional: true, help: 'refused', group: 'Replay options', hidden: true },
  { name: 'run', argument: 'COMMAND', help: 'run COMMAND as subprocess then exit', group: 'Other options' },
  { name: 'no-dbs', help: 'do not add default database', group: 'Other options' },
  {
    name: 'disable-file-column-diff',
    help: "don't use column diff in database file",
    group: 'Other options',
  },
  { name: 'disable-file-no-data-conversion', help: 'understood', group: 'Other options', hidden: true },
  {
    name: 'max-message',
    argument: 'BYTES',
    help: 'largest message a client may send (default 1 GiB)',
    group: 'Other options',
  },
]

/** The part of the heap that messages may take while they are read: a transaction of 600 MB has room in it. */
const HEAP_FOR_MESSAGES = 0.5

function messageMemory(): MessageMemory {
  return new MessageMemory(Math.floor(getHeapStatistics().heap_size_limit * HEAP_FOR_MESSAGES))
}

const VERSION = 'ovsdb-server (Open vSwitch) 4.0.0'
const DEFAULT_DB = `${databaseDirectory()}/conf.db`

async function main(): Promise<void> {
  const parsed = parseOptions(process.argv.slice(2), OPTIONS)
  if (!parsed.ok) {
    process.stderr.write(`ovsdb-server: ${parsed.error}\n`)
    process.exit(1)
  }
  const options = parsed.value
  const told = options.given.find(({ name }) => name === 'help' || name === 'version')
  if (told?.name === 'help') {
    process.stdout.write(
      `ovsdb-server: Open vSwitch database server\nusage: ovsdb-server [OPTIONS] [DATABASE...]\nwhere each DATABASE is a database file in ovsdb format.\nThe default DATABASE, if none is given, is\n${DEFAULT_DB}.\n\n${optionsHelp(OPTIONS, helpDefaults('ovsdb-server', 'ovs'))}`,
    )
    return
  }
  if (told) {
    process.stdout.write(`${VERSION}\n`)
    return
  }
  for (const name of ['record', 'replay']) {
    if (!options.has(name)) continue
    process.stderr.write(`ovsdb-server: --${name} is not supported (docs/OVSDB-SERVER.md)\n`)
    process.exit(1)
  }
  const daemon = new DaemonProcess('ovsdb-server', VERSION, options, [
    'jsonrpc',
    'ovsdb_file',
    'ovsdb_jsonrpc_server',
    'ovsdb_server',
    'reconnect',
    'replication',
    'stream_ssl',
    'unixctl',
    'vlog',
  ])
  const largest = options.value('max-message')
  if (largest !== undefined && !/^[1-9]\d*$/.test(largest))
    daemon.fatal(`--max-message=${largest}: this is no number of bytes`)
  await daemon.detach()
  const tls = new TlsSettings(options)
  const sockets = socketTransport(() => tls.keys(server))
  const transport = atRundir(sockets, daemon.rundir)
  const server: Server = createServer({
    clock: daemon.clock,
    log: daemon.log,
    random: systemRandom,
    transport,
    limits: { memory: messageMemory(), ...(largest === undefined ? {} : { size: Number(largest) }) },
  })
  const replication = new Replication(server, transport, options.value('sync-from'))
  const relays = new Relays(server, transport)
  const { clock, log } = daemon
  const differences = !options.has('disable-file-column-diff')
  const databases = new Databases({ server, relays, replication, clock, log, differences })
  const excluded = replication.setExcluded(options.value('sync-exclude-tables') ?? '')
  if (excluded !== undefined) daemon.fatal(excluded)

  const config = configuration(daemon, options) ?? daemon.fatal('server configuration failed')
  if (!databases.configure(config.databases)) daemon.fatal('server configuration failed')
  const given = options.value('config-file')
  const configPath = given === undefined ? undefined : configurationFile(given)
  if (options.has('sync-from') && !options.has('active')) replication.connect()

  const started = () => {
    if (!options.has('run')) log.info(VERSION)
    const commands = [
      ...server.commands(),
      ...replication.commands(),
      ...relays.commands(),
      command('ovsdb-server/add-db', 'DB', [1, 1], ([path = '']) => {
        const result = databases.add(databaseArgument(path))
        server.remotes.refresh()
        return result.ok ? '' : new Error(result.error)
      }),
    ].map((c) => (configPath !== undefined && CONFIGURING.has(c.name) ? left(c, configPath) : c))
    const reload = reloadCommand(daemon, server, databases, configPath)
    daemon.start(
      { commands: [...commands, reload], usage: () => memoryUsage(server), measures: measures(server) },
      () => server.close(),
      () => {
        daemon.ready()
        const run = options.value('run')
        if (run !== undefined) runCommand(daemon, run)
      },
    )
  }
  const wrong = server.remotes.problem(config.remotes.keys())
  if (wrong !== undefined) {
    log.warn(`failed to configure remotes: ${wrong}`, { code: 'bad-remote' })
    daemon.fatal('server configuration failed')
  }
  const unreadable = tls.problem(server)
  if (unreadable !== undefined) {
    log.warn(`failed to configure SSL/TLS: ${unreadable}`, { code: 'bad-tls-setting' })
    daemon.fatal('server configuration failed')
  }
  for (const fault of tls.faults(server)) log.child('stream_ssl').err(fault, { code: 'bad-tls-setting' })
  server.remotes.replace(config.remotes, (refused) => {
    // A clear refusal at the start: what can not be listened at would be missed only later.
    for (const remote of options.values('remote')) {
      const error = refused.get(remote)
      if (error !== undefined) daemon.fatal(error)
    }
    started()
  })
}

/** Relative names of sockets begin in the directory of those (ovsdb(7), Connection Methods). */
function atRundir(transport: Transport, rundir: string): Transport {
  const full = (method: string) => method.replace(/^(p?unix:)(?=[^/])/, `$1${rundir}/`)
  return {
    ...transport,
    listen: (method, ...rest) => transport.listen(full(method), ...rest),
    dial: (method, done) => transport.dial(full(method), done),
  }
}

/** A relative name of a configuration file begins where databases are kept. */
const configurationFile = (path: string) => resolve(databaseDirectory(), path)

/** What the command line says: by itself, or by the file it names. Undefined when that has a fault. */
function configuration(daemon: DaemonProcess, options: ParsedOptions): ServerConfig | undefined {
  const file = options.value('config-file')
  if (file === undefined) {
    const named = options.rest.length || options.has('no-dbs') ? options.rest : [DEFAULT_DB]
    const remotes = new Map(options.values('remote').map((remote) => [remote, {}] as const))
    return { remotes, databases: named.map(databaseArgument) }
  }
  if (options.has('remote')) daemon.fatal('--config-file is mutually exclusive with --remote')
  if (['sync-from', 'sync-exclude-tables', 'active'].some((name) => options.has(name))) {
    daemon.fatal('--config-file is mutually exclusive with --sync-from, --sync-exclude and --active')
  }
  if (options.rest.length) daemon.fatal('Databases should be specified in a config file')
  return readConfig(configurationFile(file), daemon.log)
}

/** Reads the configuration file again. */
function reloadCommand(
  daemon: DaemonProcess,
  server: Server,
  databases: Databases,
  path: string | undefined,
): ControlCommand {
  return command('ovsdb-server/reload', '', [0, 0], () => {
    if (path === undefined) return new Error('Configuration file was not specified on command line')
    const config = readConfig(path, daemon.log)
    const failed = new Error('Configuration failed.  See the log file for details.')
    if (!config) return failed
    const opened = databases.configure(config.databases)
    const wrong = server.remotes.problem(config.remotes.keys())
    server.remotes.replace(config.remotes)
    if (wrong !== undefined) daemon.log.warn(`failed to configure remotes: ${wrong}`, { code: 'bad-remote' })
    return opened && wrong === undefined ? '' : failed
  })
}

function measures(server: Server): readonly Measure[] {
  return [
    single('database_sessions', 'Connections of clients and of other servers.', () => server.sessions.size),
    {
      ...{ name: 'database_rows', help: 'Rows of all tables of a database.', label: 'database' },
      values: () =>
        [...server.hosted].map(([name, { database }]) => {
          let rows = 0
          for (const table of database.tables.values()) rows += table.rows.size
          return [name, rows] as const
        }),
    },
  ]
}

/** Commands that would contradict a configuration file. */
const CONFIGURING = new Set(
  [
    'add-db',
    'remove-db',
    'add-remote',
    'remove-remote',
    'set-active-ovsdb-server',
    'connect-active-ovsdb-server',
    'disconnect-active-ovsdb-server',
    'set-active-ovsdb-server-probe-interval',
    'set-relay-source-probe-interval',
    'set-sync-exclude-tables',
  ].map((name) => `ovsdb-server/${name}`),
)

/** A command whose work is left to the configuration file. */
function left(command: ControlCommand, path: string): ControlCommand {
  return { ...command, run: (_, reply) => reply.error(`Update the ${path} and use ovsdb-server/reload instead`) }
}

/** `--run`: the server lives as long as a command does. */
function runCommand(daemon: DaemonProcess, run: string): void {
  const child = spawn('/bin/sh', ['-c', run], { stdio: 'inherit' })
  child.on('exit', (code, signal) => {
    if (code !== 0) process.stderr.write(`ovsdb-server: ${run}: child exited, ${endText(code, signal)}\n`)
    daemon.exit(undefined, code === 0 ? 0 : 1)
  })
  child.on('error', (e) => daemon.fatal(`${run}: ${e.message}`))
}

try {
  await main()
} catch (e) {
  if (!(e instanceof Detaching)) throw e
}
