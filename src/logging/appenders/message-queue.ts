/** A text, which goes out as UTF-8, or bytes. */
export type Message = string | Uint8Array

/** What an entry takes beside its contents, roughly. */
const OVERHEAD = 64

/** Places in front that may be empty before those behind them move up. */
const EMPTY = 1024

/**
 * Messages in the order in which they came, as many as fit. Texts stay texts: thousands of small buffers would keep
 * the garbage collector busy.
 */
export class MessageQueue {
  private messages: Message[] = []
  private first = 0
  private size = 0

  /** @param limit characters and bytes that may wait, with what it takes to keep them; a single message always may */
  constructor(private readonly limit: number) {}

  get length(): number {
    return this.messages.length - this.first
  }

  /** False when it does not fit: then it is not in the queue. */
  push(message: Message): boolean {
    const size = this.size + message.length + OVERHEAD
    if (size > this.limit && this.length > 0) return false
    this.size = size
    this.messages.push(message)
    return true
  }

  peek(): Message | undefined {
    return this.messages[this.first]
  }

  shift(): Message | undefined {
    const message = this.messages[this.first]
    if (message === undefined) return undefined
    this.size -= message.length + OVERHEAD
    this.first++
    if (this.first === this.messages.length) this.clear()
    else if (this.first >= EMPTY && this.first * 2 >= this.messages.length) {
      this.messages = this.messages.slice(this.first)
      this.first = 0
    }
    return message
  }

  /** Takes messages of `most` characters and bytes together, but at least one; none when the queue is empty. */
  take(most: number): Message[] {
    const taken: Message[] = []
    let size = 0
    for (let m = this.peek(); m !== undefined && (taken.length === 0 || size + m.length <= most); m = this.peek()) {
      taken.push(m)
      size += m.length
      this.shift()
    }
    return taken
  }

  /** Empties it. Returns how many there were. */
  clear(): number {
    const count = this.length
    this.messages = []
    this.first = 0
    this.size = 0
    return count
  }
}
