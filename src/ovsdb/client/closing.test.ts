import { describe, expect, it } from 'vitest'
import { type Items, World } from './_fixture.ts'
import { OvsdbConnection } from './connection.ts'
import { TransactFailure } from './failure.ts'

// Whatever a program waits for when it closes a connection comes to an end, in whatever state that is.

const kindOf = (e: unknown) => (e instanceof TransactFailure ? e.reason.kind : String(e))

/** Brings a new connection into a state in which it is then closed. */
const states: Readonly<Record<string, (world: World) => void>> = {
  'nothing was begun': () => {},
  'no server answers the call': (world) => {
    world.down.add('memory')
    world.clock.advance(5000)
  },
  'the contents are on their way': (world) => {
    for (let i = 0; i < 6; i++) step(world)
  },
  'all is there': (world) => void world.clock.settle(),
  'the connection broke': (world) => {
    world.clock.settle()
    world.down.add('memory')
    world.streams[0]?.stream.close(new Error('cut'))
    world.clock.advance(100)
  },
}

/** One call of the clock. */
function step(world: World): void {
  try {
    world.clock.settle(0)
  } catch {
    // more is to come: it stays
  }
}

describe.each(Object.keys(states))('a connection that is closed when %s', (state) => {
  it.each([0, 1, 2, 3, 5, 8])('ends all that is waited for, %i calls later', async (calls) => {
    const world = new World()
    const db = new OvsdbConnection<Items>(world.remote(), world.clock, world.random)
    states[state]?.(world)
    const ends: Record<string, unknown> = {}
    const end = (what: string, work: Promise<unknown>) => {
      work.then(
        () => {
          ends[what] = 'done'
        },
        (e: unknown) => {
          ends[what] = kindOf(e)
        },
      )
    }
    end(
      'edit',
      db.edit((tx) => tx.insert('Item', { name: 'edited' })),
    )
    end(
      'alone',
      db.edit((tx) => tx.insert('Item', { name: 'alone' }), { alone: true }),
    )
    end('transact', db.transact([{ op: 'insert', table: 'Item', row: { name: 'transacted' } }]))
    end(
      'until',
      db.until(() => false),
    )
    const blocker = world.server.locks
    blocker.lock('taken', { notify() {} })
    end('lock', db.lock('taken'))
    const loop = (async () => {
      for await (const _ of db.changes());
    })()
    end('changes', loop)
    for (let i = 0; i < calls; i++) step(world)
    db.close()
    world.clock.advance(100)
    await new Promise((resolve) => setImmediate(resolve))
    expect(Object.keys(ends).sort()).toEqual(['alone', 'changes', 'edit', 'lock', 'transact', 'until'])
    expect(ends).toMatchObject({ changes: 'done', lock: 'Error: connection closed', until: 'Error: connection closed' })
    // what is said to be done is there, what is said not to have been sent is not
    const there = world.rows('Item').map((row) => row['name'])
    for (const [what, name] of [
      ['edit', 'edited'],
      ['alone', 'alone'],
      ['transact', 'transacted'],
    ] as const) {
      expect(['done', 'unknown', 'disconnected']).toContain(ends[what])
      if (ends[what] !== 'unknown') expect(there.includes(name)).toBe(ends[what] === 'done')
    }
    await expect(db.edit((tx) => tx.insert('Item', { name: 'late' }))).rejects.toThrow('not connected')
    let until = 'waits'
    db.until(() => false).catch((e: Error) => {
      until = e.message
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(until).toBe('connection closed')
    const late = db.transact([{ op: 'comment', comment: 'late' }])
    const told = expect(late).rejects.toThrow('not connected')
    world.clock.settle()
    await told
    expect(() => db.close()).not.toThrow()
  })
})

it.each([0, 1, 2, 3])(
  'a database of this process that is closed %i calls later answers what was asked',
  async (calls) => {
    const world = new World()
    const db = new OvsdbConnection<Items>(world.local(), world.clock, world.random)
    world.clock.settle()
    const ends: string[] = []
    const end = (work: Promise<unknown>) =>
      work.then(
        () => ends.push('done'),
        (e: unknown) => ends.push(kindOf(e)),
      )
    end(db.transact([{ op: 'insert', table: 'Item', row: { name: 'transacted' } }]))
    end(db.edit((tx) => tx.insert('Item', { name: 'edited' })))
    for (let i = 0; i < calls; i++) step(world)
    db.close()
    world.clock.advance(100)
    await new Promise((resolve) => setImmediate(resolve))
    expect(ends.length).toBe(2)
    for (const kind of ends) expect(['done', 'unknown', 'disconnected']).toContain(kind)
  },
)
