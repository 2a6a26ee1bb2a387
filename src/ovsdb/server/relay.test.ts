import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { err, ok, unwrap } from '../../base/result.ts'
import { type ByteStream, streamPair } from '../../base/stream.ts'
import { type Json, printJson } from '../../jsonrpc/json.ts'
import { MessageReader } from '../../jsonrpc/reader.ts'
import { readSchema } from '../schema/index.ts'
import type { Database } from '../transaction/index.ts'
import { createServer, Relays, Replication, type Server, type Transport } from './index.ts'

const schema = (version: string, more: Record<string, Json> = {}) =>
  readSchema({
    name: 'D',
    version,
    tables: {
      T: {
        isRoot: true,
        columns: {
          name: { type: 'string' },
          n: { type: 'integer' },
          tags: { type: { key: 'string', min: 0, max: 'unlimited' } },
          ...more,
        },
      },
    },
  })

/** Servers that find each other by name, on virtual time. */
class Net {
  readonly clock = new VirtualClock()
  readonly kept = keptLog()
  readonly up = new Map<string, (stream: ByteStream) => void>()
  private readonly streams: { readonly to: string; readonly stream: ByteStream }[] = []
  private seed = 1

  readonly transport: Transport = {
    check: () => undefined,
    passive: () => false,
    listen: () => {},
    dial: (to, done) => {
      const accept = this.up.get(to)
      if (!accept) {
        done(err('Connection refused'))
        return () => {}
      }
      const [here, there] = streamPair(this.clock)
      this.streams.push({ to, stream: there })
      accept(there)
      done(ok(here))
      return () => {}
    },
  }

  server(name?: string): Server {
    const { clock } = this
    const server = createServer({ clock, log: this.kept.log, random: seeded(this.seed++), transport: this.transport })
    if (name !== undefined) this.up.set(name, (stream) => server.accept(stream))
    return server
  }

  /** Breaks every connection to a server. */
  cut(to: string): void {
    for (const { stream } of this.streams.filter((s) => s.to === to)) stream.close(new Error('cut'))
    this.clock.settle()
  }
}

/** A client's end of a connection. */
class Client {
  private readonly answers = new Map<number, { result: Json; error: Json }>()
  private next = 1

  constructor(
    private readonly net: Net,
    server: Server,
    options?: Parameters<Server['accept']>[1],
  ) {
    const [here, there] = streamPair(net.clock)
    this.stream = here
    const reader = new MessageReader((json) => {
      const message = json as { id: Json; result: Json; error: Json }
      if (typeof message.id === 'number') this.answers.set(message.id, message)
    })
    here.onData = (bytes) => reader.push(bytes)
    server.accept(there, options)
  }

  private readonly stream: ByteStream

  ask(method: string, params: Json): number {
    const id = this.next++
    this.stream.write(Buffer.from(printJson({ id, method, params })))
    this.net.clock.settle()
    return id
  }

  cancel(id: number): void {
    this.stream.write(Buffer.from(printJson({ id: null, method: 'cancel', params: [id] })))
    this.net.clock.settle()
  }

  answer(id: number): string {
    const message = this.answers.get(id)
    return message ? printJson(message.error ?? message.result, true) : 'none yet'
  }

  call(method: string, params: Json): string {
    return this.answer(this.ask(method, params))
  }
}

const insert = (name: string): Json => ({ op: 'insert', table: 'T', row: { name } })
const names = (database: Database | undefined) =>
  [...(database?.tables.get('T')?.rows.values() ?? [])].map((row) => String(row['name'])).sort()

/** A source with a database, and a server that relays it. */
function relayed(remotes: readonly string[] = ['source']) {
  const net = new Net()
  const source = net.server('source')
  const database = unwrap(source.addDatabase(schema('1.0.0')))
  const relay = net.server()
  unwrap(new Relays(relay, net.transport).add('D', remotes))
  return { net, source, database, relay, client: new Client(net, relay) }
}

const later = (net: Net, ms = 10_000) => net.clock.advance(ms)

