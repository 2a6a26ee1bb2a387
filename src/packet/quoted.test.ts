import fc from 'fast-check'
import { expect, test } from 'vitest'
import { unwrap } from '../base/result.ts'
import { craft } from './packet.ts'
import { parseQuoted } from './quoted.ts'
import { damage, packetSpecs } from './samples.test-data.ts'

test('the ports of a cut packet', () => {
  const udp = { src: 1000, dst: 2000, payload: new Uint8Array(100) }
  const four = craft({ eth: { dst: 0, src: 0 }, ip4: { src: 1, dst: 2 }, udp }).subarray(14, 14 + 28)
  expect(unwrap(parseQuoted(four))).toMatchObject({ src: 1, dst: 2, length: 128, ports: { src: 1000, dst: 2000 } })
  const six = craft({ eth: { dst: 0, src: 0 }, ip6: { src: 1n, dst: 2n }, udp }).subarray(14, 14 + 48)
  expect(unwrap(parseQuoted(six))).toMatchObject({ src: 1n, dst: 2n, length: 148, ports: { src: 1000, dst: 2000 } })
})

test('hostile quotations give an error at most', () => {
  fc.assert(
    fc.property(packetSpecs, damage, fc.uint8Array({ maxLength: 80 }), (spec, hurt, noise) => {
      parseQuoted(hurt(craft(spec).subarray(14)))
      parseQuoted(noise)
    }),
    { numRuns: 1000 },
  )
})
