import { createServer, type Server } from 'node:http'
import type { Registry } from 'prom-client'
import { LEVELS, type Level } from '../base/log.ts'
import { err, ok, type Result } from '../base/result.ts'
import type { Stopwatch } from '../base/stopwatch.ts'
import { errorText } from '../io/errors.ts'
import type { Counts } from './_coverage.ts'

/** A number of a daemon's that goes up and down. */
export interface Measure {
  /** Without the daemon's prefix: `logical_flows`. */
  readonly name: string
  readonly help: string
  /** The name of the one label that tells values apart; none for a single value. */
  readonly label?: string
  /** Values by label; by '' where there is no label. Asked at each scrape. */
  values(): Iterable<readonly [label: string, value: number]>
}

/** A measure that is one number; undefined while it is not known. */
export function single(name: string, help: string, value: () => number | undefined): Measure {
  return {
    name,
    help,
    *values() {
      const now = value()
      if (now !== undefined) yield ['', now]
    },
  }
}

/** The latest sample of a stopwatch. */
export function seconds(watch: Stopwatch): number | undefined {
  return watch.last === undefined ? undefined : watch.last / 1000
}

export interface MetricsSource {
  /** `ovn-northd`. */
  readonly daemon: string
  readonly version: string
  readonly counts: Counts
  linesAt(level: Level): number
  readonly measures: readonly Measure[]
}

/** `9475`, `:9475`, `10.0.0.1:9475` or `[fd00::1]:9475`; without an address, this machine alone is served. */
export function parseMetricsAddress(text: string): Result<{ readonly host: string; readonly port: number }> {
  const [, v6, v4, digits] = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^[\]:]*)):)?(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (digits === undefined || port > 65535) return err(`${text}: --metrics takes PORT or ADDRESS:PORT`)
  return ok({ host: v6 ?? (v4 || '127.0.0.1'), port })
}

/** A registry that reads everything anew at each scrape: nothing is kept twice. */
export async function metricsRegistry(source: MetricsSource): Promise<Registry> {
  const { collectDefaultMetrics, Gauge, Counter, Registry: Metrics } = await import('prom-client')
  const registry = new Metrics()
  registry.setDefaultLabels({ daemon: source.daemon })
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  new Gauge({
    ...{ name: 'ovn_build_info', help: 'Version of the daemon; always 1.', labelNames: ['version'], registers },
    collect() {
      this.set({ version: source.version }, 1)
    },
  })
  new Counter({
    ...{ name: 'ovn_events_total', help: 'Events by coverage counter (coverage/show).', registers },
    labelNames: ['event'],
    collect() {
      this.reset()
      for (const [event, total] of source.counts()) this.inc({ event }, total)
    },
  })
  new Counter({
    ...{ name: 'ovn_log_lines_total', help: 'Lines logged, by level.', labelNames: ['level'], registers },
    collect() {
      this.reset()
      for (const level of LEVELS) this.inc({ level }, source.linesAt(level))
    },
  })
  for (const measure of source.measures) {
    const { label } = measure
    new Gauge({
      ...{ name: `ovn_${measure.name}`, help: measure.help, registers },
      labelNames: label === undefined ? [] : [label],
      collect() {
        this.reset()
        for (const [key, value] of measure.values()) {
          if (label === undefined) this.set(value)
          else this.set({ [label]: key }, value)
        }
      },
    })
  }
  return registry
}

/** Serves the metrics of a daemon by HTTP at `/metrics`, and nothing else. */
export function serveMetrics(
  registry: Registry,
  address: { readonly host: string; readonly port: number },
  ready: (result: Result<{ readonly port: number; close(): void }>) => void,
): Server {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0]
    if (request.method !== 'GET' && request.method !== 'HEAD') response.writeHead(405, { Allow: 'GET, HEAD' }).end()
    else if (path !== '/metrics') response.writeHead(404).end('see /metrics\n')
    else {
      registry.metrics().then(
        (text) => response.writeHead(200, { 'Content-Type': registry.contentType }).end(text),
        (e) => response.writeHead(500).end(`${errorText(e)}\n`),
      )
    }
  })
  // A scrape is short: whoever is slower holds a connection, and no more.
  server.requestTimeout = 10_000
  server.maxConnections = 16
  const failed = (e: Error) => ready(err(errorText(e)))
  server.once('error', failed)
  server.listen({ host: address.host, port: address.port }, () => {
    server.removeListener('error', failed)
    server.on('error', () => {})
    const bound = server.address()
    ready(
      ok({
        port: typeof bound === 'object' && bound ? bound.port : 0,
        close() {
          server.close()
          server.closeAllConnections()
        },
      }),
    )
  })
  return server
}
