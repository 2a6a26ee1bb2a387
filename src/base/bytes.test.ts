import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromHex, parse, Reader, toHex, Writer } from './bytes.ts'

describe('Writer', () => {
  test('grows at any width, from any capacity, and the Reader reads it back', () => {
    const item = fc.oneof(
      fc.record({ w: fc.constant('u8' as const), v: fc.nat(0xff) }),
      fc.record({ w: fc.constant('u16' as const), v: fc.nat(0xffff) }),
      fc.record({ w: fc.constant('u24' as const), v: fc.nat(0xffffff) }),
      fc.record({ w: fc.constant('u32' as const), v: fc.nat(0xffffffff) }),
      fc.record({ w: fc.constant('u48' as const), v: fc.nat(0xffffffffffff) }),
      fc.record({ w: fc.constant('u64' as const), v: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }) }),
      fc.record({ w: fc.constant('u128' as const), v: fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }) }),
    )
    fc.assert(
      fc.property(fc.array(item), fc.nat(9), (items, capacity) => {
        const w = new Writer(capacity)
        for (const i of items) {
          if (i.w === 'u64' || i.w === 'u128') w[i.w](i.v)
          else w[i.w](i.v)
        }
        const r = new Reader(w.done())
        for (const i of items) expect(r[i.w]()).toBe(i.v)
        expect(r.left).toBe(0)
      }),
    )
  })
})

describe('parse', () => {
  test('turns truncation into an error and lets bugs through', () => {
    expect(parse(Uint8Array.of(1), (r) => r.u16())).toEqual({
      ok: false,
      error: 'truncated: 2 bytes needed, 1 left',
    })
    expect(() =>
      parse(Uint8Array.of(1), () => {
        throw new TypeError('bug')
      }),
    ).toThrow('bug')
  })
})

test('hexadecimal there and back', () => {
  fc.assert(fc.property(fc.uint8Array(), (b) => expect(fromHex(toHex(b, ':'))).toEqual(new Uint8Array(b))))
})
