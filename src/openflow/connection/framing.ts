import { concatBytes } from '../../base/bytes.ts'

const HEADER = 8

/** Cuts a stream of bytes into OpenFlow messages by the length in their headers. */
export class Framer {
  private parts: Uint8Array[] = []
  private held = 0

  /**
   * Takes bytes and calls `emit` for each whole message, header and all.
   * @returns false for a header whose length is below its own 8 bytes: the stream cannot be followed further.
   */
  push(bytes: Uint8Array, emit: (message: Uint8Array) => void): boolean {
    this.parts.push(bytes)
    this.held += bytes.length
    let buffer = this.parts.length === 1 ? bytes : undefined
    let at = 0
    for (;;) {
      const left = this.held - at
      if (left < HEADER) break
      buffer ??= concatBytes(...this.parts)
      const length = ((buffer[at + 2] as number) << 8) | (buffer[at + 3] as number)
      if (length < HEADER) return false
      if (left < length) break
      emit(buffer.subarray(at, at + length))
      at += length
    }
    if (buffer) {
      this.parts = at < this.held ? [buffer.subarray(at)] : []
      this.held -= at
    }
    return true
  }
}
