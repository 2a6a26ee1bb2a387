/** Randomness as a parameter: the system's in a daemon, a seeded one in tests and on virtual time. */
export interface Random {
  /** A whole number from 0 up to, not including, 2^32. */
  u32(): number
}

/** xorshift128-like generator: good enough for drawing numbers, not for secrets; repeatable. */
export function seeded(seed: number): Random {
  let a = seed >>> 0 || 0x9e3779b9
  let b = 0x243f6a88
  let c = 0xb7e15162
  let d = seed ^ 0xdeadbeef
  const next = () => {
    const t = b << 9
    let r = Math.imul(b, 5)
    r = Math.imul((r << 7) | (r >>> 25), 9)
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = (d << 11) | (d >>> 21)
    return r >>> 0
  }
  for (let i = 0; i < 16; i++) next()
  return { u32: next }
}

/** A whole number from 0 up to, not including, n. */
export function below(random: Random, n: number): number {
  return Math.floor((random.u32() / 0x1_0000_0000) * n)
}

const DIGITS = Array.from('0123456789abcdef', (c) => c.charCodeAt(0))
const codes = new Array<number>(36).fill('-'.charCodeAt(0))

function putHex(at: number, value: number, bytes: number): void {
  for (let i = 0, shift = bytes * 8 - 4; i < bytes * 2; i++, shift -= 4)
    codes[at + i] = DIGITS[(value >>> shift) & 15] as number
}

/**
 * A version 4 UUID (RFC 4122 §4.4). Made at once from its characters: a string put together from parts
 * keeps all of them alive, some ten times its size.
 */
export function uuid4(random: Random): string {
  putHex(0, random.u32(), 4)
  const b = (random.u32() & 0xffff0fff) | 0x4000
  putHex(9, b >>> 16, 2)
  putHex(14, b & 0xffff, 2)
  const c = (random.u32() & 0x3fffffff) | 0x80000000
  putHex(19, c >>> 16, 2)
  putHex(24, c & 0xffff, 2)
  putHex(28, random.u32(), 4)
  return String.fromCharCode(...codes)
}
