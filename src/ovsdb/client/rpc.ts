import { type Log, silent } from '../../base/log.ts'
import type { ByteStream } from '../../base/stream.ts'
import { isArray, isObject, type Json, printJson } from '../../jsonrpc/json.ts'
import { MessageLog } from '../../jsonrpc/message-log.ts'
import { JsonError } from '../../jsonrpc/parser.ts'
import { MessageReader } from '../../jsonrpc/reader.ts'

/** Why connections end that the other side ended. */
export const CLOSED_BY_PEER = 'connection closed by peer'
export const DROPPED = 'connection dropped'

/** An answer: `error` is null when there is a result (JSON-RPC 1.0). */
export type RpcReply = { readonly result: Json; readonly error: null } | { readonly result: null; readonly error: Json }

const encoder = new TextEncoder()

/** Up to this many bytes a message is parsed at once: the engine's own parser is the fastest. */
const WHOLE = 128 << 20

/** With so many bytes waiting to go out, the server's probes are answered no more. */
const MOST_QUEUED = 256 << 20

/** From this many parameters on a message goes out in pieces of this many characters. */
const MANY = 1000
const PIECE = 1 << 18

/** The asking side of a JSON-RPC 1.0 session (RFC 7047 §4). Requests of the other side are answered if they are `echo`. */
export class RpcClient {
  private next = 0
  private readonly pending = new Map<number, (reply: RpcReply) => void>()
  private ended = false
  private readonly messages: MessageLog
  /** When something last came in, by `monotonic`. */
  lastReceived: number

  onNotification: ((method: string, params: readonly Json[]) => void) | undefined
  /** Called once when the session is over, after the pending requests were dropped. */
  onEnd: ((reason: string) => void) | undefined

  constructor(
    private readonly stream: ByteStream,
    private readonly monotonic: () => number,
    log: Log = silent,
  ) {
    this.messages = new MessageLog(log, stream.peer)
    this.lastReceived = monotonic()
    const reader = new MessageReader((json) => this.receive(json), { whole: WHOLE })
    stream.onData = (bytes) => {
      this.lastReceived = this.monotonic()
      if (this.ended) return
      try {
        reader.push(bytes)
      } catch (e) {
        if (!(e instanceof JsonError)) throw e
        this.end(`invalid message: ${e.message}`)
      }
    }
    stream.onClose = (error) => this.finish(error ? `${DROPPED} (${error.message})` : CLOSED_BY_PEER)
  }

  /** Asks; `done` is not called if the session ends first, unless `lost` is given. */
  request(method: string, params: Json, done: (reply: RpcReply) => void, lost?: () => void): void {
    if (this.ended) {
      lost?.()
      return
    }
    const id = this.next++
    this.pending.set(id, done)
    if (lost) this.losses.set(id, lost)
    if (isArray(params) && params.length > MANY) this.sendPieces(method, params, id)
    else this.send({ method, params, id })
  }

  private readonly losses = new Map<number, () => void>()

  notify(method: string, params: Json): void {
    if (!this.ended) this.send({ method, params, id: null })
  }

  private send(message: Json): void {
    if (this.messages.enabled) this.messages.sent(message)
    this.stream.write(encoder.encode(printJson(message)))
  }

  /** A message with many parameters, as a big transaction is: its text is never whole in memory. */
  private sendPieces(method: string, params: readonly Json[], id: number): void {
    if (this.messages.enabled) this.messages.sent({ method, params, id })
    let text = `{"id":${id},"method":"${method}","params":[`
    params.forEach((param, i) => {
      text += (i ? ',' : '') + printJson(param)
      if (text.length < PIECE) return
      this.stream.write(encoder.encode(text))
      text = ''
    })
    this.stream.write(encoder.encode(`${text}]}`))
  }

  private receive(json: Json): void {
    if (this.ended) return
    if (!isObject(json)) {
      this.end('message is not an object')
      return
    }
    if (this.messages.enabled) this.messages.received(json)
    const { id, method, params } = json
    if (typeof method === 'string') {
      if (!isArray(params)) this.end('params is not an array')
      else if (id === null || id === undefined) this.onNotification?.(method, params)
      else if (method === 'echo') this.answerProbe(params, id)
      else this.send({ result: null, error: { error: 'unknown method', details: method }, id })
      return
    }
    if (typeof id !== 'number') return // an answer to our echo probes, or to nobody
    const done = this.pending.get(id)
    this.pending.delete(id)
    this.losses.delete(id)
    const error = json['error'] ?? null
    done?.(error === null ? { result: json['result'] ?? null, error: null } : { result: null, error })
  }

  /** A server that asks and asks and takes no answer is not to fill the memory. */
  private answerProbe(params: readonly Json[], id: Json): void {
    if (this.stream.queued > MOST_QUEUED) this.end('server asks for signs of life and does not take them')
    else this.send({ result: params, error: null, id })
  }

  /** Asks for a sign of life. */
  probe(): void {
    if (!this.ended) this.send({ method: 'echo', params: [], id: 'echo' })
  }

  /** Ends the session from this side. */
  end(reason: string): void {
    if (this.ended) return
    this.stream.close()
    this.finish(reason)
  }

  private finish(reason: string): void {
    if (this.ended) return
    this.ended = true
    const losses = [...this.losses.values()]
    this.pending.clear()
    this.losses.clear()
    for (const lost of losses) lost()
    this.onEnd?.(reason)
  }
}
