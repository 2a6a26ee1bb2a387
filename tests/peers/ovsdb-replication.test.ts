import { writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Lab, type Maker, type Running, until } from './ovsdb-lab.ts'
import { referenceSchema } from './reference.ts'

// Relays and active-backup pairs: each side once the real server and once ours.

const lab = new Lab()
beforeAll(() => lab.prepare('ovsdb-server', 'ovsdb-tool'))
afterAll(() => lab.close())
const running: Running[] = []
afterEach(async () => {
  for (const one of running.splice(0)) await one.end('SIGKILL')
})

let count = 0
/** A database file of a schema; its name. */
async function create(schema: 'ovn-nb' | 'ovn-sb' | 'vswitch', release: '23.03' | '25.03' | '26.03' = '26.03') {
  const path = lab.at(`${schema}.${count++}.db`)
  await lab.run('26.03', 'ovsdb-tool', 'create', path, referenceSchema(schema, release))
  return path
}

/** A server at a socket of that name. */
async function serve(maker: Maker, name: string, ...args: string[]): Promise<Running> {
  const server = await lab.start(maker, 'ovsdb-server', `--remote=punix:${lab.at(name)}`, ...args)
  running.push(server)
  return server
}

const client = (...words: string[]) => lab.run('26.03', 'ovsdb-client', '-t', '60', ...words)
const at = (name: string) => `unix:${lab.at(name)}`

async function transact(name: string, database: string, ...operations: unknown[]): Promise<string> {
  const { stdout, stderr } = await client('transact', at(name), JSON.stringify([database, ...operations]))
  return (stdout + stderr).replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID')
}
const insert = (name: string, table = 'Address_Set') => ({ op: 'insert', table, row: { name } })

/** The names of the rows of a table, in order. */
async function names(name: string, database = 'OVN_Northbound', table = 'Address_Set'): Promise<string> {
  const { stdout, stderr } = await client('-f', 'csv', '--no-headings', 'dump', at(name), database, table, 'name')
  return (stdout.split('\n').slice(1).sort().join(' ') + stderr).trim()
}
const namesBecome = (expected: string, name: string, database?: string, table?: string) =>
  until(
    () => names(name, database, table),
    (n) => n === expected,
  )

const connected = async (name: string, state: boolean) =>
  until(
    async () => (await client('dump', at(name), '_Server', 'Database', 'connected', 'name')).stdout,
    (out) => out.includes(`${state}`.padEnd(9)) && new RegExp(`${state} +OVN_Northbound`).test(out),
  )

const PAIRS: readonly (readonly [Maker, Maker])[] = [
  ['26.03', 'ours'],
  ['ours', '26.03'],
  ['ours', 'ours'],
]

describe.each(PAIRS)('a source by %s, a relay by %s', (sourceMaker, relayMaker) => {
  test('is read through, passes transactions on, waits for the source, and finds another', async () => {
    const tag = `${sourceMaker}-${relayMaker}`
    const [first, second, relay] = [`${tag}.1`, `${tag}.2`, `${tag}.relay`]
    const db = await create('ovn-nb')
    const remotes = `${at(first)},${at(second)}`
    await serve(relayMaker, relay, `relay:OVN_Northbound:${remotes}`)
    // Nothing is known of it but its name.
    expect((await client('list-dbs', at(relay))).stdout).toBe('OVN_Northbound\n_Server\n')
    const select = { op: 'select', table: 'Address_Set', where: [], columns: ['name'] }
    expect(await transact(relay, 'OVN_Northbound', select)).toContain('"error":"database not available"')
    expect((await client('get-schema', at(relay), 'OVN_Northbound')).stderr).toContain(
      'get_schema request specifies database OVN_Northbound which is not yet available',
    )
    const source = await serve(sourceMaker, first, db)
    await connected(relay, true)
    expect(await transact(relay, 'OVN_Northbound', insert('a'))).toBe('[{"uuid":["uuid","UUID"]}]\n')
    expect(await names(first)).toBe('a')
    await transact(first, 'OVN_Northbound', insert('b'))
    expect(await namesBecome('a b', relay)).toBe('a b')
    // A constraint is the source's to check.
    expect(await transact(relay, 'OVN_Northbound', insert('a'))).toContain('constraint violation')
    // The source goes: what only looks is answered still, the rest waits for it.
    await source.end()
    expect(await transact(relay, 'OVN_Northbound', select)).toContain('"name":"a"')
    expect(await transact(relay, 'OVN_Northbound', { op: 'bogus' })).toContain('No operation')
    const waiting = transact(relay, 'OVN_Northbound', insert('c'))
    await serve(sourceMaker, second, db)
    expect(await waiting).toBe('[{"uuid":["uuid","UUID"]}]\n')
    expect(await namesBecome('a b c', relay)).toBe('a b c')
    expect(await names(second)).toBe('a b c')
  })
})

