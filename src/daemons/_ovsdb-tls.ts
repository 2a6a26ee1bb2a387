import { readFileSync } from 'node:fs'
import { err, ok, type Result } from '../base/result.ts'
import { errorText } from '../io/errors.ts'
import type { TlsKeys } from '../io/tls.ts'
import { type Atom, atomsOf } from '../ovsdb/schema/index.ts'
import type { Server } from '../ovsdb/server/index.ts'
import type { ParsedOptions } from './_options.ts'

/**
 * Where keys and certificates come from: options name files, or `db:DB,TABLE,COLUMN`, a column that
 * names them (ovsdb-server(1)). Files are read for each connection.
 */
export class TlsSettings {
  constructor(private readonly options: ParsedOptions) {}

  private setting(name: string, server: Server): string | undefined {
    const value = this.options.value(name)
    if (!value?.startsWith('db:')) return value
    const [db = '', table = '', column = ''] = value.slice(3).split(',')
    const source = server.database(db)?.tables.get(table)
    for (const row of source?.rows.values() ?? []) {
      const atom: Atom | undefined = atomsOf(row[column])[0]
      if (typeof atom !== 'string' || !atom) continue
      return atom
    }
    return undefined
  }

  keys(server: Server): Result<TlsKeys> {
    const key = this.setting('private-key', server)
    const certificate = this.setting('certificate', server)
    const ca = this.setting('ca-cert', server) ?? this.setting('bootstrap-ca-cert', server)
    if (!key) return err('Private key must be configured to use SSL/TLS')
    if (!certificate) return err('Certificate must be configured to use SSL/TLS')
    if (!ca) return err('CA certificate must be configured to use SSL/TLS')
    try {
      return ok({
        key: readFileSync(key, 'utf8'),
        certificate: readFileSync(certificate, 'utf8'),
        ca: ca === 'none' ? undefined : readFileSync(ca, 'utf8'),
        protocols: this.setting('ssl-protocols', server),
        ciphers: this.setting('ssl-ciphers', server),
        ciphersuites: this.setting('ssl-ciphersuites', server),
        serverName: this.setting('ssl-server-name', server),
      })
    } catch (e) {
      return err(errorText(e))
    }
  }
}
