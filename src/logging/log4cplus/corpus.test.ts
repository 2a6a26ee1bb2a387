import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { CORPUS, events } from './corpus.ts'
import { type Outcome, ours } from './corpus-run.ts'

// The bytes that the real log4cplus wrote (tests/peers/log4cplus.test.ts), for machines without it.
const expected = JSON.parse(readFileSync(join(import.meta.dirname, 'corpus.expected.json'), 'utf8')) as Record<
  string,
  Outcome
>

const root = mkdtempSync(join(tmpdir(), 'log4cplus-'))
const zone = process.env['TZ']
beforeAll(() => {
  process.env['TZ'] = 'UTC'
})
afterAll(() => {
  if (zone === undefined) delete process.env['TZ']
  else process.env['TZ'] = zone
  rmSync(root, { recursive: true })
})

it('has the recorded bytes of each case', () =>
  expect(Object.keys(CORPUS).sort()).toEqual(Object.keys(expected).sort()))

it.each(Object.entries(CORPUS).map(([name, c], i) => ({ name, i, given: typeof c === 'string' ? { text: c } : c })))(
  '$name',
  ({ name, i, given }) => {
    const { warnings: _, ...got } = ours(given, join(root, String(i)), events(given))
    expect(got).toEqual(expected[name])
  },
)