test('a relay waits for its source, then reads here and writes there', () => {
  const net = new Net()
  const relay = net.server()
  unwrap(new Relays(relay, net.transport).add('D', ['source']))
  const client = new Client(net, relay)
  expect(client.call('list_dbs', [])).toBe('["D","_Server"]')
  expect(client.call('get_schema', ['D'])).toContain('database not available')
  const source = net.server('source')
  const database = unwrap(source.addDatabase(schema('1.0.0')))
  later(net)
  expect(client.call('transact', ['D', insert('a')])).toMatch(/^\[\{"uuid"/)
  expect(names(database)).toEqual(['a'])
  expect(names(relay.database('D'))).toEqual(['a'])
})

test('what changes something waits for a source that is away; what only looks does not', () => {
  const { net, client, relay, database } = relayed()
  later(net)
  client.call('transact', ['D', insert('a')])
  const accept = net.up.get('source')
  net.up.delete('source')
  net.cut('source')
  expect(client.call('transact', ['D', { op: 'select', table: 'T', where: [], columns: ['name'] }])).toContain('"a"')
  const [waits, withdrawn] = [client.ask('transact', ['D', insert('b')]), client.ask('transact', ['D', insert('c')])]
  expect(client.answer(waits)).toBe('none yet')
  client.cancel(withdrawn)
  expect(client.answer(withdrawn)).toBe('"canceled"')
  later(net, 29_000)
  // Not so soon that clients leave for a source that is started anew.
  expect(relay.hosted.get('D')?.connected).toBe(true)
  later(net, 2000)
  expect(relay.hosted.get('D')?.connected).toBe(false)
  if (accept) net.up.set('source', accept)
  later(net)
  expect(client.answer(waits)).toMatch(/^\[\{"uuid"/)
  expect(names(database)).toEqual(['a', 'b'])
  expect(relay.hosted.get('D')?.connected).toBe(true)
})

test('a transaction that was on its way when the connection broke has an unknown end, and says so', () => {
  const { net, client } = relayed()
  later(net)
  let reached: Json | undefined
  net.cut('source')
  // A source that takes transactions and answers none.
  const quiet = net.server()
  unwrap(quiet.addDatabase(schema('1.0.0')))
  net.up.set('source', (stream) => {
    const [here, there] = streamPair(net.clock)
    quiet.accept(there)
    here.onData = (bytes) => stream.write(bytes)
    const reader = new MessageReader((json) => {
      if ((json as { method?: string }).method === 'transact') reached = json
      else here.write(Buffer.from(printJson(json)))
    })
    stream.onData = (bytes) => reader.push(bytes)
  })
  later(net)
  const id = client.ask('transact', ['D', insert('x')])
  expect(reached).toBeDefined()
  expect(client.answer(id)).toBe('none yet')
  net.cut('source')
  expect(client.answer(id)).toContain('"error":"canceled"')
})

test('a conversion of the source reaches the relay and its clients', () => {
  const { net, source, relay } = relayed()
  later(net)
  const known = relay.database('D')
  source.convert('D', schema('2.0.0', { more: { type: 'string' } }), (error) => expect(error).toBeUndefined())
  later(net)
  expect(relay.database('D')).not.toBe(known)
  expect(relay.database('D')?.schema.version).toBe('2.0.0')
})

test('a source without transaction ids, as the real standalone server is: nobody takes a part for the whole', () => {
  const net = new Net()
  const source = net.server()
  const database = unwrap(source.addDatabase(schema('1.0.0')))
  const zero = '00000000-0000-0000-0000-000000000000'
  net.up.set('source', (stream) => {
    const [here, there] = streamPair(net.clock)
    source.accept(there)
    stream.onData = (bytes) => here.write(bytes)
    const reader = new MessageReader((json) => {
      const { method, params, result } = json as { method?: string; params?: Json[]; result?: Json[] }
      if (method === 'update3' && params) params[1] = zero
      if (Array.isArray(result) && result.length === 3 && typeof result[0] === 'boolean') result[1] = zero
      stream.write(Buffer.from(printJson(json)))
    })
    here.onData = (bytes) => reader.push(bytes)
  })
  const relay = net.server()
  unwrap(new Relays(relay, net.transport).add('D', ['source']))
  later(net)
  for (const name of ['a', 'b']) database.transact([{ op: 'insert', table: 'T', row: { name } }])
  later(net)
  const since = (last: string) =>
    new Client(net, relay).call('monitor_cond_since', ['D', 'm', { T: [{ columns: ['name'] }] }, last])
  const first = since(zero)
  expect(first).toMatch(/^\[false,/)
  expect(first).toContain('"a"')
  expect(first).toContain('"b"')
  const id = /^\[false,"([^"]*)"/.exec(first)?.[1] ?? ''
  expect(id).not.toBe(zero)
  database.transact([{ op: 'insert', table: 'T', row: { name: 'c' } }])
  later(net)
  expect(since(id)).toMatch(/^\[true,.*"c"/)
})

test('changes are told before the answer to the transaction that made them', () => {
  const { net, relay } = relayed()
  later(net)
  const seen: string[] = []
  const [here, there] = streamPair(net.clock)
  const reader = new MessageReader((json) => {
    const { id, method } = json as { id: Json; method?: string }
    seen.push(method ?? String(id))
  })
  here.onData = (bytes) => reader.push(bytes)
  relay.accept(there)
  const send = (id: number, method: string, params: Json) => {
    here.write(Buffer.from(printJson({ id, method, params })))
    net.clock.settle()
  }
  send(1, 'monitor', ['D', 'm', { T: {} }])
  send(2, 'transact', ['D', insert('a')])
  expect(seen).toEqual(['1', 'update', '2'])
})

test('a role is checked by the relay, since the source does not know its clients', () => {
  const net = new Net()
  const roles = readSchema({
    name: 'D',
    tables: {
      T: { isRoot: true, columns: { name: { type: 'string' } } },
      RBAC_Role: {
        isRoot: true,
        columns: {
          name: { type: 'string' },
          permissions: { type: { key: 'string', value: 'uuid', min: 0, max: 'unlimited' } },
        },
      },
    },
  })
  const source = net.server('source')
  const database = unwrap(source.addDatabase(roles))
  const relay = net.server()
  unwrap(new Relays(relay, net.transport).add('D', ['source']))
  later(net)
  const client = new Client(net, relay, { probe: 0, readOnly: false, role: 'guest' })
  expect(client.call('transact', ['D', insert('a')])).toContain('permission error')
  const reader = new Client(net, relay, { probe: 0, readOnly: true, role: '' })
  expect(reader.call('transact', ['D', insert('a')])).toContain('not allowed')
  expect(names(database)).toEqual([])
})

test('whatever is done, dropped and cut: relay and backup become like their source', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('insert' as const), name: fc.string({ maxLength: 3 }) }),
    fc.record({
      do: fc.constant('change' as const),
      n: fc.integer({ min: 0, max: 5 }),
      tag: fc.string({ maxLength: 1 }),
    }),
    fc.record({ do: fc.constant('delete' as const), n: fc.integer({ min: 0, max: 5 }) }),
    fc.record({ do: fc.constant('cut' as const) }),
    fc.record({ do: fc.constant('wait' as const) }),
    fc.record({ do: fc.constant('away' as const) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const { net, source, database, relay } = relayed()
      const backup = net.server()
      const copy = unwrap(backup.addDatabase(schema('1.0.0')))
      copy.transact([{ op: 'insert', table: 'T', row: { name: 'of before' } }])
      const replication = new Replication(backup, net.transport, 'source')
      replication.connect()
      const accept = (stream: ByteStream) => void source.accept(stream)
      for (const s of steps) {
        if (s.do === 'insert') database.transact([{ op: 'insert', table: 'T', row: { name: s.name, n: 0 } }])
        else if (s.do === 'change') {
          const where = [['n', '<=', s.n]] as const
          database.transact([
            { op: 'mutate', table: 'T', where, mutations: [['n', '+=', 1]] },
            { op: 'mutate', table: 'T', where, mutations: [['tags', 'insert', [s.tag]]] },
          ])
        } else if (s.do === 'delete') database.transact([{ op: 'delete', table: 'T', where: [['n', '==', s.n]] }])
        else if (s.do === 'cut') net.cut('source')
        else if (s.do === 'wait') later(net, 3000)
        else {
          net.up.delete('source')
          net.cut('source')
          later(net, 2000)
          net.up.set('source', accept)
        }
        net.clock.settle()
      }
      net.up.set('source', accept)
      later(net, 30_000)
      const rows = (d: Database | undefined) =>
        [...(d?.tables.get('T')?.rows.values() ?? [])]
          .map((row) => JSON.stringify([row._uuid, row['name'], row['n'], row['tags']]))
          .sort()
      expect(rows(relay.database('D'))).toEqual(rows(database))
      expect(rows(copy)).toEqual(rows(database))
      expect(copy.readOnly).toBe(true)
      replication.disconnect()
      expect(copy.readOnly).toBe(false)
    }),
    { numRuns: 60 },
  )
})

test('a source that talks nonsense is left, whatever it says', () => {
  const nonsense = fc.oneof(
    fc.jsonValue().map((v) => JSON.stringify(v)),
    fc.jsonValue().map((v) => `{"id":null,"method":"update3","params":${JSON.stringify([v, 'x', v])}}`),
    fc.jsonValue().map((v) => `{"id":null,"method":"update2","params":["_Server",${JSON.stringify(v)}]}`),
    fc
      .tuple(fc.integer({ min: 0, max: 4 }), fc.jsonValue())
      .map(([id, v]) => `{"id":${id},"error":null,"result":${JSON.stringify(v)}}`),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(nonsense, { maxLength: 12 }), (texts) => {
      const net = new Net()
      net.up.set('source', (stream) => {
        stream.onData = () => {}
        for (const text of texts) stream.write(Buffer.from(text))
      })
      const relay = net.server()
      unwrap(new Relays(relay, net.transport).add('D', ['source']))
      const backup = net.server()
      unwrap(backup.addDatabase(schema('1.0.0')))
      new Replication(backup, net.transport, 'source').connect()
      later(net, 20_000)
      // A real one comes, and all is well.
      const source = net.server('source')
      const database = unwrap(source.addDatabase(schema('1.0.0')))
      database.transact([{ op: 'insert', table: 'T', row: { name: 'a' } }])
      net.cut('source')
      later(net, 200_000)
      expect(names(relay.database('D'))).toEqual(['a'])
      expect(names(backup.database('D'))).toEqual(['a'])
    }),
    { numRuns: 50 },
  )
})
