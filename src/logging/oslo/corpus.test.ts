import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { CORPUS, recordOf } from './corpus.ts'
import { EVENTS, type Outcome, ours, PID, place, pythonWith, theirs } from './corpus-run.ts'

const python = pythonWith('oslo_log')
const root = mkdtempSync(join(tmpdir(), 'oslo-'))
afterAll(() => rmSync(root, { recursive: true }))

// UPDATE_GOLDENS=1 writes anew what machines without oslo.log compare with.
const golden = join(import.meta.dirname, 'corpus.expected.json')

const digest = (outcome: Outcome) =>
  createHash('sha256')
    .update(JSON.stringify([Object.entries(outcome.files).sort(), outcome.out, outcome.err]))
    .digest('hex')

const digests: Record<string, string> = {}

describe.each(['UTC', 'America/New_York'])('the same bytes as oslo.log, %s', (zone) => {
  const cases = Object.entries(CORPUS).map(([name, text], i) => {
    const at = (side: string) => place(text, join(root, zone.replace('/', '-'), String(i), side))
    return { name: `${zone}: ${name}`, a: at('a'), b: at('b') }
  })
  const recorded: Readonly<Record<string, string>> = JSON.parse(readFileSync(golden, 'utf8'))
  const expected =
    python &&
    theirs(
      python,
      root,
      zone,
      cases.map((c) => c.a),
    )
  it.each(cases.map((c, i) => [c.name, c, i] as const))('%s', (name, c, i) => {
    const before = process.env['TZ']
    process.env['TZ'] = zone
    try {
      const got = ours(c.b.text, c.b.dir)
      if (!got.ok) throw new Error(got.error)
      digests[name] = digest(got.value)
      if (expected) expect(got).toEqual(expected[i])
      if (!process.env['UPDATE_GOLDENS']) expect(digests[name]).toBe(recorded[name])
    } finally {
      if (before === undefined) delete process.env['TZ']
      else process.env['TZ'] = before
    }
  })
})

afterAll(() => {
  if (python && process.env['UPDATE_GOLDENS']) writeFileSync(golden, `${JSON.stringify(digests, undefined, 1)}\n`)
})

describe.skipIf(python === undefined)("a file that is moved (needs Debian's python3-oslo.log)", () => {
  it('finds its file anew when it was moved away', () => {
    const text = '[DEFAULT]\nlog_file=@DIR@/x.log\n'
    const [a, b] = [place(text, join(root, 'moved', 'a')), place(text, join(root, 'moved', 'b'))]
    const given: unknown[] = EVENTS.map((e) => recordOf(e, PID))
    given.splice(9, 0, { rename: [join(a.dir, 'x.log'), join(a.dir, 'x.log.1')] })
    const [expected] = theirs(python ?? '', root, 'UTC', [{ ...a, events: given }])
    const got = ours(b.text, b.dir, (i) => {
      if (i === 9) renameSync(join(b.dir, 'x.log'), join(b.dir, 'x.log.1'))
    })
    // oslo.log writes at once, we when the file is looked at; both files together hold every line.
    const all = (r: typeof got | undefined) => (r?.ok ? Object.values(r.value.files).join('').length : r?.error)
    expect(got.ok && Object.keys(got.value.files)).toEqual(['x.log', 'x.log.1'])
    expect(all(got)).toBe(all(expected))
  })
})
