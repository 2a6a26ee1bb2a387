/** Of how many samples the 95th percentile is taken: the latest ones. */
const KEPT = 200

/** Weights of a new sample in the averages, as `stopwatch/show` calls them. */
const SHORT_TERM = 0.5
const LONG_TERM = 0.01

/** How long something takes, each time it is done. */
export class Stopwatch {
  private count = 0
  private least = Number.POSITIVE_INFINITY
  private most = 0
  private shortTerm = 0
  private longTerm = 0
  private latest: number[] = []
  /** Milliseconds from which on a sample is told of. */
  limit = Number.POSITIVE_INFINITY
  onLong: ((ms: number) => void) | undefined

  constructor(readonly name: string) {}

  /** @param ms how long it took, milliseconds. */
  sample(ms: number): void {
    if (this.count === 0) this.shortTerm = this.longTerm = ms
    else {
      this.shortTerm += SHORT_TERM * (ms - this.shortTerm)
      this.longTerm += LONG_TERM * (ms - this.longTerm)
    }
    this.latest[this.count % KEPT] = ms
    this.count++
    this.least = Math.min(this.least, ms)
    this.most = Math.max(this.most, ms)
    if (ms > this.limit) this.onLong?.(ms)
  }

  reset(): void {
    this.count = 0
    this.least = Number.POSITIVE_INFINITY
    this.most = this.shortTerm = this.longTerm = 0
    this.latest = []
  }

  /** Samples since the beginning or the last reset. */
  get samples(): number {
    return this.count
  }

  /** The latest sample, milliseconds; undefined before the first. */
  get last(): number | undefined {
    return this.latest[(this.count + KEPT - 1) % KEPT]
  }

  /** As `stopwatch/show` prints it. */
  get text(): string {
    const sorted = this.latest.toSorted((a, b) => a - b)
    const percentile = sorted[Math.max(0, Math.ceil(sorted.length * 0.95) - 1)] ?? 0
    return [
      `Statistics for '${this.name}'`,
      `  Total samples: ${this.count}`,
      `  Maximum: ${Math.round(this.most)} msec`,
      `  Minimum: ${this.count ? Math.round(this.least) : 0} msec`,
      `  95th percentile: ${percentile.toFixed(6)} msec`,
      `  Short term average: ${this.shortTerm.toFixed(6)} msec`,
      `  Long term average: ${this.longTerm.toFixed(6)} msec\n`,
    ].join('\n')
  }
}
