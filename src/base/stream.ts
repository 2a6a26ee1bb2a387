import type { Clock } from './clock.ts'

/** Two-way bytes: a socket, a TLS session, or two parts of one process joined in memory. */
export interface ByteStream {
  /** Takes all of `bytes` (never modified afterwards). False: it is queued, wait for `onDrain`. */
  write(bytes: Uint8Array): boolean
  /** Bytes taken by `write` that the other side has not yet had. */
  readonly queued: number
  /** Ends the stream once everything written is out; `error` ends it at once. */
  close(error?: Error): void
  /** Stops `onData` until `resume`: how a slow reader holds back a fast writer. */
  pause(): void
  resume(): void
  onData: ((bytes: Uint8Array) => void) | undefined
  onDrain: (() => void) | undefined
  /** Called once, however the stream ended. */
  onClose: ((error?: Error) => void) | undefined
  /** Who is at the other end, as Open vSwitch writes it: `unix`, `tcp:127.0.0.1:51312` ... */
  readonly peer: string
  /** The subject's common name of a verified TLS client certificate, for role-based access. */
  readonly certificateName?: string | undefined
}

class MemoryStream implements ByteStream {
  other: MemoryStream | undefined
  onData: ((bytes: Uint8Array) => void) | undefined
  onDrain: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  queued = 0
  private inbox: Uint8Array[] = []
  private paused = false
  private closed = false
  private scheduled = false
  private ending: { error: Error | undefined } | undefined

  constructor(
    private readonly clock: Clock,
    readonly peer: string,
  ) {}

  write(bytes: Uint8Array): boolean {
    const other = this.other
    if (this.closed || !other) return false
    this.queued += bytes.length
    other.inbox.push(bytes)
    other.schedule()
    return this.queued < 65536
  }

  close(error?: Error): void {
    if (this.closed) return
    this.closed = true
    const other = this.other
    if (other) {
      other.ending = { error }
      if (error) other.inbox = []
      other.schedule()
    }
    this.clock.after(0, () => this.onClose?.(error))
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.schedule()
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    this.clock.after(0, () => {
      this.scheduled = false
      this.deliver()
    })
  }

  private deliver(): void {
    while (!this.paused && !this.closed) {
      const bytes = this.inbox.shift()
      if (!bytes) break
      const other = this.other
      if (other) other.queued -= bytes.length
      this.onData?.(bytes)
      if (other && other.queued === 0) other.onDrain?.()
    }
    if (this.ending && !this.closed && !this.inbox.length) {
      this.closed = true
      this.onClose?.(this.ending.error)
    }
  }
}

/** Two ends of one stream in memory; what one writes the other reads in a later call of the clock. */
export function streamPair(
  clock: Clock,
  peers: readonly [string, string] = ['memory', 'memory'],
): [ByteStream, ByteStream] {
  const a = new MemoryStream(clock, peers[1])
  const b = new MemoryStream(clock, peers[0])
  a.other = b
  b.other = a
  return [a, b]
}
