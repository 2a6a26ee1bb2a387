import type { Ip, MulticastReport } from '../packet-in/effect.ts'

export interface MulticastLimits {
  /** Groups of a datapath. */
  readonly tableSize: number
  /** Seconds after which a port that does not report any more is forgotten. */
  readonly idleTimeout: number
}

interface Member {
  protocol: string
  expires: number
}

export interface Group {
  readonly protocol: string
  /** Tunnel keys, ascending. */
  readonly ports: readonly number[]
}

/** A multicast router is believed to be there this many seconds after its last query (RFC 3376 §8.12). */
const ROUTER_TIMEOUT = 300

/** Who listens to what in one switch, from what its ports reported (RFC 4541). Times in milliseconds. */
export class MulticastGroups {
  private readonly groups = new Map<Ip, Map<number, Member>>()
  private readonly routers = new Map<number, number>()

  /** Takes reports from a port; true if anything changed but times. */
  report(port: number, reports: readonly MulticastReport[], limits: MulticastLimits, now: number): boolean {
    let changed = false
    for (const r of reports) {
      if (r.change === 'query') {
        if (!this.routers.has(port)) changed = true
        this.routers.set(port, now + 1000 * ROUTER_TIMEOUT)
        continue
      }
      const members = this.groups.get(r.group)
      if (r.change === 'leave') {
        if (members?.delete(port)) changed = true
        if (members?.size === 0) this.groups.delete(r.group)
        continue
      }
      // A multicast router's port gets everything as it is.
      if (this.routers.has(port)) continue
      if (!members && this.groups.size >= limits.tableSize) continue
      const into = members ?? new Map<number, Member>()
      if (!members) this.groups.set(r.group, into)
      const member = into.get(port)
      if (member?.protocol !== r.protocol) changed = true
      into.set(port, { protocol: r.protocol, expires: now + 1000 * limits.idleTimeout })
    }
    return changed
  }

  /** Forgets what is too old; true if there was any. */
  expire(now: number): boolean {
    let changed = false
    for (const [group, members] of this.groups) {
      for (const [port, m] of members) if (m.expires <= now && members.delete(port)) changed = true
      if (members.size === 0) this.groups.delete(group)
    }
    for (const [port, expires] of this.routers) if (expires <= now && this.routers.delete(port)) changed = true
    return changed
  }

  /** The moment when `expire` next has something to do. */
  next(): number | undefined {
    let next: number | undefined
    const consider = (t: number) => {
      if (next === undefined || t < next) next = t
    }
    for (const members of this.groups.values()) for (const m of members.values()) consider(m.expires)
    for (const t of this.routers.values()) consider(t)
    return next
  }

  flush(): void {
    this.groups.clear()
    this.routers.clear()
  }

  get addresses(): readonly Ip[] {
    return [...this.groups.keys()]
  }

  group(address: Ip): Group | undefined {
    const members = this.groups.get(address)
    if (!members) return undefined
    const ports = [...members.keys()].sort((a, b) => a - b)
    return { protocol: [...members.values()].at(-1)?.protocol ?? '', ports }
  }

  /** Ports with a multicast router behind them. */
  get routerPorts(): readonly number[] {
    return [...this.routers.keys()].sort((a, b) => a - b)
  }
}
