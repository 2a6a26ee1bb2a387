import type { Timer } from '../../base/clock.ts'
import type { ByteStream } from '../../base/stream.ts'
import { isObject, type Json, type JsonObject, printJson, printString } from '../../jsonrpc/json.ts'
import { readMessage } from '../../jsonrpc/message.ts'
import { MessageLog } from '../../jsonrpc/message-log.ts'
import { JsonError } from '../../jsonrpc/parser.ts'
import { MessageReader } from '../../jsonrpc/reader.ts'
import type { MonitorVersion } from '../monitor/index.ts'
import { Failure, isBoolean, isId, syntaxError } from '../schema/error.ts'
import { fail, printSchema, readSchema } from '../schema/index.ts'
import { CANCELED, type Database, type Delta, type Requester } from '../transaction/index.ts'
import { resultPieces, WireOperations, writeError } from '../wire/index.ts'
import { PendingTransactions, Remembered } from './allowance.ts'
import type { LockHolder } from './locks.ts'
import { Output } from './output.ts'
import type { Forwarder, ForwardReply, Server } from './server.ts'
import { SessionMonitors } from './session-monitors.ts'
import type { UpdateMessages } from './update-messages.ts'

/** What a remote lets its clients do, and how they are watched. */
export interface SessionOptions {
  /** Milliseconds without a word before the client is asked whether it is there; 0: never. */
  readonly probe: number
  readonly readOnly: boolean
  /** Role-based access control; empty for none. */
  readonly role: string
}

/** A client that takes nothing for so long, in milliseconds, while there is something for it, is dropped. */
const STALLED = 120_000
const TOO_LONG = 'a message for it would be longer than any string can be'

interface Message {
  readonly json: Json
  readonly bytes: number
}

/** One client: JSON-RPC 1.0 over a stream (RFC 7047 §4). */
export class Session implements LockHolder {
  private readonly messages: MessageLog
  private readonly output: Output
  private readonly reader: MessageReader
  private readonly monitors: SessionMonitors
  private readonly pending = new PendingTransactions()
  private readonly remembered = new Remembered()
  private readonly requester: Requester
  private heard: number
  private probed = false
  private timer: Timer | undefined
  private backlog = 0
  private progress: number
  /** Nothing more is read. */
  private paused = false
  /** Since when nothing is read because too many transactions of the client wait. */
  private crowdedSince: number | undefined
  /** Messages that came before they could be held back. */
  private held: Message[] = []
  private ended = false
  /** ovsdb-server(7), 4.1.18. */
  changeAware = false
  onEnd: ((reason: string) => void) | undefined

  constructor(
    private readonly server: Server,
    private readonly stream: ByteStream,
    private options: SessionOptions,
  ) {
    const { clock } = server
    this.heard = clock.monotonic()
    this.progress = this.heard
    this.messages = new MessageLog(server.log, stream.peer)
    this.output = new Output(stream, clock, this.messages)
    this.output.onIdle = () => this.idle()
    this.output.onTaken = () => {
      this.progress = clock.monotonic()
    }
    this.monitors = new SessionMonitors(this.output, clock, server.dumps, this.remembered)
    this.output.onTooLong = () => this.drop(TOO_LONG)
    this.reader = new MessageReader((json, bytes) => this.message({ json, bytes }), server.limits)
    const session = this
    this.requester = {
      owns: (lock) => server.locks.owner(lock) === session,
      get role() {
        return session.options.role
      },
      get id() {
        return stream.certificateName
      },
      get readOnly() {
        return session.options.readOnly
      },
    }
    stream.onData = (bytes) => this.receive(bytes)
    stream.onClose = (error) => this.end(error ? error.message : 'connection closed by peer')
    this.watch()
  }

  get name(): string {
    return this.stream.peer
  }

  get monitorCount(): number {
    return this.monitors.size
  }

  get queuedBytes(): number {
    return this.output.backlog
  }

  setOptions(options: SessionOptions): void {
    const same = options.probe === this.options.probe
    this.options = options
    // Told again with each change of the database, the watch under way would never come to its end.
    if (!same) this.watch()
  }

  // ----- the connection

  private receive(bytes: Uint8Array): void {
    this.heard = this.server.clock.monotonic()
    this.probed = false
    if (this.ended) return
    try {
      this.reader.push(bytes)
    } catch (e) {
      if (!(e instanceof JsonError)) throw e
      // What comes behind the message for which it was dropped is nobody's.
      if (this.ended) return
      this.server.log
        .child('jsonrpc')
        .warn(`${this.name}: error parsing stream: ${e.message}`, { code: 'bad-json', peer: this.name })
      this.drop('Protocol error')
    }
  }

