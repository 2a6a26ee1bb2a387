import { formatIpv4, type Ipv4, isMulticastIpv4, parseIpv4 } from './ipv4.ts'
import { formatIpv6, type Ipv6, parseIpv6 } from './ipv6.ts'
import type { Prefix } from './prefix.ts'

/** An address of either family: a number is IPv4, a bigint IPv6. */
export type Ip = Ipv4 | Ipv6

export function parseIp(text: string): Ip | undefined {
  return parseIpv4(text) ?? parseIpv6(text)
}

export function formatIp(ip: Ip): string {
  return typeof ip === 'number' ? formatIpv4(ip) : formatIpv6(ip)
}

export function isMulticast(ip: Ip): boolean {
  return typeof ip === 'number' ? isMulticastIpv4(ip) : ip >> 120n === 0xffn
}

/** fe80::/10 (RFC 4291 §2.4). */
export function isLinkLocal(ip: Ip): boolean {
  return typeof ip === 'bigint' && ip >> 118n === 0x3fan
}

/** The MAC address of a multicast group (RFC 1112 §6.4, RFC 2464 §7). */
export function multicastMac(ip: Ip): number {
  return typeof ip === 'number' ? 0x0100_5e00_0000 + (ip & 0x7f_ffff) : 0x3333_0000_0000 + Number(ip & 0xffff_ffffn)
}

/** The last address of an IPv4 network of at most 30 bits: its directed broadcast. */
export function broadcastOf(p: Prefix): Ipv4 | undefined {
  if (p.family !== 4 || p.length > 30) return undefined
  return (p.network | (0xffffffff >>> p.length)) >>> 0
}
