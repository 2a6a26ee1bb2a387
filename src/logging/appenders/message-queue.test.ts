import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Message, MessageQueue } from './message-queue.ts'

it('gives back in order what it took, whatever comes and goes between', () => {
  const step = fc.oneof(
    fc.record({ push: fc.oneof(fc.string(), fc.uint8Array()), times: fc.integer({ min: 1, max: 3000 }) }),
    fc.record({ shift: fc.integer({ min: 1, max: 3000 }) }),
    fc.record({ take: fc.integer({ min: 0, max: 500 }) }),
    fc.constant('clear' as const),
  )
  fc.assert(
    fc.property(fc.array(step), fc.integer({ min: 0, max: 500_000 }), (steps, limit) => {
      const queue = new MessageQueue(limit)
      let model: Message[] = []
      for (const s of steps) {
        if (s === 'clear') {
          expect(queue.clear()).toBe(model.length)
          model = []
        } else if ('push' in s) {
          for (let i = 0; i < s.times; i++) {
            const kept = [...model, s.push].length === 1 || sizeOf(model) + s.push.length + 64 <= limit
            expect(queue.push(s.push)).toBe(kept)
            if (!kept) break
            model.push(s.push)
            if (model.length > 50) break
          }
        } else if ('shift' in s) {
          for (let i = 0; i < s.shift && model.length; i++) expect(queue.shift()).toBe(model.shift())
          if (model.length === 0) expect(queue.shift()).toBeUndefined()
        } else {
          const taken = queue.take(s.take)
          expect(taken).toEqual(model.splice(0, taken.length))
          const together = taken.reduce((sum, m) => sum + m.length, 0)
          expect(taken.length <= 1 || together <= s.take).toBe(true)
          expect(model[0] === undefined || (taken.length > 0 && together + model[0].length > s.take)).toBe(true)
        }
        expect([queue.length, queue.peek()]).toEqual([model.length, model[0]])
      }
    }),
    { numRuns: 100 },
  )
})

function sizeOf(messages: readonly Message[]): number {
  return messages.reduce((sum, m) => sum + m.length + 64, 0)
}

it('keeps thousands in order while they go one by one', () => {
  const queue = new MessageQueue(10_000_000)
  for (let i = 0; i < 10_000; i++) queue.push(String(i))
  for (let i = 0; i < 10_000; i++) {
    expect(queue.shift()).toBe(String(i))
    if (i % 3 === 0) queue.push(String(10_000 + i / 3))
  }
  expect([queue.length, queue.peek()]).toEqual([3334, '10000'])
})