test.each<Maker>(['26.03', 'ours'])('our relay follows a conversion of a source by %s', async (maker) => {
  const [source, relay] = [`${maker}.convert`, `${maker}.convert.relay`]
  const db = await create('ovn-nb', '25.03')
  await serve(maker, source, db)
  await transact(source, 'OVN_Northbound', insert('kept'))
  await serve('ours', relay, `relay:OVN_Northbound:${at(source)}`)
  await connected(relay, true)
  const version = async (name: string) => (await client('get-schema-version', at(name), 'OVN_Northbound')).stdout
  const old = await version(relay)
  expect(old).toBe(await version(source))
  expect((await client('convert', at(relay), referenceSchema('ovn-nb'))).stderr).toContain(
    'conversion is not allowed for read-only database OVN_Northbound',
  )
  expect(await version(source)).toBe(old)
  expect((await client('convert', at(source), referenceSchema('ovn-nb'))).stderr).toBe('')
  const next = await version(source)
  expect(next).not.toBe(old)
  expect(
    await until(
      () => version(relay),
      (v) => v === next,
    ),
  ).toBe(next)
  expect(await namesBecome('kept', relay)).toBe('kept')
  expect(await transact(relay, 'OVN_Northbound', insert('more'))).toContain('UUID')
  expect(await namesBecome('kept more', source)).toBe('kept more')
})

/** What the control socket of the backup of each pair said. */
const saidBy = new Map<string, string[]>()

