import { parseIp } from '../address/ip.ts'
import { formatAddress, type Prefix, parsePrefix } from '../address/prefix.ts'

/** A line of `ovs/route/show`, read. */
interface Route {
  readonly prefix: Prefix
  readonly device: string
  readonly gateway: string | undefined
  readonly source: string | undefined
}

function readRoute(line: string): Route | undefined {
  const [, network, device, gateway, source] = /^(\S+) dev (\S+)(?: GW (\S+))?(?: SRC (\S+))?/.exec(line) ?? []
  const prefix = network === undefined ? undefined : parsePrefix(network)
  return prefix && device !== undefined ? { prefix, device, gateway, source } : undefined
}

function contains(route: Prefix, host: Prefix): boolean {
  if (route.family === 4 && host.family === 4) {
    return route.length === 0 || (route.network ^ host.network) >>> (32 - route.length) === 0
  }
  if (route.family === 6 && host.family === 6) {
    const free = BigInt(128 - route.length)
    return route.network >> free === host.network >> free
  }
  return false
}

/**
 * `ovs/route/lookup ADDRESS [pkt_mark=MARK] [src=ADDRESS]`: the route with the longest prefix.
 * @param lines as `ovs/route/show` has them
 */
export function lookUpRoute(lines: Iterable<string>, args: readonly string[]): string | Error {
  const [address = '', ...options] = args
  const host = parseIp(address) === undefined ? undefined : parsePrefix(address)
  if (!host) return new Error("Invalid 'ip/plen' parameter")
  const routes = [...lines].flatMap((line) => readRoute(line) ?? [])
  for (const option of options) {
    const [, mark, source] = /^(?:pkt_mark=(\d+|0x[0-9a-f]+)|src=(.+))$/i.exec(option) ?? []
    if (mark === undefined && (source === undefined || parseIp(source) === undefined)) {
      return new Error('Invalid pkt_mark or src')
    }
    // Routes here are those of packets without a mark, from addresses of this host.
    if (mark !== undefined && Number(mark) !== 0) return new Error('Not found')
    if (source !== undefined && !routes.some((r) => r.source === source)) return new Error('Not found')
  }
  const [best] = routes.filter((r) => contains(r.prefix, host)).toSorted((a, b) => b.prefix.length - a.prefix.length)
  if (!best) return new Error('Not found')
  return `src ${best.source ?? formatAddress(host)}\ngateway ${best.gateway ?? '::'}\ndev ${best.device}\n`
}
