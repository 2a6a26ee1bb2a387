import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type Case, CORPUS, events } from '../../src/logging/log4cplus/corpus.ts'
import { type Outcome, ours } from '../../src/logging/log4cplus/corpus-run.ts'
import { buildDriver, theirs } from './log4cplus.ts'

// UPDATE_GOLDENS=1 writes anew what machines without the library compare with.
const golden = join(import.meta.dirname, '../../src/logging/log4cplus/corpus.expected.json')

const root = mkdtempSync(join(tmpdir(), 'log4cplus-'))
afterAll(() => rmSync(root, { recursive: true }))

const driver = buildDriver(root)
if (!driver) console.warn('skipped: g++ or liblog4cplus-dev is not installed')

const cases = Object.entries(CORPUS).map(([name, c], i) => ({
  ...{ name, i, given: typeof c === 'string' ? { text: c } : (c as Case) },
}))

describe.skipIf(!driver)('the same bytes as log4cplus', () => {
  it('has 40 configurations and more', () => expect(cases.length).toBeGreaterThanOrEqual(40))

  const recorded: Record<string, Outcome> = {}
  describe.each(['UTC', 'Asia/Kolkata', 'America/New_York'])('%s', (zone) => {
    it.each(cases)('$name', ({ name, i, given }) => {
      const dir = (side: string) => join(root, `${zone.replace('/', '-')}-${i}-${side}`)
      const { complaints, ...expected } = theirs(driver ?? '', given, dir('a'), events(given), zone)
      if (zone === 'UTC') recorded[name] = expected
      const before = process.env['TZ']
      process.env['TZ'] = zone
      try {
        const { warnings, ...got } = ours(given, dir('b'), events(given))
        expect(got).toEqual(expected)
        // Where log4cplus complains, so do we, and nowhere else.
        expect(warnings.length > 0, [...warnings, ...complaints].join('\n')).toBe(complaints.length > 0)
      } finally {
        if (before === undefined) delete process.env['TZ']
        else process.env['TZ'] = before
      }
    })
  })

  it('is what the recorded bytes are', () => {
    if (process.env['UPDATE_GOLDENS']) writeFileSync(golden, `${JSON.stringify(recorded, undefined, 1)}\n`)
    expect(recorded).toEqual(JSON.parse(readFileSync(golden, 'utf8')))
  })
})
