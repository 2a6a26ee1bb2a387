import { type Ip, isMulticast, multicastMac } from '../address/ip.ts'
import type { Ipv6 } from '../address/ipv6.ts'
import {
  EtherType,
  emitIcmp6,
  emitIgmp,
  emitIpv4,
  emitIpv6,
  type Igmp,
  IgmpType,
  IpProto,
  ipv4,
  ipv6,
  type Mld,
  mldMessage,
  parseIgmp,
  ROUTER_ALERT4,
  ROUTER_ALERT6,
} from '../packet/index.ts'
import type { Datagram, IpLayer, Link } from './ip-layer.ts'

/** 224.0.0.22 and ff02::16: where reports of version 3 and MLD version 2 go. */
const IGMP3_ROUTERS = 0xe0000016
const MLD2_ROUTERS: Ipv6 = (0xff02n << 112n) | 0x16n
const ALL_ROUTERS4 = 0xe0000002
const ALL_ROUTERS6: Ipv6 = (0xff02n << 112n) | 2n

/** Multicast memberships of a host: tells routers of them with IGMP and MLD, and answers their queries. */
export class Memberships {
  private readonly joined = new Map<Ip, Link>()
  /** Versions spoken: IGMP 2 and MLD 1, or IGMP 3 and MLD 2. */
  version: 'old' | 'new' = 'old'

  constructor(private readonly ip: IpLayer) {
    ip.protocols.set(IpProto.igmp, (d, link) => {
      this.receive(d, link)
      return true
    })
  }

  /** Throws for what is no multicast address. */
  join(group: Ip, link: Link): void {
    if (!isMulticast(group)) throw new Error('not a multicast group')
    this.ip.groups.add(group)
    this.joined.set(group, link)
    this.report(group, link, false)
  }

  leave(group: Ip): void {
    const link = this.joined.get(group)
    if (!link) return
    this.joined.delete(group)
    this.ip.groups.delete(group)
    this.report(group, link, true)
  }

  private report(group: Ip, link: Link, leaving: boolean): void {
    if (typeof group === 'number') this.report4(group, link, leaving)
    else this.report6(group, link, leaving)
  }

  private report4(group: number, link: Link, leaving: boolean): void {
    if (this.version === 'new') {
      const record = { type: leaving ? 3 : 4, group, sources: [], auxiliary: new Uint8Array(0) }
      this.send4(link, IGMP3_ROUTERS, { kind: 'report3', reserved: 0, records: [record] })
      return
    }
    const type = leaving ? IgmpType.leave : IgmpType.report2
    this.send4(link, leaving ? ALL_ROUTERS4 : group, { kind: 'plain', type, maxResponse: 0, group })
  }

  private report6(group: Ipv6, link: Link, leaving: boolean): void {
    if (this.version === 'new') {
      const record = { type: leaving ? 3 : 4, group, sources: [], auxiliary: new Uint8Array(0) }
      this.send6(link, MLD2_ROUTERS, { kind: 'report2', records: [record] })
      return
    }
    this.send6(link, leaving ? ALL_ROUTERS6 : group, { kind: leaving ? 'done' : 'report1', maxResponse: 0, group })
  }

  /** RFC 2236 §2, RFC 3376 §4: hop limit 1, router alert. */
  private send4(link: Link, dst: number, m: Igmp): void {
    const src = link.link.addresses.find((p) => p.family === 4)?.address ?? 0
    const packet = ipv4({
      src: typeof src === 'number' ? src : 0,
      dst,
      protocol: IpProto.igmp,
      ttl: 1,
      tos: 0xc0,
      options: ROUTER_ALERT4,
      payload: emitIgmp(m),
    })
    link.link.send(multicastMac(dst), EtherType.ipv4, emitIpv4(packet))
  }

  private send6(link: Link, dst: Ipv6, m: Mld): void {
    const ends = { src: link.nd.linkLocal(), dst }
    const packet = ipv6({
      ...ends,
      protocol: IpProto.icmp6,
      hopLimit: 1,
      extensions: [ROUTER_ALERT6],
      payload: emitIcmp6(mldMessage(m), ends),
    })
    link.link.send(multicastMac(dst), EtherType.ipv6, emitIpv6(packet))
  }

  private receive(d: Datagram, link: Link): void {
    const parsed = parseIgmp(d.payload)
    if (!parsed.ok || parsed.value.badChecksum !== undefined) return
    const m = parsed.value
    if (m.kind === 'query3' || (m.kind === 'plain' && m.type === IgmpType.query)) this.answer(m.group, link, 4)
  }

  /** A multicast listener query came (from the ICMPv6 layer). */
  receiveQuery6(group: Ipv6, link: Link): void {
    this.answer(group, link, 6)
  }

  private answer(group: Ip, link: Link, family: 4 | 6): void {
    for (const [joined, at] of this.joined) {
      if ((typeof joined === 'number' ? 4 : 6) !== family || at !== link) continue
      if (!group || group === joined) this.report(joined, link, false)
    }
  }
}
