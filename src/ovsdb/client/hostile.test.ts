import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { ok } from '../../base/result.ts'
import { type ByteStream, streamPair } from '../../base/stream.ts'
import { isObject, type Json, printJson } from '../../jsonrpc/json.ts'
import { MessageReader } from '../../jsonrpc/reader.ts'
import { printSchema } from '../schema/index.ts'
import { contents, type Items, itemSchema, World } from './_fixture.ts'
import { RemoteReplica } from './remote.ts'

// Servers that lie, break off, or send what nobody asked for: the client goes on to one that does not.

const encode = (json: Json): Uint8Array => new TextEncoder().encode(printJson(json))

const uuid = fc.constantFrom(
  '00000000-0000-4000-8000-000000000001',
  '00000000-0000-4000-8000-000000000002',
  'no uuid at all',
  '__proto__',
)
const column = fc.constantFrom(
  'name',
  'size',
  'note',
  'tags',
  'options',
  'parts',
  '_uuid',
  '_version',
  'unknown',
  '__proto__',
)
const value: fc.Arbitrary<Json> = fc.oneof(
  fc.jsonValue() as fc.Arbitrary<Json>,
  fc.constantFrom<Json>(
    'text',
    5,
    ['set', []],
    ['set', ['a']],
    ['map', [['k', 'v']]],
    ['uuid', 'x'],
    ['map', 1],
    ['set'],
  ),
)
const row: fc.Arbitrary<Json> = fc.oneof(
  fc.dictionary(column, value, { maxKeys: 4 }) as fc.Arbitrary<Json>,
  fc.jsonValue() as fc.Arbitrary<Json>,
)
const change: fc.Arbitrary<Json> = fc.oneof(
  fc
    .tuple(fc.constantFrom('initial', 'insert', 'modify', 'delete', 'old', 'new'), row)
    .map(([kind, r]) => ({ [kind]: r })),
  row,
)
const updates: fc.Arbitrary<Json> = fc.dictionary(
  fc.constantFrom('Item', 'Part', 'Nope', 'toString'),
  fc.dictionary(uuid, change, { maxKeys: 3 }),
  { maxKeys: 3 },
) as fc.Arbitrary<Json>

/** Notifications of all kinds, and answers to what was not asked. */
const message: fc.Arbitrary<Json> = fc.oneof(
  updates.map((u) => ({ method: 'update', params: ['monitor', u], id: null })),
  updates.map((u) => ({ method: 'update2', params: ['monitor', u], id: null })),
  updates.map((u) => ({ method: 'update3', params: ['monitor', 'x', u], id: null })),
  updates.map((u) => ({ method: 'update2', params: ['server', { Database: u }], id: null })),
  fc.constantFrom<Json>(
    { method: 'locked', params: ['l'], id: null },
    { method: 'stolen', params: [5], id: null },
    { method: 'echo', params: [], id: 'x' },
    { method: 'transact', params: [], id: 7 },
    { method: 'monitor_canceled', params: ['monitor'], id: null },
  ),
  fc.tuple(fc.nat(9), fc.jsonValue()).map(([id, result]) => ({ id, result: result as Json, error: null })),
  fc.tuple(fc.nat(9), fc.jsonValue()).map(([id, error]) => ({ id, result: null, error: error as Json })),
)

/** A row that a JavaScript object would take for its prototype. */
const PROTO: Json = {
  method: 'update',
  params: ['monitor', JSON.parse('{"Item":{"__proto__":{"new":{}}}}') as Json],
  id: null,
}