  /** Ends the connection from this side. */
  drop(reason: string): void {
    if (this.ended) return
    this.server.log
      .child('reconnect')
      .warn(`${this.name}: connection dropped (${reason})`, { code: 'connection-dropped', peer: this.name })
    this.close(new Error(reason))
  }

  /** Ends the connection, quietly. With an error what is queued is not sent. */
  close(error?: Error): void {
    if (this.ended) return
    this.stream.close(error)
    this.end(error?.message ?? 'closed')
  }

  private end(reason: string): void {
    if (this.ended) return
    this.ended = true
    this.timer?.cancel()
    this.pending.clear()
    this.crowdedSince = undefined
    this.monitors.clear()
    this.held = []
    this.reader.close()
    this.output.close()
    this.server.locks.release(this)
    this.onEnd?.(reason)
  }

  private watch(): void {
    this.timer?.cancel()
    if (this.ended) return
    const { probe } = this.options
    this.timer = this.server.clock.after(Math.max(1000, probe ? Math.min(probe, 30_000) : 30_000), () => this.check())
  }

  private check(): void {
    const now = this.server.clock.monotonic()
    const { probe } = this.options
    const backlog = this.output.backlog
    if (backlog === 0 || backlog < this.backlog) this.progress = now
    this.backlog = backlog
    if (now - this.progress > STALLED) {
      this.drop('client reads nothing of what is queued for it')
      return
    }
    if (this.crowdedSince !== undefined && now - this.crowdedSince > STALLED) {
      this.drop(`${this.pending.size} transactions of it wait, and it sends more`)
      return
    }
    const silence = now - this.heard
    // While we do not read it, a client can not be heard.
    if (probe && !this.paused) {
      if (this.probed && silence >= 2 * probe) {
        this.server.log
          .child('reconnect')
          .err(`${this.name}: no response to inactivity probe after ${seconds(silence)} seconds, disconnecting`, {
            code: 'no-probe-response',
            peer: this.name,
          })
        this.close(new Error('no response to inactivity probe'))
        return
      }
      if (!this.probed && silence >= probe) {
        this.probed = true
        this.output.text('{"id":"echo","method":"echo","params":[]}')
      }
    }
    this.watch()
  }

  // ----- messages

  private message(message: Message): void {
    if (this.ended) return
    if (this.paused) {
      this.held.push(message)
      return
    }
    if (this.pending.crowded && isTransact(message.json)) {
      this.crowdedSince = this.server.clock.monotonic()
      this.held.push(message)
      this.pause()
      return
    }
    this.guard(() => this.answer(message))
    if (this.output.full && !this.ended) this.pause()
  }

  private pause(): void {
    this.paused = true
    this.stream.pause()
  }

  /** Reads on, when there is room again. */
  private readOn(): void {
    if (this.ended || !this.paused || this.output.full) return
    if (this.crowdedSince !== undefined && this.pending.crowded) return
    this.paused = false
    this.crowdedSince = undefined
    this.heard = this.server.clock.monotonic()
    const { held } = this
    this.held = []
    for (const message of held) this.message(message)
    if (!this.paused) this.stream.resume()
  }

  /** A transaction that waited is answered, or goes on another way. */
  private waited(key: string): void {
    this.pending.delete(key)
    // Not from within the transaction's end.
    if (this.crowdedSince !== undefined && !this.pending.crowded) this.server.clock.after(0, () => this.readOn())
  }

  /** What has no room in a string ends the connection of whoever would get it, and nothing else. */
  private guard(run: () => void): void {
    try {
      run()
    } catch (e) {
      if (!(e instanceof RangeError)) throw e
      this.drop(TOO_LONG)
    }
  }

  private answer({ json, bytes }: Message): void {
    const read = readMessage(json)
    if (!read.ok) {
      this.server.log
        .child('jsonrpc')
        .warn(`${this.name}: received bad JSON-RPC message: ${read.error}`, { code: 'bad-message', peer: this.name })
      this.drop('Protocol error')
      return
    }
    if (this.messages.enabled) this.messages.received(json)
    const message = read.value
    if (message.kind === 'request') this.request(message.method, message.params, message.id, bytes)
    else if (message.kind === 'notification') this.notification(message.method, message.params)
    else if (message.kind === 'error' || message.id !== 'echo') {
      this.server.log.child('ovsdb_jsonrpc_server').warn(`${this.name}: received unexpected ${message.kind} message`, {
        code: 'unexpected-reply',
        peer: this.name,
      })
      this.close(new Error(`unexpected ${message.kind} message`))
    }
  }

