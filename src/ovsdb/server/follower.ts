import type { Timer } from '../../base/clock.ts'
import type { ByteStream } from '../../base/stream.ts'
import { isArray, isObject, type Json, type JsonObject, printJson } from '../../jsonrpc/json.ts'
import { RpcClient, type RpcReply } from '../client/rpc.ts'
import {
  type ColumnSchema,
  columnType,
  type DatabaseSchema,
  type Datum,
  Failure,
  type Row,
  readSchema,
  UNLIMITED,
  ZERO_UUID,
} from '../schema/index.ts'
import { applyDifference } from '../storage/record.ts'
import type { Database } from '../transaction/index.ts'
import { readDatum } from '../wire/index.ts'
import type { Transport } from './remotes.ts'
import type { ForwardReply, Server } from './server.ts'

export type FollowerState = 'connecting' | 'replicating' | 'error'

export interface FollowerOptions {
  /** Servers to follow, tried in turn. */
  readonly remotes: readonly string[]
  readonly database: string
  /** Tables whose rows stay as they are. */
  readonly exclude: ReadonlySet<string>
  /** Milliseconds of silence before the source is asked whether it is there; 0: never. */
  readonly probe: number
  readonly maxBackoff?: number | undefined
  /** The database that takes the source's contents, or why it can not. */
  target(schema: DatabaseSchema): Database | string
  onState(state: FollowerState): void
}

/** A transaction that waits for the source to be there. */
interface Queued {
  readonly params: readonly Json[]
  readonly done: (reply: ForwardReply) => void
}

/** What a transaction's caller is told when the source went before it answered: nobody knows whether it ran. */
const LOST: ForwardReply = { error: '{"error":"canceled","details":"connection to the source was lost"}' }

const FIRST_BACKOFF = 1000
const MAX_BACKOFF = 8000
const SERVER_MONITOR = '_Server'

function forwarded(reply: RpcReply): ForwardReply {
  try {
    return reply.error === null ? { result: printJson(reply.result) } : { error: printJson(reply.error) }
  } catch (e) {
    if (!(e instanceof RangeError)) throw e
    return { error: '{"error":"resources exhausted","details":"the reply is longer than any string can be"}' }
  }
}

/** Keeps a database like that of another server: the work of a relay and of a backup (ovsdb(7)). */
export class Follower {
  private rpc: RpcClient | undefined
  private readonly queue = new Set<Queued>()
  private backoff = 0
  private failures = 0
  private timer: Timer | undefined
  private watch: Timer | undefined
  private giveUp: (() => void) | undefined
  private at = 0
  private stopped = false
  private schemaText = ''
  private target: Database | undefined
  private lastId = ZERO_UUID
  /** How far a clustered source was; one that is behind would take us back in time. */
  private minIndex = 0
  private probe: number
  state: FollowerState = 'connecting'

  constructor(
    private readonly server: Server,
    private readonly transport: Transport,
    private readonly options: FollowerOptions,
  ) {
    this.probe = options.probe
  }

  start(): void {
    this.connect()
  }

  stop(): void {
    this.stopped = true
    this.timer?.cancel()
    this.giveUp?.()
    this.rpc?.end('stopped')
    for (const { done } of this.queue) done(LOST)
    this.queue.clear()
  }

  setProbe(probe: number): void {
    this.probe = probe
    if (this.rpc) this.watchSilence(this.rpc)
  }

  /**
   * Sends a client's transaction to the source, or keeps it until the source is there. What it returns
   * withdraws one that was not sent yet.
   */
  forward(params: readonly Json[], done: (reply: ForwardReply) => void): () => boolean {
    const queued: Queued = { params, done }
    if (this.rpc && this.state === 'replicating') this.send(this.rpc, queued)
    else this.queue.add(queued)
    return () => this.queue.delete(queued)
  }

  private send(rpc: RpcClient, { params, done }: Queued): void {
    rpc.request(
      'transact',
      params as Json[],
      (reply) => done(forwarded(reply)),
      () => done(LOST),
    )
  }

  private get remote(): string {
    return this.options.remotes[this.at % this.options.remotes.length] as string
  }

  private setState(state: FollowerState): void {
    if (this.state === state) return
    this.state = state
    this.options.onState(state)
  }