describe('a hostile server', () => {
  it('does no harm: the client comes to what an honest one says', () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 8 }),
        fc.array(
          fc.tuple(fc.constantFrom('get_schema', 'monitor_cond_since', 'transact', 'lock', 'monitor_cond'), updates),
          {
            maxLength: 3,
          },
        ),
        fc.boolean(),
        (messages, lies, early) => {
          const world = new World()
          world.database.transact([{ op: 'insert', table: 'Item', row: { name: 'honest', size: 3 } }])
          let connections = 0
          const liar = (stream: ByteStream): void => {
            const wrong = new Map<string, Json>(lies)
            const reader = new MessageReader((json) => {
              if (!isObject(json)) return
              const { method, id = null } = json
              const lie = typeof method === 'string' ? wrong.get(method) : undefined
              const result: Json =
                lie !== undefined
                  ? lie
                  : method === 'get_schema'
                    ? printSchema(itemSchema)
                    : method === 'monitor_cond_since'
                      ? [false, 'x', {}]
                      : {}
              if (method !== 'echo') stream.write(encode({ id, result, error: null }))
              if (!early && method === 'monitor_cond_since') for (const m of messages) stream.write(encode(m))
            })
            stream.onData = (bytes) => reader.push(bytes)
            if (early) for (const m of messages) stream.write(encode(m))
          }
          const replica = world.remote(undefined, {
            leaderOnly: true,
            probeInterval: 1000,
            dial: (_remote, done) => {
              const [client, server] = world.pair()
              if (connections++ < 2) {
                liar(server)
                world.clock.after(2500, () => server.close())
              } else world.server.accept(server)
              done(ok(client))
              return () => {}
            },
          })
          replica.lock('l')
          let answers = 0
          const index = replica.table('Item').index('name', (i) => i.name)
          world.clock.after(10, () =>
            replica.transact([{ op: 'select', table: 'Item', where: [] }], () => {
              answers++
            }),
          )
          world.clock.advance(60_000)
          expect(replica.state).toBe('synced')
          expect(contents(replica.table('Item').values())).toEqual(contents(world.rows('Item')))
          expect(contents(replica.table('Part').values())).toEqual([])
          expect(index.first('honest')?.size).toBe(3)
          expect(answers).toBe(1)
          replica.close()
        },
      ),
      { numRuns: 150, examples: [[[PROTO], [], true]] },
    )
  })

  it.each(['__proto__', 'x', '00000000-0000-0000-0000-00000000000G'])('that names a row %s is left', (name) => {
    const world = new World()
    let dialled = 0
    world.remote(undefined, {
      dial: (_remote, done) => {
        const [client, server] = world.pair()
        world.server.accept(server)
        world.clock.after(100, () => {
          client.onData?.(
            encode({
              id: null,
              method: 'update2',
              params: ['monitor', JSON.parse(`{"Item":{"${name}":{"insert":{}}}}`)],
            }),
          )
        })
        dialled++
        done(ok(client))
        return () => {}
      },
    })
    world.clock.advance(99)
    expect(dialled).toBe(1)
    world.clock.advance(5000)
    expect(dialled).toBeGreaterThan(1)
  })

  it('may nest as deep as it likes', () => {
    const clock = new VirtualClock()
    for (const depth of [900, 5000, 200_000]) {
      const [client, server] = streamPair(clock)
      const replica = new RemoteReplica<Items>({
        schema: itemSchema,
        remotes: ['x'],
        clock,
        dial: (_remote, done) => {
          done(ok(client))
          return () => {}
        },
      })
      clock.settle()
      const nested = `${'['.repeat(depth)}${']'.repeat(depth)}`
      server.write(new TextEncoder().encode(`{"id":"deep","method":"echo","params":${nested}}`))
      server.write(new TextEncoder().encode(`{"id":null,"method":"update2","params":["monitor",${nested}]}`))
      clock.advance(10)
      replica.close()
    }
    clock.settle()
  })

  it('that asks for signs of life and takes none is left', () => {
    const clock = new VirtualClock()
    const [client, server] = streamPair(clock)
    Object.defineProperty(client, 'queued', { value: 1 << 30 })
    const states: string[] = []
    const replica = new RemoteReplica<Items>({
      ...{ schema: itemSchema, remotes: ['x'], clock },
      dial: (_remote, done) => {
        done(ok(client))
        return () => {}
      },
    })
    replica.onState((s) => states.push(s))
    clock.settle()
    server.write(encode({ id: 'x', method: 'echo', params: [] }))
    clock.advance(10)
    expect(states).toEqual(['syncing', 'connecting'])
    replica.close()
  })
})
