import type { Timer } from '../../base/clock.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { ByteStream } from '../../base/stream.ts'
import { atomsOf, type Datum, type Row } from '../schema/index.ts'
import { anyone, type Database, operations as sourceOf, type Table } from '../transaction/index.ts'
import type { Server } from './server.ts'
import type { Session, SessionOptions } from './session.ts'

/** Listens and connects; implemented for memory and for sockets in `ovsdb/transport`. */
export interface Transport {
  /** Undefined, or why a connection method is none. */
  check(method: string): string | undefined
  passive(method: string): boolean
  listen(
    method: string,
    accept: (stream: ByteStream) => void,
    ready: (result: Result<Listening>) => void,
    refused: (peer: string, error: string) => void,
  ): void
  /** Returns how to give up. */
  dial(method: string, done: (result: Result<ByteStream>) => void): () => void
}

export interface Listening {
  /** The port, where there is one. */
  readonly port: number
  close(): void
}

/**
 * What is logged of a listener whose port the system chose, for whoever has to find it (`ptcp:0:127.0.0.1`);
 * undefined where the port was said.
 */
export function chosenPort(method: string, port: number): string | undefined {
  const where = /^p(?:tcp|ssl):(0(?::.*)?)$/.exec(method)?.[1]
  return where === undefined ? undefined : `${where}: listening on port ${port}`
}

/** What a remote was configured to be; `undefined` for what goes without saying. */
export interface RemoteOptions {
  readonly probe?: number | undefined
  readonly maxBackoff?: number | undefined
  readonly readOnly?: boolean | undefined
  readonly role?: string | undefined
}

/** RFC: none. ovsdb-server(1): the probe of connections over a network, in milliseconds. */
const NETWORK_PROBE = 5000
const FIRST_BACKOFF = 1000
const MAX_BACKOFF = 8000

function sessionOptions(method: string, options: RemoteOptions): SessionOptions {
  return {
    probe: options.probe ?? (/^p?unix:/.test(method) ? 0 : NETWORK_PROBE),
    readOnly: options.readOnly ?? false,
    role: options.role ?? '',
  }
}

/** One connection method in use: a listener with its sessions, or a connection that is kept up. */
class Remote {
  readonly sessions = new Set<Session>()
  listening: Listening | undefined
  error: string | undefined
  state = 'VOID'
  since: number
  private closed = false
  /** Milliseconds that were waited before the last attempt; 0: none has failed. */
  private backoff = 0
  private retry: Timer | undefined
  private giveUp: (() => void) | undefined

  constructor(
    private readonly set: RemoteSet,
    private readonly server: Server,
    private readonly transport: Transport,
    readonly method: string,
    private options: RemoteOptions,
  ) {
    this.since = server.clock.monotonic()
  }

  start(ready?: (error: string | undefined) => void): void {
    if (this.transport.passive(this.method)) this.listen(ready)
    else {
      ready?.(undefined)
      this.connect()
    }
  }

  private listen(ready?: (error: string | undefined) => void): void {
    const log = this.server.log.child('ovsdb_jsonrpc_server')
    this.transport.listen(
      this.method,
      (stream) => this.adopt(stream),
      (result) => {
        if (!result.ok) {
          this.error = result.error
          log.err(`${this.method}: listen failed: ${result.error}`, { code: 'listen-failed', remote: this.method })
          ready?.(`${this.method}: listen failed: ${result.error}`)
          // Whoever holds the address may let it go.
          if (!this.closed) this.retry = this.server.clock.after(MAX_BACKOFF, () => this.listen())
          return
        }
        if (this.closed) result.value.close()
        else this.listening = result.value
        const found = chosenPort(this.method, result.value.port)
        if (found !== undefined) this.server.log.child('socket_util').info(found)
        this.error = undefined
        ready?.(undefined)
        this.set.changed()
      },
      (peer, error) => this.server.log.child('stream_ssl').warn(`${peer}: ${error}`, { code: 'tls-refused', peer }),
    )
  }