  private notification(method: string, params: readonly Json[]): void {
    if (method !== 'cancel' || params.length !== 1) return
    const key = printJson(params[0] as Json, true)
    const pending = this.pending.get(key)
    if (!pending?.withdraw()) return
    this.waited(key)
    this.replyError(pending.id, '"canceled"')
  }

  private request(method: string, params: readonly Json[], id: Json, bytes: number): void {
    try {
      this.serve(method, params, id, bytes)
    } catch (e) {
      if (!(e instanceof Failure)) throw e
      this.replyError(id, writeError(e.error))
    }
  }

  private reply(id: Json, result: string): void {
    if (!this.ended) this.output.text(`{"id":${printJson(id)},"result":${result},"error":null}`)
  }

  private replyPieces(id: Json, pieces: Iterable<string>): void {
    if (!this.ended) this.output.pieces(`{"id":${printJson(id)},"result":`, pieces, ',"error":null}')
  }

  private replyError(id: Json, error: string): void {
    if (!this.ended) this.output.text(`{"id":${printJson(id)},"error":${error}}`)
  }

  notify(method: string, lock: string): void {
    this.output.text(`{"id":null,"method":"${method}","params":[${printString(lock)}]}`)
  }

  private serve(method: string, params: readonly Json[], id: Json, bytes: number): void {
    switch (method) {
      case 'transact':
        this.transact(params, id, bytes)
        return
      case 'monitor':
        this.monitor(method, params, id, 1)
        return
      case 'monitor_cond':
        this.monitor(method, params, id, 2)
        return
      case 'monitor_cond_since':
        this.monitor(method, params, id, 3)
        return
      case 'monitor_cond_change':
        this.monitors.change(params, bytes)
        this.reply(id, '{}')
        return
      case 'monitor_cancel':
        this.cancelMonitor(params, id)
        return
      case 'get_schema':
        this.reply(id, printJson(printSchema(this.database(method, params).schema)))
        return
      case 'list_dbs':
        this.reply(id, printJson([...this.server.databases.keys()].sort()))
        return
      case 'lock':
      case 'steal':
        this.lock(method, params, id)
        return
      case 'unlock':
        this.unlock(params, id)
        return
      case 'echo':
        this.reply(id, printJson(params))
        return
      case 'get_server_id':
        this.reply(id, printString(this.server.id))
        return
      case 'set_db_change_aware':
        if (params.length !== 1 || !isBoolean(params[0])) {
          syntaxError(params, 'set_db_change_aware: true or false parameter expected')
        }
        this.changeAware = params[0]
        this.reply(id, '{}')
        return
      case 'convert':
        this.convert(params, id)
        return
      default:
        this.replyError(id, '"unknown method"')
        return
    }
  }

  private database(method: string, params: readonly Json[]): Database {
    const [name] = params
    if (!isId(name)) syntaxError(params, `${method} request params must begin with <db-name>`)
    const database = this.server.database(name)
    if (!database) {
      throw new Failure({
        error: 'unknown database',
        details: `${method} request specifies unknown database ${name}`,
        syntax: printJson(params, true),
      })
    }
    if (this.server.hosted.get(name)?.awaited) {
      throw new Failure({
        error: 'database not available',
        details: `${method} request specifies database ${name} which is not yet available because it has not completed joining its cluster`,
      })
    }
    return database
  }

  private transact(params: readonly Json[], id: Json, bytes: number): void {
    const database = this.database('transact', params)
    const key = printJson(id, true)
    if (this.pending.get(key)) fail('syntax error', 'duplicate request ID')
    const relay = this.server.forwarder(database.name)
    const operations = params.slice(1)
    if (relay && !this.options.readOnly && changesAnything(operations)) {
      this.forward(relay, database, params, id, bytes)
      return
    }
    let answered = false
    const withdraw = database.submit(
      new WireOperations(database.schema, operations, this.server.random),
      this.requester,
      (result) => {
        answered = true
        this.waited(key)
        this.guard(() => {
          // The changes come first (ovsdb-server(7), 4.1.5).
          if (result.delta) this.monitors.flush()
          if (result.error === CANCELED) this.replyError(id, '"canceled"')
          else this.replyPieces(id, resultPieces(database.schema, operations, result.results, result.error))
        })
      },
    )
    if (!answered) this.pending.add(key, { id, bytes, withdraw })
  }

