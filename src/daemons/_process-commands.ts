import { type ControlCommand, command } from '../base/command.ts'
import type { Log } from '../base/log.ts'
import type { Stopwatch } from '../base/stopwatch.ts'
import type { WarpClock } from '../base/warp-clock.ts'
import type { Coverage } from './_coverage.ts'

/** Commands of every daemon's control socket, but for those of its log (ovs-appctl(8), COMMON COMMANDS). */
export function commonCommands(version: string, coverage: Coverage, exit: () => void): ControlCommand[] {
  return [
    command('version', '', [0, 0], () => version),
    command('coverage/show', '', [0, 0], () => coverage.text),
    command('coverage/read-counter', 'COUNTER', [1, 1], ([name = '']) => {
      const total = coverage.counter(name)
      return total === undefined ? new Error('No such counter') : `${total}\n`
    }),
    exitCommand(exit),
  ]
}

/** `exit`: answers first. */
export function exitCommand(exit: () => void): ControlCommand {
  return {
    ...{ name: 'exit', usage: '', minArgs: 0, maxArgs: 0 },
    run(_, reply) {
      reply.ok('')
      exit()
    },
  }
}

/** `memory/show`: what a daemon holds, as numbers by name; those that are 0 are left out by whoever counts. */
export function memoryCommand(usage: () => Readonly<Record<string, number>>): ControlCommand {
  return command('memory/show', '', [0, 0], () => {
    const entries = Object.entries(usage()).toSorted(([a], [b]) => (a < b ? -1 : 1))
    return `${entries.map(([name, n]) => `${name}:${n}`).join(' ')}\n`
  })
}

/** `stopwatch/...` of the daemons that time what they do. */
export function stopwatchCommands(watches: readonly Stopwatch[]): ControlCommand[] {
  const named = (name: string | undefined) => (name === undefined ? watches : watches.filter((w) => w.name === name))
  return [
    command('stopwatch/show', '[NAME]', [0, 1], ([name]) => {
      const found = named(name)
      return found.length ? found.map((w) => w.text).join('') : new Error('No such stopwatch')
    }),
    command('stopwatch/reset', '[NAME]', [0, 1], ([name]) => {
      for (const watch of named(name)) watch.reset()
      return ''
    }),
  ]
}

/** Milliseconds that the engine may take without a word, until somebody says otherwise. */
const COMPUTE_LOG_TIMEOUT = 500

/** `inc-engine/compute-log-timeout`: how long a pass of the engine may take before it is worth a line. */
export function computeLogTimeout(watch: Stopwatch, log: Log): ControlCommand {
  const engine = log.child('inc_proc_eng')
  watch.limit = COMPUTE_LOG_TIMEOUT
  watch.onLong = (ms) => engine.info(`${watch.name} took ${Math.round(ms)}ms`)
  return command('inc-engine/compute-log-timeout', '', [1, 1], ([text]) => {
    if (!/^\d{1,10}$/.test(text ?? '')) return new Error('unsigned integer required')
    watch.limit = Number(text)
    return ''
  })
}

/** `time/stop` and `time/warp`: a daemon's time in the hands of a test. */
export function timeCommands(clock: WarpClock): ControlCommand[] {
  const milliseconds = (text: string | undefined) => (/^\d{1,12}$/.test(text ?? '') ? Number(text) : 0)
  return [
    command('time/stop', '', [0, 0], () => {
      clock.stop()
      return ''
    }),
    {
      name: 'time/warp',
      usage: '[large_msecs] msecs',
      minArgs: 1,
      maxArgs: 2,
      run(args, reply) {
        const step = milliseconds(args.at(-1))
        const total = args.length > 1 ? milliseconds(args[0]) : step
        if (step <= 0 || total <= 0) {
          reply.error('invalid MSECS')
          return
        }
        // A step at a time, so that whatever goes on outside keeps up: sockets are served between two of them.
        const walk = (left: number) => {
          clock.warp(Math.min(step, left))
          if (left <= step) reply.ok('warped')
          else clock.after(0, () => walk(left - step))
        }
        walk(total)
      },
    },
  ]
}

/** `debug/enable-timewarp`: for daemons whose time is their own until a test asks for it. */
export function timewarpCommand(clock: WarpClock, add: (commands: readonly ControlCommand[]) => void): ControlCommand {
  return command('debug/enable-timewarp', '', [0, 0], () => {
    add(timeCommands(clock))
    return ''
  })
}
