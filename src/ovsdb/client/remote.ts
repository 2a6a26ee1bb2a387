import { type Log, silent } from '../../base/log.ts'
import type { ByteStream } from '../../base/stream.ts'
import { isArray, isObject, type Json } from '../../jsonrpc/json.ts'
import { type ColumnType, Failure, parseUuid, type Row, type TableSchema, ZERO_UUID } from '../schema/index.ts'
import { BaseReplica } from './base-replica.ts'
import { checkLockName, RemoteLock } from './lock.ts'
import type { Operation } from './operation.ts'
import { Probe } from './probe.ts'
import { Reconnection, type ReconnectionOptions } from './reconnection.ts'
import {
  type TableCondition,
  type TableName,
  type TableRequests,
  type TransactOutcome,
  type TypedSchema,
  transactError,
} from './replica.ts'
import { RpcClient, type RpcReply } from './rpc.ts'
import { ServerSchema } from './server-schema.ts'
import { ServerState } from './server-state.ts'
import { ChangeSet, sameRow } from './tables.ts'
import { applyUpdates, applyUpdates2, type Readers, RowReader } from './updates.ts'
import { conditionJson, operationJson, readError, readResults } from './wire-operation.ts'

export type { Dial } from './reconnection.ts'

export interface RemoteOptions<T> extends ReconnectionOptions {
  readonly schema: TypedSchema<T>
  readonly tables?: TableRequests<T>
  /** Milliseconds without a sign of life after which the server is asked for one; 5000 unless given, 0: never. */
  readonly probeInterval?: number
  /** Of a cluster, only the leader will do. */
  readonly leaderOnly?: boolean
  /** Called when a server's schema lacks what is `required`. It is tried again: it may be upgraded. */
  readonly onUnsuitable?: (error: string) => void
}

/** The newest way of following a database that the server knows. */
type Method = 'monitor_cond_since' | 'monitor_cond' | 'monitor'

const FALLBACK: Readonly<Record<Method, Method | undefined>> = {
  monitor_cond_since: 'monitor_cond',
  monitor_cond: 'monitor',
  monitor: undefined,
}

/** A replica of a database on the other side of a stream. */
export class RemoteReplica<T> extends BaseReplica<T> {
  private readonly log: Log
  private readonly reconnection: Reconnection
  private readonly readers: Readers
  private rpc: RpcClient | undefined
  private probe: Probe | undefined
  /** Columns whose values were complained about. */
  private readonly bad = new Set<string>()
  private method: Method = 'monitor_cond_since'
  /** The last transaction of the server that the tables have. */
  private lastTransaction = ZERO_UUID
  /** The commit index up to which a clustered server has told us; an older one would be a step back. */
  private minIndex = 0
  private monitored = false
  /** Whether the connection's request to monitor is out. */
  private asked = false
  /** Conditions set but not yet answered. */
  private pendingConditions = 0
  private staleConditions = false
  private readonly locks = new Map<string, RemoteLock>()
  /** What the server that we are in touch with says of itself. */
  private serverState = new ServerState()
  /** What the server's schema has of ours; undefined before the first answer. */
  private server: ServerSchema | undefined

  constructor(private readonly options: RemoteOptions<T>) {
    super(options.schema, options.clock, options.tables)
    this.log = (options.log ?? silent).child('ovsdb_cs')
    this.readers = new Map(
      [...this.tables.values()].map((t) => [t.name, new RowReader(t.schema, (...bad) => this.badValue(...bad))]),
    )
    this.reconnection = new Reconnection(options, (stream) => this.start(stream))
  }

  private get remote(): string {
    return this.reconnection.remote
  }

  private start(stream: ByteStream): void {
    const rpc = new RpcClient(stream, () => this.clock.monotonic(), this.log)
    this.rpc = rpc
    this.monitored = false
    this.asked = false
    // another server, or another release of it, may know more than the last
    this.method = 'monitor_cond_since'
    rpc.onNotification = (method, params) => this.notified(method, params)
    rpc.onEnd = (reason) => this.ended(rpc, reason)
    this.watchServer(rpc)
    rpc.request('set_db_change_aware', [true], () => {})
    this.learnSchema(rpc)
    for (const lock of this.locks.values()) lock.connected(rpc)
    this.probe = new Probe(rpc, this.clock, this.options.probeInterval ?? 5000)
    // the last: a listener may close us
    this.setState('syncing')
  }

