import type { Northbound, Southbound } from '../schema/index.ts'
import type { Call, Command } from './command.ts'
import { fatal } from './error.ts'

/** A database with the tables that configure its own server's connections. */
type Served = Northbound | Southbound

/** The kinds of connection that a server takes. */
const METHODS = /^(p?(tcp|ssl|unix|fd)|pfd):/

function readProbe<T>(call: Call<T>): number | undefined {
  const text = call.options.get('inactivity-probe')
  if (text === undefined) return undefined
  return /^\d+$/.test(text) ? Number(text) : fatal(`invalid inactivity probe ${text}`)
}

/**
 * get-/del-/set-connection and get-/del-/set-ssl (ovn-nbctl(8), ovn-sbctl(8)): `global` names the
 * table whose row refers to them. `read_only` and `role` are the southbound's.
 */
export function connectionCommands(global: 'NB_Global', module: string): readonly Command<Northbound>[]
export function connectionCommands(global: 'SB_Global', module: string): readonly Command<Southbound>[]
export function connectionCommands(
  global: 'NB_Global' | 'SB_Global',
  module: string,
): readonly Command<Northbound>[] | readonly Command<Southbound>[] {
  return global === 'NB_Global'
    ? commands<Northbound>(global, module, false)
    : (commands<Southbound & { NB_Global: never }>(global as never, module, true) as never)
}

interface GlobalRow {
  readonly _uuid: string
  readonly connections: readonly string[]
  readonly ssl: string | undefined
}

interface ConnectionRow {
  readonly _uuid: string
  readonly target: string
  readonly read_only?: boolean
  readonly role?: string
  readonly inactivity_probe: number | undefined
}

function commands<T extends Served>(
  global: string & keyof T,
  module: string,
  southbound: boolean,
): readonly Command<T>[] {
  type Name = string & keyof T
  const [connection, ssl] = ['Connection' as Name, 'SSL' as Name]
  const globalRow = (call: Call<T>): GlobalRow =>
    (call.db.anyRows(global)[0] as unknown as GlobalRow | undefined) ?? fatal(`${global} table has no row`)
  const connections = (call: Call<T>): ConnectionRow[] =>
    (call.db.anyRows(connection) as unknown as ConnectionRow[])
      .slice()
      .sort((a, b) => (a.target < b.target ? -1 : a.target > b.target ? 1 : 0))

  function clear(call: Call<T>): void {
    for (const row of call.db.anyRows(connection)) call.db.anyDelete(connection, row._uuid)
    call.db.anyUpdate(global, globalRow(call)._uuid, { connections: [] })
  }

  function get(call: Call<T>): void {
    for (const row of connections(call)) {
      if (!southbound) call.print(`${row.target}\n`)
      else {
        call.print(`${row.read_only ? 'read-only' : 'read-write'} role="${row.role ?? ''}" ${row.target}\n`)
      }
    }
  }

  function set(call: Call<T>): void {
    const inactivity_probe = readProbe(call)
    clear(call)
    let [read_only, role] = [false, '']
    const uuids: string[] = []
    for (const target of call.args) {
      if (southbound && target === 'read-only') read_only = true
      else if (southbound && target === 'read-write') read_only = false
      else if (southbound && target.startsWith('role=')) role = target.slice(5)
      else {
        if (!METHODS.test(target)) call.warn(module, `target type "${target}" is possibly erroneous`)
        const probe = inactivity_probe === undefined ? {} : { inactivity_probe }
        const extra = southbound ? { read_only, role } : {}
        uuids.push(call.db.anyInsert(connection, { target, ...extra, ...probe }))
      }
    }
    call.db.anyUpdate(global, globalRow(call)._uuid, { connections: uuids.sort() })
  }

  function delSsl(call: Call<T>): void {
    for (const row of call.db.anyRows(ssl)) call.db.anyDelete(ssl, row._uuid)
    call.db.anyUpdate(global, globalRow(call)._uuid, { ssl: undefined })
  }

  function setSsl(call: Call<T>): void {
    delSsl(call)
    const [private_key = '', certificate = '', ca_cert = '', ssl_protocols, ssl_ciphers, ssl_ciphersuites] = call.args
    const uuid = call.db.anyInsert(ssl, {
      ...{ private_key, certificate, ca_cert, bootstrap_ca_cert: call.has('bootstrap') },
      ...(ssl_protocols === undefined ? {} : { ssl_protocols }),
      ...(ssl_ciphers === undefined ? {} : { ssl_ciphers }),
      ...(ssl_ciphersuites === undefined ? {} : { ssl_ciphersuites }),
    })
    call.db.anyUpdate(global, globalRow(call)._uuid, { ssl: uuid })
  }

  function getSsl(call: Call<T>): void {
    const row = call.db.anyRows(ssl)[0]
    if (!row) return
    call.print(`Private key: ${String(row['private_key'])}\nCertificate: ${String(row['certificate'])}\n`)
    call.print(`CA Certificate: ${String(row['ca_cert'])}\nBootstrap: ${String(row['bootstrap_ca_cert'])}\n`)
  }

  const tables = [global, connection]
  const keys = [global, ssl]
  return [
    { name: 'get-connection', args: [0, 0], access: 'ro', tables, run: get },
    { name: 'del-connection', args: [0, 0], access: 'rw', tables, run: clear },
    {
      name: 'set-connection',
      args: [1, Number.POSITIVE_INFINITY],
      usage: 'TARGET...',
      options: ['inactivity-probe='],
      access: 'rw',
      tables,
      run: set,
    },
    { name: 'get-ssl', args: [0, 0], access: 'ro', tables: keys, run: getSsl },
    { name: 'del-ssl', args: [0, 0], access: 'rw', tables: keys, run: delSsl },
    {
      name: 'set-ssl',
      args: [3, 6],
      usage: 'PRIV-KEY CERT CA-CERT [SSL-PROTOS [SSL-CIPHERS [SSL-CIPHERSUITES]]]',
      options: ['bootstrap'],
      access: 'rw',
      tables: keys,
      run: setSsl,
    },
  ]
}
