import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Lab, type Maker } from './ovsdb-lab.ts'
import { type Outcome, runLine, sortedJson } from './ovsdb-programs.ts'
import { referenceSchema } from './reference.ts'

// Every option and format of ovsdb-client(1), and what can be wrong with them: the real one and ours, on the same real
// servers. A row of a table is a command line.

const lab = new Lab()
const REAL: Maker = '26.03'

const optional = (type: string) => ({ type: { key: type, min: 0, max: 1 } })
const many = (type: string) => ({ type: { key: type, min: 0, max: 'unlimited' } })
const columns = {
  ...{
    i: { type: 'integer' },
    r: { type: 'real' },
    b: { type: 'boolean' },
    s: { type: 'string' },
    u: { type: 'uuid' },
  },
  ...{ oi: optional('integer'), or: optional('real'), ob: optional('boolean'), os: optional('string') },
  ...{ si: many('integer'), sr: many('real'), ss: many('string'), su: many('uuid') },
  m: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
  mi: { type: { key: 'integer', value: 'real', min: 0, max: 'unlimited' } },
  e: { type: { key: { type: 'string', enum: ['set', ['one', 'two', 'three']] } } },
  note: { type: 'string', ephemeral: true },
  weak: { type: { key: { type: 'uuid', refTable: 'Kinds', refType: 'weak' }, min: 0, max: 'unlimited' } },
}
const solo = { columns: { name: { type: 'string' }, n: { type: 'integer' } }, isRoot: true }
const RICH = {
  ...{ name: 'Rich', version: '1.2.3' },
  tables: {
    Empty: { columns: { a: { type: 'string' }, b: many('integer') } },
    Kinds: { columns, isRoot: true },
    Solo: solo,
  },
}
const PLAIN = { name: 'Plain', tables: { T: { columns: { a: { type: 'string' } }, isRoot: true } } }

const id = (n: number) => `2f77b348-9768-4866-b761-89d5177ecda${n}`
const row = (n: number, values: object) => ({ op: 'insert', table: 'Kinds', uuid: id(n), row: { e: 'one', ...values } })
const FILL = [
  'Rich',
  row(0, { i: 1, r: 1.5, b: true, s: 'plain', u: ['uuid', id(1)], e: 'two' }),
  row(1, {
    ...{ i: -9007199254740991, r: 1e300, s: '', oi: 5, or: 0.1, ob: true, os: 'x', si: ['set', [3, 1, 2]] },
    ...{ sr: ['set', [1, 2.5, -1e-7]], ss: ['set', ['a b', 'a,b', 'a"b', '', 'true', '-1', 'é']] },
    su: [
      'set',
      [
        ['uuid', id(3)],
        ['uuid', id(4)],
      ],
    ],
    m: [
      'map',
      [
        ['k', 'v w'],
        ['k2', ''],
        ['a=b', 'c,d'],
      ],
    ],
    mi: [
      'map',
      [
        [1, 1.5],
        [2, 3],
      ],
    ],
  }),
  row(2, {
    i: 2,
    s: '日本語 ünïcödé 😀',
    e: 'three',
    weak: [
      'set',
      [
        ['uuid', id(0)],
        ['uuid', id(1)],
      ],
    ],
  }),
  row(3, { i: 3, r: 0.3333333333333333, s: 'tab\tnew\nline\\back"q\'<b>&amp;\u0001/', m: ['map', [['é', 'a\nb']]] }),
  row(5, { i: 3, s: 'x'.repeat(300), r: 3 }),
  row(6, {
    i: 4,
    s: ' lead and trail ',
    r: 1e14,
    note: 'gone',
    m: [
      'map',
      [
        ['a', '2'],
        ['b', '1'],
      ],
    ],
  }),
  row(7, {
    i: 5,
    s: id(7),
    sr: ['set', [0.1, 100000, 1e21, 1e-5]],
    m: [
      'map',
      [
        ['a', '1'],
        ['c', '1'],
      ],
    ],
  }),
  row(8, { i: 6, s: '\uffff' }),
  row(9, { i: 7, s: '[]' }),
  ...[
    ['b', 2],
    ['a', 10],
    ['a', 9],
  ].map(([name, n]) => ({ op: 'insert', table: 'Solo', row: { name, n } })),
]

