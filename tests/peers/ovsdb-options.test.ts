import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Lab, type Maker, until } from './ovsdb-lab.ts'
import { splitWords } from './ovsdb-programs.ts'
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

/** Files of --config-file, by name, and what they say. */
const CONFIGURATIONS: Readonly<Record<string, string>> = {
  good: '{"remotes":{"punix:configured.sock":{}},"databases":{"nb.db":{}}}',
  open: '{',
  empty: '',
  array: '[]',
  number: '{"remotes":5,"databases":{}}',
  missing: '{"remotes":{},"databases":{"missing.db":{}}}',
  sourceless: '{"remotes":{},"databases":{"X":{"service-model":"relay"}}}',
  backup: '{"remotes":{},"databases":{"nb.db":{"service-model":"active-backup","backup":true}}}',
  clustered: '{"remotes":{},"databases":{"nb.db":{"service-model":"clustered"}}}',
  model: '{"remotes":{},"databases":{"nb.db":{"service-model":"foo"}}}',
  five: '{"remotes":{},"databases":{"nb.db":5}}',
  options: '{"remotes":{"punix:q":{"inactivity-probe":"x","foo":1}},"databases":{}}',
  more: '{"remotes":{},"databases":{},"extra":1}',
}

// A row is a command line, DIR the folder of the test. The files are nb.db, which is one, and text, empty and folder.
test.each([
  'text',
  'empty',
  'folder',
  'missing/nb.db',
  'nb.db nb.db',
  ...['db:', 'db:a,b', 'db:OVN_Northbound,NB_Global,name', 'db:OVN_Northbound,NB_Global,options'].map(
    (r) => `nb.db --remote=${r}`,
  ),
  ...['db:OVN_Northbound,NB_Global,ssl', 'db:OVN_Northbound,NB_Global,connections', 'punix:a.sock'].map(
    (r) => `nb.db --remote=${r}`,
  ),
  ...['unix:nope', 'tcp:127.0.0.1:1', 'ptcp:0:127.0.0.1', 'ptcp:0:[::1]', 'pssl:0:127.0.0.1'].map(
    (r) => `nb.db --remote=${r}`,
  ),
  'nb.db --remote=punix:a.sock --remote=punix:a.sock',
  ...['private-key', 'certificate', 'ca-cert'].flatMap((o) => [
    ...[
      `nb.db --${o}=db:OVN_Northbound,SSL,nope`,
      `nb.db --${o}=db:OVN_Northbound,Nope,x`,
      `nb.db --${o}=db:Nope,SSL,x`,
    ],
    ...[`nb.db --${o}=db:OVN_Northbound`, `nb.db --${o}=db:OVN_Northbound,SSL,external_ids`],
  ]),
  'nb.db --private-key=db:OVN_Northbound,SSL,private_key --ssl-protocols=db:OVN_Northbound,SSL,ssl_protocols',
  'nb.db --ssl-ciphers=db:OVN_Northbound,SSL,nope',
  'nb.db --bootstrap-ca-cert=db:OVN_Northbound,SSL,ca_cert',
  'nb.db --bootstrap-ca-cert=missing.pem',
  ...['nope', 'TLSv1.2', 'TLSv1.2+', 'TLSv1.2-TLSv1.3'].map((p) => `nb.db --ssl-protocols=${p}`),
  'nb.db --ssl-protocols=',
  'nb.db --ssl-ciphers=nope',
  'nb.db --ssl-ciphersuites=nope',
  'nb.db --peer-ca-cert=missing.pem',
  ...['bogus', 'unix:nope', ''].map((r) => `nb.db --sync-from=${r}`),
  'nb.db --active',
  ...['OVN_Northbound:foo', 'OVN_Northbound:ACL', 'OVN_Northbound:ACL,Nope:ACL', ''].map(
    (t) => `nb.db --sync-exclude-tables=${t}`,
  ),
  ...Object.keys(CONFIGURATIONS).map((name) => `--config-file=DIR/${name}.json`),
  '--config-file=missing.json',
  '--config-file=DIR/folder',
  '--config-file=DIR/good.json nb.db',
  '--config-file=DIR/good.json --remote=punix:x',
  '--config-file=DIR/good.json --active',
  '--config-file=DIR/good.json --no-dbs',
  ...['relay:A:bogus', 'relay::tcp:127.0.0.1:1', 'relay:A:unix:nope'],
  '--run= nb.db',
  '--run=/nonexistent nb.db',
  ...['DIR/missing/pid', 'DIR/pid'].map((f) => `--pidfile=${f} --no-dbs`),
  ...['nope', 'nobody:nope', ':nope', ''].map((u) => `--user=${u} --no-dbs`),
  '--log-file=DIR/missing/log --no-dbs',
  ...['foo', 'poll_loop:off', 'raft:dbg', 'console:off', 'PATTERN:console:%m'].map((v) => `-v${v} text`),
  '--no-self-confinement --no-chdir --overwrite-pidfile nb.db',
  '--re',
  '--dis',
  '--ssl-c=x',
  '-x',
  '--help=1',
  '--no-dbs=1',
  '--version --help',
])('%s', async (line) => {
  for (const [name, text] of Object.entries(CONFIGURATIONS)) writeFileSync(lab.at(`${name}.json`), text)
  writeFileSync(lab.at('text'), 'text\n')
  writeFileSync(lab.at('empty'), '')
  mkdirSync(lab.at('folder'), { recursive: true })
  const words = splitWords(line.replaceAll('DIR', lab.dir))
  const args = words.some((word) => word.startsWith('--run')) ? words : ['--run=true', ...words]
  // The real one says some things several times.
  const once = (text: string) => text.split('\n').filter((line, i, all) => all.indexOf(line) === i)
  const theirs = once(
    (await said('26.03', args)).replace(/^stream_(tcp|unix)\|.*\n|^lockfile\|.*\n|.*could not unlink.*\n/gm, ''),
  )
  expect(once(await said('ours', args))).toEqual(theirs)
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
  expect((await until(there, (o) => o.stdout.includes('OVN_Northbound'))).stdout).toContain('OVN_Northbound')
})
