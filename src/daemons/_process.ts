import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ControlCommand } from '../base/command.ts'
import type { Log } from '../base/log.ts'
import { WarpClock } from '../base/warp-clock.ts'
import { SystemClock } from '../io/clock.ts'
import { errorText } from '../io/errors.ts'
import { notifyServiceManager } from '../io/unix-datagram.ts'
import { type ControlServer, serveControl } from '../io/unixctl.ts'
import {
  Monitor,
  nameProcess,
  type Output,
  roleOf,
  sayReady,
  signalText,
  startedByAnother,
  startFailure,
  startInBackground,
} from './_background.ts'
import { type Counts, Coverage, processCounts } from './_coverage.ts'
import { DaemonLog } from './_daemon-log.ts'
import { logModules } from './_log-modules.ts'
import { type Measure, metricsRegistry, parseMetricsAddress, serveMetrics } from './_metrics.ts'
import type { ParsedOptions } from './_options.ts'
import { writePidfile } from './_pidfile.ts'
import { commonCommands, memoryCommand } from './_process-commands.ts'
import { type Family, logDirectory, runDirectory } from './_process-options.ts'
import { becomeUser, canStartProgram, type DaemonUser, parseUser } from './_user.ts'

/** What sets a daemon apart from others. */
export interface DaemonNature {
  /** Has to do with packets: as another user it keeps the network's capabilities (--user). */
  readonly network?: boolean
  /** Goes on printing to the standard output of whoever started it. */
  readonly prints?: boolean
}

/** What a daemon shows of itself while it serves. */
export interface DaemonFace {
  readonly commands: readonly ControlCommand[]
  /** Events that it counts by itself, beside those that the program counts. */
  readonly counts?: Counts
  /** What it holds, by name: `memory/show`, and `ovn_memory` of its metrics. */
  readonly usage?: () => Readonly<Record<string, number>>
  /** Further numbers for --metrics. */
  readonly measures?: readonly Measure[]
}

/** A program's life as a daemon: log, user, pidfile, control socket, background, end. */
export class DaemonProcess {
  readonly clock = new WarpClock(new SystemClock())
  readonly log: Log
  readonly rundir: string
  private readonly logging: DaemonLog
  private control: ControlServer | undefined
  private readonly removals: (() => void)[] = []
  private ending: (() => void) | undefined

  /**
   * @param version what --version prints
   * @param modules that `vlog/list` names beside those of the real program
   * @param family whose directories it uses
   */
  constructor(
    private readonly name: string,
    readonly version: string,
    private readonly options: ParsedOptions,
    modules: readonly string[],
    family: Family = 'ovs',
    private readonly nature: DaemonNature = {},
  ) {
    this.rundir = runDirectory(family)
    const role = roleOf(options)
    this.logging = new DaemonLog({
      ...{ name, options, clock: this.clock, directory: logDirectory(family) },
      modules: [...new Set([...logModules(name), ...modules])],
      ...(role === 'monitor' ? { subprogram: 'monitor' } : {}),
      quiet: startedByAnother() && options.has('detach'),
      fatal: (message) => this.fatal(message),
    })
    this.log = this.logging.log(name.replaceAll('-', '_'))
  }

  fatal(message: string, code = 1): never {
    process.stderr.write(`${this.name}: ${message}\n`)
    process.exit(code)
  }

  /**
   * With --detach: starts the daemon, waits until it is ready, and never returns. With --monitor: stands
   * over the daemon and starts it again when it crashes. In the daemon itself: opens the log, becomes the
   * user of --user and takes the pidfile, before anything of the daemon's is touched.
   */
  async detach(): Promise<void> {
    const user = this.user()
    switch (roleOf(this.options)) {
      case 'starter':
        startInBackground(this.options, this.output, (how) => {
          this.logging.log('daemon_unix').err(startFailure(how), { code: 'start-failed' })
          this.fatal('could not detach from foreground session')
        })
        break
      case 'monitor':
        this.supervise(user)
        break
      case 'worker':
        nameProcess(this.name)
        process.on('uncaughtException', (e) => this.crash(e))
        process.on('exit', () => this.clean())
        this.heedSignals()
        await this.logging.open(user, () => {
          if (user) this.become(user)
        })
        this.takePidfile()
        return
    }
    // Nothing else is to happen in this process.
    throw new Detaching()
  }

  private heedSignals(): void {
    for (const signal of ENDS) {
      process.on(signal, () => {
        if (signal === 'SIGHUP' && this.options.has('logging-config')) void this.logging.configure(false)
        else this.exit(signal)
      })
    }
    process.on('SIGPIPE', () => {})
  }

  private user(): DaemonUser | undefined {
    const text = this.options.value('user')
    if (text === undefined) return undefined
    const user = parseUser(text)
    if (user.ok) return user.value
    // The real daemons name the pidfile here, as far as they have read their options.
    const given = this.options.given.map((g) => g.name)
    const known = given.includes('pidfile') && given.indexOf('pidfile') < given.lastIndexOf('user')
    return this.fatal(`${known ? this.pidfile : '(null)'}: ${user.error}`)
  }

  private become(user: DaemonUser): void {
    const became = becomeUser(user, this.nature.network ?? false)
    if (!became.ok) this.fatal(became.error)
    if (became.value !== undefined) {
      this.logging.log('daemon_unix').warn(became.value, { code: 'capabilities-lost' })
    }
  }

  private supervise(user: DaemonUser | undefined): void {
    this.logging.openSyslog()
    const say = (write: (log: Log) => void) => this.logging.visit(write, 'daemon_unix')
    const monitor = new Monitor(
      this.name,
      this.clock,
      say,
      () => {
        // The first worker had to be root to open what it needs; those that come after it need not be. But
        // Node.js reads the program again for each: where the user may not, they start as root, too, and then
        // become the user themselves.
        if (user && canStartProgram(user)) this.become(user)
      },
      this.output,
    )
    for (const signal of ENDS) {
      process.on(signal, () => {
        // Between two workers there is nobody to pass it to.
        if (!monitor.pass(signal)) dieOf(signal)
      })
    }
    monitor.run()
  }