/** A server that answers any request with one text, or closes the connection. */
const liars: Server[] = []
const LIES: Readonly<Record<string, string | undefined>> = {
  silent: undefined,
  html: 'HTTP/1.1 400 Bad Request\r\n',
  error: '{"id":0,"result":null,"error":{"error":"bad","details":"so"}}',
  string: '{"id":0,"result":null,"error":"bad"}',
}

beforeAll(async () => {
  await lab.prepare('ovsdb-client')
  const write = (name: string, contents: object | string) =>
    writeFileSync(lab.at(name), typeof contents === 'string' ? contents : JSON.stringify(contents))
  write('rich.ovsschema', RICH)
  write('plain.ovsschema', PLAIN)
  write('other.ovsschema', { ...RICH, version: '1.2.4' })
  write('moved.ovsschema', {
    ...RICH,
    tables: { Solo: { columns: { ...solo.columns, more: { type: 'string' } }, isRoot: true }, Gone: solo },
  })
  for (const [file, schema] of [
    ...[
      ['rich.db', 'rich.ovsschema'],
      ['rich2.db', 'rich.ovsschema'],
      ['moved.db', 'moved.ovsschema'],
    ],
    ...[
      ['plain.db', 'plain.ovsschema'],
      ['plain3.db', 'plain.ovsschema'],
      ['other.db', 'other.ovsschema'],
    ],
  ] as [string, string][]) {
    await lab.run(REAL, 'ovsdb-tool', 'create', file, schema)
  }
  await lab.run(REAL, 'ovsdb-tool', 'create', 'vswitch.db', referenceSchema('vswitch'))
  await lab.run(REAL, 'ovsdb-tool', 'transact', 'rich.db', JSON.stringify(FILL))
  const more = ['Rich', { op: 'insert', table: 'Solo', row: { name: 'q', n: 1, more: 'm' } }]
  await lab.run(REAL, 'ovsdb-tool', 'transact', 'moved.db', JSON.stringify(more))
  // A file in which rows were changed piece by piece: what is told of a set is its difference.
  const set = (value: readonly number[]) => ({
    ...(FILL[1] as object),
    uuid: id(0),
    row: { i: 1, e: 'one', si: ['set', value] },
  })
  await lab.run(REAL, 'ovsdb-tool', 'transact', 'rich2.db', JSON.stringify(['Rich', set([1, 2])]))
  const mutation = { op: 'mutate', table: 'Kinds', where: [], mutations: [['si', 'insert', 3]] }
  await lab.run(REAL, 'ovsdb-tool', 'transact', 'rich2.db', JSON.stringify(['Rich', mutation]))
  await lab.start(REAL, 'ovsdb-server', `--remote=punix:${lab.at('sock')}`, 'rich.db', 'plain.db')
  await lab.start(REAL, 'ovsdb-server', `--remote=punix:${lab.at('sock2')}`, 'vswitch.db')
  await lab.start(REAL, 'ovsdb-server', `--remote=punix:${lab.at('sock3')}`, 'plain3.db')
  const snapshot = (await lab.run(REAL, 'ovsdb-client', 'backup', `unix:${lab.at('sock')}`, 'Rich')).stdout
  write('whole', snapshot)
  write('torn', snapshot.slice(0, -20))
  write('damaged', snapshot.replace('"Rich"', '"Poor"'))
  write('text', 'text\n')
  write('empty', '')
  for (const [name, lie] of Object.entries(LIES)) {
    const liar = createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', () => (lie === undefined ? socket.end() : socket.write(lie)))
    })
    liars.push(liar)
    await new Promise<void>((done) => liar.listen(lab.at(name), done))
  }
}, 120_000)
afterAll(async () => {
  for (const liar of liars) liar.close()
  await lab.close()
})

/** Lines in any order where the real one's is that of a hash; backups as what they say. */
function comparable(line: string, { end, stdout, stderr }: Outcome): Outcome {
  if (/list-(tables|columns)/.test(line)) {
    const out = line.includes('-f json') ? stdout : stdout.split('\n').sort().join('\n')
    return { end, stdout: out.includes('"data"') ? [...out].sort().join('') : out, stderr }
  }
  if (line.includes('backup')) {
    const lines = stdout.split('\n').map((text) => {
      if (!text.startsWith('{')) return text.replace(/ [0-9a-f]{40}$/, '')
      return sortedJson(text).replace(/"_date":\d+/, '"_date":0')
    })
    return { end, stdout: lines.join('\n'), stderr }
  }
  return { end, stdout, stderr: stderr.replace(/(?<=member array: ).*/, (json) => sortedJson(json)) }
}

