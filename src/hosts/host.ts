import { formatIp, type Ip, parseIp } from '../address/ip.ts'
import { formatMac, type Mac, parseMac } from '../address/mac.ts'
import { parsePrefix } from '../address/prefix.ts'
import type { Clock } from '../base/clock.ts'
import type { FramePort } from '../base/frame.ts'
import { type Log, silent } from '../base/log.ts'
import { type Random, seeded } from '../base/random.ts'
import { Icmp6Type, parseMld } from '../packet/index.ts'
import type { Capture } from './capture.ts'
import { DhcpClient, type DhcpClientOptions, type Lease } from './dhcp-client.ts'
import { Dhcp6Client, type Dhcp6ClientOptions, type Lease6 } from './dhcpv6-client.ts'
import { Memberships } from './groups.ts'
import { IcmpLayer } from './icmp.ts'
import { NetInterface } from './interface.ts'
import { IpLayer, type Link } from './ip-layer.ts'
import { Pinger, type PingOptions, type PingResult } from './ping.ts'
import { type Resolution, resolve } from './resolver.ts'
import { destination } from './routes.ts'
import { type ConnectOptions, TcpLayer, type TcpListener } from './tcp.ts'
import type { TcpConnection } from './tcp-connection.ts'
import { UdpLayer, type UdpSocket } from './udp.ts'

export interface HostOptions {
  readonly name: string
  readonly clock: Clock
  readonly random?: Random
  readonly log?: Log
  /** With these two the host has an interface `eth0` from the start. */
  readonly port?: FramePort
  readonly mac?: Mac | string
  /** Of `eth0`, 1500. */
  readonly mtu?: number
  /** Addresses of `eth0`: `10.0.0.4/24`. */
  readonly addresses?: readonly string[]
  /** Default gateways, at most one of each family. */
  readonly gateway?: string | readonly string[]
  /** Hands on packets for others: a router. */
  readonly forwarding?: boolean
}

/**
 * A virtual machine's or an outside host's network stack, over an Ethernet port and a clock. All
 * that takes time calls back; on virtual time everything is repeatable.
 */
export class VirtualHost {
  readonly name: string
  readonly clock: Clock
  readonly ip: IpLayer
  readonly icmp: IcmpLayer
  readonly udpLayer: UdpLayer
  readonly tcpLayer: TcpLayer
  readonly groups: Memberships
  /** Name servers, from DHCP. */
  dns: readonly Ip[] = []
  /** Two machines have one address: the other's MAC. */
  onConflict: ((ip: Ip, mac: Mac | undefined) => void) | undefined
  private readonly random: Random
  private readonly log: Log
  private readonly pinger: Pinger
  private readonly clients = new Map<NetInterface, DhcpClient>()
  private readonly clients6 = new Map<NetInterface, Dhcp6Client>()

  constructor(options: HostOptions) {
    this.name = options.name
    this.clock = options.clock
    this.random = options.random ?? seeded([...options.name].reduce((n, c) => (n * 31 + c.charCodeAt(0)) | 0, 7))
    this.log = (options.log ?? silent).child(options.name)
    this.ip = new IpLayer(this.clock, this.random)
    this.ip.forwarding = options.forwarding ?? false
    this.icmp = new IcmpLayer(this.ip)
    this.udpLayer = new UdpLayer(this.ip, this.icmp, this.random)
    this.tcpLayer = new TcpLayer(this.clock, this.ip, this.icmp, this.random)
    this.groups = new Memberships(this.ip)
    this.pinger = new Pinger(this.clock, this.ip, this.icmp, this.random.u32())
    this.ip.onBootp = (datagram, link) => this.clients.get(link.link)?.receive(datagram)
    this.icmp.onOther6 = (m, link) => {
      if (m.type !== Icmp6Type.mldQuery) return
      const query = parseMld(m)
      if (query.ok && query.value.kind !== 'report2') this.groups.receiveQuery6(query.value.group, link)
    }
    if (options.port && options.mac !== undefined) {
      this.addInterface('eth0', options.port, options.mac, options.mtu)
      for (const a of options.addresses ?? []) this.addAddress(a)
      for (const g of [options.gateway ?? []].flat()) this.addRoute('default', g)
    }
  }

  /** A further interface. `mac` as number or text. */
  addInterface(name: string, port: FramePort, mac: Mac | string, mtu = 1500): NetInterface {
    return this.attach(NetInterface.onPort(name, toMac(mac), mtu, this.clock, port))
  }

  /** A VLAN of an interface, as one of its own: `eth0.100`. */
  addVlan(vid: number, on?: string, mac?: Mac | string): NetInterface {
    const parent = this.interface(on)
    return this.attach(parent.vlan(vid, `${parent.name}.${vid}`, mac === undefined ? parent.mac : toMac(mac)))
  }

