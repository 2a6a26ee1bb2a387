import type { Clock } from '../../base/clock.ts'
import { Dependency, type Effect, type Generation } from '../datapath/dependency.ts'
import type { BridgePort } from '../ofproto/port.ts'

export class MacEntry implements Effect {
  constructor(
    readonly vlan: number,
    readonly mac: number,
    public port: BridgePort,
    public used: number,
    readonly fixed: boolean,
  ) {}

  credit(_packets: number, _bytes: number, now: number): void {
    if (now > this.used) this.used = now
  }
}

/** The addresses that NORMAL has learned (IEEE 802.1Q §8.8), by VLAN. */
export class MacTable {
  private readonly entries = new Map<string, MacEntry>()
  readonly dependency: Dependency
  /** Milliseconds (ovs-vswitchd.conf.db(5), mac-aging-time). */
  aging = 300_000
  limit = 8192
  /** What has happened to learned entries since the start, or since `fdb/stats-clear`. */
  readonly statistics = { learned: 0, expired: 0, evicted: 0, moved: 0 }

  constructor(
    private readonly clock: Clock,
    generation: Generation,
  ) {
    this.dependency = new Dependency(generation)
  }

  get(vlan: number, mac: number): MacEntry | undefined {
    const e = this.entries.get(`${vlan} ${mac}`)
    if (!e) return undefined
    if (!e.fixed && this.clock.monotonic() - e.used >= this.aging) {
      this.entries.delete(`${vlan} ${mac}`)
      this.statistics.expired++
      this.dependency.changed()
      return undefined
    }
    return e
  }

  learn(vlan: number, mac: number, port: BridgePort): MacEntry | undefined {
    const key = `${vlan} ${mac}`
    const now = this.clock.monotonic()
    const old = this.entries.get(key)
    if (old) {
      if (old.fixed) return undefined
      if (old.port !== port) {
        old.port = port
        this.statistics.moved++
        this.dependency.changed()
      }
      old.used = now
      return old
    }
    if (this.entries.size >= this.limit) this.evict()
    const e = new MacEntry(vlan, mac, port, now, false)
    this.statistics.learned++
    this.entries.set(key, e)
    this.dependency.changed()
    return e
  }

  /** The least recently used goes. */
  private evict(): void {
    let oldest: MacEntry | undefined
    for (const e of this.entries.values()) if (!e.fixed && (!oldest || e.used < oldest.used)) oldest = e
    if (!oldest) return
    this.entries.delete(`${oldest.vlan} ${oldest.mac}`)
    this.statistics.evicted++
  }

  add(vlan: number, mac: number, port: BridgePort): void {
    this.entries.set(`${vlan} ${mac}`, new MacEntry(vlan, mac, port, this.clock.monotonic(), true))
    this.dependency.changed()
  }

  delete(vlan: number, mac: number): boolean {
    const found = this.entries.delete(`${vlan} ${mac}`)
    if (found) this.dependency.changed()
    return found
  }

  flush(which: (e: MacEntry) => boolean = () => true): void {
    let n = 0
    for (const [key, e] of this.entries) {
      if (!which(e)) continue
      this.entries.delete(key)
      n++
    }
    if (n) this.dependency.changed()
  }

  all(): MacEntry[] {
    const now = this.clock.monotonic()
    return [...this.entries.values()].filter((e) => e.fixed || now - e.used < this.aging)
  }
}
