import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'
import { type UnixDatagrams, unixDatagrams } from '../../io/unix-datagram.ts'

export type SocketTarget =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'udp' | 'tcp'; readonly host: string; readonly port: number }

/** Bytes that may wait for a slow server; beyond, messages are lost. */
const LIMIT = 4 * 1024 * 1024

/** A server that is away is tried again after so long, milliseconds of the events' time. */
const RETRY = 1000

/** Messages to a server on a socket. Nothing waits for the server: what it does not take is lost. */
export class MessageSocket {
  private local: UnixDatagrams | undefined
  private datagrams: DatagramSocket | undefined
  private stream: Socket | undefined
  private tried = Number.NEGATIVE_INFINITY
  private closed = false

  constructor(
    private readonly target: SocketTarget,
    /** Called when messages begin to be lost, and when they go out again. */
    private readonly onTrouble?: (message: string) => void,
  ) {
    if (target.kind === 'unix') this.local = unixDatagrams(target.path)
    else if (target.kind === 'udp') {
      this.datagrams = createSocket(target.host.includes(':') ? 'udp6' : 'udp4')
      this.datagrams.on('error', (e) => this.trouble(e.message))
      this.datagrams.unref()
    } else this.dial()
  }

  private dial(): void {
    if (this.target.kind !== 'tcp') return
    const stream = connect(this.target.port, this.target.host)
    this.stream = stream
    stream.unref()
    stream.on('connect', () => this.recovered())
    stream.on('error', (e) => this.trouble(e.message))
    stream.on('close', () => {
      if (this.stream === stream) this.stream = undefined
    })
    // What a server says to a log is of no interest, but must be read for its end to be seen.
    stream.resume()
  }

  send(bytes: Uint8Array, time: number): void {
    if (this.closed) return
    if (this.target.kind === 'unix') {
      if (this.local?.send(bytes)) this.recovered()
      else this.trouble('nobody listens, or not fast enough')
    } else if (this.target.kind === 'udp') {
      this.datagrams?.send(bytes, this.target.port, this.target.host, (e) =>
        e ? this.trouble(e.message) : this.recovered(),
      )
    } else {
      if (!this.stream && (time - this.tried >= RETRY || time < this.tried)) {
        this.tried = time
        this.dial()
      }
      if (this.stream && this.stream.writableLength < LIMIT) this.stream.write(bytes)
      else this.trouble(this.stream ? 'not fast enough' : 'no connection')
    }
  }

  private troubled = false

  private trouble(reason: string): void {
    if (this.troubled) return
    this.troubled = true
    const t = this.target
    this.onTrouble?.(`${t.kind}:${t.kind === 'unix' ? t.path : `${t.host}:${t.port}`}: cannot send log: ${reason}`)
  }

  private recovered(): void {
    this.troubled = false
  }

  close(): void {
    this.closed = true
    this.local?.close()
    this.datagrams?.close()
    this.stream?.end()
    this.stream = undefined
  }
}
