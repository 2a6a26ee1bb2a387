import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { type ControlCommand, command } from '../base/command.ts'
import { Controller, type DialSwitch, LOCAL_REQUESTS, SOUTHBOUND_REQUESTS } from '../controller/index.ts'
import { systemRandom } from '../io/random.ts'
import { openChannel } from '../openflow/connection/stream-channel.ts'
import { OF15 } from '../openflow/messages/message.ts'
import type { Replica } from '../ovsdb/client/replica.ts'
import { type OpenVSwitch, openVSwitch } from '../schema/open-vswitch.ts'
import { type Southbound, southbound } from '../schema/southbound.ts'
import { CONTROLLER_COMMANDS, CONTROLLER_NOT_BUILT, notBuilt, notReady } from './_command-forms.ts'
import { CountedReplica, replicaUsage, rowsMeasure } from './_counted-replica.ts'
import { type Measure, seconds, single } from './_metrics.ts'
import { type OptionSpec, optionsHelp, type ParsedOptions, parseOptions } from './_options.ts'
import { DaemonProcess, Detaching } from './_process.ts'
import { computeLogTimeout, stopwatchCommands, timewarpCommand } from './_process-commands.ts'
import { helpDefaults, OVN_PROCESS_OPTIONS, ovnConfigurationDirectory, runDirectory } from './_process-options.ts'
import { remoteDialer, TLS_OPTIONS } from './_remotes.ts'

const NAME = 'ovn-controller'
const VERSION = 'ovn-controller 26.03.1\nOpen vSwitch Library 3.7.1\nOpenFlow versions 0x6:0x6\nSB DB Schema 21.8.0'

// ovn-controller(8)
const OPTIONS: readonly OptionSpec[] = [
  ...TLS_OPTIONS,
  { name: 'peer-ca-cert', argument: 'FILE', help: 'understood', group: 'SSL/TLS options', hidden: true },
  ...OVN_PROCESS_OPTIONS,
  { name: 'enable-dummy-vif-plug', help: 'understood', group: 'Other options', hidden: true },
  { name: 'chassis', short: 'n', argument: 'NAME', help: 'custom chassis name', group: 'Other options' },
]

const MODULES = [
  'binding',
  'chassis',
  'encaps',
  'graph',
  'jsonrpc',
  'lflow',
  'main',
  'ofctrl',
  'physical',
  'pinctrl',
  'rconn',
  'reconnect',
  'unixctl',
  'vconn',
  'vlog',
]

async function main(): Promise<void> {
  const parsed = parseOptions(process.argv.slice(2), OPTIONS)
  if (!parsed.ok) {
    process.stderr.write(`${NAME}: ${parsed.error}\n`)
    process.exit(1)
  }
  const given = parsed.value
  if (given.has('version')) {
    process.stdout.write(`${VERSION}\n`)
    return
  }
  if (given.has('help')) {
    process.stdout.write(
      `${NAME}: OVN controller\nusage ${NAME} [OPTIONS] [OVS-DATABASE]\nwhere OVS-DATABASE is a socket on which the OVS OVSDB server is listening.\n\n${optionsHelp(OPTIONS, helpDefaults(NAME, 'ovn'))}`,
    )
    return
  }
  const daemon = new DaemonProcess(NAME, VERSION, given, MODULES, 'ovn', { network: true })
  if (given.rest.length > 1) daemon.fatal('exactly zero or one non-option argument required; use --help for usage')
  await daemon.detach()
  run(daemon, given)
}

/** A controller, and the southbound database that it follows. */
interface Running {
  readonly controller: Controller
  readonly sb: Replica<Southbound>
  readonly target: string
  close(): void
}

