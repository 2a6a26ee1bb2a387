import type { Json } from './json.ts'
import type { MessageMemory } from './memory.ts'
import { isOutside, JsonError, JsonParser, type Place } from './parser.ts'

export interface ReaderLimits {
  /** Bytes of one message; 1 GiB unless given. */
  readonly size: number
  /** Arrays and objects in each other. */
  readonly depth: number
  /** Above this many bytes a message is read piece by piece, not at once from its text. */
  readonly whole: number
  /** Memory for large messages, shared with other readers; without limit unless given. */
  readonly memory?: MessageMemory
}

export const DEFAULT_LIMITS: ReaderLimits = { size: 2 ** 30, depth: 1000, whole: 1 << 20 }

/** What comes in pieces smaller than this is put together: a piece has a cost of its own. */
const SMALL_PIECE = 1024
const ROOM = 4096

/** Whole texts only: it keeps nothing from one to the next. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const NO_BLANKS: Place = { line: 0, column: 0, byte: 0 }

/**
 * The messages in a stream of bytes. Small ones are cut out and given to the engine's own parser;
 * large ones, and those with numbers or escapes that it would not read as Open vSwitch does, go
 * through JsonParser as they come.
 */
export class MessageReader {
  private chunks: Uint8Array[] = []
  /** Where small pieces are put together: the last of `chunks`, and room behind it. */
  private room = new Uint8Array()
  private used = 0
  private size = 0
  private nesting = 0
  private inString = false
  private escaped = false
  private digits = 0
  private careful = false
  private ascii = true
  private parser: JsonParser | undefined
  /** What of `limits.memory` is taken for the message that has begun. */
  private taken = 0
  private readonly limits: ReaderLimits
  /** Blanks before the message. */
  private blanks = NO_BLANKS

  constructor(
    /** Is given a message and how many bytes it had. */
    private readonly onMessage: (json: Json, bytes: number) => void,
    limits: Partial<ReaderLimits> = {},
  ) {
    this.limits = { ...DEFAULT_LIMITS, ...limits }
  }

  /** Bytes of the message that has begun. */
  get pending(): number {
    return this.size
  }

