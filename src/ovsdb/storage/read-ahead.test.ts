import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bytesFile, type LogFile } from './files.ts'
import { ReadAhead } from './read-ahead.ts'

const MEBI = 1 << 20

it('reads the bytes that stand there, whatever was read before', () => {
  const bytes = new Uint8Array(3 * MEBI + 5).map((_, i) => (i * 31 + (i >> 8)) & 0xff)
  const size = bytes.length
  const near = fc.integer({ min: 0, max: 300 })
  const position = fc.oneof(
    fc.integer({ min: 0, max: size }),
    fc.constantFrom(0, MEBI, 2 * MEBI, size).chain((at) => near.map((n) => Math.max(0, at - n))),
  )
  const length = fc.oneof(near, fc.integer({ min: 0, max: size }))
  fc.assert(
    fc.property(fc.array(fc.tuple(position, length), { maxLength: 30 }), (reads) => {
      const ahead = new ReadAhead(bytesFile(bytes))
      const got = reads.map(([at, n]) => ahead.read(at, n))
      // Compared at the end: what was read first has not changed under its reader's hands.
      reads.forEach(([at, n], i) => {
        expect(Buffer.compare(got[i] as Uint8Array, bytes.subarray(at, at + n))).toBe(0)
      })
    }),
    { numRuns: 50 },
  )
})

it('reads a file of small records with few calls', () => {
  let calls = 0
  const bytes = new Uint8Array(4 * MEBI)
  const file: Pick<LogFile, 'size' | 'read'> = {
    size: bytes.length,
    read(position, length) {
      calls++
      return bytes.slice(position, position + length)
    },
  }
  const ahead = new ReadAhead(file)
  for (let at = 0; at < file.size; at += 100) ahead.read(at, 128)
  expect(calls).toBeLessThan(10)
})
