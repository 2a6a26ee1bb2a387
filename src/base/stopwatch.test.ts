import { expect, it } from 'vitest'
import { Stopwatch } from './stopwatch.ts'

it('prints its statistics as stopwatch/show does', () => {
  const watch = new Stopwatch('ovn-northd-loop')
  expect(watch.text).toBe(
    "Statistics for 'ovn-northd-loop'\n  Total samples: 0\n  Maximum: 0 msec\n  Minimum: 0 msec\n  95th percentile: 0.000000 msec\n" +
      '  Short term average: 0.000000 msec\n  Long term average: 0.000000 msec\n',
  )
  for (let ms = 1; ms <= 100; ms++) watch.sample(ms)
  expect(watch.text).toMatch(
    /samples: 100\n {2}Maximum: 100 msec\n {2}Minimum: 1 msec\n {2}95th percentile: 95\.0+ msec/,
  )
  expect(watch.text).toMatch(/Short term average: 99\.000000 msec\n/)
  expect(watch.last).toBe(100)
  watch.reset()
  expect(watch.samples).toBe(0)
  expect(watch.last).toBeUndefined()
})

it('tells of what took too long', () => {
  const watch = new Stopwatch('w')
  const long: number[] = []
  watch.onLong = (ms) => void long.push(ms)
  watch.sample(600)
  watch.limit = 500
  watch.sample(500)
  watch.sample(501)
  expect(long).toEqual([501])
})

it('keeps the percentile to the latest samples', () => {
  const watch = new Stopwatch('w')
  for (let i = 0; i < 300; i++) watch.sample(1000)
  for (let i = 0; i < 200; i++) watch.sample(1)
  expect(watch.text).toContain('95th percentile: 1.000000 msec')
  expect(watch.text).toContain('Maximum: 1000 msec')
})