  /** Takes what came; throws JsonError when it can not be read on. */
  push(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length) {
      if (this.parser) {
        at = this.feed(bytes, at)
        continue
      }
      let from = at
      if (this.nesting === 0) {
        at = this.start(bytes, at)
        if (this.nesting === 0) continue
        from = at - 1
      }
      const end = this.scan(bytes, at, from)
      this.size += end - from
      if (this.size > this.limits.size) this.tooBig()
      at = end
      if (this.nesting === 0) this.finish(bytes.subarray(from, end))
      else this.keep(bytes, from, end)
      if (this.nesting !== 0 && this.size > this.limits.whole) this.startParser()
    }
  }

  /** What is kept of a piece is copied: the stream may use its buffer again. */
  private keep(bytes: Uint8Array, from: number, end: number): void {
    const length = end - from
    if (length >= SMALL_PIECE) {
      this.chunks.push(bytes.slice(from, end))
      this.used = this.room.length
      return
    }
    if (!this.chunks.length || this.used + length > this.room.length) {
      this.room = new Uint8Array(ROOM)
      this.used = 0
    } else this.chunks.pop()
    this.room.set(bytes.subarray(from, end), this.used)
    this.used += length
    this.chunks.push(this.room.subarray(0, this.used))
  }

  /** Lets go of the message that has begun: nothing more comes. */
  close(): void {
    this.parser = undefined
    this.chunks = []
    this.take(0)
  }

  private take(bytes: number): void {
    const { memory } = this.limits
    if (!memory) return
    memory.used += bytes - this.taken
    this.taken = bytes
    if (bytes && memory.used > memory.limit) {
      throw new JsonError(`messages that are being read need more memory than the limit of ${memory.limit} bytes`)
    }
  }

  private tooBig(): never {
    throw new JsonError(`message larger than the limit of ${this.limits.size} bytes`)
  }

  private start(bytes: Uint8Array, at: number): number {
    const c = bytes[at] as number
    if (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) {
      const { line, column, byte } = this.blanks
      this.blanks =
        c === 0x0a ? { line: line + 1, column: 0, byte: byte + 1 } : { line, column: column + 1, byte: byte + 1 }
      return at + 1
    }
    if (c !== 0x7b && c !== 0x5b) {
      // It is no message, but the parser says why, perhaps with what is still to come.
      this.startParser()
      return at
    }
    this.size = 0
    this.careful = false
    this.ascii = true
    this.digits = 0
    this.nesting = 1
    return at + 1
  }

  /** The end of the message, or of the piece; `first` is where the message, or the piece, begins. */
  private scan(bytes: Uint8Array, from: number, first: number): number {
    const n = bytes.length
    let i = from
    let { nesting, inString, escaped, digits, ascii } = this
    while (i < n) {
      const c = bytes[i++] as number
      if (inString) {
        if (c > 0x7f) ascii = false
        if (escaped) {
          escaped = false
          if (c === 0x75) this.careful = true
        } else if (c === 0x5c) escaped = true
        else if (c === 0x22) inString = false
        continue
      }
      if (c >= 0x30 && c <= 0x39) {
        if (++digits > 15) this.careful = true
        continue
      }
      if (c === 0x22) inString = true
      else if (c === 0x7b || c === 0x5b) {
        if (++nesting > this.limits.depth) this.refuse(bytes.subarray(first, i))
      } else if (c === 0x7d || c === 0x5d) {
        if (--nesting === 0) break
      } else if ((c === 0x65 || c === 0x45) && digits) this.careful = true
      else if (!isOutside(c)) this.refuse(bytes.subarray(first, i))
      if (c !== 0x2e) digits = 0
    }
    this.nesting = nesting
    this.inString = inString
    this.escaped = escaped
    this.digits = digits
    this.ascii = ascii
    return i
  }

  /** Says what is wrong with what came of a message. */
  private refuse(last: Uint8Array): void {
    const parser = new JsonParser(this.limits.depth, this.blanks)
    for (const chunk of [...this.chunks, last]) parser.push(chunk)
  }

  /** The message is complete; `last` is what belongs to it of the piece that came last. */
  private finish(last: Uint8Array): void {
    const { chunks, size } = this
    this.size = 0
    let bytes = last
    if (chunks.length) {
      this.chunks = []
      bytes = Buffer.concat([...chunks, last], size)
    }
    let json: Json
    if (this.careful) json = this.slow(bytes)
    else {
      try {
        json = JSON.parse(this.ascii ? latin1(bytes) : UTF8.decode(bytes)) as Json
      } catch {
        // The careful parser says what is wrong, and where.
        json = this.slow(bytes)
      }
    }
    this.blanks = NO_BLANKS
    this.onMessage(json, bytes.length)
  }

  private slow(bytes: Uint8Array): Json {
    const parser = new JsonParser(this.limits.depth, this.blanks)
    parser.push(bytes)
    if (!parser.done) throw new JsonError('unexpected end of input')
    return parser.result as Json
  }

  private startParser(): void {
    this.parser = new JsonParser(this.limits.depth, this.blanks)
    for (const chunk of this.chunks) this.parser.push(chunk)
    this.chunks = []
    this.take(this.parser.weight)
  }

  private feed(bytes: Uint8Array, at: number): number {
    const parser = this.parser as JsonParser
    const n = parser.push(bytes, at)
    this.size += n
    if (this.size > this.limits.size) this.tooBig()
    this.take(parser.weight)
    if (parser.done) {
      const { size } = this
      this.close()
      this.nesting = 0
      this.inString = false
      this.escaped = false
      this.size = 0
      this.blanks = NO_BLANKS
      this.onMessage(parser.result as Json, size)
    }
    return at + n
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
