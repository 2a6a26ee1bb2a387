import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Lab, type Maker } from './ovsdb-lab.ts'
import { type Outcomes, PROGRAMS, type Program, workday } from './ovsdb-workload.ts'
import type { Release } from './reference.ts'

// The tables of docs/COMPATIBILITY.md about programs of other releases: each cell is run here. A cell is
// `yes` when what comes of the work is what comes of it on the real server. UPDATE=1 writes the tables.

const RELEASES: readonly Release[] = ['23.03', '25.03', '26.03']
const DOCUMENT = 'docs/COMPATIBILITY.md'

const lab = new Lab()
beforeAll(() => lab.prepare('ovsdb-server', ...PROGRAMS))
afterAll(() => lab.close())

const known = new Map<string, Promise<Outcomes>>()
/** Each combination is worked through once. */
function outcomes(programs: Maker, server: Maker, schemas: Release): Promise<Outcomes> {
  const key = [programs, server, schemas].join()
  const run = known.get(key) ?? workday(lab, programs, server, schemas)
  known.set(key, run)
  return run
}

/** That the day's work was done, and not only refused alike. */
const worked = (outcome: Outcomes): string[] => {
  const signs: readonly (readonly [string, Program, RegExp])[] = [
    ['flows', 'ovn-northd', /^sync 0\n(?:.*\n)*.*,ingress,/],
    ['bound', 'ovn-controller', /^UUID,p$/m],
    ['added', 'ovn-nbctl', /lb-add lb .* -> 0/],
    ['ports', 'ovs-vsctl', /list-ports br0 -> 0\n\neth8/],
    ['chassis', 'ovn-sbctl', /lsp-bind q other -> 0/],
    ['converted', 'ovsdb-client', /convert SERVER SCHEMA -> 0/],
  ]
  return signs.filter(([, program, sign]) => sign.test(outcome[program])).map(([name]) => name)
}

/** Cells by table, row and column. */
const cells = new Map<string, string>()
const put = (key: readonly string[], same: boolean) => cells.set(key.join(), same ? 'yes' : 'no')

describe.each(RELEASES)('the real programs of %s', { timeout: 900_000 }, (release) => {
  test.each(release === '26.03' ? [release] : [release, '26.03' as const])(
    'on our server with the schemas of %s',
    async (schemas) => {
      const real = await outcomes(release, schemas, schemas)
      const ours = await outcomes(release, 'ours', schemas)
      for (const program of PROGRAMS) put(['their', program, release, schemas], ours[program] === real[program])
      expect(worked(real)).toEqual(['flows', 'bound', 'added', 'ports', 'chassis', 'converted'])
      expect(ours).toEqual(real)
    },
  )
})

describe.each(RELEASES)('our programs on the real server of %s', { timeout: 900_000 }, (release) => {
  test('do what they do on ours', async () => {
    const real = await outcomes('ours', release, release)
    const ours = await outcomes('ours', 'ours', release)
    for (const program of PROGRAMS) put(['our', program, release], real[program] === ours[program])
    expect(real).toEqual(ours)
  })
})

function tables(): string {
  const cell = (...key: string[]) => cells.get(key.join()) ?? 'not run'
  const theirs = PROGRAMS.flatMap((program) =>
    RELEASES.map(
      (r) => `| ${program} | ${r} | ${cell('their', program, r, r)} | ${cell('their', program, r, '26.03')} |`,
    ),
  )
  const ours = PROGRAMS.map(
    (program: Program) => `| ${program} | ${RELEASES.map((r) => cell('our', program, r)).join(' | ')} |`,
  )
  return [
    '| real program | of | our server, schemas of its release | our server, schemas of 26.03 |',
    '|---|---|---|---|',
    ...theirs,
    '',
    `| our program | ${RELEASES.map((r) => `real server of ${r}`).join(' | ')} |`,
    '|---|---|---|---|',
    ...ours,
  ].join('\n')
}

test('the document says so', () => {
  const text = readFileSync(DOCUMENT, 'utf8')
  const [begin, end] = ['<!-- releases: made by tests/peers/ovsdb-releases.test.ts -->\n', '\n<!-- end of releases -->']
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  expect(from).toBeGreaterThan(0)
  const made = tables()
  if (process.env['UPDATE']) writeFileSync(DOCUMENT, text.slice(0, from + begin.length) + made + text.slice(to))
  else expect(text.slice(from + begin.length, to)).toBe(made)
})
