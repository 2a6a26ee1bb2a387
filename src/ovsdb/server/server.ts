import type { Clock } from '../../base/clock.ts'
import type { ControlCommand } from '../../base/command.ts'
import type { Log } from '../../base/log.ts'
import { type Random, uuid4 } from '../../base/random.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { ByteStream } from '../../base/stream.ts'
import { type Json, printJson } from '../../jsonrpc/json.ts'
import type { ReaderLimits } from '../../jsonrpc/reader.ts'
import { type DatabaseSchema, Failure, type OvsdbError, printSchema } from '../schema/index.ts'
import type { Storage } from '../storage/storage.ts'
import { convertDatabase } from '../transaction/convert.ts'
import { CANCELED, Database, type Requester } from '../transaction/index.ts'
import { serverCommands } from './commands.ts'
import { DumpCache } from './dumps.ts'
import { Locks } from './locks.ts'
import { RemoteSet, type Transport } from './remotes.ts'
import { serverSchema } from './server-schema.ts'
import { Session, type SessionOptions } from './session.ts'
import { TransactionLog } from './transaction-log.ts'
import { sealMessages, type UpdateMessages } from './update-messages.ts'

export interface ServerOptions {
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  /** How to listen and connect; without one only `accept` brings clients. */
  readonly transport?: Transport
  readonly limits?: Partial<ReaderLimits>
}

export type Model = 'standalone' | 'relay'

/** The answer of the source of a relay, as texts of JSON. */
export type ForwardReply = { readonly result: string } | { readonly error: string }
/** Passes a transaction on; what it returns withdraws one that was not sent yet, and says whether it could. */
export type Forwarder = (params: readonly Json[], done: (reply: ForwardReply) => void) => () => boolean

/** A database that a server offers. */
export interface Hosted {
  readonly database: Database
  readonly model: Model
  readonly storage: Storage | undefined
  /** The uuid of its row in the `_Server` database. */
  readonly row: string
  connected: boolean
  /** Of a relay: its source has not been heard of yet, so that not even the schema is known. */
  readonly awaited: boolean
  readonly forward: Forwarder | undefined
  readonly stop: () => void
}

const internal: Requester = { owns: () => true, internal: true }

/** A database server: databases, and sessions that use them. Knows no I/O. */
export class Server {
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  readonly limits: Partial<ReaderLimits>
  readonly id: string
  readonly locks = new Locks()
  readonly dumps: DumpCache
  readonly hosted = new Map<string, Hosted>()
  readonly sessions = new Set<Session>()
  readonly remotes: RemoteSet
  readonly transactionLog: TransactionLog
  private readonly own: Database
  private readonly closers: (() => void)[] = []
  private readonly removals: ((name: string) => void)[] = []

  constructor(options: ServerOptions) {
    this.clock = options.clock
    this.log = options.log
    this.random = options.random
    this.limits = options.limits ?? {}
    this.id = uuid4(options.random)
    this.dumps = new DumpCache(options.clock)
    this.transactionLog = new TransactionLog(this.log.child('transaction'))
    this.own = new Database(serverSchema, this.clock, this.random)
    this.own.readOnly = true
    this.host(this.own, 'standalone', undefined, undefined)
    this.locks.beforeHandOver = (lock) => {
      for (const { database } of this.hosted.values()) database.handOver(lock)
    }
    this.remotes = new RemoteSet(this, options.transport)
  }

  /** Every database by its name, `_Server` too. */
  get databases(): ReadonlyMap<string, Database> {
    return new Map([...this.hosted].map(([name, h]) => [name, h.database]))
  }

  /** Offers a database, with what its storage holds. Without storage it lives as long as the server. */
  addDatabase(schema: DatabaseSchema, storage?: Storage): Result<Database> {
    if (schema.name.startsWith('_')) return err('names beginning with "_" are reserved')
    if (this.hosted.has(schema.name)) return err('duplicate database name')
    const database = new Database(schema, this.clock, this.random)
    if (storage) {
      const loaded = storage.load(database)
      if (!loaded.ok) return loaded
      database.journal = storage
    }
    this.host(database, 'standalone', storage, undefined)
    return ok(database)
  }

  /** Offers a database that is kept up from elsewhere, by its name alone until `setSchema`. */
  addRelay(name: string, forward: Forwarder): Result<void> {
    if (name.startsWith('_')) return err('names beginning with "_" are reserved')
    if (this.hosted.has(name)) return err('duplicate database name')
    const nothing: DatabaseSchema = { name, version: '0.0.0', cksum: '', tables: new Map() }
    this.host(new Database(nothing, this.clock, this.random), 'relay', undefined, forward, { awaited: true })
    return ok(undefined)
  }

  /** Gives a relay the schema of its source, and its clients a new database to ask for. */
  setSchema(name: string, schema: DatabaseSchema): Database | undefined {
    const hosted = this.hosted.get(name)
    if (!hosted) return undefined
    const database = new Database(schema, this.clock, this.random)
    this.replace(hosted, database, `database ${name} connection status changed due to schema conversion`)
    return database
  }

