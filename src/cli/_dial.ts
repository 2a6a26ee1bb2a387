import { existsSync, readFileSync } from 'node:fs'
import { err } from '../base/result.ts'
import { dial, type Endpoint, parseActive } from '../io/socket.ts'
import type { Dial } from '../ovsdb/client/remote.ts'

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
    const endpoint = parseActive(remote)
    if (!endpoint) {
      done(err('Address family not supported by protocol'))
      return () => {}
    }
    if (endpoint.kind !== 'ssl') return dial(endpoint, done)
    const missing = NEEDED.filter(([option]) => !options.has(option) && !options.has(`bootstrap-${option}`))
    if (!missing.length) return dialSsl({ ...endpoint, kind: 'ssl' }, options, done)
    const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
    missing.forEach(([, what], i) => {
      process.stderr.write(`${time}|0000${i + 1}|stream_ssl|ERR|${what} must be configured to use SSL\n`)
    })
    done(err('Protocol not available'))
    return () => {}
  }
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

function readKeys(options: Options) {
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
