import { parseIpv4 } from './ipv4.ts'
import { eui64, type Mac } from './mac.ts'

/** An IPv6 address as an unsigned 128-bit bigint. */
export type Ipv6 = bigint

/** Any text form of RFC 4291 §2.2, an embedded IPv4 address too; undefined for anything else. */
export function parseIpv6(text: string): Ipv6 | undefined {
  if (!/^[0-9a-fA-F:.]+$/.test(text) || text.length > 45) return undefined
  let head = text
  let tail: number[] = []
  const lastColon = text.lastIndexOf(':')
  if (text.includes('.')) {
    if (lastColon < 0) return undefined
    const v4 = parseIpv4(text.slice(lastColon + 1))
    if (v4 === undefined) return undefined
    tail = [v4 >>> 16, v4 & 0xffff]
    head = text.slice(0, lastColon + 1)
    head = head.endsWith('::') ? head : head.slice(0, -1)
  }
  const halves = head.split('::')
  if (halves.length > 2) return undefined
  const words = (s: string): number[] | undefined => {
    if (s === '') return []
    const out: number[] = []
    for (const w of s.split(':')) {
      if (!/^[0-9a-fA-F]{1,4}$/.test(w)) return undefined
      out.push(Number.parseInt(w, 16))
    }
    return out
  }
  const left = words(halves[0] as string)
  const right = halves.length === 2 ? words(halves[1] as string) : []
  if (!left || !right) return undefined
  const count = left.length + right.length + tail.length
  let all: number[]
  if (halves.length === 2) {
    if (count > 7) return undefined
    all = [...left, ...new Array<number>(8 - count).fill(0), ...right, ...tail]
  } else {
    if (count !== 8) return undefined
    all = [...left, ...tail]
  }
  let v = 0n
  for (const w of all) v = (v << 16n) | BigInt(w)
  return v
}

/** The canonical text (RFC 5952), as inet_ntop prints it. */
export function formatIpv6(ip: Ipv6): string {
  const w: number[] = []
  for (let i = 7; i >= 0; i--) w.push(Number((ip >> BigInt(16 * i)) & 0xffffn))
  let best = -1
  let length = 1
  for (let i = 0; i < 8; ) {
    let n = 0
    while (i + n < 8 && w[i + n] === 0) n++
    if (n > length) {
      best = i
      length = n
    }
    i += n || 1
  }
  const hex = (words: number[]) => words.map((x) => x.toString(16)).join(':')
  const v4 = () =>
    `${(w[6] as number) >> 8}.${(w[6] as number) & 255}.${(w[7] as number) >> 8}.${(w[7] as number) & 255}`
  if (best === 0 && (length === 6 || (length === 5 && w[5] === 0xffff))) {
    return length === 5 ? `::ffff:${v4()}` : `::${v4()}`
  }
  if (best < 0) return hex(w)
  return `${hex(w.slice(0, best))}::${hex(w.slice(best + length))}`
}

export function ipv6Mask(length: number): bigint {
  return length === 0 ? 0n : ((1n << BigInt(length)) - 1n) << BigInt(128 - length)
}

export function ipv6MaskLength(mask: bigint): number | undefined {
  const inverse = ~mask & ((1n << 128n) - 1n)
  if ((inverse & (inverse + 1n)) !== 0n) return undefined
  return 128 - (inverse === 0n ? 0 : inverse.toString(2).length)
}

/** fe80::/64 with the EUI-64 of a MAC address (RFC 4862 §5.3, RFC 2464 §4). */
export function linkLocal(mac: Mac): Ipv6 {
  return (0xfe80n << 112n) | eui64(mac)
}

/** ff02::1:ffXX:XXXX of an address (RFC 4291 §2.7.1). */
export function solicitedNode(ip: Ipv6): Ipv6 {
  return (0xff02n << 112n) | 0x1_ff00_0000n | (ip & 0xff_ffffn)
}
