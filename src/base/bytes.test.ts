import fc from 'fast-check'
import { expect, it } from 'vitest'
import { concatBytes, equalBytes, fromHex, Malformed, parse, Reader, toHex, Writer } from './bytes.ts'

it('reads what it wrote, at any capacity', () => {
  fc.assert(
    fc.property(
      fc.record({
        a: fc.nat(0xff),
        b: fc.nat(0xffff),
        c: fc.nat(0xff_ffff),
        d: fc.nat(0xffff_ffff),
        e: fc.integer({ min: 0, max: 0xffff_ffff_ffff }),
        f: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        g: fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
        rest: fc.uint8Array(),
        capacity: fc.integer({ min: 1, max: 64 }),
      }),
      (v) => {
        const w = new Writer(v.capacity).u8(v.a).u16(v.b).u24(v.c).u32(v.d).u48(v.e).u64(v.f).u128(v.g).bytes(v.rest)
        const r = new Reader(w.done())
        expect([r.u8(), r.u16(), r.u24(), r.u32(), r.u48(), r.u64(), r.u128()]).toEqual([
          v.a,
          v.b,
          v.c,
          v.d,
          v.e,
          v.f,
          v.g,
        ])
        expect(equalBytes(r.rest(), v.rest)).toBe(true)
        expect(fromHex(toHex(w.done(), ':'))).toEqual(w.done().slice())
      },
    ),
  )
})

it('turns a short or forbidden input into an error, and lets bugs through', () => {
  expect(parse(new Uint8Array(3), (r) => r.u32())).toEqual({ ok: false, error: 'truncated: 4 bytes needed, 3 left' })
  expect(
    parse(new Uint8Array(3), () => {
      throw new Malformed('version 7')
    }),
  ).toEqual({ ok: false, error: 'version 7' })
  expect(() =>
    parse(new Uint8Array(3), () => {
      throw new TypeError('a bug')
    }),
  ).toThrow('a bug')
  expect(parse(new Uint8Array(8), (r) => r.sub(4).take(5)).ok).toBe(false)
  expect(parse(new Uint8Array(8), (r) => r.take(-1)).ok).toBe(false)
})

it('aligns, patches and joins', () => {
  const w = new Writer().u8(1).align(4).u16(0)
  w.patch16(4, 0xabcd)
  expect(toHex(w.done())).toBe('01000000abcd')
  expect(concatBytes(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3))).toEqual(Uint8Array.of(1, 2, 3))
  expect(fromHex('0g')).toBeUndefined()
  expect(fromHex('012')).toBeUndefined()
})
