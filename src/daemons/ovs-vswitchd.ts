import { readdirSync } from 'node:fs'
import { systemRandom } from '../io/random.ts'
import type { Replica } from '../ovsdb/client/replica.ts'
import { type OpenVSwitch, openVSwitch } from '../schema/open-vswitch.ts'
import { Configuration, Switch, switchCommands, switchCounts, switchUsage } from '../vswitch/index.ts'
import { HostRoutes, HostUnderlay, NativeDriver } from '../vswitch/ports/native/index.ts'
import { notBuilt, SWITCH_NOT_BUILT } from './_command-forms.ts'
import { CountedReplica, replicaUsage, rowsMeasure } from './_counted-replica.ts'
import { type Measure, single } from './_metrics.ts'
import { OpenFlowService } from './_openflow-service.ts'
import { type OptionSpec, optionsHelp, type ParsedOptions, parseOptions } from './_options.ts'
import { type DaemonFace, DaemonProcess, Detaching } from './_process.ts'
import { exitCommand, timeCommands } from './_process-commands.ts'
import { helpDefaults, PROCESS_OPTIONS } from './_process-options.ts'
import { remoteDialer, TLS_OPTIONS } from './_remotes.ts'

const NAME = 'ovs-vswitchd'
const VERSION = 'ovs-vswitchd (Open vSwitch) 4.0.0\n'

// ovs-vswitchd(8)
const OPTIONS: readonly OptionSpec[] = [
  ...TLS_OPTIONS,
  { name: 'peer-ca-cert', argument: 'FILE', help: 'understood', group: 'SSL/TLS options', hidden: true },
  ...PROCESS_OPTIONS,
  { name: 'disable-system', help: 'understood: there is no kernel datapath', group: 'Other options' },
  { name: 'disable-system-route', help: 'understood', group: 'Other options', hidden: true },
  { name: 'mlockall', help: 'understood', group: 'Other options', hidden: true },
  { name: 'dpdk', help: 'not any more', group: 'Other options', hidden: true },
  {
    name: 'enable-dummy',
    argument: 'override|system',
    optional: true,
    help: 'time/stop and time/warp for tests',
    group: 'Other options',
    hidden: true,
  },
]
const MODULES = [
  ...['bridge', 'bfd', 'connmgr', 'jsonrpc', 'netdev', 'ofproto', 'ovsdb_cs', 'reconnect', 'tunnel', 'vconn', 'vlog'],
]

/** The host's network interfaces, those without an address too. */
function interfaces(): string[] {
  try {
    return readdirSync('/sys/class/net')
  } catch {
    return []
  }
}

async function main(): Promise<void> {
  const parsed = parseOptions(process.argv.slice(2), OPTIONS)
  if (!parsed.ok) {
    process.stderr.write(`${NAME}: ${parsed.error}\n`)
    process.exit(1)
  }
  const options = parsed.value
  if (options.has('version')) {
    process.stdout.write(VERSION)
    return
  }
  if (options.has('help')) {
    process.stdout.write(
      `${NAME}: Open vSwitch daemon\nusage: ${NAME} [OPTIONS] [DATABASE]\n${optionsHelp(OPTIONS, helpDefaults(NAME, 'ovs'))}`,
    )
    return
  }
  const daemon = new DaemonProcess(NAME, VERSION, options, MODULES, 'ovs', { network: true })
  if (options.rest.length > 1) daemon.fatal('at most one non-option argument accepted; use --help for usage')
  if (options.has('dpdk')) daemon.fatal('Using --dpdk to configure DPDK is not supported.')
  const level = options.value('enable-dummy')
  if (level !== undefined && !['override', 'system'].includes(level)) daemon.fatal(`${level}: unknown dummy level`)
  await daemon.detach()
  run(daemon, options)
}

function run(daemon: DaemonProcess, options: ParsedOptions): void {
  const { clock, log, rundir } = daemon
  const database = options.rest[0] ?? `unix:${rundir}/db.sock`
  const routes = new HostRoutes(() => clock.monotonic())
  const native = NativeDriver.make(clock, interfaces)
  if (native instanceof Error) log.warn(native.message, { code: 'no-native-devices' })
  const sw = new Switch({
    clock,
    log: log.child('bridge'),
    random: systemRandom,
    underlay: new HostUnderlay(log.child('tunnel'), (remote) => routes.source(remote)),
    localAddress: (remote) => routes.source(remote),
    routes: () => routes.lines(),
    drivers: native instanceof Error ? [] : [native],
  })
  const dialStream = remoteDialer(options)
  const replica = new CountedReplica({ schema: openVSwitch, remotes: [database], dial: dialStream, clock, log })
  const service = new OpenFlowService(sw, clock, log.child('connmgr'), rundir, dialStream)
  const configuration = new Configuration(sw, replica, {
    bridgeChanged: (bridge, row, controllers) => service.bridgeChanged(bridge.name, row, controllers),
    bridgeRemoved: (name) => service.bridgeRemoved(name),
  })
  if (!(native instanceof Error)) native.onLinks = () => sw.onPortsChanged?.()
  const end = () => {
    configuration.close()
    service.close()
    sw.close()
    replica.close()
  }
  const commands = [...notBuilt(SWITCH_NOT_BUILT), ...switchCommands(sw)]
  // What a packet goes through is in this process: it ends with it, cleaned up or not.
  commands.push({ ...exitCommand(() => daemon.exit()), usage: '[--cleanup]', maxArgs: 1 })
  if (options.has('enable-dummy')) commands.push(...timeCommands(clock))
  const face: DaemonFace = {
    commands,
    counts: () => switchCounts(sw),
    usage: () => ({ ...replicaUsage([replica]), ...switchUsage(sw) }),
    measures: measures(sw, replica),
  }
  daemon.start(face, end, () => {
    let serving = false
    // It serves when the bridges of the database stand, as scripts that start it with --detach expect.
    replica.onSynced(() => {
      if (serving) return
      serving = true
      log.child('bridge').info(`${NAME} (Open vSwitch) ${sw.version}`)
      daemon.ready()
    })
  })
}

function measures(sw: Switch, replica: Replica<OpenVSwitch>): readonly Measure[] {
  return [
    rowsMeasure('switch', replica),
    {
      ...{ name: 'switch_openflow_flows', help: 'OpenFlow flows of a bridge.', label: 'bridge' },
      values: () => [...sw.bridges].map(([name, bridge]) => [name, bridge.flowCount()] as const),
    },
    {
      ...{ name: 'switch_ports', help: 'Ports of a bridge.', label: 'bridge' },
      values: () => [...sw.bridges].map(([name, bridge]) => [name, bridge.ports.size] as const),
    },
    single('switch_datapath_flows', 'Flows in the cache of the datapath.', () => sw.datapath.cache.size),
    single('switch_conntrack_entries', 'Tracked connections.', () => sw.conntrack.size),
    single('switch_openflow_connections', 'OpenFlow connections of all bridges.', () => sw.connections.size),
  ]
}

try {
  await main()
} catch (e) {
  if (!(e instanceof Detaching)) throw e
}