function run(daemon: DaemonProcess, given: ParsedOptions): void {
  const { clock, log } = daemon
  const ovsRundir = runDirectory('ovs')
  const remote = given.rest[0] ?? `unix:${ovsRundir}/db.sock`
  const dialStream = remoteDialer(given)
  const openflow: DialSwitch = (bridge, done, target) => {
    const at = target ?? `unix:${ovsRundir}/${bridge}.mgmt`
    dialStream(at, (stream) => {
      if (!stream.ok) done(undefined, at, stream.error)
      else
        openChannel(stream.value, { clock, versions: [OF15], log }, (r) =>
          r.ok ? done(r.value, at) : done(undefined, at, r.error),
        )
    })
  }

  /** -n before the file system-id-override before the database. */
  function chassisName(): string | undefined {
    const named = given.value('chassis')
    if (named) return named
    try {
      return (
        readFileSync(`${ovnConfigurationDirectory()}/system-id-override`, 'utf8').split('\n')[0]?.trim() || undefined
      )
    } catch {
      return undefined
    }
  }

  const name = chassisName()
  const ovs = new CountedReplica({
    schema: openVSwitch,
    tables: LOCAL_REQUESTS,
    remotes: [remote],
    dial: dialStream,
    clock,
    log,
  })
  let running: Running | undefined

  /** ovn-remote and its probe interval, for this chassis first. */
  function setting(key: string): string | undefined {
    const [row] = ovs.table('Open_vSwitch').values()
    const chassis = name ?? row?.external_ids.get('system-id')
    return row?.external_ids.get(`${key}-${chassis}`) ?? row?.external_ids.get(key)
  }

  /** Begins when the southbound's address is known, and anew when it is another. */
  function follow(): void {
    const target = setting('ovn-remote')
    if (running?.target === target) return
    running?.close()
    running = undefined
    if (!target) return
    const probe = Number(setting('ovn-remote-probe-interval'))
    const sb = new CountedReplica({
      schema: southbound,
      tables: SOUTHBOUND_REQUESTS,
      remotes: target.split(','),
      dial: dialStream,
      clock,
      log,
      leaderOnly: false,
      ...(Number.isFinite(probe) ? { probeInterval: probe === 0 ? 0 : Math.max(1000, probe) } : {}),
    })
    const controller = new Controller({
      sb,
      ovs,
      openflow,
      clock,
      log,
      random: systemRandom,
      hostname: hostname(),
      ...(name === undefined ? {} : { chassisName: name }),
    })
    controller.start()
    daemon.addCommands([
      ...controller.commands().filter((c) => c.name !== 'exit' && c.name !== 'version'),
      ...stopwatchCommands([controller.flowGeneration]),
      computeLogTimeout(controller.flowGeneration, log),
    ])
    running = {
      controller,
      sb,
      target,
      close: () => {
        controller.close()
        sb.close()
      },
    }
  }

  const exit: ControlCommand = {
    name: 'exit',
    usage: '',
    minArgs: 0,
    maxArgs: 1,
    run: (args, reply) => {
      const done = () => {
        reply.ok('')
        clock.after(10, () => daemon.exit())
      }
      if (running) running.controller.stop(args[0] === '--restart', done)
      else done()
    },
  }
  // By a signal: what is in the databases stays, another controller goes on from there.
  const end = () => {
    running?.close()
    ovs.close()
  }
  const commands: ControlCommand[] = [
    ...notBuilt(CONTROLLER_NOT_BUILT),
    ...notReady(CONTROLLER_COMMANDS),
    command('connection-status', '', [0, 0], () => 'not connected'),
    command('debug/status', '', [0, 0], () => 'running'),
    timewarpCommand(clock, (more) => daemon.addCommands(more)),
    exit,
  ]
  const usage = () => replicaUsage(running ? [running.sb, ovs] : [ovs])
  daemon.start({ commands, usage, measures: measures(ovs, () => running) }, end, () => {
    ovs.onSynced(follow)
    ovs.onChange((change) => {
      if (change.tables.Open_vSwitch) follow()
    })
    daemon.ready()
  })
}

function measures(ovs: Replica<OpenVSwitch>, running: () => Running | undefined): readonly Measure[] {
  return [
    rowsMeasure('switch', ovs),
    {
      ...{ name: 'southbound_rows', label: 'table' },
      help: 'Rows of the southbound database that this daemon holds, by table.',
      values() {
        const sb = running()?.sb
        return sb ? rowsMeasure('southbound', sb).values() : []
      },
    },
    single('controller_connected', '1 if the southbound database is followed.', () =>
      running()?.sb.state === 'synced' ? 1 : 0,
    ),
    single(
      'controller_flows',
      'OpenFlow flows that are to be in the switch.',
      () => running()?.controller.state.flows.contents.size,
    ),
    single(
      'controller_local_datapaths',
      'Logical datapaths with something on this chassis.',
      () => running()?.controller.state.datapaths.local.contents.size,
    ),
    single('controller_last_run_seconds', 'How long the last pass over what changed took.', () => {
      const controller = running()?.controller
      return controller && seconds(controller.flowGeneration)
    }),
  ]
}

try {
  await main()
} catch (e) {
  if (!(e instanceof Detaching)) throw e
}
