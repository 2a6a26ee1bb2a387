import { chownSync, closeSync, constants, existsSync, openSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { ControlCommand } from '../base/command.ts'
import { LEVELS, type Level, type Log } from '../base/log.ts'
import { errorText } from '../io/errors.ts'
import { ConsoleAppender } from '../logging/appenders/console.ts'
import { FileAppender } from '../logging/appenders/file.ts'
import { syslogMethod, syslogTarget } from '../logging/appenders/syslog.ts'
import { type Appender, type Backend, Logging, loadLogging, VlogBackend, vlogCommands } from '../logging/index.ts'
import { vlogSyslog } from '../logging/vlog/syslog.ts'
import type { ParsedOptions } from './_options.ts'
import type { DaemonUser } from './_user.ts'

export interface DaemonLogOptions {
  readonly name: string
  readonly options: ParsedOptions
  readonly modules: readonly string[]
  readonly clock: Clock
  /** Where `--log-file` without a name puts it. */
  readonly directory: string
  /** `monitor` behind the module of each line of a process that watches over the daemon. */
  readonly subprogram?: string
  /** Another process waits for this one to serve: standard error is for what went wrong. */
  readonly quiet: boolean
  /** Ends the program with this error. */
  readonly fatal: (message: string) => never
}

/** The logging of a daemon, as its options say: Open vSwitch's own, and the file of --logging-config beside it. */
export class DaemonLog {
  private readonly hub: Logging
  private readonly vlog: VlogBackend
  /** Where paths of configuration files begin, whatever --detach makes of the working directory. */
  private readonly workingDirectory = process.cwd()
  private readonly file: string | undefined
  /** How often the logging was configured: the youngest configuration counts. */
  private configurations = 0
  private readonly counter = new LineCounter()

  constructor(private readonly setting: DaemonLogOptions) {
    const { name, options, modules, clock, directory, quiet } = setting
    const console = new ConsoleAppender()
    this.vlog = new VlogBackend({
      modules,
      hostname: hostname(),
      pid: process.pid,
      ...(setting.subprogram === undefined ? {} : { subprogram: setting.subprogram }),
      appenders: { console: quiet && !speaksOfConsole(options) ? onlyTrouble(console) : console },
    })
    this.hub = new Logging(name, clock, [this.vlog, this.counter])
    this.vlog.onChange = () => this.hub.changed()
    this.file = options.has('log-file') ? resolve(options.value('log-file') ?? `${directory}/${name}.log`) : undefined
    for (const spec of options.given.filter((g) => g.name === 'verbose')) {
      const r = this.vlog.set(spec.value ?? '')
      if (!r.ok) setting.fatal(`processing "${spec.value ?? ''}": ${r.error}`)
    }
  }

  log(module: string): Log {
    return this.hub.log(module)
  }

  /** Lines logged so far at a level. */
  linesAt(level: Level): number {
    return this.counter.lines.get(level) ?? 0
  }

  /**
   * Opens what the options name.
   * @param user who the daemon is going to be: the log file is made while it can be, and given to it
   * @param become makes it so, before anything that --logging-config names is made
   */
  async open(user?: DaemonUser, become?: () => void): Promise<void> {
    const { options } = this.setting
    // The program may end between two turns of the loop, with lines that wait for the second.
    process.on('exit', () => this.hub.flush())
    const configured = options.has('logging-config')
    if (!configured || options.has('syslog-method') || options.has('syslog-target')) this.openSyslog()
    if (this.file !== undefined) this.openFile(this.file, user)
    become?.()
    if (configured) await this.configure(true)
  }

  private openFile(path: string, user: DaemonUser | undefined): void {
    let open = false
    try {
      open = makeLogFile(path)
      if (user) chownSync(path, user.uid, user.gid)
    } catch (e) {
      this.log('vlog').warn(`failed to open ${path} for logging: ${errorText(e)}`, { code: 'log-not-written' })
      // As the real ones: without the file that was asked for by its name the program ends, without its usual one it
      // goes on.
      if (this.setting.options.value('log-file') !== undefined) process.exit(1)
      return
    }
    this.vlog.attach('file', new FileAppender({ path, onTrouble: this.trouble }))
    if (open) this.log('vlog').info(`opened log file ${path}`)
  }

  /** Has the log file for as long as `write` takes: the file is another process's. */
  visit(write: (log: Log) => void, module: string): void {
    if (this.file !== undefined)
      this.vlog.attach('file', new FileAppender({ path: this.file, onTrouble: this.trouble }))
    write(this.log(module))
    this.hub.flush()
    this.vlog.attach('file', undefined)
  }

  /** --syslog-method and --syslog-target; without either, the machine's own syslog daemon if there is one. */
  openSyslog(): void {
    const { options, fatal } = this.setting
    const given = options.value('syslog-method')
    const method = syslogMethod(given ?? (existsSync('/dev/log') ? 'libc' : 'null'))
    if (method === undefined) fatal(`unsupported syslog method '${given}'`)
    const text = options.value('syslog-target')
    const target = text === undefined ? undefined : syslogTarget(text)
    if (text !== undefined && target === undefined) fatal(`${text}: --syslog-target takes HOST:PORT`)
    const appender = vlogSyslog({
      ...{ method: method === 'null' ? undefined : method, libc: given === undefined || given === 'libc', target },
      ...{ hostname: hostname(), pid: process.pid, facility: () => this.vlog.syslogFacility },
      onTrouble: this.trouble,
    })
    if (appender) this.vlog.attach('syslog', appender)
    if (text !== undefined)
      this.log('vlog').warn('--syslog-target flag is deprecated, use --syslog-method instead', {
        code: 'deprecated-option',
      })
  }

  /** Said once by whatever a line could not be written to, and once when it can again. */
  private readonly trouble = (message: string): void => {
    // The log itself may be what cannot be written, so that standard error gets it, too.
    process.stderr.write(`${this.setting.name}: ${message}\n`)
    this.setting.clock.after(0, () => this.log('vlog').warn(message, { code: 'log-not-written' }))
  }

  /**
   * Logs as the file of --logging-config says. At start a broken file ends the daemon; later it is refused
   * whole, and the old way of logging stays.
   */
  async configure(start: boolean): Promise<void> {
    const { name, options, clock, fatal } = this.setting
    const turn = ++this.configurations
    const loaded = await loadLogging(options.value('logging-config') ?? '', {
      ...{ component: name, hostname: hostname(), pid: process.pid },
      now: () => clock.now(),
      resolve: (path) => resolve(this.workingDirectory, path),
      onLevels: () => this.hub.changed(),
      onTrouble: this.trouble,
    })
    const log = this.log('vlog')
    if (!loaded.ok) {
      if (start) fatal(loaded.error)
      log.warn(`${loaded.error}: logging stays as it was`, { code: 'logging-config-refused' })
      return
    }
    // A module may take its time to load, and another SIGHUP come before it stands.
    if (turn !== this.configurations) {
      loaded.value.backend.close()
      return
    }
    this.vlog.attach('console', undefined)
    this.hub.use([this.vlog, loaded.value.backend, this.counter])
    for (const warning of loaded.value.warnings) log.warn(warning, { code: 'logging-parameter-ignored' })
    if (!start) log.info(`${options.value('logging-config')}: logging is as it says now`)
  }

  /** Nobody reads standard error any more. */
  leaveConsole(): void {
    this.vlog.attach('console', undefined)
  }

  /** Writes what waits. */
  flush(): void {
    this.hub.flush()
  }

  close(): void {
    this.hub.use([])
  }

  commands(): ControlCommand[] {
    return vlogCommands(this.vlog, this.hub)
  }
}

/**
 * Makes the file unless it is there. False for a pipe that nobody reads, which is not waited for (fifo(7)); throws
 * where it cannot be opened.
 */
function makeLogFile(path: string): boolean {
  const { O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY } = constants
  try {
    closeSync(openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK, 0o640))
    return true
  } catch (e) {
    if (statSync(path, { throwIfNoEntry: false })?.isFIFO() && e instanceof Error && 'code' in e && e.code === 'ENXIO')
      return false
    throw e
  }
}

/** Counts what is logged and wants nothing logged for it. */
class LineCounter implements Backend {
  readonly lines = new Map<Level, number>()

  enabled(): boolean {
    return false
  }

  write(event: { readonly level: Level }): void {
    this.lines.set(event.level, (this.lines.get(event.level) ?? 0) + 1)
  }

  reopen(): void {}
  flush(): void {}
  close(): void {}
}

/** Whether -v says what the console is to have. */
function speaksOfConsole(options: ParsedOptions): boolean {
  const specs = options.given.filter((g) => g.name === 'verbose').map((g) => g.value ?? '')
  return specs.some((spec) => spec === '' || /console|any/i.test(spec))
}

/** An appender that takes warnings and worse. */
function onlyTrouble(appender: Appender): Appender {
  return {
    append: (line, event) => {
      if (LEVELS.indexOf(event.level) <= LEVELS.indexOf('warn')) appender.append(line, event)
    },
    reopen: () => appender.reopen(),
    flush: () => appender.flush(),
    close: () => appender.close(),
  }
}
