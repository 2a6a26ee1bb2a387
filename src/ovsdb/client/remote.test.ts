import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog } from '../../base/log.ts'
import { ok } from '../../base/result.ts'
import { streamPair } from '../../base/stream.ts'
import { isObject, type Json, printJson } from '../../jsonrpc/json.ts'
import { MessageReader } from '../../jsonrpc/reader.ts'
import { printSchema, ZERO_UUID } from '../schema/index.ts'
import { contents, itemSchema, World } from './_fixture.ts'
import { LAST, result, Scripted, scripted } from './_scripted.ts'
import { RemoteReplica } from './remote.ts'
import type { ReplicaChange } from './replica.ts'

const insert = (name: string) => ({ op: 'insert', table: 'Item', row: { name } }) as const

describe('a remote replica', () => {
  it('resumes where it was when the connection comes back', () => {
    const world = new World()
    world.database.transact([insert('a'), insert('b')])
    const replica = world.remote()
    const changes: ReplicaChange<unknown>[] = []
    replica.onChange((c) => changes.push(c as ReplicaChange<unknown>))
    world.clock.settle()
    const before = replica.table('Item').values().next().value
    const states: string[] = []
    replica.onState((s) => states.push(s))
    world.streams[0]?.stream.close(new Error('cut'))
    world.database.transact([insert('c')])
    world.database.transact([{ op: 'delete', table: 'Item', where: [['name', '==', 'b']] }])
    changes.length = 0
    world.clock.advance(10)
    expect(states).toEqual(['connecting', 'syncing', 'synced'])
    expect(contents(replica.table('Item').values())).toEqual(contents(world.rows('Item')))
    // what did not change was not told again
    expect(replica.table('Item').get((before as { _uuid: string })._uuid)).toBe(before)
    expect(changes.length).toBe(1)
  })

  it('finds out what changed when the server does not remember', () => {
    const world = new World()
    world.database.transact([insert('a'), insert('b')])
    const replica = world.remote()
    world.clock.settle()
    const told: string[] = []
    replica.onChange((c) => {
      for (const [, { old, new: after }] of c.tables.Item ?? []) told.push(`${old?.name ?? '-'} ${after?.name ?? '-'}`)
    })
    world.streams[0]?.stream.close(new Error('cut'))
    for (let i = 0; i < 150; i++) world.database.transact([insert(`x${i}`)])
    for (let i = 1; i < 150; i++) {
      world.database.transact([{ op: 'delete', table: 'Item', where: [['name', '==', `x${i}`]] }])
    }
    world.database.transact([{ op: 'delete', table: 'Item', where: [['name', '==', 'b']] }])
    world.clock.advance(10)
    expect(told.sort()).toEqual(['- x0', 'b -'])
  })

  it('tells a transaction whose answer got lost from one that was not sent', () => {
    const world = new World()
    const replica = world.remote()
    world.clock.settle()
    const outcomes: unknown[] = []
    replica.transact([insert('a')], (o) => outcomes.push(o))
    world.streams[0]?.stream.close(new Error('cut'))
    world.clock.advance(1)
    replica.transact([insert('b')], (o) => outcomes.push(o))
    world.clock.settle()
    expect(outcomes[0]).toEqual({ ok: false, error: { kind: 'unknown' } })
  })

  it('goes on to the next remote, and waits longer and longer', () => {
    const world = new World()
    const { log, lines } = keptLog()
    const unreachable: string[] = []
    world.down.add('a').add('b').add('c')
    const replica = world.remote(undefined, {
      remotes: ['a', 'b', 'c'],
      log,
      onUnreachable: (e) => unreachable.push(e),
    })
    world.clock.settle()
    expect(unreachable).toEqual(['c: database connection failed (Connection refused)'])
    world.down.delete('b')
    world.clock.advance(999)
    expect(replica.state).toBe('connecting')
    world.clock.advance(2500)
    expect(replica.state).toBe('synced')
    expect(world.streams.map((s) => s.remote)).toEqual(['b'])
    expect(lines.some((l) => l.message === 'b: connected')).toBe(true)
    world.down.add('b')
    world.down.delete('c')
    world.streams[0]?.stream.close(new Error('cut'))
    world.clock.advance(10)
    expect(replica.state).toBe('synced')
    expect(world.streams.map((s) => s.remote)).toEqual(['b', 'c'])
  })

  it('asks for a sign of life, and hangs up without one', () => {
    const clock = new VirtualClock()
    let alive = true
    const servers: Scripted[] = []
    const replica = new RemoteReplica({
      schema: itemSchema,
      remotes: ['x'],
      clock,
      probeInterval: 1000,
      dial: (_remote, done) => {
        const server = new Scripted(clock, (method) => {
          if (method === 'monitor_cond_since') return { result: [false, LAST, {}], error: null }
          return alive ? result({}) : undefined
        })
        servers.push(server)
        done(ok(server.client))
        return () => {}
      },
    })
    clock.advance(5000)
    expect(replica.state).toBe('synced')
    expect(servers.length).toBe(1)
    expect(servers[0]?.asked.filter((a) => a.method === 'echo').length).toBeGreaterThan(3)
    alive = false
    clock.advance(3000)
    expect(servers.length).toBe(2)
    // the other way round: a server that asks gets its answer
    const answers: Json[] = []
    const frames = new MessageReader((m) => answers.push(m))
    const last = servers.at(-1)
    if (last) last.stream.onData = (bytes) => frames.push(bytes)
    last?.send({ method: 'echo', params: [1, 'x'], id: 'probe' })
    clock.settle()
    expect(answers).toContainEqual({ id: 'probe', result: [1, 'x'], error: null })
  })

  it.each(['monitor_cond', 'monitor'])('falls back to %s with a server of old', (newest) => {
    const world = new World()
    world.database.transact([insert('a'), insert('b')])
    const known = newest === 'monitor' ? ['monitor_cond_since', 'monitor_cond'] : ['monitor_cond_since']
    const replica = world.remote(undefined, {
      dial: (_remote, done) => {
        // a server that does not know the newer methods, in front of one that does
        const [client, mine] = streamPair(world.clock)
        const [toServer, server] = streamPair(world.clock)
        world.server.accept(server)
        const frames = new MessageReader((json) => {
          const message = isObject(json) ? json : {}
          const { method, id = null } = message
          const reply = typeof method === 'string' && known.includes(method)
          if (reply) mine.write(encode({ id, result: null, error: { error: 'unknown method' } }))
          else toServer.write(encode(json))
        })
        mine.onData = (bytes) => frames.push(bytes)
        toServer.onData = (bytes) => void mine.write(bytes)
        done(ok(client))
        return () => {}
      },
    })
    world.clock.settle()
    expect(replica.state).toBe('synced')
    world.database.transact([{ op: 'update', table: 'Item', where: [['name', '==', 'a']], row: { tags: ['t'] } }])
    world.database.transact([{ op: 'delete', table: 'Item', where: [['name', '==', 'b']] }, insert('c')])
    world.clock.settle()
    expect(contents(replica.table('Item').values())).toEqual(contents(world.rows('Item')))
  })

  const oldColumns = { name: { type: 'string' }, size: { type: 'integer' } }
  const oldSchema = { name: 'Items', tables: { Item: { columns: oldColumns } } }
  const uuid = '00000000-0000-4000-8000-000000000001'

  it('does without what an older schema does not have, until the database is upgraded', () => {
    const { log, lines } = keptLog()
    const { clock, servers, replica, asked } = scripted(
      (method, _params, connection) => {
        if (method === 'get_schema') return result(connection ? printSchema(itemSchema) : oldSchema)
        return result(
          method === 'monitor_cond_since' ? [false, LAST, { Item: { [uuid]: { initial: { name: 'old' } } } }] : {},
        )
      },
      { log, tables: { Item: { where: [['note', '==', 'n']] }, Part: true } },
    )
    clock.settle()
    expect(replica.state).toBe('synced')
    expect(asked('monitor_cond_since')[0]?.params[2]).toEqual({ Item: [{ columns: ['name', 'size'], where: [true] }] })
    expect([...replica.table('Item').values()]).toMatchObject([{ name: 'old', tags: [], note: undefined }])
    expect(lines.filter((l) => l.level === 'warn').map((l) => l.message)).toEqual([
      ...['friend', 'note', 'options', 'parts', 'tags'].map(
        (c) => `Item table in Items database lacks ${c} column (database needs upgrade?)`,
      ),
      'Items database lacks Part table (database needs upgrade?)',
    ])
    const has = () => [replica.has('Item', 'name'), replica.has('Item', 'note'), replica.has('Part'), replica.has('No')]
    expect(has()).toEqual([true, false, false, false])
    // a condition on what is not there asks for nothing, and waits for nothing
    replica.setCondition('Part', false)
    expect(replica.conditionsPending).toBe(false)
    servers[0]?.send({ method: 'monitor_canceled', params: ['monitor'], id: null })
    clock.advance(10)
    expect(replica.state).toBe('synced')
    expect(has()).toEqual([true, true, true, false])
    // what was left out was never told: there is nothing to resume
    expect(asked('monitor_cond_since')[1]?.params).toMatchObject([
      'Items',
      'monitor',
      { Item: [{ where: [['note', '==', 'n']] }], Part: [{ where: [false] }] },
      '00000000-0000-0000-0000-000000000000',
    ])
  })

  it('refuses a server that lacks what is required, and looks again', () => {
    const told: string[] = []
    const { clock, replica, asked } = scripted(
      (method, _params, connection) => {
        if (method === 'get_schema') return result(connection < 2 ? oldSchema : printSchema(itemSchema))
        return result(method === 'monitor_cond_since' ? [false, LAST, {}] : {})
      },
      { tables: { Item: { required: ['note'] } }, onUnsuitable: (e) => told.push(e) },
    )
    clock.settle()
    expect(told).toEqual(['x: Item table in Items database lacks note column'])
    expect(asked('monitor_cond_since')).toEqual([])
    expect(replica.state).toBe('connecting')
    clock.advance(4000)
    expect(replica.state).toBe('synced')
  })

  it('reads what a newer schema allows, and leaves out what is of another type', () => {
    const { log, lines } = keptLog()
    const initial = { name: 'new', size: -5, note: ['set', ['a', 'b']], tags: 'one' }
    const { clock, servers, replica } = scripted(
      (method) => result(method === 'monitor_cond_since' ? [false, LAST, { Item: { [uuid]: { initial } } }] : {}),
      { log },
    )
    clock.settle()
    expect(replica.table('Item').get(uuid)).toMatchObject({ name: 'new', size: -5, note: undefined, tags: ['one'] })
    const modify = { size: 'big', note: 7, tags: ['set', ['two']] }
    servers[0]?.send({ method: 'update3', params: ['monitor', LAST, { Item: { [uuid]: { modify } } }], id: null })
    clock.settle()
    expect(replica.table('Item').get(uuid)).toMatchObject({ size: -5, note: undefined, tags: ['one', 'two'] })
    const warnings = lines.filter((l) => l.fields?.['code'] === 'bad-value').map((l) => l.message)
    expect(warnings.map((w) => w.split(': ')[1])).toEqual(['note is of another type', 'size is of another type'])
  })

  it('takes a whole copy when an update does not fit what it has', () => {
    const { clock, servers, replica, asked } = scripted((method) =>
      result(method === 'monitor_cond_since' ? [false, LAST, {}] : {}),
    )
    // an update before the answer to the request is as good as none
    servers[0]?.send({ method: 'update3', params: ['monitor', LAST, {}], id: null })
    clock.settle()
    const modify = { size: 1 }
    servers[0]?.send({ method: 'update3', params: ['monitor', LAST, { Item: { [uuid]: { modify } } }], id: null })
    clock.advance(10)
    expect(replica.state).toBe('synced')
    expect(asked('monitor_cond_since').map((a) => a.params[3])).toEqual(Array(2).fill(ZERO_UUID))
  })

  it('does not storm a server that lets nobody stay', () => {
    const times: number[] = []
    const { clock, servers } = scripted((method) => {
      if (method !== 'monitor_cond_since') return result({})
      times.push(clock.monotonic())
      const server = servers.at(-1)
      clock.after(1, () => server?.stream.close())
      return result([false, LAST, {}])
    })
    clock.advance(60_000)
    expect(times.length).toBeLessThan(12)
    const waits = times.slice(1).map((t, i) => Math.round((t - (times[i] ?? 0)) / 1000))
    expect(waits.slice(0, 6)).toEqual([0, 1, 2, 4, 8, 8])
  })

  it('sends a big transaction in pieces', () => {
    const world = new World()
    const replica = world.remote()
    world.clock.settle()
    let results = 0
    const note = 'é"\\ '.repeat(200)
    const many = Array.from({ length: 1500 }, (_, i) => ({ ...insert(`item ${i}`), row: { name: `item ${i}`, note } }))
    replica.transact(many, (o) => {
      results = o.ok ? o.results.length : -1
    })
    world.clock.settle()
    expect(results).toBe(1500)
    expect(contents(replica.table('Item').values())).toEqual(contents(world.rows('Item')))
    expect(replica.table('Item').values().next().value?.note).toBe(note)
  })

  it('survives whatever a server sends', () => {
    const json = fc.oneof(
      fc.jsonValue() as fc.Arbitrary<Json>,
      fc
        .tuple(fc.constantFrom('update3', 'update2', 'update', 'locked', 'stolen', 'echo'), fc.jsonValue())
        .map(([method, x]) => ({ method, params: ['monitor', x as Json, { Item: x as Json }], id: null })),
    )
    fc.assert(
      fc.property(fc.array(json, { maxLength: 5 }), fc.uint8Array({ maxLength: 20 }), (messages, noise) => {
        const clock = new VirtualClock()
        let count = 0
        const replica = new RemoteReplica({
          schema: itemSchema,
          remotes: ['x'],
          clock,
          maxBackoff: 1000,
          dial: (_remote, done) => {
            const [client, server] = streamPair(clock)
            if (count++ < 2) {
              for (const m of messages) server.write(encode(m))
              server.write(noise)
            }
            done(ok(client))
            return () => {}
          },
        })
        replica.lock('l')
        clock.advance(3000)
        expect(replica.table('Item').size).toBeLessThan(10)
        replica.close()
        clock.settle()
      }),
      { numRuns: 200 },
    )
  })
})

const encode = (json: Json): Uint8Array => new TextEncoder().encode(printJson(json))
