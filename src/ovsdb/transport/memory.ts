import type { Clock } from '../../base/clock.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { type ByteStream, streamPair } from '../../base/stream.ts'
import type { Transport } from '../server/remotes.ts'

/** Listeners and connections within one process; methods are any texts: `punix:nb` and `unix:nb` meet. */
export class MemoryTransport implements Transport {
  private readonly listeners = new Map<string, (stream: ByteStream) => void>()

  constructor(private readonly clock: Clock) {}

  check(): undefined {
    return undefined
  }

  passive(method: string): boolean {
    return method.startsWith('p')
  }

  listen(
    method: string,
    accept: (stream: ByteStream) => void,
    ready: (result: Result<{ port: number; close(): void }>) => void,
  ): void {
    const name = method.slice(1)
    if (this.listeners.has(name)) {
      ready(err('Address already in use'))
      return
    }
    this.listeners.set(name, accept)
    ready(ok({ port: 0, close: () => void this.listeners.delete(name) }))
  }

  dial(method: string, done: (result: Result<ByteStream>) => void): () => void {
    const timer = this.clock.after(0, () => {
      const accept = this.listeners.get(method)
      if (!accept) {
        done(err('Connection refused'))
        return
      }
      const [mine, theirs] = streamPair(this.clock, [method, 'memory'])
      accept(theirs)
      done(ok(mine))
    })
    return () => timer.cancel()
  }
}