  private get output(): Output {
    return this.nature.prints ? 'inherit' : 'ignore'
  }

  private get pidfile(): string {
    return resolve(this.rundir, this.options.value('pidfile') ?? `${this.name}.pid`)
  }

  private takePidfile(): void {
    if (!this.options.has('pidfile')) return
    this.makeRunDirectory()
    const pidfile = writePidfile(this.pidfile, this.options.has('overwrite-pidfile'))
    if (!pidfile.ok) this.fatal(pidfile.error)
    this.removals.push(pidfile.value.remove)
    if (pidfile.value.locked) return
    this.logging.log('daemon_unix').warn(`${this.pidfile}: not locked, because the optional package koffi is missing`, {
      code: 'pidfile-not-locked',
    })
  }

  private makeRunDirectory(): void {
    try {
      mkdirSync(this.rundir, { recursive: true })
    } catch {
      // What is to be made in it says it better.
    }
  }

  /**
   * Opens the control socket, and what --metrics asks for; `ready` is called when both stand.
   * @param end puts away what the daemon does, when it is to end
   */
  start(commands: readonly ControlCommand[] | DaemonFace, end: () => void, ready: () => void): void {
    const face: DaemonFace = 'commands' in commands ? commands : { commands }
    const done = () => this.startMetrics(face, ready)
    this.ending = end
    const given = this.options.value('unixctl')
    if (given === 'none') {
      done()
      return
    }
    const path = given ? resolve(this.rundir, given) : `${this.rundir}/${this.name}.${process.pid}.ctl`
    this.makeRunDirectory()
    const coverage = new Coverage(() => allCounts(face), this.clock)
    const own = [...this.logging.commands(), ...commonCommands(this.version, coverage, () => this.exit())]
    if (face.usage) own.push(memoryCommand(face.usage))
    const opened = (error?: string) => {
      if (error !== undefined) this.fatal(`${path}: could not initialize control socket (${error})`)
      this.removals.push(() => this.control?.close())
      done()
    }
    this.control = serveControl(path, [...own, ...face.commands], opened, this.log)
  }

  private startMetrics(face: DaemonFace, ready: () => void): void {
    const text = this.options.value('metrics')
    if (text === undefined) {
      ready()
      return
    }
    const address = parseMetricsAddress(text)
    if (!address.ok) this.fatal(address.error)
    const usage = face.usage
    const memory: Measure[] = usage
      ? [{ name: 'memory', help: 'What memory/show counts.', label: 'item', values: () => Object.entries(usage()) }]
      : []
    metricsRegistry({
      ...{ daemon: this.name, version: this.version.split('\n')[0] ?? '', counts: () => allCounts(face) },
      linesAt: (level) => this.logging.linesAt(level),
      measures: [...memory, ...(face.measures ?? [])],
    }).then(
      (registry) =>
        serveMetrics(registry, address.value, (result) => {
          if (!result.ok) this.fatal(`${text}: --metrics failed (${result.error})`)
          this.removals.push(result.value.close)
          ready()
        }),
      (e: unknown) => this.fatal(`--metrics needs the optional package prom-client (${errorText(e)})`),
    )
  }

  /** Further commands, or others in place of those of the same name. */
  addCommands(commands: readonly ControlCommand[]): void {
    this.control?.add(commands)
  }

  /** All is ready: lets the process that started this one go. */
  ready(): void {
    // Scripts read in the log which port it was.
    this.logging.flush()
    notifyServiceManager(`READY=1\nMAINPID=${process.pid}`)
    if (!startedByAnother()) return
    process.stderr.on('error', () => {})
    if (this.options.has('detach')) {
      this.logging.leaveConsole()
      if (!this.options.has('no-chdir')) process.chdir('/')
    }
    sayReady()
  }

  /** Ends the daemon: as if by the signal that asked for it, once all is put away. */
  exit(signal?: NodeJS.Signals, code = 0): void {
    notifyServiceManager('STOPPING=1')
    if (signal) {
      const text = `terminating with signal ${signalText(signal)}`
      this.logging.log('fatal_signal').warn(text, { code: 'ended-by-signal' })
    }
    this.ending?.()
    this.clean()
    this.logging.close()
    // The answer to who asked for it is to be out first.
    if (!signal) {
      this.clock.after(0, () => process.exit(code))
      return
    }
    dieOf(signal)
  }

  /** Removes what would tell others that the daemon is there. */
  private clean(): void {
    for (const remove of this.removals.splice(0)) remove()
  }

  /** A fault of our own: says where, and dies of the signal that makes a monitor start the daemon again. */
  private crash(e: unknown): void {
    const text = e instanceof Error ? (e.stack ?? e.message) : String(e)
    process.stderr.write(`${this.name}: ${text}\n`)
    this.logging.log('daemon_unix').emer(`unexpected error: ${text}`, { code: 'daemon-crashed' })
    this.logging.close()
    process.kill(process.pid, 'SIGABRT')
  }
}

/** Signals that end a daemon. */
const ENDS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** Ends this process by a signal, as if it had no handler for it: whoever waits for it sees which. */
function dieOf(signal: NodeJS.Signals): never {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
  process.exit(1)
}

function* allCounts(face: DaemonFace): Iterable<readonly [string, number]> {
  if (face.counts) yield* face.counts()
  yield* processCounts()
}

/** Thrown in the process that only waits for the daemon it started. */
export class Detaching extends Error {}
