import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, resolve } from 'node:path'
import { type ControlCommand, command } from '../base/command.ts'
import type { Log } from '../base/log.ts'
import { SystemClock } from '../io/clock.ts'
import { errorText } from '../io/errors.ts'
import { lockDescriptor } from '../io/lock.ts'
import { notifyServiceManager } from '../io/unix-datagram.ts'
import { type ControlServer, serveControl } from '../io/unixctl.ts'
import { ConsoleAppender } from '../logging/appenders/console.ts'
import { FileAppender } from '../logging/appenders/file.ts'
import { Both, SyslogAppender, type SyslogTarget, syslogMethod, syslogTarget } from '../logging/appenders/syslog.ts'
import { Logging, loadLogging, VlogBackend, vlogCommands } from '../logging/index.ts'
import { patternLayout } from '../logging/vlog/pattern.ts'
import type { OptionSpec, ParsedOptions } from './_options.ts'

export const PROCESS_OPTIONS: readonly OptionSpec[] = [
  { name: 'detach', help: 'run in background as daemon', group: 'Daemon options' },
  { name: 'monitor', help: 'creates a process to monitor this daemon', group: 'Daemon options' },
  {
    name: 'user',
    argument: 'username[:group]',
    help: 'changes the effective daemon user:group',
    group: 'Daemon options',
  },
  { name: 'no-chdir', help: "do not chdir to '/'", group: 'Daemon options' },
  { name: 'no-self-confinement', help: 'understood: files may lie anywhere', group: 'Daemon options' },
  { name: 'pidfile', argument: 'FILE', optional: true, help: 'create pidfile', group: 'Daemon options' },
  {
    name: 'overwrite-pidfile',
    help: 'with --pidfile, start even if already running',
    group: 'Daemon options',
  },
  {
    name: 'verbose',
    short: 'v',
    argument: 'SPEC',
    optional: true,
    help: 'set logging levels',
    group: 'Logging options',
  },
  {
    name: 'log-file',
    argument: 'FILE',
    optional: true,
    help: 'enable logging to specified FILE',
    group: 'Logging options',
  },
  {
    name: 'logging-config',
    argument: 'FILE',
    help: 'log as the parameters in FILE say',
    group: 'Logging options',
  },
  {
    name: 'syslog-method',
    argument: '(libc|unix:file|udp:ip:port|null)',
    help: 'specify how to send messages to syslog daemon',
    group: 'Logging options',
  },
  {
    name: 'syslog-target',
    argument: 'HOST:PORT',
    help: 'also send syslog msgs to HOST:PORT via UDP',
    group: 'Logging options',
  },
  { name: 'unixctl', argument: 'SOCKET', help: 'override default control socket name', group: 'Other options' },
  { name: 'help', short: 'h', help: 'display this help message', group: 'Other options' },
  { name: 'version', short: 'V', help: 'display version information', group: 'Other options' },
]

/** Set for a process that another started: `worker`, or the `monitor` between the two. */
const CHILD = 'OVN_TS_DETACHED'

/** A daemon that --monitor keeps alive is started again at once, but not more often than this, milliseconds. */
const RESTART_INTERVAL = 10_000

/** A program's life as a daemon: log, pidfile, control socket, background, end. */
export class DaemonProcess {
  readonly clock = new SystemClock()
  readonly log: Log
  private readonly logging: Logging
  private readonly vlog: VlogBackend
  private control: ControlServer | undefined
  private pidfile: { readonly path: string; readonly fd: number } | undefined
  private readonly detached = process.env[CHILD] !== undefined
  private ending: (() => void) | undefined
  /** Where paths of configuration files begin, whatever --detach makes of the working directory. */
  private readonly directory = process.cwd()
  /** How often the logging was configured: the youngest configuration counts. */
  private configurations = 0

  constructor(
    private readonly name: string,
    readonly version: string,
    private readonly options: ParsedOptions,
    modules: readonly string[],
    /** Whose directories it uses: Open vSwitch's or OVN's. */
    private readonly family: 'ovs' | 'ovn' = 'ovs',
  ) {
    this.vlog = new VlogBackend({
      modules,
      hostname: hostname(),
      pid: process.pid,
      appenders: { console: new ConsoleAppender() },
    })
    this.logging = new Logging(name, this.clock, [this.vlog])
    this.vlog.onChange = () => this.logging.changed()
    this.log = this.logging.log(name.replaceAll('-', '_'))
    for (const spec of options.given.filter((g) => g.name === 'verbose')) {
      const r = this.vlog.set(spec.value ?? '')
      if (!r.ok) this.fatal(r.error)
    }
  }

