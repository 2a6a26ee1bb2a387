import type { Ipv4 } from '../address/ipv4.ts'
import { ipv4Mask } from '../address/ipv4.ts'
import type { Ipv6 } from '../address/ipv6.ts'
import type { Mac } from '../address/mac.ts'
import { concatBytes, Writer } from '../base/bytes.ts'
import { writeDnsName } from './dns.ts'

/** The type column of the southbound DHCP_Options table (ovn-sb(5)). */
export type DhcpOptionType =
  | 'bool'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'ipv4'
  | 'static_routes'
  | 'str'
  | 'host_id'
  | 'domains'

/** The type column of the southbound DHCPv6_Options table (ovn-sb(5)). */
export type Dhcp6OptionType = 'ipv6' | 'str' | 'mac' | 'domain'

/**
 * A supported option: its name in northbound DHCP_Options.options and in logical actions, its code,
 * and how its value is written and encoded.
 */
export interface SupportedOption<T> {
  readonly name: string
  readonly code: number
  readonly type: T
}

function table<T extends string>(rows: readonly (readonly [number, string, T])[]): readonly SupportedOption<T>[] {
  return rows.map(([code, name, type]) => ({ code, name, type }))
}

/** offerip is no option of DHCP but the address itself; 253 and 254 are header fields and a stand-in. */
export const DHCP_OFFER_IP = 0
export const DHCP_NEXT_SERVER = 253
export const DHCP_BOOTFILE_ALT = 254

/** What the southbound DHCP_Options table holds under release 26.03 (ovn-nb(5) names them too). */
export const DHCP_OPTIONS: readonly SupportedOption<DhcpOptionType>[] = table<DhcpOptionType>([
  [DHCP_OFFER_IP, 'offerip', 'ipv4'],
  [1, 'netmask', 'ipv4'],
  [3, 'router', 'ipv4'],
  [6, 'dns_server', 'ipv4'],
  [7, 'log_server', 'ipv4'],
  [9, 'lpr_server', 'ipv4'],
  [12, 'hostname', 'str'],
  [15, 'domain_name', 'str'],
  [16, 'swap_server', 'ipv4'],
  [19, 'ip_forward_enable', 'bool'],
  [21, 'policy_filter', 'ipv4'],
  [23, 'default_ttl', 'uint8'],
  [26, 'mtu', 'uint16'],
  [28, 'broadcast_address', 'ipv4'],
  [31, 'router_discovery', 'bool'],
  [32, 'router_solicitation', 'ipv4'],
  [35, 'arp_cache_timeout', 'uint32'],
  [36, 'ethernet_encap', 'bool'],
  [37, 'tcp_ttl', 'uint8'],
  [38, 'tcp_keepalive_interval', 'uint32'],
  [41, 'nis_server', 'ipv4'],
  [42, 'ntp_server', 'ipv4'],
  [44, 'netbios_name_server', 'ipv4'],
  [46, 'netbios_node_type', 'uint8'],
  [51, 'lease_time', 'uint32'],
  [54, 'server_id', 'ipv4'],
  [58, 'T1', 'uint32'],
  [59, 'T2', 'uint32'],
  [66, 'tftp_server', 'host_id'],
  [67, 'bootfile_name', 'str'],
  [119, 'domain_search_list', 'domains'],
  [121, 'classless_static_route', 'static_routes'],
  [150, 'tftp_server_address', 'ipv4'],
  [210, 'path_prefix', 'str'],
  [249, 'ms_classless_static_route', 'static_routes'],
  [252, 'wpad', 'str'],
  [DHCP_NEXT_SERVER, 'next_server', 'ipv4'],
  [DHCP_BOOTFILE_ALT, 'bootfile_name_alt', 'str'],
])

/** What the southbound DHCPv6_Options table holds under release 26.03. */
export const DHCP6_OPTIONS: readonly SupportedOption<Dhcp6OptionType>[] = table<Dhcp6OptionType>([
  [2, 'server_id', 'mac'],
  [5, 'ia_addr', 'ipv6'],
  [23, 'dns_server', 'ipv6'],
  [24, 'domain_search', 'str'],
  [39, 'fqdn', 'domain'],
  [59, 'bootfile_name', 'str'],
  [DHCP_BOOTFILE_ALT, 'bootfile_name_alt', 'str'],
])

/** A destination and the router that leads there; router 0 means on-link (RFC 3442). */
export interface StaticRoute {
  readonly network: Ipv4
  /** Prefix length. */
  readonly length: number
  readonly router: Ipv4
}

/** Classless static routes (RFC 3442): only the significant bytes of each destination are sent. */
export function encodeStaticRoutes(routes: readonly StaticRoute[]): Uint8Array {
  const w = new Writer(9 * routes.length)
  for (const r of routes) {
    w.u8(r.length)
    for (let i = 0; i < Math.ceil(r.length / 8); i++) w.u8((r.network >>> (24 - 8 * i)) & 0xff)
    w.u32(r.router)
  }
  return w.done()
}

/** The routes of option 121 or 249, or undefined when it is malformed. */
export function decodeStaticRoutes(data: Uint8Array): StaticRoute[] | undefined {
  const out: StaticRoute[] = []
  let at = 0
  while (at < data.length) {
    const length = data[at++] as number
    if (length > 32) return undefined
    const significant = Math.ceil(length / 8)
    if (at + significant + 4 > data.length) return undefined
    let network = 0
    for (let i = 0; i < significant; i++) network |= (data[at + i] as number) << (24 - 8 * i)
    at += significant
    const view = new DataView(data.buffer, data.byteOffset + at, 4)
    out.push({ network: (network & ipv4Mask(length)) >>> 0, length, router: view.getUint32(0) })
    at += 4
  }
  return out
}

export function encodeIpv4s(addresses: readonly Ipv4[]): Uint8Array {
  const w = new Writer(4 * addresses.length)
  for (const a of addresses) w.u32(a)
  return w.done()
}

export function encodeIpv6s(addresses: readonly Ipv6[]): Uint8Array {
  const w = new Writer(16 * addresses.length)
  for (const a of addresses) w.u128(a)
  return w.done()
}

/** A domain search list (RFC 3397): names of RFC 1035, later ones pointing into earlier ones. */
export function encodeDomains(names: readonly string[]): Uint8Array {
  const w = new Writer(64)
  const known = new Map<string, number>()
  for (const name of names) writeDnsName(w, name, known)
  return w.done()
}

/** A DUID of a link-layer address (RFC 8415 §11.4). */
export function duidLinkLayer(mac: Mac): Uint8Array {
  return new Writer(10).u16(3).u16(1).u48(mac).done()
}

/** A client FQDN option's value (RFC 4704 §4): flags, then the name uncompressed. */
export function encodeFqdn6(flags: number, name: string): Uint8Array {
  const w = new Writer(64)
  writeDnsName(w, name)
  return concatBytes(Uint8Array.of(flags), w.done())
}
