import { existsSync, readFileSync } from 'node:fs'
import { err } from '../base/result.ts'
import { dial, type Endpoint } from '../io/socket.ts'
import type { TlsKeys } from '../io/tls.ts'
import type { Dial } from '../ovsdb/client/remote.ts'
import { NOT_SUPPORTED, readActive } from './_connection-method.ts'
import { toolLog } from './_tool-log.ts'

type Options = ReadonlyMap<string, string>

/** What TLS needs, by the option that gives it. */
const NEEDED = [
  ['private-key', 'Private key'],
  ['certificate', 'Certificate'],
  ['ca-cert', 'CA certificate'],
] as const

/** Opens `unix:FILE`, `tcp:HOST:PORT` and `ssl:HOST:PORT`; keys for TLS come from the tools' options. */
export function dialer(options: Options): Dial {
  return (remote, done) => {
    const read = readActive(remote)
    if (!read.ok) {
      done(read)
      return () => {}
    }
    const endpoint = read.value
    if (endpoint.kind !== 'ssl')
      return dial(endpoint, (result) => done(result.ok ? result : refused(endpoint, result.error)))
    const missing = NEEDED.filter(([option]) => !options.has(option) && !options.has(`bootstrap-${option}`))
    if (!missing.length) return dialSsl({ ...endpoint, kind: 'ssl' }, options, done)
    for (const [, what] of missing) toolLog('stream_ssl', 'err', `${what} must be configured to use SSL`)
    done(err('Protocol not available'))
    return () => {}
  }
}

/** Of what connect(2) itself refuses, and of a name that no resolver knows, the real tools have a line. */
const AT_ONCE = ['Network is unreachable', 'Invalid argument', NOT_SUPPORTED]

function refused(endpoint: Endpoint, error: string): ReturnType<typeof err<string>> {
  if (endpoint.kind === 'unix') return err(error)
  const why = error.startsWith('getaddrinfo') ? NOT_SUPPORTED : error
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host
  if (AT_ONCE.includes(why))
    toolLog(`stream_${endpoint.kind}`, 'err', `${endpoint.kind}:${host}:${endpoint.port}: connect: ${why}`)
  return err(why)
}

/** TLS takes long to load, and few connections need it: it comes when it is used. */
function dialSsl(endpoint: Endpoint & { kind: 'ssl' }, options: Options, done: Parameters<Dial>[1]): () => void {
  let stop = () => {}
  let stopped = false
  const open = async () => {
    const bootstrap = options.get('bootstrap-ca-cert')
    if (bootstrap !== undefined && !existsSync(bootstrap)) {
      const { bootstrapAuthority } = await import('../io/tls-bootstrap.ts')
      const keys = { key: readFile(options, 'private-key') ?? '', certificate: readFile(options, 'certificate') ?? '' }
      const error = await new Promise<string | undefined>((resolve) =>
        bootstrapAuthority(endpoint, keys, bootstrap, resolve),
      )
      if (error !== undefined) throw new Error(error)
    }
    const { dialTls } = await import('../io/tls.ts')
    if (!stopped) stop = dialTls(endpoint, readKeys(options), done)
  }
  open().catch((e: unknown) => done(err(e instanceof Error ? e.message : String(e))))
  return () => {
    stopped = true
    stop()
  }
}

function readFile(options: Options, option: string): string | undefined {
  const path = options.get(option)
  return path === undefined || path === 'none' ? undefined : readFileSync(path, 'utf8')
}

/** The keys that the tools' options name; throws the system's error for a file that can not be read. */
export function readKeys(options: Options): TlsKeys {
  return {
    key: readFile(options, 'private-key') ?? '',
    certificate: readFile(options, 'certificate') ?? '',
    ca: readFile(options, 'ca-cert') ?? readFile(options, 'bootstrap-ca-cert'),
    protocols: options.get('ssl-protocols'),
    ciphers: options.get('ssl-ciphers'),
    ciphersuites: options.get('ssl-ciphersuites'),
    serverName: options.get('ssl-server-name'),
  }
}
