import fc from 'fast-check'
import { expect, it } from 'vitest'
import { strftime } from './strftime.ts'

const at = Date.UTC(2026, 10, 2, 21, 5, 8)

// As the C library (glibc 2.36) writes them.
it.each([
  ['%Y-%m-%d %H:%M:%S', '2026-11-02 21:05:08'],
  ['%-d|%_m|%-H|%_d|%0e|%-M', '2|11|21| 2|02|5'],
  ['%5d|%-5d|%_5d|%5e|%05e|%10Y', '00002|    2|    2|    2|00002|0000002026'],
  ['%^a|%#b|%^B|%#p|%#Z|%^P', 'MON|NOV|NOVEMBER|pm|utc|pm'],
  ['%8a|%-8a|%08p|%20F', '     Mon|     Mon|000000PM|          2026-11-02'],
  ['%Ey|%Od|%Ec', '26|02|Mon Nov  2 21:05:08 2026'],
  ['%j|%-j|%U|%W|%V|%u|%w', '306|306|44|44|45|1|1'],
  ['%12s', '  1793653508'],
  ['%Ed|%Oa|%J|%', '%Ed|%Oa|%J|%'],
])('%s', (pattern, text) => expect(strftime(pattern, at, true)).toBe(text))

it('never throws, nor fills the memory', () => {
  const part = fc.constantFrom(...'%-_0^#EOaAbBcdDeYzZs9', '99999999999')
  fc.assert(
    fc.property(fc.array(part), fc.integer(), (parts, ms) => strftime(parts.join(''), ms, false).length < 100_000),
  )
})