  private ended(rpc: RpcClient, reason: string): void {
    if (this.rpc !== rpc) return
    this.rpc = undefined
    this.probe?.stop()
    for (const lock of this.locks.values()) lock.disconnected()
    if (this.pendingConditions) this.staleConditions = true
    this.pendingConditions = 0
    if (this.state === 'closed') return
    this.reconnection.lost(reason, this.monitored)
    // the last: a listener may close us
    this.setState('connecting')
  }

  /** Follows the `_Server` database for whether this server will do (ovsdb-server(5)). */
  private watchServer(rpc: RpcClient): void {
    const columns = ['name', 'model', 'connected', 'leader', 'index']
    const where = [['name', '==', this.schema.name]]
    this.serverState = new ServerState()
    rpc.request('monitor_cond', ['_Server', SERVER_MONITOR, { Database: [{ columns, where }] }], (reply) => {
      // a server without _Server is one of old, and alone
      if (reply.error === null) this.judgeServer(rpc, reply.result)
    })
  }

  private judgeServer(rpc: RpcClient, updates: Json): void {
    const { minIndex } = this
    const leaderOnly = this.options.leaderOnly ?? false
    this.serverState.take(updates)
    const verdict = this.serverState.judge({ database: this.schema.name, leaderOnly, minIndex })
    if (verdict.index !== undefined) this.minIndex = Math.max(this.minIndex, verdict.index)
    if (verdict.refusal !== undefined) rpc.end(verdict.refusal)
  }

  /** Asked on every connection, since a database may have been upgraded in between. */
  private learnSchema(rpc: RpcClient): void {
    rpc.request('get_schema', [this.schema.name], (reply) => {
      if (this.rpc !== rpc) return
      if (reply.error !== null) {
        const { error, details } = readError(reply.error)
        rpc.end(`no schema of ${this.schema.name}: ${details ?? error}`)
        return
      }
      const server = new ServerSchema(this.schema, this.requests, reply.result)
      const log = (this.options.log ?? silent).child('ovsdb_idl')
      if (!server.equals(this.server)) {
        for (const text of server.complaints) log.warn(text, { code: 'old-schema', remote: this.remote })
        this.lastTransaction = ZERO_UUID
      }
      this.server = server
      const [unmet] = server.unmet
      if (unmet === undefined) this.monitor(rpc)
      else {
        this.options.onUnsuitable?.(`${this.remote}: ${unmet}`)
        rpc.end(`${unmet}, which is needed here`)
      }
    })
  }

  has(table: string, column?: string): boolean {
    const known = this.schema.tables.get(table)
    if (!known || (column !== undefined && !known.columns.has(column))) return false
    return this.server?.has(table, column) ?? true
  }

  typeOf(table: string, column: string): ColumnType | undefined {
    return this.server?.typeOf(table, column)
  }

  override forgetIndex(): void {
    this.minIndex = 0
  }

  private monitorRequests(method: Method): Json {
    const out: Record<string, Json> = {}
    for (const [name, request] of this.requests) {
      const table = this.schema.tables.get(name)
      if (!table || !this.has(name)) continue
      const columns = [...(request.columns ?? table.columns.keys())].filter((c) => this.has(name, c))
      if (method === 'monitor') out[name] = { columns }
      else out[name] = [{ columns, where: this.clauses(table, request.where ?? true) }]
    }
    return out
  }

  /** `<condition>`: all rows where one of the columns is none that the server could compare. */
  private clauses(table: TableSchema, where: TableCondition): Json[] {
    if (typeof where === 'boolean') return [where]
    const known = where.every((c) => typeof c === 'boolean' || c[0] === '_uuid' || this.has(table.name, c[0]))
    return known ? where.map((c) => conditionJson(table, c)) : [true]
  }

