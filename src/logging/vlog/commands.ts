import { type ControlCommand, command } from '../../base/command.ts'
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
      return ''
    }),
    rate('vlog/disable-rate-limit', false),
    rate('vlog/enable-rate-limit', true),
    command('vlog/list', '', [0, 0], () => vlog.list()),
    command('vlog/list-pattern', '', [0, 0], () => vlog.listPattern()),
    command('vlog/reopen', '', [0, 0], () => {
      if (!vlog.hasFile && !logging.logsBeside(vlog)) return new Error('Logging to file not configured')
      logging.reopen()
      return ''
    }),
    command('vlog/set', '{spec | PATTERN:destination:pattern}', [0, Number.POSITIVE_INFINITY], (specs) => {
      for (const spec of specs.length ? specs : ['']) {
        const r = vlog.set(spec)
        if (!r.ok) return new Error(r.error)
      }
      return ''
    }),
  ]
}