  get rundir(): string {
    if (this.family === 'ovn') return process.env['OVN_RUNDIR'] ?? '/var/run/ovn'
    return process.env['OVS_RUNDIR'] ?? '/var/run/openvswitch'
  }

  fatal(message: string, code = 1): never {
    process.stderr.write(`${this.name}: ${message}\n`)
    process.exit(code)
  }

  /**
   * With --detach: starts the daemon, waits until it is ready, and never returns. With --monitor: stands
   * over the daemon and starts it again when it crashes.
   */
  async detach(): Promise<void> {
    const role = process.env[CHILD]
    if (role === undefined && this.options.has('detach')) {
      const child = this.spawn(this.options.has('monitor') ? 'monitor' : 'worker')
      child.on('message', () => process.exit(0))
      child.on('exit', (code) => process.exit(code ?? 1))
    } else if (role === 'monitor' || (role === undefined && this.options.has('monitor'))) this.supervise()
    else {
      await this.openLog()
      return
    }
    // Nothing else is to happen in this process.
    throw new Detaching()
  }

  private spawn(role: 'worker' | 'monitor'): ChildProcess {
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1] as string, ...process.argv.slice(2)], {
      env: { ...process.env, [CHILD]: role },
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    child.stderr?.on('data', (bytes: Buffer) => process.stderr.write(bytes))
    return child
  }

  private supervise(): void {
    process.stderr.on('error', () => {})
    let worker: ChildProcess | undefined
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => worker?.kill(signal))
    const start = () => {
      const began = this.clock.monotonic()
      let ready = false
      const child = this.spawn('worker')
      worker = child
      child.on('message', () => {
        ready = true
        if (process.connected) process.send?.('ready', () => process.disconnect())
      })
      child.on('exit', (code, signal) => {
        // A daemon that ended on purpose, or never came up, is not started again.
        if (code !== null || signal === 'SIGTERM' || signal === 'SIGINT' || !ready)
          process.exit(code ?? (ready ? 0 : 1))
        this.log.child('daemon_unix').err(`${child.pid} died, killed (${signal}), restarting`, { code: 'worker-died' })
        this.clock.after(Math.max(0, began + RESTART_INTERVAL - this.clock.monotonic()), start)
      })
    }
    start()
  }

  /** --syslog-method and --syslog-target; without either, the machine's own syslog daemon if there is one. */
  private openSyslog(): void {
    const given = this.options.value('syslog-method')
    const method = syslogMethod(given ?? (existsSync('/dev/log') ? 'libc' : 'null'))
    if (method === undefined) this.fatal(`${given}: unknown syslog method`)
    const text = this.options.value('syslog-target')
    const target = text === undefined ? undefined : syslogTarget(text)
    if (text !== undefined && target === undefined) this.fatal(`${text}: --syslog-target takes HOST:PORT`)
    const context = { hostname: hostname(), pid: process.pid, facility: () => this.vlog.syslogFacility }
    // syslog(3) names no host to its own machine's daemon (RFC 3164 §4.1 for the others).
    const local = patternLayout('<%B>%d{%b %e %H:%M:%S} %A: ', context)
    const remote = patternLayout('<%B>%D{%b %e %H:%M:%S} %E %A: ', context)
    const appender = (to: SyslogTarget) => new SyslogAppender(to, to.kind === 'unix' ? local : remote)
    const appenders = [method === 'null' ? undefined : method, target].flatMap((to) => (to ? [appender(to)] : []))
    if (appenders.length) this.vlog.attach('syslog', new Both(appenders))
  }

  private async openLog(): Promise<void> {
    // The program may end between two turns of the loop, with lines that wait for the second.
    process.on('exit', () => this.logging.flush())
    const configured = this.options.has('logging-config')
    if (!configured || this.options.has('syslog-method') || this.options.has('syslog-target')) this.openSyslog()
    if (configured) await this.configure(true)
    if (!this.options.has('log-file')) return
    const logdir =
      this.family === 'ovn'
        ? (process.env['OVN_LOGDIR'] ?? '/var/log/ovn')
        : (process.env['OVS_LOGDIR'] ?? '/var/log/openvswitch')
    const path = resolve(this.options.value('log-file') ?? `${logdir}/${this.name}.log`)
    this.vlog.attach('file', new FileAppender({ path }))
    this.logging.log('vlog').info(`opened log file ${path}`)
  }

  /**
   * Logs as the file of --logging-config says. At start a broken file ends the daemon; later it is refused
   * whole, and the old way of logging stays.
   */
  private async configure(start: boolean): Promise<void> {
    const turn = ++this.configurations
    const loaded = await loadLogging(this.options.value('logging-config') ?? '', {
      ...{ component: this.name, hostname: hostname(), pid: process.pid },
      now: () => this.clock.now(),
      resolve: (path) => resolve(this.directory, path),
      onTrouble: (message) => {
        // The log itself may be what cannot be written, so that standard error gets it, too.
        process.stderr.write(`${this.name}: ${message}\n`)
        this.clock.after(0, () => this.logging.log('vlog').warn(message, { code: 'LOG_NOT_WRITTEN' }))
      },
    })
    const log = this.logging.log('vlog')
    if (!loaded.ok) {
      if (start) this.fatal(loaded.error)
      log.warn(`${loaded.error}: logging stays as it was`, { code: 'LOGGING_CONFIG_REFUSED' })
      return
    }
    // A module may take its time to load, and another SIGHUP come before it stands.
    if (turn !== this.configurations) {
      loaded.value.backend.close()
      return
    }
    this.vlog.attach('console', undefined)
    this.logging.use([this.vlog, loaded.value.backend])
    for (const warning of loaded.value.warnings) log.warn(warning, { code: 'LOGGING_PARAMETER_IGNORED' })
  }

  /** Writes the pidfile and opens the control socket; `ready` is called when both stand. */
  start(commands: readonly ControlCommand[], end: () => void, ready: () => void): void {
    this.ending = end
    this.writePidfile()
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.exit(signal))
    process.on('SIGHUP', () => {
      if (this.options.has('logging-config')) void this.configure(false)
      else this.exit('SIGHUP')
    })
    process.on('SIGPIPE', () => {})
    const given = this.options.value('unixctl')
    if (given === 'none') {
      ready()
      return
    }
    const path = given ? resolve(this.rundir, given) : `${this.rundir}/${this.name}.${process.pid}.ctl`
    try {
      mkdirSync(dirname(path), { recursive: true })
    } catch {
      // Listening says it better.
    }
    this.control = serveControl(path, [...this.own(), ...commands], (error) => {
      if (error !== undefined) this.fatal(`could not initialize control socket ${error}`)
      ready()
    })
  }

  /** Further commands, or others in place of those of the same name. */
  addCommands(commands: readonly ControlCommand[]): void {
    this.control?.add(commands)
  }

  private own(): ControlCommand[] {
    return [
      ...vlogCommands(this.vlog, this.logging.limits),
      command('version', '', [0, 0], () => this.version),
      command('coverage/show', '', [0, 0], () => 'Event coverage: no counters'),
      command('coverage/read-counter', 'COUNTER', [1, 1], () => new Error('No such counter')),
      {
        name: 'exit',
        usage: '',
        minArgs: 0,
        maxArgs: 1,
        run: (_, reply) => {
          reply.ok('')
          this.clock.after(0, () => this.exit())
        },
      },
    ]
  }

  private writePidfile(): void {
    if (!this.options.has('pidfile')) return
    const path = resolve(this.rundir, this.options.value('pidfile') ?? `${this.name}.pid`)
    try {
      mkdirSync(dirname(path), { recursive: true })
      const fd = openSync(path, 'a+', 0o644)
      const locked = lockDescriptor(fd)
      if (!locked.ok && !this.options.has('overwrite-pidfile')) {
        closeSync(fd)
        this.fatal(`${path}: already running as pid ${locked.pid}, aborting`)
      }
      ftruncateSync(fd, 0)
      writeSync(fd, `${process.pid}\n`)
      this.pidfile = { path, fd }
    } catch (e) {
      this.fatal(`${path}: create failed (${errorText(e)})`)
    }
  }

  /** All is ready: lets the process that started this one go. */
  ready(): void {
    notifyServiceManager(`READY=1\nMAINPID=${process.pid}`)
    if (!this.detached) return
    this.vlog.attach('console', undefined)
    if (!this.options.has('no-chdir')) process.chdir('/')
    process.stderr.on('error', () => {})
    process.send?.('ready', () => process.disconnect())
  }

  exit(signal?: string, code = 0): void {
    if (signal)
      this.logging
        .log('fatal_signal')
        .warn(`terminating with signal ${signal === 'SIGTERM' ? '15 (Terminated)' : signal}`, { code: 'ended-by-signal' })
    this.ending?.()
    this.control?.close()
    if (this.pidfile) {
      try {
        unlinkSync(this.pidfile.path)
      } catch {
        // Somebody was quicker.
      }
    }
    this.logging.use([])
    process.exit(code)
  }
}

/** Thrown in the process that only waits for the daemon it started. */
export class Detaching extends Error {}
