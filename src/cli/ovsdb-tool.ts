import { existsSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { keptLog } from '../base/log.ts'
import { readJsonText } from '../ctl/ovsdb-client/json-text.ts'
import { type OptionSpec, optionsHelp, type ParsedOptions, parseOptions } from '../daemons/_options.ts'
import { databaseDirectory, dataDirectory, logDirectory } from '../daemons/_process-options.ts'
import { SystemClock } from '../io/clock.ts'
import { errorText } from '../io/errors.ts'
import { systemFiles } from '../io/files.ts'
import { systemRandom } from '../io/random.ts'
import { isArray, type Json, printJson } from '../jsonrpc/json.ts'
import { parseJson } from '../jsonrpc/parser.ts'
import { describeError, Failure, parseUuid, printSchema, ZERO_UUID } from '../ovsdb/schema/index.ts'
import { createFile, encodeRecord, openFile, writeFile } from '../ovsdb/storage/index.ts'
import { convertDatabase } from '../ovsdb/transaction/convert.ts'
import { Database, type Requester } from '../ovsdb/transaction/index.ts'
import { WireOperations, writeError, writeResults } from '../ovsdb/wire/index.ts'
import {
  type ClusterHeader,
  checkCluster,
  readClusterFile,
  showClusterLog,
  standaloneRecords,
} from './_ovsdb-cluster.ts'
import { eachRecord, readDatabaseFile, readFileSchema, readSchemaFile } from './_ovsdb-file.ts'
import { LogPrinter } from './_ovsdb-show-log.ts'
import { openToolLog, toolLog } from './_tool-log.ts'

const MANY = Number.POSITIVE_INFINITY

const VERSION = '4.0.0'
const DB = `${databaseDirectory()}/conf.db`
const SCHEMA = `${dataDirectory()}/vswitch.ovsschema`

const OPTIONS: readonly OptionSpec[] = [
  {
    name: 'verbose',
    short: 'v',
    argument: 'SPEC',
    optional: true,
    help: 'set logging levels',
    group: 'Logging options',
  },
  { name: 'log-file', argument: 'FILE', optional: true, help: 'understood', group: 'Logging options' },
  { name: 'syslog-method', argument: 'METHOD', help: 'understood', group: 'Logging options' },
  { name: 'syslog-target', argument: 'HOST:PORT', help: 'understood', group: 'Logging options' },
  { name: 'more', short: 'm', help: 'increase show-log verbosity', group: 'Other options' },
  { name: 'rbac-role', argument: 'ROLE', help: 'RBAC role for transact and query commands', group: 'Other options' },
  { name: 'election-timer', argument: 'MS', help: 'understood', group: 'Other options', hidden: true },
  { name: 'cid', argument: 'UUID', help: 'understood', group: 'Other options', hidden: true },
  { name: 'help', short: 'h', help: 'display this help message', group: 'Other options' },
  { name: 'version', short: 'V', help: 'display version information', group: 'Other options' },
]

interface Invocation {
  readonly more: number
  readonly role: string | undefined
}

interface ToolCommand {
  readonly name: string
  readonly usage: string
  readonly help: string
  readonly args: readonly [number, number]
  run(args: readonly string[], how: Invocation): void
}

function fatal(message: string): never {
  process.stderr.write(`ovsdb-tool: ${message}\n`)
  process.exit(1)
}

const print = (text: string) => void process.stdout.write(text)
const clock = new SystemClock()

function must<T>(result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string }): T {
  return result.ok ? result.value : fatal(result.error)
}

/** The header of a clustered database's file; undefined for a standalone one, fails for what is neither. */
const clusterOf = (path: string) => must(readClusterFile(path))

const clusterRefused = (what: string) => () =>
  fatal(
    `${what}: this database server does not cluster. Use the ovsdb-tool and ovsdb-server of Open vSwitch for a RAFT cluster; its clients, ours too, need no change (docs/OVSDB-SERVER.md, Clusters)`,
  )

/** Opens for writing, with what was logged on the way on stderr. */
function open(path: string) {
  const kept = keptLog()
  // A file that a crash has cut must be looked at by the server, or by a person.
  must(readDatabaseFile(path))
  const opened = must(openFile(path, { files: systemFiles, clock, log: kept.log }))
  const database = new Database(opened.schema, clock, systemRandom)
  must(opened.storage.load(database))
  return { ...opened, database }
}

function readTransaction(text: string): Json {
  const read = readJsonText(text)
  return read.ok ? read.value : fatal(`"${text}": ${read.error}`)
}

