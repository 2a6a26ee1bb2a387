import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Lab, type Maker, until } from './ovsdb-lab.ts'
import { referenceSchema } from './reference.ts'

// Command lines of ovsdb-server(1): what the real server makes of them, and ours.

const lab = new Lab()
const MAKERS: readonly Maker[] = ['26.03', 'ours']
beforeAll(async () => {
  await lab.prepare('ovsdb-server')
  await lab.run('26.03', 'ovsdb-tool', 'create', lab.at('nb.db'), referenceSchema('ovn-nb'))
})
afterAll(() => lab.close())

/** What a server says that ends by itself, without times. */
async function said(maker: Maker, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await lab.run(maker, 'ovsdb-server', '--unixctl=none', ...args)
  const lines = (stdout + stderr).split('\n').filter((line) => !/\|INFO\||\|(reconnect|relay)\|/.test(line))
  return `${lines.map((line) => line.replace(/^[^|]*\|\d+\|/, '')).join('\n')}${code}`
}

test.each([
  ['--run=true', 'nb.db'],
  ['--run=false', 'nb.db'],
  ['--run=exit 7', 'nb.db'],
  ['--run=echo $PPID | wc -l', 'nb.db'],
  ['--run=kill -9 $$', 'nb.db'],
  ['--run=true', '--no-dbs'],
  ['--run=true', 'nb.db', 'nb.db'],
  ['--run=true', 'missing.db'],
  ['--run=true', 'relay:X'],
  ['--run=true', 'relay:X:'],
  ['--run=true', 'relay:X:tcp:127.0.0.1:1'],
  ['--run=true', 'relay:_X:tcp:127.0.0.1:1'],
  ['--run=true', 'relay:OVN_Northbound:tcp:127.0.0.1:1', 'nb.db'],
  ['--run=true', '--remote=db:X,Y,Z', 'nb.db'],
  ['--run=true', '--remote=db:X', 'nb.db'],
  ['--run=true', '--remote=db:OVN_Northbound,NB_Global,nope', 'nb.db'],
  ['--run=true', 'relay:OVN_Southbound:tcp:127.0.0.1:1', '--remote=db:OVN_Southbound,SB_Global,connections'],
  ['--run=true', 'relay:OVN_Southbound:tcp:127.0.0.1:1', '--private-key=db:OVN_Southbound,SSL,private_key'],
  ['--run=true', 'relay:OVN_Southbound:tcp:127.0.0.1:1', '--remote=db:OVN_Northbound,NB_Global,connections'],
  ['--run=true', '--sync-from=tcp:127.0.0.1:1', 'nb.db'],
  ['--run=true', '--active', '--sync-from=tcp:127.0.0.1:1', 'nb.db'],
  ['--run=true', '--disable-file-column-diff', '--disable-file-no-data-conversion', 'nb.db'],
  ['--bogus'],
  ['--run'],
])('%j %j %j', async (...args) => {
  const words = args.filter((a) => a !== undefined)
  expect(await said('ours', words)).toBe(await said('26.03', words))
})

test('--record and --replay are refused', async () => {
  for (const name of ['record', 'replay']) {
    expect(await said('ours', [`--${name}=${lab.dir}`])).toBe(
      `ovsdb-server: --${name} is not supported (docs/OVSDB-SERVER.md)\n1`,
    )
  }
})

test.each([[], ['--disable-file-column-diff']])('what is written to the file with %j', async (...options) => {
  const written: string[] = []
  for (const maker of MAKERS) {
    const [db, socket] = [lab.at(`${maker}.${options.length}.db`), lab.at(`${maker}.sock`)]
    await lab.run('26.03', 'ovsdb-tool', 'create', db, referenceSchema('ovn-nb'))
    const server = await lab.start(maker, 'ovsdb-server', ...options, `--remote=punix:${socket}`, db)
    const transact = (operation: object) =>
      lab.run('26.03', 'ovsdb-client', 'transact', `unix:${socket}`, JSON.stringify(['OVN_Northbound', operation]))
    const table = 'Address_Set'
    await transact({ op: 'insert', table, row: { name: 'a', addresses: ['set', ['1.1.1.1', '2.2.2.2']] } })
    await transact({ op: 'mutate', table, where: [], mutations: [['addresses', 'insert', '3.3.3.3']] })
    await server.end()
    const last = readFileSync(db, 'utf8').trimEnd().split('\n').at(-1) ?? ''
    written.push(
      JSON.stringify(JSON.parse(last), (_, value: unknown) =>
        value && typeof value === 'object' && !Array.isArray(value)
          ? Object.fromEntries(
              Object.entries(value)
                .filter(([key]) => key !== '_date')
                .sort(),
            )
          : value,
      ).replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID'),
    )
  }
  expect(written[1]).toBe(written[0])
  expect(written[0]).toContain(options.length ? '2.2.2.2' : '_is_diff')
})

test('a busy port ends the server when the command line names it, and is tried again when a Connection row does', async () => {
  const taken = 'ptcp:16755:127.0.0.1'
  const holder = await lab.start('26.03', 'ovsdb-server', '--no-dbs', `--remote=${taken}`)
  expect(await said('ours', ['--no-dbs', `--remote=${taken}`])).toContain(
    `${taken}: listen failed: Address already in use`,
  )
  const row = { op: 'insert', table: 'Connection', 'uuid-name': 'c', row: { target: taken } }
  const root = { op: 'insert', table: 'NB_Global', row: { connections: ['named-uuid', 'c'] } }
  const db = lab.at('busy.db')
  await lab.run('26.03', 'ovsdb-tool', 'create', db, referenceSchema('ovn-nb'))
  await lab.run('26.03', 'ovsdb-tool', 'transact', db, JSON.stringify(['OVN_Northbound', row, root]))
  const server = await lab.start('ours', 'ovsdb-server', db, '--remote=db:OVN_Northbound,NB_Global,connections')
  expect(server.log()).toContain(`${taken}: listen failed: Address already in use`)
  await holder.end()
  const there = () => lab.run('26.03', 'ovsdb-client', '-t', '3', 'list-dbs', 'tcp:127.0.0.1:16755')
  expect((await until(there, (o) => o.code === 0)).stdout).toContain('OVN_Northbound')
})
