import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { ParsedOptions } from './_options.ts'

/** Set for a process that another one started. Node cannot fork: --detach and --monitor start the program anew. */
const ROLE = 'OVN_TS_DETACHED'

/**
 * What a process of a daemon is there for. The starter waits until the daemon serves and ends; the monitor
 * stands over the worker and starts it again when it crashes; the worker is the daemon.
 */
export type Role = 'starter' | 'monitor' | 'worker'

export function roleOf(options: ParsedOptions): Role {
  const given = process.env[ROLE]
  if (given === 'monitor' || given === 'worker') return given
  if (options.has('detach')) return 'starter'
  return options.has('monitor') ? 'monitor' : 'worker'
}

/** Whether another process waits to hear that this one serves. */
export function startedByAnother(): boolean {
  return process.env[ROLE] !== undefined
}

/**
 * Gives the process the daemon's name, which scripts compare (`/proc/PID/comm`, pgrep(1)): it is node else. Its
 * command line stays what it is.
 */
export function nameProcess(name: string): void {
  try {
    writeFileSync('/proc/self/comm', name)
  } catch {
    // Only Linux has it.
  }
}

/** A message to the process that started this one, and no more after it. */
export function sayReady(): void {
  if (process.connected) process.send?.('ready', () => process.disconnect())
}

/** Where what a daemon prints goes: nowhere, or to where its starter's goes. */
export type Output = 'ignore' | 'inherit'

function start(role: Role, options: { readonly newSession: boolean; readonly output: Output }): ChildProcess {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] as string, ...process.argv.slice(2)], {
    env: { ...process.env, [ROLE]: role },
    detached: options.newSession,
    stdio: ['ignore', options.output, 'pipe', 'ipc'],
  })
  child.stderr?.on('data', (bytes: Buffer) => process.stderr.write(bytes))
  return child
}

/**
 * Starts the daemon in the background and ends with it standing: status 0 when it serves, its own when it failed.
 * @param died says how it ended that has not said why itself, and ends this process
 */
export function startInBackground(options: ParsedOptions, output: Output, died: (how: string) => void): void {
  const child = start(options.has('monitor') ? 'monitor' : 'worker', { newSession: true, output })
  child.on('message', () => process.exit(0))
  child.on('exit', (code, signal) => {
    if (!code) died(endText(code, signal))
    process.exit(code || 1)
  })
}

/** Signals that mean a fault in the program (ovsdb-server(1), --monitor); SIGTRAP is how V8 says the same. */
const CRASHES: ReadonlySet<string> = new Set([
  ...['SIGABRT', 'SIGALRM', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGPIPE', 'SIGSEGV', 'SIGXCPU', 'SIGXFSZ', 'SIGTRAP'],
])

/** Names of signals as strsignal(3) has them. */
const SIGNAL_TEXTS: Readonly<Record<string, string>> = {
  SIGABRT: 'Aborted',
  SIGALRM: 'Alarm clock',
  SIGBUS: 'Bus error',
  SIGFPE: 'Floating point exception',
  SIGHUP: 'Hangup',
  SIGILL: 'Illegal instruction',
  SIGINT: 'Interrupt',
  SIGKILL: 'Killed',
  SIGPIPE: 'Broken pipe',
  SIGQUIT: 'Quit',
  SIGSEGV: 'Segmentation fault',
  SIGTERM: 'Terminated',
  SIGTRAP: 'Trace/breakpoint trap',
  SIGXCPU: 'CPU time limit exceeded',
  SIGXFSZ: 'File size limit exceeded',
}

/** `15 (Terminated)`. */
export function signalText(signal: NodeJS.Signals): string {
  return `${constants.signals[signal]} (${SIGNAL_TEXTS[signal] ?? signal})`
}

/** How a process ended, as the real daemons tell it. */
export function endText(code: number | null, signal: string | null): string {
  return signal === null ? `exit status ${code ?? 0}` : `killed (${SIGNAL_TEXTS[signal] ?? signal})`
}

/** What is said of a daemon that ended before it served, and did not say why. */
export function startFailure(how: string): string {
  return `fork child died before signaling startup (${how})`
}

/** A daemon that crashed is started again at once, but not more often than this, milliseconds. */
const RESTART_INTERVAL = 10_000

/**
 * Keeps a daemon alive: starts it, and starts it anew when it dies of a fault. Any other end of it is the
 * monitor's end, too, with the same status.
 */
export class Monitor {
  private crashes = 0
  private started = 0
  private worker: ChildProcess | undefined

  constructor(
    private readonly name: string,
    private readonly clock: Clock,
    /** Opens the log for one line and closes it behind it: the log is the worker's as long as that lives. */
    private readonly say: (write: (log: Log) => void) => void,
    /** The daemon serves for the first time. */
    private readonly serving: () => void,
    private readonly output: Output,
  ) {}

  run(): void {
    process.stderr.on('error', () => {})
    this.start()
  }

  private start(): void {
    this.started = this.clock.monotonic()
    let ready = false
    const worker = start('worker', { newSession: false, output: this.output })
    this.worker = worker
    const history = this.crashes ? `${this.crashes} crashes: ${this.last}` : 'healthy'
    process.title = `${this.name}: monitoring pid ${worker.pid} (${history})`
    worker.on('message', () => {
      ready = true
      if (this.crashes === 0) this.serving()
      sayReady()
    })
    worker.on('exit', (code, signal) => this.ended(worker, ready, code, signal))
  }

  private last = ''

  private ended(worker: ChildProcess, ready: boolean, code: number | null, signal: NodeJS.Signals | null): void {
    this.worker = undefined
    this.last = `pid ${worker.pid} died, ${endText(code, signal)}`
    // What never came up is not started again: whoever starts it is waiting to hear of it.
    if (signal === null || !CRASHES.has(signal) || (!ready && this.crashes === 0)) {
      if (ready) this.say((log) => log.info(`${this.last}, exiting`))
      else if (!code) this.say((log) => log.err(startFailure(endText(code, signal)), { code: 'start-failed' }))
      process.exit(signal === null ? (code ?? 1) : ready ? 0 : 1)
    }
    this.crashes++
    const wait = this.started + RESTART_INTERVAL - this.clock.monotonic()
    const restart = () => {
      this.say((log) => log.err(`${this.crashes} crashes: ${this.last}, restarting`, { code: 'worker-died' }))
      this.start()
    }
    // The first time it may have been bad luck.
    if (this.crashes === 1 || wait <= 0) restart()
    else {
      const why = `waiting until ${RESTART_INTERVAL / 1000} seconds since last restart`
      this.say((log) => log.warn(`${this.crashes} crashes: ${this.last}, ${why}`, { code: 'worker-died' }))
      this.clock.after(wait, restart)
    }
  }

  /** Hands a signal on to the worker; false when there is none. */
  pass(signal: NodeJS.Signals): boolean {
    return this.worker?.kill(signal) ?? false
  }
}
