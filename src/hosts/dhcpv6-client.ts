import type { Ipv6 } from '../address/ipv6.ts'
import { equalBytes, parse, Reader, Writer } from '../base/bytes.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import {
  type Dhcp6,
  Dhcp6Code,
  type Dhcp6Option,
  Dhcp6Status,
  Dhcp6Type,
  dhcp6Option,
  duidLinkLayer,
  emitDhcp6,
  type IaAddress,
  type IaPrefix,
  iaAddressOption,
  iaOption,
  iaPrefixOption,
  parseDhcp6,
  parseIa,
  parseIaAddress,
  parseIaPrefix,
  readDnsName,
  UdpPort,
} from '../packet/index.ts'
import type { Link } from './ip-layer.ts'
import type { UdpLayer, UdpSocket } from './udp.ts'

/** All_DHCP_Relay_Agents_and_Servers, ff02::1:2 (RFC 8415 §7.1). */
const SERVERS: Ipv6 = (0xff02n << 112n) | 0x1_0002n

export type Dhcp6State = 'soliciting' | 'requesting' | 'informing' | 'bound' | 'renewing' | 'rebinding' | 'stopped'

/** What a server gave, and everything else it said. Times in seconds. */
export interface Lease6 {
  readonly addresses: readonly IaAddress[]
  readonly prefixes: readonly IaPrefix[]
  /** The server's DUID. */
  readonly server: Uint8Array
  readonly t1: number
  readonly t2: number
  readonly dns: readonly Ipv6[]
  readonly domains: readonly string[]
  readonly options: readonly Dhcp6Option[]
}

export interface Dhcp6ClientOptions {
  /** Ask only for configuration, not for addresses (RFC 8415 §6.1). */
  readonly stateless?: boolean
  /** Ask for a delegated prefix instead of an address. */
  readonly prefix?: boolean
  /** Option codes to ask for besides DNS servers and search list. */
  readonly request?: readonly number[]
  readonly extra?: readonly Dhcp6Option[]
}

/** RFC 8415 §7.6: first and largest pause in milliseconds, tries (0: without end). */
const TIMES = {
  solicit: { first: 1000, max: 3600_000, tries: 0 },
  request: { first: 1000, max: 30_000, tries: 10 },
  inform: { first: 1000, max: 3600_000, tries: 0 },
  renew: { first: 10_000, max: 600_000, tries: 0 },
} as const

const FOREVER = 0xffffffff

