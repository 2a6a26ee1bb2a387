import type { Clock } from '../../base/clock.ts'
import type { Monitor } from '../monitor/index.ts'
import type { Producer } from './output.ts'

/** The initial contents of a monitor as bytes, made once for all clients that ask for the same at one time. */
class Dump implements Producer {
  private readonly pieces: Uint8Array[] = []
  private readonly source: Iterator<string>
  private readonly encoder = new TextEncoder()

  constructor(monitor: Monitor) {
    this.source = monitor.initial()
  }

  piece(i: number): Uint8Array | undefined {
    while (this.pieces.length <= i) {
      const next = this.source.next()
      if (next.done) return undefined
      this.pieces.push(this.encoder.encode(next.value))
    }
    return this.pieces[i]
  }
}

/** How long a dump is kept for the next client that wants the same, in milliseconds. */
const KEEP = 3000

/** Dumps by what they contain. A dump is of no use once its database has changed. */
export class DumpCache {
  private readonly dumps = new Map<string, { readonly id: string; readonly dump: Dump }>()

  constructor(private readonly clock: Clock) {}

  of(monitor: Monitor): Producer {
    const key = `${monitor.database.name} ${monitor.sharedKey}`
    const id = monitor.database.lastId
    const known = this.dumps.get(key)
    if (known?.id === id) return known.dump
    const entry = { id, dump: new Dump(monitor) }
    this.dumps.set(key, entry)
    this.clock.after(KEEP, () => {
      if (this.dumps.get(key) === entry) this.dumps.delete(key)
    })
    return entry.dump
  }
}
