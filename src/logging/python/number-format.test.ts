import { expect, it } from 'vitest'
import { digits } from './number-format.ts'

// As CPython 3.11 prints them.
it.each([
  ['f', 2.5, 0, false, '2'],
  ['f', 3.5, 0, false, '4'],
  ['f', 2.5, 0, true, '2.'],
  ['f', 0.125, 2, false, '0.12'],
  ['f', 0.375, 2, false, '0.38'],
  ['f', -2.5, 0, false, '-2'],
  ['e', 850, 0, false, '8e+02'],
  ['e', 850, 0, true, '8.e+02'],
  ['e', 9.5, 0, false, '1e+01'],
  ['g', 850, 1, false, '8e+02'],
  ['g', 850, 0, true, '8.e+02'],
  ['g', 100000, undefined, true, '100000.'],
  ['g', 1e-5, undefined, false, '1e-05'],
  ['d', 14, 4, false, '0014'],
  ['x', 14, 4, false, '000e'],
  ['x', 14, 4, true, '0x000e'],
  ['X', 4242, undefined, true, '0X1092'],
  ['o', 8, undefined, true, '0o10'],
  ['x', -14, 3, true, '-0x00e'],
])('%s of %d', (letter, value, precision, alternate, text) => {
  expect(digits(letter, value, precision, alternate)).toBe(text)
})
