import type { Ip } from '../address/ip.ts'
import type { Mac } from '../address/mac.ts'
import type { Clock, Timer } from '../base/clock.ts'

type Waiting = (mac: Mac | undefined) => void

interface Entry {
  readonly ip: Ip
  mac: Mac | undefined
  /** incomplete: asking; reachable: confirmed lately; stale: old; delay: old and used, soon to be asked about; probe: asking again. */
  state: 'incomplete' | 'reachable' | 'stale' | 'delay' | 'probe'
  waiting: Waiting[]
  tries: number
  timer: Timer | undefined
}

/** What an entry looks like from outside. */
export interface Neighbor {
  readonly ip: Ip
  readonly mac: Mac | undefined
  readonly state: Entry['state']
}

export interface NeighborTimes {
  /** Milliseconds a confirmation lasts. */
  readonly reachable: number
  /** Milliseconds from the use of an old entry until it is asked about (RFC 4861 §10). */
  readonly delay: number
  /** Milliseconds between solicitations, and how many there are. */
  readonly interval: number
  readonly tries: number
}

const TIMES: NeighborTimes = { reachable: 30_000, delay: 5000, interval: 1000, tries: 3 }

/** Packets that may wait for one address; more are dropped, oldest first. */
const MAX_WAITING = 64
/** Entries kept; beyond, the oldest resolved one goes. */
const MAX_ENTRIES = 4096

/**
 * Link-layer addresses of neighbours, for ARP (RFC 826, RFC 1122 §2.3.2) and neighbour discovery
 * (RFC 4861 §7.3) alike: asks, asks again, gives up, and asks anew when a confirmation grows old.
 */
export class NeighborCache {
  private readonly entries = new Map<Ip, Entry>()

  constructor(
    private readonly clock: Clock,
    /** Sends a solicitation: to all, or to the address known so far. */
    private readonly solicit: (ip: Ip, known: Mac | undefined) => void,
    private readonly times: NeighborTimes = TIMES,
  ) {}

  /** Calls back with the address, at once if it is known; undefined when nobody answers. */
  resolve(ip: Ip, done: Waiting): void {
    const entry = this.entries.get(ip) ?? this.create(ip)
    if (entry.mac !== undefined) {
      if (entry.state === 'stale') {
        entry.state = 'delay'
        entry.timer = this.clock.after(this.times.delay, () => this.ask(entry, 'probe'))
      }
      done(entry.mac)
      return
    }
    entry.waiting.push(done)
    if (entry.waiting.length > MAX_WAITING) entry.waiting.shift()?.(undefined)
    if (!entry.timer) this.ask(entry, 'incomplete')
  }

  /** What a neighbour said. Only `create` makes an entry for an address nobody here asked for. */
  learn(ip: Ip, mac: Mac, { create, confirmed }: { create: boolean; confirmed: boolean }): void {
    const entry = this.entries.get(ip) ?? (create ? this.create(ip) : undefined)
    if (!entry) return
    const changed = entry.mac !== mac
    entry.mac = mac
    if (confirmed) {
      entry.timer?.cancel()
      entry.state = 'reachable'
      entry.timer = this.clock.after(this.times.reachable, () => {
        entry.state = 'stale'
        entry.timer = undefined
      })
    } else if (changed || entry.state === 'incomplete') {
      entry.timer?.cancel()
      entry.timer = undefined
      entry.state = 'stale'
    }
    this.release(entry, mac)
  }

  /** The address known now, if any. */
  lookup(ip: Ip): Mac | undefined {
    return this.entries.get(ip)?.mac
  }

  list(): Neighbor[] {
    return [...this.entries.values()].map(({ ip, mac, state }) => ({ ip, mac, state }))
  }

  /** Forgets one address, or all; what waits is told that nobody answered. */
  flush(ip?: Ip): void {
    for (const entry of [...this.entries.values()]) if (ip === undefined || entry.ip === ip) this.drop(entry)
  }

  private create(ip: Ip): Entry {
    if (this.entries.size >= MAX_ENTRIES) {
      const oldest = [...this.entries.values()].find((e) => e.mac !== undefined)
      if (oldest) this.drop(oldest)
    }
    const entry: Entry = { ip, mac: undefined, state: 'incomplete', waiting: [], tries: 0, timer: undefined }
    this.entries.set(ip, entry)
    return entry
  }

  private ask(entry: Entry, state: 'incomplete' | 'probe'): void {
    entry.state = state
    entry.tries = 0
    this.askAgain(entry)
  }

  private askAgain(entry: Entry): void {
    if (entry.tries >= this.times.tries) {
      this.drop(entry)
      return
    }
    entry.tries++
    entry.timer = this.clock.after(this.times.interval, () => this.askAgain(entry))
    this.solicit(entry.ip, entry.state === 'probe' ? entry.mac : undefined)
  }

  private drop(entry: Entry): void {
    entry.timer?.cancel()
    this.entries.delete(entry.ip)
    this.release(entry, undefined)
  }

  private release(entry: Entry, mac: Mac | undefined): void {
    const waiting = entry.waiting
    entry.waiting = []
    for (const done of waiting) done(mac)
  }
}
