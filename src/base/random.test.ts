import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { seeded, uuid4 } from './random.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes of the heap that each of many values keeps alive. */
function bytesEach<T>(count: number, make: () => T): number {
  const kept = new Array<T | undefined>(count).fill(undefined)
  collect()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < count; i++) kept[i] = make()
  collect()
  const used = process.memoryUsage().heapUsed - before
  expect(kept.length).toBe(count)
  return used / count
}

it('a uuid is of version 4, and the same again from the same seed', () => {
  const uuid = uuid4(seeded(1))
  expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(uuid4(seeded(1))).toBe(uuid)
})

it('a uuid keeps its own characters alive and nothing else', () => {
  const random = seeded(1)
  // 36 characters, a head of 12 bytes; made of its parts it would keep five strings and more
  const each = [1, 2, 3].map(() => bytesEach(20_000, () => uuid4(random)))
  expect(Math.min(...each)).toBeLessThan(80)
  const hex = (digits: number) => uuid4(random).slice(0, digits)
  const parts = () => `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(8)}`
  // what is measured does tell the difference
  expect(bytesEach(20_000, parts)).toBeGreaterThan(80)
})
