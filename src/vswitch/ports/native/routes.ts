import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { formatIpv4, type Ipv4, ipv4MaskLength, parseIpv4 } from '../../../address/ipv4.ts'
import { parseIpv6 } from '../../../address/ipv6.ts'

export interface Route {
  readonly network: Ipv4
  readonly mask: number
  readonly device: string
  readonly gateway: Ipv4
}

/** The kernel's IPv4 routes, from /proc/net/route (proc(5)); numbers there are in the host's order. */
export function readRoutes(text: string): Route[] {
  const out: Route[] = []
  const swap = (hex: string): number => {
    const v = Number.parseInt(hex, 16)
    return (((v & 0xff) << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24)) >>> 0
  }
  for (const line of text.split('\n').slice(1)) {
    const f = line.split('\t')
    const [device, destination, gateway, , , , , mask] = f
    if (!device || !destination || !gateway || !mask) continue
    out.push({ device: device.trim(), network: swap(destination), gateway: swap(gateway), mask: swap(mask) })
  }
  return out
}

/** What the host's own network stack says of addresses: which of its own leads to a remote one. */
export class HostRoutes {
  private cached: { routes: Route[]; at: number } | undefined

  /** @param monotonic milliseconds; what was read is believed for a second. */
  constructor(private readonly monotonic: () => number) {}

  private routes(): Route[] {
    const now = this.monotonic()
    if (!this.cached || now - this.cached.at > 1000) {
      let text = ''
      try {
        text = readFileSync('/proc/net/route', 'utf8')
      } catch {
        // no procfs: no routes
      }
      this.cached = { routes: readRoutes(text), at: now }
    }
    return this.cached.routes
  }

  source(remote: string): string | undefined {
    const all = networkInterfaces()
    const ip = parseIpv4(remote)
    if (ip === undefined) return parseIpv6(remote) === undefined ? undefined : sixOf(all)
    let best: Route | undefined
    for (const r of this.routes()) {
      if ((ip & r.mask) >>> 0 !== r.network) continue
      if (!best || r.mask > best.mask) best = r
    }
    for (const [device, addresses] of Object.entries(all)) {
      for (const a of addresses ?? []) if (a.family === 'IPv4' && a.address === remote) return remote
      if (device !== best?.device) continue
      const via = best.gateway || ip
      const own = addresses?.find(
        (a) => a.family === 'IPv4' && ((parseIpv4(a.address) ?? 0) ^ via) >>> 0 <= ~(parseIpv4(a.netmask) ?? 0) >>> 0,
      )
      const any = own ?? addresses?.find((a) => a.family === 'IPv4')
      if (any) return any.address
    }
    return undefined
  }

  /** Lines of `ovs/route/show`. */
  lines(): string[] {
    const all = networkInterfaces()
    const out: string[] = []
    for (const r of this.routes()) {
      const length = ipv4MaskLength(r.mask) ?? 0
      const src = all[r.device]?.find((a) => a.family === 'IPv4')?.address
      out.push(
        `${formatIpv4(r.network)}/${length} dev ${r.device}${r.gateway ? ` GW ${formatIpv4(r.gateway)}` : ''}${src ? ` SRC ${src}` : ''}`,
      )
    }
    for (const [device, addresses] of Object.entries(all)) {
      for (const a of addresses ?? []) {
        out.push(`${a.address}/${a.family === 'IPv4' ? 32 : 128} dev ${device} SRC ${a.address} local`)
        // All of the loopback network is this host.
        if (a.family === 'IPv4' && a.internal && a.address === '127.0.0.1') {
          out.push(`127.0.0.0/8 dev ${device} SRC ${a.address} local`)
        }
      }
    }
    return out
  }
}

function sixOf(all: ReturnType<typeof networkInterfaces>): string | undefined {
  for (const addresses of Object.values(all)) {
    const a = addresses?.find((x) => x.family === 'IPv6' && !x.internal && !x.address.startsWith('fe80'))
    if (a) return a.address
  }
  return undefined
}
