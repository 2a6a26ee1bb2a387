import { afterAll, beforeAll, expect, test } from 'vitest'
import { Lab, type Maker, type Running, until } from './ovsdb-lab.ts'
import { referenceSchema } from './reference.ts'

// Every command of the control socket that is the database server's own, on the real one and on ours.

const lab = new Lab()
const servers = new Map<Maker, Running>()
const MAKERS: readonly Maker[] = ['26.03', 'ours']
const file = (maker: Maker, name: string) => lab.at(`${maker}.${name}`)

beforeAll(async () => {
  await lab.prepare('ovsdb-server')
  for (const maker of MAKERS) {
    for (const [name, schema] of [
      ['nb.db', 'ovn-nb'],
      ['sb.db', 'ovn-sb'],
      ['vs.db', 'vswitch'],
      ['more.db', 'ovn-nb'],
    ] as const) {
      await lab.run('26.03', 'ovsdb-tool', 'create', file(maker, name), referenceSchema(schema))
    }
    const remote = `--remote=punix:${file(maker, 'sock')}`
    servers.set(maker, await lab.start(maker, 'ovsdb-server', remote, file(maker, 'nb.db'), file(maker, 'sb.db')))
  }
})
afterAll(() => lab.close())

/** What one of the servers answers, without its places and numbers. */
async function ask(maker: Maker, ...words: string[]): Promise<string> {
  const own = words.map((word) => word.replace(/^FILE:/, `${lab.dir}/${maker}.`).replace('AT:', `${lab.dir}/${maker}.`))
  const { code, stdout, stderr } = (await servers.get(maker)?.appctl(...own)) ?? { code: -1, stdout: '', stderr: '' }
  const text = `${code} ${stdout}${stderr}`.replaceAll(`${lab.dir}/${maker}.`, 'DIR/')
  return text.replace(/^ovs-appctl: .*\n/gm, '')
}

const same = async (...words: string[]) => {
  const [theirs = '', ours = ''] = await Promise.all(MAKERS.map((maker) => ask(maker, ...words)))
  expect(ours, words.join(' ')).toBe(theirs)
  return ours
}

test('the same commands with the same usage', async () => {
  const all = await same('list-commands')
  expect(all).toContain('ovsdb-server/get-db-storage-status')
  expect(all).not.toContain('cluster/')
})

/** What ends the server, changes its log, tells what is only of a moment, or from which the real one dies. */
const APART = /^(exit|set-options)$|^vlog|-active-ovsdb-server$|set-sync-exclude-tables|\/show$|time\//

test('every command with too few words, too many, and words that mean nothing', async () => {
  const [, ...lines] = (await ask('26.03', 'list-commands')).split('\n')
  const names = lines.map((line) => line.trim().split(' ')[0] ?? '').filter((name) => name && !APART.test(name))
  expect(names.length).toBeGreaterThan(20)
  for (const name of names) {
    for (let words = 0; words < 5; words++) await same(name, ...Array.from({ length: words }, () => 'x'))
  }
})

test('remotes', async () => {
  await same('ovsdb-server/list-remotes')
  for (const remote of [
    'punix:AT:second.sock',
    'punix:AT:second.sock',
    'db:OVN_Northbound,NB_Global,connections',
    'db:OVN_Northbound,NB_Global,nope',
    'db:Nope,NB_Global,connections',
    'db:OVN_Northbound,Nope,connections',
    'db:OVN_Northbound',
  ]) {
    await same('ovsdb-server/add-remote', remote)
  }
  await same('ovsdb-server/list-remotes')
  await same('ovsdb-server/remove-remote', 'punix:AT:second.sock')
  await same('ovsdb-server/remove-remote', 'ptcp:1')
  await same('ovsdb-server/remove-remote', 'db:OVN_Northbound,NB_Global,connections')
  await same('ovsdb-server/list-remotes')
  await same('ovsdb-server/reconnect')
})

test('the rest', async () => {
  for (const words of [
    ['memory-trim-on-compaction', 'on'],
    ['memory-trim-on-compaction', 'off'],
    ['memory-trim-on-compaction', 'maybe'],
    ['memory-trim-on-compaction'],
    ['tlog-list'],
    ['tlog-set', 'OVN_Northbound:ACL', 'on'],
    ['tlog-set', 'OVN_Northbound:ACL', 'maybe'],
    ['tlog-set', 'OVN_Northbound:Nope', 'on'],
    ['tlog-set', 'Nope:ACL', 'on'],
    ['tlog-set', 'ACL', 'on'],
    ['tlog-set', 'ACL', 'maybe'],
    ['tlog-set', 'Nope:ACL', 'maybe'],
    ['tlog-set', ':', 'on'],
    ['tlog-list'],
    ['tlog-set', 'OVN_Northbound:ACL', 'off'],
    ['reload'],
    ['disable-monitor-cond'],
    ['perf-counters-clear'],
    ['sync-status'],
    ['get-active-ovsdb-server'],
    ['connect-active-ovsdb-server'],
    ['disconnect-active-ovsdb-server'],
    ['get-sync-exclude-tables'],
    ['set-active-ovsdb-server'],
    ['set-active-ovsdb-server-probe-interval', 'x'],
    ['set-active-ovsdb-server-probe-interval', '5000'],
    ['set-relay-source-probe-interval', 'x'],
    ['set-relay-source-probe-interval', '5000'],
    ['nothing'],
  ]) {
    const [name = '', ...more] = words
    await same(`ovsdb-server/${name}`, ...more)
  }
})

