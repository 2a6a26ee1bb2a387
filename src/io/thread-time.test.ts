import { expect, test } from 'vitest'
import { threadTime } from './thread-time.ts'

function work(): number {
  let sum = 0
  for (let i = 0; i < 20_000_000; i++) sum += Math.sqrt(i)
  return sum
}

test.runIf(threadTime() !== undefined)('work takes time of the thread, waiting does not', () => {
  const start = threadTime() ?? 0
  work()
  const worked = (threadTime() ?? 0) - start
  expect(worked).toBeGreaterThan(1)
  const bell = new Int32Array(new SharedArrayBuffer(4))
  const before = threadTime() ?? 0
  Atomics.wait(bell, 0, 0, 300)
  expect((threadTime() ?? 0) - before).toBeLessThan(150)
})
