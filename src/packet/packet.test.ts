import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromHex, toHex } from '../base/bytes.ts'
import { unwrap } from '../base/result.ts'
import { craft, decodeFrame, encodeFrame } from './packet.ts'
import { badChecksums, damage, packetSpecs } from './samples.test-data.ts'

describe('frames', () => {
  test('are decoded whole, with right checksums, and encoded to the same bytes', () => {
    fc.assert(
      fc.property(packetSpecs, (spec) => {
        const frame = craft(spec)
        const packet = unwrap(decodeFrame(frame))
        expect(packet.malformed).toBeUndefined()
        expect(badChecksums(packet)).toBe(false)
        expect(packet).toMatchObject({ ...(spec.udp && { udp: spec.udp }), ...(spec.tcp && { tcp: spec.tcp }) })
        expect(toHex(encodeFrame(packet))).toBe(toHex(frame))
      }),
      { numRuns: 500 },
    )
  })

  test('survive damage: no exception, and the same bytes again', () => {
    fc.assert(
      fc.property(packetSpecs, damage, (spec, hurt) => {
        const frame = hurt(craft(spec))
        const packet = decodeFrame(frame)
        if (packet.ok) expect(toHex(encodeFrame(packet.value))).toBe(toHex(frame))
        else expect(frame.length).toBeLessThan(22)
      }),
      { numRuns: 2000 },
    )
  })

  test('of noise do not throw', () => {
    fc.assert(
      fc.property(fc.constantFrom('0800', '86dd', '0806', '8100'), fc.uint8Array({ maxLength: 120 }), (type, noise) => {
        const head = fromHex(`ffffffffffff fa163e000001 ${type}`) as Uint8Array
        const frame = new Uint8Array([...head, ...noise])
        const packet = decodeFrame(frame)
        if (packet.ok) expect(toHex(encodeFrame(packet.value))).toBe(toHex(frame))
      }),
      { numRuns: 1000 },
    )
  })

  test('keep link padding', () => {
    const arp = craft({
      eth: { dst: 1, src: 2 },
      arp: { op: 1, sha: 2, spa: 3, tha: 0, tpa: 4 },
    })
    const padded = new Uint8Array(60)
    padded.set(arp)
    const packet = unwrap(decodeFrame(padded))
    expect(packet.padding.length).toBe(18)
    expect(encodeFrame(packet)).toEqual(padded)
  })

  test('a changed layer gets its checksums anew', () => {
    const frame = craft({
      eth: { dst: 1, src: 2 },
      ip4: { src: 0x0a000001, dst: 0x0a000002 },
      udp: { src: 1, dst: 2, payload: new Uint8Array(3) },
    })
    const packet = unwrap(decodeFrame(frame))
    if (!packet.ip4) throw new Error('no IPv4')
    const changed = unwrap(decodeFrame(encodeFrame({ ...packet, ip4: { ...packet.ip4, dst: 0x08080808, ttl: 9 } })))
    expect(badChecksums(changed)).toBe(false)
    expect(changed.ip4?.dst).toBe(0x08080808)
  })
})
