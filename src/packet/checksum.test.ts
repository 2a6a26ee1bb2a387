import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Writer } from '../base/bytes.ts'
import { checksum, crc32c, updateChecksum16, updateChecksum32, updateChecksum128 } from './checksum.ts'

describe('checksum', () => {
  test('example of RFC 1071 §3', () => {
    expect(checksum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7))).toBe(~0xddf2 & 0xffff)
  })

  test('crc32c of the check string', () => {
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283)
  })

  // Both zeros of ones' complement are one value: 0 and 0xffff may stand for each other.
  const same = (a: number, b: number) => a % 0xffff === b % 0xffff
  const u128 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n })

  test('incremental updates agree with a new sum', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(0xffffffff), u128, u128, (rest, v, a, b) => {
        const bytes = (word: number, address: bigint) => new Writer().u32(word).u128(address).bytes(rest).done()
        const before = checksum(bytes(0x01020304, a))
        const after = updateChecksum128(updateChecksum32(before, 0x01020304, v), a, b)
        expect(same(after, checksum(bytes(v, b)))).toBe(true)
        const low = (0x01020000 | (v & 0xffff)) >>> 0
        expect(same(updateChecksum16(before, 0x0304, v & 0xffff), checksum(bytes(low, a)))).toBe(true)
      }),
    )
  })

  test('the case that RFC 1624 §4 is about', () => {
    expect(updateChecksum16(0xdd2f, 0x5555, 0x3285)).toBe(0x0000)
  })
})
