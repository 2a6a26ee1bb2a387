import { describe, expect, it } from 'vitest'
import type { Clock, Timer } from '../../base/clock.ts'
import { contents, World } from './_fixture.ts'
import { OvsdbConnection } from './connection.ts'

const insert = (name: string) => ({ op: 'insert', table: 'Item', row: { name } }) as const

/** Lets all happen that is due; what was thrown on the way. */
function thrownBy(world: World): string[] {
  const out: string[] = []
  for (;;) {
    try {
      world.clock.settle()
      return out
    } catch (e) {
      out.push(e instanceof Error ? e.message : String(e))
    }
  }
}

describe.each(['local', 'remote'] as const)('a listener of a %s replica that throws', (kind) => {
  it('is heard of, and harms neither the tables, nor the state, nor other listeners', () => {
    const world = new World()
    world.database.transact([insert('a')])
    const replica = world[kind]()
    const told: string[] = []
    const states: string[] = []
    const fail = (where: string) => () => {
      throw new Error(where)
    }
    replica.onChange(fail('change'))
    replica.onChange((c) => told.push([...(c.tables.Item?.values() ?? [])].map((r) => r.new?.name).join()))
    replica.onState(fail('state'))
    replica.onState((s) => states.push(s))
    replica.onSynced(fail('synced'))
    replica.onSynced(() => states.push('told of sync'))
    const first = thrownBy(world)
    expect(new Set(first)).toEqual(new Set(['change', 'state', 'synced']))
    expect(states.slice(-2)).toEqual(['synced', 'told of sync'])
    world.database.transact([insert('b')])
    world.database.transact([insert('c')])
    expect(thrownBy(world)).toEqual(['change', 'change'])
    expect(told).toEqual(['a', 'b', 'c'])
    expect(replica.state).toBe('synced')
    expect(contents(replica.table('Item').values())).toEqual(contents(world.rows('Item')))
  })
})

it('a test that throws ends the wait for it, and nothing else', async () => {
  const world = new World()
  const replica = world.remote()
  const connection = new OvsdbConnection(replica, world.clock, world.random)
  world.clock.settle()
  let calls = 0
  const wait = connection.until(() => {
    if (calls++) throw new Error('no such thing')
    return false
  })
  world.database.transact([insert('a')])
  expect(thrownBy(world)).toEqual([])
  await expect(wait).rejects.toThrow('no such thing')
  world.database.transact([insert('b')])
  expect(thrownBy(world)).toEqual([])
  expect(calls).toBe(2)
})

it.each(['syncing', 'synced', 'connecting'] as const)('a replica may be closed from a listener, when %s', (when) => {
  const world = new World()
  const waiting = new Set<Timer>()
  const { clock } = world
  const after = (delay: number, run: () => void): Timer => {
    const timer = clock.after(delay, () => {
      waiting.delete(handle)
      run()
    })
    const handle: Timer = {
      cancel() {
        waiting.delete(handle)
        timer.cancel()
      },
    }
    if (delay > 0) waiting.add(handle)
    return handle
  }
  const own: Clock = { now: () => clock.now(), monotonic: () => clock.monotonic(), after }
  const replica = world.remote(undefined, { clock: own })
  const states: string[] = []
  replica.onState((state) => {
    states.push(state)
    if (state === when) replica.close()
  })
  world.clock.settle()
  if (when === 'connecting') {
    world.streams[0]?.stream.close(new Error('cut'))
    world.clock.settle()
  }
  expect(states.slice(-2)).toEqual([when, 'closed'])
  // nothing keeps the program from ending
  expect(waiting.size).toBe(0)
  world.clock.advance(60_000)
  expect(world.streams.length).toBe(1)
})

it.each(['local', 'remote'] as const)(
  'a %s replica that a listener closes tells the others of nothing but that',
  (kind) => {
    const world = new World()
    const replica = world[kind]()
    const told: string[] = []
    replica.onState((state) => {
      if (state === 'synced') replica.close()
    })
    replica.onState((state) => told.push(state))
    replica.onSynced(() => told.push('told of sync'))
    world.clock.settle()
    expect(told.filter((what) => what !== 'syncing')).toEqual(['closed'])
  },
)
