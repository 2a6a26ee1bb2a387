import { formatIp, type Ip } from '../address/ip.ts'
import { formatIpv4 } from '../address/ipv4.ts'
import type { Capture, DhcpClientOptions, PingEvent, PingOptions, TcpConnection, VirtualHost } from '../hosts/index.ts'
import type { Driver } from './drive.ts'

/** What a machine got by DHCP, as texts. */
export interface GuestLease {
  readonly address: string
  readonly prefixLength: number
  readonly server: string
  readonly router: string | undefined
  readonly dns: readonly string[]
  readonly mtu: number | undefined
  /** Seconds. */
  readonly leaseTime: number
  /** Milliseconds from the first DISCOVER to the ACK, of the sandbox's time. */
  readonly took: number
}

/** What became of a ping. */
export interface GuestPing {
  readonly sent: number
  readonly received: number
  /** Of the last reply. */
  readonly ttl: number | undefined
  /** Milliseconds, of the last reply. */
  readonly rtt: number | undefined
  /** `time-exceeded from 10.0.0.1`: the last error or timeout. */
  readonly error: string | undefined
  readonly events: readonly PingEvent[]
}

/** A machine of the sandbox: a virtual host whose answers are awaited. `host` has all that it can do. */
export class Guest {
  constructor(
    readonly host: VirtualHost,
    private readonly driver: Driver,
  ) {}

  get name(): string {
    return this.host.name
  }

  /** Gets an address by DHCP, and keeps the lease from now on. */
  async dhcp(options: DhcpClientOptions = {}, limit = 60_000): Promise<GuestLease> {
    const begin = this.host.clock.monotonic()
    const lease = await this.driver.complete<GuestLease>(
      `DHCP of ${this.name}`,
      (done) => {
        this.host.dhcp((l) => {
          if (!l) return
          done({
            address: formatIpv4(l.address),
            prefixLength: l.length,
            server: formatIpv4(l.server),
            router: l.routers[0] === undefined ? undefined : formatIpv4(l.routers[0]),
            dns: l.dns.map(formatIpv4),
            mtu: l.mtu,
            leaseTime: l.leaseTime,
            took: this.host.clock.monotonic() - begin,
          })
        }, options)
      },
      limit,
    )
    return lease
  }

  /** One echo request, or `options.count` of them. Resolves also when nothing comes back. */
  async ping(to: string | Ip, options: PingOptions = {}): Promise<GuestPing> {
    const limit = (options.count ?? 1) * (options.interval ?? 1000) + (options.timeout ?? 1000) + 10_000
    const result = await this.driver.complete(
      `ping from ${this.name} to ${typeof to === 'string' ? to : formatIp(to)}`,
      (done: (r: { sent: number; received: number; events: readonly PingEvent[] }) => void) =>
        this.host.ping(to, options, done),
      limit,
    )
    let ttl: number | undefined
    let rtt: number | undefined
    let error: string | undefined
    for (const e of result.events) {
      if (e.kind === 'reply') {
        ttl = e.ttl
        rtt = e.rtt
      } else if (e.kind === 'timeout') error = 'timeout'
      else
        error = `${e.error}${e.from === undefined ? '' : ` from ${formatIp(e.from)}`}${e.mtu === undefined ? '' : `, mtu ${e.mtu}`}`
    }
    return { sent: result.sent, received: result.received, ttl, rtt, error, events: result.events }
  }

  /** Opens a TCP connection; rejects with the reason where it is refused or times out. */
  async connect(to: string | Ip, port: number, limit = 60_000): Promise<TcpConnection> {
    const outcome = await this.driver.complete<TcpConnection | Error>(
      `TCP from ${this.name} to port ${port}`,
      (done) => {
        const c = this.host.tcp.connect(to, port)
        c.onOpen = () => {
          c.onClose = undefined
          done(c)
        }
        c.onClose = (e) => done(e ?? new Error('closed before it was open'))
      },
      limit,
    )
    if (outcome instanceof Error) throw outcome
    return outcome
  }

  /** Sends `request`, reads until the other side closes, and gives what it sent. */
  async exchange(to: string | Ip, port: number, request: Uint8Array, limit = 60_000): Promise<Uint8Array> {
    const connection = await this.connect(to, port, limit)
    return this.driver.complete<Uint8Array>(
      `answer on port ${port}`,
      (done) => {
        const parts: Uint8Array[] = []
        connection.onData = (bytes) => parts.push(bytes)
        const end = () => {
          done(new Uint8Array(parts.flatMap((p) => [...p])))
          connection.close()
        }
        connection.onEnd = end
        connection.onClose = end
        connection.write(request)
      },
      limit,
    )
  }

  /** Frames in and out of its interface from now on. */
  capture(): Capture {
    return this.host.capture()
  }
}
