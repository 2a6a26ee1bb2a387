import { expect, test } from 'vitest'
import { keptLog } from '../../base/log.ts'
import { type Items, World } from '../client/_fixture.ts'
import type { Replica } from '../client/replica.ts'
import { Reconciler } from './reconciler.ts'

function setUp(replicaOf = (world: World): Replica<Items> => world.local()) {
  const world = new World()
  const { clock } = world
  const replica = replicaOf(world)
  const { log, lines } = keptLog()
  let enabled = true
  const rows = new Reconciler(replica, { clock, log, comment: 'test', enabled: () => enabled })
  rows.watch('item', (name) => {
    const present = [...replica.table('Item').values()].some((s) => s.name === name)
    return present ? [] : [{ op: 'insert', table: 'Item', row: { name } }]
  })
  // what the database never takes
  rows.watch('bad', () => [{ op: 'insert', table: 'Item', row: { name: 'never' } }, { op: 'abort' }])
  clock.settle()
  return {
    world,
    clock,
    rows,
    lines,
    setEnabled: (on: boolean) => {
      enabled = on
    },
    names: () =>
      world
        .rows('Item')
        .map((r) => r['name'])
        .sort(),
  }
}

test('one wish that is refused holds up no other', () => {
  const w = setUp()
  w.rows.mark('item', 'a')
  w.rows.mark('bad', 'x')
  w.rows.mark('item', 'b')
  w.clock.advance(1500)
  expect(w.names()).toEqual(['a', 'b'])
  w.rows.mark('item', 'c')
  w.clock.settle()
  expect(w.names()).toEqual(['a', 'b', 'c'])
  expect(w.lines.at(-1)?.fields).toMatchObject({ code: 'transaction-failed', transaction: 'bad x' })
  const tries = w.lines.length
  w.clock.advance(600_000)
  // It is tried again, now and then.
  expect(w.lines.length - tries).toBeGreaterThan(8)
  expect(w.lines.length - tries).toBeLessThan(25)
})

test('nothing is written while it is not allowed', () => {
  const w = setUp()
  w.setEnabled(false)
  w.rows.mark('item', 'a')
  w.clock.advance(1000)
  expect(w.names()).toEqual([])
  w.setEnabled(true)
  w.rows.schedule()
  w.clock.settle()
  expect(w.names()).toEqual(['a'])
  expect(w.rows.idle).toBe(true)
})

test('what is wanted while a transaction is under way goes into the next, all of it', () => {
  let sent = 0
  let underWay = 0
  let most = 0
  const w = setUp((world) => {
    const replica = world.remote()
    const transact = replica.transact.bind(replica)
    replica.transact = (operations, done) => {
      sent++
      most = Math.max(most, ++underWay)
      transact(operations, (outcome) => {
        underWay--
        done(outcome)
      })
    }
    return replica
  })
  w.rows.mark('item', 'a')
  w.rows.schedule()
  w.clock.after(0, () => {
    for (const name of ['b', 'c', 'd']) w.rows.mark('item', name)
  })
  w.clock.settle()
  expect(w.names()).toEqual(['a', 'b', 'c', 'd'])
  expect([sent, most]).toEqual([2, 1])
})

test('a wish whose answer got lost is compared again, and not written twice', () => {
  const w = setUp((world) => world.remote())
  w.rows.mark('item', 'a')
  w.clock.after(0, () => w.world.streams[0]?.stream.close(new Error('cut')))
  w.clock.advance(5000)
  expect(w.names()).toEqual(['a'])
  expect(w.lines.filter((l) => l.fields?.['code'] === 'transaction-failed').length).toBe(1)
  expect(w.rows.idle).toBe(true)
})