  private monitor(rpc: RpcClient): void {
    const { method } = this
    this.asked = true
    const since = this.staleConditions ? ZERO_UUID : this.lastTransaction
    const params: Json[] = [this.schema.name, MONITOR, this.monitorRequests(method)]
    if (method === 'monitor_cond_since') params.push(since)
    rpc.request(method, params, (reply) => {
      if (this.rpc !== rpc) return
      if (reply.error !== null) this.monitorRefused(rpc, reply)
      else if (this.guarded(rpc, (set) => this.monitorAnswered(method, reply.result, set))) this.setState('synced')
    })
  }

  private monitorRefused(rpc: RpcClient, reply: RpcReply): void {
    const error = readError(reply.error)
    const fallback = FALLBACK[this.method]
    if (error.error === 'unknown method' && fallback) {
      this.method = fallback
      this.monitor(rpc)
    } else {
      this.lastTransaction = ZERO_UUID
      rpc.end(`cannot monitor ${this.schema.name}: ${error.details ?? error.error}`)
    }
  }

  private monitorAnswered(method: Method, result: Json, set: ChangeSet): void {
    if (method === 'monitor_cond_since') {
      if (!isArray(result)) throw new Failure({ error: 'protocol error', details: 'monitor_cond_since without array' })
      const [found, last, updates = null] = result
      if (found === true) applyUpdates2(this.tables, this.readers, updates, set)
      else this.resync(set, updates, applyUpdates2)
      this.lastTransaction = transactionId(last)
    } else {
      this.resync(set, result, method === 'monitor' ? applyUpdates : applyUpdates2)
      // what is told from now on has no number to resume from
      this.lastTransaction = ZERO_UUID
    }
    this.monitored = true
    this.staleConditions = false
  }

  /** Takes a whole copy: what it has not goes, what is as it was has not changed. */
  private resync(set: ChangeSet, updates: Json, apply: typeof applyUpdates2): void {
    const before = new Map([...this.tables].map(([name, table]) => [name, new Map<string, Row>(table.entries())]))
    const scratch = new ChangeSet()
    const present = isObject(updates) ? updates : {}
    for (const [name, rows] of before) {
      const told = present[name]
      for (const uuid of rows.keys()) {
        if (!isObject(told) || !Object.hasOwn(told, uuid))
          set.add(name, uuid, this.tables.get(name)?.apply(uuid, undefined))
      }
    }
    try {
      apply(this.tables, this.readers, updates, scratch)
    } finally {
      this.takeChanged(scratch, set)
    }
  }

  /** Puts what came or changed into `set`; a row that is as it was stays the object that it was. */
  private takeChanged(copied: ChangeSet, set: ChangeSet): void {
    for (const [name, rows] of Object.entries(copied.tables)) {
      for (const [uuid, change] of rows) {
        if (change.old && change.new && sameRow(change.old, change.new)) this.tables.get(name)?.apply(uuid, change.old)
        else set.add(name, uuid, change)
      }
    }
  }

  private notified(method: string, params: readonly Json[]): void {
    const rpc = this.rpc
    if (!rpc) return
    const [id, second, third] = params
    if (method === 'locked' || method === 'stolen') {
      if (typeof id === 'string') this.locks.get(id)?.told(method === 'locked')
    } else if (id === SERVER_MONITOR) {
      if (second !== undefined) this.judgeServer(rpc, second)
    } else if (id === MONITOR) {
      this.guarded(rpc, (set) => {
        if (method === 'update3') {
          applyUpdates2(this.tables, this.readers, third ?? null, set)
          this.lastTransaction = transactionId(second)
        } else if (method === 'update2') applyUpdates2(this.tables, this.readers, second ?? null, set)
        else if (method === 'update') applyUpdates(this.tables, this.readers, second ?? null, set)
        else if (method === 'monitor_canceled') rpc.end('monitor canceled by server')
      })
    }
  }

