import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Lab, type Maker, until } from './ovsdb-lab.ts'
import { referenceSchema } from './reference.ts'

// --config-file: what the real server makes of a file, and what ours makes of it.

const lab = new Lab()
beforeAll(async () => {
  await lab.prepare('ovsdb-server')
  await lab.run('26.03', 'ovsdb-tool', 'create', lab.at('nb.db'), referenceSchema('ovn-nb'))
  await lab.run('26.03', 'ovsdb-tool', 'create', lab.at('sb.db'), referenceSchema('ovn-sb'))
})
afterAll(() => lab.close())

/** Starts a server with such a file for no longer than `true` takes; what it says, without times and places. */
async function tried(maker: Maker, text: string, ...more: string[]): Promise<string[]> {
  const path = lab.at('tried.json')
  writeFileSync(path, text)
  const args = ['--unixctl=none', `--config-file=${path}`, '--run=true', ...more]
  const { code, stderr } = await lab.run(maker, 'ovsdb-server', ...args)
  const lines = stderr
    .split('\n')
    .filter((line) => line && !/\|INFO\||\|relay\|/.test(line))
    .map((line) => line.replace(/^[^|]*\|\d+\|/, ''))
  return [...lines, `exit ${code}`]
}

const db = (options: unknown) => JSON.stringify({ remotes: {}, databases: { 'nb.db': options } })
const remote = (options: unknown) =>
  JSON.stringify({ remotes: { 'ptcp:0:127.0.0.1': options }, databases: { 'nb.db': {} } })
const source = { 'tcp:127.0.0.1:5': {} }
const backup = { 'service-model': 'active-backup', backup: true, source }

const FILES: readonly string[] = [
  '[]',
  '{"remotes":{},"databases":{},"foo":1}',
  '{"remotes":null,"databases":null}',
  '{"remotes":5,"databases":{}}',
  ...[5, null, {}, { foo: 1 }, { role: 5 }, { 'read-only': 5 }, { dscp: 'a' }, { dscp: 5 }].map(remote),
  ...[{ 'inactivity-probe': 'x' }, { 'inactivity-probe': 1.5 }, { 'max-backoff': 'x', role: 5 }].map(remote),
  '{"remotes":{"db:X,Y,Z":{}},"databases":{}}',
  '{"remotes":{"db:OVN_Northbound,Nope,connections":{}},"databases":{"nb.db":{}}}',
  '{"remotes":{"db:OVN_Northbound,NB_Global,nope":{}},"databases":{"nb.db":{}}}',
  '{"remotes":{"db:OVN_Northbound":{}},"databases":{"nb.db":{}}}',
  '{"remotes":{"db:OVN_Northbound,NB_Global,connections":{"role":"x"}},"databases":{"nb.db":{}}}',
  ...[5, null, {}, { foo: 1 }, { backup: true }, { 'service-model': 5 }, { 'service-model': 'bogus' }].map(db),
  ...['standalone', 'clustered', 'relay', 'active-backup'].map((model) => db({ 'service-model': model })),
  db({ 'service-model': 'standalone', source }),
  db({ 'service-model': 'standalone', 'exclude-tables': ['ACL'] }),
  db({ 'service-model': 'active-backup', source }),
  db({ 'service-model': 'active-backup', backup: true }),
  db({ ...backup, backup: 5 }),
  db({ ...backup, backup: false }),
  db({ ...backup, source: 'x' }),
  db({ ...backup, source: {} }),
  db({ ...backup, source: { ...source, 'tcp:127.0.0.1:6': {} } }),
  db({ ...backup, source: { 'tcp:127.0.0.1:5': 5 } }),
  db({ ...backup, source: { 'tcp:127.0.0.1:5': null } }),
  db({ ...backup, source: { 'tcp:127.0.0.1:5': { role: 'a' } } }),
  db({ ...backup, source: { 'tcp:127.0.0.1:5': { 'read-only': true } } }),
  db({ ...backup, 'exclude-tables': 5 }),
  db({ ...backup, 'exclude-tables': [5] }),
  db({ ...backup, 'exclude-tables': ['ACL'] }),
  db({ 'service-model': 'relay', source, backup: true }),
  db({ 'service-model': 'relay', source: {} }),
  db({ 'service-model': 'relay', source: 5 }),
  '{"remotes":{},"databases":{"missing.db":{}}}',
  '{"remotes":{},"databases":{"missing.db":{"service-model":"clustered"}}}',
  '{"remotes":{},"databases":{"nb.db":{},"./nb.db":{}}}',
  '{"remotes":{},"databases":{"relay:R:tcp:127.0.0.1:5":{}}}',
  JSON.stringify({ remotes: {}, databases: { _Server: { 'service-model': 'relay', source } } }),
  JSON.stringify({ remotes: {}, databases: { R: { 'service-model': 'relay', source } } }),
]