  private connect(): void {
    if (this.closed) return
    const log = this.server.log.child('reconnect')
    this.sayOnWay('connecting...')
    this.setState('CONNECTING')
    this.giveUp = this.transport.dial(this.method, (result) => {
      this.giveUp = undefined
      if (this.closed) {
        if (result.ok) result.value.close()
        return
      }
      if (result.ok) {
        log.info(`${this.method}: connected`)
        this.setState('ACTIVE')
        const since = this.since
        this.adopt(result.value, () => {
          // one that hangs up at once is not to be called every second
          if (this.server.clock.monotonic() - since >= this.backoff) this.backoff = 0
          this.again('connection closed by peer')
        })
      } else {
        this.error = result.error
        this.sayOnWay(`connection attempt failed (${result.error})`)
        this.again(result.error)
      }
    })
  }

  private again(reason: string): void {
    if (this.closed) return
    this.error = reason
    this.setState('BACKOFF')
    this.waitLonger()
    this.retry = this.server.clock.after(this.backoff, () => this.connect())
  }

  private get longest(): number {
    return this.options.maxBackoff ?? MAX_BACKOFF
  }

  /** About attempts to connect, until there have been so many that no more is said. */
  private sayOnWay(text: string): void {
    if (this.backoff < this.longest) this.server.log.child('reconnect').info(`${this.method}: ${text}`)
  }

  private waitLonger(): void {
    const before = this.backoff
    if (before) {
      this.backoff = Math.min(before * 2, this.longest)
      const log = this.server.log.child('reconnect')
      if (before < this.longest && this.backoff === this.longest) {
        log.info(`${this.method}: continuing to reconnect in the background but suppressing further logging`)
      } else if (before < this.longest) {
        log.info(`${this.method}: waiting ${this.backoff / 1000} seconds before reconnect`)
      }
    } else this.backoff = Math.min(FIRST_BACKOFF, this.longest)
  }

  private setState(state: string): void {
    this.state = state
    this.since = this.server.clock.monotonic()
    this.set.changed()
  }

  private adopt(stream: ByteStream, ended?: () => void): void {
    const session = this.server.accept(stream, sessionOptions(this.method, this.options))
    this.sessions.add(session)
    this.since = this.server.clock.monotonic()
    this.set.changed()
    const before = session.onEnd
    session.onEnd = (reason) => {
      before?.(reason)
      this.sessions.delete(session)
      this.set.changed()
      ended?.()
    }
  }

  configure(options: RemoteOptions): void {
    this.options = options
    for (const session of this.sessions) session.setOptions(sessionOptions(this.method, options))
  }

  reconnect(): void {
    for (const session of [...this.sessions]) session.close()
  }

  close(): void {
    this.closed = true
    this.retry?.cancel()
    this.giveUp?.()
    this.listening?.close()
    for (const session of [...this.sessions]) session.close()
  }
}

/** A column of a database that holds connection methods: `db:DB,TABLE,COLUMN`. */
interface Source {
  readonly database: Database
  readonly table: Table
  readonly column: string
  /** The table that the column's references lead to; undefined when it holds the methods themselves. */
  readonly target: Table | undefined
}

/** Why a column can not be read. */
interface NoSource {
  readonly text: string
  /** The database is a relay's whose schema is yet to come. */
  readonly awaited: boolean
}

/** How soon the Connection table tells of changes, in milliseconds. */
const STATUS_DELAY = 2500

/** The connection methods of a server, as configured and as in use. */
export class RemoteSet {
  private readonly configured = new Map<string, RemoteOptions>()
  private readonly remotes = new Map<string, Remote>()
  private readonly watching = new Map<Database, () => void>()
  private statusTimer: Timer | undefined
  private readonly complained = new Set<string>()

  constructor(
    private readonly server: Server,
    private readonly transport: Transport | undefined,
  ) {}

  /** As they were configured, in order. */
  list(): string[] {
    return [...this.configured.keys()].sort()
  }

  /** The port on which a connection method listens: that drawn where 0 was asked for; 0 where there is none. */
  port(method: string): number {
    return this.remotes.get(method)?.listening?.port ?? 0
  }

  add(spec: string, ready?: (error: string | undefined) => void, options: RemoteOptions = {}): void {
    const problem = this.problem([spec])
    if (problem !== undefined) {
      ready?.(problem)
      return
    }
    this.configured.set(spec, options)
    this.refresh((refused) => ready?.(refused.get(spec)))
  }