  private attach(i: NetInterface): NetInterface {
    if (this.ip.links.some((l) => l.link.name === i.name)) throw new Error(`${i.name}: interface exists already`)
    const link = this.ip.attach(i)
    link.nd.isRouter = this.ip.forwarding
    const conflict = (ip: Ip, mac: Mac | undefined) => {
      this.log.warn(
        `${i.name}: ${formatIp(ip)} is used by ${mac === undefined ? 'another host' : formatMac(mac)} too`,
        {
          code: 'host-address-conflict',
        },
      )
      this.onConflict?.(ip, mac)
    }
    link.arp.onConflict = conflict
    link.nd.onConflict = conflict
    return i
  }

  /** An interface by name; without one, the first. */
  interface(name?: string): NetInterface {
    const found = name === undefined ? this.ip.links[0] : this.ip.links.find((l) => l.link.name === name)
    if (!found) throw new Error(`${name ?? 'first interface'}: no such interface`)
    return found.link
  }

  private link(name?: string): Link {
    return this.ip.linkOf(this.interface(name))
  }

  /** Adds `10.0.0.4/24` or `fd00::4/64` with its connected route, and announces it if asked. */
  addAddress(address: string, on?: string, announce = false): void {
    const link = this.link(on)
    const prefix = parsePrefix(address)
    if (!prefix) throw new Error(`${address}: not an address with a prefix length`)
    if (!link.link.addAddress(prefix)) return
    this.ip.routes.add({ prefix, interface: link.link, metric: 0, origin: 'connected' })
    if (prefix.family === 6) link.nd.linkLocal()
    if (announce) this.announce(prefix.address, on)
  }

  removeAddress(address: string, on?: string): void {
    const link = this.link(on)
    const ip = toIp(address)
    const was = link.link.addresses.find((p) => p.address === ip)
    if (!was || !link.link.removeAddress(ip)) return
    this.ip.routes.remove((r) => r.origin === 'connected' && r.interface === link.link && r.prefix.address === ip)
  }

  /** Says to all that an address is here: gratuitous ARP, unsolicited neighbour advertisement. */
  announce(address: string | Ip, on?: string): void {
    const ip = toIp(address)
    const link = this.link(on)
    if (typeof ip === 'number') link.arp.announce(ip)
    else link.nd.announce(ip)
  }

  /** Answers for all of a network besides the interfaces' addresses: a piece of the Internet. */
  addLocal(prefix: string): void {
    this.ip.local.push(destination(prefix, 4))
  }

  /** A static route: `default` or `192.0.2.0/24`, to a gateway. */
  addRoute(to: string, gateway: string, on?: string): void {
    const via = toIp(gateway)
    const prefix = destination(to, typeof via === 'number' ? 4 : 6)
    const route = this.ip.routes.lookup(via)
    const i = on === undefined ? (route?.interface ?? this.interface()) : this.interface(on)
    this.ip.routes.add({ prefix, gateway: via, interface: i, metric: 0, origin: 'static' })
  }

  removeRoute(to: string, gateway?: string): void {
    const via = gateway === undefined ? undefined : toIp(gateway)
    const prefix = destination(to, typeof via === 'bigint' || to.includes(':') ? 6 : 4)
    this.ip.routes.remove(
      (r) =>
        r.origin !== 'connected' &&
        r.prefix.network === prefix.network &&
        r.prefix.length === prefix.length &&
        (via === undefined || r.gateway === via),
    )
  }

  /** Echo requests; calls back when each was answered, refused or timed out. */
  ping(to: string | Ip, options: PingOptions, done: (result: PingResult) => void): void {
    this.pinger.ping(toIp(to), options, done)
  }

  /** A UDP socket; port 0 for a free one. */
  udp(port = 0, address?: string | Ip): UdpSocket {
    return this.udpLayer.bind(port, address === undefined ? undefined : toIp(address))
  }

  /** Opens and accepts TCP connections. */
  readonly tcp = {
    listen: (port: number, accept: (connection: TcpConnection) => void, address?: string | Ip): TcpListener =>
      this.tcpLayer.listen(port, accept, address === undefined ? undefined : toIp(address)),
    connect: (to: string | Ip, port: number, options?: ConnectOptions): TcpConnection =>
      this.tcpLayer.connect(toIp(to), port, options),
  }

  /**
   * Gets an address by DHCP and keeps it. `done` is called with each lease that is new or changed,
   * and with undefined when the lease is lost.
   */
  dhcp(
    done: (lease: Lease | undefined) => void,
    options: DhcpClientOptions & { readonly on?: string } = {},
  ): DhcpClient {
    const link = this.link(options.on)
    this.clients.get(link.link)?.stop()
    const mtu = link.link.mtu
    let applied: Lease | undefined
    const client = new DhcpClient(this.clock, this.random, this.ip, link, options, {
      lease: (lease) => {
        if (applied && (!lease || !sameLease(applied, lease))) this.unapply(applied, link, mtu)
        if (lease && !(applied && sameLease(applied, lease))) this.apply(lease, link, mtu)
        applied = lease
        done(lease)
      },
      state: (state) => this.log.dbg(`${link.link.name}: DHCP ${state}`),
    })
    this.clients.set(link.link, client)
    client.start()
    return client
  }

