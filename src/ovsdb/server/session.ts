import type { Timer } from '../../base/clock.ts'
import type { ByteStream } from '../../base/stream.ts'
import { isObject, type Json, type JsonObject, printJson, printString } from '../../jsonrpc/json.ts'
import { readMessage } from '../../jsonrpc/message.ts'
import { MessageLog } from '../../jsonrpc/message-log.ts'
import { JsonError } from '../../jsonrpc/parser.ts'
import { MessageReader } from '../../jsonrpc/reader.ts'
import { Monitor, type MonitorVersion, readConditionChange, readRequests } from '../monitor/index.ts'
import { Failure, isBoolean, isId, syntaxError } from '../schema/error.ts'
import { fail, parseUuid, printSchema, readSchema } from '../schema/index.ts'
import { CANCELED, type Database, type Delta, type Requester, type Steps } from '../transaction/index.ts'
import { resultPieces, WireOperations, writeError } from '../wire/index.ts'
import { SharedText } from './dumps.ts'
import type { LockHolder } from './locks.ts'
import { Output, producer } from './output.ts'
import type { Forwarder, ForwardReply, Server } from './server.ts'
import { enclosed, sharedMessage, type UpdateMessages, updateHead } from './update-messages.ts'

/** What a remote lets its clients do, and how they are watched. */
export interface SessionOptions {
  /** Milliseconds without a word before the client is asked whether it is there; 0: never. */
  readonly probe: number
  readonly readOnly: boolean
  /** Role-based access control; empty for none. */
  readonly role: string
}

/** Above this many bytes of replies not taken, no more requests are read. */
const BACKLOG = 1 << 22
/** A client that takes nothing for so long, in milliseconds, while there is something for it, is dropped. */
const STALLED = 120_000
/** How long what a client has missed may be tidied at a time before others are served, in milliseconds. */
const SLICE = 5
const TOO_LONG = 'a message for it would be longer than any string can be'

/** One client: JSON-RPC 1.0 over a stream (RFC 7047 §4). */
export class Session implements LockHolder {
  private readonly messages: MessageLog
  private readonly output: Output
  private readonly reader: MessageReader
  private readonly monitors = new Map<string, Monitor>()
  private readonly pending = new Map<string, { id: Json; database: Database; withdraw: () => boolean }>()
  private readonly requester: Requester
  private heard: number
  private probed = false
  private timer: Timer | undefined
  private backlog = 0
  private progress: number
  private paused = false
  /** Messages that came before they could be held back. */
  private held: Json[] = []
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
    this.output.onTooLong = () => this.drop(TOO_LONG)
    this.reader = new MessageReader((json) => this.message(json), server.limits)
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
    for (const { withdraw } of this.pending.values()) withdraw()
    this.pending.clear()
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

