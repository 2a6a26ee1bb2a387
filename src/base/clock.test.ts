import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ClockScope, VirtualClock } from './clock.ts'

it('runs calls by time, then in the order they were made', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }),
      fc.array(fc.nat(59)),
      (delays, cancelled) => {
        const clock = new VirtualClock()
        const seen: [number, number][] = []
        const timers = delays.map((d, i) => clock.after(d, () => seen.push([clock.monotonic(), i])))
        const gone = new Set(cancelled)
        for (const i of gone) timers[i]?.cancel()
        clock.advance(7)
        expect(clock.monotonic()).toBe(7)
        clock.advance(13)
        const want = delays.map((d, i) => [d, i] as [number, number]).filter(([, i]) => !gone.has(i))
        want.sort((a, b) => a[0] - b[0] || a[1] - b[1])
        expect(seen).toEqual(want)
        expect(clock.next()).toBeUndefined()
      },
    ),
  )
})

it('settles the present moment and no other', () => {
  const clock = new VirtualClock()
  const seen: string[] = []
  clock.after(0, () => clock.after(0, () => seen.push('chained')))
  clock.after(1, () => seen.push('later'))
  expect(clock.settle()).toBe(2)
  expect(seen).toEqual(['chained'])
  expect(clock.next()).toBe(clock.now() + 1)
})

it('names a loop that never settles', () => {
  const clock = new VirtualClock()
  const loop = () => void clock.after(0, loop)
  loop()
  expect(() => clock.settle(1000)).toThrow('virtual time does not settle: 1000 calls at one moment')
})

it('throws away a scope with all that waits on it', () => {
  const clock = new VirtualClock()
  const scope = new ClockScope(clock)
  const seen: string[] = []
  scope.after(1, () => seen.push('early'))
  scope.after(5, () => seen.push('cancelled')).cancel()
  clock.advance(2)
  scope.after(5, () => seen.push('late'))
  scope.after(0, () => seen.push('soon'))
  scope.close()
  scope.after(1, () => seen.push('after'))
  expect(scope.now()).toBe(clock.now())
  clock.advance(10)
  expect(seen).toEqual(['early'])
  expect(clock.next()).toBeUndefined()
})
