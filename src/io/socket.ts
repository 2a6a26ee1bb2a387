import { chmodSync, existsSync, lstatSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { eventCounter } from '../base/event-counter.ts'
import { err, ok, type Result } from '../base/result.ts'
import type { ByteStream } from '../base/stream.ts'
import { errorText } from './errors.ts'
import { type SocketName, socketName } from './unix-path.ts'

const opened = eventCounter('stream_open')
const listened = eventCounter('pstream_open')

/** Bytes that wait for the end of the turn, at most: what is longer goes out at once. */
const TOGETHER = 1 << 16

/** Streams with bytes that wait for the end of the turn. */
let waiting: SocketStream[] = []
let scheduled = false

function flushWaiting(): void {
  scheduled = false
  const streams = waiting
  waiting = []
  for (const stream of streams) stream.flush()
}

// What was written in the last turn of a program is sent, too.
process.on('exit', flushWaiting)

/**
 * A socket as a stream of bytes. What is written in one turn of the event loop goes out together at its
 * end, when all that came in has been read: a system call for each stream, not for each write, and a
 * reader is woken once.
 */
export class SocketStream implements ByteStream {
  onData: ((bytes: Uint8Array) => void) | undefined
  onDrain: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  private error: Error | undefined
  private parts: Uint8Array[] = []
  /** Bytes in `parts`. */
  private length = 0

  constructor(
    private readonly socket: Socket,
    readonly peer: string,
    readonly certificateName?: string,
  ) {
    socket.on('data', (bytes: Uint8Array) => this.onData?.(bytes))
    socket.on('drain', () => this.onDrain?.())
    socket.on('error', (e) => {
      this.error = new Error(errorText(e))
    })
    socket.on('close', () => this.onClose?.(this.error))
  }

  get queued(): number {
    return this.socket.writableLength + this.length
  }

  write(bytes: Uint8Array): boolean {
    // After `close` there is no other side.
    if (!this.socket.writable) return false
    if (this.length === 0) {
      if (bytes.length >= TOGETHER) return this.socket.write(bytes)
      waiting.push(this)
      if (!scheduled) {
        scheduled = true
        setImmediate(flushWaiting)
      }
    }
    this.parts.push(bytes)
    this.length += bytes.length
    if (this.length >= TOGETHER) this.flush()
    return !this.socket.writableNeedDrain
  }

  /** Sends what waits for the end of the turn. */
  flush(): void {
    const { parts, length } = this
    if (!length) return
    this.parts = []
    this.length = 0
    if (!this.socket.writable) return
    this.socket.write(parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts, length))
  }

  close(error?: Error): void {
    // What was answered so far goes out, as far as the system takes it.
    this.flush()
    if (error) this.socket.destroy(error)
    else this.socket.end()
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }
}

/** Where a connection goes or is awaited. */
export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp' | 'ssl'; readonly host: string; readonly port: number }

/** `unix:FILE`, `tcp:HOST:PORT`, `ssl:HOST:PORT`; an IPv6 address in brackets. */
export function parseActive(text: string): Endpoint | undefined {
  if (text.startsWith('unix:')) return text.length > 5 ? { kind: 'unix', path: text.slice(5) } : undefined
  const [, kind, v6, host, port] = /^(tcp|ssl):(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  const name = v6 ?? host
  if (name === undefined || Number(port) > 65535) return undefined
  return { kind: kind as 'tcp' | 'ssl', host: name, port: Number(port) }
}

/** `punix:FILE`, `ptcp:[PORT][:HOST]`, `pssl:[PORT][:HOST]`; without a host, all addresses of this one. */
export function parsePassive(text: string, defaultPort = 6640): Endpoint | undefined {
  if (text.startsWith('punix:')) return text.length > 6 ? { kind: 'unix', path: text.slice(6) } : undefined
  const [, kind, port, v6, host] = /^p(tcp|ssl):(\d{1,5})?(?::(?:\[([^\]]+)\]|([^:]+)))?$/.exec(text) ?? []
  if (kind === undefined || Number(port ?? 0) > 65535) return undefined
  return { kind: kind as 'tcp' | 'ssl', host: v6 ?? host ?? '0.0.0.0', port: Number(port ?? defaultPort) }
}

