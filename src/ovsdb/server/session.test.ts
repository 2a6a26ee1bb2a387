import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { type ByteStream, streamPair } from '../../base/stream.ts'
import { isObject, type Json, type JsonObject, printJson } from '../../jsonrpc/json.ts'
import { MessageReader } from '../../jsonrpc/reader.ts'
import { readSchema } from '../schema/index.ts'
import { createServer } from './index.ts'
import type { SessionOptions } from './session.ts'

const schema = readSchema({
  name: 'D',
  version: '1.0.0',
  tables: { T: { columns: { name: { type: 'string' }, n: { type: 'integer' } } } },
})

class TestClient {
  readonly messages: JsonObject[] = []
  closed = false
  private readonly reader = new MessageReader((m) => this.messages.push(m as JsonObject))

  constructor(
    readonly stream: ByteStream,
    private readonly clock: VirtualClock,
  ) {
    stream.onData = (bytes) => this.reader.push(bytes)
    stream.onClose = () => {
      this.closed = true
    }
  }

  send(json: Json): void {
    this.stream.write(Buffer.from(printJson(json)))
  }

  /** What came since the last call. */
  take(): JsonObject[] {
    this.clock.settle()
    return this.messages.splice(0)
  }

  call(method: string, params: readonly Json[], id: Json = 1): JsonObject[] {
    this.send({ id, method, params })
    return this.take()
  }

  result(method: string, params: readonly Json[]): Json {
    const last = this.call(method, params).at(-1)
    expect(last?.['error']).toBeNull()
    return last?.['result'] as Json
  }
}

function setup() {
  const clock = new VirtualClock()
  const { log, lines } = keptLog('info')
  const server = createServer({ clock, log, random: seeded(1) })
  const added = server.addDatabase(schema)
  if (!added.ok) throw new Error(added.error)
  const client = (options?: SessionOptions) => {
    const [mine, theirs] = streamPair(clock)
    server.accept(theirs, options)
    return new TestClient(mine, clock)
  }
  return { clock, lines, server, database: added.value, client }
}

const insert = (name: string, n = 0) => ({ op: 'insert', table: 'T', row: { name, n } }) as const

test('a lock goes from one to the next, and can be stolen', () => {
  const { client } = setup()
  const [a, b, c] = [client(), client(), client()]
  expect(a.result('lock', ['l'])).toEqual({ locked: true })
  expect(b.result('lock', ['l'])).toEqual({ locked: false })
  expect(c.result('steal', ['l'])).toEqual({ locked: true })
  expect(a.take()).toEqual([{ id: null, method: 'stolen', params: ['l'] }])
  const assert = (x: TestClient) => x.result('transact', ['D', { op: 'assert', lock: 'l' }])
  expect(assert(c)).toEqual([{}])
  expect(assert(a)).toEqual([{ error: 'not owner', details: 'Asserted lock l not held.' }])
  c.stream.close()
  expect(a.take()).toEqual([{ id: null, method: 'locked', params: ['l'] }])
  expect(a.result('unlock', ['l'])).toEqual({})
  expect(b.take()).toEqual([{ id: null, method: 'locked', params: ['l'] }])
})

test('updates come before the reply to the transaction that made them', () => {
  const { client } = setup()
  const a = client()
  expect(a.result('monitor', ['D', 'm', { T: { columns: ['name'] } }])).toEqual({})
  const [update, reply] = a.call('transact', ['D', insert('x')])
  expect(update?.['method']).toBe('update')
  expect(reply?.['id']).toBe(1)
})

test('a wait blocks until another client makes it true, times out, or is canceled', () => {
  const { client, clock } = setup()
  const [a, b] = [client(), client()]
  const wait = (timeout?: number) => ({
    op: 'wait',
    table: 'T',
    where: [['name', '==', 'x']],
    columns: ['n'],
    until: '==',
    rows: [{ n: 7 }],
    ...(timeout === undefined ? {} : { timeout }),
  })
  expect(a.call('transact', ['D', wait()], 'one')).toEqual([])
  expect(a.call('transact', ['D', wait(1000)], 'two')).toEqual([])
  expect(a.call('transact', ['D', wait()], 'three')).toEqual([])
  clock.advance(1000)
  expect(a.take()).toEqual([
    { id: 'two', result: [{ error: 'timed out', details: '"wait" timed out after 1000 ms' }], error: null },
  ])
  a.send({ id: null, method: 'cancel', params: ['three'] })
  expect(a.take()).toEqual([{ id: 'three', error: 'canceled' }])
  b.result('transact', ['D', insert('x', 7)])
  expect(a.take()).toEqual([{ id: 'one', result: [{}], error: null }])
})

