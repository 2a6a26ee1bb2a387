import { type ControlCommand, command } from '../../base/command.ts'
import { FileAppender } from '../appenders/file.ts'
import type { Logging } from '../hub.ts'
import type { VlogBackend } from './backend.ts'

/** The `vlog/...` commands of every daemon's control socket (ovs-appctl(8), LOGGING COMMANDS). */
export function vlogCommands(vlog: VlogBackend, logging: Logging): ControlCommand[] {
  const rate = (name: string, on: boolean) =>
    command(name, '[module]...', [0, Number.POSITIVE_INFINITY], (names) => {
      for (const name of names.length ? names : ['any']) {
        const module = name.toLowerCase() === 'any' ? undefined : vlog.findModule(name)
        if (module === undefined && name.toLowerCase() !== 'any') return new Error('unknown module')
        logging.limits.set(module, on)
      }
      return ''
    })
  return [
    command('vlog/close', '', [0, 0], () => {
      vlog.closeFile()
      logging.release(vlog)
      return ''
    }),
    rate('vlog/disable-rate-limit', false),
    rate('vlog/enable-rate-limit', true),
    command('vlog/list', '', [0, 0], () => {
      const beside = logging.logsBeside(vlog)
      return vlog.list(beside ? (module) => logging.levelBeside(vlog, module) : undefined)
    }),
    command('vlog/list-pattern', '', [0, 0], () => vlog.listPattern()),
    command('vlog/reopen', '', [0, 0], () => {
      if (!vlog.logFile && !logging.logsBeside(vlog)) return new Error('Logging to file not configured')
      logging.reopen(vlog)
      const error = reopenFile(vlog, logging)
      return error === undefined ? '' : new Error(error)
    }),
    command('vlog/set', '{spec | PATTERN:destination:pattern}', [0, Number.POSITIVE_INFINITY], (specs) => {
      for (const spec of specs.length ? specs : ['']) {
        const r = vlog.set(spec)
        if (!r.ok) return new Error(r.error)
        const s = r.value
        // What a configuration file names is a file to who sets levels, whatever it is.
        if (s.kind === 'levels' && (s.destination ?? 'file') === 'file') logging.setLevel(s.module, s.level)
      }
      return ''
    }),
  ]
}

/**
 * `vlog/reopen`: the file at the path takes the place of the one in use, with a last line in the one and a first line
 * in the other. Nothing happens where they are the same; one that cannot be opened leaves the old one in use.
 */
function reopenFile(vlog: VlogBackend, logging: Logging): string | undefined {
  const file = vlog.logFile
  if (!(file instanceof FileAppender)) {
    vlog.reopen()
    return undefined
  }
  const next = file.renew()
  if (next === undefined) return undefined
  const log = logging.log('vlog')
  if ('error' in next) {
    log.warn(`failed to open ${file.path} for logging: ${next.error}`, { code: 'log-not-written' })
    return next.error
  }
  if (!next.first) log.info('closing log file')
  next.exchange()
  vlog.openFile()
  log.info(`opened log file ${file.path}`)
  return undefined
}