/** Opens a connection; `done` is called once. Returns how to give up. */
export function dial(endpoint: Endpoint, done: (result: Result<ByteStream>) => void): () => void {
  if (endpoint.kind === 'ssl') {
    done(err('TLS connections are opened with their certificates: use dialTls'))
    return () => {}
  }
  const path = endpoint.kind === 'unix' ? socketName(endpoint.path) : undefined
  if (path && !path.ok) {
    done(path)
    return () => {}
  }
  opened.hit()
  const peer = endpoint.kind === 'unix' ? `unix:${endpoint.path}` : `tcp:${endpoint.host}:${endpoint.port}`
  const socket = connect(address(endpoint, path?.value))
  path?.value.release()
  const failed = (e: Error) => done(err(errorText(e)))
  socket.once('error', failed)
  socket.once('connect', () => {
    socket.removeListener('error', failed)
    socket.setNoDelay(true)
    done(ok(new SocketStream(socket, peer)))
  })
  return () => socket.destroy()
}

export interface Listener {
  /** The port that was given where 0 was asked for; 0 for a unix socket. */
  readonly port: number
  /** Stops taking connections; those that are open stay. Removes a unix socket's file. */
  close(): void
}

let unixPeers = 0

/** Listens; each connection comes as a stream. A busy address or port is an error through `ready`. */
export function listen(
  endpoint: Endpoint,
  accept: (stream: ByteStream) => void,
  ready: (result: Result<Listener>) => void,
): void {
  if (endpoint.kind === 'ssl') {
    ready(err('TLS connections are awaited with their certificates: use listenTls'))
    return
  }
  listened.hit()
  const server = createServer((socket) => {
    socket.setNoDelay(true)
    accept(new SocketStream(socket, peerName(socket, endpoint.kind)))
  })
  listenOn(server, endpoint, ready)
}

/** Who is at the other end, as Open vSwitch names it: `unix#3`, `tcp:127.0.0.1:51312`. */
export function peerName(socket: Socket, kind: Endpoint['kind']): string {
  if (kind === 'unix') return `unix#${unixPeers++}`
  const host = socket.remoteAddress ?? ''
  return `${kind}:${host.includes(':') ? `[${host}]` : host}:${socket.remotePort ?? 0}`
}

/** What node:net is to be given. */
function address(
  endpoint: Endpoint,
  socket: SocketName | undefined,
): { path: string } | { host: string; port: number } {
  if (endpoint.kind === 'unix') return { path: socket?.name ?? endpoint.path }
  return { host: endpoint.host, port: endpoint.port }
}

/** Binds a server of node:net or node:tls. */
export function listenOn(server: Server, endpoint: Endpoint, ready: (result: Result<Listener>) => void): void {
  const path = endpoint.kind === 'unix' ? socketName(endpoint.path) : undefined
  if (path && !path.ok) {
    ready(path)
    return
  }
  if (endpoint.kind === 'unix') removeSocket(endpoint.path)
  const failed = (e: Error) => {
    // libuv says "permission denied" of a folder that is not there.
    path?.value.release()
    const missing = endpoint.kind === 'unix' && !existsSync(dirname(endpoint.path))
    ready(err(missing ? 'No such file or directory' : errorText(e)))
  }
  server.once('error', failed)
  const listening = () => {
    server.removeListener('error', failed)
    // An error of accept(2), such as too many open files, ends no server.
    server.on('error', () => {})
    try {
      if (endpoint.kind === 'unix') chmodSync(endpoint.path, 0o770 & ~process.umask())
    } catch (e) {
      // Removed by somebody as soon as it was made: nobody could find it.
      server.close()
      failed(e instanceof Error ? e : new Error(String(e)))
      return
    }
    const bound = server.address()
    ready(
      ok({
        port: typeof bound === 'object' && bound ? bound.port : 0,
        close() {
          server.close()
          if (endpoint.kind === 'unix') removeSocket(endpoint.path)
          path?.value.release()
        },
      }),
    )
  }
  server.listen(address(endpoint, path?.value), listening)
}

/** Removes the file of a socket left by another process; anything that is no socket stays. */
function removeSocket(path: string): void {
  try {
    if (lstatSync(path).isSocket()) unlinkSync(path)
  } catch {
    // not there: nothing to remove
  }
}
