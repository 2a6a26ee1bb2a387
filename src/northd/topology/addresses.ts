import { formatIpv4, type Ipv4, ipv4Mask } from '../../address/ipv4.ts'
import { formatIpv6, type Ipv6, ipv6Mask, linkLocal, solicitedNode } from '../../address/ipv6.ts'
import { formatMac, type Mac, parseMac } from '../../address/mac.ts'
import { parsePrefix } from '../../address/prefix.ts'

/** An IPv4 address of a port with its network, as texts ready for matches. */
export interface Network4 {
  readonly family: 4
  readonly address: string
  readonly value: Ipv4
  readonly length: number
  /** The network's address without its length. */
  readonly network: string
  /** `10.0.0.0/24`, or the bare address for a whole length. */
  readonly prefix: string
  readonly broadcast: string
}

/** An IPv6 address of a port with its network, as texts ready for matches. */
export interface Network6 {
  readonly family: 6
  readonly address: string
  readonly value: Ipv6
  readonly length: number
  readonly network: string
  readonly prefix: string
  /** The solicited-node multicast address (RFC 4291 §2.7.1). */
  readonly solicited: string
  /** A router port's link-local address that nobody configured. */
  readonly automatic?: boolean
}

export type Network = Network4 | Network6

/** A MAC address and the IP addresses behind it: one entry of `Logical_Switch_Port.addresses`. */
export interface PortAddresses {
  readonly mac: string
  readonly macValue: Mac
  readonly v4: readonly Network4[]
  readonly v6: readonly Network6[]
}

export function network4(value: Ipv4, length: number): Network4 {
  const mask = ipv4Mask(length)
  const net = (value & mask) >>> 0
  const network = formatIpv4(net)
  return {
    family: 4,
    address: formatIpv4(value),
    value,
    length,
    network,
    prefix: length === 32 ? network : `${network}/${length}`,
    broadcast: formatIpv4((value | ~mask) >>> 0),
  }
}

export function network6(value: Ipv6, length: number): Network6 {
  const network = formatIpv6(value & ipv6Mask(length))
  return {
    family: 6,
    address: formatIpv6(value),
    value,
    length,
    network,
    prefix: length === 128 ? network : `${network}/${length}`,
    solicited: formatIpv6(solicitedNode(value)),
  }
}

/** `192.0.2.1`, `192.0.2.1/24`, `fd00::1/64`; undefined for anything else. */
export function parseNetwork(text: string): Network | undefined {
  const p = parsePrefix(text)
  if (!p) return undefined
  return p.family === 4 ? network4(p.address, p.length) : network6(p.address, p.length)
}

/**
 * `MAC [IP]...`: what follows the first word that is no address is ignored; undefined without a
 * MAC address in front.
 */
export function parseAddresses(text: string): PortAddresses | undefined {
  const words = text.trim().split(/\s+/)
  const macValue = parseMac(words[0] ?? '')
  if (macValue === undefined) return undefined
  const v4: Network4[] = []
  const v6: Network6[] = []
  for (const word of words.slice(1)) {
    const n = parseNetwork(word)
    if (!n) break
    if (n.family === 4) v4.push(n)
    else v6.push(n)
  }
  return { mac: formatMac(macValue), macValue, v4, v6 }
}

/** A router port's addresses: its networks, and its link-local address unless one is among them. */
export function routerAddresses(mac: string, networks: readonly string[]): PortAddresses | undefined {
  const macValue = parseMac(mac.trim().split(/\s+/)[0] ?? '')
  if (macValue === undefined) return undefined
  const v4: Network4[] = []
  const v6: Network6[] = []
  for (const text of networks) {
    const n = parseNetwork(text)
    if (!n) continue
    if (n.family === 4) v4.push(n)
    else v6.push(n)
  }
  const own = linkLocal(macValue)
  if (!v6.some((n) => n.value === own)) v6.push({ ...network6(own, 64), automatic: true })
  return { mac: formatMac(macValue), macValue, v4, v6 }
}

export function isLinkLocal(n: Network6): boolean {
  return n.value >> 118n === 0x3fan
}

/** Whether an address lies in a port's network. */
export function inNetwork(n: Network, address: Ipv4 | Ipv6): boolean {
  if (n.family === 4) return typeof address === 'number' && ((address ^ n.value) & ipv4Mask(n.length)) === 0
  return typeof address === 'bigint' && ((address ^ n.value) & ipv6Mask(n.length)) === 0n
}

/** `a` alone for one, `{a, b}` for several. */
export function setOf(items: readonly string[]): string {
  return items.length === 1 ? (items[0] as string) : `{${items.join(', ')}}`
}