test('monitor_cond_since tells only what happened since a transaction that is remembered', () => {
  const { client } = setup()
  const a = client()
  const since = (id: string) =>
    client().result('monitor_cond_since', ['D', 'm', { T: [{ columns: ['name'] }] }, id]) as readonly Json[]
  a.result('transact', ['D', insert('one')])
  const [found, last, rows] = since('00000000-0000-0000-0000-000000000000')
  expect(found).toBe(false)
  expect(Object.keys((rows as JsonObject)['T'] as JsonObject)).toHaveLength(1)
  a.result('transact', ['D', insert('two')])
  const [again, , more] = since(last as string)
  expect(again).toBe(true)
  expect(Object.values((more as JsonObject)['T'] as JsonObject)).toEqual([{ insert: { name: 'two' } }])
  for (let i = 0; i < 101; i++) a.result('transact', ['D', insert(`n${i}`)])
  expect(since(last as string)[0]).toBe(false)
})

test('a change of schema cancels the monitors of those who know of it, and disconnects the others', () => {
  const { client, server } = setup()
  const [aware, other] = [client(), client()]
  aware.result('set_db_change_aware', [true])
  aware.result('monitor', ['_Server', 's', { Database: { columns: ['name', 'schema'] } }])
  aware.result('monitor', ['D', 'm', { T: {} }])
  other.result('monitor', ['D', 'm', { T: {} }])
  aware.result('transact', ['D', insert('kept', 3)])
  aware.take()
  const next = {
    name: 'D',
    version: '2.0.0',
    tables: { T: { columns: { name: { type: 'string' }, more: { type: 'string' } } } },
  }
  const messages = aware.call('convert', ['D', next])
  expect(messages.map((m) => m['method'] ?? m['id'])).toEqual(['update', 'monitor_canceled', 1])
  expect(other.closed).toBe(true)
  expect(server.database('D')?.schema.version).toBe('2.0.0')
  expect(aware.result('transact', ['D', { op: 'select', table: 'T', where: [], columns: ['name', 'more'] }])).toEqual([
    { rows: [{ name: 'kept', more: '' }] },
  ])
  const bad = { name: 'D', tables: { T: { columns: { name: { type: { key: { type: 'string', maxLength: 2 } } } } } } }
  expect(aware.call('convert', ['D', bad]).at(-1)).toMatchObject({ error: { error: 'constraint violation' } })
})

test('a silent client is probed and then dropped, one that answers is not', () => {
  const { client, clock, lines, server } = setup()
  const options = { probe: 5000, readOnly: false, role: '' }
  const [dead, alive] = [client(options), client(options)]
  const seen: JsonObject[] = []
  for (let s = 0; s < 12; s++) {
    clock.advance(1000)
    // As a remote in a table does whenever its database changes.
    for (const session of server.sessions) session.setOptions({ ...options })
    for (const m of alive.take()) {
      seen.push(m)
      if (m['method'] === 'echo') alive.send({ id: m['id'] as Json, result: m['params'] as Json, error: null })
    }
  }
  expect(seen[0]).toEqual({ id: 'echo', method: 'echo', params: [] })
  clock.settle()
  expect(dead.closed).toBe(true)
  expect(alive.closed).toBe(false)
  expect(lines.some((l) => l.message.includes('no response to inactivity probe'))).toBe(true)
})

test('a read-only client may look but not touch', () => {
  const { client } = setup()
  const a = client({ probe: 0, readOnly: true, role: '' })
  expect(a.result('transact', ['D', insert('x')])).toEqual([
    { error: 'not allowed', details: 'insert operation not allowed when database server is in read only mode' },
  ])
  expect(a.result('transact', ['D', { op: 'select', table: 'T', where: [] }])).toEqual([{ rows: [] }])
})