describe.each(PAIRS)('an active server by %s, a backup by %s', (activeMaker, backupMaker) => {
  test('two databases are backed up; the backup takes over', async () => {
    const tag = `${activeMaker}+${backupMaker}`
    const [active, backup] = [`${tag}.active`, `${tag}.backup`]
    const files = await Promise.all([create('ovn-nb'), create('ovn-sb')])
    const copies = await Promise.all([create('ovn-nb'), create('ovn-sb')])
    const first = await serve(activeMaker, active, ...files)
    await transact(active, 'OVN_Northbound', insert('a'))
    await transact(active, 'OVN_Southbound', insert('s'), insert('pg', 'Port_Group'))
    const second = await serve(
      backupMaker,
      backup,
      `--sync-from=${at(active)}`,
      '--sync-exclude-tables=OVN_Southbound:Port_Group',
      ...copies,
    )
    const said: string[] = []
    const ask = async (...words: string[]) => {
      const { code, stdout, stderr } = await second.appctl(...words)
      const text = (stdout + stderr)
        .replace(/ovs-appctl: .*\n/, '')
        .replaceAll(lab.dir, 'DIR')
        .replaceAll(tag, 'PAIR')
      said.push(`${words.join(' ').replaceAll(lab.dir, 'DIR').replaceAll(tag, 'PAIR')} -> ${code}\n${text}`)
      return stdout
    }
    const replicating = () =>
      until(
        async () => (await second.appctl('ovsdb-server/sync-status')).stdout,
        (s) => s.split('replicating').length === 3,
      )
    expect(await namesBecome('a', backup)).toBe('a')
    expect(await namesBecome('s', backup, 'OVN_Southbound')).toBe('s')
    expect(await names(backup, 'OVN_Southbound', 'Port_Group')).toBe('')
    await replicating()
    await ask('ovsdb-server/sync-status')
    await ask('ovsdb-server/get-active-ovsdb-server')
    await ask('ovsdb-server/get-sync-exclude-tables')
    // It takes no writes, and goes on following.
    expect(await transact(backup, 'OVN_Northbound', insert('x'))).toContain(
      'insert operation not allowed when database server is in read only mode',
    )
    expect((await client('convert', at(backup), referenceSchema('ovn-nb'))).stderr).toContain(
      'conversion is not allowed for read-only database OVN_Northbound',
    )
    await transact(active, 'OVN_Northbound', insert('b'))
    expect(await namesBecome('a b', backup)).toBe('a b')
    await ask('ovsdb-server/set-sync-exclude-tables', 'OVN_Northbound:ACL,OVN_Southbound:Port_Group,OVN_Northbound:NAT')
    await replicating()
    await ask('ovsdb-server/sync-status')
    await ask('ovsdb-server/get-sync-exclude-tables')
    await ask('ovsdb-server/set-active-ovsdb-server-probe-interval', 'x')
    await ask('ovsdb-server/set-active-ovsdb-server-probe-interval', '7000')
    // The active server dies, and the backup becomes active.
    await first.end('SIGKILL')
    if (backupMaker === 'ours') {
      // The real one goes on to say that it replicates.
      const status = await until(
        async () => (await second.appctl('ovsdb-server/sync-status')).stdout,
        (s) => s.includes('connecting'),
      )
      expect(status).toContain('database: OVN_Northbound\nstate: backup\nconnecting: unix:')
    }
    await ask('ovsdb-server/disconnect-active-ovsdb-server')
    await ask('ovsdb-server/sync-status')
    expect(await transact(backup, 'OVN_Northbound', insert('c'))).toContain('UUID')
    // The old one comes back as the backup of the new one.
    const returned = await serve(activeMaker, active, `--sync-from=${at(backup)}`, '--active', ...files)
    await returned.appctl('ovsdb-server/connect-active-ovsdb-server')
    expect(await namesBecome('a b c', active)).toBe('a b c')
    // A switch-over in good order.
    await ask('ovsdb-server/set-active-ovsdb-server', at(active))
    await ask('ovsdb-server/sync-status')
    await returned.appctl('ovsdb-server/disconnect-active-ovsdb-server')
    await ask('ovsdb-server/connect-active-ovsdb-server')
    await replicating()
    await ask('ovsdb-server/sync-status')
    await transact(active, 'OVN_Northbound', insert('d'))
    expect(await namesBecome('a b c d', backup)).toBe('a b c d')
    // What was replicated outlives the backup's process.
    await second.end('SIGKILL')
    const [copy = ''] = copies
    const query =
      '["OVN_Northbound",{"op":"select","table":"Address_Set","where":[["name","==","d"]],"columns":["name"]}]'
    expect((await lab.run('26.03', 'ovsdb-tool', 'query', copy, query)).stdout).toBe('[{"rows":[{"name":"d"}]}]\n')
    saidBy.set(tag, said)
  })
})

test('whoever the backup is, it says the same', () => {
  const [first, ...others] = [...saidBy.values()]
  expect(first).toHaveLength(14)
  expect(others).toHaveLength(PAIRS.length - 1)
  for (const other of others) expect(other).toEqual(first)
})

test('a backup whose database is not at the source, or by another schema, takes no writes', async () => {
  const db = await create('ovn-nb')
  await serve('26.03', 'lone', db)
  const backup = await serve(
    'ours',
    'strange',
    `--sync-from=${at('lone')}`,
    await create('ovn-nb', '23.03'),
    await create('vswitch'),
  )
  const status = await until(
    async () => (await backup.appctl('ovsdb-server/sync-status')).stdout,
    (s) => s.split('error').length === 3,
  )
  expect(status).toBe(
    ['OVN_Northbound', 'Open_vSwitch']
      .map((name) => `database: ${name}\nstate: backup\nerror: replication failed, see the log\n`)
      .join(''),
  )
  expect(await transact('strange', 'OVN_Northbound', insert('x'))).toContain('read only mode')
  expect(backup.log()).toMatch(/(Table|Column) \w+ not present in the local db schema/)
  expect(backup.log()).toContain('OVN_Northbound cannot be replicated.')
  expect(backup.log()).toContain('list_dbs failed: Open_vSwitch: database name is not in the list')
})

