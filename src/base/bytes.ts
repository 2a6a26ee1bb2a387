import { err, ok, type Result } from './result.ts'

/** Thrown by a Reader that is asked for more than there is; `parse` turns it into a Result. */
export class Truncated extends Error {
  constructor(
    readonly need: number,
    readonly have: number,
  ) {
    super(`truncated: ${need} bytes needed, ${have} left`)
  }
}

/** Thrown inside a parser for a value that the format forbids; `parse` turns it into a Result. */
export class Malformed extends Error {}

/** Runs a parser over bytes from outside: truncated and malformed input become an error, bugs do not. */
export function parse<T>(bytes: Uint8Array, read: (reader: Reader) => T): Result<T> {
  try {
    return ok(read(new Reader(bytes)))
  } catch (e) {
    if (e instanceof Truncated || e instanceof Malformed) return err(e.message)
    throw e
  }
}

/** Reads network byte order from a view of bytes; nothing is copied except by `copy`. */
export class Reader {
  private readonly view: DataView
  constructor(
    readonly bytes: Uint8Array,
    public at = 0,
    readonly end = bytes.length,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get left(): number {
    return this.end - this.at
  }

  private need(n: number): number {
    if (n < 0 || this.end - this.at < n) throw new Truncated(n, this.end - this.at)
    const at = this.at
    this.at += n
    return at
  }

  u8(): number {
    return this.view.getUint8(this.need(1))
  }
  u16(): number {
    return this.view.getUint16(this.need(2))
  }
  u24(): number {
    const at = this.need(3)
    return (this.view.getUint8(at) << 16) | this.view.getUint16(at + 1)
  }
  u32(): number {
    return this.view.getUint32(this.need(4))
  }
  /** 48 bits, as a MAC address: below 2^53, so a number. */
  u48(): number {
    const at = this.need(6)
    return this.view.getUint16(at) * 0x1_0000_0000 + this.view.getUint32(at + 2)
  }
  u64(): bigint {
    return this.view.getBigUint64(this.need(8))
  }
  u128(): bigint {
    const at = this.need(16)
    return (this.view.getBigUint64(at) << 64n) | this.view.getBigUint64(at + 8)
  }
  /** A view of the next n bytes. */
  take(n: number): Uint8Array {
    const at = this.need(n)
    return this.bytes.subarray(at, at + n)
  }
  copy(n: number): Uint8Array {
    return this.take(n).slice()
  }
  rest(): Uint8Array {
    return this.take(this.left)
  }
  skip(n: number): void {
    this.need(n)
  }
  /** A reader of the next n bytes alone. */
  sub(n: number): Reader {
    const at = this.need(n)
    return new Reader(this.bytes, at, at + n)
  }
}

/** Writes network byte order into a buffer that grows. */
export class Writer {
  private buffer: Uint8Array
  private view: DataView
  length = 0

  constructor(capacity = 128) {
    this.buffer = new Uint8Array(capacity)
    this.view = new DataView(this.buffer.buffer)
  }

  private grow(n: number): number {
    const at = this.length
    const end = at + n
    if (end > this.buffer.length) {
      const next = new Uint8Array(Math.max(end, this.buffer.length * 2))
      next.set(this.buffer)
      this.buffer = next
      this.view = new DataView(next.buffer)
    }
    this.length = end
    return at
  }

  u8(v: number): this {
    const at = this.grow(1)
    this.view.setUint8(at, v)
    return this
  }
  u16(v: number): this {
    const at = this.grow(2)
    this.view.setUint16(at, v)
    return this
  }
  u24(v: number): this {
    return this.u8(v >>> 16).u16(v & 0xffff)
  }
  u32(v: number): this {
    const at = this.grow(4)
    this.view.setUint32(at, v)
    return this
  }
  u48(v: number): this {
    return this.u16(Math.floor(v / 0x1_0000_0000)).u32(v % 0x1_0000_0000)
  }
  u64(v: bigint): this {
    const at = this.grow(8)
    this.view.setBigUint64(at, BigInt.asUintN(64, v))
    return this
  }
  u128(v: bigint): this {
    return this.u64(v >> 64n).u64(v)
  }
  bytes(v: Uint8Array): this {
    const at = this.grow(v.length)
    this.buffer.set(v, at)
    return this
  }
  zeros(n: number): this {
    const at = this.grow(n)
    this.buffer.fill(0, at, at + n)
    return this
  }
  /** Zero bytes up to a multiple of n, counted from `from`. */
  align(n: number, from = 0): this {
    const over = (this.length - from) % n
    return over ? this.zeros(n - over) : this
  }
  /** Overwrites two bytes written earlier: a length or checksum known only now. */
  patch16(at: number, v: number): void {
    this.view.setUint16(at, v)
  }
  patch32(at: number, v: number): void {
    this.view.setUint32(at, v)
  }
  /** What was written, as a view: do not write on after this. */
  done(): Uint8Array {
    return this.buffer.subarray(0, this.length)
  }
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))

export function toHex(bytes: Uint8Array, separator = ''): string {
  let s = ''
  for (let i = 0; i < bytes.length; i++) s += (i && separator ? separator : '') + HEX[bytes[i] as number]
  return s
}

/** Bytes from hexadecimal digits (blanks, colons and dots between them are skipped); undefined if it is none. */
export function fromHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/[\s:.]/g, '')
  if (digits.length % 2 || /[^0-9a-fA-F]/.test(digits)) return undefined
  const out = new Uint8Array(digits.length / 2)
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)
  return out
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const p of parts) {
    out.set(p, at)
    at += p.length
  }
  return out
}
