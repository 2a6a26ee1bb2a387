import type { Reader, Writer } from '../../base/bytes.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A text in a field of n bytes, ended by a zero byte if shorter. */
export function readText(r: Reader, n: number): string {
  const bytes = r.take(n)
  const end = bytes.indexOf(0)
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end))
}

/** A text in a field of n bytes, cut so that a zero byte follows. */
export function writeText(w: Writer, text: string, n: number): void {
  const bytes = encoder.encode(text).subarray(0, n - 1)
  w.bytes(bytes).zeros(n - bytes.length)
}
