import { constants } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { connect, createSecureContext, type SecureContextOptions, TLSSocket } from 'node:tls'
import { err, ok, type Result } from '../base/result.ts'
import type { ByteStream } from '../base/stream.ts'
import { errorText } from './errors.ts'
import { type Endpoint, type Listener, listenOn, peerName, SocketStream } from './socket.ts'
import { saveAuthority } from './tls-bootstrap.ts'

/** Keys and certificates for TLS, as the contents of their files. */
export interface TlsKeys {
  readonly key: string
  readonly certificate: string
  /** Certificates of those who may sign the peer's; undefined: any peer is taken. */
  readonly ca: string | undefined
  /** `--ssl-protocols`: a list, or a minimum as `TLSv1.2+`. */
  readonly protocols?: string | undefined
  /** For TLS 1.2. */
  readonly ciphers?: string | undefined
  /** For TLS 1.3. */
  readonly ciphersuites?: string | undefined
  /** For the server name indication. */
  readonly serverName?: string | undefined
  /**
   * Where the certificate of the authority is to be kept that the first server shows; until then no client
   * can be verified, and none is served (`--bootstrap-ca-cert`).
   */
  readonly bootstrap?: string | undefined
}

const VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const
type Version = (typeof VERSIONS)[number]

/** The range that `--ssl-protocols` asks for; undefined for what names no protocol. */
export function tlsVersions(text: string | undefined): { min: Version; max: Version } | undefined {
  if (!text) return { min: 'TLSv1.2', max: 'TLSv1.3' }
  const plus = text.endsWith('+')
  const named = (plus ? text.slice(0, -1) : text).split(/[\s,-]+/).filter((s) => s)
  const at = named.map((n) => VERSIONS.indexOf(n as Version))
  if (!at.length || at.some((i) => i < 0)) return undefined
  const min = VERSIONS[Math.min(...at)] as Version
  return { min, max: plus ? 'TLSv1.3' : (VERSIONS[Math.max(...at)] as Version) }
}

function contextOptions(keys: TlsKeys): SecureContextOptions {
  const { min, max } = tlsVersions(keys.protocols) ?? { min: 'TLSv1.2' as const, max: 'TLSv1.3' as const }
  const ciphers = [keys.ciphersuites, keys.ciphers].filter((s) => s).join(':')
  return {
    key: keys.key,
    cert: keys.certificate,
    ...(keys.ca === undefined ? {} : { ca: keys.ca }),
    minVersion: min,
    maxVersion: max,
    // One handshake a connection: by another one the peer could change who it is.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    ...(ciphers ? { ciphers } : {}),
  }
}

/** The common name of a verified peer's certificate. */
function commonName(socket: TLSSocket): string | undefined {
  const cn: unknown = socket.getPeerCertificate()?.subject?.CN
  return typeof cn === 'string' ? cn : Array.isArray(cn) ? String(cn[0]) : undefined
}

/** How long a handshake may take before the connection is dropped, in milliseconds. */
const HANDSHAKE = 15_000

/** What a TLS server needs: keys, read again for each connection so that renewed files count. */
export interface TlsServer {
  keys(): Result<TlsKeys>
  /** A connection that failed before it was one. */
  refused(peer: string, error: string): void
}

/** Listens for TLS; peers without a certificate signed by the CA are refused when there is a CA. */
export function listenTls(
  endpoint: Endpoint,
  tls: TlsServer,
  accept: (stream: ByteStream) => void,
  ready: (result: Result<Listener>) => void,
): void {
  const server = createServer((raw) => handshake(raw, tls, accept))
  listenOn(server, endpoint, ready)
}

function handshake(raw: Socket, tls: TlsServer, accept: (stream: ByteStream) => void): void {
  const peer = peerName(raw, 'ssl')
  raw.setNoDelay(true)
  let settled = false
  const refuse = (error: string) => {
    if (!settled) tls.refused(peer, error)
    settled = true
    raw.destroy()
  }
  raw.on('error', (e) => refuse(errorText(e)))
  const keys = tls.keys()
  if (!keys.ok) {
    refuse(keys.error)
    return
  }
  let socket: TLSSocket
  try {
    const secureContext = createSecureContext(contextOptions(keys.value))
    socket = new TLSSocket(raw, { isServer: true, secureContext, requestCert: true, rejectUnauthorized: false })
  } catch (e) {
    refuse(e instanceof Error ? e.message : String(e))
    return
  }
  const timer = setTimeout(() => refuse('handshake timed out'), HANDSHAKE)
  socket.on('error', (e) => refuse(e.message))
  socket.on('close', () => clearTimeout(timer))
  socket.on('secure', () => {
    if (settled) return
    clearTimeout(timer)
    if (keys.value.bootstrap !== undefined) {
      // Whoever comes first would be the authority: that is for servers to be that are asked.
      refuse('certificate verify failed: no CA certificate yet')
      return
    }
    const verified = keys.value.ca !== undefined
    const error = verified ? verifyError(socket) : undefined
    if (error !== undefined) {
      refuse(error)
      return
    }
    settled = true
    accept(new SocketStream(socket, peer, verified ? commonName(socket) : undefined))
  })
}

function verifyError(socket: TLSSocket): string | undefined {
  // Node tells it only through this member; a peer without certificate has none.
  const ssl = (socket as unknown as { ssl?: { verifyError(): Error | null } }).ssl
  const error = ssl?.verifyError()
  if (error) return error.message
  return Object.keys(socket.getPeerCertificate() ?? {}).length ? undefined : 'peer did not provide a certificate'
}

/** Keeps the authority's certificate that a peer shows; what is to be said of the connection, which ends with it. */
function keepAuthority(socket: TLSSocket, path: string): string {
  const error = saveAuthority(socket, path)
  return error ?? `successfully bootstrapped CA cert to ${path}; the next connection is verified by it`
}

/** Opens a TLS connection; `done` is called once. Returns how to give up. */
export function dialTls(endpoint: Endpoint, keys: TlsKeys, done: (result: Result<ByteStream>) => void): () => void {
  if (endpoint.kind !== 'ssl') {
    done(err('TLS needs an address of the form ssl:HOST:PORT'))
    return () => {}
  }
  let settled = false
  const settle = (result: Result<ByteStream>) => {
    if (!settled) done(result)
    settled = true
  }
  try {
    const socket = connect({
      host: endpoint.host,
      port: endpoint.port,
      ...(keys.serverName ? { servername: keys.serverName } : {}),
      secureContext: createSecureContext(contextOptions(keys)),
      rejectUnauthorized: keys.ca !== undefined,
      // What counts is who signed the certificate, not the name in it (ovsdb(7), SSL/TLS).
      checkServerIdentity: () => undefined,
    })
    socket.on('error', (e) => settle(err(errorText(e))))
    socket.on('secureConnect', () => {
      if (keys.bootstrap !== undefined) {
        settle(err(keepAuthority(socket, keys.bootstrap)))
        socket.destroy()
        return
      }
      socket.setNoDelay(true)
      settle(ok(new SocketStream(socket, `ssl:${endpoint.host}:${endpoint.port}`)))
    })
    return () => {
      settled = true
      socket.destroy()
    }
  } catch (e) {
    settle(err(e instanceof Error ? e.message : String(e)))
    return () => {}
  }
}