  private connect(): void {
    const { remote } = this
    const log = this.server.log.child('reconnect')
    log.info(`${remote}: connecting...`)
    this.giveUp = this.transport.dial(remote, (result) => {
      this.giveUp = undefined
      if (this.stopped) {
        if (result.ok) result.value.close()
        return
      }
      if (!result.ok) {
        log.info(`${remote}: connection attempt failed (${result.error})`)
        this.again()
        return
      }
      log.info(`${remote}: connected`)
      this.adopt(result.value)
    })
  }

  /** Tries the next source; when all have failed, after a while. */
  private again(): void {
    this.at++
    this.failures++
    const all = this.failures >= this.options.remotes.length
    if (all) {
      const most = this.options.maxBackoff ?? MAX_BACKOFF
      this.backoff = Math.min(this.backoff ? this.backoff * 2 : FIRST_BACKOFF, most)
      this.failures = 0
    }
    this.timer = this.server.clock.after(all ? this.backoff : 0, () => this.connect())
  }

  private adopt(stream: ByteStream): void {
    const rpc = new RpcClient(stream, () => this.server.clock.monotonic(), this.server.log)
    this.rpc = rpc
    rpc.onNotification = (method, params) => this.notification(rpc, method, params)
    rpc.onEnd = (reason) => this.ended(reason)
    this.watchSilence(rpc)
    rpc.request('set_db_change_aware', [true], () => {})
    this.watchSource(rpc)
  }

  private watchSilence(rpc: RpcClient): void {
    const { probe } = this
    this.watch?.cancel()
    if (!probe) return
    const asked = this.server.clock.monotonic()
    this.watch = this.server.clock.after(probe, () => {
      const silence = this.server.clock.monotonic() - rpc.lastReceived
      if (silence >= 2 * probe) {
        rpc.end('no response to inactivity probe')
        return
      }
      if (rpc.lastReceived <= asked) rpc.probe()
      this.watchSilence(rpc)
    })
  }

  private ended(reason: string): void {
    const { remote } = this
    this.rpc = undefined
    this.watch?.cancel()
    if (this.state !== 'error') this.setState('connecting')
    if (this.stopped) return
    this.server.log.child('reconnect').info(`${remote}: connection dropped (${reason})`)
    this.again()
  }

  private fail(rpc: RpcClient, what: string): void {
    this.server.log.child('replication').err(what, { code: 'replication-failed', remote: this.remote })
    this.setState('error')
    rpc.end(what)
  }

  /** Follows the source's `_Server` database: it must be in touch with its cluster, and not behind (ovsdb-server(5)). */
  private watchSource(rpc: RpcClient): void {
    const { database } = this.options
    const columns = ['model', 'connected', 'index']
    const where = [['name', '==', database]]
    rpc.request('monitor_cond', ['_Server', SERVER_MONITOR, { Database: [{ columns, where }] }], (reply) => {
      // A server without _Server is one of old, and alone.
      if (reply.error !== null || this.judge(rpc, reply.result, true)) this.learnSchema(rpc)
    })
  }

  private judge(rpc: RpcClient, updates: Json, whole: boolean): boolean {
    const { database } = this.options
    const rows = isObject(updates) && isObject(updates['Database']) ? Object.values(updates['Database']) : []
    if (whole && !rows.length) {
      this.fail(rpc, `list_dbs failed: ${database}: database name is not in the list`)
      return false
    }
    for (const update of rows) {
      const row = isObject(update) ? (update['initial'] ?? update['insert'] ?? update['modify']) : undefined
      if (!isObject(row)) continue
      // The initial contents leave out what is false; a difference, what is as before.
      if ((row['connected'] ?? !whole) === false) {
        rpc.end('clustered database server is disconnected from cluster; trying another server')
        return false
      }
      const index = row['index']
      if (typeof index !== 'number') continue
      if (index < this.minIndex) {
        rpc.end('clustered database server has stale data; trying another server')
        return false
      }
      this.minIndex = index
    }
    return true
  }

  private learnSchema(rpc: RpcClient): void {
    const { database } = this.options
    rpc.request('get_schema', [database], (reply) => {
      if (reply.error !== null) {
        this.fail(rpc, `${database}: ${printJson(reply.error)}`)
        return
      }
      let schema: DatabaseSchema
      try {
        schema = readSchema(reply.result)
      } catch (e) {
        if (!(e instanceof Failure)) throw e
        this.fail(rpc, `${database}: bad schema: ${e.message}`)
        return
      }
      const text = printJson(reply.result, true)
      if (!this.target || text !== this.schemaText) {
        const target = this.options.target(schema)
        if (typeof target === 'string') {
          this.fail(rpc, target)
          return
        }
        this.target = target
        this.schemaText = text
        this.lastId = ZERO_UUID
      }
      this.monitor(rpc, this.target, schema)
    })
  }

