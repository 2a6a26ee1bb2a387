import type { Clock } from '../../base/clock.ts'
import { type Message, OF15, type Version } from '../messages/message.ts'
import type { OpenFlowChannel } from './channel.ts'

class MemoryChannel implements OpenFlowChannel {
  readonly peer = 'memory'
  other: MemoryChannel | undefined
  onMessage: ((message: Message) => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  queued = 0
  private readonly inbox: Message[] = []
  private scheduled = false
  private closed = false
  private ending: { readonly error: Error | undefined } | undefined

  constructor(
    private readonly clock: Clock,
    readonly version: Version,
  ) {}

  send(message: Message): void {
    const other = this.other
    if (this.closed || !other) return
    this.queued++
    other.inbox.push(message)
    other.schedule()
  }

  close(error?: Error): void {
    if (this.closed) return
    this.closed = true
    const other = this.other
    if (other) {
      other.ending = { error }
      if (error) other.inbox.length = 0
      other.schedule()
    }
    this.clock.after(0, () => this.onClose?.(error))
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
    const batch = this.inbox.splice(0)
    for (const message of batch) {
      if (this.closed) return
      const other = this.other
      if (other) other.queued--
      this.onMessage?.(message)
    }
    if (this.inbox.length) this.schedule()
    else if (this.ending && !this.closed) {
      this.closed = true
      this.onClose?.(this.ending.error)
    }
  }
}

/** Two ends of a connection in memory; what one sends the other gets in a later call of the clock. */
export function channelPair(clock: Clock, version: Version = OF15): [OpenFlowChannel, OpenFlowChannel] {
  const a = new MemoryChannel(clock, version)
  const b = new MemoryChannel(clock, version)
  a.other = b
  b.other = a
  return [a, b]
}
