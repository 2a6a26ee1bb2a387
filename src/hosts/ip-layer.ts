import { type Ip, isLinkLocal, isMulticast, multicastMac } from '../address/ip.ts'
import { solicitedNode } from '../address/ipv6.ts'
import { isMulticastMac, MAC_BROADCAST } from '../address/mac.ts'
import { contains, type Prefix } from '../address/prefix.ts'
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import {
  type Ethernet,
  EtherType,
  emitIpv4,
  emitIpv6,
  fragmentIpv4,
  fragmentIpv6,
  Icmp4Type,
  Icmp6Type,
  type IpPacket4,
  type IpPacket6,
  IpProto,
  ipv4,
  ipv6,
  isFragment4,
  isFragment6,
  isIpv6,
  isNd,
  parseIcmp6,
  parseIpv4Packet,
  parseIpv6Packet,
  Reassembler,
  Unreachable4,
  Unreachable6,
} from '../packet/index.ts'
import { ArpResponder } from './arp.ts'
import type { NetInterface } from './interface.ts'
import { ALL_NODES, ALL_ROUTERS, NeighborDiscovery } from './nd.ts'
import type { NeighborCache } from './neighbors.ts'
import { type Route, RoutingTable } from './routes.ts'

/** An IP packet for this host, whole, of either family. */
export interface Datagram {
  readonly src: Ip
  readonly dst: Ip
  readonly protocol: number
  readonly ttl: number
  readonly tos: number
  readonly payload: Uint8Array
  /** The packet as it came (put together, if it came in fragments), from its IP header on. */
  readonly packet: () => Uint8Array
  /** It came as broadcast or multicast, so no error may be sent about it. */
  readonly group: boolean
}

/** Why a packet could not be sent; `mtu` in bytes. */
export type SendError =
  | { readonly kind: 'no-route' }
  | { readonly kind: 'host-unreachable' }
  | { readonly kind: 'too-big'; readonly mtu: number }

export interface Outgoing {
  readonly dst: Ip
  /** Chosen by the route when not given. */
  readonly src?: Ip
  readonly protocol: number
  readonly ttl?: number
  readonly tos?: number
  /** IPv4: never fragment on the way. IPv6: do not even fragment here. */
  readonly df?: boolean
  /** The interface to leave by: for link-local and group addresses. */
  readonly out?: NetInterface
  /** The payload, made once the source address is known. */
  readonly payload: (ends: { readonly src: Ip; readonly dst: Ip }) => Uint8Array
  readonly onError?: (error: SendError) => void
}

/** An error this host should report about a packet it got: ICMP type and code of the packet's family. */
export type Complaint = (
  about: Uint8Array,
  error: { readonly type: number; readonly code: number; readonly rest?: number },
) => void

/** One interface with its neighbour protocols. */
export interface Link {
  readonly link: NetInterface
  readonly arp: ArpResponder
  readonly nd: NeighborDiscovery
}

/** How long a path's MTU is believed, milliseconds (RFC 1191 §6.3). */
const PATH_MTU_AGE = 600_000

/** IPv4 and IPv6 of one host: routes, sends, receives, fragments, reassembles, and forwards if told to. */
export class IpLayer {
  readonly links: Link[] = []
  readonly routes = new RoutingTable()
  /** Whole networks this host answers for besides its addresses. */
  readonly local: Prefix[] = []
  /** Multicast groups joined. */
  readonly groups = new Set<Ip>()
  forwarding = false
  /** Gets packets by protocol; false: nobody wants this one. */
  readonly protocols = new Map<number, (datagram: Datagram, link: Link) => boolean>()
  onComplaint: Complaint | undefined
  /** Sees datagrams for UDP port 68 whatever their destination address: for a DHCP client without one. */
  onBootp: ((payload: Uint8Array, link: Link) => void) | undefined
  private readonly reassembler = new Reassembler({ datagrams: 64, timeout: 30_000 })
  private readonly pathMtus = new Map<Ip, { readonly mtu: number; readonly until: number }>()
  private nextId: number

  constructor(
    private readonly clock: Clock,
    random: Random,
  ) {
    this.nextId = random.u32() & 0xffff
  }