  private message(json: Json): void {
    if (this.ended) return
    if (this.paused) {
      this.held.push(json)
      return
    }
    this.guard(() => this.answer(json))
    if (this.output.backlog > BACKLOG && !this.ended) {
      this.paused = true
      this.stream.pause()
    }
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

  private answer(json: Json): void {
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
    if (message.kind === 'request') this.request(message.method, message.params, message.id)
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
    this.pending.delete(key)
    this.replyError(pending.id, '"canceled"')
  }

  private request(method: string, params: readonly Json[], id: Json): void {
    try {
      this.serve(method, params, id)
    } catch (e) {
      if (!(e instanceof Failure)) throw e
      this.replyError(id, writeError(e.error))
    }
  }

  private reply(id: Json, result: string): void {
    if (!this.ended) this.output.text(`{"id":${printJson(id)},"result":${result},"error":null}`)
  }

  private replyPieces(id: Json, pieces: Iterable<string>): void {
    if (!this.ended) this.sendPieces(`{"id":${printJson(id)},"result":`, pieces, ',"error":null}')
  }

  /**
   * One message out of pieces, which may be too long for one string and are made as they are read;
   * nothing when there is no piece, or all are empty. What they are made of must not change.
   */
  private sendPieces(head: string, pieces: Iterable<string>, tail: string): void {
    const rest = pieces[Symbol.iterator]()
    const first = rest.next()
    if (first.done) return
    const second = first.value ? rest.next() : undefined
    if (second?.done) this.output.text(`${head}${first.value}${tail}`)
    else this.output.produce(producer(enclosed(head, [first.value, second?.value ?? ''], rest, tail)))
  }

  private replyError(id: Json, error: string): void {
    if (!this.ended) this.output.text(`{"id":${printJson(id)},"error":${error}}`)
  }

  notify(method: string, lock: string): void {
    this.output.text(`{"id":null,"method":"${method}","params":[${printString(lock)}]}`)
  }

  private serve(method: string, params: readonly Json[], id: Json): void {
    switch (method) {
      case 'transact':
        this.transact(params, id)
        return
      case 'monitor':
        this.monitor(params, id, 1)
        return
      case 'monitor_cond':
        this.monitor(params, id, 2)
        return
      case 'monitor_cond_since':
        this.monitor(params, id, 3)
        return
      case 'monitor_cond_change':
        this.conditionChange(params, id)
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

  private transact(params: readonly Json[], id: Json): void {
    const database = this.database('transact', params)
    const key = printJson(id, true)
    if (this.pending.has(key)) fail('syntax error', 'duplicate request ID')
    const relay = this.server.forwarder(database.name)
    const operations = params.slice(1)
    if (relay && !this.options.readOnly && changesAnything(operations)) {
      this.forward(relay, database, params, id)
      return
    }
    let answered = false
    const withdraw = database.submit(
      new WireOperations(database.schema, operations, this.server.random),
      this.requester,
      (result) => {
        answered = true
        this.pending.delete(key)
        this.guard(() => {
          // The changes come first (ovsdb-server(7), 4.1.5).
          if (result.delta) this.flush()
          if (result.error === CANCELED) this.replyError(id, '"canceled"')
          else this.replyPieces(id, resultPieces(database.schema, operations, result.results, result.error))
        })
      },
    )
    if (!answered) this.pending.set(key, { id, database, withdraw })
  }

  /** Has the source of a relay run a transaction, if it is one that the client's role allows. */
  private forward(relay: Forwarder, database: Database, params: readonly Json[], id: Json): void {
    const key = printJson(id, true)
    let answered = false
    const answer = (reply: ForwardReply) => {
      answered = true
      this.pending.delete(key)
      // The changes came first, and go first (ovsdb-server(7), 4.1.5).
      this.flush()
      if ('error' in reply) this.replyError(id, reply.error)
      else this.reply(id, reply.result)
    }
    const send = () => {
      const withdraw = relay(params, answer)
      if (!answered) this.pending.set(key, { id, database, withdraw })
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
        this.pending.delete(key)
        this.guard(() => {
          if (error === CANCELED) this.replyError(id, '"canceled"')
          else if (error?.error === 'aborted') send()
          else this.replyPieces(id, resultPieces(database.schema, rehearsal.slice(0, -1), results, error))
        })
        answered = true
      },
    )
    if (!answered) this.pending.set(key, { id, database, withdraw })
  }

  // ----- monitors

  private monitor(params: readonly Json[], id: Json, version: MonitorVersion): void {
    const method = version === 1 ? 'monitor' : version === 2 ? 'monitor_cond' : 'monitor_cond_since'
    const database = this.database(method, params)
    const count = version === 3 ? 4 : 3
    if (params.length < count) syntaxError(params, 'invalid parameters')
    const name = params[1] as Json
    const key = printJson(name, true)
    if (this.monitors.has(key)) syntaxError(name, 'duplicate monitor ID')
    const requests = readRequests(database.schema, params[2], version)
    const last = version === 3 ? readTransactionId(params[3]) : undefined
    const monitor = new Monitor(database, requests, version)
    this.monitors.set(key, monitor)
    if (last !== undefined) {
      const since = monitor.since(last)
      if (since !== undefined) {
        const head = `{"id":${printJson(id)},"error":null,"result":[true,"${database.lastId}",`
        this.sendPieces(head, since, ']}')
        return
      }
    }
    const head = `{"id":${printJson(id)},"error":null,"result":`
    const dump = this.server.dumps.of(monitor)
    if (dump.whole !== undefined) {
      this.output.text(version === 3 ? `${head}[false,"${database.lastId}",${dump.whole}]}` : `${head}${dump.whole}}`)
      return
    }
    const [before, after] = version === 3 ? [`${head}[false,"${database.lastId}",`, ']}'] : [head, '}']
    this.output.produce(dump.pieces, before, after)
  }

  private conditionChange(params: readonly Json[], id: Json): void {
    if (params.length !== 3) syntaxError(params, 'invalid parameters')
    const [oldName, newName, requestsJson] = params as readonly [Json, Json, Json]
    const key = printJson(oldName, true)
    const monitor = this.monitors.get(key)
    if (!monitor) syntaxError(oldName, 'unknown monitor session')
    const nextKey = printJson(newName, true)
    if (nextKey !== key && this.monitors.has(nextKey)) syntaxError(newName, 'duplicate monitor ID')
    const requests = readConditionChange(monitor.requests, monitor.database.schema, requestsJson)
    this.sendPieces(updateHead(key, monitor), monitor.catchUp(), ']}')
    this.monitors.delete(key)
    this.monitors.set(nextKey, monitor)
    this.sendPieces(updateHead(nextKey, monitor), monitor.change(requests), ']}')
    this.reply(id, '{}')
  }

  private cancelMonitor(params: readonly Json[], id: Json): void {
    if (params.length !== 1) {
      this.replyError(id, '"invalid parameters"')
      return
    }
    if (!this.monitors.delete(printJson(params[0] as Json, true))) {
      this.replyError(id, '"unknown monitor"')
      return
    }
    this.reply(id, '{}')
    return
  }

  /** Tells of a commit, or notes it while the client is slow. */
  committed(database: Database, delta: Delta, messages: UpdateMessages): void {
    if (this.monitors.size) this.guard(() => this.tell(database, delta, messages))
  }

  private tell(database: Database, delta: Delta, messages: UpdateMessages): void {
    for (const [key, monitor] of this.monitors) {
      if (monitor.database !== database) continue
      if (this.output.busy || monitor.behind) {
        monitor.gather(delta)
        if (monitor.crowded) this.tidy(monitor.tidy())
      } else {
        const message = sharedMessage(key, monitor, delta, messages)
        if (message instanceof SharedText) this.output.produce(message.reader())
        else if (message) this.output.bytes(message)
      }
    }
  }

  /** Makes less of what a slow client has missed, in slices. */
  private tidy(steps: Steps<void>): void {
    const { clock } = this.server
    clock.after(0, () => {
      const until = clock.monotonic() + SLICE
      while (!this.ended && !steps.next().done) {
        if (clock.monotonic() < until) continue
        this.tidy(steps)
        return
      }
    })
  }

  /** Tells a slow client what it has missed. */
  private flush(): void {
    for (const [key, monitor] of this.monitors) {
      if (!monitor.behind) continue
      this.sendPieces(updateHead(key, monitor), monitor.catchUp(), ']}')
    }
  }

  private idle(): void {
    this.progress = this.server.clock.monotonic()
    this.flush()
    if (this.paused && this.output.backlog < BACKLOG) {
      this.paused = false
      this.heard = this.server.clock.monotonic()
      const held = this.held
      this.held = []
      for (const json of held) this.message(json)
      if (!this.paused) this.stream.resume()
    }
  }

  /** A database goes, or is replaced by one with another schema. */
  databaseGone(database: Database, why: string): void {
    if (!this.changeAware) {
      this.server.log.child('reconnect').info(`${this.name}: ${why}, disconnecting`)
      this.close(new Error(why))
      return
    }
    for (const [key, monitor] of [...this.monitors]) {
      if (monitor.database !== database) continue
      this.monitors.delete(key)
      this.output.text(`{"id":null,"method":"monitor_canceled","params":[${key}]}`)
    }
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
    if (method === 'steal') locks.steal(name, this)
    const locked = method === 'steal' || locks.lock(name, this)
    this.reply(id, `{"locked":${locked}}`)
  }

  private unlock(params: readonly Json[], id: Json): void {
    const name = this.lockName('unlock', params)
    const { locks } = this.server
    if (!locks.wants(name, this)) syntaxError(params, 'unlock: "unlock" without "lock" or "steal"')
    locks.unlock(name, this)
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

function readTransactionId(json: Json | undefined): string {
  if (typeof json !== 'string') syntaxError(json, 'last-txn-id must be string')
  return parseUuid(json) ?? syntaxError(json, 'last-txn-id must be UUID format.')
}

function seconds(ms: number): string {
  return String(Number((ms / 1000).toPrecision(3)))
}
