import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { silent } from '../base/log.ts'
import { unwrap } from '../base/result.ts'
import { SystemClock } from '../io/clock.ts'
import { systemRandom } from '../io/random.ts'
import { type Listener, listen } from '../io/socket.ts'
import { schemaModule } from '../ovsdb/schema/typescript.ts'
import {
  ConnectFailure,
  connect,
  createServer,
  fetchSchema,
  northbound,
  type OvsdbConnection,
  openVSwitch,
  parseSchema,
  TransactFailure,
} from './library.ts'
import type { Northbound } from './northbound.ts'

const text = readFileSync(fileURLToPath(new URL('../../docs/OVSDB-CLIENT.md', import.meta.url)), 'utf8')
const library = fileURLToPath(new URL('./library.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ovsdb-'))
const path = join(folder, 'nb.sock')
const remote = `unix:${path}`
const clock = new SystemClock()
let listener: Listener
let reset = () => {}

beforeAll(async () => {
  const server = createServer({ clock, log: silent, random: systemRandom })
  const database = unwrap(server.addDatabase(northbound))
  unwrap(server.addDatabase(openVSwitch)).transact([{ op: 'insert', table: 'Open_vSwitch', row: {} }])
  const fruits = parseSchema(JSON.parse(/```json\n([\s\S]*?)```/.exec(text)?.[1] ?? ''))
  if (!fruits.ok) throw new Error(fruits.error.error)
  const ownDatabase = unwrap(server.addDatabase(fruits.value))
  writeFileSync(join(folder, 'fruits.ts'), schemaModule(fruits.value, library))
  reset = () => {
    const clear = [...northbound.tables.keys()].map((table) => ({ op: 'delete', table, where: [] }) as const)
    database.transact(clear)
    const port = '00000000-0000-4000-8000-000000000001'
    database.transact([
      { op: 'insert', table: 'NB_Global', row: {} },
      {
        op: 'insert',
        table: 'Logical_Switch_Port',
        uuid: port,
        row: { name: 'vm1', addresses: ['0a:00:00:00:00:01 10.0.0.6'] },
      },
      { op: 'insert', table: 'Logical_Switch', row: { name: 'public', ports: [port] } },
      { op: 'insert', table: 'Logical_Switch', row: { name: 'empty' } },
    ])
    ownDatabase.transact([{ op: 'delete', table: 'Basket', where: [] }])
  }
  reset()
  listener = await new Promise<Listener>((resolve, reject) =>
    listen(
      { kind: 'unix', path },
      (stream) => server.accept(stream),
      (r) => (r.ok ? resolve(r.value) : reject(new Error(r.error))),
    ),
  )
})
afterAll(() => {
  listener.close()
  rmSync(folder, { recursive: true })
})

describe('docs/OVSDB-CLIENT.md', () => {
  const all = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((m) => m[1] ?? '')

  it('has examples, each of which shows something', () => {
    expect(all.length).toBeGreaterThan(15)
    expect(all.filter((code) => !code.includes('// =>'))).toEqual([])
  })

  it('has examples that the compiler takes, with the strictest settings', () => {
    const files = all.map((code, i) => {
      const file = join(folder, `checked${i + 1}.ts`)
      writeFileSync(file, `export {}\n${code.replace(`'ovn-ts/ovsdb'`, JSON.stringify(library))}`)
      return file
    })
    const root = fileURLToPath(new URL('../../', import.meta.url))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    const config = join(folder, 'tsconfig.json')
    const typeRoots = [join(root, 'node_modules/@types')]
    const compilerOptions = { noEmit: true, composite: false, incremental: false, typeRoots, types: ['node'] }
    writeFileSync(config, JSON.stringify({ extends: join(root, 'tsconfig.base.json'), compilerOptions, files }))
    const r = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', config], {
      encoding: 'utf8',
    })
    expect(r.stdout.slice(0, 2000)).toBe('')
    expect(r.status).toBe(0)
  })

  it.each(all.map((code, i) => [i + 1, code] as const))('example %i does what it says', async (i, code) => {
    reset()
    for (const name of ['OVN_NB_DB', 'OVS_DB', 'FRUITS_DB']) process.env[name] = remote
    const wanted = [...code.matchAll(/\/\/ => (.*)/g)].map((m) => m[1])
    const file = join(folder, `example${i}.ts`)
    writeFileSync(file, `export {}\n${code.replace(`'ovn-ts/ovsdb'`, JSON.stringify(library))}`)
    const lines: string[] = []
    const log = vi.spyOn(console, 'log').mockImplementation((...words) => void lines.push(words.join(' ')))
    try {
      await import(/* @vite-ignore */ file)
    } finally {
      log.mockRestore()
    }
    expect(wanted.every((w) => w !== undefined && lines.includes(w)) ? wanted : lines).toEqual(wanted)
  })
})

