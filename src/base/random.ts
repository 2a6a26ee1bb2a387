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

/** A version 4 UUID (RFC 4122 §4.4). */
export function uuid4(random: Random): string {
  const h = (v: number) => v.toString(16).padStart(8, '0')
  const a = h(random.u32())
  const b = h(((random.u32() & 0xffff0fff) | 0x4000) >>> 0)
  const c = h(((random.u32() & 0x3fffffff) | 0x80000000) >>> 0)
  const d = h(random.u32())
  return `${a}-${b.slice(0, 4)}-${b.slice(4)}-${c.slice(0, 4)}-${c.slice(4)}${d}`
}
