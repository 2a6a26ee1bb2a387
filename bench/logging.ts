// Logging: messages a second to a file that rolls, beside pino and log4js; what a line that is off costs;
// how long the event loop is held up at 50,000 messages a second.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { threadTime } from '../src/io/thread-time.ts'
import { CONTENDERS, type Contender } from './_logging-contenders.ts'
import { syslogSink } from './_logging-sink.ts'
import { median, number, table } from './_measure.ts'

const MESSAGES = 300_000
/** Messages that one turn of the event loop logs. */
const TURN = 100
const ROUNDS = 3

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

/** Processor time that turns of the event loop took, milliseconds, garbage collection included. */
interface Turns {
  readonly longest: number
  /** All but one in 10,000 are shorter. */
  readonly usual: number
  /** Turns longer than 5 ms. */
  readonly over: number
  readonly sent: number
}

/** Messages a millisecond. */
const RATE = 50
/** Another program may have the processor for long: what fell due meanwhile comes in turns of so many. */
const MOST = 5 * RATE

/** 50,000 messages a second for `seconds`, each millisecond those that fell due, while what the loop does is timed. */
async function turns(c: Pick<Contender, 'info'>, seconds: number): Promise<Turns> {
  const taken: number[] = []
  // The first messages find nothing compiled yet, whatever product they go to.
  for (let i = 0; i < 20_000; i++) {
    c.info(text(i))
    if (i % TURN === 0) await turn()
  }
  const start = performance.now()
  let sent = 0
  let last = cpuTime()
  for (let now = start; now - start < seconds * 1000; now = performance.now()) {
    const due = Math.min(Math.floor((now - start) * RATE), sent + MOST)
    while (sent < due) c.info(text(sent++))
    // Whatever the loop does until the next timer: several turns of it may be one of ours, never the other way about.
    await new Promise<void>((resolve) => setTimeout(resolve, 1))
    const cpu = cpuTime()
    taken.push(cpu - last)
    last = cpu
  }
  taken.sort((a, b) => a - b)
  const at = (share: number) => taken[Math.floor((taken.length - 1) * share)] ?? 0
  return { longest: at(1), usual: at(0.9999), over: taken.filter((t) => t > 5).length, sent }
}

/** The processor time of this thread. */
function cpuTime(): number {
  const time = threadTime()
  if (time === undefined) throw new Error('there is no clock of a thread without Linux and koffi')
  return time
}

async function one(kind: string, name: string, dir: string): Promise<unknown> {
  const make = CONTENDERS[name]
  // The machine's own part in it.
  if (!make) return turns({ info() {} }, 10)
  if (kind === 'throughput') return throughput(make, dir)
  const c = await make(dir)
  if (kind === 'off') return { text: c.dbg && off(c.dbg.text), fn: c.dbg?.fn && off(c.dbg.fn) }
  const r = await turns(c, 10)
  await c.end()
  return r
}

function inChild<T>(kind: string, name: string): T {
  const dir = mkdtempSync(join(tmpdir(), 'bench-logging-'))
  const self = fileURLToPath(import.meta.url)
  // Garbage is collected by the same thread alone, so that its time is in the turns.
  const flags = [...process.execArgv, ...(kind === 'turns' ? ['--single-threaded-gc'] : [])]
  const r = spawnSync(process.execPath, [...flags, self, '--one', kind, name, dir], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  rmSync(dir, { recursive: true })
  if (r.status !== 0) throw new Error(`${kind} of ${name}: ended with ${r.status}`)
  return JSON.parse(r.stdout.trim().split('\n').at(-1) ?? '') as T
}

const [flag, kind, name, dir] = process.argv.slice(2)
if (flag === '--sink') syslogSink(kind ?? '', name ?? '')
else if (flag === '--one') {
  console.log(JSON.stringify(await one(kind ?? '', name ?? '', dir ?? '')))
  process.exit(0)
} else report()

function report(): void {
  const names = Object.keys(CONTENDERS)
  /** Whose lines are in a file. */
  const written = names.filter((n) => !/syslog/.test(n))
  const rounds = new Map<string, Throughput[]>(written.map((n) => [n, []]))
  // In turns, so that what else the machine does meets all alike.
  for (let i = 0; i < ROUNDS; i++) for (const n of written) rounds.get(n)?.push(inChild('throughput', n))
  table(
    [`${MESSAGES} messages to a file, median of ${ROUNDS}`, 'messages/s', 'CPU', 'lost'],
    written.map((n) => {
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
  // The clock of a thread has the machine's interrupts in it: a turn that is the code's own is long in every round.
  const watched = ['nothing', ...names.filter((n) => !/^ours, text$|4 KiB/.test(n))]
  table(
    [`50,000 messages/s for 10 s: CPU, best of up to ${ROUNDS}`, 'longest turn', '99.99 %', 'over 5 ms', 'messages'],
    watched.map((n) => {
      let best = inChild<Turns>('turns', n)
      for (let i = 1; i < ROUNDS && best.over > 0; i++) {
        const r = inChild<Turns>('turns', n)
        if (r.longest < best.longest) best = r
      }
      return [n, number(best.longest, 'ms', 2), number(best.usual, 'ms', 2), String(best.over), String(best.sent)]
    }),
  )
}