test.each(FILES)('%s', async (text) => {
  expect(await tried('ours', text)).toEqual(await tried('26.03', text))
})

test.each([
  ['--remote=ptcp:0'],
  ['nb.db'],
  ['--sync-from=tcp:127.0.0.1:5'],
  ['--active'],
  ['--sync-exclude-tables=a:b'],
])('is not taken with %s', async (option) => {
  const [ours, theirs] = [await tried('ours', '{}', option), await tried('26.03', '{}', option)]
  expect(ours).toEqual(theirs)
  expect(ours.at(-1)).toBe('exit 1')
})

describe('a running server', () => {
  const path = () => lab.at('running.json')
  const write = (config: unknown) => writeFileSync(path(), typeof config === 'string' ? config : JSON.stringify(config))

  /** A walk through reloads; what each step answers, without what differs by chance. */
  async function walk(maker: Maker): Promise<string[]> {
    const said: string[] = []
    const [socket, second] = [lab.at(`${maker}.sock`), lab.at(`${maker}.2.sock`)]
    const tidy = (text: string) =>
      text
        .replaceAll(lab.dir, 'DIR')
        .replaceAll(`${maker}.`, '')
        .replace(/ovs-appctl: .*\n/, '')
    write({ remotes: { [`punix:${socket}`]: {} }, databases: { [lab.at('nb.db')]: {} } })
    const server = await lab.start(maker, 'ovsdb-server', `--config-file=${path()}`)
    const ask = async (...words: string[]) => {
      const { code, stdout, stderr } = await server.appctl(...words)
      said.push(tidy(`${words.join(' ')} -> ${code}\n${stdout}${stderr}`))
    }
    const look = async () => {
      await ask('ovsdb-server/list-dbs')
      await ask('ovsdb-server/list-remotes')
      await ask('ovsdb-server/sync-status')
    }
    await look()
    await ask('ovsdb-server/add-remote', 'ptcp:1')
    await ask('ovsdb-server/remove-remote', 'ptcp:1')
    await ask('ovsdb-server/add-db', 'x')
    await ask('ovsdb-server/remove-db', 'OVN_Northbound')
    await ask('ovsdb-server/set-active-ovsdb-server', 'tcp:1:1')
    await ask('ovsdb-server/connect-active-ovsdb-server')
    await ask('ovsdb-server/disconnect-active-ovsdb-server')
    await ask('ovsdb-server/set-active-ovsdb-server-probe-interval', '7000')
    await ask('ovsdb-server/set-relay-source-probe-interval', '7000')
    await ask('ovsdb-server/set-sync-exclude-tables', 'a:b')
    await ask('ovsdb-server/get-active-ovsdb-server')
    await ask('ovsdb-server/get-sync-exclude-tables')
    write('{"remotes":')
    await ask('ovsdb-server/reload')
    await look()
    const dbs = { [lab.at('nb.db')]: {}, [lab.at('sb.db')]: {} }
    write({ remotes: { [`punix:${socket}`]: {}, [`punix:${second}`]: { 'read-only': true } }, databases: dbs })
    await ask('ovsdb-server/reload')
    await look()
    const client = async (at: string, operation: unknown) => {
      const text = JSON.stringify(['OVN_Northbound', operation])
      const { stdout } = await lab.run('26.03', 'ovsdb-client', '-t', '60', 'transact', `unix:${at}`, text)
      said.push(stdout.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID'))
    }
    const insert = { op: 'insert', table: 'Address_Set', row: { name: maker } }
    await client(second, insert)
    await client(socket, insert)
    await client(socket, { op: 'delete', table: 'Address_Set', where: [] })
    // Both are backups now, of different sources, and only one has exclusions.
    const replica = (name: string, exclude: string[]) => ({
      [lab.at(`${name}.db`)]: {
        'service-model': 'active-backup',
        backup: true,
        source: { [`unix:${lab.at(`${name}.nobody`)}`]: {} },
        'exclude-tables': exclude,
      },
    })
    write({ remotes: {}, databases: { ...replica('nb', ['ACL']), ...replica('sb', []) } })
    await ask('ovsdb-server/reload')
    await look()
    write({ remotes: {}, databases: { ...replica('nb', ['ACL']), [lab.at('nope.db')]: {} } })
    await ask('ovsdb-server/reload')
    await look()
    write({ remotes: { 'db:OVN_Northbound,NB_Global,nope': {} }, databases: dbs })
    await ask('ovsdb-server/reload')
    write({ remotes: { 'db:OVN_Northbound,NB_Global,connections': {} }, databases: dbs })
    await ask('ovsdb-server/reload')
    await look()
    await server.end()
    return said
  }

  test('reload adds and removes databases and remotes, and fails, as the real one', async () => {
    const theirs = await walk('26.03')
    expect(await walk('ours')).toEqual(theirs)
    expect(theirs.join('')).toContain('state: backup')
  })

  test('a role of a remote, and a relay beside a file', async () => {
    const [source, relay] = [lab.at('source.sock'), lab.at('relay.sock')]
    write({ remotes: { [`punix:${source}`]: {} }, databases: { [lab.at('nb.db')]: { 'service-model': 'standalone' } } })
    await lab.start('ours', 'ovsdb-server', `--config-file=${path()}`)
    const other = lab.at('relay.json')
    const relayed = {
      'service-model': 'relay',
      source: { [`unix:${lab.at('nobody')},unix:${source}`]: { 'inactivity-probe': 10_000, 'max-backoff': 1000 } },
    }
    const remotes = { [`punix:${relay}`]: { role: 'ovn-controller' } }
    writeFileSync(other, JSON.stringify({ remotes, databases: { OVN_Northbound: relayed, [lab.at('sb.db')]: null } }))
    await lab.start('ours', 'ovsdb-server', `--config-file=${other}`)
    const client = (...words: string[]) => lab.run('26.03', 'ovsdb-client', '-t', '60', ...words)
    const insert = (database: string, table: string, row: unknown) =>
      client('transact', `unix:${relay}`, JSON.stringify([database, { op: 'insert', table, row }]))
    await until(
      () => client('dump', `unix:${relay}`, '_Server', 'Database', 'name', 'connected'),
      (o) => /true\s+OVN_Northbound/.test(o.stdout),
    )
    // The northbound database knows no roles, the southbound one does.
    expect((await insert('OVN_Northbound', 'Address_Set', { name: 'relayed' })).stdout).toContain('uuid')
    expect((await insert('OVN_Southbound', 'Address_Set', { name: 'refused' })).stdout).toContain('RBAC rules')
    expect((await client('dump', `unix:${source}`, 'OVN_Northbound', 'Address_Set', 'name')).stdout).toContain(
      'relayed',
    )
  })
})
