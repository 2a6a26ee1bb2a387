import { expect, it } from 'vitest'
import { compareDatums, type Datum } from './index.ts'

it('orders values by size, then members or keys, then what the keys stand for', () => {
  const ascending: readonly Datum[] = [
    ...[undefined, 1, 2, 10, [1, 2], [1, 3], [2, 3], [1, 2, 3]],
    ...[
      new Map([
        ['a', '9'],
        ['b', '1'],
        ['c', ''],
        ['d', ''],
      ]),
      new Map([
        ['a', '1'],
        ['b', '1'],
        ['c', ''],
        ['e', ''],
      ]),
      new Map([
        ['a', '2'],
        ['b', '1'],
        ['c', ''],
        ['e', ''],
      ]),
    ],
  ]
  ascending.forEach((a, i) => {
    ascending.forEach((b, j) => {
      expect(Math.sign(compareDatums(a, b)), `${i} ${j}`).toBe(Math.sign(i - j))
    })
  })
  // By code points, as bytes are: not by halves of surrogate pairs.
  expect(compareDatums('\u{1f600}', '\uffff')).toBeGreaterThan(0)
})