test('a standalone database knows no cluster', async () => {
  for (const name of ['cid', 'sid', 'status', 'leave', 'kick', 'change-election-timer', 'set-backlog-threshold']) {
    expect(await same(`cluster/${name}`, 'OVN_Northbound', '1', '2')).toContain('is not a valid command')
  }
})

test('memory/show counts the same things', async () => {
  /** Without what is on its way just now. */
  const keys = async (maker: Maker) =>
    (await ask(maker, 'memory/show'))
      .replace(/^0 /, '')
      .trim()
      .split(' ')
      .map((pair) => pair.split(':')[0])
      .filter((name) => name !== 'backlog')
  // A monitor each, and a history.
  for (const maker of MAKERS) {
    const at = `unix:${file(maker, 'sock')}`
    const add = '["OVN_Northbound",{"op":"insert","table":"Address_Set","row":{"name":"a"}}]'
    await lab.run('26.03', 'ovsdb-client', 'transact', at, add)
    void lab.run('26.03', 'ovsdb-client', '-t', '3', 'monitor', at, 'OVN_Northbound', 'Address_Set')
  }
  const [theirs, ours] = await until(
    () => Promise.all(MAKERS.map(keys)),
    (both) => both.every((names) => names.includes('sessions')),
  )
  expect(ours).toEqual(theirs)
})

test('tlog: operations are logged', async () => {
  /** The fields of a line in one order, without what is drawn by chance. */
  const fields = (line: string) =>
    line
      .replace(/^[^|]*\|\d+\|/, '')
      .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID')
      .split(/,(?=[a-z_]+:)/)
      .sort()
      .join(' ')
  const said: string[][] = []
  for (const maker of MAKERS) {
    const at = `unix:${file(maker, 'sock')}`
    const transact = (operation: object) =>
      lab.run('26.03', 'ovsdb-client', 'transact', at, JSON.stringify(['OVN_Northbound', operation]))
    await ask(maker, 'ovsdb-server/tlog-set', 'OVN_Northbound:Address_Set', 'on')
    const where = [['name', '==', 'logged']]
    await transact({ op: 'insert', table: 'Address_Set', row: { name: 'logged', addresses: '1.1.1.1' } })
    await transact({ op: 'update', table: 'Address_Set', where, row: { external_ids: ['map', [['k', 'v w']]] } })
    await transact({ op: 'delete', table: 'Address_Set', where })
    await ask(maker, 'ovsdb-server/tlog-set', 'OVN_Northbound:Address_Set', 'off')
    await transact({ op: 'insert', table: 'Address_Set', row: { name: 'logged' } })
    const log = await until(
      async () => servers.get(maker)?.log() ?? '',
      (text) => text.includes('op:deleted'),
      5,
    )
    said.push(
      log
        .split('\n')
        .filter((line) => line.includes('logged'))
        .map(fields),
    )
  }
  expect(said[0]).toHaveLength(3)
  expect(said[1]).toEqual(said[0])
})

// The last: the real one loses a database whose name is added twice.
test('databases', async () => {
  await same('ovsdb-server/list-dbs')
  for (const words of [
    ['FILE:vs.db'],
    ['FILE:vs.db'],
    ['FILE:more.db'],
    ['FILE:missing.db'],
    ['relay:X'],
    ['a', 'b'],
    [],
  ]) {
    await same('ovsdb-server/add-db', ...words)
  }
  expect(await same('ovsdb-server/list-dbs')).toContain('Open_vSwitch')
  for (const db of ['Open_vSwitch', 'Open_vSwitch', '_Server', 'Nope']) await same('ovsdb-server/remove-db', db)
  for (const db of ['OVN_Northbound', '_Server', 'Nope']) {
    await same('ovsdb-server/get-db-storage-status', db)
    await same('ovsdb-server/compact', db)
  }
  await same('ovsdb-server/compact')
  await same('ovsdb-server/compact', 'a', 'b')
  expect(await same('ovsdb-server/list-dbs')).toBe('0 OVN_Northbound\nOVN_Southbound\n_Server\n')
})
