import type { Clock } from '../base/clock.ts'
import { eventCounters } from '../base/event-counter.ts'

/** How often the counters are read for the rates, milliseconds; and how many readings an hour has. */
const INTERVAL = 5000
const MINUTE = 12
const HOUR = 720

/** What has happened how often, by name. */
export type Counts = () => Iterable<readonly [name: string, total: number]>

/** The program's own counters. */
export function* processCounts(): Iterable<readonly [string, number]> {
  for (const { name, total } of eventCounters()) yield [name, total]
}

/** Event counters with their rates over the last five seconds, minute and hour (ovs-appctl(8), COVERAGE). */
export class Coverage {
  /** The totals at each reading, the latest first. */
  private readings: ReadonlyMap<string, number>[] = []

  constructor(
    private readonly counts: Counts,
    private readonly clock: Clock,
  ) {
    this.read()
  }

  private read(): void {
    this.readings = [new Map(this.counts()), ...this.readings.slice(0, HOUR)]
    this.clock.after(INTERVAL, () => this.read())
  }

  /** Events a second over the last `intervals` readings; before that many are there, the rest counts as none. */
  private rate(name: string, intervals: number): number {
    const now = this.readings[0]?.get(name) ?? 0
    const then = this.readings[Math.min(intervals, this.readings.length - 1)]?.get(name) ?? 0
    return (now - then) / ((intervals * INTERVAL) / 1000)
  }

  counter(name: string): number | undefined {
    for (const [known, total] of this.counts()) if (known === name) return total
    return undefined
  }

  /** As `coverage/show` prints it: counters that were hit, and how many were not. */
  get text(): string {
    const all = [...this.counts()]
    const hit = all.filter(([, total]) => total > 0)
    const fixed = (n: number, width: number, digits: number) => n.toFixed(digits).padStart(width)
    const lines = hit.map(
      ([name, total]) =>
        `${name.padEnd(24)} ${fixed(this.rate(name, 1), 5, 1)}/sec ${fixed(this.rate(name, MINUTE), 9, 3)}/sec ` +
        `${fixed(this.rate(name, HOUR), 13, 4)}/sec   total: ${total}\n`,
    )
    const head = `Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash=${hash(hit)}:\n`
    return `${head}${lines.join('')}${all.length - hit.length} events never hit\n`
  }
}

/** The same for the same counters in the same orders of magnitude: tells alike dumps from others at a glance. */
function hash(hit: readonly (readonly [string, number])[]): string {
  let h = 0x811c9dc5
  for (const [name, total] of hit) {
    for (const c of `${name}:${Math.floor(Math.log2(total))};`) h = Math.imul(h ^ (c.codePointAt(0) ?? 0), 0x01000193)
  }
  return (h >>> 0).toString(16).padStart(8, '0')
}
