// Logging: messages a second to a file that rolls, beside pino and log4js; what a line that is off costs;
// how long the event loop is held up at 50,000 messages a second.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import log4js from 'log4js'
import { pino } from 'pino'
import roll from 'pino-roll'
import type { Log } from '../src/base/log.ts'
import { SystemClock } from '../src/io/clock.ts'
import { Logging, loadLogging } from '../src/logging/index.ts'
import { median, number, table } from './_measure.ts'

const MESSAGES = 300_000
/** Messages that one turn of the event loop logs. */
const TURN = 100
const ROUNDS = 3

/** A logger of one product, and how to wait until all it took is in the file. */
interface Contender {
  info(message: string): void
  end(): Promise<void>
  dbg?: { readonly text: () => void; readonly fn?: () => void }
}

async function ours(dir: string, more: string): Promise<Contender & { log: Log }> {
  const config = join(dir, 'logging.conf')
  writeFileSync(config, `[DEFAULT]\nlog_file = ${join(dir, 'a.log')}\n${more}\n`)
  const clock = new SystemClock()
  const loaded = await loadLogging(config, {
    ...{ component: 'ovn-northd', hostname: 'host', pid: process.pid },
    now: () => clock.now(),
    resolve: (path) => path,
    onTrouble: (message) => console.error(message),
  })
  if (!loaded.ok) throw new Error(loaded.error)
  const logging = new Logging('ovn-northd', clock, [loaded.value.backend])
  const log = logging.log('lflow')
  return {
    log,
    info: (message) => log.info(message),
    end: async () => logging.close(),
    dbg: { text: () => log.dbg('text'), fn: () => log.dbg(() => 'text') },
  }
}

function pinoTo(destination: ReturnType<typeof pino.destination>): Contender {
  const log = pino({ base: { pid: process.pid, name: 'ovn-northd', module: 'lflow' } }, destination)
  const end = () =>
    new Promise<void>((resolve) => {
      destination.once('close', () => resolve())
      destination.end()
    })
  return { info: (message) => log.info(message), end, dbg: { text: () => log.debug('text') } }
}

const SIZE = 10
const KEPT = 50