  private host(
    database: Database,
    model: Model,
    storage: Storage | undefined,
    forward: Forwarder | undefined,
    { awaited = false, replaced }: { awaited?: boolean; replaced?: Hosted } = {},
  ): void {
    const row = replaced?.row ?? uuid4(this.random)
    const connected = replaced?.connected ?? model === 'standalone'
    const stop = database.onCommit((delta) => {
      const messages: UpdateMessages = new Map()
      for (const session of this.sessions) session.committed(database, delta, messages)
      sealMessages(messages)
      storage?.committed(database)
      this.transactionLog.committed(database, delta)
    })
    this.hosted.set(database.name, { database, model, storage, row, connected, awaited, forward, stop })
    const schema = awaited ? undefined : printJson(printSchema(database.schema), true)
    const where = [['_uuid', '==', row] as const]
    const values = { name: database.name, model, connected, leader: model !== 'relay', schema }
    this.own.transact(
      replaced
        ? [{ op: 'update', table: 'Database', where, row: { schema } }]
        : [{ op: 'insert', table: 'Database', uuid: row, row: values }],
      internal,
    )
  }

  /** Puts a database with another schema in a hosted one's place. */
  private replace(hosted: Hosted, next: Database, why: string): void {
    const { database, model, storage, forward } = hosted
    hosted.stop()
    database.abandon(CANCELED)
    this.host(next, model, storage, forward, { replaced: hosted })
    // Nobody can have used one that was only waited for.
    if (!hosted.awaited) for (const session of [...this.sessions]) session.databaseGone(database, why)
    this.remotes.refresh()
  }

  /** Says in `_Server` whether a relayed database has its source. */
  setConnected(name: string, connected: boolean): void {
    const hosted = this.hosted.get(name)
    if (!hosted || hosted.connected === connected) return
    hosted.connected = connected
    const where = [['_uuid', '==', hosted.row] as const]
    this.own.transact([{ op: 'update', table: 'Database', where, row: { connected } }], internal)
  }

  database(name: string): Database | undefined {
    return this.hosted.get(name)?.database
  }

  forwarder(name: string): Forwarder | undefined {
    return this.hosted.get(name)?.forward
  }

  removeDatabase(name: string): boolean {
    const hosted = this.hosted.get(name)
    if (!hosted || hosted.database === this.own) return false
    this.unhost(hosted, `removing ${name} database`)
    hosted.storage?.close()
    return true
  }

  private unhost(hosted: Hosted, why: string): void {
    const { database } = hosted
    this.hosted.delete(database.name)
    hosted.stop()
    const where = [['_uuid', '==', hosted.row] as const]
    this.own.transact([{ op: 'delete', table: 'Database', where }], internal)
    database.abandon(CANCELED)
    for (const removed of this.removals) removed(database.name)
    for (const session of [...this.sessions]) session.databaseGone(database, why)
  }

  /** Gives a database another schema (ovsdb-server(7), 4.1.19). */
  convert(name: string, schema: DatabaseSchema, done: (error: OvsdbError | undefined) => void): void {
    const hosted = this.hosted.get(name)
    if (!hosted) {
      done({ error: 'unknown database' })
      return
    }
    if (schema.name !== name) {
      done({
        error: 'invalid parameters',
        details: `new schema name (${schema.name}) does not match database name (${name})`,
      })
      return
    }
    if (hosted.forward || hosted.database.readOnly) {
      done({
        error: 'not allowed',
        details: `conversion is not allowed for read-only database ${name}`,
      })
      return
    }
    try {
      hosted.database.finishQueued()
      const next = convertDatabase(hosted.database, schema, this.clock, this.random)
      const { storage } = hosted
      const failed = storage?.rewrite(next)
      if (failed !== undefined) {
        done({ error: 'I/O error', details: failed })
        return
      }
      next.journal = storage
      this.replace(hosted, next, `database ${name} connection status changed due to schema conversion`)
      done(undefined)
      return
    } catch (e) {
      if (!(e instanceof Failure)) throw e
      done(e.error)
      return
    }
  }

  /** Serves a client; `options` as of the remote through which it came. */
  accept(stream: ByteStream, options: SessionOptions = { probe: 0, readOnly: false, role: '' }): Session {
    const session = new Session(this, stream, options)
    this.sessions.add(session)
    const before = session.onEnd
    session.onEnd = (reason) => {
      before?.(reason)
      this.sessions.delete(session)
    }
    return session
  }

  /** Adds a connection method: `punix:FILE`, `ptcp:PORT`, `db:DB,TABLE,COLUMN` ... `ready` is told when it listens, or why not. */
  listen(remote: string, ready?: (error: string | undefined) => void): void {
    this.remotes.add(remote, ready)
  }

  commands(): ControlCommand[] {
    return serverCommands(this)
  }

  /** Calls `removed` with the name of each database that is offered no longer. */
  onRemoved(removed: (name: string) => void): void {
    this.removals.push(removed)
  }

  onClose(close: () => void): void {
    this.closers.push(close)
  }

  close(): void {
    this.remotes.close()
    for (const session of [...this.sessions]) session.close()
    for (const hosted of this.hosted.values()) hosted.storage?.close()
    for (const close of this.closers) close()
  }
}

export function createServer(options: ServerOptions): Server {
  return new Server(options)
}
