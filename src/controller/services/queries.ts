import { parseIpv4 } from '../../address/ipv4.ts'
import { parseIpv6 } from '../../address/ipv6.ts'
import { parseMac } from '../../address/mac.ts'
import { mldMessage } from '../../packet/mld.ts'
import { craft } from '../../packet/packet.ts'

/** Where a querier's packets come from (ovn-sb(5), IP_Multicast); seconds. */
export interface QuerierOptions {
  readonly ethSource: string
  readonly ip4Source: string
  readonly ip6Source: string
  readonly maxResponse: number
}

const ALL_SYSTEMS = 0xe0000001
const ALL_NODES = (0xff02n << 112n) | 1n
const HOP_BY_HOP = 0
/** RFC 2711: a router alert for multicast listener discovery, behind the header's length and padded to 8 bytes. */
const ROUTER_ALERT6 = Uint8Array.of(0, 5, 2, 0, 0, 0, 0)

/** General queries of IGMPv3 (RFC 3376 §4.1) and MLDv2 (RFC 3810 §5.1), for those families that have a source. */
export function generalQueries(o: QuerierOptions): Uint8Array[] {
  const src = parseMac(o.ethSource)
  if (src === undefined) return []
  const out: Uint8Array[] = []
  const ip4 = parseIpv4(o.ip4Source)
  if (ip4) {
    // Tenths of a second; ovn-controller tells the same as its query interval.
    const code = Math.min(127, o.maxResponse * 10)
    out.push(
      craft({
        eth: { src, dst: 0x0100_5e00_0001 },
        ip4: { src: ip4, dst: ALL_SYSTEMS, ttl: 1 },
        igmp: { kind: 'query3', maxResponse: code, group: 0, flags: 0, interval: code, sources: [] },
      }),
    )
  }
  const ip6 = parseIpv6(o.ip6Source)
  if (ip6) {
    out.push(
      craft({
        // As ovn-controller addresses it.
        eth: { src, dst: 0x3333_0000_0000 },
        ip6: { src: ip6, dst: ALL_NODES, hopLimit: 1, extensions: [{ type: HOP_BY_HOP, data: ROUTER_ALERT6 }] },
        icmp6: mldMessage({
          kind: 'query2',
          maxResponse: Math.min(0x7fff, o.maxResponse * 1000),
          group: 0n,
          flags: 0,
          interval: o.maxResponse,
          sources: [],
        }),
      }),
    )
  }
  return out
}
