import { formatIpv4, type Ipv4, ipv4Mask, ipv4MaskLength, parseIpv4 } from './ipv4.ts'
import { formatIpv6, type Ipv6, ipv6Mask, ipv6MaskLength, parseIpv6 } from './ipv6.ts'

/** An address with a prefix length: `address` keeps its host bits, `network` has none. */
export type Prefix =
  | { readonly family: 4; readonly address: Ipv4; readonly length: number; readonly network: Ipv4 }
  | { readonly family: 6; readonly address: Ipv6; readonly length: number; readonly network: Ipv6 }

/** `10.0.0.1/24`, `10.0.0.1/255.255.255.0`, `fd00::1/64`, or a bare address (the whole length). */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/')
  const host = slash < 0 ? text : text.slice(0, slash)
  const mask = slash < 0 ? undefined : text.slice(slash + 1)
  const v4 = parseIpv4(host)
  if (v4 !== undefined) {
    const length = mask === undefined ? 32 : maskLength(mask, 32)
    if (length === undefined) return undefined
    return { family: 4, address: v4, length, network: (v4 & ipv4Mask(length)) >>> 0 }
  }
  const v6 = parseIpv6(host)
  if (v6 === undefined) return undefined
  const length = mask === undefined ? 128 : maskLength(mask, 128)
  if (length === undefined) return undefined
  return { family: 6, address: v6, length, network: v6 & ipv6Mask(length) }
}

function maskLength(text: string, bits: number): number | undefined {
  if (/^[0-9]{1,3}$/.test(text)) return Number(text) <= bits ? Number(text) : undefined
  if (bits === 32) {
    const m = parseIpv4(text)
    return m === undefined ? undefined : ipv4MaskLength(m)
  }
  const m = parseIpv6(text)
  return m === undefined ? undefined : ipv6MaskLength(m)
}

/** The address alone. */
export function formatAddress(p: Prefix): string {
  return p.family === 4 ? formatIpv4(p.address) : formatIpv6(p.address)
}

/** The network without host bits, `10.0.0.0/24`; without the length where it is the whole address. */
export function formatNetwork(p: Prefix): string {
  const host = p.family === 4 ? formatIpv4(p.network) : formatIpv6(p.network)
  return p.length === (p.family === 4 ? 32 : 128) ? host : `${host}/${p.length}`
}

export function contains(p: Prefix, address: Ipv4 | Ipv6): boolean {
  if (p.family === 4) return typeof address === 'number' && (address & ipv4Mask(p.length)) >>> 0 === p.network
  return typeof address === 'bigint' && (address & ipv6Mask(p.length)) === p.network
}
