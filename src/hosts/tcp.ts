import { formatIp, type Ip } from '../address/ip.ts'
import type { Clock } from '../base/clock.ts'
import { below, type Random } from '../base/random.ts'
import { emitTcp, IpProto, parseTcp, type Tcp, TcpFlag } from '../packet/index.ts'
import type { IcmpError, IcmpLayer } from './icmp.ts'
import type { Datagram, IpLayer, SendError } from './ip-layer.ts'
import { seqAdd } from './tcp-buffers.ts'
import { TcpConnection, type TcpEnds } from './tcp-connection.ts'

/** A port that takes connections. */
export interface TcpListener {
  readonly port: number
  close(): void
}

interface Listening extends TcpListener {
  readonly address: Ip | undefined
  readonly accept: (connection: TcpConnection) => void
}

export interface ConnectOptions {
  readonly localAddress?: Ip
  /** A free one if not given. */
  readonly localPort?: number
}

const EPHEMERAL = { first: 32768, count: 28232 } as const
/** Connections in the making that one host holds at most. */
const MAX_HALF_OPEN = 256

/** TCP of a host: connections by their four ends, listeners by port (RFC 9293). */
export class TcpLayer {
  private readonly connections = new Map<string, TcpConnection>()
  private readonly listeners = new Map<number, Listening[]>()

  constructor(
    private readonly clock: Clock,
    private readonly ip: IpLayer,
    icmp: IcmpLayer,
    private readonly random: Random,
  ) {
    ip.protocols.set(IpProto.tcp, (d) => this.receive(d))
    icmp.onError.set(IpProto.tcp, (e) => this.receiveError(e))
  }

  /** Throws when the port is taken. */
  listen(port: number, accept: (connection: TcpConnection) => void, address?: Ip): TcpListener {
    const there = this.listeners.get(port) ?? []
    if (there.some((l) => l.address === undefined || address === undefined || l.address === address)) {
      throw new Error(`TCP ${address === undefined ? '' : `${formatIp(address)} `}port ${port}: Address already in use`)
    }
    const listener: Listening = {
      port,
      address,
      accept,
      close: () => {
        const left = (this.listeners.get(port) ?? []).filter((l) => l !== listener)
        if (left.length) this.listeners.set(port, left)
        else this.listeners.delete(port)
      },
    }
    this.listeners.set(port, [...there, listener])
    return listener
  }

  /** Opens a connection: `onOpen` or `onClose` of what is returned follow in a later call of the clock. */
  connect(remoteAddress: Ip, remotePort: number, options: ConnectOptions = {}): TcpConnection {
    const localAddress =
      options.localAddress ?? this.ip.sourceFor(remoteAddress) ?? (typeof remoteAddress === 'number' ? 0 : 0n)
    const localPort = options.localPort ?? this.freePort(localAddress, remoteAddress, remotePort)
    const ends = { localAddress, localPort, remoteAddress, remotePort }
    if (this.connections.has(keyOf(ends))) throw new Error(`TCP port ${localPort}: Address already in use`)
    const connection = this.open(ends)
    this.clock.after(0, () => {
      if (connection.state === 'syn-sent') connection.start()
    })
    return connection
  }

  /** Connections there are, closing ones too. */
  list(): TcpConnection[] {
    return [...this.connections.values()]
  }

  private freePort(local: Ip, remote: Ip, remotePort: number): number {
    const start = below(this.random, EPHEMERAL.count)
    for (let i = 0; i < EPHEMERAL.count; i++) {
      const localPort = EPHEMERAL.first + ((start + i) % EPHEMERAL.count)
      const ends = { localAddress: local, localPort, remoteAddress: remote, remotePort }
      if (!this.connections.has(keyOf(ends)) && !this.listeners.has(localPort)) return localPort
    }
    throw new Error('no free TCP port')
  }