  /** Once a column: a server of another release has its values in every row. */
  private badValue(table: string, column: string, why: string): void {
    if (this.bad.has(`${table} ${column}`)) return
    this.bad.add(`${table} ${column}`)
    const text = `${table} table in ${this.schema.name} database: ${column} is of another type: ${why}`
    this.log.warn(text, { code: 'bad-value', remote: this.remote })
  }

  /**
   * Tells what an update changed. One that makes no sense ends the session, not the program: the next session begins
   * with a whole copy, and is compared with the tables as they are by then. So what came before the fault is told as
   * well. False: the update made no sense.
   */
  private guarded(rpc: RpcClient, run: (set: ChangeSet) => void): boolean {
    const set = new ChangeSet()
    let fault: Failure | undefined
    try {
      run(set)
    } catch (e) {
      if (!(e instanceof Failure)) throw e
      fault = e
      this.lastTransaction = ZERO_UUID
    }
    this.announce(set)
    if (fault) rpc.end(`invalid update: ${fault.message}`)
    return fault === undefined
  }

  transact(operations: readonly Operation[], done: (outcome: TransactOutcome) => void): void {
    const rpc = this.rpc
    if (!rpc || this.state !== 'synced') {
      this.clock.after(0, () => done({ ok: false, error: { kind: 'disconnected' } }))
      return
    }
    const json = operations.map((op) => operationJson(this.schema, op))
    rpc.request(
      'transact',
      [this.schema.name, ...json],
      (reply) => this.tell(done, this.outcome(rpc, operations, reply)),
      () => this.clock.after(0, () => done({ ok: false, error: { kind: 'unknown' } })),
    )
  }

  private outcome(rpc: RpcClient, operations: readonly Operation[], reply: RpcReply): TransactOutcome {
    if (reply.error !== null) {
      const error = readError(reply.error)
      return { ok: false, error: { kind: 'refused', error, index: undefined, operation: undefined } }
    }
    const answered = readResults(this.schema, operations, reply.result)
    if (answered.kind === 'done') return { ok: true, results: answered.results }
    if (answered.kind === 'failed') return { ok: false, error: transactError(operations, answered) }
    rpc.end(`invalid answer: ${answered.why}`)
    return { ok: false, error: { kind: 'unknown' } }
  }

  lock(name: string): RemoteLock {
    const known = this.locks.get(name)
    if (known) return known
    checkLockName(name)
    const lock = new RemoteLock(name, this.clock, () => this.locks.delete(name))
    this.locks.set(name, lock)
    if (this.rpc) lock.connected(this.rpc)
    return lock
  }

  setCondition(name: TableName<T>, condition: TableCondition): void {
    const request = this.requests.get(name)
    const table = this.schema.tables.get(name)
    if (!request || !table) throw new Error(`table ${name} was not asked for`)
    this.requests.set(name, { ...request, where: condition })
    const rpc = this.rpc
    if (!rpc || !this.asked) {
      // goes with the request to monitor, which can not resume then
      this.staleConditions = true
      return
    }
    // a server that knows no conditions tells all rows, and of a table it lacks there are none
    if (this.method === 'monitor' || !this.has(name)) return
    const where = this.clauses(table, condition)
    this.pendingConditions++
    rpc.request('monitor_cond_change', [MONITOR, MONITOR, { [name]: [{ where }] }], (reply) => {
      if (reply.error === null) this.pendingConditions--
      else rpc.end(`conditions refused: ${readError(reply.error).details ?? ''}`)
    })
  }

  get conditionsPending(): boolean {
    return this.pendingConditions > 0 || this.staleConditions || this.state !== 'synced'
  }

  override close(): void {
    super.close()
    this.reconnection.close()
    this.probe?.stop()
    this.rpc?.end('closed')
  }
}

/** What a server says its last transaction was; none where it is no uuid: there is nothing to resume from then. */
const transactionId = (json: Json | undefined): string =>
  (typeof json === 'string' ? parseUuid(json) : undefined) ?? ZERO_UUID

const MONITOR = 'monitor'
const SERVER_MONITOR = 'server'
