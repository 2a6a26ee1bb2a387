import type { Json } from '../../jsonrpc/json.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACE = 0x7b
const OPEN_BRACKET = 0x5b
const CLOSE_BRACE = 0x7d
const CLOSE_BRACKET = 0x5d

/** Told for each whole message; `error`: the bytes are no sequence of JSON objects, nothing more will come. */
export interface FrameHandler {
  message(json: Json): void
  error(text: string): void
}

/**
 * Cuts a stream of bytes into JSON texts, each an object or array, and parses them. A byte is looked
 * at once; a message is put together only when its last byte is there.
 */
export class JsonFrames {
  private chunks: Uint8Array[] = []
  private held = 0
  private depth = 0
  private inString = false
  private escaped = false
  private broken = false
  private readonly decoder = new TextDecoder()

  constructor(
    private readonly handler: FrameHandler,
    /** The most bytes one message may have. */
    private readonly limit = 1 << 30,
  ) {}

  feed(bytes: Uint8Array): void {
    if (this.broken) return
    let start = 0
    let { depth, inString, escaped } = this
    for (let i = 0; i < bytes.length; i++) {
      const c = bytes[i]
      if (inString) {
        if (escaped) escaped = false
        else if (c === BACKSLASH) escaped = true
        else if (c === QUOTE) inString = false
        continue
      }
      if (c === QUOTE) inString = true
      else if (c === OPEN_BRACE || c === OPEN_BRACKET) depth++
      else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
        if (--depth > 0) continue
        if (depth < 0) {
          this.fail('unbalanced bracket')
          return
        }
        this.chunks.push(bytes.subarray(start, i + 1))
        start = i + 1
        ;[this.depth, this.inString, this.escaped] = [0, false, false]
        this.finish()
        if (this.broken) return
      }
    }
    ;[this.depth, this.inString, this.escaped] = [depth, inString, escaped]
    if (start < bytes.length) {
      const rest = bytes.subarray(start)
      if (depth === 0 && !inString) {
        if (rest.some((c) => c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09)) this.fail('object expected')
        return
      }
      this.chunks.push(rest)
      this.held += rest.length
      if (this.held > this.limit) this.fail(`message longer than ${this.limit} bytes`)
    }
  }

  private finish(): void {
    let text = ''
    const chunks = this.chunks
    this.chunks = []
    this.held = 0
    for (const [i, chunk] of chunks.entries()) text += this.decoder.decode(chunk, { stream: i < chunks.length - 1 })
    let json: Json
    try {
      json = JSON.parse(text) as Json
    } catch (e) {
      this.fail(e instanceof Error ? e.message : String(e))
      return
    }
    this.handler.message(json)
  }

  private fail(text: string): void {
    this.broken = true
    this.chunks = []
    this.handler.error(text)
  }
}
