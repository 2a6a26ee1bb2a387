/** Distance of two sequence numbers, negative when `a` is before `b` (RFC 9293 §3.4). */
export function seqDiff(a: number, b: number): number {
  return (a - b) | 0
}

export function seqAdd(a: number, n: number): number {
  return (a + n) >>> 0
}

/** Bytes to send, from the first one not acknowledged; addressed by sequence number. */
export class SendBuffer {
  private chunks: Uint8Array[] = []
  /** Bytes held. */
  length = 0

  constructor(
    /** Sequence number of the first byte held. */
    public start: number,
  ) {}

  get end(): number {
    return seqAdd(this.start, this.length)
  }

  push(bytes: Uint8Array): void {
    if (!bytes.length) return
    this.chunks.push(bytes)
    this.length += bytes.length
  }

  /** A copy of at most `length` bytes from a sequence number on. */
  slice(seq: number, length: number): Uint8Array {
    let skip = seqDiff(seq, this.start)
    const out = new Uint8Array(Math.max(0, Math.min(length, this.length - skip)))
    let at = 0
    for (const chunk of this.chunks) {
      if (at === out.length) break
      if (skip >= chunk.length) {
        skip -= chunk.length
        continue
      }
      const part = chunk.subarray(skip, skip + out.length - at)
      out.set(part, at)
      at += part.length
      skip = 0
    }
    return out
  }

  /** Forgets what lies before a sequence number. */
  advance(seq: number): void {
    let n = Math.min(seqDiff(seq, this.start), this.length)
    if (n <= 0) return
    this.start = seqAdd(this.start, n)
    this.length -= n
    while (n > 0) {
      const first = this.chunks[0]
      if (!first) break
      if (first.length <= n) {
        n -= first.length
        this.chunks.shift()
      } else {
        this.chunks[0] = first.subarray(n)
        n = 0
      }
    }
  }
}

/** Segments that came ahead of their turn, and what of them is in order. */
export class Resequencer {
  private segments: { readonly seq: number; readonly bytes: Uint8Array }[] = []
  /** Segments kept at most; more are dropped, the sender will repeat them. */
  private static readonly MAX = 256

  /** @param next sequence number expected next. */
  constructor(public next: number) {}

  /** Takes a segment (within the window) and returns the bytes that are now in order. */
  add(seq: number, bytes: Uint8Array): Uint8Array[] {
    if (bytes.length && seqDiff(seqAdd(seq, bytes.length), this.next) > 0 && this.segments.length < Resequencer.MAX) {
      this.segments.push({ seq, bytes })
      this.segments.sort((a, b) => seqDiff(a.seq, b.seq))
    }
    const out: Uint8Array[] = []
    for (;;) {
      const first = this.segments[0]
      if (!first || seqDiff(first.seq, this.next) > 0) return out
      this.segments.shift()
      const fresh = first.bytes.subarray(seqDiff(this.next, first.seq))
      if (!fresh.length) continue
      this.next = seqAdd(this.next, fresh.length)
      out.push(fresh)
    }
  }

  /** Whether something waits for a gap to be filled. */
  get waiting(): boolean {
    return this.segments.length > 0
  }
}