function execute(database: Database, text: string, how: Invocation, done: () => void): void {
  const json = readTransaction(text)
  const say = (result: string) => {
    print(`${printJson(parseJson(result), true)}\n`)
    done()
  }
  const syntax = printJson(json, true)
  if (!isArray(json)) {
    say(writeError({ error: 'syntax error', details: 'array expected', syntax }))
    return
  }
  if (json[0] !== database.name) {
    say(writeError({ error: 'syntax error', details: 'database name expected as first parameter', syntax }))
    return
  }
  const operations = json.slice(1)
  const requester: Requester = { owns: () => false, role: how.role }
  database.submit(new WireOperations(database.schema, operations, systemRandom), requester, (r) => {
    say(writeResults(database.schema, operations, r.results, r.error))
  })
}

function convert(from: string, schemaFile: string, to: string | undefined): void {
  const schema = must(readSchemaFile(schemaFile))
  const note = { date: clock.now(), comment: `converted by ovsdb-tool ${VERSION}` }
  try {
    if (to === undefined) {
      const { database, storage } = open(from)
      const failed = storage.rewrite(convertDatabase(database, schema, clock, systemRandom), note.comment)
      if (failed !== undefined) fatal(failed)
      storage.close()
      return
    }
    checkFolder(to)
    const { database } = must(readDatabaseFile(from))
    writeFile(systemFiles, to, convertDatabase(database, schema, clock, systemRandom), note)
  } catch (e) {
    fatal(e instanceof Failure ? describeError(e.error) : errorText(e))
  }
}

function compact(from: string, to: string | undefined): void {
  const note = { date: clock.now(), comment: `compacted by ovsdb-tool ${VERSION}` }
  if (to === undefined) {
    const { database, storage } = open(from)
    const failed = storage.rewrite(database, note.comment)
    if (failed !== undefined) fatal(failed)
    storage.close()
    return
  }
  checkFolder(to)
  const { database } = must(readDatabaseFile(from))
  try {
    writeFile(systemFiles, to, database, note)
  } catch (e) {
    fatal(`I/O error: ${to}: ${errorText(e)}`)
  }
}

/** A file can only be made where its lock can be: what the real one says of a folder that is not there. */
function checkFolder(path: string, prefix = ''): void {
  if (existsSync(dirname(path))) return
  const why = errorText(Object.assign(new Error(), { code: 'ENOENT' }))
  const lock = `${dirname(path)}/.${basename(path)}.~lock~`
  toolLog('lockfile', 'warn', `${lock}: failed to open lock file: ${why}`)
  toolLog('lockfile', 'warn', `${lock}: failed to lock file: ${why}`)
  fatal(`${prefix}${path}: failed to lock lockfile (${why})`)
}

/** The numbers of `x.y.z`. */
function version(text: string): readonly number[] {
  if (!/^\d+\.\d+\.\d+$/.test(text)) fatal(`${text}: not an OVSDB version number in format x.y.z`)
  return text.split('.').map(Number)
}

function compareVersions(a: string, op: string, b: string): void {
  const x = version(a)
  const y = version(b)
  const c = x.map((n, i) => Math.sign(n - (y[i] as number))).find((s) => s !== 0) ?? 0
  const holds: Readonly<Record<string, boolean>> = {
    '<': c < 0,
    '<=': c <= 0,
    '==': c === 0,
    '>=': c >= 0,
    '>': c > 0,
    '!=': c !== 0,
  }
  const answer = holds[op]
  if (answer === undefined) fatal(`${op}: not a relational operator`)
  process.exitCode = answer ? 0 : 2
}

const ofFile = (
  name: string,
  what: string,
  of: (s: ReturnType<typeof readFileSchema> & { ok: true }) => string,
): ToolCommand => ({
  name,
  usage: '[DB]',
  help: what,
  args: [0, 1],
  run: ([db = DB]) => print(`${of({ ok: true, value: must(readFileSchema(db)) })}\n`),
})

const ofSchema = (
  name: string,
  what: string,
  of: (s: ReturnType<typeof readSchemaFile> & { ok: true }) => string,
): ToolCommand => ({
  name,
  usage: '[SCHEMA]',
  help: what,
  args: [0, 1],
  run: ([file = SCHEMA]) => print(`${of({ ok: true, value: must(readSchemaFile(file)) })}\n`),
})

