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
