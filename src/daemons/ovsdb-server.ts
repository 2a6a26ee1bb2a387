import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { command } from '../base/command.ts'
import { err, ok, type Result } from '../base/result.ts'
import { systemFiles } from '../io/files.ts'
import { systemRandom } from '../io/random.ts'
import { createServer, Replication, type Server, startRelay, type Transport } from '../ovsdb/server/index.ts'
import { openFile } from '../ovsdb/storage/index.ts'
import { socketTransport } from '../ovsdb/transport/sockets.ts'
import { type OptionSpec, optionsHelp, parseOptions } from './_options.ts'
import { type DatabaseConfig, readConfig } from './_ovsdb-config.ts'
import { TlsSettings } from './_ovsdb-tls.ts'
import { DaemonProcess, Detaching, PROCESS_OPTIONS } from './_process.ts'

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
  { name: 'peer-ca-cert', argument: 'FILE', help: 'understood', group: 'PKI configuration', hidden: true },
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
  { name: 'run', argument: 'COMMAND', help: 'run COMMAND as subprocess then exit', group: 'Other options' },
  { name: 'no-dbs', help: 'do not add default database', group: 'Other options' },
  { name: 'disable-file-column-diff', help: 'understood', group: 'Other options' },
  {
    name: 'max-message',
    argument: 'BYTES',
    help: 'largest message a client may send (default 1 GiB)',
    group: 'Other options',
  },
]

const VERSION = 'ovsdb-server (Open vSwitch) 4.0.0'
const DEFAULT_DB = '/etc/openvswitch/conf.db'

async function main(): Promise<void> {
  const parsed = parseOptions(process.argv.slice(2), OPTIONS)
  if (!parsed.ok) {
    process.stderr.write(`ovsdb-server: ${parsed.error}\n`)
    process.exit(1)
  }
  const options = parsed.value
  if (options.has('help')) {
    process.stdout.write(
      `ovsdb-server: Open vSwitch database server\nusage: ovsdb-server [OPTIONS] [DATABASE...]\nwhere each DATABASE is a database file in ovsdb format.\nThe default DATABASE, if none is given, is\n${DEFAULT_DB}.\n\n${optionsHelp(OPTIONS)}`,
    )
    return
  }
  if (options.has('version')) {
    process.stdout.write(`${VERSION}\n`)
    return
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
  await daemon.detach()
  daemon.log.info(VERSION)
  const tls = new TlsSettings(options)
  const size = Number(options.value('max-message') ?? 0)
  const server = createServer({
    clock: daemon.clock,
    log: daemon.log,
    random: systemRandom,
    transport: socketTransport(() => tls.keys(server)),
    ...(size > 0 ? { limits: { size } } : {}),
  })
  const transport = socketTransport(() => tls.keys(server))
  const opened = new Map<string, string>()
  const open = (path: string): Result<void> => openDatabase(daemon, server, transport, path, opened)
  const sync = options.value('sync-from')
  const replication = new Replication(server, transport, sync, new Set())
  const excluded = replication.setExcluded(options.value('sync-exclude-tables') ?? '')
  if (excluded !== undefined) daemon.fatal(excluded)
  const configFile = options.value('config-file')
  if (configFile !== undefined && (options.rest.length || options.has('remote') || sync !== undefined)) {
    daemon.fatal('--config-file is mutually exclusive with DATABASE, --remote and the syncing options')
  }
  const noDefault = options.rest.length || options.has('no-dbs') || configFile !== undefined
  for (const path of noDefault ? options.rest : [DEFAULT_DB]) {
    const result = open(path)
    if (!result.ok) daemon.fatal(result.error)
  }
  const configPath = configFile === undefined ? undefined : resolve(configFile)
  const configured = new ConfiguredServer(server, transport, opened, open, replication)
  if (configPath !== undefined) {
    const result = configured.reload(configPath)
    if (!result.ok) daemon.fatal(result.error)
  }
  if (sync !== undefined && !options.has('active')) replication.connect()
  const fixed = (name: string) => configPath !== undefined && CONFIGURING.has(name)
  const started = () => {
    daemon.start(
      [
        ...[...server.commands(), ...replication.commands()].filter((c) => !fixed(c.name)),
        command('ovsdb-server/add-db', 'DB', [1, 1], ([path = '']) => {
          const result = open(path)
          server.remotes.refresh()
          return result.ok ? '' : new Error(result.error)
        }),
        command('ovsdb-server/reload', '', [0, 0], () => {
          if (configPath === undefined) return new Error('Configuration file was not specified on command line')
          const result = configured.reload(configPath)
          return result.ok ? '' : new Error(result.error)
        }),
      ].filter((c) => !fixed(c.name)),
      () => server.close(),
      () => {
        daemon.ready()
        const run = options.value('run')
        if (run !== undefined) runCommand(daemon, run)
      },
    )
  }
  const remotes = [...options.values('remote')]
  let left = remotes.length
  if (!left) started()
  for (const remote of remotes) {
    server.listen(remote, (error) => {
      // A clear refusal at the start: what can not be listened at would be missed only later.
      if (error !== undefined) daemon.fatal(error)
      if (--left === 0) started()
    })
  }
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
    'set-sync-exclude-tables',
  ].map((name) => `ovsdb-server/${name}`),
)

