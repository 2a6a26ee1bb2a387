import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { silent } from '../base/log.ts'
import { unwrap } from '../base/result.ts'
import { SystemClock } from '../io/clock.ts'
import { systemRandom } from '../io/random.ts'
import { type Listener, listen } from '../io/socket.ts'
import { printJson } from '../jsonrpc/json.ts'
import { printSchema } from '../ovsdb/schema/index.ts'
import { createServer } from '../ovsdb/server/index.ts'
import { encodeRecord } from '../ovsdb/storage/index.ts'
import type { Database } from '../ovsdb/transaction/index.ts'
import { northbound } from '../schema/northbound.ts'

// The program on our own server; tests/peers/ovsdb-client.test.ts holds it against the real one.

const folder = mkdtempSync(join(tmpdir(), 'client-'))
const at = (name: string) => join(folder, name)
const remote = `unix:${at('sock')}`
const env = { ...process.env, OVS_RUNDIR: folder }
let listener: Listener
let database: Database

beforeAll(async () => {
  await build({
    entryPoints: [fileURLToPath(new URL('./ovsdb-client.ts', import.meta.url))],
    ...{ outfile: at('client.mjs'), bundle: true, format: 'esm', platform: 'node', target: 'node20' },
    packages: 'external',
  })
  const server = createServer({ clock: new SystemClock(), log: silent, random: systemRandom })
  database = unwrap(server.addDatabase(northbound))
  database.transact([{ op: 'insert', table: 'Logical_Switch', row: { name: 'sw0' } }])
  listener = await new Promise<Listener>((resolve, reject) =>
    listen(
      { kind: 'unix', path: at('sock') },
      (stream) => server.accept(stream),
      (r) => (r.ok ? resolve(r.value) : reject(new Error(r.error))),
    ),
  )
  writeFileSync(at('nb.ovsschema'), printJson(printSchema(northbound)))
})
afterAll(() => {
  listener.close()
  rmSync(folder, { recursive: true })
})

const run = (args: readonly string[], input = '', stdout: 'pipe' | number = 'pipe') =>
  new Promise<{ out: string; err: string; status: number | null }>((done) => {
    const child = spawn(process.execPath, [at('client.mjs'), ...args], { env, stdio: ['pipe', stdout, 'pipe'] })
    let out = ''
    let err = ''
    child.stdout?.on('data', (data) => {
      out += data
    })
    child.stderr?.on('data', (data) => {
      err += data
    })
    child.stdin?.end(input)
    child.on('close', (status) => done({ out, err, status }))
  })

it('asks a server', async () => {
  const answers: [string[], string][] = [
    [['list-dbs', remote], 'OVN_Northbound\n_Server\n'],
    [['get-schema-version', `unix:/nope,${remote}`, 'OVN_Northbound'], `${northbound.version}\n`],
    [['needs-conversion', remote, at('nb.ovsschema')], 'no\n'],
    [
      ['-f', 'csv', 'dump', remote, 'OVN_Northbound', 'Logical_Switch', 'ports', 'name'],
      'Logical_Switch table\nname,ports\nsw0,[]\n',
    ],
    [['-vreconnect:off', 'wait', remote, 'OVN_Northbound', 'connected'], ''],
    [['query', remote, '["OVN_Northbound",{"op":"delete","table":"Logical_Switch","where":[]}]'], '[{"count":1}]\n'],
  ]
  const ran = await Promise.all(answers.map(([args]) => run(args)))
  expect(ran).toEqual(answers.map(([, out]) => ({ out, err: '', status: 0 })))
  const bad = await run(['transact', remote, '["x", nope]'])
  expect(bad).toEqual({
    out: '',
    err: `ovsdb-client: "["x", nope]": line 0, column 10, byte 10: invalid keyword 'nope'\n`,
    status: 1,
  })
})

