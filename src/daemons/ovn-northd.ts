import { type ControlCommand, command } from '../base/command.ts'
import type { Log } from '../base/log.ts'
import { systemRandom } from '../io/random.ts'
import { createNorthd, type Northd } from '../northd/index.ts'
import type { Replica } from '../ovsdb/client/replica.ts'
import { INTERNAL_VERSION } from '../schema/internal-version.ts'
import { type Northbound, northbound } from '../schema/northbound.ts'
import { type Southbound, southbound } from '../schema/southbound.ts'
import { CountedReplica, replicaUsage, rowsMeasure } from './_counted-replica.ts'
import { type Measure, seconds, single } from './_metrics.ts'
import { type OptionSpec, optionsHelp, type ParsedOptions, parseOptions } from './_options.ts'
import { DaemonProcess, Detaching } from './_process.ts'
import { computeLogTimeout, stopwatchCommands, timewarpCommand } from './_process-commands.ts'
import { helpDefaults, OVN_PROCESS_OPTIONS } from './_process-options.ts'
import { remoteDialer, TLS_OPTIONS } from './_remotes.ts'

const NAME = 'ovn-northd'
const VERSION = 'ovn-northd 26.03.1\nOpen vSwitch Library 3.7.1'

// ovn-northd(8)
const OPTIONS: readonly OptionSpec[] = [
  {
    name: 'ovnnb-db',
    short: 'D',
    argument: 'DATABASE',
    help: 'connect to ovn-nb database at DATABASE\n(default: unix:/var/run/ovn/ovnnb_db.sock)',
    group: 'Options',
  },
  {
    name: 'ovnsb-db',
    short: 'd',
    argument: 'DATABASE',
    help: 'connect to ovn-sb database at DATABASE\n(default: unix:/var/run/ovn/ovnsb_db.sock)',
    group: 'Options',
  },
  { name: 'dry-run', help: 'start in paused state (do not commit db changes)', group: 'Options' },
  { name: 'n-threads', argument: 'N', help: 'accepted: one thread does it', group: 'Options' },
  { name: 'dummy-numa', argument: 'NUMA', help: 'understood', group: 'Options', hidden: true },
  { name: 'options', short: 'o', help: 'list available options', group: 'Options' },
  ...OVN_PROCESS_OPTIONS,
  ...TLS_OPTIONS,
]

const MODULES = [
  ...['en_lr_nat', 'graph', 'jsonrpc', 'main', 'northd', 'northd_lb', 'ovn_northd', 'ovn_util', 'reconnect'],
  ...['unixctl', 'vlog'],
]

async function main(): Promise<void> {
  // The real one says what is wrong with an option, and goes on without it.
  const parsed = parseOptions(process.argv.slice(2), OPTIONS, { forgive: complain })
  if (!parsed.ok) throw new Error(parsed.error)
  const options = parsed.value
  if (options.has('version')) {
    process.stdout.write(`${VERSION}\n`)
    return
  }
  if (options.has('help')) {
    process.stdout.write(
      `${NAME}: OVN northbound management daemon\nusage: ${NAME} [OPTIONS]\n\n${optionsHelp(OPTIONS, helpDefaults(NAME, 'ovn'))}`,
    )
    return
  }
  if (options.has('options')) {
    process.stdout.write(OPTIONS.map(optionLines).join(''))
    return
  }
  const daemon = new DaemonProcess(NAME, VERSION, options, MODULES, 'ovn')
  await daemon.detach()
  run(daemon, options)
}

function complain(error: string): void {
  process.stderr.write(`${NAME}: ${error}\n`)
}

/** An option as --options lists it: its names, and ARG where it takes one. */
function optionLines(option: OptionSpec): string {
  const argument = option.argument === undefined ? '' : option.optional ? '[ARG]' : 'ARG'
  const long = `--${option.name}${argument && `=${argument}`}\n`
  return option.short === undefined ? long : `${long}-${option.short} ${argument}\n`
}

/** Most threads that the real one runs. */
const MOST_THREADS = 256

