import type { Ipv4 } from '../../address/ipv4.ts'
import { formatIpv4 } from '../../address/ipv4.ts'
import { formatMac, type Mac } from '../../address/mac.ts'
import type { Graph } from '../../reactive/graph.ts'
import type { Derived, Relation } from '../../reactive/relation.ts'
import type { Datapaths } from '../datapaths.ts'
import type { SouthboundInputs } from '../inputs/inputs.ts'
import { parseLportAddresses } from '../physical/addresses.ts'
import type { Places } from '../physical/places.ts'
import { S } from '../strata.ts'

/** An address to be made known on a physical network: it is here now. */
export interface Announcement {
  readonly port: string
  readonly datapathKey: number
  readonly portKey: number
  readonly mac: Mac
  /** Without one, only where the Ethernet address is (reverse ARP). */
  readonly ip: Ipv4 | undefined
}

/** `MAC IP... is_chassis_resident("PORT")`: an element of Port_Binding.nat_addresses. */
export function parseNatAddresses(text: string): { addresses: string; resident: string | undefined } {
  const m = /^(.*?)\s*(?:is_chassis_resident\("([^"]*)"\))?\s*$/.exec(text)
  return { addresses: m?.[1] ?? text, resident: m?.[2] }
}

/**
 * What this chassis announces on physical networks (ovn-nb(5), options:nat-addresses): the
 * addresses of ports here on switches with a localnet port, and those that routers translate for,
 * where the port that stands for them is here.
 */
export function declareAnnouncements(
  graph: Graph,
  parts: {
    readonly sb: SouthboundInputs
    readonly datapaths: Datapaths
    readonly places: Places
    readonly resident: Relation<true>
  },
): Derived<Announcement> {
  const { sb, datapaths, places, resident } = parts
  const silenced = graph.derived<true>('silenced datapaths', S.FACTS)
  graph.rule('silenced datapaths', S.FACTS, sb.Datapath_Binding, (row, out) => {
    if (row.external_ids.get('disable_garp_rarp') === 'true') out.emit(silenced, row._uuid, true)
  })
  const announcements = graph.derived<Announcement>('announcements', S.ROWS)
  graph.rule('announcements', S.ROWS, sb.Port_Binding, (row, out) => {
    const dp = datapaths.local.get(row.datapath)
    if (!dp || silenced.has(row.datapath) || !places.localnetOf.has(row.datapath)) return
    const place = places.all.get(row._uuid)
    const texts: string[] = []
    if (place?.at === 'vif') texts.push(...row.mac)
    else if (place?.at === 'patch' || place?.at === 'l3gateway') {
      for (const text of row.nat_addresses) {
        const { addresses, resident: port } = parseNatAddresses(text)
        if (port === undefined || resident.has(port)) texts.push(addresses)
      }
    }
    for (const text of texts) {
      const a = parseLportAddresses(text)
      if (!a) continue
      const ips = a.v4.length ? a.v4.map((p) => p.address) : [undefined]
      for (const ip of ips) {
        const key = `${row.logical_port} ${formatMac(a.mac)} ${ip === undefined ? '' : formatIpv4(ip)}`
        const { logical_port: port, tunnel_key: portKey } = row
        const announcement: Announcement = { port, datapathKey: dp.key, portKey, mac: a.mac, ip }
        out.emit(announcements, key, announcement)
      }
    }
  })
  return announcements
}
