import { expect, it } from 'vitest'
import { VirtualClock } from './clock.ts'
import { WarpClock } from './warp-clock.ts'

function clocks() {
  const below = new VirtualClock(0)
  const clock = new WarpClock(below)
  const seen: string[] = []
  const note = (name: string) => () => void seen.push(`${name}@${clock.monotonic()}`)
  return { below, clock, seen, note }
}

it('is the clock below as long as nobody stops it', () => {
  const { below, clock, seen, note } = clocks()
  clock.after(10, note('a'))
  clock.after(20, note('b')).cancel()
  clock.after(0, note('now'))
  below.advance(30)
  expect(seen).toEqual(['now@0', 'a@10'])
  expect(clock.now()).toBe(30)
})

it('stands when stopped, and moves as it is told', () => {
  const { below, clock, seen, note } = clocks()
  clock.after(10, note('a'))
  below.advance(5)
  clock.stop()
  clock.after(5, () => {
    note('b')()
    clock.after(1, note('c'))
  })
  clock.after(100, note('cancelled')).cancel()
  clock.after(0, note('at once'))
  below.advance(1000)
  expect(seen).toEqual(['at once@5'])
  clock.warp(3)
  expect(clock.monotonic()).toBe(8)
  clock.warp(3)
  expect(seen).toEqual(['at once@5', 'a@10', 'b@10', 'c@11'])
  expect(clock.now()).toBe(11)
})

it('jumps while it runs', () => {
  const { below, clock, seen, note } = clocks()
  clock.after(100, note('a'))
  clock.after(200, note('b'))
  clock.warp(150)
  below.advance(0)
  expect(seen).toEqual(['a@150'])
  below.advance(49)
  expect(seen).toHaveLength(1)
  below.advance(1)
  expect(seen).toEqual(['a@150', 'b@200'])
})