/** What --n-threads asks for, within bounds. */
function threads(text: string, log: Log): number {
  const given = /^\d+$/.test(text) ? Number(text) : 0
  const n = Math.min(MOST_THREADS, Math.max(1, given))
  if (n !== given) {
    log.warn(`Setting n_threads to ${n} as --n-threads option was set to : [${text}]`, { code: 'bad-threads' })
  }
  if (n > 1) log.info(`Using ${n} threads`)
  return n
}

function run(daemon: DaemonProcess, options: ParsedOptions): void {
  const { clock, log } = daemon
  log.child('ovn_northd').info(`OVN internal version is : [${INTERNAL_VERSION}]`)
  const dial = remoteDialer(options)
  const remotes = (name: string, variable: string, file: string) =>
    (options.value(name) ?? process.env[variable] ?? `unix:${daemon.rundir}/${file}`).split(',')
  const nb = new CountedReplica({
    schema: northbound,
    remotes: remotes('ovnnb-db', 'OVN_NB_DB', 'ovnnb_db.sock'),
    dial,
    clock,
    log,
    // a lock is one server's own: of several northd all have to ask the same
    leaderOnly: true,
  })
  const sb = new CountedReplica({
    schema: southbound,
    remotes: remotes('ovnsb-db', 'OVN_SB_DB', 'ovnsb_db.sock'),
    dial,
    clock,
    log,
    // a lock is one server's own: of several northd all have to ask the same
    leaderOnly: true,
  })
  const northd = createNorthd({
    nb,
    sb,
    clock,
    log: log.child('ovn_northd'),
    random: systemRandom,
    options: { dryRun: options.has('dry-run') },
  })
  const end = () => {
    northd.close()
    nb.close()
    sb.close()
  }
  const own = northd.commands()
  const nThreads = options.value('n-threads')
  if (nThreads !== undefined) {
    const n = String(threads(nThreads, log.child('ovn_northd')))
    own.find((c) => c.name === 'parallel-build/set-n-threads')?.run([n], { ok() {}, error() {} })
  }
  const commands: ControlCommand[] = [
    ...own,
    ...stopwatchCommands([northd.loop]),
    computeLogTimeout(northd.loop, log),
    command('debug/chassis-features-list', '', [0, 0], () => chassisFeatures(sb)),
    timewarpCommand(clock, (more) => daemon.addCommands(more)),
  ]
  const face = { commands, usage: () => replicaUsage([nb, sb]), measures: measures(northd, nb, sb) }
  daemon.start(face, end, () => {
    northd.start()
    daemon.ready()
  })
}

/** What every chassis can do, so that northd may rely on it; a chassis that does not say so cannot. */
const CHASSIS_FEATURES: readonly (readonly [feature: string, key: string])[] = [
  ['mac_binding_timestamp', 'mac-binding-timestamp'],
  ['fdb_timestamp', 'fdb-timestamp'],
  ['ls_dpg_column', 'ls-dpg-column'],
  ['ct_commit_nat_v2', 'ct-commit-nat-v2'],
  ['ct_commit_to_zone', 'ct-commit-to-zone'],
  ['sample_with_reg', 'ovn-sample-with-registers'],
  ['ct_next_zone', 'ct-next-zone'],
  ['ct_label_flush', 'ct-label-flush'],
  ['ct_state_save', 'ct-state-save'],
]

function chassisFeatures(sb: Replica<Southbound>): string {
  const chassis = [...sb.table('Chassis').values()]
  const all = (key: string) => chassis.every((c) => c.other_config.get(key) === 'true')
  return CHASSIS_FEATURES.map(([feature, key]) => `${feature}: ${all(key)}\n`).join('')
}

function measures(northd: Northd, nb: Replica<Northbound>, sb: Replica<Southbound>): readonly Measure[] {
  return [
    rowsMeasure('northbound', nb),
    rowsMeasure('southbound', sb),
    single('northd_last_run_seconds', 'How long the last pass over what changed took.', () => seconds(northd.loop)),
    single('northd_runs', 'Passes since the start, or since stopwatch/reset.', () => northd.loop.samples),
    single('northd_active', '1 if this northd has the lock and writes.', () => (northd.status === 'active' ? 1 : 0)),
    single('northd_logical_flows', 'Logical flows in the southbound database.', () => sb.table('Logical_Flow').size),
  ]
}

try {
  await main()
} catch (e) {
  if (!(e instanceof Detaching)) throw e
}