const FORMATS = ['table', 'list', 'html', 'csv', 'json']
const formats = FORMATS.flatMap((f) =>
  ['string', 'bare', 'json'].flatMap((d) => [
    `-f ${f} -d ${d} dump unix:sock Rich Kinds _uuid i r b s u`,
    `-f ${f} -d ${d} dump unix:sock Rich Kinds si sr ss su m mi e note weak oi or ob os`,
  ]),
)
const styles = FORMATS.flatMap((f) => [
  `-f ${f} dump unix:sock Rich`,
  `-f ${f} --no-headings --pretty dump unix:sock Rich Solo name n`,
  `-f ${f} dump unix:sock Rich Empty`,
  `--bare -f ${f} dump unix:sock Rich Solo`,
  `-f ${f} --bare dump unix:sock Rich Solo`,
  `-f ${f} list-tables unix:sock Rich`,
  `-f ${f} --no-headings list-columns unix:sock Rich Kinds`,
])

const SAME = [
  ...formats,
  ...styles,
  ...[0, 1, 3, 20, -1, 'x'].map((n) => `--max-column-width=${n} dump unix:sock Rich Solo`),
  '--max-column-width=30 dump unix:sock Rich Kinds i r',
  'dump unix:sock Rich Kinds m',
  'dump unix:sock Rich Kinds ss',
  'dump unix:sock Rich Kinds s',
  'dump unix:sock Rich Kinds weak',
  // which database, which table
  ...['dump', 'get-schema', 'list-tables', 'backup', 'restore', 'monitor'].flatMap((c) => [
    ...[`${c} unix:sock`, `${c} unix:sock Nope`, `${c} unix:nope`, `${c} unix:sock Rich x y z`],
  ]),
  'dump unix:sock2 Open_vSwitch',
  'dump unix:sock2 Bridge name',
  'dump unix:sock3',
  'dump unix:sock3 T a a',
  'dump unix:sock Rich Nope',
  'dump unix:sock Rich Solo nope',
  'backup unix:sock Rich',
  'backup unix:sock3',
  // snapshots
  ...['empty', 'text', 'torn', 'damaged', 'other.db', 'moved.db', 'whole', 'rich.db', 'rich2.db'].flatMap((f) => [
    `<${f} restore unix:sock Rich`,
    'dump unix:sock Rich Kinds i si weak',
  ]),
  '<other.db --force restore unix:sock Rich',
  '<moved.db --force restore unix:sock Rich',
  '<plain.db --force restore unix:sock Rich',
  '<whole restore unix:sock Rich more',
  // conversions
  ...['rich.ovsschema', 'other.ovsschema', 'nope', 'text', 'empty'].map((f) => `needs-conversion unix:sock ${f}`),
  ...['text', 'empty', 'nope'].map((f) => `convert unix:sock ${f}`),
  // monitors
  "monitor unix:sock Rich Solo 'name,!insert' '!foo'",
  'monitor unix:sock Rich Solo name,name',
  'monitor unix:sock Rich Solo name n name',
  'monitor unix:sock Rich ALL name',
  `monitor-cond unix:sock Rich '[["nope",">",5]]' Solo`,
  `monitor-cond unix:sock Rich '{' Solo`,
  `monitor-cond unix:sock Rich '[true]' Nope`,
  `monitor-cond unix:sock Rich '[true]'`,
  `monitor-cond unix:sock Rich '[true]' Solo n name`,
  `monitor-cond-since unix:sock Rich nouuid '[true]' Solo n`,
  `monitor-cond-since unix:sock Rich '[true]' Solo n name x y`,
  ...['Rich added', 'Rich connected', 'Nope removed', 'Nope other'].map(
    (words) => `-vreconnect:off wait unix:sock ${words}`,
  ),
  ...['Nope added', 'Rich removed'].map((words) => `-t 1 wait unix:sock ${words}`),
  // servers
  'list-dbs',
  'list-dbs bogus',
  'list-dbs bogus:',
  'list-dbs :',
  `list-dbs ''`,
  'list-dbs TCP:127.0.0.1:1',
  'list-dbs tcp:127.0.0.1:1',
  'list-dbs tcp:[::1]:1',
  'list-dbs tcp:[::1]',
  'list-dbs tcp:[::1',
  'list-dbs tcp:::1:1',
  'list-dbs tcp:127.0.0.1:',
  'list-dbs tcp:127.0.0.1:99999',
  'list-dbs tcp:127.0.0.1:x',
  'list-dbs tcp:127.0.0.1:1:2',
  'list-dbs tcp::1',
  'list-dbs ssl:127.0.0.1:1',
  'list-dbs ptcp:99999',
  'list-dbs ptcp:x',
  'list-dbs ptcp:1:9.9.9.9',
  'list-dbs pbogus:1',
  'list-dbs unix:',
  `list-dbs 'unix:no such'`,
  `list-dbs unix:${'a'.repeat(150)}`,
  '-t 1 list-dbs punix:waiting',
  '-t 1 wait unix:nope Rich added',
  ...['silent', 'html', 'error', 'string'].flatMap((liar) => [
    ...['list-dbs', 'get-schema', 'monitor', 'dump'].map((c) =>
      `${c} unix:${liar} Rich`.replace(/^(list-dbs \S+) Rich/, '$1'),
    ),
    `transact unix:${liar} '["Rich"]'`,
  ]),
  ...['silent', 'html'].map((liar) => `lock unix:${liar} l`),
  // options
  ...['0', '-1', '1.5', 'x', `''`, '99999999999'].map((t) => `-t ${t} list-dbs unix:sock`),
  '--timeout= list-dbs unix:sock',
  '--time=3 list-dbs unix:sock',
  '--t=3 list-dbs unix:sock',
  '--no list-dbs unix:sock',
  '--ssl=3 list-dbs unix:sock',
  '--pretty=1 list-dbs unix:sock',
  '--db=unix:sock list-dbs',
  '--unixctl=x list-dbs unix:sock',
  'list-dbs unix:sock --pretty',
  'list-dbs --pretty unix:sock',
  'dump unix:sock -f json Rich Solo n',
  '-fjson dump unix:sock Rich Solo n',
  '-f',
  '--format',
  '-f nope list-dbs unix:sock',
  '-d nope list-dbs unix:sock',
  '-vfoo:bar list-dbs unix:sock',
  '-vpoll_loop:off list-dbs unix:sock',
  ...[
    '-vconsole:off',
    '-voff',
    '-vsyslog:off',
    '-vstream:off',
    '-vemer',
    '--verbose=console:err',
    '-vPATTERN:console:%m',
  ].map((v) => `${v} list-dbs tcp:127.0.0.1:x`),
  '-vconsole:off -t 1 wait unix:nope Rich added',
  '--syslog-method=nope list-dbs unix:sock',
  '--syslog-method=null list-dbs unix:sock',
  '--no-self-confinement --overwrite-pidfile --no-chdir list-dbs unix:sock',
  '--detach dump unix:sock Rich Solo n',
  '-V',
  '--version list-dbs',
]

// Before the rows are replaced by what is restored.
test('a cell is cut at a whole character, where the real one leaves half of it', async () => {
  const line = '--max-column-width=5 dump unix:sock Rich Kinds s'
  const [theirs, ours] = [
    await runLine(lab, REAL, 'ovsdb-client', line),
    await runLine(lab, 'ours', 'ovsdb-client', line),
  ]
  expect(theirs.stdout).toContain('"日\ufffd')
  expect(ours.stdout.split('\n')).toContain('"日')
})

test.each(SAME)('ovsdb-client %s', async (line) => {
  const theirs = await runLine(lab, REAL, 'ovsdb-client', line)
  const ours = await runLine(lab, 'ours', 'ovsdb-client', line)
  expect(comparable(line, ours)).toEqual(comparable(line, theirs))
})

test.each(['record', 'replay'])('--%s is refused', async (name) => {
  const ours = await runLine(lab, 'ours', 'ovsdb-client', `--${name}=. list-dbs unix:sock`)
  expect(ours).toEqual({ end: 1, stdout: '', stderr: `ovsdb-client: --${name} is not supported (docs/DAEMONS.md)\n` })
})
