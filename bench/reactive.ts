// The reactive core alone: from nothing, one row changed, and bytes a derived row.
import { Graph } from '../src/reactive/index.ts'
import { median, number, table } from './_measure.ts'

const PORTS = 5800
const FLOWS = 27

function build() {
  const graph = new Graph()
  const ports = graph.input<{ name: string; network: string; n: number }>('ports')
  const networks = graph.input<{ name: string; mtu: number }>('networks')
  const byNetwork = ports.index('network', (p) => p.network)
  const lflows = graph.derived<{ match: string; datapath: string }>('lflows', 1)
  graph.rule('port', 1, ports, (port, out) => {
    const mtu = networks.get(port.network)?.mtu
    for (let i = 0; i < 9; i++) ports.get(`p${(port.n + i) % PORTS}`)
    for (let i = 0; i < FLOWS; i++) {
      const match = `inport == "${port.name}" && reg${i} == ${mtu}`
      out.emit(lflows, `${i}\u0000${match}`, { match, datapath: port.network })
    }
  })
  const merged = graph.fold('merged', 2, lflows, {
    key: (f) => f.match,
    empty: () => new Set<string>(),
    add: (set, f) => set.add(f.datapath),
    remove: (set, f) => set.delete(f.datapath),
    result: (set) => [...set].join(),
  })
  return { graph, ports, networks, merged, byNetwork }
}

const gc = (globalThis as { gc?: () => void }).gc ?? (() => {})
gc()
const before = process.memoryUsage().heapUsed
const c = build()
for (let i = 0; i < PORTS; i++) c.ports.set(`p${i}`, { name: `p${i}`, network: `n${i % 58}`, n: i })
for (let i = 0; i < 58; i++) c.networks.set(`n${i}`, { name: `n${i}`, mtu: 1442 })
let start = performance.now()
c.graph.settleAll()
const cold = performance.now() - start
gc()
const heap = process.memoryUsage().heapUsed - before
const single: number[] = []
for (let i = 0; i < 200; i++) {
  start = performance.now()
  c.ports.set(`p${i}`, { name: `p${i}x`, network: `n${i % 58}`, n: i })
  c.graph.settleAll()
  single.push(performance.now() - start)
}
table(
  ['reactive core', 'value'],
  [
    [`${PORTS} runs, ${PORTS * FLOWS} flows, folded, from nothing`, number(cold, 'ms', 0)],
    ['one row changed (10 runs again)', number(median(single), 'ms', 2)],
    ['heap', number(heap / 1048576, 'MiB', 0)],
    ['bytes a derived row (flow and its fold)', number(heap / (PORTS * FLOWS), 'B', 0)],
  ],
)