  /** Has the source of a relay run a transaction, if it is one that the client's role allows. */
  private forward(relay: Forwarder, database: Database, params: readonly Json[], id: Json, bytes: number): void {
    const key = printJson(id, true)
    let answered = false
    const answer = (reply: ForwardReply) => {
      answered = true
      this.waited(key)
      // The changes came first, and go first (ovsdb-server(7), 4.1.5).
      this.monitors.flush()
      if ('error' in reply) this.replyError(id, reply.error)
      else this.reply(id, reply.result)
    }
    const send = () => {
      const withdraw = relay(params, answer)
      if (!answered) this.pending.add(key, { id, bytes, withdraw })
    }
    if (!this.options.role) {
      send()
      return
    }
    // The source knows this server, not its clients: what a role forbids is found out here, by a rehearsal.
    const rehearsal = [...params.slice(1), { op: 'abort' }]
    const withdraw = database.submit(
      new WireOperations(database.schema, rehearsal, this.server.random),
      this.requester,
      ({ results, error }) => {
        this.waited(key)
        this.guard(() => {
          if (error === CANCELED) this.replyError(id, '"canceled"')
          else if (error?.error === 'aborted') send()
          else this.replyPieces(id, resultPieces(database.schema, rehearsal.slice(0, -1), results, error))
        })
        answered = true
      },
    )
    if (!answered) this.pending.add(key, { id, bytes, withdraw })
  }

  // ----- monitors

  private monitor(method: string, params: readonly Json[], id: Json, version: MonitorVersion): void {
    this.monitors.begin(this.database(method, params), params, id, version)
  }

  private cancelMonitor(params: readonly Json[], id: Json): void {
    const [name] = params
    if (params.length !== 1 || name === undefined) this.replyError(id, '"invalid parameters"')
    else if (!this.monitors.cancel(name)) this.replyError(id, '"unknown monitor"')
    else this.reply(id, '{}')
  }

  /** Tells of a commit, or notes it while the client is slow. */
  committed(database: Database, delta: Delta, messages: UpdateMessages): void {
    if (this.monitors.size) this.guard(() => this.monitors.committed(database, delta, messages))
  }

  private idle(): void {
    this.progress = this.server.clock.monotonic()
    this.monitors.flush()
    // Not from within the commit that it is told of.
    if (this.paused) this.server.clock.after(0, () => this.readOn())
  }

  /** A database goes, or is replaced by one with another schema. */
  databaseGone(database: Database, why: string): void {
    if (!this.changeAware) {
      this.server.log.child('reconnect').info(`${this.name}: ${why}, disconnecting`)
      this.close(new Error(why))
      return
    }
    this.monitors.cancelAll(database)
  }

  // ----- locks and the rest

  private lockName(method: string, params: readonly Json[]): string {
    const [name] = params
    if (params.length !== 1 || !isId(name)) syntaxError(params, `${method} request params must be <id>`)
    return name
  }

  private lock(method: 'lock' | 'steal', params: readonly Json[], id: Json): void {
    const name = this.lockName(method, params)
    const { locks } = this.server
    if (locks.wants(name, this)) syntaxError(params, `must issue "unlock" before new "${method}"`)
    this.remembered.allow(locks.count(this), name.length)
    this.remembered.add(name.length)
    if (method === 'steal') locks.steal(name, this)
    const locked = method === 'steal' || locks.lock(name, this)
    this.reply(id, `{"locked":${locked}}`)
  }

  private unlock(params: readonly Json[], id: Json): void {
    const name = this.lockName('unlock', params)
    const { locks } = this.server
    if (!locks.wants(name, this)) syntaxError(params, 'unlock: "unlock" without "lock" or "steal"')
    locks.unlock(name, this)
    this.remembered.remove(name.length)
    this.reply(id, '{}')
  }

  private convert(params: readonly Json[], id: Json): void {
    const database = this.database('convert', params)
    if (params.length !== 2) syntaxError(params, 'invalid parameters')
    const schema = readSchema(params[1] as JsonObject)
    this.server.convert(database.name, schema, (error) => {
      if (error) this.replyError(id, writeError(error))
      else this.reply(id, '{}')
    })
  }
}

/** The operations that only the source of a relay can run; a relay answers all others by itself. */
const CHANGING: ReadonlySet<Json | undefined> = new Set(['insert', 'update', 'mutate', 'delete', 'commit'])

function changesAnything(operations: readonly Json[]): boolean {
  return operations.some((o) => isObject(o) && CHANGING.has(o['op']))
}

function isTransact(json: Json): boolean {
  return isObject(json) && json['method'] === 'transact'
}

function seconds(ms: number): string {
  return String(Number((ms / 1000).toPrecision(3)))
}
