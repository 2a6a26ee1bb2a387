import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { err, ok, type Result } from '../base/result.ts'
import { errorText } from '../io/errors.ts'
import { type TlsKeys, tlsVersions } from '../io/tls.ts'
import { type Atom, atomsOf } from '../ovsdb/schema/index.ts'
import type { Server } from '../ovsdb/server/index.ts'
import type { ParsedOptions } from './_options.ts'

/** The options that may be `db:DB,TABLE,COLUMN`. */
const SETTINGS = [
  ...['private-key', 'certificate', 'ca-cert', 'bootstrap-ca-cert', 'peer-ca-cert'],
  ...['ssl-protocols', 'ssl-ciphers', 'ssl-ciphersuites', 'ssl-server-name'],
]

/**
 * Where keys and certificates come from: options name files, or `db:DB,TABLE,COLUMN`, a column that
 * names them (ovsdb-server(1)). Files are read for each connection, so that renewed ones count.
 */
export class TlsSettings {
  constructor(private readonly options: ParsedOptions) {}

  /** Why an option's column can not be read, of those that name one. */
  problem(server: Server): string | undefined {
    for (const name of SETTINGS) {
      const value = this.options.value(name)
      const column = value?.startsWith('db:') ? columnAt(server, value) : undefined
      if (column && !column.ok) return column.error
    }
    return undefined
  }

  /** What is wrong with the files and words that are set, in the words of OpenSSL's functions. */
  faults(server: Server): readonly string[] {
    const out: string[] = []
    const check = (option: string, say: (value: string, why: string) => string, take: (value: string) => void) => {
      const value = this.setting(option, server)
      if (!value || value === 'none') return
      try {
        take(value)
      } catch (e) {
        out.push(say(value, sslError(e)))
      }
    }
    const read = (path: string) => readFileSync(path, 'utf8')
    check('certificate', failed('SSL_use_certificate_file'), (path) => createSecureContext({ cert: read(path) }))
    check('private-key', failed('SSL_use_PrivateKey_file'), (path) => createSecureContext({ key: read(path) }))
    const authority = (path: string, why: string) => `failed to load client certificates from ${path}: ${why}`
    check('ca-cert', authority, (path) => new X509Certificate(read(path)))
    check('peer-ca-cert', (path, why) => `failed to open ${path} for reading: ${why}`, read)
    check('ssl-ciphers', failed('SSL_CTX_set_cipher_list'), (ciphers) => createSecureContext({ ciphers }))
    check('ssl-ciphersuites', failed('SSL_CTX_set_ciphersuites'), (ciphers) => createSecureContext({ ciphers }))
    const protocols = this.setting('ssl-protocols', server)
    if (protocols?.trim() === '') out.push('SSL/TLS protocol settings invalid')
    else if (tlsVersions(protocols) === undefined) out.push(`${protocols}: SSL/TLS protocol not recognized`)
    return out
  }

  private setting(name: string, server: Server): string | undefined {
    const value = this.options.value(name)
    if (!value?.startsWith('db:')) return value
    const found = columnAt(server, value)
    if (!found.ok) return undefined
    for (const row of found.value.rows) {
      const atom: Atom | undefined = atomsOf(row[found.value.column])[0]
      if (typeof atom === 'string' && atom) return atom
    }
    return undefined
  }

  keys(server: Server): Result<TlsKeys> {
    const key = this.setting('private-key', server)
    const certificate = this.setting('certificate', server)
    const ca = this.setting('ca-cert', server)
    const bootstrap = ca === undefined ? this.setting('bootstrap-ca-cert', server) : undefined
    const authority = ca ?? bootstrap
    if (!key) return err('Private key must be configured to use SSL/TLS')
    if (!certificate) return err('Certificate must be configured to use SSL/TLS')
    if (!authority) return err('CA certificate must be configured to use SSL/TLS')
    const missing = bootstrap !== undefined && !existsSync(bootstrap)
    const more = this.setting('peer-ca-cert', server)
    try {
      return ok({
        key: readFileSync(key, 'utf8'),
        certificate: [certificate, more].map((path) => (path ? readFileSync(path, 'utf8') : '')).join('\n'),
        ca: authority === 'none' || missing ? undefined : readFileSync(authority, 'utf8'),
        protocols: this.setting('ssl-protocols', server),
        ciphers: this.setting('ssl-ciphers', server),
        ciphersuites: this.setting('ssl-ciphersuites', server),
        serverName: this.setting('ssl-server-name', server),
        ...(missing ? { bootstrap } : {}),
      })
    } catch (e) {
      return err(errorText(e))
    }
  }
}

/** The rows and the column that `db:DB,TABLE,COLUMN` names. */
function columnAt(server: Server, spec: string) {
  const parts = spec.slice(3).split(',')
  const [db = '', tableName = '', column = ''] = parts
  if (parts.length !== 3) return err(`"${spec}": invalid syntax`)
  const hosted = server.hosted.get(db)
  if (!hosted) return err(`"${spec}": no database named ${db}`)
  // A relay's: its tables come when its source is there.
  if (hosted.awaited) return ok({ rows: [], column })
  const table = hosted.database.tables.get(tableName)
  if (!table) return err(`"${spec}": no table named ${tableName}`)
  const type = table.schema.columns.get(column)?.type
  if (!type) return err(`"${spec}": table "${tableName}" has no column "${column}"`)
  if (type.key.type !== 'string' || type.value) {
    return err(`"${spec}": table "${tableName}" column "${column}" is not string or set of strings`)
  }
  return ok({ rows: table.rows.values(), column })
}

const failed = (call: string) => (_value: string, why: string) => `${call}: ${why}`

/** What OpenSSL says of a text, or the system of a file. */
const sslError = (e: unknown): string =>
  e instanceof Error && 'syscall' in e ? errorText(e) : String(Object(e).message)
