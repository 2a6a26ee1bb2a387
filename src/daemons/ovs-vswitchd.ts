import { readdirSync } from 'node:fs'
import { err } from '../base/result.ts'
import { systemRandom } from '../io/random.ts'
import { dial, parseActive } from '../io/socket.ts'
import { type Dial, RemoteReplica } from '../ovsdb/client/remote.ts'
import { openVSwitch } from '../schema/open-vswitch.ts'
import { Configuration, Switch, switchCommands } from '../vswitch/index.ts'
import { HostRoutes, HostUnderlay, NativeDriver } from '../vswitch/ports/native/index.ts'
import { OpenFlowService } from './_openflow-service.ts'
import { type OptionSpec, optionsHelp, parseOptions } from './_options.ts'
import { DaemonProcess, Detaching, PROCESS_OPTIONS } from './_process.ts'

const NAME = 'ovs-vswitchd'
const VERSION = 'ovs-vswitchd (Open vSwitch) 4.0.0\n'

const OPTIONS: readonly OptionSpec[] = [
  ...PROCESS_OPTIONS,
  { name: 'disable-system', help: 'understood: there is no kernel datapath', group: 'Other options' },
  { name: 'disable-system-route', help: 'understood', group: 'Other options', hidden: true },
  { name: 'mlockall', help: 'understood', group: 'Other options', hidden: true },
]
const MODULES = ['bridge', 'bfd', 'connmgr', 'ofproto', 'netdev', 'tunnel', 'ovsdb_cs', 'reconnect', 'vlog']

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
    process.stdout.write(`${NAME}: Open vSwitch daemon\nusage: ${NAME} [OPTIONS] [DATABASE]\n${optionsHelp(OPTIONS)}`)
    return
  }
  const daemon = new DaemonProcess(NAME, VERSION, options, MODULES)
  await daemon.detach()
  run(daemon, options.rest[0])
}

function run(daemon: DaemonProcess, given: string | undefined): void {
  const { clock, log, rundir } = daemon
  const database = given ?? `unix:${process.env['OVS_DBDIR'] ?? rundir}/db.sock`
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
  const dialStream: Dial = (text, done) => {
    const endpoint = parseActive(text)
    if (endpoint) return dial(endpoint, done)
    clock.after(0, () => done(err(`${text}: bad connection method`)))
    return () => undefined
  }
  const replica = new RemoteReplica({ schema: openVSwitch, remotes: [database], dial: dialStream, clock, log })
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
  daemon.start(switchCommands(sw), end, () => {
    log.info(`${NAME} (Open vSwitch) ${sw.version}`)
    daemon.ready()
  })
}

try {
  await main()
} catch (e) {
  if (!(e instanceof Detaching)) throw e
}