  attach(link: NetInterface): Link {
    const entry = { link, arp: new ArpResponder(this.clock, link), nd: new NeighborDiscovery(this.clock, link) }
    this.links.push(entry)
    link.onPayload = (eth) => this.receive(eth, entry)
    return entry
  }

  linkOf(i: NetInterface): Link {
    const link = this.links.find((l) => l.link === i)
    if (!link) throw new Error(`${i.name}: not an interface of this host`)
    return link
  }

  isLocal(ip: Ip): boolean {
    return this.links.some((l) => l.link.has(ip)) || this.local.some((p) => contains(p, ip))
  }

  /** The route to an address; group addresses leave by `out`, the default route, or the first interface. */
  private route(dst: Ip, out: NetInterface | undefined): Route | undefined {
    const group = isMulticast(dst) || dst === 0xffffffff
    const found = group && out ? undefined : this.routes.lookup(dst, out)
    if (found) return found
    const link = out ?? (group || isLinkLocal(dst) ? this.links[0]?.link : undefined)
    if (!link) return undefined
    const family = typeof dst === 'number' ? 4 : 6
    const prefix = (
      family === 4 ? { family, address: 0, length: 0, network: 0 } : { family, address: 0n, length: 0, network: 0n }
    ) as Prefix
    return { prefix, interface: link, metric: 0, origin: 'connected' }
  }

  /** The source address for a destination, or undefined without a route or an address of its family. */
  sourceFor(dst: Ip, out?: NetInterface): Ip | undefined {
    if (this.isLocal(dst)) return dst
    const route = this.route(dst, out)
    if (!route) return undefined
    const family = typeof dst === 'number' ? 4 : 6
    const mine = (l: NetInterface) => l.addresses.filter((p) => p.family === family)
    const onLink = route.interface.onLink(route.gateway ?? dst)
    if (onLink && isLinkLocal(onLink.address) === isLinkLocal(dst)) return onLink.address
    const scoped = mine(route.interface).filter((p) => isLinkLocal(p.address) === isLinkLocal(dst))
    if (isMulticast(dst) && family === 6) return mine(route.interface)[0]?.address
    const anywhere = this.links.flatMap((l) => mine(l.link)).filter((p) => !isLinkLocal(p.address))
    return (scoped[0] ?? anywhere[0])?.address
  }

  /** Bytes a packet to an address may have: the route's interface, its route, and what routers reported. */
  mtuTo(dst: Ip, out?: NetInterface): number {
    const route = this.route(dst, out)
    const first = Math.min(route?.interface.mtu ?? 1500, route?.mtu ?? Number.POSITIVE_INFINITY)
    const path = this.pathMtus.get(dst)
    if (!path) return first
    if (path.until < this.clock.monotonic()) {
      this.pathMtus.delete(dst)
      return first
    }
    return Math.min(first, path.mtu)
  }

  /** A router said what fits on the way (RFC 1191 §6.3, RFC 8201 §4). Raising is not believed. */
  learnPathMtu(dst: Ip, mtu: number): void {
    const floor = typeof dst === 'number' ? 68 : 1280
    const value = Math.max(floor, mtu)
    if (value < this.mtuTo(dst)) this.pathMtus.set(dst, { mtu: value, until: this.clock.monotonic() + PATH_MTU_AGE })
  }

  send(o: Outgoing): void {
    const fail = (error: SendError) => {
      if (o.onError) this.clock.after(0, () => o.onError?.(error))
    }
    const local = this.isLocal(o.dst)
    const route = local ? undefined : this.route(o.dst, o.out)
    const src = o.src ?? this.sourceFor(o.dst, o.out)
    if ((!local && !route) || src === undefined) {
      fail({ kind: 'no-route' })
      return
    }
    const ends = { src, dst: o.dst }
    const payload = o.payload(ends)
    const packets = this.packets(o, src, payload, local ? 65535 : this.mtuTo(o.dst, o.out))
    if (typeof packets === 'number') {
      fail({ kind: 'too-big', mtu: packets })
      return
    }
    for (const p of packets) {
      if (local) this.clock.after(0, () => this.deliverLocal(p))
      else if (route) this.transmit(p, route, () => fail({ kind: 'host-unreachable' }))
    }
  }

