import { expect, it } from 'vitest'
import { SystemClock } from './clock.ts'

it('runs what is due in order, and what a call adds after it', async () => {
  const clock = new SystemClock()
  const seen: string[] = []
  await new Promise<void>((done) => {
    clock.after(0, () => {
      seen.push('a')
      clock.after(0, () => {
        seen.push('c')
        done()
      })
    })
    clock.after(0, () => seen.push('x')).cancel()
    clock.after(0, () => seen.push('b'))
  })
  expect(seen).toEqual(['a', 'b', 'c'])
})

it('lets sockets and timers in while due calls go on', async () => {
  const clock = new SystemClock(1)
  let spins = 0
  let stop = false
  const spin = () => {
    spins++
    if (!stop) clock.after(0, spin)
  }
  clock.after(0, spin)
  await new Promise<void>((done) => {
    const look = () => {
      stop = spins > 1
      if (stop) done()
      else clock.after(1, look)
    }
    clock.after(1, look)
  })
  expect(spins).toBeGreaterThan(1)
})
