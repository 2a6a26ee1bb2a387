import { copyFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { logTo } from '../../src/base/log.ts'
import { connect, northbound } from '../../src/schema/library.ts'
import { Lab, type Running, until } from './ovsdb-lab.ts'
import { referenceSchema } from './reference.ts'

// A relay of ours in front of a real RAFT cluster, and what client and relay make of a member that is behind.

const lab = new Lab()
const running: Running[] = []
beforeAll(() => lab.prepare('ovsdb-server'))
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.end('SIGKILL')
})
afterAll(() => lab.close())

const at = (name: string) => `unix:${lab.at(name)}`
async function serve(maker: 'ours' | '26.03', socket: string, ...args: string[]): Promise<Running> {
  const server = await lab.start(maker, 'ovsdb-server', `--remote=p${at(socket)}`, ...args)
  running.push(server)
  return server
}
const client = (...words: string[]) => lab.run('26.03', 'ovsdb-client', '-t', '60', ...words)
const insert = (name: string) =>
  JSON.stringify(['OVN_Northbound', { op: 'insert', table: 'Address_Set', row: { name } }])
const add = async (socket: string, name: string) => (await client('transact', at(socket), insert(name))).stdout
async function names(socket: string): Promise<string> {
  const dump = await client('-f', 'csv', '--no-headings', 'dump', at(socket), 'OVN_Northbound', 'Address_Set', 'name')
  return dump.stdout.split('\n').slice(1).sort().join(' ').trim()
}
const become = (socket: string, expected: string) =>
  until(
    () => names(socket),
    (n) => n === expected,
  )
const joined = (socket: string) => client('wait', at(socket), 'OVN_Northbound', 'connected')

test('a relay of a cluster of three goes from member to member', async () => {
  const raft = (n: number) => `tcp:127.0.0.1:${16780 + n}`
  const members = [1, 2, 3]
  const servers = new Map<number, Running>()
  await lab.run('26.03', 'ovsdb-tool', 'create-cluster', lab.at('c1'), referenceSchema('ovn-nb'), raft(1))
  for (const n of members) {
    if (n > 1) await lab.run('26.03', 'ovsdb-tool', 'join-cluster', lab.at(`c${n}`), 'OVN_Northbound', raft(n), raft(1))
    servers.set(n, await serve('26.03', `m${n}`, lab.at(`c${n}`)))
    await joined(`m${n}`)
  }
  const relay = await serve('ours', 'relay', `relay:OVN_Northbound:${members.map((n) => at(`m${n}`)).join(',')}`)
  await joined('relay')
  expect(await add('relay', 'a')).toContain('uuid')
  for (const n of members) expect(await become(`m${n}`, 'a')).toBe('a')
  // A client of ours on the relay that knows of clusters.
  const nb = await connect({ schema: northbound, remotes: at('relay'), leaderOnly: false, timeout: 120_000 })
  // Whichever member the relay is at goes: it moves on, and nothing is lost.
  const followed = () => members.find((n) => relay.log().lastIndexOf(`m${n}: connected`) === latest(relay.log())) ?? 0
  const latest = (log: string) => Math.max(...members.map((n) => log.lastIndexOf(`m${n}: connected`)))
  const first = followed()
  expect(first).toBeGreaterThan(0)
  await servers.get(first)?.end('SIGKILL')
  expect(await add('relay', 'b')).toContain('uuid')
  expect(await become('relay', 'a b')).toBe('a b')
  const second = followed()
  expect(second).not.toBe(first)
  await nb.edit((tx) => tx.insert('Address_Set', { name: 'c' }))
  expect(await become(`m${second}`, 'a b c')).toBe('a b c')
  // The first comes back and the others leave it without a quorum: the relay has to wait.
  servers.set(first, await serve('26.03', `m${first}`, lab.at(`c${first}`)))
  await joined(`m${first}`)
  expect(await become(`m${first}`, 'a b c')).toBe('a b c')
  const others = members.filter((n) => n !== first)
  for (const n of others) await servers.get(n)?.end('SIGKILL')
  await until(
    async () => relay.log(),
    (log) => log.includes('clustered database server is disconnected from cluster; trying another server'),
  )
  const waiting = add('relay', 'd')
  for (const n of others) await serve('26.03', `m${n}`, lab.at(`c${n}`))
  expect(await waiting).toContain('uuid')
  expect(await become('relay', 'a b c d')).toBe('a b c d')
  nb.close()
})

test('neither client nor relay goes back in time', async () => {
  // A cluster of one, and a copy of its file from before.
  await lab.run(
    '26.03',
    'ovsdb-tool',
    'create-cluster',
    lab.at('new'),
    referenceSchema('ovn-nb'),
    'tcp:127.0.0.1:16767',
  )
  const first = await serve('26.03', 'new.sock', lab.at('new'))
  await joined('new.sock')
  await add('new.sock', 'a')
  copyFileSync(lab.at('new'), lab.at('old'))
  // A new leader adds an entry of its own.
  for (const name of ['b', 'c', 'd', 'e']) await add('new.sock', name)
  const remotes = [at('new.sock'), at('old.sock')]
  const relay = await serve('ours', 'relay.sock', `relay:OVN_Northbound:${remotes.join(',')}`)
  const lines: string[] = []
  const log = logTo((line) => lines.push(line.message))
  const nb = await connect({ schema: northbound, remotes, timeout: 120_000, log })
  const seen = () =>
    [...nb.table('Address_Set').values()]
      .map((s) => s.name)
      .sort()
      .join(' ')
  expect(seen()).toBe('a b c d e')
  expect(await become('relay.sock', 'a b c d e')).toBe('a b c d e')
  await first.end()
  const old = await serve('26.03', 'old.sock', lab.at('old'))
  await joined('old.sock')
  const stale = 'clustered database server has stale data; trying another server'
  await until(
    async () => lines.join('\n') + relay.log(),
    (text) => text.split(stale).length > 2,
  )
  expect(lines.some((line) => line.includes(stale))).toBe(true)
  expect(relay.log()).toContain(stale)
  expect(seen()).toBe('a b c d e')
  expect(await names('relay.sock')).toBe('a b c d e')
  // The cluster as it should be comes back.
  await old.end()
  await serve('26.03', 'new.sock', lab.at('new'))
  await joined('new.sock')
  await add('new.sock', 'f')
  expect(await become('relay.sock', 'a b c d e f')).toBe('a b c d e f')
  await nb.until(() => seen() === 'a b c d e f')
  nb.close()
})