  /** The packet, in fragments if need be and may be; a number is the MTU it is too big for. */
  private packets(o: Outgoing, src: Ip, payload: Uint8Array, mtu: number): (IpPacket4 | IpPacket6)[] | number {
    const group = isMulticast(o.dst)
    if (typeof o.dst === 'number' && typeof src === 'number') {
      const id = this.nextId
      this.nextId = (this.nextId + 1) & 0xffff
      const whole = ipv4({
        src,
        dst: o.dst,
        protocol: o.protocol,
        payload,
        id,
        df: o.df ?? false,
        tos: o.tos ?? 0,
        ttl: o.ttl ?? (group ? 1 : 64),
      })
      if (whole.df && 20 + payload.length > mtu) return mtu
      return payload.length > 65515 ? mtu : fragmentIpv4(whole, mtu)
    }
    if (typeof o.dst === 'bigint' && typeof src === 'bigint') {
      const hopLimit = o.ttl ?? (group ? 1 : 64)
      const trafficClass = o.tos ?? 0
      const whole = ipv6({ src, dst: o.dst, protocol: o.protocol, payload, hopLimit, trafficClass })
      if ((o.df && 40 + payload.length > mtu) || payload.length > 65535) return mtu
      this.nextId = (this.nextId + 1) & 0xffff
      return fragmentIpv6(whole, mtu, this.nextId)
    }
    throw new Error('source and destination are of different families')
  }

  /** Finds the next hop's MAC address and sends. */
  private transmit(p: IpPacket4 | IpPacket6, route: Route, unreachable: () => void): void {
    const { link, arp, nd } = this.linkOf(route.interface)
    const six = isIpv6(p)
    const type = six ? EtherType.ipv6 : EtherType.ipv4
    const bytes = six ? emitIpv6(p) : emitIpv4(p)
    if (isMulticast(p.dst)) link.send(multicastMac(p.dst), type, bytes)
    else if (link.isBroadcast(p.dst)) link.send(MAC_BROADCAST, type, bytes)
    else {
      const cache: NeighborCache = six ? nd.cache : arp.cache
      cache.resolve(route.gateway ?? p.dst, (mac) => {
        if (mac === undefined) unreachable()
        else link.send(mac, type, bytes)
      })
    }
  }

  private receive(eth: Ethernet, link: Link): void {
    if (eth.type === EtherType.arp) link.arp.receive(eth)
    else if (eth.type === EtherType.ipv4) {
      const p = parseIpv4Packet(eth.payload)
      if (!p.ok || p.value.badChecksum !== undefined) return
      this.receivePacket(p.value, eth, link)
    } else if (eth.type === EtherType.ipv6) {
      const p = parseIpv6Packet(eth.payload)
      if (!p.ok || isMulticast(p.value.src)) return
      this.receivePacket(p.value, eth, link)
    }
  }

  private receivePacket(p: IpPacket4 | IpPacket6, eth: Ethernet, link: Link): void {
    const group = isMulticastMac(eth.dst)
    if (!isIpv6(p) && p.protocol === IpProto.udp && p.offset === 0 && p.payload[2] === 0 && p.payload[3] === 68) {
      this.onBootp?.(p.payload, link)
    }
    if (isIpv6(p) && p.protocol === IpProto.icmp6 && !isFragment6(p)) {
      const icmp = parseIcmp6(p.payload, p)
      if (icmp.ok && isNd(icmp.value)) {
        if (icmp.value.badChecksum === undefined && (isMulticast(p.dst) || link.link.has(p.dst))) {
          link.nd.receive(p, icmp.value, eth.src)
        }
        return
      }
    }
    if (this.accepts(p.dst, link)) this.assemble(p, group, link)
    else if (this.forwarding && !group) this.forward(p, link)
  }

  private accepts(dst: Ip, link: Link): boolean {
    if (this.isLocal(dst) || link.link.isBroadcast(dst)) return true
    if (!isMulticast(dst)) return false
    if (typeof dst === 'number') return dst === 0xe0000001 || this.groups.has(dst)
    if (dst === ALL_NODES || this.groups.has(dst)) return true
    if (dst === ALL_ROUTERS) return this.forwarding
    return link.link.addresses.some((a) => a.family === 6 && solicitedNode(a.address) === dst)
  }

