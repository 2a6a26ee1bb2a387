import { describe, expect, it } from 'vitest'
import { seeded } from '../../base/random.ts'
import { type Items, World } from './_fixture.ts'
import { OvsdbConnection } from './connection.ts'
import { TransactFailure } from './failure.ts'

// Many clients that write the same at the same time.

const CLIENTS = 50
const EACH = 4

/** Runs the clock until all promises are settled; how many milliseconds that took on it. */
async function finish(world: World, work: readonly Promise<unknown>[]): Promise<number> {
  let left = work.length
  for (const each of work) each.finally(() => left--)
  const start = world.clock.monotonic()
  while (left && world.clock.monotonic() - start < 60_000) {
    world.clock.advance(1)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return world.clock.monotonic() - start
}

describe(`${CLIENTS} clients`, () => {
  it('that count together lose no count', async () => {
    const world = new World()
    const row = '00000000-0000-4000-8000-000000000001'
    world.database.transact([{ op: 'insert', table: 'Item', uuid: row, row: { name: 'counter' } }])
    const clients = Array.from(
      { length: CLIENTS },
      (_, i) => new OvsdbConnection<Items>(world.remote(), world.clock, seeded(i + 1)),
    )
    world.clock.settle()
    const increment = (db: OvsdbConnection<Items>) =>
      db.edit((tx) => {
        const size = (tx.get('Item', row)?.size ?? 0) + 1
        tx.verify('Item', row, 'size')
        tx.update('Item', row, { size })
        return size
      })
    const counts: number[] = []
    const work = clients.flatMap((db) =>
      Array.from({ length: EACH }, () => increment(db).then((size) => counts.push(size))),
    )
    await finish(world, work)
    // each has a number of its own, and none is left out
    expect(counts.sort((a, b) => a - b)).toEqual(Array.from({ length: CLIENTS * EACH }, (_, i) => i + 1))
    expect(world.rows('Item')[0]?.['size']).toBe(CLIENTS * EACH)
    for (const db of clients) db.close()
  })

  it('that each add a member to one set lose none', async () => {
    const world = new World()
    const row = '00000000-0000-4000-8000-000000000001'
    world.database.transact([{ op: 'insert', table: 'Item', uuid: row, row: { name: 'set' } }])
    const clients = Array.from(
      { length: CLIENTS },
      (_, i) => new OvsdbConnection<Items>(world.remote(), world.clock, seeded(i + 1)),
    )
    world.clock.settle()
    const work = clients.map((db, i) =>
      db.edit((tx) => {
        tx.addMember('Item', row, 'tags', `client ${i}`)
        tx.setKey('Item', row, 'options', `client ${i}`, 'here')
      }),
    )
    await finish(world, work)
    const [item] = world.rows('Item')
    expect(item?.['tags']).toHaveLength(CLIENTS)
    expect(item?.['options']).toHaveProperty('size', CLIENTS)
  })
})

it('a thousand transactions on their way when the connection breaks: each is told, none twice', async () => {
  const world = new World()
  const db = new OvsdbConnection<Items>(world.remote(), world.clock, world.random)
  world.clock.settle()
  const told = new Map<string, number>()
  const work = Array.from({ length: 1000 }, (_, i) => {
    const insert = { op: 'insert', table: 'Item', row: { name: `i${i}` } } as const
    return db.transact([insert]).then(
      () => told.set('done', (told.get('done') ?? 0) + 1),
      (e) => {
        const what = e instanceof TransactFailure ? e.reason.kind : String(e)
        told.set(what, (told.get(what) ?? 0) + 1)
      },
    )
  })
  // the server takes some of them, the answers to some of these arrive
  const [first] = world.streams
  let bytes = 0
  const { onData } = first?.stream ?? {}
  if (first) {
    first.stream.onData = (data) => {
      bytes += data.length
      onData?.(data)
      if (bytes > 5000) first.stream.close(new Error('cut'))
    }
  }
  await finish(world, work)
  const rows = world.rows('Item').length
  const [done, unknown] = [told.get('done') ?? 0, told.get('unknown') ?? 0]
  expect(done + unknown).toBe(1000)
  expect(done).toBeGreaterThan(0)
  expect(unknown).toBeGreaterThan(0)
  // what was done is there; what is unknown is there or not
  expect(rows).toBeGreaterThanOrEqual(done)
  expect(db.table('Item').size).toBe(rows)
})