test.each<Maker>(['26.03', 'ours'])('a backup by %s whose schema has more than the source', async (maker) => {
  const string = { type: 'string' }
  const schema = (tables: unknown) => JSON.stringify({ name: 'D', version: '1.0.0', tables })
  const make = async (name: string, tables: unknown) => {
    writeFileSync(lab.at('schema'), schema(tables))
    await lab.run('26.03', 'ovsdb-tool', 'create', lab.at(name), lab.at('schema'))
    return lab.at(name)
  }
  const source = await make(`${maker}.less.db`, { T: { columns: { name: string } } })
  const more = { T: { columns: { name: string, more: string } }, U: { columns: { name: string } } }
  const copy = await make(`${maker}.more.db`, more)
  // What the source does not know does not stay.
  const own = '["D",{"op":"insert","table":"U","row":{"name":"own"}},{"op":"insert","table":"T","row":{"name":"goes"}}]'
  await lab.run('26.03', 'ovsdb-tool', 'transact', copy, own)
  await serve('26.03', `${maker}.less`, source)
  await transact(`${maker}.less`, 'D', insert('a', 'T'))
  const backup = await serve(maker, `${maker}.more`, `--sync-from=${at(`${maker}.less`)}`, copy)
  expect(await namesBecome('a', `${maker}.more`, 'D', 'T')).toBe('a')
  expect((await backup.appctl('ovsdb-server/sync-status')).stdout).toContain('replicating')
  await backup.appctl('ovsdb-server/disconnect-active-ovsdb-server')
  expect(await names(`${maker}.more`, 'D', 'U')).toBe('')
  expect(backup.log()).toContain('D: Schema version mismatch, checking if D can still be replicated or not.')
  expect(backup.log()).toContain('D can be replicated')
})

test.each<Maker>(['26.03', 'ours'])(
  'a real controller works through a relay of ours, of a source by %s',
  async (maker) => {
    const files = await Promise.all([create('ovn-nb'), create('ovn-sb')])
    const [central, relay, host] = [at(`${maker}.central`), at(`${maker}.edge`), at(`${maker}.host`)]
    await serve(maker, `${maker}.central`, ...files)
    await serve('ours', `${maker}.edge`, `relay:OVN_Southbound:${central}`)
    await serve('26.03', `${maker}.host`, await create('vswitch'))
    const keep = async (...args: Parameters<Lab['start']>) => void running.push(await lab.start(...args))
    const set = (...args: string[]) => lab.run('26.03', 'ovs-vsctl', '--no-wait', `--db=${host}`, ...args)
    const ids = {
      'system-id': 'hv',
      hostname: 'hv',
      'ovn-encap-type': 'geneve',
      'ovn-encap-ip': '127.0.0.1',
      'ovn-remote': relay,
    }
    await set(
      'init',
      '--',
      'set',
      'Open_vSwitch',
      '.',
      ...Object.entries(ids).map(([k, v]) => `external_ids:${k}="${v}"`),
    )
    await set('add-br', 'br-int', '--', 'set', 'Bridge', 'br-int', 'fail-mode=secure', 'datapath_type=dummy')
    await set('add-port', 'br-int', 'vif', '--', 'set', 'Interface', 'vif', 'type=dummy', 'external_ids:iface-id=p')
    await keep('26.03', 'ovn-northd', `--ovnnb-db=${central}`, `--ovnsb-db=${central}`)
    await keep('26.03', 'ovs-vswitchd', host, '--disable-system', '--enable-dummy=override')
    await keep('26.03', 'ovn-controller', host)
    const nb = (...args: string[]) => lab.run('26.03', 'ovn-nbctl', '-t', '60', `--db=${central}`, ...args)
    const address = '02:00:00:00:00:01 10.0.0.1'
    await nb('ls-add', 'sw', '--', 'lsp-add', 'sw', 'p', '--', 'lsp-set-addresses', 'p', address)
    // The whole way: to the southbound, to the switch, and back.
    expect((await nb('--wait=hv', 'sync')).code).toBe(0)
    expect((await nb('wait-until', 'Logical_Switch_Port', 'p', 'up=true')).code).toBe(0)
    const chassis = await lab.run(
      '26.03',
      'ovn-sbctl',
      `--db=${central}`,
      '--bare',
      '--columns=name',
      'list',
      'Chassis',
    )
    expect(chassis.stdout).toBe('hv\n')
  },
)