  private assemble(p: IpPacket4 | IpPacket6, group: boolean, link: Link): void {
    for (const old of this.reassembler.expire(this.clock.monotonic())) {
      if (isIpv6(old)) this.onComplaint?.(emitIpv6(old), { type: Icmp6Type.timeExceeded, code: 1 })
      else this.onComplaint?.(emitIpv4(old), { type: Icmp4Type.timeExceeded, code: 1 })
    }
    const now = this.clock.monotonic()
    if (isIpv6(p)) {
      const whole = this.reassembler.add6(p, now)
      if (whole) this.deliver(whole, group, link)
    } else {
      const whole = isFragment4(p) ? this.reassembler.add4(p, now) : p
      if (whole) this.deliver(whole, group, link)
    }
  }

  private deliverLocal(p: IpPacket4 | IpPacket6): void {
    const link = this.links[0]
    if (link) this.deliver(p, false, link)
  }

  private deliver(p: IpPacket4 | IpPacket6, group: boolean, link: Link): void {
    const six = isIpv6(p)
    const packet = () => (six ? emitIpv6(p) : emitIpv4(p))
    const datagram: Datagram = {
      src: p.src,
      dst: p.dst,
      protocol: p.protocol,
      ttl: six ? p.hopLimit : p.ttl,
      tos: six ? p.trafficClass : p.tos,
      payload: p.payload,
      packet,
      group: group || link.link.isGroup(p.dst),
    }
    const handler = this.protocols.get(p.protocol)
    if (handler?.(datagram, link) || datagram.group) return
    const ports = p.protocol === IpProto.udp
    if (six) {
      const error = ports
        ? { type: Icmp6Type.unreachable, code: Unreachable6.port }
        : { type: Icmp6Type.parameterProblem, code: 1, rest: 6 }
      this.onComplaint?.(packet(), error)
    } else {
      const code = ports ? Unreachable4.port : Unreachable4.protocol
      this.onComplaint?.(packet(), { type: Icmp4Type.unreachable, code })
    }
  }

  /** RFC 1812 §5.2, RFC 8200: one hop less, the next hop, fragments where IPv4 allows them. */
  private forward(p: IpPacket4 | IpPacket6, from: Link): void {
    if (isLinkLocal(p.src) || isLinkLocal(p.dst) || isMulticast(p.dst) || from.link.isBroadcast(p.dst)) return
    const six = isIpv6(p)
    const original = () => (six ? emitIpv6(p) : emitIpv4(p))
    if ((six ? p.hopLimit : p.ttl) <= 1) {
      this.onComplaint?.(original(), { type: six ? Icmp6Type.timeExceeded : Icmp4Type.timeExceeded, code: 0 })
      return
    }
    const route = this.routes.lookup(p.dst)
    const unreachable = (code4: number, code6: number) =>
      this.onComplaint?.(
        original(),
        six ? { type: Icmp6Type.unreachable, code: code6 } : { type: Icmp4Type.unreachable, code: code4 },
      )
    if (!route) {
      unreachable(Unreachable4.net, Unreachable6.noRoute)
      return
    }
    const mtu = Math.min(route.interface.mtu, route.mtu ?? Number.POSITIVE_INFINITY)
    const lost = () => unreachable(Unreachable4.host, Unreachable6.address)
    if (six) {
      if (original().length > mtu) {
        this.onComplaint?.(original(), { type: Icmp6Type.packetTooBig, code: 0, rest: mtu })
      } else this.transmit({ ...p, hopLimit: p.hopLimit - 1 }, route, lost)
      return
    }
    const size = 20 + p.options.length + p.payload.length
    if (size > mtu && p.df) {
      this.onComplaint?.(original(), { type: Icmp4Type.unreachable, code: Unreachable4.fragNeeded, rest: mtu })
      return
    }
    for (const part of fragmentIpv4({ ...p, ttl: p.ttl - 1 }, mtu)) this.transmit(part, route, lost)
  }
}
