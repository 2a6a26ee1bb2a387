import { type Log, silent } from '../base/log.ts'
import { isArray, isObject, type Json, printJson, printString } from './json.ts'
import { JsonError } from './parser.ts'
import { MessageReader } from './reader.ts'

/** Characters of a message that are logged, and bytes of one that are kept for it. */
const LONGEST = 1 << 24

/** The parts of a message in the order in which they are logged. */
const PARTS = ['method', 'params', 'result', 'error', 'id'] as const

/**
 * Logs the messages of a JSON-RPC session as the module `jsonrpc` of the real programs does at DBG. Ask
 * `enabled` before anything is put together for it.
 */
export class MessageLog {
  private readonly log: Log

  /** @param peer who is at the other end, as `ByteStream.peer` */
  constructor(
    log: Log,
    private readonly peer: string,
    private readonly longest = LONGEST,
  ) {
    this.log = log.child('jsonrpc')
  }

  get enabled(): boolean {
    return this.log.enabled('dbg')
  }

  received(message: Json): void {
    this.log.dbg(() => `${this.peer}: received ${describe(message, 'error', this.longest)}`)
  }

  sent(message: Json): void {
    this.log.dbg(() => `${this.peer}: send ${describe(message, 'reply', this.longest)}`)
  }

  /** A message that is there only as what went out. */
  sentBytes(bytes: Uint8Array): void {
    const whole = this.gather()
    whole.add(bytes)
    whole.end()
  }

  /** A message that goes out piece by piece: only so much of it is kept that it can be logged. */
  gather(): { add(bytes: Uint8Array): void; end(): void } {
    const kept: Uint8Array[] = []
    let size = 0
    return {
      add: (bytes) => {
        if (size < this.longest) kept.push(bytes.slice(0, this.longest - size))
        size += bytes.length
      },
      end: () => {
        const beginning = Buffer.concat(kept)
        if (size > this.longest) this.log.dbg(() => `${this.peer}: send ${cut(beginning.toString())}`)
        else for (const message of parsed(beginning)) this.sent(message)
      },
    }
  }
}

/** For sessions that nobody looks at. */
export const noMessages = new MessageLog(silent, '')

const cut = (text: string) => `${text}... (cut)`

function parsed(bytes: Uint8Array): Json[] {
  const messages: Json[] = []
  try {
    new MessageReader((json) => messages.push(json)).push(bytes)
  } catch (e) {
    if (!(e instanceof JsonError)) throw e
  }
  return messages
}

/** @param failure what an answer with an error is called: it differs with the direction */
function describe(message: Json, failure: 'error' | 'reply', longest: number): string {
  if (!isObject(message)) return `message, ${printBounded(message, longest)}`
  const given = (part: string) => (message[part] ?? null) !== null
  const kind = given('method') ? (given('id') ? 'request' : 'notification') : given('error') ? failure : 'reply'
  let text = kind
  for (const part of PARTS) {
    const value = message[part] ?? null
    if (value === null) continue
    text += `, ${part}=${printBounded(value, longest - text.length)}`
    if (text.length > longest) break
  }
  return text
}

/** JSON with sorted members like `printJson`, but not much more of it than `longest` characters. */
function printBounded(json: Json, longest: number): string {
  let text = ''
  const full = () => text.length > longest
  const put = (value: Json): void => {
    if (full()) return
    if (typeof value === 'string') text += printString(value.slice(0, longest + 1))
    else if (isArray(value)) {
      text += '['
      for (let i = 0; i < value.length && !full(); i++) {
        if (i) text += ','
        put(value[i] as Json)
      }
      text += ']'
    } else if (isObject(value)) {
      text += '{'
      let first = true
      for (const name of Object.keys(value).sort()) {
        const member = value[name]
        if (member === undefined) continue
        if (full()) break
        text += `${first ? '' : ','}${printString(name)}:`
        first = false
        put(member)
      }
      text += '}'
    } else text += printJson(value)
  }
  put(json)
  return full() ? cut(text.slice(0, Math.max(0, longest))) : text
}
