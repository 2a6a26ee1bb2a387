import { formatIpv4, type Ipv4, ipv4MaskLength } from '../address/ipv4.ts'
import { MAC_BROADCAST } from '../address/mac.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { below, type Random } from '../base/random.ts'
import {
  addressesIn,
  type Dhcp,
  DhcpCode,
  type DhcpOption,
  DhcpType,
  decodeStaticRoutes,
  dhcp,
  dhcpOptions,
  EtherType,
  emitDhcp,
  emitIpv4,
  emitUdp,
  IpProto,
  ipv4,
  numberIn,
  option8,
  option16,
  option32,
  optionText,
  parseDhcp,
  parseUdp,
  type StaticRoute,
  UdpPort,
} from '../packet/index.ts'
import type { IpLayer, Link } from './ip-layer.ts'

/** RFC 2131 figure 5. */
export type DhcpState =
  | 'init'
  | 'selecting'
  | 'requesting'
  | 'checking'
  | 'rebooting'
  | 'bound'
  | 'renewing'
  | 'rebinding'
  | 'stopped'

/** What a server leased, and everything else it said. */
export interface Lease {
  readonly address: Ipv4
  /** Prefix length, from the netmask option, else from the address's class. */
  readonly length: number
  readonly server: Ipv4
  readonly routers: readonly Ipv4[]
  readonly routes: readonly StaticRoute[]
  readonly dns: readonly Ipv4[]
  readonly mtu: number | undefined
  readonly domain: string | undefined
  readonly hostname: string | undefined
  /** Seconds; Infinity for ever. */
  readonly leaseTime: number
  readonly t1: number
  readonly t2: number
  /** The siaddr field: the next server of a network boot. */
  readonly nextServer: Ipv4
  /** All options by code, those above too. */
  readonly options: ReadonlyMap<number, Uint8Array>
}

export interface DhcpClientOptions {
  readonly hostname?: string
  /** Option 61, whole. */
  readonly clientId?: Uint8Array
  /** Codes to ask for, besides or instead of the usual ones. */
  readonly parameters?: readonly number[]
  /** An address held before: starts in INIT-REBOOT with it (RFC 2131 §3.2). */
  readonly previous?: Ipv4
  /** Asks for answers by broadcast. */
  readonly broadcast?: boolean
  /** Further options for DISCOVER and REQUEST: etherboot (175), user class (77) ... */
  readonly extra?: readonly DhcpOption[]
  /** ARP probes before an address is used, and milliseconds between them; count 0 for none. */
  readonly probe?: { readonly count: number; readonly interval: number }
}

export interface DhcpEvents {
  /** A lease came, was renewed with other contents, or went (undefined). */
  lease(lease: Lease | undefined): void
  state?(state: DhcpState): void
}

const PARAMETERS: readonly number[] = [
  DhcpCode.netmask,
  DhcpCode.router,
  DhcpCode.dnsServer,
  DhcpCode.hostname,
  DhcpCode.domainName,
  DhcpCode.mtu,
  DhcpCode.broadcast,
  DhcpCode.leaseTime,
  DhcpCode.serverId,
  DhcpCode.t1,
  DhcpCode.t2,
  DhcpCode.domainSearch,
  DhcpCode.classlessRoutes,
]

/** RFC 2131 §4.1: seconds until a message is repeated, give or take one. */
const BACKOFF = [4, 8, 16, 32, 64] as const
/** Requests to one server before it is given up. */
const MAX_REQUESTS = 4
/** Milliseconds to wait after a DECLINE (RFC 2131 §3.1.5). */
const DECLINE_WAIT = 10_000

