import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Lab, type Output, sleep, until } from './ovsdb-lab.ts'
import { referenceSchema } from './reference.ts'

// The command lines of ovsdb-tool(1) by the real tool and by ours, each in a folder with the same files.

const lab = new Lab()
const SCHEMA = () => referenceSchema('ovn-nb')
const OLDER = () => referenceSchema('ovn-nb', '25.03')

const real = (...args: string[]) => lab.run('26.03', 'ovsdb-tool', ...args)
const insert = (name: string) => ['OVN_Northbound', { op: 'insert', table: 'Address_Set', row: { name } }]

/** Three servers of a real cluster, whose log gets what a log can hold; their files are left in the lab's folder. */
async function makeCluster(): Promise<void> {
  const raft = (n: number) => `tcp:127.0.0.1:${16740 + n}`
  const at = (n: number) => lab.at(`cluster${n}`)
  await real('create-cluster', at(1), OLDER(), raft(1))
  await real('join-cluster', at(2), 'OVN_Northbound', raft(2), raft(1))
  await real('join-cluster', at(3), 'OVN_Northbound', raft(3), raft(1))
  await real('join-cluster', lab.at('joining'), 'OVN_Northbound', raft(4), raft(1), raft(2))
  const servers = []
  for (const n of [1, 2, 3]) {
    servers.push(await lab.start('26.03', 'ovsdb-server', `--remote=punix:${lab.at(`s${n}`)}`, at(n)))
    await lab.run('26.03', 'ovsdb-client', '-t', '60', 'wait', `unix:${lab.at(`s${n}`)}`, 'OVN_Northbound', 'connected')
  }
  const [first, , third] = servers
  const transact = (...operations: unknown[]) =>
    lab.run('26.03', 'ovsdb-client', '-t', '60', 'transact', `unix:${lab.at('s1')}`, JSON.stringify(operations))
  await transact(...insert('before'), { op: 'comment', comment: 'a comment' })
  await first?.appctl('cluster/change-election-timer', 'OVN_Northbound', '2000')
  await third?.appctl('cluster/leave', 'OVN_Northbound')
  await until(
    async () => (await first?.appctl('cluster/status', 'OVN_Northbound'))?.stdout ?? '',
    (status) => !status.includes(':16743'),
  )
  await lab.run('26.03', 'ovsdb-client', '-t', '60', 'convert', `unix:${lab.at('s1')}`, SCHEMA())
  await transact('OVN_Northbound', { op: 'delete', table: 'Address_Set', where: [] })
  await transact(...insert('after'))
  await first?.appctl('ovsdb-server/compact')
  await transact('OVN_Northbound', { op: 'insert', table: 'Port_Group', row: { name: 'last' } })
  await sleep(300)
  for (const server of servers) await server.end()
}

beforeAll(async () => {
  await lab.prepare('ovsdb-tool')
  await makeCluster()
  await real('create', lab.at('alone'), SCHEMA())
  for (const transaction of [
    [...insert('a'), { op: 'comment', comment: 'first' }],
    [
      'OVN_Northbound',
      { op: 'insert', table: 'Logical_Switch', row: { name: 's', external_ids: ['map', [['k', 'v']]] } },
    ],
    [
      'OVN_Northbound',
      { op: 'update', table: 'Logical_Switch', where: [], row: { other_config: ['map', [['x', 'y']]] } },
    ],
    [
      'OVN_Northbound',
      { op: 'mutate', table: 'Logical_Switch', where: [], mutations: [['external_ids', 'delete', ['set', ['k']]]] },
    ],
    ['OVN_Northbound', { op: 'delete', table: 'Logical_Switch', where: [] }],
  ]) {
    await real('transact', lab.at('alone'), JSON.stringify(transaction))
  }
  const whole = readFileSync(lab.at('alone'))
  writeFileSync(lab.at('torn'), whole.subarray(0, whole.length - 20))
  const corrupt = Buffer.from(whole)
  corrupt[100] = 0x20
  writeFileSync(lab.at('corrupt'), corrupt)
  writeFileSync(lab.at('text'), 'no database\n')
  writeFileSync(lab.at('empty'), '')
  const lines = (n: number) => readFileSync(lab.at(`cluster${n}`), 'utf8')
  writeFileSync(lab.at('gap'), lines(2) + record('{"term":1,"index":90}'))
  writeFileSync(lab.at('beyond'), lines(2) + record('{"commit_index":99}'))
  writeFileSync(lab.at('bogus'), lines(2) + record('{"bogus":1}'))
})
afterAll(() => lab.close())