  private open(ends: TcpEnds, syn?: Tcp): TcpConnection {
    const key = keyOf(ends)
    const headers = typeof ends.remoteAddress === 'number' ? 40 : 60
    const path = {
      send: (s: Omit<Tcp, 'src' | 'dst'>) =>
        this.send(ends, { src: ends.localPort, dst: ends.remotePort, ...s }, (e) => this.sendFailed(connection, e)),
      mss: () => Math.max(64, this.ip.mtuTo(ends.remoteAddress) - headers),
      gone: () => {
        if (this.connections.get(key) === connection) this.connections.delete(key)
      },
    }
    const connection: TcpConnection = new TcpConnection(ends, path, this.clock, this.random.u32(), syn)
    this.connections.set(key, connection)
    return connection
  }

  private send(ends: TcpEnds, tcp: Tcp, onError?: (e: SendError) => void): void {
    this.ip.send({
      src: ends.localAddress,
      dst: ends.remoteAddress,
      protocol: IpProto.tcp,
      df: true,
      payload: (pair) => emitTcp(tcp, pair),
      ...(onError && { onError }),
    })
  }

  private sendFailed(connection: TcpConnection, e: SendError): void {
    if (e.kind === 'too-big') connection.shrink()
    else connection.fail(e.kind === 'no-route' ? 'Network is unreachable' : 'No route to host', false)
  }

  private receiveError(e: IcmpError): void {
    const { ports, src, dst, transport } = e.quoted
    if (!ports) return
    const key = keyOf({ localAddress: src, localPort: ports.src, remoteAddress: dst, remotePort: ports.dst })
    const connection = this.connections.get(key)
    if (!connection || transport.length < 8) return
    switch (e.kind) {
      case 'too-big':
        connection.shrink()
        break
      case 'port-unreachable':
      case 'protocol-unreachable':
        connection.fail('Connection refused', false)
        break
      case 'net-unreachable':
        connection.fail('Network is unreachable', false)
        break
      case 'host-unreachable':
      case 'prohibited':
      case 'time-exceeded':
        connection.fail('No route to host', false)
        break
      default:
        break
    }
  }

  private receive(d: Datagram): boolean {
    const parsed = parseTcp(d.payload, d)
    if (!parsed.ok || parsed.value.badChecksum !== undefined || d.group) return true
    const t = parsed.value
    const ends = { localAddress: d.dst, localPort: t.dst, remoteAddress: d.src, remotePort: t.src }
    const connection = this.connections.get(keyOf(ends))
    const opens = (t.flags & (TcpFlag.syn | TcpFlag.ack | TcpFlag.rst)) === TcpFlag.syn
    if (connection && !(connection.state === 'time-wait' && opens)) {
      connection.receive(t)
      return true
    }
    const listener = this.listenerFor(d.dst, t.dst)
    if (listener && opens) this.accept(listener, ends, t)
    else if (!(t.flags & TcpFlag.rst)) this.refuse(ends, t)
    return true
  }

  private listenerFor(address: Ip, port: number): Listening | undefined {
    const there = this.listeners.get(port)
    return there?.find((l) => l.address === address) ?? there?.find((l) => l.address === undefined)
  }

  private accept(listener: Listening, ends: TcpEnds, syn: Tcp): void {
    const halfOpen = this.list().filter((c) => c.state === 'syn-received').length
    if (halfOpen >= MAX_HALF_OPEN) return
    const connection = this.open(ends, syn)
    connection.onOpen = () => {
      connection.onOpen = undefined
      listener.accept(connection)
    }
    connection.start()
  }

  /** RFC 9293 §3.10.7.1 */
  private refuse(ends: TcpEnds, t: Tcp): void {
    const acks = (t.flags & TcpFlag.ack) !== 0
    const length = t.payload.length + (t.flags & TcpFlag.syn ? 1 : 0) + (t.flags & TcpFlag.fin ? 1 : 0)
    this.send(ends, {
      src: ends.localPort,
      dst: ends.remotePort,
      seq: acks ? t.ack : 0,
      ack: acks ? 0 : seqAdd(t.seq, length),
      flags: TcpFlag.rst | (acks ? 0 : TcpFlag.ack),
      window: 0,
      urgent: 0,
      options: new Uint8Array(0),
      payload: new Uint8Array(0),
    })
  }
}

function keyOf(e: TcpEnds): string {
  return `${e.localAddress} ${e.localPort} ${e.remoteAddress} ${e.remotePort}`
}
