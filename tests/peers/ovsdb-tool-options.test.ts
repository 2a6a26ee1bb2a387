import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Lab, type Maker } from './ovsdb-lab.ts'
import { type Outcome, runLine, sortedJson } from './ovsdb-programs.ts'

// Options and wrong words of ovsdb-tool(1): the real tool and ours, one line after the other in folders with the same
// files. A row of a table is a command line.

const lab = new Lab()
const REAL: Maker = '26.03'
const MAKERS: readonly Maker[] = [REAL, 'ours']
const folder = (maker: Maker) => lab.at(`files.${maker}`)

const table = (columns: object) => ({ T: { columns, isRoot: true } })
const a = { a: { type: 'string' } }
const SCHEMAS: Readonly<Record<string, string>> = {
  'plain.ovsschema': JSON.stringify({ name: 'Plain', version: '1.0.0', cksum: '1 2', tables: table(a) }),
  'newer.ovsschema': JSON.stringify({
    name: 'Plain',
    version: '2.0.0',
    tables: table({ ...a, b: { type: 'string' } }),
  }),
  'conflict.ovsschema': JSON.stringify({ name: 'Plain', version: '3.0.0', tables: table({ a: { type: 'integer' } }) }),
  'unversioned.ovsschema': JSON.stringify({ name: 'Plain', tables: table(a) }),
  'other.ovsschema': JSON.stringify({ name: 'Other', tables: table(a) }),
  'nothing.ovsschema': '{"name":"X"}',
  'open.ovsschema': '{"name":"X","tables":{}\n',
  'array.ovsschema': '[]\n',
  'type.ovsschema': '{"name":"X","tables":{"T":{"columns":{"a":{"type":"strin"}}}}}',
  'name.ovsschema': '{"name":"1X","tables":{}}',
  'version.ovsschema': '{"name":"X","version":"1.2","tables":{}}',
  'member.ovsschema': '{"name":"X","tables":{},"foo":1}',
  text: 'text\n',
  empty: '',
}

beforeAll(async () => {
  await lab.prepare('ovsdb-tool')
  const whole = lab.at('whole')
  mkdirSync(whole)
  for (const [name, contents] of Object.entries(SCHEMAS)) writeFileSync(join(whole, name), contents)
  mkdirSync(join(whole, 'folder'))
  const real = (...words: string[]) => lab.run(REAL, 'ovsdb-tool', ...words.map((w) => w.replace('AT:', `${whole}/`)))
  await real('create', 'AT:plain.db', 'AT:plain.ovsschema')
  await real('transact', 'AT:plain.db', '["Plain",{"op":"insert","table":"T","row":{"a":"x y"}}]')
  await real('create-cluster', 'AT:cluster', 'AT:plain.ovsschema', 'tcp:127.0.0.1:16789')
  for (const maker of MAKERS) cpSync(whole, folder(maker), { recursive: true })
  rmSync(whole, { recursive: true })
}, 60_000)
afterAll(() => lab.close())

const UNREADABLE = ['nope', 'folder', 'text', 'empty', 'cluster']
const SELECT = `'["Plain",{"op":"select","table":"T","where":[],"columns":["a"]}]'`

