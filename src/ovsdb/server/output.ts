import type { Clock } from '../../base/clock.ts'
import type { ByteStream } from '../../base/stream.ts'
import { type MessageLog, noMessages } from '../../jsonrpc/message-log.ts'

/** Bytes that are made one piece at a time, as the reader takes them. */
export interface Producer {
  /** The i-th piece; undefined behind the last. */
  piece(i: number): Uint8Array | undefined
  /** Nothing more is asked for. */
  stop?(): void
}

/** A text in pieces, made as they are asked for. */
export function producer(pieces: Iterator<string>): Producer {
  return {
    piece() {
      const next = pieces.next()
      return next.done ? undefined : Buffer.from(next.value)
    },
  }
}

/** So many messages that are made as they are taken may wait; each holds the rows that it is made of. */
const MOST_PRODUCERS = 8

type Item = Uint8Array | { readonly producer: Producer; next: number }

/** Above this many bytes not yet taken by the other side it counts as slow. */
const HIGH = 1 << 18
/** Above this many bytes that wait nothing more should be asked for. */
const BACKLOG = 1 << 22
/** How long pieces may be made at a time before others are served, in milliseconds. */
const SLICE = 10

/** What is on its way to a client, in order; large answers are made only as fast as they are read. */
export class Output {
  private readonly queue: Item[] = []
  private queuedBytes = 0
  private producers = 0
  private waiting = false
  private closed = false
  /** Called when everything is out. */
  onIdle: (() => void) | undefined
  /** Called when the other side has taken what was written so far. */
  onTaken: (() => void) | undefined
  /** Called when a piece can not be made, since it would be longer than any string can be. */
  onTooLong: (() => void) | undefined

  constructor(
    private readonly stream: ByteStream,
    private readonly clock: Clock,
    private readonly messages: MessageLog = noMessages,
  ) {
    stream.onDrain = () => {
      this.onTaken?.()
      this.pump()
    }
  }

  /** Whether the other side has not yet taken all. */
  get busy(): boolean {
    return this.queue.length > 0 || this.stream.queued > HIGH
  }

  /** Bytes that wait in memory. */
  get backlog(): number {
    return this.queuedBytes + this.stream.queued
  }

  /** Whether so much waits that nothing more should be asked for. */
  get full(): boolean {
    return this.backlog > BACKLOG || this.producers >= MOST_PRODUCERS
  }

  /** Sends a message. */
  text(text: string): void {
    this.bytes(Buffer.from(text))
  }

  /** Sends a message. */
  bytes(bytes: Uint8Array): void {
    if (this.messages.enabled) this.messages.sentBytes(bytes)
    this.put(bytes)
  }

  private put(bytes: Uint8Array): void {
    if (!this.queue.length && this.stream.queued <= HIGH) {
      this.stream.write(bytes)
      return
    }
    this.enqueue(bytes)
  }

  private enqueue(bytes: Uint8Array): void {
    this.queue.push(bytes)
    this.queuedBytes += bytes.length
  }

  /** Sends a message of which all but the beginning and the end is made as it is taken. */
  produce(producer: Producer, head = '', tail = ''): void {
    if (head) this.put(Buffer.from(head))
    const next = !this.queue.length
    this.queue.push({ producer: this.messages.enabled ? this.watched(producer, head, tail) : producer, next: 0 })
    this.producers++
    if (tail) this.enqueue(Buffer.from(tail))
    // Only now that all of it waits: behind the last that waits `onIdle` may send more.
    if (next) this.pump()
  }

  /**
   * One message out of pieces, which may be too long for one string and are made as they are read;
   * nothing when there is no piece, or all are empty. What they are made of must not change.
   */
  pieces(head: string, pieces: Iterable<string>, tail: string): void {
    const rest = pieces[Symbol.iterator]()
    const first = rest.next()
    if (first.done) return
    const second = first.value ? rest.next() : undefined
    if (second?.done) this.text(`${head}${first.value}${tail}`)
    else this.produce(producer(enclosed(head, [first.value, second?.value ?? ''], rest, tail)))
  }

  /** The same pieces; when the last was taken the message is logged. */
  private watched(producer: Producer, head: string, tail: string): Producer {
    const message = this.messages.gather()
    message.add(Buffer.from(head))
    return {
      piece(i) {
        const bytes = producer.piece(i)
        message.add(bytes ?? Buffer.from(tail))
        if (!bytes) message.end()
        return bytes
      },
      stop: () => producer.stop?.(),
    }
  }

  /** Lets go of what will not be sent. */
  close(): void {
    this.closed = true
    for (const item of this.queue.splice(0)) if (!(item instanceof Uint8Array)) item.producer.stop?.()
    this.queuedBytes = 0
  }

  private pump(): void {
    try {
      this.send()
    } catch (e) {
      if (!(e instanceof RangeError)) throw e
      this.onTooLong?.()
    }
  }

  private send(): void {
    if (this.waiting || this.closed) return
    let until: number | undefined
    while (this.stream.queued <= HIGH) {
      const head = this.queue[0]
      if (!head) {
        this.onIdle?.()
        return
      }
      if (head instanceof Uint8Array) {
        this.queue.shift()
        this.queuedBytes -= head.length
        this.stream.write(head)
        continue
      }
      const piece = head.producer.piece(head.next++)
      if (!piece) {
        this.queue.shift()
        this.producers--
        continue
      }
      if (piece.length) this.stream.write(piece)
      // Who reads as fast as we write must not have us alone.
      const now = this.clock.monotonic()
      until ??= now + SLICE
      if (now < until) continue
      this.waiting = true
      this.clock.after(0, () => {
        this.waiting = false
        this.pump()
      })
      return
    }
  }
}

/** A message out of pieces, the first of which have been made; nothing of it when all are empty. */
export function* enclosed(
  head: string,
  first: readonly string[],
  rest: Iterator<string>,
  tail: string,
): Generator<string> {
  let any = false
  const next = (piece: string) => {
    if (any || !piece) return piece
    any = true
    return `${head}${piece}`
  }
  for (const piece of first) yield next(piece)
  for (let piece = rest.next(); !piece.done; piece = rest.next()) yield next(piece.value)
  if (any) yield tail
}
