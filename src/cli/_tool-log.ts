import { type Log, silent } from '../base/log.ts'
import type { ParsedOptions } from '../daemons/_options.ts'
import { SystemClock } from '../io/clock.ts'

/** Levels of the lines that tools write. */
type ToolLevel = 'err' | 'warn' | 'info'

/** Where lines go, once the options were looked at: not before there is something to be done otherwise. */
let logOf: ((module: string) => Log) | undefined
let lines = 0

/** A line of a tool's log: to the standard error, as Open vSwitch's tools write it, if no option says otherwise. */
export function toolLog(module: string, level: ToolLevel, text: string): void {
  if (logOf) {
    logOf(module)[level](text)
    return
  }
  lines++
  const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  process.stderr.write(`${time}|${String(lines).padStart(5, '0')}|${module}|${level.toUpperCase()}|${text}\n`)
}

/** The log of a module that says much: nothing of it is written where no option asks for it. */
export const toolModule = (module: string): Log => logOf?.(module) ?? silent

const LOGGING = ['verbose', 'log-file', 'syslog-method', 'syslog-target', 'logging-config']

/** Does what the options say of logging; what that takes to load is loaded only where there are any. */
export async function openToolLog(name: string, options: ParsedOptions, directory: string): Promise<void> {
  if (!LOGGING.some((option) => options.has(option))) return
  const [{ DaemonLog }, { logModules }] = await Promise.all([
    import('../daemons/_daemon-log.ts'),
    import('../daemons/_log-modules.ts'),
  ])
  const log = new DaemonLog({
    ...{ name, options, modules: logModules(name), clock: new SystemClock(), directory, quiet: false },
    fatal: (message) => {
      process.stderr.write(`${name}: ${message}\n`)
      process.exit(1)
    },
  })
  logOf = (module) => log.log(module)
  await log.open()
}
