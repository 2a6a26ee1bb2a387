import type { Timer } from '../../base/clock.ts'
import type { ByteStream } from '../../base/stream.ts'
import { isArray, isObject, type Json, type JsonObject, printJson } from '../../jsonrpc/json.ts'
import { MessageReader } from '../../jsonrpc/reader.ts'
import {
  type ColumnSchema,
  columnType,
  type DatabaseSchema,
  type Datum,
  Failure,
  type Row,
  readSchema,
  UNLIMITED,
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

interface Pending {
  done(reply: ForwardReply, json: Json | undefined): void
}

/** What a transaction's caller is told when the source went before it answered. */
const LOST: ForwardReply = { error: '{"error":"canceled","details":"connection to the source was lost"}' }

/** Keeps a database like that of another server: the work of a relay and of a backup (ovsdb(7)). */
export class Follower {
  private stream: ByteStream | undefined
  private next = 1
  private readonly pending = new Map<number, Pending>()
  private backoff = 1000
  private timer: Timer | undefined
  private watch: Timer | undefined
  private giveUp: (() => void) | undefined
  private at = 0
  private stopped = false
  private heard = 0
  private schemaText = ''
  private target: Database | undefined
  private lastId = '00000000-0000-0000-0000-000000000000'
  state: FollowerState = 'connecting'

  constructor(
    private readonly server: Server,
    private readonly transport: Transport,
    private readonly options: FollowerOptions,
  ) {}

  start(): void {
    this.connect()
  }

  stop(): void {
    this.stopped = true
    this.timer?.cancel()
    this.giveUp?.()
    this.drop('stopped')
  }

  /** Sends a client's transaction to the source. */
  forward(params: readonly Json[], done: (reply: ForwardReply) => void): void {
    if (!this.stream || this.state !== 'replicating') done(LOST)
    else this.call('transact', params, (reply) => done(reply))
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

  private again(): void {
    this.at++
    this.timer = this.server.clock.after(this.backoff, () => this.connect())
    this.backoff = Math.min(this.backoff * 2, this.options.maxBackoff ?? 8000)
  }

  private adopt(stream: ByteStream): void {
    this.stream = stream
    this.heard = this.server.clock.monotonic()
    const reader = new MessageReader((json) => this.message(json), this.server.limits)
    stream.onData = (bytes) => {
      this.heard = this.server.clock.monotonic()
      try {
        reader.push(bytes)
      } catch (e) {
        this.drop(e instanceof Error ? e.message : String(e))
      }
    }
    stream.onClose = (error) => this.drop(error?.message ?? 'connection closed by peer')
    this.ask()
    this.call('get_schema', [this.options.database], (reply, json) => {
      if (json === undefined) this.fail(`${this.options.database}: ${'error' in reply ? reply.error : 'no schema'}`)
      else this.gotSchema(json)
    })
  }

  private ask(): void {
    const { probe } = this.options
    this.watch?.cancel()
    if (!probe) return
    this.watch = this.server.clock.after(probe, () => {
      const silence = this.server.clock.monotonic() - this.heard
      if (silence >= 2 * probe) {
        this.drop('no response to inactivity probe')
        return
      }
      if (silence >= probe) this.send('{"id":"echo","method":"echo","params":[]}')
      this.ask()
    })
  }

  private drop(reason: string): void {
    const { stream } = this
    if (!stream) return
    this.stream = undefined
    this.watch?.cancel()
    stream.onClose = undefined
    stream.onData = undefined
    stream.close(new Error(reason))
    const pending = [...this.pending.values()]
    this.pending.clear()
    for (const { done } of pending) done(LOST, undefined)
    this.setState('connecting')
    if (this.stopped) return
    this.server.log.child('reconnect').info(`${this.remote}: connection dropped (${reason})`)
    this.again()
  }

  private fail(what: string): void {
    this.server.log.child('replication').err(what, { code: 'replication-failed', remote: this.remote })
    this.setState('error')
    this.drop(what)
  }

  private send(text: string): void {
    this.stream?.write(Buffer.from(text))
  }

  private call(method: string, params: readonly Json[], done: Pending['done']): void {
    const id = this.next++
    this.pending.set(id, { done })
    this.send(`{"id":${id},"method":"${method}","params":${printJson(params)}}`)
  }

  private message(json: Json): void {
    if (!isObject(json)) return
    const { id, method, params, result, error } = json
    if (typeof method === 'string') {
      if (method === 'echo')
        this.send(`{"id":${printJson(id ?? null)},"result":${printJson(params ?? [])},"error":null}`)
      else if (isArray(params)) this.notification(method, params)
      return
    }
    if (typeof id !== 'number') return
    const pending = this.pending.get(id)
    this.pending.delete(id)
    if (!pending) return
    if (error !== undefined && error !== null) pending.done({ error: printJson(error) }, undefined)
    else pending.done({ result: printJson(result ?? null) }, result)
  }

  private gotSchema(json: Json): void {
    let schema: DatabaseSchema
    try {
      schema = readSchema(json)
    } catch (e) {
      if (!(e instanceof Failure)) throw e
      this.fail(`${this.options.database}: bad schema: ${e.message}`)
      return
    }
    const text = printJson(json, true)
    if (!this.target || text !== this.schemaText) {
      const target = this.options.target(schema)
      if (typeof target === 'string') {
        this.fail(target)
        return
      }
      this.target = target
      this.schemaText = text
      this.lastId = '00000000-0000-0000-0000-000000000000'
    }
    this.monitor(this.target)
  }

  private monitor(target: Database): void {
    const requests: Record<string, Json> = {}
    for (const [name, table] of target.tables) {
      if (!this.options.exclude.has(name)) requests[name] = [{ columns: [...table.schema.columns.keys()] }]
    }
    const { database } = this.options
    this.call('monitor_cond_since', [database, database, requests, this.lastId], (_, result) => {
      if (!isArray(result) || result.length !== 3 || !isObject(result[2])) {
        if (result !== undefined) this.fail(`${database}: unexpected reply to monitor request`)
        return
      }
      const found = result[0] === true
      if (this.apply(target, result[2], typeof result[1] === 'string' ? result[1] : undefined, !found)) {
        this.backoff = 1000
        this.setState('replicating')
      }
    })
  }

  private notification(method: string, params: readonly Json[]): void {
    const { target } = this
    if (!target) return
    if (method === 'update3' && typeof params[1] === 'string' && isObject(params[2])) {
      this.apply(target, params[2], params[1], false)
    } else if (method === 'monitor_canceled') this.drop('database changed at the source')
  }

  /** Takes over an update; with `everything` it is all there is: other rows go. */
  private apply(target: Database, updates: JsonObject, id: string | undefined, everything: boolean): boolean {
    const rows = new Map<string, Map<string, Row | undefined>>()
    try {
      for (const [name, table] of target.tables) {
        const update = updates[name]
        if (this.options.exclude.has(name)) continue
        const changes = new Map<string, Row | undefined>()
        if (everything) for (const uuid of table.rows.keys()) changes.set(uuid, undefined)
        for (const [uuid, change] of Object.entries(isObject(update) ? update : {})) {
          if (!isObject(change)) continue
          changes.set(uuid, updatedRow(target, name, uuid, change))
        }
        if (changes.size) rows.set(name, changes)
      }
    } catch (e) {
      if (!(e instanceof Failure)) throw e
      this.fail(`${this.options.database}: bad update: ${e.message}`)
      return false
    }
    target.adopt(rows, id)
    if (id !== undefined) this.lastId = id
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