/** A DHCPv6 client on one interface (RFC 8415 §18.2). What it learns goes to `onLease`; it configures nothing itself. */
export class Dhcp6Client {
  state: Dhcp6State = 'stopped'
  lease: Lease6 | undefined
  private readonly socket: UdpSocket
  private readonly duid: Uint8Array
  private readonly iaid: number
  private xid = 0
  private server: Uint8Array | undefined
  private begun = 0
  private timer: Timer | undefined
  private leaseTimers: Timer[] = []

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
    udp: UdpLayer,
    private readonly link: Link,
    private readonly options: Dhcp6ClientOptions,
    /** A lease came or was renewed; undefined: it is lost. */
    private readonly onLease: (lease: Lease6 | undefined) => void,
  ) {
    const mac = link.link.mac
    this.duid = duidLinkLayer(mac)
    this.iaid = mac % 0x1_0000_0000
    this.socket = udp.bind(UdpPort.dhcp6Client, link.nd.linkLocal())
    this.socket.onDatagram = (data, from) => {
      if (from.port === UdpPort.dhcp6Server) this.receive(data)
    }
  }

  start(): void {
    if (this.options.stateless) this.exchange('informing', Dhcp6Type.informationRequest, TIMES.inform, () => [])
    else this.solicit()
  }

  /** Gives everything back and stops (RFC 8415 §18.2.7). */
  release(): void {
    if (this.lease && !this.options.stateless) {
      this.xid = this.random.u32() >>> 8
      this.send(Dhcp6Type.release, [this.serverId(), ...this.associations(this.lease)])
    }
    this.stop()
  }

  stop(): void {
    this.cancel()
    this.socket.close()
    this.state = 'stopped'
    this.drop()
  }

  private solicit(): void {
    this.exchange('soliciting', Dhcp6Type.solicit, TIMES.solicit, () => this.associations(undefined))
  }

  /** Sends a message now and again until it is answered (RFC 8415 §15). */
  private exchange(
    state: Dhcp6State,
    type: number,
    times: { readonly first: number; readonly max: number; readonly tries: number },
    options: () => Dhcp6Option[],
  ): void {
    this.timer?.cancel()
    this.state = state
    this.xid = this.random.u32() >>> 8
    this.begun = this.clock.monotonic()
    let pause: number = times.first
    let tries = 0
    const step = () => {
      if (times.tries && tries >= times.tries) {
        this.solicit()
        return
      }
      tries++
      // RFC 8415 §15: give or take a tenth, so that hosts do not ask in step.
      const jitter = 0.9 + (this.random.u32() / 0x1_0000_0000) * 0.2
      this.timer = this.clock.after(pause * jitter, step)
      pause = Math.min(times.max, pause * 2)
      this.send(type, options())
    }
    step()
  }

  private send(type: number, options: readonly Dhcp6Option[]): void {
    const elapsed = Math.min(0xffff, Math.floor((this.clock.monotonic() - this.begun) / 10))
    const request = [Dhcp6Code.dnsServer, Dhcp6Code.domainSearch, ...(this.options.request ?? [])]
    const oro = new Writer(2 * request.length)
    for (const code of request) oro.u16(code)
    const message: Dhcp6 = {
      kind: 'client-server',
      type,
      xid: this.xid,
      options: [
        { code: Dhcp6Code.clientId, data: this.duid },
        ...options,
        { code: Dhcp6Code.optionRequest, data: oro.done() },
        { code: Dhcp6Code.elapsedTime, data: new Writer(2).u16(elapsed).done() },
        ...(this.options.extra ?? []),
      ],
    }
    this.socket.send(SERVERS, UdpPort.dhcp6Server, emitDhcp6(message), { out: this.link.link, ttl: 1 })
  }

  private serverId(): Dhcp6Option {
    return { code: Dhcp6Code.serverId, data: this.server ?? new Uint8Array(0) }
  }

  private associations(lease: Lease6 | undefined): Dhcp6Option[] {
    const code = this.options.prefix ? Dhcp6Code.iaPd : Dhcp6Code.iaNa
    const inner = this.options.prefix
      ? (lease?.prefixes ?? []).map(iaPrefixOption)
      : (lease?.addresses ?? []).map(iaAddressOption)
    return [iaOption(code, { iaid: this.iaid, t1: 0, t2: 0, options: inner })]
  }

  private receive(data: Uint8Array): void {
    const parsed = parseDhcp6(data)
    if (!parsed.ok || parsed.value.kind !== 'client-server' || parsed.value.xid !== this.xid) return
    const m = parsed.value
    const server = dhcp6Option(m, Dhcp6Code.serverId)
    const client = dhcp6Option(m, Dhcp6Code.clientId)
    // RFC 8415 §16.3, §16.10
    if (!server || (client ? !equalBytes(client, this.duid) : !this.options.stateless)) return
    const lease = leaseOf(m, server, this.iaid)
    if (this.state === 'soliciting' && m.type === Dhcp6Type.advertise) {
      if (!lease || !(lease.addresses.length || lease.prefixes.length)) return
      this.server = server
      const options = () => [this.serverId(), ...this.associations(lease)]
      this.exchange('requesting', Dhcp6Type.request, TIMES.request, options)
      return
    }
    if (m.type !== Dhcp6Type.reply || this.state === 'bound' || this.state === 'soliciting') return
    this.server = server
    if (this.state === 'informing' && lease) this.bind(lease)
    else if (lease && (lease.addresses.length || lease.prefixes.length)) this.bind(lease)
    else {
      this.drop()
      this.cancel()
      this.timer = this.clock.after(1000, () => this.solicit())
    }
  }

  private bind(lease: Lease6): void {
    this.cancel()
    this.lease = lease
    this.state = 'bound'
    this.onLease(lease)
    const valid = Math.max(0, ...[...lease.addresses, ...lease.prefixes].map((a) => a.valid))
    if (this.options.stateless || valid === FOREVER || valid === 0) return
    const at = (seconds: number, run: () => void) => this.leaseTimers.push(this.clock.after(seconds * 1000, run))
    // RFC 8415 §21.4: times of zero are the client's to choose.
    const t1 = lease.t1 || valid / 2
    const t2 = Math.max(t1, lease.t2 || valid * 0.8)
    at(t1, () =>
      this.exchange('renewing', Dhcp6Type.renew, TIMES.renew, () => [this.serverId(), ...this.associations(lease)]),
    )
    at(t2, () => this.exchange('rebinding', Dhcp6Type.rebind, TIMES.renew, () => this.associations(lease)))
    at(valid, () => {
      this.cancel()
      this.drop()
      this.solicit()
    })
  }

  private drop(): void {
    if (!this.lease) return
    this.lease = undefined
    this.onLease(undefined)
  }

  private cancel(): void {
    this.timer?.cancel()
    for (const t of this.leaseTimers) t.cancel()
    this.leaseTimers = []
  }
}

/** What a message gives, or undefined when its status says that it gives nothing. */
function leaseOf(
  m: { readonly options: readonly Dhcp6Option[] },
  server: Uint8Array,
  iaid: number,
): Lease6 | undefined {
  const failed = (options: readonly Dhcp6Option[]) => {
    const status = options.find((o) => o.code === Dhcp6Code.status)?.data
    return status !== undefined && status.length >= 2 && new Reader(status).u16() !== Dhcp6Status.success
  }
  if (failed(m.options)) return undefined
  const addresses: IaAddress[] = []
  const prefixes: IaPrefix[] = []
  let [t1, t2] = [0, 0]
  for (const o of m.options) {
    if (o.code !== Dhcp6Code.iaNa && o.code !== Dhcp6Code.iaPd) continue
    const ia = parseIa(o.data)
    if (!ia.ok || ia.value.iaid !== iaid || failed(ia.value.options)) continue
    ;[t1, t2] = [ia.value.t1, ia.value.t2]
    for (const inner of ia.value.options) {
      if (inner.code === Dhcp6Code.iaAddress) {
        const a = parseIaAddress(inner.data)
        if (a.ok && a.value.valid > 0 && a.value.preferred <= a.value.valid) addresses.push(a.value)
      } else if (inner.code === Dhcp6Code.iaPrefix) {
        const p = parseIaPrefix(inner.data)
        if (p.ok && p.value.valid > 0 && p.value.length <= 128) prefixes.push(p.value)
      }
    }
  }
  const dns: Ipv6[] = []
  const servers = new Reader(dhcp6Option(m, Dhcp6Code.dnsServer) ?? new Uint8Array(0))
  while (servers.left >= 16) dns.push(servers.u128())
  const domains = namesIn(dhcp6Option(m, Dhcp6Code.domainSearch))
  return { addresses, prefixes, server, t1, t2, dns, domains, options: m.options }
}

/** Names of RFC 1035 one behind the other, as far as they are sound. */
function namesIn(data: Uint8Array | undefined): string[] {
  const names: string[] = []
  parse(data ?? new Uint8Array(0), (r) => {
    while (r.left) names.push(readDnsName(r, 0))
  })
  return names
}
