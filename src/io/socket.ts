import { mkdirSync, unlinkSync } from 'node:fs'
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { connect as connectTls, createSecureContext, type SecureContextOptions, TLSSocket } from 'node:tls'
import type { ByteStream } from '../base/stream.ts'
import type { Method } from './address.ts'

/** A node socket as a ByteStream. */
export class SocketStream implements ByteStream {
  onData: ((bytes: Uint8Array) => void) | undefined
  onDrain: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  private error: Error | undefined
  private closed = false

  constructor(
    private readonly socket: Socket,
    readonly peer: string,
    readonly certificateName?: string | undefined,
  ) {
    socket.on('data', (bytes: Buffer) => this.onData?.(bytes))
    socket.on('drain', () => this.onDrain?.())
    socket.on('error', (e) => {
      this.error ??= e
    })
    // The other side has no more to say: so have we, once what is queued is out.
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      this.closed = true
      this.onClose?.(this.error)
    })
    if (socket.setNoDelay) socket.setNoDelay(true)
  }

  get queued(): number {
    return this.socket.writableLength
  }

  write(bytes: Uint8Array): boolean {
    if (this.closed || this.socket.destroyed || this.socket.writableEnded) return false
    return this.socket.write(bytes)
  }

  close(error?: Error): void {
    if (error) this.socket.destroy()
    else this.socket.end()
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }
}

/** Keys and certificates for TLS, as file contents. */
export interface TlsKeys {
  readonly key: string
  readonly certificate: string
  /** Certificates of those who may sign the peer's; undefined: any peer is taken. */
  readonly ca: string | undefined
  readonly protocols?: string | undefined
  readonly ciphers?: string | undefined
  readonly ciphersuites?: string | undefined
  readonly serverName?: string | undefined
}

const VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const
type Version = (typeof VERSIONS)[number]

/** `--ssl-protocols`: a list, or a minimum as `TLSv1.2+`; undefined for what is not one of these. */
export function tlsVersions(text: string | undefined): { min: Version; max: Version } | undefined {
  if (!text) return { min: 'TLSv1.2', max: 'TLSv1.3' }
  const plus = text.endsWith('+')
  const named = (plus ? text.slice(0, -1) : text).split(/[\s,]+/).filter((s) => s)
  const at = named.map((n) => VERSIONS.indexOf(n as Version))
  if (!at.length || at.some((i) => i < 0)) return undefined
  const min = VERSIONS[Math.min(...at)] as Version
  return { min, max: plus ? 'TLSv1.3' : (VERSIONS[Math.max(...at)] as Version) }
}

function contextOptions(keys: TlsKeys): SecureContextOptions {
  const versions = tlsVersions(keys.protocols) ?? { min: 'TLSv1.2' as const, max: 'TLSv1.3' as const }
  const ciphers = [keys.ciphersuites, keys.ciphers].filter((s) => s).join(':')
  return {
    key: keys.key,
    cert: keys.certificate,
    ...(keys.ca === undefined ? {} : { ca: keys.ca }),
    minVersion: versions.min,
    maxVersion: versions.max,
    ...(ciphers ? { ciphers } : {}),
  }
}

function commonName(socket: TLSSocket): string | undefined {
  const cn = socket.getPeerCertificate()?.subject?.CN
  return Array.isArray(cn) ? cn[0] : cn
}

function address(kind: string, socket: Socket): string {
  const host = socket.remoteAddress ?? ''
  const plain = host.startsWith('::ffff:') ? host.slice(7) : host
  return `${kind}:${plain.includes(':') ? `[${plain}]` : plain}:${socket.remotePort ?? 0}`
}

export interface Listener {
  /** The port that was bound, for TCP and TLS. */
  readonly port: number | undefined
  close(): void
}

export interface Listening {
  onStream(stream: ByteStream): void
  /** Called once, when the listener is ready or could not be made. */
  onReady?: (error: Error | undefined) => void
  /** A connection that did not come about, as a failed TLS handshake. */
  onRefused?: (peer: string, error: Error) => void
  /** Read for each connection, so that changed files count. */
  keys?: () => TlsKeys | Error
}

