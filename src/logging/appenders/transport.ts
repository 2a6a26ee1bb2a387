import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { lookup } from 'node:dns'
import { connect, isIP, type Socket } from 'node:net'
import { FULL, type UnixDatagrams, unixDatagrams } from '../../io/unix-datagram.ts'
import type { Message, MessageQueue } from './message-queue.ts'

export type SocketTarget =
  | { readonly kind: 'unix'; readonly path: string }
  | {
      readonly kind: 'udp' | 'tcp'
      readonly host: string
      readonly port: number
      /** A name stands for its IPv6 address. */
      readonly ipv6?: boolean | undefined
    }

/** A server that is away is tried again after so long, milliseconds of the events' time. */
const RETRY = 1000

/** The longest payload of a datagram over IPv4 (RFC 768, RFC 791): a longer message is cut (RFC 5426 §3.2). */
const LONGEST_DATAGRAM = 65_507

/** Bytes of one write to a stream, unless a single message has more. */
const LONGEST_WRITE = 1024 * 1024

const NO_CONNECTION = 'no connection'

/** What a transport tells, at once or later. */
export interface Told {
  /** Messages are on their way, and nothing is known against it. */
  sent(): void
  lost(count: number, reason: string): void
  /** It can send again. */
  ready(): void
  /** There is no way to the server: what waits is lost. */
  failed(reason: string): void
}

/**
 * What became of it: nothing waits any more; time was over first; whoever was told `ready` may go on; or the server is
 * full, and does not tell when it can take more.
 */
export type Pumped = 'empty' | 'more' | 'busy' | 'full'

/** One way to a server. Nothing waits for it. */
export interface Transport {
  attach(told: Told): void
  /** Undefined when a message can go out now or soon, or why it cannot. */
  prepare(time: number): string | undefined
  /** Sends what waits until there is nothing more, or `over` says that it is enough. Without it the program ends. */
  pump(queue: MessageQueue, over?: () => boolean): Pumped
  close(): void
}

export function transportTo(target: SocketTarget): Transport {
  if (target.kind === 'unix') return new UnixTransport(target.path)
  return target.kind === 'udp' ? new UdpTransport(target) : new TcpTransport(target)
}

/** One message after the other as bytes, in the same memory where it fits. */
class Datagram {
  private memory = Buffer.allocUnsafeSlow(LONGEST_DATAGRAM)

  /** Good until it is called again. */
  of(message: Message): Uint8Array {
    if (typeof message !== 'string') return message
    // A character has three bytes at most of one unit of UTF-16.
    if (message.length * 3 > this.memory.length) return Buffer.from(message)
    return this.memory.subarray(0, this.memory.write(message))
  }

  /** What was given last stays as it is. */
  leave(): void {
    this.memory = Buffer.allocUnsafeSlow(LONGEST_DATAGRAM)
  }
}

/** Datagrams to a socket of this machine. */
class UnixTransport implements Transport {
  private readonly socket: UnixDatagrams | undefined
  private told: Told | undefined
  private readonly datagram = new Datagram()

  constructor(path: string) {
    this.socket = unixDatagrams(path)
  }

  attach(told: Told): void {
    this.told = told
  }

  prepare(): string | undefined {
    return this.socket ? undefined : 'no such socket on this system, or without the optional package koffi'
  }

  pump(queue: MessageQueue, over?: () => boolean): Pumped {
    for (let m = queue.peek(); m !== undefined; m = queue.peek()) {
      const lost = this.socket?.send(this.datagram.of(m))
      if (lost === FULL) return 'full'
      queue.shift()
      if (lost === undefined) this.told?.sent()
      else this.told?.lost(1, lost)
      if (over?.()) return queue.length ? 'more' : 'empty'
    }
    return 'empty'
  }

  close(): void {
    this.socket?.close()
  }
}

type Server = Exclude<SocketTarget, { kind: 'unix' }>

/**
 * Datagrams by UDP. That nobody listens comes back later, if at all (RFC 1122 §4.1.3.3): a message counts as
 * sent when the next one goes out and nothing came back for a while.
 */
class UdpTransport implements Transport {
  private readonly socket: DatagramSocket
  private told: Told | undefined
  private state: 'connecting' | 'connected' | 'none' | 'closed' = 'none'
  private tried = Number.NEGATIVE_INFINITY
  /** Nothing is known yet of the message sent last. */
  private pending = false
  /** Of the message logged last. */
  private time = 0
  private readonly datagram = new Datagram()
  private refused = Number.NEGATIVE_INFINITY
  /** To be closed when nothing is under way. */
  private leaving = false

  constructor(private readonly server: Server) {
    const type = server.ipv6 || server.host.includes(':') ? 'udp6' : 'udp4'
    this.socket = createSocket({ type, lookup: atOnce })
    this.socket.unref()
    this.socket.on('error', (e) => (this.state === 'connecting' ? this.failed(e.message) : this.refuse(e.message)))
    this.socket.on('connect', () => {
      if (this.state !== 'connecting') return
      this.state = 'connected'
      this.told?.ready()
    })
  }

  attach(told: Told): void {
    this.told = told
  }

