/** A message that waits to be sent. */
export interface Message {
  readonly bytes: Uint8Array
  /** When it was logged, milliseconds since 1970. */
  readonly time: number
}

/** What an entry takes beside its bytes, roughly. */
const OVERHEAD = 64

/** Places in front that may be empty before those behind them move up. */
const EMPTY = 1024

/** Messages in the order in which they came, as many as fit. */
export class MessageQueue {
  private messages: Message[] = []
  private first = 0
  private size = 0

  /** @param limit bytes that may wait, with what it takes to keep them */
  constructor(private readonly limit: number) {}

  get length(): number {
    return this.messages.length - this.first
  }

  /** False when it does not fit: then it is not in the queue. */
  push(bytes: Uint8Array, time: number): boolean {
    const size = this.size + bytes.length + OVERHEAD
    if (size > this.limit && this.length > 0) return false
    this.size = size
    this.messages.push({ bytes, time })
    return true
  }

  peek(): Message | undefined {
    return this.messages[this.first]
  }

  shift(): Message | undefined {
    const message = this.messages[this.first]
    if (!message) return undefined
    this.size -= message.bytes.length + OVERHEAD
    this.first++
    if (this.first === this.messages.length) {
      this.messages = []
      this.first = 0
    } else if (this.first >= EMPTY && this.first * 2 >= this.messages.length) {
      this.messages = this.messages.slice(this.first)
      this.first = 0
    }
    return message
  }

  /** Takes messages of `most` bytes together, but at least one; none when the queue is empty. */
  take(most: number): Uint8Array[] {
    const taken: Uint8Array[] = []
    let bytes = 0
    for (let m = this.peek(); m && (taken.length === 0 || bytes + m.bytes.length <= most); m = this.peek()) {
      taken.push(m.bytes)
      bytes += m.bytes.length
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
