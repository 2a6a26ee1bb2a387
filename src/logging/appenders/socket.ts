import { type Message, MessageQueue } from './message-queue.ts'
import { type SocketTarget, type Transport, transportTo } from './transport.ts'
import { Trouble } from './trouble.ts'

export type { SocketTarget } from './transport.ts'

/** Characters and bytes that may wait for a slow server; beyond, messages are lost. */
const LIMIT = 1024 * 1024

/** So long one turn of the event loop sends, milliseconds: what is left waits for the next. */
export const SLICE = 1.5

/** The first pause before a server that takes no more is tried again, milliseconds; each is twice the one before. */
const FIRST_PAUSE = 1
const LONGEST_PAUSE = 64

/** How long the program's end waits for a server that takes no more, from when it began not to, milliseconds. */
const PATIENCE = 1000

/** How long a closed socket still sends what waits, milliseconds. */
const LONGEST_LEAVE = 10_000

/** The event loop and its time, of which tests have their own. */
export interface Loop {
  /** Milliseconds that never go back. */
  monotonic(): number
  /** Calls in the next turn. */
  nextTurn(run: () => void): void
  /** Calls after so many milliseconds, unless the program has ended by then. */
  later(ms: number, run: () => void): void
  /** Stops everything for a millisecond. */
  pause(): void
}

const bell = new Int32Array(new SharedArrayBuffer(4))

const eventLoop: Loop = {
  monotonic: () => performance.now(),
  nextTurn: (run) => void setImmediate(run),
  later: (ms, run) => void setTimeout(run, ms).unref(),
  pause: () => void Atomics.wait(bell, 0, 0, 1),
}

interface Surroundings {
  readonly loop?: Loop
  readonly transport?: (target: SocketTarget) => Transport
  readonly limit?: number
}

/**
 * Messages to a server on a socket. They are sent in the turn after the one that logged them: over a stream those of a
 * turn as one write, datagrams one by one, for SLICE milliseconds a turn. What the server does not take is lost and
 * counted; that is said when it begins, and with the number when messages go out again.
 */
export class MessageSocket {
  private readonly queue: MessageQueue
  private readonly loop: Loop
  private readonly transport: Transport
  private readonly trouble: Trouble
  /** Of the message logged last. */
  private time = 0
  private scheduled = false
  private closed = false
  /** When the server began to take no more, and the next pause for it. */
  private fullSince: number | undefined
  private pauseFor = FIRST_PAUSE

  constructor(
    target: SocketTarget,
    /** Called when messages begin to be lost, and when they go out again. */
    onTrouble?: (message: string) => void,
    { loop = eventLoop, transport = transportTo, limit = LIMIT }: Surroundings = {},
  ) {
    this.loop = loop
    this.queue = new MessageQueue(limit)
    const name = `${target.kind}:${target.kind === 'unix' ? target.path : `${target.host}:${target.port}`}`
    const say = (message: string) => {
      if (!this.closed) onTrouble?.(message)
    }
    this.trouble = new Trouble(say, {
      begins: (reason) => `${name}: cannot send log: ${reason}`,
      ends: (lost) => `${name}: log sent again, ${lost} messages lost`,
    })
    this.transport = transport(target)
    this.transport.attach({
      sent: () => this.trouble.end(this.time),
      lost: (count, reason) => this.lose(count, reason),
      ready: () => this.schedule(),
      failed: (reason) => {
        this.lose(this.queue.clear(), reason)
        this.leaveWhenEmpty()
      },
    })
  }

  send(message: Message, time: number): void {
    if (this.closed) return
    this.time = time
    const away = this.transport.prepare(time)
    if (away !== undefined) this.lose(1, away)
    else if (!this.queue.push(message)) this.lose(1, 'not fast enough')
    else this.schedule()
  }

  private lose(count: number, reason: string): void {
    if (count === 0) return
    this.trouble.lose(count, this.time)
    this.trouble.begin(reason, this.time)
  }

  private schedule(): void {
    if (this.scheduled || this.queue.length === 0) return
    this.scheduled = true
    this.loop.nextTurn(() => {
      this.scheduled = false
      this.slice()
    })
  }

  /** What one turn of the event loop sends. */
  private slice(): void {
    const end = this.loop.monotonic() + SLICE
    const before = this.queue.length
    const state = this.transport.pump(this.queue, () => this.loop.monotonic() >= end)
    // A full server that took some is reading: it may have room by the next turn.
    if (state === 'full' && this.queue.length === before) this.wait()
    else {
      this.roomAgain()
      if (state === 'full' || state === 'more') this.schedule()
    }
    this.leaveWhenEmpty()
  }

  private roomAgain(): void {
    this.fullSince = undefined
    this.pauseFor = FIRST_PAUSE
  }

  /** The server takes no more, and nobody tells when it will. */
  private wait(): void {
    this.fullSince ??= this.loop.monotonic()
    this.scheduled = true
    this.loop.later(this.pauseFor, () => {
      this.scheduled = false
      if (this.queue.length) this.slice()
    })
    this.pauseFor = Math.min(this.pauseFor * 2, LONGEST_PAUSE)
  }

  /** What waits is sent before this returns, as far as the server takes it: before the program ends. */
  flush(): void {
    while (this.transport.pump(this.queue) === 'full') {
      const now = this.loop.monotonic()
      this.fullSince ??= now
      if (now - this.fullSince >= PATIENCE) return
      this.loop.pause()
    }
    this.roomAgain()
  }

  /** What waits is still sent, unless the server has no room for long. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.leaveWhenEmpty()
    if (this.queue.length)
      this.loop.later(LONGEST_LEAVE, () => {
        this.queue.clear()
        this.leaveWhenEmpty()
      })
  }

  private leaveWhenEmpty(): void {
    if (this.closed && this.queue.length === 0) this.transport.close()
  }
}
