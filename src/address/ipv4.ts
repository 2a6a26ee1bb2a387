/** An IPv4 address as an unsigned 32-bit number. */
export type Ipv4 = number

const DECIMAL = /^(0|[1-9][0-9]{0,2})$/

/** `192.0.2.1`; undefined for anything else. */
export function parseIpv4(text: string): Ipv4 | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let v = 0
  for (const p of parts) {
    if (!DECIMAL.test(p)) return undefined
    const n = Number(p)
    if (n > 255) return undefined
    v = v * 256 + n
  }
  return v
}

export function formatIpv4(ip: Ipv4): string {
  return `${ip >>> 24}.${(ip >>> 16) & 255}.${(ip >>> 8) & 255}.${ip & 255}`
}

/** The mask of a prefix length, 0 to 32. */
export function ipv4Mask(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0
}

/** The prefix length of a mask, or undefined when its ones are not all in front. */
export function ipv4MaskLength(mask: number): number | undefined {
  const inverse = ~mask >>> 0
  if ((inverse & (inverse + 1)) !== 0) return undefined
  return Math.clz32(inverse)
}

export function isMulticastIpv4(ip: Ipv4): boolean {
  return ip >>> 28 === 0xe
}
