import { expect, it } from 'vitest'
import { Trouble } from './trouble.ts'

function trouble() {
  const said: string[] = []
  const words = { begins: (reason: string) => `begins: ${reason}`, ends: (lost: number) => `ends, ${lost} lost` }
  return { said, it: new Trouble((message) => said.push(message), words) }
}

it('is said when it begins, and with the number of the lost when it is over', () => {
  const t = trouble()
  t.it.end(0)
  for (let time = 0; time < 5; time++) {
    t.it.lose(1, time)
    t.it.begin('full', time)
  }
  t.it.end(10)
  t.it.end(11)
  expect(t.said).toEqual(['begins: full', 'ends, 5 lost'])
})

it('that comes and goes is one trouble, which is over when nothing was lost for a while', () => {
  const t = trouble()
  for (let time = 0; time < 60_000; time += 10) {
    t.it.lose(1, time)
    t.it.begin('too slow', time)
    t.it.end(time + 5)
  }
  expect(t.said).toEqual(['begins: too slow', 'ends, 1 lost', 'begins: too slow'])
  t.it.end(69_000)
  expect(t.said).toHaveLength(3)
  t.it.end(70_000)
  expect(t.said.slice(3)).toEqual(['ends, 5999 lost'])
})

it('is over at once when the clock goes back', () => {
  const t = trouble()
  t.it.begin('full', 100_000)
  t.it.end(100_000)
  t.it.begin('full', 100_001)
  t.it.end(50_000)
  expect(t.said).toHaveLength(4)
})
