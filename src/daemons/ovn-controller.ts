import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { type ControlCommand, command } from '../base/command.ts'
import { logTo } from '../base/log.ts'
import { err } from '../base/result.ts'
import { Controller, type DialSwitch, LOCAL_REQUESTS, SOUTHBOUND_REQUESTS } from '../controller/index.ts'
import { SystemClock } from '../io/clock.ts'
import { systemRandom } from '../io/random.ts'
import { dial, parseActive } from '../io/socket.ts'
import { openChannel } from '../openflow/connection/stream-channel.ts'
import { OF15 } from '../openflow/messages/message.ts'
import { type Dial, RemoteReplica } from '../ovsdb/client/remote.ts'
import { openVSwitch } from '../schema/open-vswitch.ts'
import { southbound } from '../schema/southbound.ts'
import { listCommands, serveControl } from './_control.ts'
import { parseOptions } from './_options.ts'

// ovn-controller(8)
const OPTIONS = [
  { name: 'chassis', short: 'n', argument: 'NAME', help: 'go by NAME, whatever system-id says', group: 'Other' },
  { name: 'log-file', argument: 'FILE', optional: true, help: 'write the log to FILE', group: 'Logging' },
  { name: 'verbose', short: 'v', argument: 'SPEC', optional: true, help: 'set levels of the log', group: 'Logging' },
  { name: 'unixctl', argument: 'SOCKET', help: 'take control commands on SOCKET', group: 'Other' },
  { name: 'pidfile', argument: 'FILE', optional: true, help: 'write the process id to FILE', group: 'Daemon' },
  { name: 'no-chdir', help: 'understood', group: 'Daemon' },
  { name: 'version', short: 'V', help: 'print the version', group: 'Other' },
] as const
const VERSION = 'ovn-controller 26.03.1\n'

const options = parseOptions(process.argv.slice(2), OPTIONS)
if (!options.ok) {
  process.stderr.write(`ovn-controller: ${options.error}\n`)
  process.exit(1)
}
const given = options.value
if (given.has('version')) {
  process.stdout.write(VERSION)
  process.exit(0)
}
const ovsRundir = process.env['OVS_RUNDIR'] ?? '/var/run/openvswitch'
const rundir = process.env['OVN_RUNDIR'] ?? '/var/run/ovn'
const remote = given.rest[0] ?? `unix:${ovsRundir}/db.sock`
const logFile = given.has('log-file')
  ? (given.value('log-file') ?? `${process.env['OVN_LOGDIR'] ?? '/var/log/ovn'}/ovn-controller.log`)
  : undefined
const toConsole = !given.values('verbose').some((v) => v === 'console:off')
let sequence = 0
const log = logTo((l) => {
  if (l.level === 'dbg') return
  const number = String(++sequence).padStart(5, '0')
  const line = `${new Date().toISOString()}|${number}|${l.module}|${l.level.toUpperCase()}|${l.message}\n`
  if (logFile) appendFileSync(logFile, line)
  if (toConsole) process.stderr.write(line)
}, 'main')

const clock = new SystemClock()
const dialStream: Dial = (text, done) => {
  const endpoint = parseActive(text)
  if (!endpoint) {
    clock.after(0, () => done(err(`${text}: bad connection method`)))
    return () => undefined
  }
  return dial(endpoint, done)
}
const openflow: DialSwitch = (bridge, done, target) => {
  dialStream(target ?? `unix:${ovsRundir}/${bridge}.mgmt`, (stream) => {
    if (!stream.ok) done(undefined)
    else openChannel(stream.value, { clock, versions: [OF15] }, (r) => done(r.ok ? r.value : undefined))
  })
}

/** -n before the file system-id-override before the database. */
function chassisName(): string | undefined {
  const named = given.value('chassis')
  if (named) return named
  try {
    const dir = process.env['OVN_SYSCONFDIR'] ?? '/etc/ovn'
    return readFileSync(`${dir}/system-id-override`, 'utf8').split('\n')[0]?.trim() || undefined
  } catch {
    return undefined
  }
}

const name = chassisName()
const ovs = new RemoteReplica({
  schema: openVSwitch,
  tables: LOCAL_REQUESTS,
  remotes: [remote],
  dial: dialStream,
  clock,
  log,
})
let running: { readonly controller: Controller; readonly close: () => void; readonly target: string } | undefined

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
  const sb = new RemoteReplica({
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
  running = {
    controller,
    target,
    close: () => {
      controller.close()
      sb.close()
    },
  }
}
ovs.onSynced(follow)
ovs.onChange((change) => {
  if (change.tables.Open_vSwitch) follow()
})

const unixctl = given.value('unixctl') ?? `${rundir}/ovn-controller.${process.pid}.ctl`
const own: ControlCommand[] = [
  command('version', '', [0, 0], () => VERSION),
  listCommands(() => commands()),
  {
    name: 'exit',
    usage: '[--restart]',
    minArgs: 0,
    maxArgs: 1,
    run: (args, reply) =>
      leave(args[0] === '--restart', () => {
        reply.ok('')
        clock.after(10, () => process.exit(0))
      }),
  },
]
const control =
  unixctl === 'none'
    ? undefined
    : serveControl(unixctl.startsWith('/') ? unixctl : `${rundir}/${unixctl}`, () => commands(), log.child('unixctl'))

function commands(): readonly ControlCommand[] {
  const names = new Set(own.map((c) => c.name))
  return [...own, ...(running?.controller.commands() ?? []).filter((c) => !names.has(c.name))]
}

function leave(restart: boolean, done: () => void): void {
  if (!running) done()
  else running.controller.stop(restart, done)
}

if (given.has('pidfile')) writeFileSync(given.value('pidfile') ?? `${rundir}/ovn-controller.pid`, `${process.pid}\n`)
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    // Not `exit`: what is in the databases stays, another controller goes on from there.
    running?.close()
    ovs.close()
    control?.close()
    process.exit(0)
  })
}
