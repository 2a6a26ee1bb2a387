import { parseIpv6 } from '../../address/ipv6.ts'
import { parseMac } from '../../address/mac.ts'
import { parsePrefix } from '../../address/prefix.ts'
import { Writer } from '../../base/bytes.ts'
import {
  linkAddressOption,
  mtuOption,
  type NdOption,
  ndMessage,
  prefixOption,
  RaFlag,
  rdnssOption,
} from '../../packet/nd.ts'
import { craft } from '../../packet/packet.ts'

const ALL_NODES = (0xff02n << 112n) | 1n
const INFINITE = 0xffffffff
const LIFETIME = 0xffff
const HOP_LIMIT = 255
const ON_LINK = 0x80
const AUTONOMOUS = 0x40
const ROUTE_INFORMATION = 24
const DNS_SEARCH_LIST = 31

/** RFC 4191 §2.1, in place in the flags. */
const PREFERENCE: Readonly<Record<string, number>> = { HIGH: 0x08, MEDIUM: 0x00, LOW: 0x18 }

/** A router advertisement from a router port's options (ovn-sb(5) Port_Binding, ipv6_ra_*); undefined without a source. */
export function routerAdvertisement(options: ReadonlyMap<string, string>): Uint8Array | undefined {
  const eth = parseMac(options.get('ipv6_ra_src_eth') ?? '')
  const ip = parseIpv6(options.get('ipv6_ra_src_addr') ?? '')
  if (eth === undefined || ip === undefined) return undefined
  const mode = options.get('ipv6_ra_address_mode') ?? 'slaac'
  const stateful = mode === 'dhcpv6_stateful'
  const flags =
    (stateful ? RaFlag.managed : mode === 'dhcpv6_stateless' ? RaFlag.other : 0) |
    (PREFERENCE[options.get('ipv6_ra_prf') ?? ''] ?? 0)
  const list: NdOption[] = [linkAddressOption('source', eth)]
  const mtu = Number(options.get('ipv6_ra_mtu'))
  if (mtu > 0) list.push(mtuOption(mtu))
  for (const text of words(options.get('ipv6_ra_prefixes'))) {
    const p = parsePrefix(text)
    if (p?.family !== 6) continue
    list.push(
      prefixOption({
        length: p.length,
        flags: ON_LINK | (stateful ? 0 : AUTONOMOUS),
        valid: INFINITE,
        preferred: INFINITE,
        prefix: p.network,
      }),
    )
  }
  const servers = words(options.get('ipv6_ra_rdnss')).flatMap((text) => parseIpv6(text) ?? [])
  if (servers.length) list.push(rdnssOption(INFINITE, servers))
  const domains = words(options.get('ipv6_ra_dnssl'))
  if (domains.length) list.push(dnssl(domains))
  for (const text of words(options.get('ipv6_ra_route_info'))) {
    const route = routeInformation(text)
    if (route) list.push(route)
  }
  return craft({
    eth: { src: eth, dst: 0x3333_0000_0001 },
    ip6: { src: ip, dst: ALL_NODES, hopLimit: HOP_LIMIT },
    icmp6: ndMessage({
      kind: 'ra',
      hopLimit: HOP_LIMIT,
      flags,
      lifetime: LIFETIME,
      reachable: 0,
      retransmit: 0,
      options: list,
    }),
  })
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(/[\s,]+/).filter((w) => w !== '')
}

/** RFC 8106 §5.2. */
function dnssl(domains: readonly string[]): NdOption {
  const w = new Writer(64).u16(0).u32(INFINITE)
  for (const domain of domains) {
    for (const label of domain.split('.').filter((l) => l !== '')) {
      const bytes = new TextEncoder().encode(label).subarray(0, 63)
      w.u8(bytes.length).bytes(bytes)
    }
    w.u8(0)
  }
  // The option with its type and length is a multiple of 8 bytes.
  while ((w.length + 2) % 8) w.u8(0)
  return { type: DNS_SEARCH_LIST, data: w.done() }
}

/** `HIGH-aef1::11/48`: RFC 4191 §2.3. */
function routeInformation(text: string): NdOption | undefined {
  const at = text.indexOf('-')
  const p = parsePrefix(text.slice(at + 1))
  const preference = PREFERENCE[text.slice(0, Math.max(0, at)).toUpperCase()]
  if (p?.family !== 6 || preference === undefined) return undefined
  const bytes = p.length === 0 ? 0 : p.length <= 64 ? 8 : 16
  const address = new Writer(16).u128(p.network).done()
  const w = new Writer(24).u8(p.length).u8(preference).u32(INFINITE)
  return { type: ROUTE_INFORMATION, data: w.bytes(address.subarray(0, bytes)).done() }
}
