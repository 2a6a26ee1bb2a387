import type { ControlCommand } from '../base/command.ts'
import { eventCounter } from '../base/event-counter.ts'
import type { Log } from '../base/log.ts'
import type { ByteStream } from '../base/stream.ts'
import { type Json, printJson, printString } from '../jsonrpc/json.ts'
import { readMessage } from '../jsonrpc/message.ts'
import { MessageLog } from '../jsonrpc/message-log.ts'
import { JsonError } from '../jsonrpc/parser.ts'
import { MessageReader } from '../jsonrpc/reader.ts'

const received = eventCounter('unixctl_received')
const replied = eventCounter('unixctl_replied')

/** Bytes of one request: no command has arguments of that length. */
const LONGEST_REQUEST = 1 << 20

/** Bytes of answers that wait for a client to read them before its next request is looked at. */
const MOST_UNREAD = 1 << 20

/** Why a command cannot be run with these arguments, or the command. */
function chosen(
  commands: ReadonlyMap<string, ControlCommand>,
  name: string,
  args: readonly Json[],
): ControlCommand | string {
  const command = commands.get(name)
  if (!command) return `"${name}" is not a valid command (use "list-commands" to see a list of valid commands)`
  if (args.length < command.minArgs) return `"${name}" command requires at least ${command.minArgs} arguments`
  if (args.length > command.maxArgs) return `"${name}" command takes at most ${command.maxArgs} arguments`
  if (!args.every((arg) => typeof arg === 'string')) return `"${name}" command has non-string argument`
  return command
}

/**
 * One connection to a control socket: requests one after the other, each answered before the next is read. What is
 * no request ends it, with a warning.
 */
export class ControlSession {
  private readonly messages: MessageLog
  private readonly queue: Json[] = []
  private readonly reader = new MessageReader(
    (message) => {
      this.queue.push(message)
      this.next()
    },
    { size: LONGEST_REQUEST },
  )
  private busy = false
  private serving = false
  private paused = false
  private ended = false
  /** Answers are wanted as JSON (`set-options --format json`). */
  private json = false

  constructor(
    private readonly stream: ByteStream,
    private readonly commands: ReadonlyMap<string, ControlCommand>,
    private readonly log: Log,
  ) {
    this.messages = new MessageLog(log, stream.peer)
    stream.onData = (bytes) => this.receive(bytes)
    stream.onDrain = () => this.next()
    stream.onClose = () => {
      this.ended = true
    }
  }

  private receive(bytes: Uint8Array): void {
    if (this.ended) return
    try {
      this.reader.push(bytes)
    } catch (e) {
      if (!(e instanceof JsonError)) throw e
      const peer = this.stream.peer
      // What comes behind the message for which it was dropped is nobody's.
      if (this.ended) return
      this.log.child('jsonrpc').warn(`${peer}: error parsing stream: ${e.message}`, { code: 'bad-json', peer })
      this.drop(e.message)
      return
    }
    this.hold()
  }

  /** Nothing more is read as long as a request waits. */
  private hold(): void {
    if (this.ended || this.paused === this.queue.length > 0) return
    this.paused = !this.paused
    if (this.paused) this.stream.pause()
    else this.stream.resume()
  }

  /** Ends the connection from this side. */
  private drop(why: string): void {
    this.ended = true
    this.queue.length = 0
    this.reader.close()
    this.stream.close(new Error(why))
  }

  private next(): void {
    // A command that answers at once comes back here from within.
    if (this.serving) return
    this.serving = true
    while (!this.busy && !this.ended && this.stream.queued < MOST_UNREAD) {
      const message = this.queue.shift()
      if (message === undefined) break
      this.take(message)
    }
    this.serving = false
    this.hold()
  }

  private take(json: Json): void {
    const message = readMessage(json)
    const { peer } = this.stream
    if (!message.ok) {
      const what = `received bad JSON-RPC message: ${message.error}`
      this.log.child('jsonrpc').warn(`${peer}: ${what}`, { code: 'bad-message', peer })
      this.drop(what)
      return
    }
    if (this.messages.enabled) this.messages.received(json)
    if (message.value.kind === 'request') {
      this.request(message.value.method, message.value.params, message.value.id)
      return
    }
    const what = `received unexpected ${message.value.kind} message`
    this.log.child('unixctl').warn(`${peer}: ${what}`, { code: 'unexpected-reply', peer })
    this.drop(what)
  }

  private request(method: string, params: readonly Json[], id: Json): void {
    received.hit()
    this.busy = true
    let done = false
    const answer = (member: 'result' | 'error', text: string) => {
      if (done) return
      done = true
      this.answer(id, member, text)
    }
    const reply = { ok: (text: string) => answer('result', text), error: (text: string) => answer('error', text) }
    const command = chosen(this.commands, method, params)
    if (typeof command === 'string') {
      reply.error(command)
      return
    }
    const args = params.filter((p) => typeof p === 'string')
    if (method !== 'set-options') {
      command.run(args, reply)
      return
    }
    const format = args[0] === '--format' ? args[1] : undefined
    if (format !== 'json' && format !== 'text') {
      reply.error('--format takes "text" or "json"')
      return
    }
    this.json = format === 'json'
    reply.ok('')
  }

  private answer(id: Json, member: 'result' | 'error', text: string): void {
    replied.hit()
    const value =
      this.json && member === 'result' ? `{"reply-format":"plain","reply":${printString(text)}}` : printString(text)
    const other = member === 'result' ? ',"error":null' : ''
    const bytes = Buffer.from(`{"id":${printJson(id)},"${member}":${value}${other}}`)
    if (this.messages.enabled) this.messages.sentBytes(bytes)
    this.stream.write(bytes)
    this.busy = false
    this.next()
  }
}
