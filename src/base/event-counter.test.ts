import { expect, it } from 'vitest'
import { eventCounter, eventCounters } from './event-counter.ts'

it('gives one counter to all who name it', () => {
  eventCounter('test_event').hit()
  eventCounter('test_event').hit(2)
  expect(eventCounter('test_event').total).toBe(3)
  expect([...eventCounters()].filter((c) => c.name === 'test_event')).toHaveLength(1)
})
