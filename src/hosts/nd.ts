import { isLinkLocal, isMulticast, multicastMac } from '../address/ip.ts'
import { type Ipv6, linkLocal, solicitedNode } from '../address/ipv6.ts'
import { eui64, isMulticastMac, type Mac } from '../address/mac.ts'
import type { Clock, Timer } from '../base/clock.ts'
import {
  EtherType,
  emitIcmp6,
  emitIpv6,
  type Icmp6,
  type IpPacket6,
  IpProto,
  ipv6,
  linkAddress,
  linkAddressOption,
  NaFlag,
  type NdMessage,
  type NeighborAdvertisement,
  type NeighborSolicitation,
  ndMessage,
  ndMtu,
  ndPrefixes,
  parseNd,
  type RouterAdvertisement,
} from '../packet/index.ts'
import type { NetInterface } from './interface.ts'
import { NeighborCache } from './neighbors.ts'

export const ALL_NODES: Ipv6 = (0xff02n << 112n) | 1n
export const ALL_ROUTERS: Ipv6 = (0xff02n << 112n) | 2n

/** RFC 4861 §10 */
const RTR_SOLICITATION_INTERVAL = 4000
const MAX_RTR_SOLICITATIONS = 3

/** What router advertisements said, for the host to act on. */
export interface Advertised {
  readonly router: Ipv6
  readonly message: RouterAdvertisement
}

/** Neighbour discovery on one interface (RFC 4861), with stateless address configuration (RFC 4862). */
export class NeighborDiscovery {
  readonly cache: NeighborCache
  /** Whether neighbours are told that this is a router. */
  isRouter = false
  /** An address of this interface is used elsewhere too. */
  onConflict: ((ip: Ipv6, mac: Mac | undefined) => void) | undefined
  /** A router advertisement came; addresses and MTU are configured already. */
  onAdvertisement: ((advertised: Advertised) => void) | undefined
  private soliciting: Timer | undefined
  private autoconfigure = false

  constructor(
    private readonly clock: Clock,
    private readonly link: NetInterface,
  ) {
    this.cache = new NeighborCache(clock, (ip, known) => {
      if (typeof ip === 'bigint') this.solicit(ip, known)
    })
  }

  /** The interface's link-local address, made from its MAC address when there is none. */
  linkLocal(): Ipv6 {
    const own = this.link.addresses.find((p) => isLinkLocal(p.address))
    if (own?.family === 6) return own.address
    const address = linkLocal(this.link.mac)
    this.link.addAddress({ family: 6, address, length: 64, network: 0xfe80n << 112n })
    return address
  }

  private send(src: Ipv6, dst: Ipv6, mac: Mac, nd: NdMessage): void {
    const ends = { src, dst }
    const payload = emitIcmp6(ndMessage(nd), ends)
    this.link.send(mac, EtherType.ipv6, emitIpv6(ipv6({ ...ends, protocol: IpProto.icmp6, hopLimit: 255, payload })))
  }

  private solicit(target: Ipv6, known: Mac | undefined): void {
    const source = this.link.onLink(target)
    const src = source?.family === 6 ? source.address : this.linkLocal()
    const dst = known === undefined ? solicitedNode(target) : target
    const options = [linkAddressOption('source', this.link.mac)]
    this.send(src, dst, known ?? multicastMac(dst), { kind: 'ns', reserved: 0, target, options })
  }

  /** Asks whether an address is free (RFC 4862 §5.4.2); it may be used meanwhile (RFC 4429). */
  detectDuplicate(target: Ipv6): void {
    const dst = solicitedNode(target)
    this.send(0n, dst, multicastMac(dst), { kind: 'ns', reserved: 0, target, options: [] })
  }

  /** An unsolicited advertisement: "this address is here" (RFC 4861 §7.2.6). */
  announce(target: Ipv6): void {
    this.advertise(target, ALL_NODES, multicastMac(ALL_NODES), false)
  }