test('a client that does not read costs bounded memory, is told all in one when it does, and harms nobody', () => {
  const { client, clock, server } = setup()
  const [slow, writer] = [client(), client()]
  slow.result('monitor_cond', ['D', 'm', { T: [{ columns: ['name', 'n'] }] }])
  writer.result('transact', ['D', insert('x')])
  slow.take()
  slow.stream.pause()
  const big = 'y'.repeat(10_000)
  for (let i = 1; i <= 2000; i++) {
    writer.result('transact', ['D', { op: 'update', table: 'T', where: [], row: { name: big + i, n: i } }])
  }
  const queued = Math.max(...[...server.sessions].map((s) => s.queuedBytes))
  expect(queued).toBeLessThan(1_000_000)
  slow.stream.resume()
  const updates = slow.take()
  expect(updates.length).toBeLessThan(100)
  const last = updates.at(-1) as JsonObject
  expect(printJson(last)).toContain(`"n":2000`)
  slow.stream.pause()
  for (let i = 0; i < 300; i++) writer.result('transact', ['D', insert(big, i)])
  clock.advance(400_000)
  expect(slow.closed || [...server.sessions].length === 1).toBe(true)
})

test('requests of a client that takes no replies are not read for ever', () => {
  const { client, server } = setup()
  const a = client()
  a.stream.pause()
  const text = 'z'.repeat(100_000)
  for (let i = 0; i < 400; i++) a.send({ id: i, method: 'echo', params: [text] })
  a.take()
  expect(Math.max(...[...server.sessions].map((s) => s.queuedBytes))).toBeLessThan(10_000_000)
  a.stream.resume()
  expect(a.take()).toHaveLength(400)
})

test('whatever is sent, the server stays up and others are served', () => {
  const { client, clock } = setup()
  const good = client()
  const method = fc.constantFrom(
    'transact',
    'monitor',
    'monitor_cond',
    'monitor_cond_since',
    'monitor_cond_change',
    'lock',
    'unlock',
    'steal',
    'echo',
    'convert',
    'get_schema',
    'monitor_cancel',
    'set_db_change_aware',
    'x',
  )
  const part = fc.letrec<{ v: Json }>((tie) => ({
    v: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom<Json>(
        'D',
        'T',
        'insert',
        'select',
        'name',
        'where',
        '==',
        'set',
        'map',
        'uuid',
        null,
        true,
        1,
        -1,
        1.5,
      ),
      fc.array(tie('v'), { maxLength: 4 }),
      fc.dictionary(
        fc.constantFrom('op', 'table', 'row', 'where', 'T', 'name', 'columns', 'mutations', 'select'),
        tie('v'),
        { maxKeys: 4 },
      ),
    ),
  })).v
  fc.assert(
    fc.property(
      method,
      fc.array(part, { maxLength: 4 }),
      fc.uint8Array({ maxLength: 30 }),
      fc.boolean(),
      (m, params, noise, database) => {
        const bad = client()
        bad.call(m, database ? ['D', ...params] : params)
        bad.stream.write(noise)
        bad.stream.write(Buffer.from('{"id":1,"method":"transact","params":["D"'))
        bad.take()
        bad.stream.close()
        clock.settle()
        const alive = client()
        expect(alive.result('echo', [1])).toEqual([1])
        alive.stream.close()
      },
    ),
    { numRuns: 400 },
  )
  expect(isObject(good.result('get_schema', ['_Server']))).toBe(true)
})

test('2,000 connections', () => {
  const { client, server } = setup()
  const all = Array.from({ length: 2000 }, () => client())
  for (const c of all) c.send({ id: 1, method: 'monitor', params: ['D', 'm', { T: { columns: ['name'] } }] })
  for (const c of all) expect(c.take()).toHaveLength(1)
  all[0]?.result('transact', ['D', insert('x')])
  for (const c of all.slice(1)) expect(c.take()).toHaveLength(1)
  for (const c of all) c.stream.close()
  all[0]?.take()
  expect(server.sessions.size).toBe(0)
})
