import { existsSync, readFileSync } from 'node:fs'
import { err, ok, type Result } from '../base/result.ts'
import { errorText } from '../io/errors.ts'
import type { TlsKeys } from '../io/tls.ts'
import type { Dial } from '../ovsdb/client/remote.ts'
import { socketTransport } from '../ovsdb/transport/sockets.ts'
import type { OptionSpec, ParsedOptions } from './_options.ts'

/** What a client of a database may say of TLS. */
export const TLS_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'private-key',
    short: 'p',
    argument: 'FILE',
    help: 'file with private key',
    group: 'PKI configuration (required to use SSL/TLS)',
  },
  {
    name: 'certificate',
    short: 'c',
    argument: 'FILE',
    help: 'file with certificate for private key',
    group: 'PKI configuration (required to use SSL/TLS)',
  },
  {
    name: 'ca-cert',
    short: 'C',
    argument: 'FILE',
    help: 'file with peer CA certificate',
    group: 'PKI configuration (required to use SSL/TLS)',
  },
  {
    name: 'bootstrap-ca-cert',
    argument: 'FILE',
    help: 'file with peer CA certificate to read or create',
    group: 'PKI configuration (required to use SSL/TLS)',
  },
  { name: 'ssl-protocols', argument: 'PROTOS', help: 'range of SSL/TLS protocols to enable', group: 'SSL/TLS options' },
  {
    name: 'ssl-ciphers',
    argument: 'CIPHERS',
    help: 'list of SSL/TLS ciphers to enable\nwith TLSv1.2',
    group: 'SSL/TLS options',
  },
  {
    name: 'ssl-ciphersuites',
    argument: 'SUITES',
    help: 'list of SSL/TLS ciphersuites to\nenable with TLSv1.3 and later',
    group: 'SSL/TLS options',
  },
  {
    name: 'ssl-server-name',
    argument: 'NAME',
    help: 'server name for TLS Server Name\nIndication (SNI)',
    group: 'SSL/TLS options',
  },
]

/** Keys and certificates from the files that the options name, read anew for each connection. */
function keys(options: ParsedOptions): Result<TlsKeys> {
  const [key, certificate] = [options.value('private-key'), options.value('certificate')]
  const bootstrap = options.has('ca-cert') ? undefined : options.value('bootstrap-ca-cert')
  const ca = options.value('ca-cert') ?? bootstrap
  if (!key) return err('Private key must be configured to use SSL/TLS')
  if (!certificate) return err('Certificate must be configured to use SSL/TLS')
  if (!ca) return err('CA certificate must be configured to use SSL/TLS')
  const missing = bootstrap !== undefined && !existsSync(bootstrap)
  try {
    return ok({
      key: readFileSync(key, 'utf8'),
      certificate: readFileSync(certificate, 'utf8'),
      ca: ca === 'none' || missing ? undefined : readFileSync(ca, 'utf8'),
      protocols: options.value('ssl-protocols'),
      ciphers: options.value('ssl-ciphers'),
      ciphersuites: options.value('ssl-ciphersuites'),
      serverName: options.value('ssl-server-name'),
      ...(missing ? { bootstrap } : {}),
    })
  } catch (e) {
    return err(errorText(e))
  }
}

/** Connects to `unix:FILE`, `tcp:HOST:PORT` and `ssl:HOST:PORT`. */
export function remoteDialer(options: ParsedOptions): Dial {
  const transport = socketTransport(() => keys(options))
  return (text, done) => transport.dial(text, done)
}
