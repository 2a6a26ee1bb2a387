import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { LocalReplica } from '../../ovsdb/client/local.ts'
import { Database } from '../../ovsdb/transaction/index.ts'
import { southbound } from '../../schema/southbound.ts'
import { Reconciler } from './reconciler.ts'

function setUp() {
  const clock = new VirtualClock()
  const database = new Database(southbound, clock, seeded(1))
  const replica = new LocalReplica(database, southbound, { clock })
  const { log, lines } = keptLog()
  let enabled = true
  const rows = new Reconciler(replica, { clock, log, comment: 'test', enabled: () => enabled })
  rows.watch('set', (name) => {
    const present = [...replica.table('Address_Set').values()].some((s) => s.name === name)
    return present ? [] : [{ op: 'insert', table: 'Address_Set', row: { name } }]
  })
  // A chassis that exists already: the database never takes it.
  rows.watch('bad', () => [{ op: 'insert', table: 'Encap', row: { type: 'geneve', ip: '192.0.2.1' } }, { op: 'abort' }])
  clock.settle()
  return {
    clock,
    database,
    rows,
    lines,
    setEnabled: (on: boolean) => {
      enabled = on
    },
    names: () => [...database.rows('Address_Set')].map((r) => r['name']).sort(),
  }
}

test('one wish that is refused holds up no other', () => {
  const w = setUp()
  w.rows.mark('set', 'a')
  w.rows.mark('bad', 'x')
  w.rows.mark('set', 'b')
  w.clock.advance(1500)
  expect(w.names()).toEqual(['a', 'b'])
  w.rows.mark('set', 'c')
  w.clock.settle()
  expect(w.names()).toEqual(['a', 'b', 'c'])
  const tries = w.lines.length
  w.clock.advance(600_000)
  // It is tried again, now and then.
  expect(w.lines.length - tries).toBeGreaterThan(8)
  expect(w.lines.length - tries).toBeLessThan(25)
})

test('nothing is written while it is not allowed', () => {
  const w = setUp()
  w.setEnabled(false)
  w.rows.mark('set', 'a')
  w.clock.advance(1000)
  expect(w.names()).toEqual([])
  w.setEnabled(true)
  w.rows.schedule()
  w.clock.settle()
  expect(w.names()).toEqual(['a'])
  expect(w.rows.idle).toBe(true)
})
