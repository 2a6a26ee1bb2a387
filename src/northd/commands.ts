import { type ControlCommand, command } from '../base/command.ts'
import type { Northd } from './northd.ts'

/** `ovn-appctl -t ovn-northd ...` (ovn-northd(8), RUNTIME MANAGEMENT COMMANDS). */
export function northdCommands(northd: Northd): ControlCommand[] {
  let threads = 1
  const base = new Map<string, number>()
  const stats = () => {
    const out = new Map<string, number>()
    for (const [name, runs] of northd.graph.runs) out.set(name, runs - (base.get(name) ?? 0))
    return out
  }
  const show = (name: string, runs: number) =>
    [`Node: ${name}`, `- recompute: ${pad(0)}`, `- compute:   ${pad(runs)}`, `- cancel:    ${pad(0)}`].join('\n')
  const connection = (up: boolean) => (up ? 'connected' : 'not connected')
  return [
    command('status', '', [0, 0], () => `Status: ${northd.status}`),
    command('pause', '', [0, 0], () => {
      northd.pause()
      return ''
    }),
    command('resume', '', [0, 0], () => {
      northd.resume()
      return ''
    }),
    command('is-paused', '', [0, 0], () => (northd.isPaused ? 'true' : 'false')),
    command('sb-cluster-state-reset', '', [0, 0], () => {
      northd.log.info('Resetting southbound database cluster state')
      northd.resetCluster('sb')
      return ''
    }),
    command('nb-cluster-state-reset', '', [0, 0], () => {
      northd.log.info('Resetting northbound database cluster state')
      northd.resetCluster('nb')
      return ''
    }),
    command('nb-connection-status', '', [0, 0], () => connection(northd.connected.northbound)),
    command('sb-connection-status', '', [0, 0], () => connection(northd.connected.southbound)),
    command('parallel-build/set-n-threads', 'N_THREADS', [1, 1], ([text]) => {
      const n = Number(text)
      if (!Number.isInteger(n) || n < 1 || n > 256) return new Error('invalid n_threads: must be from 1 to 256')
      // One thread does it all here; the number is kept for who asks.
      threads = n
      return ''
    }),
    command('parallel-build/get-n-threads', '', [0, 0], () => String(threads)),
    command('inc-engine/show-stats', '', [0, 2], ([node, counter]) => {
      const all = stats()
      if (node !== undefined) {
        const runs = all.get(node)
        if (runs === undefined) return new Error(`Unknown engine node: ${node}`)
        if (counter === undefined) return show(node, runs)
        return counter === 'compute' ? String(runs) : counter === 'recompute' || counter === 'cancel' ? '0' : ''
      }
      return [...all]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, runs]) => show(name, runs))
        .join('\n')
    }),
    command('inc-engine/list-stopwatches', '', [0, 1], ([part]) =>
      [...northd.graph.runs.keys()]
        .filter((name) => part === undefined || name.includes(part))
        .sort()
        .map((name) => `${name}\n`)
        .join(''),
    ),
    command('inc-engine/clear-stats', '', [0, 0], () => {
      for (const [name, runs] of northd.graph.runs) base.set(name, runs)
      return ''
    }),
    command('inc-engine/recompute', '', [0, 0], () => {
      northd.recompute()
      return ''
    }),
  ]
}

function pad(n: number): string {
  return String(n).padStart(12)
}
