import { expect, it } from 'vitest'
import { metricsRegistry, parseMetricsAddress, serveMetrics, single } from './_metrics.ts'

it.each([
  ['9475', '127.0.0.1 9475'],
  [':9475', '127.0.0.1 9475'],
  ['0.0.0.0:80', '0.0.0.0 80'],
  ['[::]:80', ':: 80'],
  ['localhost:0', 'localhost 0'],
  ['', 'error'],
  ['x', 'error'],
  ['[::]80', 'error'],
  ['1.2.3.4', 'error'],
  ['a:b:1', 'error'],
  ['1:70000', 'error'],
])('reads the address %j', (text, want) => {
  const r = parseMetricsAddress(text)
  expect(r.ok ? `${r.value.host} ${r.value.port}` : 'error').toBe(want)
})

it('is scraped: counters, gauges by label, log lines', async () => {
  let flows = 7
  const registry = await metricsRegistry({
    ...{ daemon: 'ovn-northd', version: '26.03.1', linesAt: (level) => (level === 'warn' ? 3 : 0) },
    counts: () => [['txn_success', 5]],
    measures: [
      single('northd_logical_flows', 'Logical flows.', () => flows),
      single('northd_unknown', 'Not known yet.', () => undefined),
      { name: 'rows', help: 'Rows.', label: 'table', values: () => [['ACL', 2]] },
    ],
  })
  const server = await new Promise<{ port: number; close(): void }>((done, fail) =>
    serveMetrics(registry, { host: '127.0.0.1', port: 0 }, (r) => (r.ok ? done(r.value) : fail(new Error(r.error)))),
  )
  try {
    const at = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${server.port}${path}`, { method })
    await at('/metrics')
    flows = 8
    const text = await (await at('/metrics')).text()
    expect(text).toContain('ovn_events_total{event="txn_success",daemon="ovn-northd"} 5\n')
    expect(text).toContain('ovn_log_lines_total{level="warn",daemon="ovn-northd"} 3\n')
    expect(text).toContain('ovn_northd_logical_flows{daemon="ovn-northd"} 8\n')
    expect(text).toContain('ovn_rows{table="ACL",daemon="ovn-northd"} 2\n')
    expect(text).toContain('ovn_build_info{version="26.03.1",daemon="ovn-northd"} 1\n')
    expect(text).toMatch(/^process_resident_memory_bytes\{daemon="ovn-northd"\} \d+/m)
    expect((await at('/')).status).toBe(404)
    expect((await at('/metrics', 'POST')).status).toBe(405)
  } finally {
    server.close()
  }
})
