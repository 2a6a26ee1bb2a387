import { describe, expect, test } from 'vitest'
import { type HaMember, serves } from './ha.ts'

const group = (...names: string[]): HaMember[] => names.map((name, i) => ({ uuid: name, name, priority: 100 - i }))
const serving = (members: readonly HaMember[], us: string | undefined, ...live: string[]) =>
  serves(members, us, (n) => live.includes(n), live.length > 0)

describe('who serves an HA group', () => {
  test.each([
    ['the first, others live', group('a', 'b'), 'a', ['b'], true],
    ['the second, the first live', group('a', 'b'), 'b', ['a'], false],
    ['the second, the first dead', group('a', 'b'), 'b', ['hv'], true],
    ['the first, cut off', group('a', 'b'), 'a', [], false],
    ['the only one, cut off', group('a'), 'a', [], true],
    ['not a member', group('a', 'b'), 'c', ['a'], false],
    ['unknown who we are', group('a'), undefined, [], false],
  ] as const)('%s', (_name, members, us, live, expected) => {
    expect(serving(members, us, ...live)).toBe(expected)
  })
})
