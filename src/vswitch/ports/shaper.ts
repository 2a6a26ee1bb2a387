import type { Clock, Timer } from '../../base/clock.ts'

/** Rates of one queue of a port (ovs-vswitchd.conf.db(5), Queue). */
export interface QueueRates {
  /** Guaranteed, bits a second; 0: nothing. */
  readonly minRate: number
  /** Never more than this, bits a second; 0: no limit of its own. */
  readonly maxRate: number
  /** What an idle queue may send at once, bits. */
  readonly burst: number
  /** Excess goes to the smallest first. */
  readonly priority: number
}

/** A port's QoS of type linux-htb or linux-hfsc. */
export interface ShaperConfig {
  /** All queues together, bits a second. */
  readonly maxRate: number
  readonly queues: ReadonlyMap<number, QueueRates>
}

/** Without a rate of its own, and where the link's is not known: 10 Gbit/s. */
export const DEFAULT_RATE = 10_000_000_000
/** Packets that wait in a queue before more are dropped, as many as Linux's default. */
const LENGTH = 1000
/** A burst is never smaller than what a timer lets pass: a packet, and 10 ms of the rate. */
const LEAST_BURST = 1600 * 8

/** Credits that grow with time, in bits. */
class Bucket {
  private tokens: number
  private since: number

  constructor(
    private readonly rate: number,
    private readonly capacity: number,
    now: number,
  ) {
    this.tokens = capacity
    this.since = now
  }

  refill(now: number): void {
    this.tokens = Math.min(this.capacity, this.tokens + ((now - this.since) * this.rate) / 1000)
    this.since = now
  }

  /** A packet may go while there is credit; it may overdraw it. */
  get ready(): boolean {
    return this.tokens > 0
  }

  take(bits: number): void {
    this.tokens -= bits
  }

  /** Milliseconds until there is credit again. */
  get wait(): number {
    return this.tokens > 0 ? 0 : ((1 - this.tokens) * 1000) / this.rate
  }
}

interface Queue {
  readonly rates: QueueRates
  readonly guaranteed: Bucket | undefined
  readonly ceiling: Bucket | undefined
  readonly waiting: Uint8Array[]
  packets: number
  bytes: number
  dropped: number
}

export interface QueueCounters {
  readonly queue: number
  readonly packets: number
  readonly bytes: number
  readonly dropped: number
}

const bucket = (rate: number, burst: number, now: number): Bucket =>
  new Bucket(rate, Math.max(burst, LEAST_BURST, rate / 100), now)

/** Holds frames of a port back so that its queues keep to their rates (tc-htb(8): guarantees, ceilings, priorities). */
export class Shaper {
  private readonly queues = new Map<number, Queue>()
  private readonly total: Bucket
  private timer: Timer | undefined

  constructor(
    private readonly clock: Clock,
    private readonly send: (frame: Uint8Array) => void,
    config: ShaperConfig,
  ) {
    const now = clock.monotonic()
    this.total = bucket(config.maxRate, 0, now)
    const all = new Map(config.queues)
    // what has no queue goes through number 0, which there always is
    if (!all.has(0)) all.set(0, { minRate: 0, maxRate: 0, burst: 0, priority: 0 })
    for (const [id, rates] of all) {
      this.queues.set(id, {
        rates,
        guaranteed: rates.minRate > 0 ? bucket(rates.minRate, rates.burst, now) : undefined,
        ceiling: rates.maxRate > 0 ? bucket(rates.maxRate, rates.burst, now) : undefined,
        waiting: [],
        packets: 0,
        bytes: 0,
        dropped: 0,
      })
    }
  }

  /** Takes a frame for a queue; one that is not configured is number 0. False: the queue is full, the frame is lost. */
  offer(id: number, frame: Uint8Array): boolean {
    const q = this.queues.get(id) ?? (this.queues.get(0) as Queue)
    if (q.waiting.length >= LENGTH) {
      q.dropped++
      return false
    }
    q.waiting.push(frame)
    this.run()
    return true
  }

  counters(): QueueCounters[] {
    return [...this.queues]
      .sort((a, b) => a[0] - b[0])
      .map(([queue, q]) => ({ queue, packets: q.packets, bytes: q.bytes, dropped: q.dropped }))
  }

  close(): void {
    this.timer?.cancel()
  }

  private run(): void {
    this.timer?.cancel()
    this.timer = undefined
    const now = this.clock.monotonic()
    this.total.refill(now)
    for (const q of this.queues.values()) {
      q.guaranteed?.refill(now)
      q.ceiling?.refill(now)
    }
    for (;;) {
      const q = this.next()
      if (!q) break
      const frame = q.waiting.shift() as Uint8Array
      const bits = frame.length * 8
      q.guaranteed?.take(bits)
      q.ceiling?.take(bits)
      this.total.take(bits)
      q.packets++
      q.bytes += frame.length
      this.send(frame)
    }
    let wait = Number.POSITIVE_INFINITY
    for (const q of this.queues.values()) {
      if (q.waiting.length === 0) continue
      const own = q.ceiling?.wait ?? 0
      wait = Math.min(wait, Math.max(own, Math.min(this.total.wait, q.guaranteed?.wait ?? Number.POSITIVE_INFINITY)))
    }
    if (Number.isFinite(wait)) this.timer = this.clock.after(Math.max(1, Math.ceil(wait)), () => this.run())
  }

  /** The queue whose turn it is: one that has less than its guarantee, else by priority while there is excess. */
  private next(): Queue | undefined {
    let best: Queue | undefined
    for (const q of this.queues.values()) {
      if (q.waiting.length === 0 || q.ceiling?.ready === false) continue
      if (q.guaranteed?.ready) return q
      if (this.total.ready && (!best || q.rates.priority < best.rates.priority)) best = q
    }
    return best
  }
}