/** Something that the header of a clustered database's file says. */
const ofCluster = (name: string, what: string, of: (header: ClusterHeader) => string): ToolCommand => ({
  name,
  usage: 'DB',
  help: what,
  args: [1, 1],
  run: ([db = '']) => {
    const header = clusterOf(db)
    print(`${header ? of(header) : fatal(`${db}: not a clustered database`)}\n`)
  },
})

function clusterId(path: string, header: ClusterHeader): string {
  if (header.clusterId !== undefined) return header.clusterId
  process.stderr.write(`${path}: cluster ID not yet known\n`)
  process.exit(2)
}

/** Makes a standalone database of what a cluster's has committed. */
function clusterToStandalone(to: string, from: string): void {
  if (!clusterOf(from)) fatal('Database is not clustered db.\n')
  const records = must(standaloneRecords(from))
  checkFolder(to, 'I/O error: ')
  try {
    const file = systemFiles.open(to, 'create')
    let at = 0
    for (const json of records) {
      const bytes = encodeRecord(printJson(json))
      file.write(at, bytes)
      at += bytes.length
    }
    file.syncNow()
    file.close()
  } catch (e) {
    fatal(`I/O error: ${to}: create failed (${errorText(e)})`)
  }
}

const COMMANDS: readonly ToolCommand[] = [
  {
    name: 'create',
    usage: '[DB [SCHEMA]]',
    help: 'create DB with the given SCHEMA',
    args: [0, 2],
    run: ([db = DB, schemaFile = SCHEMA]) => {
      const schema = must(readSchemaFile(schemaFile))
      checkFolder(db, 'I/O error: ')
      const failed = createFile(systemFiles, db, schema)
      if (failed !== undefined) fatal(`I/O error: ${failed}`)
    },
  },
  {
    name: 'create-cluster',
    usage: 'DB CONTENTS LOCAL',
    help: 'refused: see docs/OVSDB-SERVER.md',
    args: [3, 3],
    run: clusterRefused('create-cluster'),
  },
  {
    name: 'join-cluster',
    usage: 'DB NAME LOCAL REMOTE...',
    help: 'refused: see docs/OVSDB-SERVER.md',
    args: [4, MANY],
    run: clusterRefused('join-cluster'),
  },
  {
    name: 'compact',
    usage: '[DB [DST]]',
    help: 'compact DB in-place (or to DST)',
    args: [0, 2],
    run: ([db = DB, to]) => compact(db, to),
  },
  {
    name: 'convert',
    usage: '[DB [SCHEMA [DST]]]',
    help: 'convert DB to SCHEMA (to DST)',
    args: [0, 3],
    run: ([db = DB, schema = SCHEMA, to]) => convert(db, schema, to),
  },
  {
    name: 'needs-conversion',
    usage: '',
    help: 'tell whether DB has another schema than SCHEMA',
    args: [0, 2],
    run: ([db = DB, schemaFile = SCHEMA]) => {
      const [a, b] = [must(readFileSchema(db)), must(readSchemaFile(schemaFile))].map((s) =>
        printJson(printSchema(s), true),
      )
      print(a === b ? 'no\n' : 'yes\n')
    },
  },
  {
    name: 'db-name',
    usage: '[DB]',
    help: 'report name of schema used by DB',
    args: [0, 1],
    run: ([db = DB]) => print(`${clusterOf(db)?.name ?? must(readFileSchema(db)).name}\n`),
  },
  ofFile('db-version', 'report version of schema used by DB', (s) => s.value.version),
  ofFile('db-cksum', 'report checksum of schema used by DB', (s) => s.value.cksum),
  {
    ...ofCluster('db-cid', 'report cluster ID of clustered DB', () => ''),
    run: ([db = '']) => print(`${clusterId(db, clusterOf(db) ?? fatal(`${db}: not a clustered database`))}\n`),
  },
  ofCluster('db-sid', 'report server ID of clustered DB', (header) => header.serverId),
  ofCluster('db-local-address', 'report local address of clustered DB', (header) => header.localAddress),
  {
    name: 'db-is-clustered',
    usage: 'DB',
    help: 'test whether DB is clustered',
    args: [1, 1],
    run: ([db = '']) => void (process.exitCode = clusterOf(db) ? 0 : 2),
  },
  {
    name: 'db-is-standalone',
    usage: 'DB',
    help: 'test whether DB is standalone',
    args: [1, 1],
    run: ([db = '']) => void (process.exitCode = clusterOf(db) ? 2 : 0),
  },
  ofSchema('schema-name', "report SCHEMA's name", (s) => s.value.name),
  ofSchema('schema-version', "report SCHEMA's schema version", (s) => s.value.version),
  ofSchema('schema-cksum', "report SCHEMA's checksum", (s) => s.value.cksum),
  {
    name: 'query',
    usage: '[DB] TRNS',
    help: 'execute read-only transaction on DB',
    args: [1, 2],
    run: (args, how) => {
      const { database } = must(readDatabaseFile(args.length > 1 ? (args[0] as string) : DB))
      execute(database, args[args.length - 1] as string, how, () => {})
    },
  },
  {
    name: 'transact',
    usage: '[DB] TRNS',
    help: 'execute read/write transaction on DB',
    args: [1, 2],
    run: (args, how) => {
      const { database, storage } = open(args.length > 1 ? (args[0] as string) : DB)
      database.journal = storage
      execute(database, args[args.length - 1] as string, how, () => storage.close())
    },
  },
  {
    name: 'show-log',
    usage: '[DB]',
    help: "print DB's log entries",
    args: [0, 1],
    run: ([db = DB], how) => {
      const printer = new LogPrinter(how.more, print)
      if (clusterOf(db)) must(showClusterLog(db, printer, print))
      else must(eachRecord(db, (record, index) => printer.record(record.json, index)))
    },
  },
  {
    name: 'check-cluster',
    usage: 'DB...',
    help: "compare the files of a cluster's servers",
    args: [1, MANY],
    run: (paths) => void must(checkCluster(paths, print)),
  },
  {
    name: 'compare-versions',
    usage: 'A OP B',
    help: 'compare OVSDB schema version numbers',
    args: [3, 3],
    run: ([a = '', op = '', b = '']) => compareVersions(a, op, b),
  },
  { name: 'help', usage: '', help: 'display this help message', args: [0, MANY], run: () => help() },
  {
    name: 'list-commands',
    usage: '',
    help: 'list the commands',
    args: [0, MANY],
    run: () =>
      print(
        `The available commands are:\n${COMMANDS.map((c) => `  ${c.name.padEnd(23)} ${c.usage.toLowerCase()}\n`).join('')}`,
      ),
  },
  {
    name: 'cluster-to-standalone',
    usage: 'DB CLUSTERDB',
    help: 'make standalone DB of what CLUSTERDB has committed',
    args: [2, 2],
    run: ([to = '', from = '']) => clusterToStandalone(to, from),
  },
]