/** Listens at `punix:`, `ptcp:` or `pssl:`. */
export function listen(method: Method, how: Listening): Listener {
  let port: number | undefined
  const accepted = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.add(socket)
    socket.on('close', () => accepted.delete(socket))
    if (method.kind === 'pssl') acceptTls(socket, how)
    else how.onStream(new SocketStream(socket, method.kind === 'punix' ? 'unix' : address('tcp', socket)))
  })
  const ready = (error: Error | undefined) => {
    how.onReady?.(error)
    how.onReady = () => {}
  }
  server.on('error', (e) => ready(e))
  server.on('listening', () => {
    const at = server.address()
    if (at && typeof at === 'object') port = at.port
    ready(undefined)
  })
  if (method.kind === 'punix') {
    // A socket left behind by a process that died would be in the way.
    try {
      unlinkSync(method.path)
    } catch {}
    try {
      mkdirSync(dirname(method.path), { recursive: true })
    } catch {}
    server.listen({ path: method.path, backlog: 512 })
  } else if (method.kind === 'ptcp' || method.kind === 'pssl') {
    server.listen({ host: method.host ?? '0.0.0.0', port: method.port, backlog: 512 })
  } else throw new Error(`${method.kind} does not listen`)
  return {
    get port() {
      return port
    },
    close: () => {
      server.close()
      if (method.kind === 'punix') {
        try {
          unlinkSync(method.path)
        } catch {}
      }
    },
  }
}

function acceptTls(raw: Socket, how: Listening): void {
  const peer = address('ssl', raw)
  const keys = how.keys?.() ?? new Error('Private key must be configured to use SSL/TLS')
  raw.on('error', () => {})
  if (keys instanceof Error) {
    how.onRefused?.(peer, keys)
    raw.destroy()
    return
  }
  try {
    const socket = new TLSSocket(raw, {
      isServer: true,
      secureContext: createSecureContext(contextOptions(keys)),
      requestCert: true,
      rejectUnauthorized: keys.ca !== undefined,
    })
    let open = false
    const timer = setTimeout(() => raw.destroy(), 15000)
    socket.on('error', (e) => {
      if (!open) how.onRefused?.(peer, e)
    })
    raw.on('close', () => clearTimeout(timer))
    socket.on('secure', () => {
      clearTimeout(timer)
      const error = (socket as { ssl?: { verifyError?(): Error | null } }).ssl?.verifyError?.()
      if (keys.ca !== undefined && error) {
        how.onRefused?.(peer, error)
        socket.destroy()
        return
      }
      open = true
      how.onStream(new SocketStream(socket, peer, keys.ca !== undefined ? commonName(socket) : undefined))
    })
  } catch (e) {
    how.onRefused?.(peer, e as Error)
    raw.destroy()
  }
}

/** Connects to `unix:`, `tcp:` or `ssl:`. `done` gets the stream, or why there is none. Returns how to give up. */
export function dial(
  method: Method,
  done: (result: ByteStream | Error) => void,
  keys?: () => TlsKeys | Error,
): () => void {
  let settled = false
  const settle = (result: ByteStream | Error) => {
    if (settled) return
    settled = true
    done(result)
  }
  let socket: Socket
  if (method.kind === 'unix') {
    socket = connectSocket({ path: method.path, allowHalfOpen: true }, () =>
      settle(new SocketStream(socket, `unix:${method.path}`)),
    )
  } else if (method.kind === 'tcp') {
    socket = connectSocket({ host: method.host, port: method.port, allowHalfOpen: true }, () =>
      settle(new SocketStream(socket, `tcp:${method.host}:${method.port}`)),
    )
  } else if (method.kind === 'ssl') {
    const with_ = keys?.() ?? new Error('Private key must be configured to use SSL/TLS')
    if (with_ instanceof Error) {
      setImmediate(() => settle(with_))
      return () => {}
    }
    try {
      const tls = connectTls({
        host: method.host,
        port: method.port,
        allowHalfOpen: true,
        ...contextOptions(with_),
        rejectUnauthorized: with_.ca !== undefined,
        // Open vSwitch checks who signed the certificate, not the name in it.
        checkServerIdentity: () => undefined,
        ...(with_.serverName ? { servername: with_.serverName } : {}),
      })
      tls.on('secureConnect', () => settle(new SocketStream(tls, `ssl:${method.host}:${method.port}`)))
      socket = tls
    } catch (e) {
      setImmediate(() => settle(e as Error))
      return () => {}
    }
  } else throw new Error(`${method.kind} does not connect`)
  socket.on('error', (e) => settle(e))
  return () => {
    settled = true
    socket.destroy()
  }
}