/** `--run`: the server lives as long as a command does. */
function runCommand(daemon: DaemonProcess, run: string): void {
  const child = spawn('/bin/sh', ['-c', run], { stdio: 'inherit' })
  child.on('exit', (code) => daemon.exit(undefined, code === 0 ? 0 : 1))
  child.on('error', (e) => daemon.fatal(`${run}: ${e.message}`))
}

/** What a configuration file asks for, kept up over reloads. */
class ConfiguredServer {
  private readonly relays = new Map<string, { stop(): void }>()

  constructor(
    private readonly server: Server,
    private readonly transport: Transport,
    /** The name of each database by its file. */
    private readonly opened: Map<string, string>,
    private readonly open: (path: string) => Result<void>,
    private readonly replication: Replication,
  ) {}

  reload(path: string): Result<void> {
    const config = readConfig(path)
    if (!config.ok) return config
    const { databases, remotes } = config.value
    const names = new Set(databases.map((d) => d.name))
    for (const [file, database] of [...this.opened]) {
      if (names.has(file)) continue
      this.server.removeDatabase(database)
      this.opened.delete(file)
    }
    for (const [name, relay] of [...this.relays]) {
      if (names.has(name)) continue
      relay.stop()
      this.relays.delete(name)
      this.server.removeDatabase(name)
    }
    for (const database of databases) {
      const result = this.add(database)
      if (!result.ok) return result
    }
    const backup = databases.find((d) => d.model === 'active-backup' && d.backup)
    if (backup?.source !== undefined) {
      const name = this.opened.get(backup.name) ?? backup.name
      this.replication.follow(backup.source, new Set(backup.exclude.map((t) => `${name}:${t}`)), name)
    } else if (this.replication.backup) this.replication.disconnect()
    this.server.remotes.replace(remotes)
    return ok(undefined)
  }

  private add(database: DatabaseConfig): Result<void> {
    const { name, source } = database
    if (database.model === 'relay') {
      if (this.relays.has(name) || source === undefined) return ok(undefined)
      this.relays.set(name, startRelay(this.server, this.transport, name, [source], database.sourceOptions))
      return ok(undefined)
    }
    return this.opened.has(name) ? ok(undefined) : this.open(name)
  }
}

function openDatabase(
  daemon: DaemonProcess,
  server: Server,
  transport: Transport,
  path: string,
  names: Map<string, string>,
): Result<void> {
  if (path.startsWith('relay:')) {
    const [, name = '', remotes = ''] = /^relay:([^:]*):(.*)$/.exec(path) ?? []
    if (!name || !remotes) return err(`${path}: invalid syntax`)
    startRelay(server, transport, name, remotes.split(','))
    return ok(undefined)
  }
  if (names.has(path)) return err(`ovsdb error: ${path}: already open`)
  const opened = openFile(resolve(path), { files: systemFiles, clock: daemon.clock, log: daemon.log })
  if (!opened.ok) return err(opened.error.replace(resolve(path), path))
  const added = server.addDatabase(opened.value.schema, opened.value.storage)
  if (added.ok) {
    names.set(path, added.value.name)
    return ok(undefined)
  }
  opened.value.storage.close()
  return err(added.error.startsWith('duplicate') ? `ovsdb error: ${path}: ${added.error}` : added.error)
}

try {
  await main()
} catch (e) {
  if (!(e instanceof Detaching)) throw e
}
