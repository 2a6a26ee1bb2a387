import { expect, it } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { seeded } from '../../base/random.ts'
import { parseSchema } from '../schema/index.ts'
import { Database } from '../transaction/index.ts'
import { Monitor, readRequests } from './index.ts'

const SCHEMA = {
  name: 'D',
  version: '1.0.0',
  tables: { T: { columns: { n: { type: 'integer' } }, isRoot: true } },
}

/** A database with one row, and what a client of monitor_cond is told of it first and after a change. */
function told(request: object): { initial: unknown; inserted: unknown } {
  const schema = parseSchema(SCHEMA)
  if (!schema.ok) throw new Error('the schema of the test is none')
  const database = new Database(schema.value, new VirtualClock(), seeded(1))
  database.transact([{ op: 'insert', table: 'T', row: { n: 7 } }])
  const monitor = new Monitor(database, readRequests(schema.value, { T: [request] } as never, 2), 2)
  const initial = JSON.parse([...monitor.initial()].join(''))
  const { delta } = database.transact([{ op: 'insert', table: 'T', row: { n: 8 } }])
  const update = delta ? [...monitor.update(delta)].join('') : ''
  const rows = (v: { T?: object }) => Object.values(v.T ?? {})
  return { initial: rows(initial), inserted: update && rows(JSON.parse(update)) }
}

// ovn-nbctl asks so of the tables of which it needs to know only that a row is there.
it('tells of rows to who asks for no column of them', () => {
  expect(told({ columns: [] })).toEqual({ initial: [{ initial: {} }], inserted: [{ insert: {} }] })
})

it('tells nothing of what was not selected', () => {
  expect(told({ columns: ['n'], select: { initial: false } })).toEqual({
    initial: [],
    inserted: [{ insert: { n: 8 } }],
  })
  expect(told({ columns: [], select: { insert: false } })).toEqual({ initial: [{ initial: {} }], inserted: '' })
})

// ovn-controller asks so for the flows of its datapaths.
it('looks up values that were asked for one by one, among other clauses', () => {
  const schema = parseSchema({
    ...SCHEMA,
    tables: {
      T: {
        columns: {
          n: { type: 'integer' },
          name: { type: 'string' },
          owner: { type: { key: 'string', min: 0, max: 1 } },
          tags: { type: { key: 'string', min: 0, max: 'unlimited' } },
        },
        isRoot: true,
      },
    },
  })
  if (!schema.ok) throw new Error('the schema of the test is none')
  const database = new Database(schema.value, new VirtualClock(), seeded(1))
  const rows = [
    { n: 1, name: 'by number' },
    { n: 2, name: 'by name' },
    { n: 3, name: 'by owner', owner: 'me' },
    { n: 4, name: 'without an owner' },
    { n: 5, name: 'by tags', owner: 'he', tags: ['a', 'b'] },
    { n: 6, name: 'not at all', owner: 'he', tags: ['a'] },
  ]
  database.transact(rows.map((row) => ({ op: 'insert', table: 'T', row })))
  const seen = (where: readonly unknown[]) => {
    const monitor = new Monitor(database, readRequests(schema.value, { T: [{ columns: ['n'], where }] } as never, 2), 2)
    const { T } = JSON.parse([...monitor.initial()].join('')) as { T?: Record<string, { initial: { n: number } }> }
    return Object.values(T ?? {})
      .map((row) => row.initial.n)
      .sort()
  }
  expect(
    seen([
      ['n', '==', 1],
      ['n', '==', 77],
      ['name', '==', 'by name'],
      ['owner', '==', 'me'],
    ]),
  ).toEqual([1, 2, 3])
  expect(seen([['tags', '==', ['set', ['b', 'a']]], ['n', '==', 1], false])).toEqual([1, 5])
  expect(seen([['owner', '==', ['set', []]]])).toEqual([1, 2, 4])
  expect(
    seen([
      ['n', '>', 4],
      ['n', '==', 2],
    ]),
  ).toEqual([2, 5, 6])
  expect(seen([['n', '==', 1], true])).toEqual([1, 2, 3, 4, 5, 6])
})

it('keeps of long conditions nothing but what they mean, and knows equal ones', () => {
  const schema = parseSchema(SCHEMA)
  if (!schema.ok) throw new Error('the schema of the test is none')
  const of = (count: number, select = {}) => {
    const where = Array.from({ length: count }, (_, n) => ['n', '==', n])
    return readRequests(schema.value, { T: [{ columns: ['n'], where, select }] } as never, 2).get('T')
  }
  const one = of(1000)
  expect(JSON.stringify(one).length).toBeLessThan(2000)
  expect(one?.size).toBeGreaterThan(10_000)
  expect(of(1000)?.key).toBe(one?.key)
  for (const other of [of(999), of(1000, { initial: false })]) expect(other?.key).not.toBe(one?.key)
})