  // Only a connected socket learns that nobody listens, and sends before it returns.
  private connect(): void {
    this.state = 'connecting'
    try {
      this.socket.connect(this.server.port, this.server.host)
    } catch (e) {
      this.failed(e instanceof Error ? e.message : String(e))
    }
  }

  private failed(reason: string): void {
    this.state = 'none'
    this.told?.failed(reason)
  }

  /** What was sent last did not arrive. */
  private refuse(reason: string): void {
    this.refused = this.time
    if (this.pending) this.told?.lost(1, reason)
    this.pending = false
  }

  prepare(time: number): string | undefined {
    this.time = time
    if (this.state === 'none' && (time - this.tried >= RETRY || time < this.tried)) {
      this.tried = time
      this.connect()
    }
    return this.state === 'none' ? 'name not found, or no route' : undefined
  }

  pump(queue: MessageQueue, over?: () => boolean): Pumped {
    if (this.state === 'connecting' && isConnected(this.socket)) this.state = 'connected'
    if (this.state !== 'connected' || this.underWay()) return 'busy'
    for (let m = queue.peek(); m !== undefined; m = queue.peek()) {
      queue.shift()
      this.socket.send(this.datagram.of(m).subarray(0, LONGEST_DATAGRAM), this.done)
      if (this.underWay()) {
        // The machine's own buffer is full: the rest stays here, where it is counted.
        this.datagram.leave()
        return 'busy'
      }
      if (over?.()) return queue.length ? 'more' : 'empty'
    }
    return 'empty'
  }

  /** Whether a datagram waits for room in the machine's buffer. */
  private underWay(): boolean {
    return this.socket.getSendQueueCount() > 0
  }

  private readonly done = (e: Error | null): void => {
    if (e) {
      // What is refused is the message before; this one did not go out either. Both are lost.
      this.refuse(e.message)
      this.told?.lost(1, e.message)
    } else {
      if (this.pending && (this.time - this.refused >= RETRY || this.time < this.refused)) this.told?.sent()
      this.pending = true
    }
    if (this.leaving) this.close()
    else this.told?.ready()
  }

  close(): void {
    this.leaving = true
    if (this.state === 'closed' || (this.state === 'connected' && this.underWay())) return
    this.state = 'closed'
    this.socket.close()
  }
}

/** An address needs no looking up, so that the socket is connected before the program may end. */
const atOnce: typeof lookup = ((host: string, options: object, done: (...result: unknown[]) => void) => {
  const family = isIP(host)
  if (family) done(null, host, family)
  else lookup(host, options, done)
}) as typeof lookup

function isConnected(socket: DatagramSocket): boolean {
  try {
    return socket.remoteAddress() !== undefined
  } catch {
    return false
  }
}

/** Messages over TCP: what waits goes out as one write, and what comes while it is under way as the next. */
class TcpTransport implements Transport {
  private told: Told | undefined
  private stream: Socket | undefined
  private tried = Number.NEGATIVE_INFINITY
  private closed = false
  /** Writes under way on `stream`. */
  private writes = 0

  constructor(private readonly server: Server) {
    this.dial()
  }

  attach(told: Told): void {
    this.told = told
  }

  private dial(): void {
    const { host, port, ipv6 } = this.server
    const stream = connect({ port, host, ...(ipv6 ? { family: 6 } : {}) })
    let reason = NO_CONNECTION
    this.stream = stream
    this.writes = 0
    stream.unref()
    stream.setNoDelay(true)
    stream.on('error', (e) => {
      reason = e.message
    })
    stream.on('connect', () => this.told?.ready())
    stream.on('close', () => {
      if (this.stream !== stream) return
      this.stream = undefined
      this.told?.failed(reason)
    })
    stream.on('end', () => stream.destroy())
    // What a server says to a log is of no interest, but must be read for its end to be seen.
    stream.resume()
  }

  prepare(time: number): string | undefined {
    if (!this.stream && !this.closed && (time - this.tried >= RETRY || time < this.tried)) {
      this.tried = time
      this.dial()
    }
    return this.stream ? undefined : NO_CONNECTION
  }

  pump(queue: MessageQueue, over?: () => boolean): Pumped {
    const { stream } = this
    if (!stream || stream.connecting) return 'busy'
    // At the program's end what the machine has room for goes out before `write` returns.
    while (queue.length && (!over || this.writes === 0)) this.write(stream, queue.take(LONGEST_WRITE))
    return queue.length ? 'busy' : 'empty'
  }

  private write(stream: Socket, messages: readonly Message[]): void {
    this.writes++
    stream.write(together(messages), (e) => {
      if (e || stream.destroyed) this.told?.lost(messages.length, e?.message ?? NO_CONNECTION)
      else this.told?.sent()
      if (this.stream !== stream) return
      this.writes--
      this.told?.ready()
    })
  }

  close(): void {
    this.closed = true
    const { stream } = this
    this.stream = undefined
    stream?.end()
  }
}

function together(messages: readonly Message[]): Message {
  if (messages.every((m) => typeof m === 'string')) return messages.join('')
  return Buffer.concat(messages.map((m) => (typeof m === 'string' ? Buffer.from(m) : m)))
}
