import { resolve } from 'node:path'
import { command } from '../base/command.ts'
import { err, ok, type Result } from '../base/result.ts'
import { systemFiles } from '../io/files.ts'
import { systemRandom } from '../io/random.ts'
import { createServer, type Server } from '../ovsdb/server/index.ts'
import { openFile } from '../ovsdb/storage/index.ts'
import { socketTransport } from '../ovsdb/transport/sockets.ts'
import { type OptionSpec, optionsHelp, parseOptions } from './_options.ts'
import { DaemonProcess, Detaching, PROCESS_OPTIONS } from './_ovsdb-process.ts'
import { TlsSettings } from './_ovsdb-tls.ts'

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

function main(): void {
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
  daemon.detach()
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
  const files = options.rest.length || options.has('no-dbs') ? options.rest : [DEFAULT_DB]
  const open = (path: string): Result<void> => openDatabase(daemon, server, path)
  for (const path of files) {
    const opened = open(path)
    if (!opened.ok) daemon.fatal(opened.error)
  }
  const remotes = [...options.values('remote')]
  let left = remotes.length
  const started = () => {
    daemon.start(
      [
        ...server.commands(),
        command('ovsdb-server/add-db', 'DB', [1, 1], ([path = '']) => {
          const opened = open(path)
          server.remotes.refresh()
          return opened.ok ? '' : new Error(opened.error)
        }),
      ],
      () => server.close(),
      () => daemon.ready(),
    )
  }
  if (!left) started()
  for (const remote of remotes) {
    server.listen(remote, (error) => {
      // A clear refusal at the start: what can not be listened at would be missed only later.
      if (error !== undefined) daemon.fatal(error)
      if (--left === 0) started()
    })
  }
}

function openDatabase(daemon: DaemonProcess, server: Server, path: string): Result<void> {
  const opened = openFile(resolve(path), { files: systemFiles, clock: daemon.clock, log: daemon.log })
  if (!opened.ok) return err(opened.error)
  const added = server.addDatabase(opened.value.schema, opened.value.storage)
  if (added.ok) return ok(undefined)
  opened.value.storage.close()
  return err(`ovsdb error: ${path}: ${added.error}`)
}

try {
  main()
} catch (e) {
  if (!(e instanceof Detaching)) throw e
}