const CONTENDERS: Readonly<Record<string, (dir: string) => Promise<Contender>>> = {
  'ours, text': (dir) => ours(dir, 'log_file_size = 0'),
  'ours, text, rolling': (dir) => ours(dir, `log_file_size = ${SIZE}M\nlog_files_count = ${KEPT}`),
  'ours, JSON, rolling': (dir) => ours(dir, `log_file_size = ${SIZE}M\nlog_files_count = ${KEPT}\nlog_format = json`),
  'pino, sync': async (dir) => pinoTo(pino.destination({ dest: join(dir, 'a.log'), sync: true })),
  'pino, async, 4 KiB': async (dir) =>
    pinoTo(pino.destination({ dest: join(dir, 'a.log'), sync: false, minLength: 4096 })),
  'pino-roll, sync': async (dir) => {
    const options = { file: join(dir, 'a.log'), size: `${SIZE}m`, limit: { count: KEPT }, sync: true }
    return pinoTo((await roll(options)) as ReturnType<typeof pino.destination>)
  },
  'pino-roll': async (dir) => {
    const options = { file: join(dir, 'a.log'), size: `${SIZE}m`, limit: { count: KEPT } }
    return pinoTo((await roll(options)) as ReturnType<typeof pino.destination>)
  },
  'log4js, rolling': async (dir) => {
    log4js.configure({
      appenders: {
        file: {
          ...{ type: 'file', filename: join(dir, 'a.log'), maxLogSize: SIZE * 1024 * 1024, backups: KEPT },
          layout: { type: 'pattern', pattern: '%d{yyyy-MM-ddThh:mm:ss.SSSZ}|%c|%p|%m' },
        },
      },
      categories: { default: { appenders: ['file'], level: 'info' } },
    })
    const log = log4js.getLogger('ovn-northd.lflow')
    const end = () => new Promise<void>((resolve) => log4js.shutdown(() => resolve()))
    return { info: (message) => log.info(message), end, dbg: { text: () => log.debug('text') } }
  },
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const text = (i: number) => `unix#${i}: lport sw0-port${i % 1000} was claimed for this chassis, datapath sw0`

interface Throughput {
  readonly perSecond: number
  readonly cpu: number
  readonly lost: number
}

/** Runs in a process of its own: what one product has in memory is no burden to the next. */
async function throughput(make: (dir: string) => Promise<Contender>, dir: string): Promise<Throughput> {
  const c = await make(dir)
  for (let i = 0; i < 20_000; i++) {
    c.info(text(i))
    if (i % TURN === 0) await turn()
  }
  const cpu = process.cpuUsage()
  const start = performance.now()
  for (let i = 0; i < MESSAGES; i++) {
    c.info(text(i))
    if (i % TURN === 0) await turn()
  }
  await c.end()
  const seconds = (performance.now() - start) / 1000
  const used = process.cpuUsage(cpu)
  let lines = 0
  for (const name of readdirSync(dir))
    if (name.includes('log') && !name.endsWith('.conf'))
      lines += readFileSync(join(dir, name), 'utf8').split('\n').length - 1
  return {
    perSecond: MESSAGES / seconds,
    cpu: (used.user + used.system) / 1e6,
    lost: MESSAGES + 20_000 - lines,
  }
}

function off(call: () => void): number {
  const CALLS = 20_000_000
  for (let i = 0; i < 1_000_000; i++) call()
  const start = performance.now()
  for (let i = 0; i < CALLS; i++) call()
  return ((performance.now() - start) * 1e6) / CALLS
}

/** Milliseconds that the event loop was away. */
interface Delay {
  /** The longest turn, the machine's other programs included. */
  readonly most: number
  /** The most processor time, of all our threads, that one turn took. */
  readonly cpu: number
  readonly usual: number
  /** Turns longer than 5 ms. */
  readonly long: number
}

/** 50,000 messages a second for `seconds`, as they fall due, while turns of the loop are timed. */
async function delays(c: Pick<Contender, 'info'>, seconds: number): Promise<Delay> {
  const RATE = 50
  const turns: number[] = []
  const start = performance.now()
  let sent = 0
  let last = start
  let most = 0
  let used = process.cpuUsage()
  while (last - start < seconds * 1000) {
    const due = Math.floor((last - start) * RATE)
    while (sent < due) c.info(text(sent++))
    await turn()
    const now = performance.now()
    turns.push(now - last)
    const cpu = process.cpuUsage()
    most = Math.max(most, (cpu.user + cpu.system - used.user - used.system) / 1000)
    used = cpu
    last = now
  }
  turns.sort((a, b) => a - b)
  const at = (share: number) => turns[Math.floor((turns.length - 1) * share)] ?? 0
  return { most: at(1), cpu: most, usual: at(0.999), long: turns.filter((t) => t > 5).length }
}

async function one(kind: string, name: string, dir: string): Promise<unknown> {
  const make = CONTENDERS[name]
  // The machine's own part in it.
  if (!make) return delays({ info() {} }, 10)
  if (kind === 'throughput') return throughput(make, dir)
  const c = await make(dir)
  if (kind === 'off') return { text: c.dbg && off(c.dbg.text), fn: c.dbg?.fn && off(c.dbg.fn) }
  const r = await delays(c, 10)
  await c.end()
  return r
}

function inChild<T>(kind: string, name: string): T {
  const dir = mkdtempSync(join(tmpdir(), 'bench-logging-'))
  const self = fileURLToPath(import.meta.url)
  const r = spawnSync(process.execPath, [self, '--one', kind, name, dir], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  rmSync(dir, { recursive: true })
  if (r.status !== 0) throw new Error(`${kind} of ${name}: ended with ${r.status}`)
  return JSON.parse(r.stdout.trim().split('\n').at(-1) ?? '') as T
}

const [flag, kind, name, dir] = process.argv.slice(2)
if (flag === '--one') {
  console.log(JSON.stringify(await one(kind ?? '', name ?? '', dir ?? '')))
  process.exit(0)
}

const names = Object.keys(CONTENDERS)
const rounds = new Map<string, Throughput[]>(names.map((n) => [n, []]))
// In turns, so that what else the machine does meets all alike.
for (let i = 0; i < ROUNDS; i++) for (const n of names) rounds.get(n)?.push(inChild('throughput', n))
table(
  [`${MESSAGES} messages to a file, median of ${ROUNDS}`, 'messages/s', 'CPU', 'lost'],
  names.map((n) => {
    const r = rounds.get(n) ?? []
    return [
      n,
      number(median(r.map((x) => x.perSecond)) / 1000, 'k', 0),
      number(median(r.map((x) => x.cpu)), 's', 2),
      String(Math.max(...r.map((x) => x.lost))),
    ]
  }),
)

console.log()
table(
  ['a debug line that is off', "dbg('text')", 'dbg(() => ...)'],
  ['ours, text, rolling', 'pino, sync', 'log4js, rolling'].map((n) => {
    const r = inChild<{ text: number; fn?: number }>('off', n)
    return [n, number(r.text, 'ns'), r.fn === undefined ? '-' : number(r.fn, 'ns')]
  }),
)

console.log()
// Other programs lengthen a turn, ours or not: the best of the rounds has least of them, and 'nothing' shows the rest.
const least = (values: readonly number[]) => Math.min(...values)
const watched = ['nothing', 'ours, text, rolling', 'ours, JSON, rolling', 'pino, sync', 'log4js, rolling']
const delayed = new Map<string, Delay[]>(watched.map((n) => [n, []]))
for (let i = 0; i < ROUNDS; i++) for (const n of watched) delayed.get(n)?.push(inChild('delay', n))
table(
  [`50,000 messages/s for 10 s, best of ${ROUNDS}`, 'longest turn', 'CPU in a turn', '99.9 %', 'turns over 5 ms'],
  watched.map((n) => {
    const r = delayed.get(n) ?? []
    return [
      n,
      number(least(r.map((d) => d.most)), 'ms', 2),
      number(least(r.map((d) => d.cpu)), 'ms', 2),
      number(least(r.map((d) => d.usual)), 'ms', 2),
      String(least(r.map((d) => d.long))),
    ]
  }),
)