  private apply(lease: Lease, { link }: Link, mtu: number): void {
    this.addAddress(`${formatIp(lease.address)}/${lease.length}`, link.name)
    if (lease.mtu !== undefined) link.mtu = Math.min(mtu, lease.mtu)
    this.dns = lease.dns
    const add = (to: string, router: Ip) => {
      const gateway = router === 0 ? {} : { gateway: router }
      this.ip.routes.add({ prefix: destination(to, 4), ...gateway, interface: link, metric: 0, origin: 'dhcp' })
    }
    // RFC 3442: with classless routes the router option is not looked at.
    if (lease.routes.length) for (const r of lease.routes) add(`${formatIp(r.network)}/${r.length}`, r.router)
    else if (lease.routers[0] !== undefined) add('default', lease.routers[0])
  }

  private unapply(lease: Lease, { link }: Link, mtu: number): void {
    this.removeAddress(formatIp(lease.address), link.name)
    this.ip.routes.remove((r) => r.origin === 'dhcp' && r.interface === link)
    link.mtu = mtu
    this.dns = []
  }

  /**
   * Gets addresses (or, stateless, only name servers) by DHCPv6 and keeps them; `done` as with `dhcp`.
   * On-link networks and routers come from router advertisements: see `autoconfigure`.
   */
  dhcp6(
    done: (lease: Lease6 | undefined) => void,
    options: Dhcp6ClientOptions & { readonly on?: string } = {},
  ): Dhcp6Client {
    const link = this.link(options.on)
    this.clients6.get(link.link)?.stop()
    let applied: Lease6 | undefined
    const client = new Dhcp6Client(this.clock, this.random, this.udpLayer, link, options, (lease) => {
      const kept = new Set(lease?.addresses.map((a) => a.address))
      for (const a of applied?.addresses ?? []) {
        if (!kept.has(a.address)) this.removeAddress(formatIp(a.address), link.link.name)
      }
      for (const ip of kept) this.addAddress(`${formatIp(ip)}/128`, link.link.name)
      if (lease?.dns.length) this.dns = [...this.dns.filter((ip) => typeof ip === 'number'), ...lease.dns]
      applied = lease
      done(lease)
    })
    this.clients6.set(link.link, client)
    client.start()
    return client
  }

  /** Asks the name servers; calls back with the records, or with why there are none. */
  resolve(name: string, type: number, done: (result: Resolution) => void): void {
    resolve(this.clock, this.random, this.udpLayer, this.dns, name, type, done)
  }

  /** Stateless IPv6 configuration: solicits routers, and follows what they advertise (RFC 4862). */
  autoconfigure(done?: () => void, on?: string): void {
    const link = this.link(on)
    link.nd.linkLocal()
    link.nd.onAdvertisement = ({ router, message }) => {
      for (const a of link.link.addresses) {
        const known = this.ip.routes.list().some((r) => r.interface === link.link && r.prefix.address === a.address)
        if (a.family === 6 && !known) {
          this.ip.routes.add({ prefix: a, interface: link.link, metric: 0, origin: 'connected' })
        }
      }
      this.ip.routes.remove((r) => r.origin === 'ra' && r.gateway === router)
      if (message.lifetime > 0) {
        const prefix = destination('default', 6)
        this.ip.routes.add({ prefix, gateway: router, interface: link.link, metric: 1024, origin: 'ra' })
      }
      done?.()
    }
    link.nd.solicitRouters()
  }

  /** Joins a multicast group and tells the routers. */
  join(group: string, on?: string): void {
    this.groups.join(toIp(group), this.link(on))
  }

  leave(group: string): void {
    this.groups.leave(toIp(group))
  }

  /** Frames in and out of an interface from now on. */
  capture(on?: string): Capture {
    return this.interface(on).capture()
  }

  /** Neighbours known, as `ip neigh` prints them. */
  neighbors(): string[] {
    return this.ip.links.flatMap(({ link, arp, nd }) =>
      [...arp.cache.list(), ...nd.cache.list()].map((n) => {
        const mac = n.mac === undefined ? '' : ` lladdr ${formatMac(n.mac)}`
        return `${formatIp(n.ip)} dev ${link.name}${mac} ${n.state.toUpperCase()}`
      }),
    )
  }
}

function sameLease(a: Lease, b: Lease): boolean {
  const text = (l: Lease) => JSON.stringify([l.address, l.length, l.routers, l.routes, l.dns, l.mtu])
  return text(a) === text(b)
}

function toIp(address: string | Ip): Ip {
  if (typeof address !== 'string') return address
  const ip = parseIp(address)
  if (ip === undefined) throw new Error(`${address}: not an IP address`)
  return ip
}

function toMac(mac: Mac | string): Mac {
  const value = typeof mac === 'string' ? parseMac(mac) : mac
  if (value === undefined) throw new Error(`${mac}: not a MAC address`)
  return value
}