const LINES = [
  // files that are none
  ...[
    'db-name',
    'db-version',
    'db-cksum',
    'db-sid',
    'db-cid',
    'db-local-address',
    'db-is-clustered',
    'show-log',
  ].flatMap((command) => ['', ...UNREADABLE].map((file) => `${command} ${file}`.trim())),
  ...['db-is-standalone', 'compact', 'check-cluster', 'cluster-to-standalone made'].flatMap((command) =>
    ['nope', 'folder', 'text'].map((file) => `${command} ${file}`),
  ),
  'check-cluster cluster',
  'check-cluster plain.db',
  // schemas
  ...Object.keys(SCHEMAS).flatMap((file) => [`schema-name ${file}`, `schema-version ${file}`, `schema-cksum ${file}`]),
  'schema-name folder',
  'schema-name',
  'schema-name a b',
  'schema-name plain.db',
  // what is made
  ...['nothing', 'type', 'open', 'nope'].map((schema) => `create made.db ${schema}.ovsschema`),
  'create made.db folder',
  'create folder plain.ovsschema',
  'create nowhere/made.db plain.ovsschema',
  'create plain.db plain.ovsschema',
  'create',
  'create a b c',
  'create made.db plain.ovsschema',
  'show-log made.db',
  'compact made.db made.db',
  'compact plain.db compacted.db',
  'compact plain.db nowhere/compacted.db',
  'convert plain.db newer.ovsschema newer.db',
  'convert plain.db newer.ovsschema newer.db',
  'convert plain.db newer.ovsschema nowhere/newer.db',
  'convert plain.db conflict.ovsschema',
  'convert plain.db nope',
  'convert nope newer.ovsschema',
  'convert plain.db other.ovsschema other.db',
  'db-name other.db',
  'needs-conversion newer.db newer.ovsschema',
  'needs-conversion newer.db plain.ovsschema',
  'needs-conversion newer.db nope',
  'needs-conversion nope newer.ovsschema',
  'needs-conversion a b c',
  'cluster-to-standalone alone cluster',
  'cluster-to-standalone nowhere/alone cluster',
  'cluster-to-standalone alone',
  // versions
  ...[
    `1.2.3 '<>' 1.2.4`,
    `1.2.3 '=<' 1.2.4`,
    `1.2.3 '' 1.2.4`,
    '01.2.3 == 1.2.3',
    '1.2.3 == 1.2',
    `'1.2.3 ' == 1.2.3`,
  ].map((words) => `compare-versions ${words}`),
  'compare-versions 1.2.3x == 1.2.3',
  'compare-versions 1.2',
  // transactions
  ...[
    SELECT,
    `'["Plain"]'`,
    `'[]'`,
    `'[5]'`,
    `'"x"'`,
    `''`,
    `'{'`,
    `'["Plain",]'`,
    `'["Plain"] x'`,
    `'["Plain",5]'`,
  ].flatMap((t) => [...[`query plain.db ${t}`, `transact plain.db ${t}`]]),
  `query plain.db '["Plain",{"op":"insert","table":"T","row":{"a":"z"}},{"op":"abort"}]'`,
  `query plain.db '["Plain",{"op":"commit","durable":true},{"op":"comment","comment":"a"}]'`,
  `transact plain.db '["Plain",{"op":"wait","table":"T","where":[],"columns":["a"],"until":"==","rows":[],"timeout":0}]'`,
  `transact plain.db '["Plain",{"op":"assert","lock":"x"}]'`,
  `--rbac-role=ovn-controller query plain.db ${SELECT}`,
  `--rbac-role=ovn-controller transact plain.db '["Plain",{"op":"delete","table":"T","where":[]}]'`,
  `query cluster ${SELECT}`,
  'query plain.db',
  'query a b c',
  // options
  ...['-m', '-mm', '-mmm', '--more --more'].map((more) => `${more} show-log plain.db`),
  'show-log plain.db -m',
  '--more=1 show-log plain.db',
  ...['5', '1000', '600001', 'x'].map((ms) => `--election-timer=${ms} db-name plain.db`),
  ...['x', '2f77b348-9768-4866-b761-89d5177ecda0', '00000000-0000-0000-0000-000000000000'].map(
    (id) => `--cid=${id} db-name plain.db`,
  ),
  '--rbac-role',
  '--nope',
  '-x',
  '-vfoo db-name plain.db',
  '-vpoll_loop:off db-name plain.db',
  '--verb=off db-name plain.db',
  'db-name -- plain.db',
  'nope',
  'join-cluster',
  'create-cluster a',
  'list-commands',
  'list-commands x',
  '-V db-name',
  '--version',
]

/** Without what is of a moment or drawn by chance. */
function comparable(maker: Maker, { end, stdout, stderr }: Outcome): Outcome {
  const out = stdout
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?/g, 'TIME')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
    .replace(/row "(.*)" \([0-9a-f]{8}\)/g, 'row "$1" (UUID)')
  return { end, stdout: /^[[{]/.test(out) ? sortedJson(out) : out, stderr: stderr.replaceAll(folder(maker), 'DIR') }
}

// In one order, since a line finds the files that those before have left.
test.each(LINES)('ovsdb-tool %s', async (line) => {
  const [theirs, ours] = await Promise.all(
    MAKERS.map(async (maker) => comparable(maker, await runLine(lab, maker, 'ovsdb-tool', line, folder(maker)))),
  )
  expect(ours).toEqual(theirs)
})