  remove(spec: string): boolean {
    if (!this.configured.delete(spec)) return false
    this.refresh()
    return true
  }

  /** Why one of these connection methods can not be used: it names no column of a database. */
  problem(specs: Iterable<string>): string | undefined {
    for (const spec of specs) {
      const source = spec.startsWith('db:') ? this.source(spec) : undefined
      if (source && !source.ok && !source.error.awaited) return source.error.text
    }
    return undefined
  }

  /**
   * Replaces all of them, as a configuration file does. `ready` is called when each listens or was
   * refused, with the reasons of those.
   */
  replace(all: ReadonlyMap<string, RemoteOptions>, ready?: (refused: ReadonlyMap<string, string>) => void): void {
    this.configured.clear()
    for (const [spec, options] of all) this.configured.set(spec, options)
    this.refresh(ready)
  }

  private source(spec: string): Result<Source, NoSource> {
    const none = (text: string, awaited = false) => err({ text: `"${spec}": ${text}`, awaited })
    const parts = spec.slice(3).split(',')
    const [db, tableName, column] = parts
    if (parts.length !== 3 || !db || !tableName || !column) return none('invalid syntax')
    const hosted = this.server.hosted.get(db)
    if (!hosted) return none(`no database named ${db}`)
    const { database } = hosted
    const table = database.tables.get(tableName)
    if (!table) return none(`no table named ${tableName}`, hosted.awaited)
    const schema = table.schema.columns.get(column)
    if (!schema) return none(`table "${tableName}" has no column "${column}"`)
    const refTable = schema.type.key.refTable
    return ok({ database, table, column, target: refTable ? database.tables.get(refTable) : undefined })
  }

  /**
   * Opens what is configured and closes what is not, after a change of either. `ready` is called once, when
   * all that was opened listens or was refused, with the reasons of those.
   */
  refresh(ready?: (refused: ReadonlyMap<string, string>) => void): void {
    const { transport } = this
    const log = this.server.log.child('ovsdb_jsonrpc_server')
    const wanted = this.wanted()
    const refused = new Map<string, string>()
    for (const method of this.complained) if (!wanted.has(method)) this.complained.delete(method)
    for (const [method, remote] of [...this.remotes]) {
      if (wanted.has(method)) continue
      log.info(`${method}: remote deconfigured`)
      this.remotes.delete(method)
      remote.close()
    }
    let opening = 1
    const opened = (method: string, error: string | undefined) => {
      if (error !== undefined) refused.set(method, error)
      if (--opening === 0) ready?.(refused)
    }
    for (const [method, options] of wanted) {
      const remote = this.remotes.get(method)
      if (remote) {
        remote.configure(options)
        continue
      }
      const problem = transport ? transport.check(method) : 'this server has no transport'
      if (problem !== undefined || !transport) {
        if (!this.complained.has(method)) {
          this.complained.add(method)
          log.err(`${method}: ${problem}`, { code: 'bad-remote', remote: method })
        }
        if (problem !== undefined) refused.set(method, problem)
        continue
      }
      const fresh = new Remote(this, this.server, transport, method, options)
      this.remotes.set(method, fresh)
      opening++
      fresh.start((error) => opened(method, error))
    }
    opened('', undefined)
    this.changed()
  }

  private wanted(): Map<string, RemoteOptions> {
    const wanted = new Map<string, RemoteOptions>()
    const used = new Set<Database>()
    for (const [spec, options] of this.configured) {
      if (!spec.startsWith('db:')) {
        wanted.set(spec, options)
        continue
      }
      const source = this.source(spec)
      if (!source.ok) {
        const { text, awaited } = source.error
        if (!awaited) this.server.log.child('ovsdb_server').warn(text, { code: 'bad-remote', remote: spec })
        continue
      }
      used.add(source.value.database)
      for (const [method, o] of methodsOf(source.value)) wanted.set(method, o)
    }
    for (const [database, stop] of [...this.watching]) {
      if (used.has(database)) continue
      stop()
      this.watching.delete(database)
    }
    for (const database of used) {
      if (this.watching.has(database)) continue
      this.watching.set(
        database,
        database.onCommit((delta) => {
          for (const source of this.sources()) {
            if (source.database !== database) continue
            const touched = [source.table, source.target].some((t) => t && delta.tables.has(t.schema.name))
            // Not within the commit: sessions may end by it.
            if (touched) this.server.clock.after(0, () => this.refresh())
          }
        }),
      )
    }
    return wanted
  }

