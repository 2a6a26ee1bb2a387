import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fragmentIpv4, fragmentIpv6, Reassembler } from './fragments.ts'
import { ipv4 } from './ipv4.ts'
import { ipv6 } from './ipv6.ts'

const payloads = fc.uint8Array({ minLength: 1, maxLength: 4000 })

describe('fragments', () => {
  test('in any order give the packet back, each within the MTU', () => {
    fc.assert(
      fc.property(payloads, fc.integer({ min: 68, max: 1500 }), fc.infiniteStream(fc.nat()), (payload, mtu, order) => {
        const four = ipv4({ src: 1, dst: 2, protocol: 17, payload, df: false, id: 9 })
        const six = ipv6({ src: 1n, dst: 2n, protocol: 17, payload })
        const r = new Reassembler()
        const shuffled = <T>(list: T[]) => list.map((x) => [order.next().value, x] as const).sort((a, b) => a[0] - b[0])
        const parts4 = fragmentIpv4(four, mtu)
        expect(parts4.every((p) => 20 + p.payload.length <= mtu)).toBe(true)
        if (parts4.length > 1) {
          const got = shuffled(parts4).flatMap(([, p]) => r.add4(p, 0) ?? [])
          expect(got).toEqual([four])
        }
        const parts6 = fragmentIpv6(six, Math.max(mtu, 100), 5)
        if (parts6.length > 1) {
          const got = shuffled(parts6).flatMap(([, p]) => r.add6(p, 0) ?? [])
          expect(got).toEqual([six])
        }
        expect(r.size).toBe(0)
      }),
      { numRuns: 200 },
    )
  })

  test('overlaps and hostile offsets never make a packet or an exception', () => {
    const fragment = fc.record({
      offset: fc.nat(30).map((n) => n * 8),
      mf: fc.boolean(),
      payload: fc.uint8Array({ maxLength: 32 }),
    })
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 12 }), (parts) => {
        const r = new Reassembler()
        for (const f of parts) {
          const whole = r.add4(ipv4({ src: 1, dst: 2, protocol: 17, id: 1, df: false, ...f }), 0)
          if (whole) expect(whole.payload.length).toBeLessThanOrEqual(parts.reduce((n, p) => n + p.payload.length, 0))
        }
      }),
    )
  })

  test('time and number are limited', () => {
    const r = new Reassembler({ datagrams: 2, timeout: 1000 })
    const part = (id: number) => ipv4({ src: 1, dst: 2, protocol: 17, id, mf: true, payload: new Uint8Array(8) })
    for (const id of [1, 2, 3]) r.add4(part(id), id)
    expect(r.size).toBe(2)
    expect(r.expire(1002).map((p) => ('id' in p ? p.id : 0))).toEqual([2])
    expect(r.size).toBe(1)
  })
})
