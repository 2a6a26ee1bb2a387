import { expect, it } from 'vitest'
import { VirtualClock } from './clock.ts'
import { streamPair } from './stream.ts'

it('carries bytes in order, holds back while paused, and closes once', () => {
  const clock = new VirtualClock()
  const [a, b] = streamPair(clock, ['unix', 'server'])
  expect(b.peer).toBe('unix')
  const seen: number[] = []
  let closed = 0
  let drained = 0
  b.onData = (bytes) => seen.push(...bytes)
  b.onClose = () => closed++
  a.onDrain = () => drained++
  b.pause()
  expect(a.write(Uint8Array.of(1, 2))).toBe(true)
  expect(a.write(new Uint8Array(70000))).toBe(false)
  clock.settle()
  expect(seen).toEqual([])
  expect(a.queued).toBe(70002)
  b.resume()
  clock.settle()
  expect(seen.length).toBe(70002)
  expect([a.queued, drained]).toEqual([0, 1])
  a.write(Uint8Array.of(9))
  a.close()
  clock.settle()
  expect(seen.at(-1)).toBe(9)
  expect(closed).toBe(1)
  expect(b.write(Uint8Array.of(1))).toBe(false)
})

it('drops what is on its way when it ends with an error', () => {
  const clock = new VirtualClock()
  const [a, b] = streamPair(clock)
  const seen: unknown[] = []
  b.onData = (bytes) => seen.push(bytes)
  b.onClose = (error) => seen.push(error?.message)
  a.write(Uint8Array.of(1))
  a.close(new Error('reset'))
  clock.settle()
  expect(seen).toEqual(['reset'])
})