function help(): void {
  const commands = COMMANDS.map((c) => `  ${`${c.name} ${c.usage}`.padEnd(30)} ${c.help}\n`).join('')
  print(
    `ovsdb-tool: Open vSwitch database management utility\nusage: ovsdb-tool [OPTIONS] COMMAND [ARG...]\n${commands}The default DB is ${DB}.\nThe default SCHEMA is ${SCHEMA}.\n\n${optionsHelp(OPTIONS)}`,
  )
}

/** Of clusters that are not made here; but a wrong one is told. */
function checkClusterOptions(options: ParsedOptions): void {
  const cid = options.value('cid')
  if (cid !== undefined && (parseUuid(cid) ?? ZERO_UUID) === ZERO_UUID) fatal(`${cid}: not a valid UUID`)
  const timer = options.value('election-timer')
  if (timer === undefined) return
  const ms = Number.parseInt(timer, 10)
  if (!(ms >= 100 && ms <= 600_000)) fatal('ovsdb error: election timer must be between 100 and 600000, in msec.')
}

async function main(): Promise<void> {
  const parsed = parseOptions(process.argv.slice(2), OPTIONS)
  if (!parsed.ok) fatal(parsed.error)
  const options = parsed.value
  if (options.has('help')) {
    help()
    return
  }
  if (options.has('version')) {
    print(`ovsdb-tool (Open vSwitch) ${VERSION}\n`)
    return
  }
  checkClusterOptions(options)
  await openToolLog('ovsdb-tool', options, logDirectory('ovs'))
  const [name, ...args] = options.rest
  if (name === undefined) fatal('missing command name; use --help for help')
  const command = COMMANDS.find((c) => c.name === name)
  if (!command) fatal(`unknown command '${name}'; use --help for help`)
  if (args.length < command.args[0]) fatal(`'${name}' command requires at least ${command.args[0]} arguments`)
  if (args.length > command.args[1]) fatal(`'${name}' command takes at most ${command.args[1]} arguments`)
  command.run(args, {
    more: options.given.filter((g) => g.name === 'more').length,
    role: options.value('rbac-role'),
  })
}

main().catch((e: unknown) => fatal(e instanceof Error && e.stack ? e.stack : String(e)))
