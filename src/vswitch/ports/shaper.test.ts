import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { type QueueRates, Shaper } from './shaper.ts'

const rates = (over: Partial<QueueRates>): QueueRates => ({ minRate: 0, maxRate: 0, burst: 0, priority: 0, ...over })

/** Offers 1000 byte frames to queues as fast as they are taken, and counts bits a second over ten. */
function measure(maxRate: number, queues: Record<number, Partial<QueueRates>>): Record<number, number> {
  const clock = new VirtualClock()
  const got: Record<number, number> = {}
  const shaper = new Shaper(clock, (f) => (got[f[0] as number] = (got[f[0] as number] ?? 0) + f.length * 8), {
    maxRate,
    queues: new Map(Object.entries(queues).map(([id, q]) => [Number(id), rates(q)])),
  })
  const frame = (id: number) => new Uint8Array(1000).fill(id)
  for (let ms = 0; ms < 10_000; ms++) {
    for (const id of Object.keys(queues).map(Number)) for (let i = 0; i < 3; i++) shaper.offer(id, frame(id))
    clock.advance(1)
  }
  shaper.close()
  return Object.fromEntries(Object.entries(got).map(([id, bits]) => [id, Math.round(bits / 10 / 100_000) / 10]))
}

test('a ceiling holds, and what has none takes the rest', () => {
  expect(measure(10_000_000, { 1: { maxRate: 2_000_000 }, 2: { priority: 1 } })).toEqual({ 1: 2, 2: 8 })
})

test('guarantees come first, then priority decides', () => {
  expect(measure(10_000_000, { 1: { minRate: 3_000_000, priority: 5 }, 2: { priority: 1 } })).toEqual({ 1: 3, 2: 7 })
})

test('a burst passes at once, a full queue loses what comes', () => {
  const clock = new VirtualClock()
  let sent = 0
  const shaper = new Shaper(clock, () => sent++, {
    maxRate: 1_000_000_000,
    queues: new Map([[1, rates({ maxRate: 80_000, burst: 80_000 })]]),
  })
  const taken = Array.from({ length: 1100 }, () => shaper.offer(1, new Uint8Array(1000))).filter((t) => t).length
  expect(sent).toBe(10)
  expect(taken).toBe(1010)
  clock.advance(1000)
  expect(sent).toBe(20)
  expect(shaper.counters()[1]).toMatchObject({ queue: 1, packets: 20, dropped: 90 })
  // what names no queue is not held back
  shaper.offer(7, new Uint8Array(1000))
  expect(sent).toBe(21)
  shaper.close()
})