describe('connect', () => {
  const open = () => connect<Northbound>({ schema: northbound, remotes: remote })
  const name = (nb: OvsdbConnection<Northbound>, uuid: string) => nb.table('Logical_Switch').get(uuid)?.name

  it('gives up when the time is up', async () => {
    const attempt = connect({ schema: northbound, remotes: `unix:${folder}/nobody`, timeout: 1000 })
    await expect(attempt).rejects.toThrow('No such file or directory')
    await expect(connect({ schema: northbound, remotes: 'ssl:127.0.0.1:1', timeout: 1000 })).rejects.toThrow('no keys')
  })

  it('refuses remotes that no waiting mends', async () => {
    const kind = (attempt: Promise<unknown>) =>
      attempt.then(
        () => 'connected',
        (e) => (e instanceof ConnectFailure ? `${e.reason.kind}: ${e.message}` : e),
      )
    expect(await kind(connect({ schema: northbound, remotes: '' }))).toBe('bad remote: no remote was given')
    expect(await kind(connect({ schema: northbound, remotes: 'tcp' }))).toBe('bad remote: tcp: bad connection method')
    expect(await kind(connect({ schema: northbound, remotes: [] }))).toBe('bad remote: no remote was given')
    expect(await kind(connect({ schema: northbound, remotes: [remote, 'ssl:127.0.0.1:1'] }))).toBe(
      'bad remote: ssl:127.0.0.1:1: no keys and certificates were given for ssl:',
    )
    expect(await kind(fetchSchema('nonsense', 'x'))).toBe('bad remote: nonsense: bad connection method')
    expect(await kind(fetchSchema(`unix:${folder}/nobody`, 'x'))).toContain('no schema: unix:')
    // a column of a newer schema than the server's
    const tables = { Logical_Switch: { required: ['name', 'color' as 'name'] } } as const
    expect(await kind(connect({ schema: northbound, remotes: remote, tables }))).toBe(
      `unsuitable: ${remote}: Logical_Switch table in OVN_Northbound database lacks color column`,
    )
    // a server that takes connections and says nothing
    const silentPath = join(folder, 'silent.sock')
    const mute = await new Promise<Listener>((resolve, reject) =>
      listen(
        { kind: 'unix', path: silentPath },
        () => {},
        (r) => (r.ok ? resolve(r.value) : reject(new Error(r.error))),
      ),
    )
    expect(await kind(fetchSchema(`unix:${silentPath}`, 'x', { timeout: 1000 }))).toBe(
      'timeout: no contents within 1000 ms: no answer',
    )
    mute.close()
  })

  it('gives up when it is told to, and leaves nothing behind', async () => {
    const nobody = `unix:${folder}/nobody`
    const abort = new AbortController()
    const attempt = connect({ schema: northbound, remotes: nobody, signal: abort.signal })
    abort.abort(new Error('the program ends'))
    await expect(attempt).rejects.toThrow('the program ends')
    await expect(connect({ schema: northbound, remotes: nobody, signal: abort.signal })).rejects.toThrow('the program')
    const later = new AbortController()
    const nb = await connect({ schema: northbound, remotes: remote, signal: later.signal })
    later.abort()
    expect(nb.connected).toBe(true)
    nb.close()
  })

  it('waits for a state, and tells of connections that come and go', async () => {
    const nb = await open()
    await expect(nb.until(() => false, { timeout: 20 })).rejects.toThrow('not within 20 ms')
    const states: string[] = []
    nb.onState((state) => states.push(state))
    const never = nb.until(() => false)
    const locked = nb.lock('held')
    const handle = await locked
    const other = await open()
    const waiting = other.lock('held')
    other.close()
    await expect(waiting).rejects.toThrow('connection closed')
    handle.release()
    nb.close()
    await expect(never).rejects.toThrow('connection closed')
    expect(states).toEqual(['closed'])
    await expect(nb.edit((tx) => tx.insert('Logical_Switch', {}))).rejects.toThrow('not connected')
  })

  it('sees what another does, and leaves loops when closed', async () => {
    const [a, b] = await Promise.all([open(), open()])
    const seen: string[] = []
    const loop = (async () => {
      for await (const change of b.changes()) {
        for (const { new: row } of change.tables.Logical_Switch?.values() ?? []) if (row) seen.push(row.name)
      }
    })()
    const uuid = await a.edit((tx) => tx.insert('Logical_Switch', { name: 'seen' }))
    await b.until(() => name(b, uuid) === 'seen')
    b.close()
    await loop
    expect(seen).toEqual(['seen'])
    a.close()
  })

  it('says what was refused', async () => {
    const nb = await open()
    const bad = { op: 'insert', table: 'Logical_Switch', row: { name: 5 } } as const
    const error = await nb.transact([bad]).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(TransactFailure)
    if (error instanceof TransactFailure) expect(error.reason).toMatchObject({ kind: 'refused', operation: bad })
    nb.close()
  })

  it('asks for a schema', async () => {
    const schema = await fetchSchema(remote, 'OVN_Northbound')
    expect(schema.version).toBe(northbound.version)
    await expect(fetchSchema(remote, 'Nope')).rejects.toThrow('no schema of Nope')
    const second = await fetchSchema(`unix:${folder}/nobody,${remote}`, 'OVN_Northbound')
    expect(second.version).toBe(northbound.version)
    const nb = await connect({ schema, remotes: remote, tables: { Logical_Switch: true } })
    expect(nb.table('Logical_Switch').size).toBeGreaterThan(0)
    nb.close()
  })
})