  private advertise(target: Ipv6, dst: Ipv6, mac: Mac, solicited: boolean): void {
    const flags = ((this.isRouter ? NaFlag.router : 0) | (solicited ? NaFlag.solicited : 0) | NaFlag.override) >>> 0
    const options = [linkAddressOption('target', this.link.mac)]
    this.send(target, dst, mac, { kind: 'na', flags, target, options })
  }

  /** Configures from router advertisements, and asks for one (RFC 4861 §6.3.7). */
  solicitRouters(): void {
    this.autoconfigure = true
    let left = MAX_RTR_SOLICITATIONS
    const step = () => {
      this.soliciting = left > 1 ? this.clock.after(RTR_SOLICITATION_INTERVAL, step) : undefined
      left--
      const options = [linkAddressOption('source', this.link.mac)]
      this.send(this.linkLocal(), ALL_ROUTERS, multicastMac(ALL_ROUTERS), { kind: 'rs', reserved: 0, options })
    }
    step()
  }

  receive(ip: IpPacket6, icmp: Icmp6, srcMac: Mac): void {
    // RFC 4861 §7.1: a message that passed a router is none.
    if (ip.hopLimit !== 255 || icmp.code !== 0) return
    const parsed = parseNd(icmp)
    if (!parsed.ok) return
    const nd = parsed.value
    switch (nd.kind) {
      case 'ns':
        this.receiveSolicitation(ip, nd, srcMac)
        break
      case 'na':
        this.receiveAdvertisement(nd)
        break
      case 'ra':
        if (isLinkLocal(ip.src)) this.receiveRouter(ip.src, nd)
        break
      case 'rs':
        break
    }
  }

  private receiveSolicitation(ip: IpPacket6, nd: NeighborSolicitation, srcMac: Mac): void {
    if (isMulticast(nd.target) || !this.link.has(nd.target)) return
    if (ip.src === 0n) {
      // Another host wants this address: tell all that it is taken (RFC 4862 §5.4.3).
      this.advertise(nd.target, ALL_NODES, multicastMac(ALL_NODES), false)
      return
    }
    const mac = linkAddress(nd, 'source') ?? srcMac
    if (isMulticastMac(mac)) return
    this.cache.learn(ip.src, mac, { create: true, confirmed: false })
    this.advertise(nd.target, ip.src, mac, true)
  }

  private receiveAdvertisement(nd: NeighborAdvertisement): void {
    const mac = linkAddress(nd, 'target')
    if (this.link.has(nd.target)) {
      if (mac !== this.link.mac) this.onConflict?.(nd.target, mac)
      return
    }
    if (mac === undefined || isMulticastMac(mac)) return
    const known = this.cache.lookup(nd.target)
    if (known !== undefined && known !== mac && !(nd.flags & NaFlag.override)) return
    this.cache.learn(nd.target, mac, { create: false, confirmed: (nd.flags & NaFlag.solicited) !== 0 })
  }

  private receiveRouter(router: Ipv6, nd: RouterAdvertisement): void {
    this.soliciting?.cancel()
    const mac = linkAddress(nd, 'source')
    if (mac !== undefined && !isMulticastMac(mac)) this.cache.learn(router, mac, { create: true, confirmed: false })
    if (!this.autoconfigure) return
    const mtu = ndMtu(nd)
    if (mtu !== undefined && mtu >= 1280 && mtu <= this.link.mtu) this.link.mtu = mtu
    for (const p of ndPrefixes(nd)) {
      // RFC 4862 §5.5.3: autonomous, 64 bits, not link-local, and valid at all.
      if (!(p.flags & 0x40) || p.length !== 64 || isLinkLocal(p.prefix) || p.valid === 0) continue
      const network = (p.prefix >> 64n) << 64n
      const address = network | eui64(this.link.mac)
      if (this.link.addAddress({ family: 6, address, length: 64, network })) this.detectDuplicate(address)
    }
    this.onAdvertisement?.({ router, message: nd })
  }
}