function record(json: string): string {
  const text = `${json}\n`
  return `OVSDB CLUSTER ${text.length} ${createHash('sha1').update(text).digest('hex')}\n${text}`
}

const FILES = [
  'alone',
  'torn',
  'corrupt',
  'text',
  'empty',
  'cluster1',
  'cluster2',
  'cluster3',
  'joining',
  'gap',
  'beyond',
  'bogus',
]

/** Runs lines by one of the tools in a fresh folder, one after the other. */
async function session(maker: 'ours' | '26.03', lines: readonly (readonly string[])[]): Promise<Output[]> {
  const folder = lab.at(`session.${maker}`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  for (const file of FILES) cpSync(lab.at(file), join(folder, file))
  const out: Output[] = []
  const [program = '', ...first] = lab.command(maker, 'ovsdb-tool')
  for (const line of lines) {
    const words = line.map((word) => (word === 'SCHEMA' ? SCHEMA() : word === 'OLDER' ? OLDER() : word))
    let result: Output
    try {
      const stdout = execFileSync(program, [...first, ...words], {
        cwd: folder,
        encoding: 'utf8',
        stdio: 'pipe',
        timeout: 120_000,
      })
      result = { code: 0, stdout, stderr: '' }
    } catch (e) {
      const { status, stdout, stderr } = e as { status: number; stdout: string; stderr: string }
      result = { code: status, stdout, stderr }
    }
    out.push({ ...result, stderr: result.stderr.replace(/^[-0-9T:.]+Z\|.*\n/gm, '') })
  }
  return out
}

const SELECT = '["OVN_Northbound",{"op":"select","table":"Address_Set","where":[],"columns":["name"]}]'

/** Everything that only reads a file. */
const reading = (file: string): string[][] => [
  ...['db-name', 'db-version', 'db-cksum', 'db-is-clustered', 'db-is-standalone'].map((c) => [c, file]),
  ...['db-cid', 'db-sid', 'db-local-address'].map((c) => [c, file]),
  // Of an empty file the real one says that it is no object.
  ...(file === 'empty' ? [] : [['check-cluster', file]]),
  ...[[], ['-m'], ['-mm'], ['--more', '--more', '--more']].map((more) => [...more, 'show-log', file]),
  ['needs-conversion', file, 'SCHEMA'],
  ['needs-conversion', file, 'OLDER'],
  ['query', file, SELECT],
]

/** Without the moment at which the tool itself wrote, and the columns of a row in one order. */
function tidy(text: string): string {
  return text
    .replace(/(record \d+:) [-0-9]+ [0-9:.]+ "(compacted|converted) by/g, '$1 now "$2 by')
    .replace(/(?:^ {4}\S.*\n)+/gm, (columns) => columns.split('\n').sort().join('\n'))
}

/** What the two tools said, line by line. */
async function compare(lines: readonly (readonly string[])[]): Promise<Output[]> {
  const [ours, theirs] = [await session('ours', lines), await session('26.03', lines)]
  const side = (all: readonly Output[]) =>
    all.map((said, i) => ({ line: lines[i]?.join(' '), ...said, stdout: tidy(said.stdout) }))
  expect(side(ours)).toEqual(side(theirs))
  return ours
}

describe('reading', () => {
  test.each(FILES)('%s', async (file) => {
    await compare(reading(file))
  })

  test('files of one cluster and of two', async () => {
    const said = await compare([
      ['check-cluster', 'cluster1', 'cluster2', 'cluster3', 'joining'],
      ['check-cluster', 'cluster1', 'cluster1'],
      ['check-cluster', 'cluster1', 'gap'],
      ['check-cluster', 'missing'],
    ])
    expect(said.map((s) => s.code)).toEqual([0, 1, 1, 1])
  })

  test('schemas and versions', async () => {
    await compare([
      ...['schema-name', 'schema-version', 'schema-cksum'].flatMap((c) =>
        ['SCHEMA', 'OLDER', 'missing'].map((f) => [c, f]),
      ),
      ...['<', '<=', '==', '>=', '>', '!=', '=', '~'].flatMap((op) => [
        ['compare-versions', '1.2.3', op, '1.2.3'],
        ['compare-versions', '1.2.3', op, '1.10.0'],
      ]),
      ['compare-versions', '1.2', '<', '1.2.4'],
    ])
  })
})

describe('changing', () => {
  const name = (value: unknown) =>
    JSON.stringify(['OVN_Northbound', { op: 'insert', table: 'Address_Set', row: { name: value } }])

  test('transact, compact, convert, create', async () => {
    const said = await compare([
      ['transact', 'alone', name(5)],
      ['transact', 'alone', name('b').replace('insert', 'update').replace('}]', ',"where":[]}]')],
      ['transact', 'alone', SELECT],
      ['transact', 'alone', '["Nope"]'],
      ['transact', 'alone', '{"a":1}'],
      ['transact', 'alone', '5'],
      ['query', 'alone', '["OVN_Northbound",{"op":"insert","table":"Nope","row":{}}]'],
      ['compact', 'alone', 'copy'],
      ['compact', 'alone', 'copy'],
      ['-mm', 'show-log', 'copy'],
      ['compact', 'missing'],
      ['compact', 'cluster1'],
      ['compact', 'corrupt'],
      ['convert', 'alone', 'OLDER'],
      ['db-version', 'alone'],
      ['needs-conversion', 'alone', 'OLDER'],
      ['convert', 'alone', 'SCHEMA', 'newer'],
      ['convert', 'alone', 'SCHEMA', 'newer'],
      ['query', 'newer', SELECT],
      ['convert', 'alone', 'missing'],
      ['convert', 'cluster1', 'SCHEMA'],
      ['create', 'alone', 'SCHEMA'],
      ['create', 'made', 'missing'],
      ['create', 'made', 'SCHEMA'],
      ['show-log', 'made'],
    ])
    expect(said.filter((s) => s.code === 0).length).toBeGreaterThan(10)
  })

  test('a cluster becomes a standalone database', async () => {
    await compare([
      ['cluster-to-standalone', 'one', 'cluster1'],
      ['cluster-to-standalone', 'one', 'cluster1'],
      ['cluster-to-standalone', 'three', 'cluster3'],
      ['cluster-to-standalone', 'four', 'alone'],
      ['cluster-to-standalone', 'five', 'missing'],
      ['db-is-standalone', 'one'],
      ['db-version', 'one'],
      ['-mm', 'show-log', 'one'],
      ['-mm', 'show-log', 'three'],
      ['query', 'one', SELECT],
      ['query', 'three', SELECT],
    ])
    // Its file is whole: whoever opens it goes on with it.
    const [own] = await session('ours', [['cluster-to-standalone', 'two', 'cluster2']])
    expect(own).toEqual({ code: 0, stdout: '', stderr: '' })
    const made = lab.at('session.ours/two')
    expect((await real('query', made, SELECT)).stdout).toBe('[{"rows":[{"name":"after"}]}]\n')
    expect((await real('transact', made, name('more'))).stdout).toContain('uuid')
  })

  test('command lines that are none', async () => {
    await compare([
      ['bogus'],
      ['db-name', 'a', 'b'],
      ['db-cid'],
      [],
      ['db-name', '--bogus', 'alone'],
      ['--version'],
      ['-V'],
      ['list-commands'],
    ])
  })

  test('clusters are made by the tool of Open vSwitch', async () => {
    const said = await session('ours', [
      ['create-cluster', 'x', 'SCHEMA', 'tcp:127.0.0.1:1'],
      ['join-cluster', 'x', 'OVN_Northbound', 'tcp:127.0.0.1:1', 'tcp:127.0.0.1:2'],
    ])
    for (const { code, stderr } of said) {
      expect(code).toBe(1)
      expect(stderr).toContain('Use the ovsdb-tool and ovsdb-server of Open vSwitch for a RAFT cluster')
    }
  })
})
