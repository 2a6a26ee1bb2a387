import { readFileSync } from 'node:fs'
import { err } from '../base/result.ts'
import { dial, parseActive } from '../io/socket.ts'
import type { Dial } from '../ovsdb/client/remote.ts'

/** What TLS needs, by the option that gives it. */
const NEEDED = [
  ['private-key', 'Private key'],
  ['certificate', 'Certificate'],
  ['ca-cert', 'CA certificate'],
] as const

/** Opens `unix:FILE`, `tcp:HOST:PORT` and `ssl:HOST:PORT`; keys for TLS come from the tools' options. */
export function dialer(options: ReadonlyMap<string, string>): Dial {
  return (remote, done) => {
    const endpoint = parseActive(remote)
    if (!endpoint) {
      done(err('Address family not supported by protocol'))
      return () => {}
    }
    if (endpoint.kind !== 'ssl') return dial(endpoint, done)
    const missing = NEEDED.filter(([option]) => !options.has(option) && !options.has(`bootstrap-${option}`))
    if (missing.length) {
      const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
      missing.forEach(([, what], i) => {
        process.stderr.write(`${time}|0000${i + 1}|stream_ssl|ERR|${what} must be configured to use SSL\n`)
      })
      done(err('Protocol not available'))
      return () => {}
    }
    let stop = () => {}
    let stopped = false
    // TLS takes long to load, and few connections need it
    import('../io/tls.ts').then(({ dialTls }) => {
      if (stopped) return
      try {
        stop = dialTls(endpoint, readKeys(options), done)
      } catch (e) {
        done(err(e instanceof Error ? e.message : String(e)))
      }
    })
    return () => {
      stopped = true
      stop()
    }
  }
}

function readKeys(options: ReadonlyMap<string, string>) {
  const file = (name: string) => {
    const path = options.get(name)
    return path === undefined || path === 'none' ? undefined : readFileSync(path, 'utf8')
  }
  return {
    key: file('private-key') ?? '',
    certificate: file('certificate') ?? '',
    ca: file('ca-cert') ?? file('bootstrap-ca-cert'),
    protocols: options.get('ssl-protocols'),
    ciphers: options.get('ssl-ciphers'),
    ciphersuites: options.get('ssl-ciphersuites'),
    serverName: options.get('ssl-server-name'),
  }
}