/** A DHCP client on one interface (RFC 2131). What it learns goes to its events; it configures nothing itself. */
export class DhcpClient {
  state: DhcpState = 'init'
  lease: Lease | undefined
  private xid = 0
  private started = 0
  private tries = 0
  private timer: Timer | undefined
  private leaseTimers: Timer[] = []

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly ip: IpLayer,
    private readonly link: Link,
    private readonly options: DhcpClientOptions,
    private readonly events: DhcpEvents,
  ) {}

  start(): void {
    if (this.options.previous !== undefined) {
      this.begin('rebooting')
      this.repeat(() => this.request(this.options.previous, undefined), MAX_REQUESTS)
    } else this.discover()
  }

  /** Gives the address back (RFC 2131 §4.4.6) and stops. */
  release(): void {
    const lease = this.lease
    if (lease) {
      const options = [option8(DhcpCode.messageType, DhcpType.release), option32(DhcpCode.serverId, lease.server)]
      this.xid = this.random.u32()
      this.unicast(this.message(options, lease.address), lease)
    }
    this.stop()
  }

  /** Stops without a word; the lease is dropped. */
  stop(): void {
    this.cancelTimers()
    this.enter('stopped')
    this.drop()
  }

  /** A UDP datagram to the client port, from the IP layer. */
  receive(datagram: Uint8Array): void {
    const udp = parseUdp(datagram)
    if (!udp.ok || udp.value.src !== UdpPort.dhcpServer) return
    const parsed = parseDhcp(udp.value.payload)
    if (!parsed.ok) return
    const d = parsed.value
    if (d.op !== 2 || d.xid !== this.xid || d.chaddr !== this.link.link.mac) return
    const options = dhcpOptions(d)
    const type = numberIn(options.get(DhcpCode.messageType))
    if (type === DhcpType.offer) this.receiveOffer(d, options)
    else if (type === DhcpType.ack) this.receiveAck(d, options)
    else if (type === DhcpType.nak) this.receiveNak()
  }

  private receiveOffer(d: Dhcp, options: ReadonlyMap<number, Uint8Array>): void {
    const server = numberIn(options.get(DhcpCode.serverId))
    if (this.state !== 'selecting' || !server || !d.yiaddr) return
    this.enter('requesting')
    this.repeat(() => this.request(d.yiaddr, server), MAX_REQUESTS)
  }

  private receiveAck(d: Dhcp, options: ReadonlyMap<number, Uint8Array>): void {
    const waiting = ['requesting', 'rebooting', 'renewing', 'rebinding'].includes(this.state)
    const lease = leaseOf(d, options)
    if (!waiting || !lease) return
    this.timer?.cancel()
    const { count, interval } = this.options.probe ?? { count: 1, interval: 200 }
    if (this.state === 'renewing' || this.state === 'rebinding' || count === 0) {
      this.bind(lease)
      return
    }
    this.enter('checking')
    this.link.arp.probe(lease.address, count, interval, (conflict) => {
      if (this.state !== 'checking') return
      if (conflict === undefined) this.bind(lease)
      else this.decline(lease)
    })
  }

  private receiveNak(): void {
    if (!['requesting', 'rebooting', 'renewing', 'rebinding'].includes(this.state)) return
    this.drop()
    this.restart(1000)
  }

  private decline(lease: Lease): void {
    this.broadcast(
      this.message([
        option8(DhcpCode.messageType, DhcpType.decline),
        option32(DhcpCode.requestedAddress, lease.address),
        option32(DhcpCode.serverId, lease.server),
      ]),
    )
    this.restart(DECLINE_WAIT)
  }

  private restart(wait: number): void {
    this.cancelTimers()
    this.enter('init')
    this.timer = this.clock.after(wait, () => this.discover())
  }

  private bind(lease: Lease): void {
    this.cancelTimers()
    this.lease = lease
    this.enter('bound')
    this.events.lease(lease)
    if (lease.leaseTime === Number.POSITIVE_INFINITY || this.state !== 'bound') return
    const at = (seconds: number, run: () => void) => this.leaseTimers.push(this.clock.after(seconds * 1000, run))
    at(lease.t1, () => this.renew('renewing', lease, lease.t2 - lease.t1))
    at(lease.t2, () => this.renew('rebinding', lease, lease.leaseTime - lease.t2))
    at(lease.leaseTime, () => {
      this.drop()
      this.restart(0)
    })
  }

  /** RFC 2131 §4.4.5: repeat after half of the time left, but not within a minute. */
  private renew(state: 'renewing' | 'rebinding', lease: Lease, seconds: number): void {
    this.begin(state)
    this.timer?.cancel()
    let left = seconds
    const step = () => {
      const message = this.message(this.requestOptions(), lease.address)
      if (state === 'renewing') this.unicast(message, lease)
      else this.broadcast(message)
      const wait = Math.max(left / 2, Math.min(60, seconds))
      left -= wait
      if (left > 0) this.timer = this.clock.after(wait * 1000, step)
    }
    step()
  }

  private discover(): void {
    this.begin('selecting')
    const options = () => [
      option8(DhcpCode.messageType, DhcpType.discover),
      ...this.identity(),
      ...this.parameterList(),
      ...(this.options.extra ?? []),
    ]
    this.repeat(() => this.broadcast(this.message(options())), Number.POSITIVE_INFINITY)
  }

  private begin(state: DhcpState): void {
    this.xid = this.random.u32()
    this.started = this.clock.monotonic()
    this.enter(state)
  }

  /** Sends now and again with growing pauses; after `max` times starts over. */
  private repeat(send: () => void, max: number): void {
    this.timer?.cancel()
    this.tries = 0
    const step = () => {
      if (this.tries >= max) {
        this.discover()
        return
      }
      const seconds = BACKOFF[Math.min(this.tries, BACKOFF.length - 1)] ?? 64
      this.tries++
      this.timer = this.clock.after(seconds * 1000 + below(this.random, 2001) - 1000, step)
      send()
    }
    step()
  }

  private request(address: Ipv4 | undefined, server: Ipv4 | undefined): void {
    const options = this.requestOptions([
      ...(address === undefined ? [] : [option32(DhcpCode.requestedAddress, address)]),
      ...(server === undefined ? [] : [option32(DhcpCode.serverId, server)]),
    ])
    this.broadcast(this.message(options))
  }

  private requestOptions(more: readonly DhcpOption[] = []): DhcpOption[] {
    const type = option8(DhcpCode.messageType, DhcpType.request)
    return [type, ...more, ...this.identity(), ...this.parameterList(), ...(this.options.extra ?? [])]
  }

  private identity(): DhcpOption[] {
    const { hostname, clientId } = this.options
    return [
      ...(clientId ? [{ code: DhcpCode.clientId, data: clientId }] : []),
      ...(hostname ? [optionText(DhcpCode.hostname, hostname)] : []),
    ]
  }

  private parameterList(): DhcpOption[] {
    const wanted = [...new Set([...PARAMETERS, ...(this.options.parameters ?? [])])]
    return [{ code: DhcpCode.parameterList, data: Uint8Array.from(wanted) }, option16(DhcpCode.maxSize, 1500)]
  }

  private message(options: readonly DhcpOption[], ciaddr: Ipv4 = 0): Dhcp {
    return dhcp({
      op: 1,
      xid: this.xid,
      secs: Math.min(0xffff, Math.floor((this.clock.monotonic() - this.started) / 1000)),
      flags: this.options.broadcast ? 0x8000 : 0,
      ciaddr,
      chaddr: this.link.link.mac,
      options,
    })
  }

  private broadcast(d: Dhcp): void {
    const ends = { src: 0, dst: 0xffffffff }
    const payload = emitUdp({ src: UdpPort.dhcpClient, dst: UdpPort.dhcpServer, payload: emitDhcp(d) }, ends)
    const packet = emitIpv4(ipv4({ ...ends, protocol: IpProto.udp, df: false, payload }))
    this.link.link.send(MAC_BROADCAST, EtherType.ipv4, packet)
  }

  private unicast(d: Dhcp, lease: Lease): void {
    this.ip.send({
      src: lease.address,
      dst: lease.server,
      out: this.link.link,
      protocol: IpProto.udp,
      payload: (ends) => emitUdp({ src: UdpPort.dhcpClient, dst: UdpPort.dhcpServer, payload: emitDhcp(d) }, ends),
    })
  }

  private enter(state: DhcpState): void {
    this.state = state
    this.events.state?.(state)
  }

  private drop(): void {
    if (!this.lease) return
    this.lease = undefined
    this.events.lease(undefined)
  }

  private cancelTimers(): void {
    this.timer?.cancel()
    for (const t of this.leaseTimers) t.cancel()
    this.leaseTimers = []
  }
}

