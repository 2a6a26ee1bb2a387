import type { LogFile } from './files.ts'

/** How much of a file is read at once; what is longer is read by itself. */
const WINDOW = 1 << 20

/**
 * A file that is read from its beginning to its end: most of what is asked for has been read already, so that a
 * log of many small records does not cost two system calls each. Nothing may be written to the file meanwhile.
 */
export class ReadAhead implements Pick<LogFile, 'size' | 'read'> {
  readonly size: number
  private window: Uint8Array = new Uint8Array(0)
  private from = 0

  constructor(private readonly file: Pick<LogFile, 'size' | 'read'>) {
    this.size = file.size
  }

  /** As `LogFile.read`; the bytes stay as they are. */
  read(position: number, length: number): Uint8Array {
    const wanted = Math.min(length, this.size - position)
    if (wanted > WINDOW / 2) return this.file.read(position, length)
    if (position < this.from || position + wanted > this.from + this.window.length) {
      this.window = this.file.read(position, WINDOW)
      this.from = position
    }
    const at = position - this.from
    return this.window.subarray(at, at + wanted)
  }
}
