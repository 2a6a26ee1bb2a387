import type { Clock } from '../../base/clock.ts'
import type { Monitor } from '../monitor/index.ts'
import type { Producer } from './output.ts'

/** A text larger than this many bytes is kept only as far as its readers have not yet come. */
const KEEP_BYTES = 256 << 20
/** How long a dump is kept for the next client that wants the same, in milliseconds. */
const KEEP = 3000

/** A long text as bytes, made piece by piece, once for all clients that get the same at one time. */
export class SharedText {
  /** By number; undefined: not yet made, or gone. */
  private readonly pieces: (Uint8Array | undefined)[] = []
  private bytes = 0
  private made = 0
  private sealed = false
  /** Why a piece could not be made: nobody gets further. */
  private failure: { readonly reason: unknown } | undefined
  /** Pieces before this one are gone. */
  private gone = 0
  /** The next piece of each reader. */
  private readonly readers = new Map<Producer, number>()

  constructor(
    private readonly source: Iterator<string>,
    private readonly keepBytes = KEEP_BYTES,
  ) {}

  /** Bytes in memory. */
  get kept(): number {
    return this.pieces.reduce((n, piece) => n + (piece?.length ?? 0), 0)
  }

  /** Whether somebody can still begin to read it. */
  get open(): boolean {
    return !this.sealed && this.bytes <= this.keepBytes
  }

  /** Nobody else will begin to read it. */
  seal(): void {
    this.sealed = true
    this.forget()
  }

  /** All of it as one text, when it is small. */
  whole(): string | undefined {
    const first = this.make(0)
    return first?.length && !this.make(1) ? new TextDecoder().decode(first) : undefined
  }

  reader(): Producer {
    const reader: Producer = {
      piece: (i) => {
        const piece = this.make(i)
        if (piece) this.readers.set(reader, i)
        else this.readers.delete(reader)
        this.forget()
        return piece
      },
      stop: () => {
        this.readers.delete(reader)
        this.forget()
      },
    }
    this.readers.set(reader, 0)
    return reader
  }

  private make(i: number): Uint8Array | undefined {
    while (this.made <= i) {
      if (this.failure) throw this.failure.reason
      let next: IteratorResult<string>
      try {
        next = this.source.next()
      } catch (reason) {
        this.failure = { reason }
        throw reason
      }
      if (next.done) return undefined
      const piece = Buffer.from(next.value)
      this.pieces[this.made++] = piece
      this.bytes += piece.length
    }
    return this.pieces[i]
  }

  /** Lets go of what no reader will ask for again, when nobody can begin any more. */
  private forget(): void {
    if (this.open) return
    let first = this.made
    for (const at of this.readers.values()) first = Math.min(first, at)
    for (; this.gone < first; this.gone++) this.pieces[this.gone] = undefined
  }
}

/** Dumps by what they contain. A dump is of no use once its database has changed. */
export class DumpCache {
  private readonly dumps = new Map<string, { readonly id: string; readonly dump: SharedText }>()

  constructor(private readonly clock: Clock) {}

  /** The initial contents of a monitor: whole when they are small, otherwise as pieces. */
  of(monitor: Monitor): { readonly whole: string } | { readonly whole: undefined; readonly pieces: Producer } {
    const dump = this.dump(monitor)
    const whole = dump.whole()
    return whole === undefined ? { whole, pieces: dump.reader() } : { whole }
  }

  private dump(monitor: Monitor): SharedText {
    const key = `${monitor.database.name} ${monitor.sharedKey}`
    const id = monitor.database.lastId
    const known = this.dumps.get(key)
    if (known?.id === id && known.dump.open) return known.dump
    known?.dump.seal()
    const entry = { id, dump: new SharedText(monitor.initial()) }
    this.dumps.set(key, entry)
    this.clock.after(KEEP, () => {
      entry.dump.seal()
      if (this.dumps.get(key) === entry) this.dumps.delete(key)
    })
    return entry.dump
  }
}
