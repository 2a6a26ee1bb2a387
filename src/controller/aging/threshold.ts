import { parseIpv4 } from '../../address/ipv4.ts'
import { parseIpv6 } from '../../address/ipv6.ts'
import { contains, type Prefix, parsePrefix } from '../../address/prefix.ts'

/** After how many seconds without use something may be forgotten, by address. */
export interface Thresholds {
  /** Longest prefix first. */
  readonly prefixes: readonly { readonly prefix: Prefix; readonly seconds: number }[]
  /** Of all others; 0: never. */
  readonly fallback: number
}

/** `192.168.0.0/16:300;fd00::/64:100;600` (ovn-nb(5), Logical_Router options:mac_binding_age_threshold). */
export function parseThresholds(text: string | undefined): Thresholds {
  const prefixes: { prefix: Prefix; seconds: number }[] = []
  let fallback = 0
  for (const part of (text ?? '').split(';')) {
    const colon = part.lastIndexOf(':')
    const seconds = Number(part.slice(colon + 1))
    if (part === '' || !Number.isInteger(seconds) || seconds < 0) continue
    if (colon < 0) {
      fallback = seconds
      continue
    }
    const prefix = parsePrefix(part.slice(0, colon).replace(/^\[|\]$/g, ''))
    if (prefix) prefixes.push({ prefix, seconds })
  }
  prefixes.sort((a, b) => b.prefix.length - a.prefix.length)
  return { prefixes, fallback }
}

/** The threshold of an address in seconds; 0: it is never forgotten. */
export function thresholdOf(t: Thresholds, address: string): number {
  const ip = parseIpv4(address) ?? parseIpv6(address)
  if (ip !== undefined) for (const { prefix, seconds } of t.prefixes) if (contains(prefix, ip)) return seconds
  return t.fallback
}
