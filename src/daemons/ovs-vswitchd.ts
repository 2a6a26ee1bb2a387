import { appendFileSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import type { ControlCommand } from '../base/command.ts'
import { command } from '../base/command.ts'
import { logTo } from '../base/log.ts'
import { err } from '../base/result.ts'
import type { ByteStream } from '../base/stream.ts'
import { SystemClock } from '../io/clock.ts'
import { systemRandom } from '../io/random.ts'
import { dial, type Listener, listen, parseActive, parsePassive } from '../io/socket.ts'
import { isArray, isObject, printJson } from '../jsonrpc/json.ts'
import { MessageReader } from '../jsonrpc/reader.ts'
import { openChannel } from '../openflow/connection/stream-channel.ts'
import type { Version } from '../openflow/messages/message.ts'
import { type Dial, RemoteReplica } from '../ovsdb/client/remote.ts'
import type { OVS } from '../schema/index.ts'
import { openVSwitch } from '../schema/open-vswitch.ts'
import { Configuration, Switch, switchCommands } from '../vswitch/index.ts'
import { HostRoutes, HostUnderlay, NativeDriver } from '../vswitch/ports/native/index.ts'
import { parseOptions } from './_options.ts'

const OPTIONS = [
  { name: 'log-file', argument: 'FILE', optional: true, help: 'write the log to FILE', group: 'Logging' },
  { name: 'verbose', short: 'v', argument: 'SPEC', optional: true, help: 'set levels of the log', group: 'Logging' },
  { name: 'unixctl', argument: 'SOCKET', help: 'take control commands on SOCKET', group: 'Other' },
  { name: 'pidfile', argument: 'FILE', optional: true, help: 'write the process id to FILE', group: 'Daemon' },
  { name: 'disable-system', help: 'no kernel datapath: there is none here anyway', group: 'Other' },
  { name: 'disable-system-route', help: 'understood', group: 'Other' },
  { name: 'no-chdir', help: 'understood', group: 'Daemon' },
  { name: 'mlockall', help: 'understood', group: 'Other' },
  { name: 'version', short: 'V', help: 'print the version', group: 'Other' },
] as const

const options = parseOptions(process.argv.slice(2), OPTIONS)
if (!options.ok) {
  process.stderr.write(`ovs-vswitchd: ${options.error}\n`)
  process.exit(1)
}
const given = options.value
if (given.has('version')) {
  process.stdout.write('ovs-vswitchd (Open vSwitch) 4.0.0\n')
  process.exit(0)
}
const rundir = process.env['OVS_RUNDIR'] ?? '/var/run/openvswitch'
const database = given.rest[0] ?? `unix:${process.env['OVS_DBDIR'] ?? rundir}/db.sock`
const logFile = given.has('log-file')
  ? (given.value('log-file') ?? `${process.env['OVS_LOGDIR'] ?? '/var/log/openvswitch'}/ovs-vswitchd.log`)
  : undefined
const toConsole = !given.values('verbose').some((v) => v === 'console:off')
let sequence = 0
const log = logTo((l) => {
  if (l.level === 'dbg') return
  const number = String(++sequence).padStart(5, '0')
  const line = `${new Date().toISOString()}|${number}|${l.module}|${l.level.toUpperCase()}|${l.message}\n`
  if (logFile) appendFileSync(logFile, line)
  if (toConsole) process.stderr.write(line)
}, 'bridge')

const clock = new SystemClock()
const routes = new HostRoutes(() => clock.monotonic())
const native = NativeDriver.make(clock, () => Object.keys(networkInterfaces()).concat(linkNames()))
if (native instanceof Error) log.warn(native.message, { code: 'no-native-devices' })

/** All interfaces, those without an address too. */
function linkNames(): string[] {
  try {
    return readdirSync('/sys/class/net')
  } catch {
    return []
  }
}

const sw = new Switch({
  clock,
  log,
  random: systemRandom,
  underlay: new HostUnderlay(log.child('tunnel'), (remote) => routes.source(remote)),
  localAddress: (remote) => routes.source(remote),
  routes: () => routes.lines(),
  drivers: native instanceof Error ? [] : [native],
})

const dialStream: Dial = (text, done) => {
  const endpoint = parseActive(text)
  if (!endpoint) {
    clock.after(0, () => done(err(`${text}: bad connection method`)))
    return () => undefined
  }
  return dial(endpoint, done)
}

const replica = new RemoteReplica({ schema: openVSwitch, remotes: [database], dial: dialStream, clock, log })

const VERSIONS: Readonly<Record<string, Version>> = {
  OpenFlow10: 1,
  OpenFlow11: 2,
  OpenFlow12: 3,
  OpenFlow13: 4,
  OpenFlow14: 5,
  OpenFlow15: 6,
}

interface Served {
  listener: Listener | undefined
  versions: readonly Version[]
  readonly controllers: Map<string, () => void>
}
const served = new Map<string, Served>()

function accept(bridge: string, stream: ByteStream, versions: readonly Version[], primary: boolean): void {
  openChannel(stream, { clock, versions: [...versions], probeInterval: primary ? 5000 : 0 }, (r) => {
    if (!r.ok) {
      log.dbg(() => `${bridge}: ${r.error}`)
      return
    }
    const c = sw.connect(bridge, r.value)
    if (!c) r.value.close()
    else if (primary) c.missSendLen = 128
  })
}

function bridgeChanged(name: string, row: OVS.Bridge, controllers: readonly OVS.Controller[]): void {
  // all versions unless the bridge says otherwise
  const versions = (row.protocols.length ? row.protocols : Object.keys(VERSIONS))
    .map((p) => VERSIONS[p])
    .filter((v): v is Version => v !== undefined)
  let s = served.get(name)
  if (!s) {
    s = { listener: undefined, versions, controllers: new Map() }
    served.set(name, s)
    const path = `${rundir}/${name}.mgmt`
    const mine = s
    try {
      unlinkSync(path)
    } catch {
      // there was none
    }
    listen(
      { kind: 'unix', path },
      (stream) => accept(name, stream, mine.versions, false),
      (r) => {
        if (r.ok) mine.listener = r.value
        else log.err(`${path}: ${r.error}`)
      },
    )
  }
  s.versions = versions
  const wanted = new Set(controllers.map((c) => c.target))
  for (const [target, stop] of s.controllers) {
    if (wanted.has(target)) continue
    stop()
    s.controllers.delete(target)
  }
  for (const target of wanted) if (!s.controllers.has(target)) s.controllers.set(target, controller(name, target, s))
}

/** Keeps a connection to a controller, or awaits it. Returns how to stop. */
function controller(bridge: string, target: string, s: Served): () => void {
  let stopped = false
  const passive = parsePassive(target, 6653)
  if (passive) {
    let listener: Listener | undefined
    listen(
      passive,
      (stream) => accept(bridge, stream, s.versions, false),
      (r) => {
        if (!r.ok) log.err(`${target}: ${r.error}`)
        else if (stopped) r.value.close()
        else listener = r.value
      },
    )
    return () => {
      stopped = true
      listener?.close()
    }
  }
  let backoff = 1000
  let current: ByteStream | undefined
  const attempt = () => {
    if (stopped) return
    dialStream(target, (r) => {
      if (stopped || !r.ok) {
        if (r.ok) r.value.close()
        clock.after(backoff, attempt)
        backoff = Math.min(8000, backoff * 2)
        return
      }
      backoff = 1000
      current = r.value
      openChannel(r.value, { clock, versions: [...s.versions], probeInterval: 5000 }, (channel) => {
        if (!channel.ok) {
          clock.after(backoff, attempt)
          return
        }
        const c = sw.connect(bridge, channel.value)
        if (!c) return
        c.missSendLen = 128
        c.onClose = () => clock.after(backoff, attempt)
      })
    })
  }
  attempt()
  return () => {
    stopped = true
    current?.close()
  }
}

const configuration = new Configuration(sw, replica, {
  bridgeChanged: (b, row, controllers) => bridgeChanged(b.name, row, controllers),
  bridgeRemoved: (name) => {
    const s = served.get(name)
    s?.listener?.close()
    for (const stop of s?.controllers.values() ?? []) stop()
    served.delete(name)
  },
})
if (!(native instanceof Error)) native.onLinks = () => sw.onPortsChanged?.()

// --- control socket ---

function exit(): void {
  configuration.close()
  for (const s of served.values()) s.listener?.close()
  sw.close()
  replica.close()
  process.exit(0)
}
const commands: ControlCommand[] = [
  ...switchCommands(sw),
  command('exit', '[--cleanup]', [0, 1], () => {
    clock.after(10, exit)
    return ''
  }),
  command('version', '', [0, 0], () => 'ovs-vswitchd (Open vSwitch) 4.0.0\n'),
  command('vlog/set', '{spec | PATTERN:destination:pattern}', [0, 9], () => ''),
  command('vlog/reopen', '', [0, 0], () => ''),
]
commands.push(
  command(
    'list-commands',
    '',
    [0, 0],
    () =>
      `The available commands are:\n${commands
        .map((c) => `  ${c.name.padEnd(23)} ${c.usage}\n`)
        .sort()
        .join('')}`,
  ),
)

function control(stream: ByteStream): void {
  const encoder = new TextEncoder()
  const reader = new MessageReader((m) => {
    if (!isObject(m)) return
    const { method, params, id } = m as { method?: unknown; params?: unknown; id?: unknown }
    const args = isArray(params as never) ? (params as unknown[]).map(String) : []
    const answer = (result: string | null, error: string | null) =>
      stream.write(encoder.encode(printJson({ id: (id ?? null) as never, result, error })))
    const c = commands.find((x) => x.name === method)
    if (!c)
      answer(null, `"${String(method)}" is not a valid command (use "list-commands" to see a list of valid commands)`)
    else if (args.length < c.minArgs) answer(null, `"${c.name}" command requires at least ${c.minArgs} arguments`)
    else if (args.length > c.maxArgs) answer(null, `"${c.name}" command takes at most ${c.maxArgs} arguments`)
    else c.run(args, { ok: (text) => void answer(text, null), error: (text) => void answer(null, `${text}\n`) })
  })
  stream.onData = (bytes) => {
    try {
      reader.push(bytes)
    } catch (e) {
      stream.close(e as Error)
    }
  }
}

const unixctl = given.value('unixctl') ?? `${rundir}/ovs-vswitchd.${process.pid}.ctl`
if (unixctl !== 'none') {
  try {
    unlinkSync(unixctl)
  } catch {
    // there was none
  }
  listen({ kind: 'unix', path: unixctl }, control, (r) => {
    if (!r.ok) log.err(`${unixctl}: ${r.error}`)
  })
}
if (given.has('pidfile')) writeFileSync(given.value('pidfile') ?? `${rundir}/ovs-vswitchd.pid`, `${process.pid}\n`)
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, exit)
log.info(`ovs-vswitchd (Open vSwitch) ${sw.version}`)