it('saves and restores', async () => {
  const saved = await run(['backup', remote, 'OVN_Northbound'])
  database.transact([{ op: 'delete', table: 'Logical_Switch', where: [] }])
  expect(await run(['restore', remote, 'OVN_Northbound'], saved.out)).toEqual({ out: '', err: '', status: 0 })
  expect([...database.rows('Logical_Switch')].map((r) => r['name'])).toEqual(['sw0'])
})

it('restores a file in which rows were changed piece by piece', async () => {
  const record = (json: object) => Buffer.from(encodeRecord(JSON.stringify(json))).toString()
  const uuid = '2f77b348-9768-4866-b761-89d5177ecda0'
  const change = (row: object | null) => ({ _is_diff: true, Address_Set: { [uuid]: row } })
  const { out } = await run(['get-schema', remote, 'OVN_Northbound'])
  const file = [
    record(JSON.parse(out)),
    record(change({ name: 'set', addresses: ['set', ['1.1.1.1', '2.2.2.2']] })),
    record(change({ addresses: ['set', ['2.2.2.2', '3.3.3.3']] })),
  ]
  const before = await run(['backup', remote, 'OVN_Northbound'])
  expect(await run(['restore', remote, 'OVN_Northbound'], file.join(''))).toEqual({ out: '', err: '', status: 0 })
  const kept = [...database.rows('Address_Set')].map((r) => [r['name'], r['addresses']])
  expect(kept).toEqual([['set', ['1.1.1.1', '3.3.3.3']]])
  expect((await run(['restore', remote, 'OVN_Northbound'], before.out)).status).toBe(0)
})

it.each([
  [undefined, 'transaction failed (End of file)\n'],
  ['HTTP/1.1', /\|jsonrpc\|WARN\|.*: error parsing stream: .*\n.*transaction failed \(Protocol error\)\n$/],
  ['{"id":0,"result":null,"error":"bad"}', 'transaction returned error: "bad"\n'],
])('says what became of a server that answers %j', async (answer, said) => {
  const liar = await new Promise<Listener>((resolve, reject) =>
    listen(
      { kind: 'unix', path: at('liar') },
      (stream) => {
        stream.onData = () => {
          if (answer === undefined) stream.close()
          else stream.write(Buffer.from(answer))
        }
      },
      (r) => (r.ok ? resolve(r.value) : reject(new Error(r.error))),
    ),
  )
  const { err, status } = await run(['list-dbs', `unix:${at('liar')}`])
  liar.close()
  expect(status).toBe(1)
  if (typeof said === 'string') expect(err).toBe(`ovsdb-client: ${said}`)
  else expect(err).toMatch(said)
})

it('goes to the background once the first contents are printed', async () => {
  const out = openSync(at('out'), 'w')
  const args = ['-f', 'csv', 'monitor', remote, 'OVN_Northbound', 'Logical_Switch', 'name']
  const started = await run(['--detach', `--pidfile=${at('pid')}`, ...args], '', out)
  expect(started.status).toBe(0)
  const printed = () => readFileSync(at('out'), 'utf8').replace(/[0-9a-f-]{36}/g, 'UUID')
  expect(printed()).toBe('row,action,name\nUUID,initial,sw0\n')
  const pid = Number(readFileSync(at('pid'), 'utf8'))
  expect(existsSync(at(`ovsdb-client.${pid}.ctl`))).toBe(true)
  database.transact([{ op: 'insert', table: 'Logical_Switch', row: { name: 'sw1' } }])
  const until = async (test: () => boolean) => {
    for (let i = 0; i < 2000 && !test(); i++) await new Promise((done) => setTimeout(done, 20))
    expect(test()).toBe(true)
  }
  await until(() => printed().endsWith('\nrow,action,name\nUUID,insert,sw1\n'))
  process.kill(pid)
  await until(() => !existsSync(at('pid')) && !existsSync(at(`ovsdb-client.${pid}.ctl`)))
})
