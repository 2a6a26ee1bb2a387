import { formatIp, type Ip, isMulticast } from '../address/ip.ts'
import type { Random } from '../base/random.ts'
import { below } from '../base/random.ts'
import { emitUdp, IpProto, parseUdp } from '../packet/index.ts'
import type { IcmpError, IcmpLayer } from './icmp.ts'
import type { NetInterface } from './interface.ts'
import type { Datagram, IpLayer, SendError } from './ip-layer.ts'

/** Where a datagram came from and how. */
export interface UdpSource {
  readonly address: Ip
  readonly port: number
  /** The address it was sent to: group and broadcast ones too. */
  readonly to: Ip
  readonly ttl: number
}

export interface UdpSendOptions {
  readonly src?: Ip
  readonly out?: NetInterface
  readonly ttl?: number
  readonly df?: boolean
}

/** A bound UDP socket. */
export class UdpSocket {
  onDatagram: ((data: Uint8Array, from: UdpSource) => void) | undefined
  /** A datagram sent earlier did not arrive: an ICMP error, or it could not be sent. */
  onError: ((error: IcmpError | SendError) => void) | undefined

  constructor(
    readonly port: number,
    /** Only datagrams to this address; undefined: to any. */
    readonly address: Ip | undefined,
    private readonly ip: IpLayer,
    private readonly forget: (socket: UdpSocket) => void,
  ) {}

  send(to: Ip, port: number, data: Uint8Array, options: UdpSendOptions = {}): void {
    const src = options.src ?? this.address
    this.ip.send({
      dst: to,
      protocol: IpProto.udp,
      ...(src !== undefined && { src }),
      ...(options.out && { out: options.out }),
      ...(options.ttl !== undefined && { ttl: options.ttl }),
      ...(options.df !== undefined && { df: options.df }),
      payload: (ends) => emitUdp({ src: this.port, dst: port, payload: data }, ends),
      onError: (e) => this.onError?.(e),
    })
  }

  close(): void {
    this.forget(this)
  }
}

const EPHEMERAL = { first: 32768, count: 28232 } as const

/** UDP of a host (RFC 768): sockets by port. */
export class UdpLayer {
  private readonly sockets = new Map<number, UdpSocket[]>()

  constructor(
    private readonly ip: IpLayer,
    icmp: IcmpLayer,
    private readonly random: Random,
  ) {
    ip.protocols.set(IpProto.udp, (d) => this.receive(d))
    icmp.onError.set(IpProto.udp, (e) => {
      const { ports, src } = e.quoted
      if (ports) this.find(src, ports.src)?.onError?.(e)
    })
  }

  /** Port 0 draws a free one. Throws when the port is taken. */
  bind(port = 0, address?: Ip): UdpSocket {
    const number = port || this.freePort()
    const there = this.sockets.get(number) ?? []
    if (there.some((s) => s.address === undefined || address === undefined || s.address === address)) {
      throw new Error(
        `UDP ${address === undefined ? '' : `${formatIp(address)} `}port ${number}: Address already in use`,
      )
    }
    const socket = new UdpSocket(number, address, this.ip, (s) => this.close(s))
    this.sockets.set(number, [...there, socket])
    return socket
  }

  private close(socket: UdpSocket): void {
    const left = (this.sockets.get(socket.port) ?? []).filter((s) => s !== socket)
    if (left.length) this.sockets.set(socket.port, left)
    else this.sockets.delete(socket.port)
  }

  private freePort(): number {
    const start = below(this.random, EPHEMERAL.count)
    for (let i = 0; i < EPHEMERAL.count; i++) {
      const port = EPHEMERAL.first + ((start + i) % EPHEMERAL.count)
      if (!this.sockets.has(port)) return port
    }
    throw new Error('no free UDP port')
  }

  private find(address: Ip, port: number): UdpSocket | undefined {
    const there = this.sockets.get(port)
    return there?.find((s) => s.address === address) ?? there?.find((s) => s.address === undefined)
  }

  private receive(d: Datagram): boolean {
    const parsed = parseUdp(d.payload, d)
    if (!parsed.ok || parsed.value.badChecksum !== undefined) return true
    const u = parsed.value
    const from = { address: d.src, port: u.src, to: d.dst, ttl: d.ttl }
    if (d.group || isMulticast(d.dst)) {
      for (const s of this.sockets.get(u.dst) ?? []) s.onDatagram?.(u.payload, from)
      return true
    }
    const socket = this.find(d.dst, u.dst)
    socket?.onDatagram?.(u.payload, from)
    return socket !== undefined
  }
}