/** What an ACK says, or undefined when it is no lease. */
function leaseOf(d: Dhcp, options: ReadonlyMap<number, Uint8Array>): Lease | undefined {
  const server = numberIn(options.get(DhcpCode.serverId))
  const seconds = numberIn(options.get(DhcpCode.leaseTime))
  if (!server || !d.yiaddr || seconds === undefined) return undefined
  const leaseTime = seconds === 0xffffffff ? Number.POSITIVE_INFINITY : seconds
  const text = (code: number) => {
    const data = options.get(code)
    return data && new TextDecoder().decode(data).replace(/\0+$/, '')
  }
  const mask = numberIn(options.get(DhcpCode.netmask))
  const mtu = numberIn(options.get(DhcpCode.mtu))
  const addresses = (code: number) => addressesIn(options.get(code) ?? new Uint8Array(0)) ?? []
  // RFC 2131 §4.4.5: the times of the server, if they are in order, else one half and seven eighths.
  const t1 = numberIn(options.get(DhcpCode.t1))
  const t2 = numberIn(options.get(DhcpCode.t2))
  const sound = t1 !== undefined && t2 !== undefined && t1 < t2 && t2 < leaseTime
  return {
    address: d.yiaddr,
    length: (mask === undefined ? undefined : ipv4MaskLength(mask)) ?? classLength(d.yiaddr),
    server,
    routers: addresses(DhcpCode.router),
    routes: decodeStaticRoutes(options.get(DhcpCode.classlessRoutes) ?? new Uint8Array(0)) ?? [],
    dns: addresses(DhcpCode.dnsServer),
    mtu: mtu !== undefined && mtu >= 68 ? mtu : undefined,
    domain: text(DhcpCode.domainName),
    hostname: text(DhcpCode.hostname),
    leaseTime,
    t1: sound ? t1 : leaseTime / 2,
    t2: sound ? t2 : leaseTime * 0.875,
    nextServer: d.siaddr,
    options,
  }
}

function classLength(ip: Ipv4): number {
  return ip >>> 31 === 0 ? 8 : ip >>> 30 === 2 ? 16 : 24
}

/** `10.0.0.4/24 via 10.0.0.1, 3600 s from 10.0.0.1`. */
export function printLease(l: Lease): string {
  const via = l.routers[0] === undefined ? '' : ` via ${formatIpv4(l.routers[0])}`
  return `${formatIpv4(l.address)}/${l.length}${via}, ${l.leaseTime} s from ${formatIpv4(l.server)}`
}
