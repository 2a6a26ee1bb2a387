import { systemRandom } from '../io/random.ts'
import { createNorthd } from '../northd/index.ts'
import { RemoteReplica } from '../ovsdb/client/remote.ts'
import { northbound } from '../schema/northbound.ts'
import { southbound } from '../schema/southbound.ts'
import { type OptionSpec, optionsHelp, parseOptions } from './_options.ts'
import { DaemonProcess, Detaching, PROCESS_OPTIONS } from './_process.ts'
import { remoteDialer, TLS_OPTIONS } from './_remotes.ts'

const NAME = 'ovn-northd'
const VERSION = 'ovn-northd 26.03.1\nOpen vSwitch Library 3.7.1'

// ovn-northd(8)
const OPTIONS: readonly OptionSpec[] = [
  {
    name: 'ovnnb-db',
    argument: 'DATABASE',
    help: 'connect to ovn-nb database at DATABASE\n(default: unix:/var/run/ovn/ovnnb_db.sock)',
    group: 'Options',
  },
  {
    name: 'ovnsb-db',
    argument: 'DATABASE',
    help: 'connect to ovn-sb database at DATABASE\n(default: unix:/var/run/ovn/ovnsb_db.sock)',
    group: 'Options',
  },
  { name: 'dry-run', help: 'start in paused state (do not commit db changes)', group: 'Options' },
  { name: 'n-threads', argument: 'N', help: 'accepted: one thread does it', group: 'Options' },
  { name: 'dummy-numa', argument: 'NUMA', help: 'understood', group: 'Options', hidden: true },
  { name: 'options', short: 'o', help: 'list available options', group: 'Options' },
  ...PROCESS_OPTIONS,
  ...TLS_OPTIONS,
]

const MODULES = ['graph', 'jsonrpc', 'main', 'northd', 'ovn_northd', 'reconnect', 'unixctl', 'vlog']

async function main(): Promise<void> {
  const parsed = parseOptions(process.argv.slice(2), OPTIONS)
  if (!parsed.ok) {
    process.stderr.write(`${NAME}: ${parsed.error}\n`)
    process.exit(1)
  }
  const options = parsed.value
  if (options.has('version')) {
    process.stdout.write(`${VERSION}\n`)
    return
  }
  if (options.has('help')) {
    process.stdout.write(
      `${NAME}: OVN northbound management daemon\nusage: ${NAME} [OPTIONS]\n\n${optionsHelp(OPTIONS)}`,
    )
    return
  }
  if (options.has('options')) {
    process.stdout.write(OPTIONS.map((o) => `--${o.name}${o.argument ? `=${o.argument}` : ''}\n`).join(''))
    return
  }
  const daemon = new DaemonProcess(NAME, VERSION, options, MODULES, 'ovn')
  await daemon.detach()
  const { clock, log } = daemon
  const dial = remoteDialer(options)
  const remotes = (name: string, variable: string, file: string) =>
    (options.value(name) ?? process.env[variable] ?? `unix:${daemon.rundir}/${file}`).split(',')
  const nb = new RemoteReplica({
    schema: northbound,
    remotes: remotes('ovnnb-db', 'OVN_NB_DB', 'ovnnb_db.sock'),
    dial,
    clock,
    log,
  })
  const sb = new RemoteReplica({
    schema: southbound,
    remotes: remotes('ovnsb-db', 'OVN_SB_DB', 'ovnsb_db.sock'),
    dial,
    clock,
    log,
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
  daemon.start(northd.commands(), end, () => {
    northd.start()
    daemon.ready()
  })
}

try {
  await main()
} catch (e) {
  if (!(e instanceof Detaching)) throw e
}