  private monitor(rpc: RpcClient, target: Database, schema: DatabaseSchema): void {
    const { database, exclude } = this.options
    const requests: Record<string, Json> = {}
    for (const [name, table] of schema.tables) {
      if (!exclude.has(name)) requests[name] = [{ columns: [...table.columns.keys()] }]
    }
    rpc.request('monitor_cond_since', [database, database, requests, this.lastId], ({ result, error }) => {
      if (!isArray(result) || result.length !== 3 || !isObject(result[2])) {
        this.fail(rpc, `${database}: unexpected reply to monitor request: ${printJson(error)}`)
        return
      }
      const found = result[0] === true
      if (!found)
        this.server.log.child('replication').info(`${database}: Monitor reply received. Resetting the database.`)
      const tables = found ? [] : [...target.tables.keys()]
      if (!this.take(rpc, target, result[2], typeof result[1] === 'string' ? result[1] : undefined, tables)) return
      this.backoff = 0
      this.failures = 0
      this.setState('replicating')
      for (const queued of [...this.queue]) {
        this.queue.delete(queued)
        this.send(rpc, queued)
      }
    })
  }

  private notification(rpc: RpcClient, method: string, params: readonly Json[]): void {
    const [id, one, two] = params
    if (method === 'update2' && id === SERVER_MONITOR) this.judge(rpc, one ?? null, false)
    else if (method === 'update3' && this.target && typeof one === 'string' && isObject(two)) {
      this.take(rpc, this.target, two, one, [])
    } else if (method === 'monitor_canceled' && id === this.options.database) {
      // The database was converted, or is another one.
      this.learnSchema(rpc)
    }
  }

  /** Takes over an update. Of the tables `whole` it is all there is: other rows of theirs go. */
  private take(
    rpc: RpcClient,
    target: Database,
    updates: JsonObject,
    id: string | undefined,
    whole: readonly string[],
  ): boolean {
    // What a client has begun while this server was no backup is among the rows that go.
    target.finishRunning()
    const rows = new Map<string, Map<string, Row | undefined>>()
    // The real server has no ids for the transactions of a standalone database, and says so by this one.
    const known = id === ZERO_UUID ? undefined : id
    try {
      for (const [name, table] of target.tables) {
        const update = updates[name]
        if (this.options.exclude.has(name)) continue
        const changes = new Map<string, Row | undefined>()
        if (whole.includes(name)) for (const uuid of table.rows.keys()) changes.set(uuid, undefined)
        for (const [uuid, change] of Object.entries(isObject(update) ? update : {})) {
          if (isObject(change)) changes.set(uuid, updatedRow(target, name, uuid, change))
        }
        if (changes.size) rows.set(name, changes)
      }
      target.adopt(rows, known)
    } catch (e) {
      if (!(e instanceof Failure)) throw e
      // What was missed can only be made good from the beginning.
      this.lastId = ZERO_UUID
      this.fail(rpc, `${this.options.database}: update not taken: ${e.message}`)
      return false
    }
    if (known !== undefined) this.lastId = known
    return true
  }
}

/** A stored or sent difference may hold any number of members. */
function readDifference({ type }: ColumnSchema, json: Json): Datum {
  return readDatum(type.max === 1 ? type : columnType(type.key, type.value, 0, UNLIMITED), json)
}

/** The row that a `<row-update2>` makes (ovsdb-server(7), 4.1.14). */
function updatedRow(database: Database, name: string, uuid: string, change: JsonObject): Row | undefined {
  const table = database.tables.get(name)
  if (!table || change['delete'] !== undefined) return undefined
  const whole = change['initial'] ?? change['insert']
  const old = whole === undefined ? table.rows.get(uuid) : undefined
  const row = old ? { ...old } : table.blank(uuid)
  const out = row as { [column: string]: Datum }
  const values = whole ?? change['modify']
  if (!isObject(values)) return row
  for (const [column, value] of Object.entries(values)) {
    const schema = table.schema.columns.get(column)
    if (!schema) continue
    out[column] = old
      ? applyDifference(schema.type, old[column], readDifference(schema, value as Json))
      : readDatum(schema.type, value as Json)
  }
  return row
}
