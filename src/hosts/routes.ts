import { formatIp, type Ip } from '../address/ip.ts'
import { contains, formatNetwork, type Prefix, parsePrefix } from '../address/prefix.ts'
import type { NetInterface } from './interface.ts'

/** A way to a network: through a gateway, or directly on the interface's link. */
export interface Route {
  readonly prefix: Prefix
  readonly gateway?: Ip
  readonly interface: NetInterface
  /** Smaller is better among routes of one prefix. */
  readonly metric: number
  /** Who put it there. */
  readonly origin: 'connected' | 'static' | 'dhcp' | 'ra'
  /** The largest packet this way, when smaller than the interface's. */
  readonly mtu?: number
}

/** Routes of a host: the longest prefix wins, then the least metric, then the older one. */
export class RoutingTable {
  private routes: Route[] = []

  add(route: Route): void {
    this.routes.push(route)
  }

  remove(which: (route: Route) => boolean): number {
    const before = this.routes.length
    this.routes = this.routes.filter((r) => !which(r))
    return before - this.routes.length
  }

  list(): readonly Route[] {
    return this.routes
  }

  lookup(dst: Ip, out?: NetInterface): Route | undefined {
    let best: Route | undefined
    for (const r of this.routes) {
      if (!r.interface.up || (out && r.interface !== out) || !contains(r.prefix, dst)) continue
      const longer = !best || r.prefix.length > best.prefix.length
      if (longer || (best && r.prefix.length === best.prefix.length && r.metric < best.metric)) best = r
    }
    return best
  }

  /** As `ip route` prints them. */
  lines(): string[] {
    return this.routes.map((r) => {
      const to = r.prefix.length === 0 ? 'default' : formatNetwork(r.prefix)
      const via = r.gateway === undefined ? '' : ` via ${formatIp(r.gateway)}`
      return `${to}${via} dev ${r.interface.name}${r.metric ? ` metric ${r.metric}` : ''}`
    })
  }
}

/** `default`, or a prefix as text; throws for what is neither. */
export function destination(text: string, family: 4 | 6): Prefix {
  const prefix = parsePrefix(text === 'default' ? (family === 4 ? '0.0.0.0/0' : '::/0') : text)
  if (!prefix) throw new Error(`${text}: not a destination`)
  return prefix
}
