import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'
import { type UnixDatagrams, unixDatagrams } from '../../io/unix-datagram.ts'
import { Trouble } from './trouble.ts'

export type SocketTarget =
  | { readonly kind: 'unix'; readonly path: string }
  | {
      readonly kind: 'udp' | 'tcp'
      readonly host: string
      readonly port: number
      /** A name stands for its IPv6 address. */
      readonly ipv6?: boolean | undefined
    }

/** Bytes that may wait for a slow server; beyond, messages are lost. */
const LIMIT = 4 * 1024 * 1024

/** A server that is away is tried again after so long, milliseconds of the events' time. */
const RETRY = 1000

/** The longest payload of a datagram over IPv4 (RFC 768, RFC 791): a longer message is cut (RFC 5426 §3.2). */
const LONGEST_DATAGRAM = 65_507

/** Told why a message is lost, or without a reason that it is on its way. */
type Done = (lost?: string) => void

/** One way of sending. Nothing waits for the server. */
interface Way {
  /** Calls back at once or later. */
  send(bytes: Uint8Array, time: number, done: Done): void
  close(): void
}

/**
 * Messages to a server on a socket. What it does not take is lost and counted; that is said when it begins, and with
 * the number when messages go out again.
 */
export class MessageSocket {
  private readonly way: Way
  private closed = false
  private time = 0
  private readonly trouble: Trouble

  constructor(
    target: SocketTarget,
    /** Called when messages begin to be lost, and when they go out again. */
    onTrouble?: (message: string) => void,
  ) {
    const name = `${target.kind}:${target.kind === 'unix' ? target.path : `${target.host}:${target.port}`}`
    const say = (message: string) => {
      if (!this.closed) onTrouble?.(message)
    }
    this.trouble = new Trouble(say, {
      begins: (reason) => `${name}: cannot send log: ${reason}`,
      ends: (lost) => `${name}: log sent again, ${lost} messages lost`,
    })
    if (target.kind === 'unix') this.way = unixWay(target.path)
    else if (target.kind === 'udp') this.way = new UdpWay(target.host, target.port, target.ipv6)
    else this.way = new TcpWay(target.host, target.port, target.ipv6)
  }

  send(bytes: Uint8Array, time: number): void {
    this.time = time
    if (!this.closed) this.way.send(bytes, time, this.done)
  }

  private readonly done = (lost?: string): void => {
    if (lost === undefined) this.trouble.end(this.time)
    else {
      this.trouble.lose(1, this.time)
      this.trouble.begin(lost, this.time)
    }
  }

  close(): void {
    this.closed = true
    this.way.close()
  }
}

function unixWay(path: string): Way {
  const socket: UnixDatagrams | undefined = unixDatagrams(path)
  const missing = 'no such socket on this system, or without the optional package koffi'
  return {
    send: (bytes, _time, done) => done(socket ? socket.send(bytes) : missing),
    close: () => socket?.close(),
  }
}

/**
 * Datagrams by UDP. That nobody listens comes back later, if at all (RFC 1122 §4.1.3.3): a message counts as
 * sent when the next one goes out and nothing came back for a while.
 */
class UdpWay implements Way {
  private readonly socket: DatagramSocket
  private state: 'connecting' | 'connected' | 'none' = 'none'
  private waiting: { readonly bytes: Uint8Array; readonly time: number; readonly done: Done }[] = []
  private tried = Number.NEGATIVE_INFINITY
  /** The message sent last, as long as nothing is known of it. */
  private last: Done | undefined
  private lastTime = 0
  private refused = Number.NEGATIVE_INFINITY

  constructor(
    private readonly host: string,
    private readonly port: number,
    ipv6 = false,
  ) {
    this.socket = createSocket(ipv6 || host.includes(':') ? 'udp6' : 'udp4')
    this.socket.unref()
    this.socket.on('error', (e) => (this.state === 'connecting' ? this.failed(e.message) : this.refuse(e.message)))
    this.socket.on('connect', () => {
      this.state = 'connected'
      for (const { bytes, time, done } of this.waiting.splice(0)) this.put(bytes, time, done)
    })
  }

  // Only a connected socket learns that nobody listens, and sends before it returns.
  private connect(): void {
    this.state = 'connecting'
    try {
      this.socket.connect(this.port, this.host)
    } catch (e) {
      this.failed(e instanceof Error ? e.message : String(e))
    }
  }

  private failed(reason: string): void {
    this.state = 'none'
    for (const { done } of this.waiting.splice(0)) done(reason)
  }

  /** What was sent last did not arrive. */
  private refuse(reason: string): void {
    this.refused = this.lastTime
    const done = this.last
    this.last = undefined
    done?.(reason)
  }

  private put(bytes: Uint8Array, time: number, done: Done): void {
    if (time - this.refused >= RETRY || time < this.refused) this.last?.()
    this.last = done
    this.lastTime = time
    this.socket.send(bytes.subarray(0, LONGEST_DATAGRAM), (e) => {
      if (!e) return
      // What is refused is the message before; this one did not go out either. Both are lost.
      this.refuse(e.message)
      done(e.message)
    })
  }

  send(bytes: Uint8Array, time: number, done: Done): void {
    if (this.state === 'connected') {
      this.put(bytes, time, done)
      return
    }
    if (this.state === 'none' && (time - this.tried >= RETRY || time < this.tried)) {
      this.tried = time
      this.connect()
    }
    if (this.state === 'connecting' && this.waiting.length < 10_000) this.waiting.push({ bytes, time, done })
    else done('name not found, or no route')
  }

  close(): void {
    this.socket.close()
  }
}

class TcpWay implements Way {
  private stream: Socket | undefined
  private tried = Number.NEGATIVE_INFINITY
  private closed = false

  constructor(
    private readonly host: string,
    private readonly port: number,
    private readonly ipv6 = false,
  ) {
    this.dial()
  }

  private dial(): void {
    const family = this.ipv6 ? { family: 6 } : {}
    const stream = connect({ port: this.port, host: this.host, ...family })
    this.stream = stream
    stream.unref()
    stream.setNoDelay(true)
    // Each message that it held is told the reason by its own callback.
    stream.on('error', () => {})
    stream.on('close', () => {
      if (this.stream === stream) this.stream = undefined
    })
    stream.on('end', () => stream.destroy())
    // What a server says to a log is of no interest, but must be read for its end to be seen.
    stream.resume()
  }

  send(bytes: Uint8Array, time: number, done: Done): void {
    if (!this.stream && !this.closed && (time - this.tried >= RETRY || time < this.tried)) {
      this.tried = time
      this.dial()
    }
    if (!this.stream) done('no connection')
    else if (this.stream.writableLength >= LIMIT) done('not fast enough')
    else this.stream.write(bytes, (e) => done(e ? e.message : undefined))
  }

  close(): void {
    this.closed = true
    this.stream?.end()
    this.stream = undefined
  }
}