  private sources(): Source[] {
    return [...this.configured.keys()]
      .filter((spec) => spec.startsWith('db:'))
      .map((spec) => this.source(spec))
      .flatMap((s) => (s.ok ? [s.value] : []))
  }

  /** Something that the Connection table tells has changed. */
  changed(): void {
    if (this.statusTimer || !this.sources().some((s) => s.target)) return
    this.statusTimer = this.server.clock.after(STATUS_DELAY, () => {
      this.statusTimer = undefined
      for (const source of this.sources()) this.writeStatus(source)
    })
  }

  /** Writes `is_connected` and `status` of the rows through which remotes are configured. */
  private writeStatus({ database, target }: Source): void {
    // What this server has from another is not its own to write.
    if (!target || database.readOnly || this.server.forwarder(database.name)) return
    const { name, columns } = target.schema
    const operations = []
    for (const row of target.rows.values()) {
      const remote = this.remotes.get(String(row['target']))
      if (!remote) continue
      const connected = remote.sessions.size > 0 || remote.listening !== undefined
      const values: Record<string, Datum> = {}
      if (columns.has('is_connected')) values['is_connected'] = connected
      if (columns.has('status')) values['status'] = this.status(remote)
      const where = [['_uuid', '==', row._uuid] as const]
      operations.push({ op: 'update' as const, table: name, where, row: values })
    }
    // In its turn: a large transaction that is under way goes on in slices.
    if (operations.length) database.submit(sourceOf(operations), anyone, () => {})
  }

  private status(remote: Remote): ReadonlyMap<string, string> {
    const status = new Map<string, string>()
    const seconds = Math.floor((this.server.clock.monotonic() - remote.since) / 1000)
    if (remote.listening) {
      status.set('bound_port', String(remote.listening.port))
      if (remote.sessions.size !== 1) status.set('n_connections', String(remote.sessions.size))
      if (remote.sessions.size) {
        status.set('sec_since_connect', String(seconds))
        status.set('state', 'ACTIVE')
      }
    } else {
      status.set('state', remote.state)
      status.set(remote.state === 'ACTIVE' ? 'sec_since_connect' : 'sec_since_disconnect', String(seconds))
      if (remote.error !== undefined) status.set('last_error', remote.error)
    }
    return status
  }

  /** Ends every connection; clients come back by themselves. */
  reconnect(): void {
    for (const remote of this.remotes.values()) remote.reconnect()
  }

  close(): void {
    this.statusTimer?.cancel()
    for (const stop of this.watching.values()) stop()
    this.watching.clear()
    for (const remote of this.remotes.values()) remote.close()
    this.remotes.clear()
  }
}

/** The methods that a column holds or refers to, with their options (ovsdb-server(1), --remote). */
function methodsOf(source: Source): [string, RemoteOptions][] {
  const out: [string, RemoteOptions][] = []
  for (const row of source.table.rows.values()) {
    for (const atom of atomsOf(row[source.column])) {
      if (!source.target) {
        if (typeof atom === 'string' && atom) out.push([atom, {}])
        continue
      }
      const to = source.target.rows.get(atom as string)
      const method = to?.['target']
      if (to && typeof method === 'string' && method) out.push([method, optionsOf(to)])
    }
  }
  return out
}

function optionsOf(row: Row): RemoteOptions {
  const number = (d: Datum) => (typeof d === 'number' ? d : undefined)
  const max = number(row['max_backoff'])
  return {
    probe: number(row['inactivity_probe']),
    maxBackoff: max === undefined ? undefined : Math.max(1000, max),
    readOnly: row['read_only'] === true,
    role: typeof row['role'] === 'string' ? row['role'] : '',
  }
}
