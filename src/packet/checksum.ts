import type { Ipv4 } from '../address/ipv4.ts'
import type { Ipv6 } from '../address/ipv6.ts'

/**
 * The Internet checksum (RFC 1071): sums are kept unfolded (below 2^53 for anything that fits in
 * memory), `fold` brings one down to 16 bits, the checksum is its complement.
 */
export function sum16(bytes: Uint8Array, initial = 0): number {
  let sum = initial
  const even = bytes.length & ~1
  for (let i = 0; i < even; i += 2) sum += ((bytes[i] as number) << 8) | (bytes[i + 1] as number)
  if (even !== bytes.length) sum += (bytes[even] as number) << 8
  return sum
}

/** A sum brought down to 16 bits with end-around carry. */
export function fold(sum: number): number {
  while (sum > 0xffff) sum = Math.floor(sum / 0x10000) + (sum % 0x10000)
  return sum
}

/** The checksum of bytes whose own checksum field is zero; 0 of bytes whose checksum is right. */
export function checksum(bytes: Uint8Array, initial = 0): number {
  return ~fold(sum16(bytes, initial)) & 0xffff
}

/** The two addresses of a packet: numbers for IPv4, bigints for IPv6. */
export interface Endpoints {
  readonly src: Ipv4 | Ipv6
  readonly dst: Ipv4 | Ipv6
}

function addressSum(ip: Ipv4 | Ipv6): number {
  if (typeof ip === 'number') return (ip >>> 16) + (ip & 0xffff)
  let sum = 0
  for (let rest = ip; rest; rest >>= 16n) sum += Number(rest & 0xffffn)
  return sum
}

/** The sum over the pseudo-header of TCP, UDP (RFC 9293 §3.1) and ICMPv6 (RFC 8200 §8.1). */
export function pseudoSum(ends: Endpoints, protocol: number, length: number): number {
  return addressSum(ends.src) + addressSum(ends.dst) + protocol + (length >>> 16) + (length & 0xffff)
}

/** The checksum of a whole transport packet (its checksum field zero) between two addresses. */
export function transportChecksum(ends: Endpoints, protocol: number, segment: Uint8Array): number {
  return checksum(segment, pseudoSum(ends, protocol, segment.length))
}

/** A checksum after one 16-bit word it covers changed (RFC 1624 §3, equation 3). */
export function updateChecksum16(old: number, from: number, to: number): number {
  return ~fold((~old & 0xffff) + (~from & 0xffff) + to) & 0xffff
}

/** A checksum after an aligned 32-bit word it covers changed. */
export function updateChecksum32(old: number, from: number, to: number): number {
  return updateChecksum16(updateChecksum16(old, from >>> 16, to >>> 16), from & 0xffff, to & 0xffff)
}

/** A checksum after an aligned IPv6 address it covers changed. */
export function updateChecksum128(old: number, from: Ipv6, to: Ipv6): number {
  return ~fold((~old & 0xffff) + (~fold(addressSum(from)) & 0xffff) + fold(addressSum(to))) & 0xffff
}

const CRC32C = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1
  return c >>> 0
})

/** CRC-32C (Castagnoli), as SCTP has it (RFC 9260 appendix A). */
export function crc32c(bytes: Uint8Array): number {
  let c = 0xffffffff
  for (let i = 0; i < bytes.length; i++) c = (c >>> 8) ^ (CRC32C[(c ^ (bytes[i] as number)) & 0xff] as number)
  return ~c >>> 0
}
