import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { seeded } from '../../base/random.ts'
import { readSchema } from '../schema/index.ts'
import { Database, type Operation, STEP_ROWS, type Steps } from '../transaction/index.ts'
import { Monitor, readRequests, type TableRequests } from './index.ts'
import { Missed, merge } from './missed.ts'

const schema = readSchema({
  name: 'D',
  version: '1.0.0',
  tables: {
    T: { columns: { n: { type: 'integer' }, s: { type: 'string' } } },
    U: { columns: { n: { type: 'integer' } } },
  },
})
const uuid = (n: number) => `a0000000-0000-4000-8000-${String(n).padStart(12, '0')}`
const range = <T>(count: number, of: (n: number) => T) => Array.from({ length: count }, (_, n) => of(n))
const insert = (n: number): Operation => ({ op: 'insert', table: 'T', uuid: uuid(n), row: { n, s: 'x' } })

const newDatabase = () => new Database(schema, new VirtualClock(), seeded(1))

/** All that a generator makes, and how often `count` went up at most between two pieces. */
function drawn(pieces: Iterable<string>, count: () => number) {
  let text = ''
  let most = 0
  let before = count()
  for (const piece of pieces) {
    most = Math.max(most, count() - before)
    before = count()
    text += piece
  }
  return { text, most: Math.max(most, count() - before) }
}

/** A monitor of the rows whose `n` is this, and how many rows it has looked at. */
function monitorOf(database: Database, wanted: number) {
  let looked = 0
  const requests = readRequests(database.schema, { T: [{ columns: ['n'], where: [['n', '==', wanted]] }] }, 2)
  const counted: TableRequests = new Map(
    [...requests].map(([name, request]) => {
      const test = (row: Parameters<NonNullable<typeof request.test>>[0]) => {
        looked++
        return request.test?.(row) ?? true
      }
      return [name, { ...request, test }]
    }),
  )
  return { monitor: new Monitor(database, counted, 2), looked: () => looked, counted }
}

test('nobody looks at many rows in one go to find the few that a client wants', () => {
  const database = newDatabase()
  const { monitor, looked, counted } = monitorOf(database, 19_999)
  const only = `{"T":{"${uuid(19_999)}":{"insert":{"n":19999}}}}`
  const { delta } = database.transact(range(20_000, insert))
  if (!delta) throw new Error('nothing was committed')
  const told = drawn(monitor.update(delta), looked)
  expect(told.text).toBe(only)
  expect(told.most).toBeLessThanOrEqual(STEP_ROWS)
  // So it is with what a slow client missed, what one missed that was away, initial contents and new conditions.
  const first = database.transact([{ op: 'insert', table: 'U', row: { n: 1 } }]).delta
  database.transact([{ op: 'update', table: 'T', where: [], row: { s: 'y' } }])
  monitor.gather(delta)
  for (const next of database.history.slice(-1)) monitor.gather(next)
  const missed = drawn(monitor.catchUp(), looked)
  expect(missed.text).toBe(only)
  expect(missed.most).toBeLessThanOrEqual(2 * STEP_ROWS)
  const since = drawn(monitor.since(first?.id ?? '') ?? [], looked)
  expect(since.text).toBe('{}')
  expect(since.most).toBeLessThanOrEqual(2 * STEP_ROWS)
  const initial = drawn(monitor.initial(), looked)
  expect(initial.text).toBe(only.replace('insert', 'initial'))
  expect(initial.most).toBeLessThanOrEqual(STEP_ROWS)
  const changed = drawn(monitor.change(counted), looked)
  expect(changed.text).toBe('')
  expect(changed.most).toBeLessThanOrEqual(2 * STEP_ROWS)
})

test('taking note of a large commit costs a slow client nothing until it reads', () => {
  const database = newDatabase()
  const { monitor, looked } = monitorOf(database, 5)
  const deltas = [
    database.transact([insert(30_000)]).delta,
    database.transact(range(20_000, insert)).delta,
    database.transact([{ op: 'delete', table: 'T', where: [['n', '==', 5]] }]).delta,
  ]
  const missed = new Missed()
  for (const delta of deltas) {
    if (!delta) throw new Error('nothing was committed')
    missed.add(delta, () => true)
    monitor.gather(delta)
  }
  expect(looked()).toBe(0)
  expect(missed.take().map((part) => part.get('T')?.size)).toEqual([1, 20_000, 1])
  expect(drawn(monitor.catchUp(), looked).text).toBe('')
})

test('what was missed is what is between the first commit and the last, in whatever portions', () => {
  const step = fc.array(fc.record({ n: fc.nat(12), s: fc.constantFrom('a', 'b', ''), table: fc.boolean() }), {
    maxLength: 8,
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.nat(20), fc.nat(8), (steps, limit, pace) => {
      const database = newDatabase()
      const missed = new Missed(4, limit)
      let tidying: Steps<void> | undefined
      const now = () => new Map([...database.rows('T')].map((row) => [row._uuid, String(row['s'])]))
      const was = now()
      for (const changes of steps) {
        const { delta } = database.transact(
          changes.flatMap(({ n, s, table }): Operation[] => {
            if (!table) return [{ op: 'insert', table: 'U', row: { n } }]
            const where = [['_uuid', '==', uuid(n)] as const]
            if (!s) return [{ op: 'delete', table: 'T', where }]
            const update: Operation = { op: 'update', table: 'T', where, row: { s } }
            return database.row('T', uuid(n)) ? [update] : [{ op: 'insert', table: 'T', uuid: uuid(n), row: { s } }]
          }),
        )
        if (delta) missed.add(delta, (table) => table === 'T')
        if (missed.crowded) tidying = missed.tidy()
        for (let i = 0; tidying && i < pace; i++) if (tidying.next().done) tidying = undefined
      }
      if (pace > 4) {
        const rest = tidying
        while (rest && !rest.next().done);
      }
      const merging = merge(missed.take())
      let merged = merging.next()
      while (!merged.done) merged = merging.next()
      expect([...merged.value.keys()].every((name) => name === 'T')).toBe(true)
      const told = new Map(was)
      for (const [id, { old, new: is }] of merged.value.get('T') ?? []) {
        expect(old && String(old['s'])).toBe(was.get(id))
        if (is) told.set(id, String(is['s']))
        else told.delete(id)
      }
      expect(new Map([...told].sort())).toEqual(new Map([...now()].sort()))
      expect(missed.none).toBe(true)
    }),
  )
})

test('of large commits that come one after the other a slow client keeps, in the end, each row once', () => {
  const database = newDatabase()
  const missed = new Missed(1000, 5000)
  const add = (list: readonly Operation[]) => {
    const { delta } = database.transact(list)
    if (delta) missed.add(delta, () => true)
  }
  const update = (s: string): Operation => ({ op: 'update', table: 'T', where: [], row: { s } })
  add(range(2000, insert))
  add([update('a')])
  expect(missed.crowded).toBe(false)
  add([update('b')])
  expect(missed.crowded).toBe(true)
  const steps = missed.tidy()
  steps.next()
  expect(missed.crowded).toBe(false)
  add([insert(9000)])
  add([update('c')])
  while (!steps.next().done);
  expect(missed.crowded).toBe(false)
  const parts = missed.take()
  expect(parts.map((part) => part.get('T')?.size)).toEqual([2000, 1, 2001])
  expect(parts[0]?.get('T')?.get(uuid(3))).toEqual({ new: expect.objectContaining({ s: 'b' }) })
})

test('what is to be tidied later is tidied once, however many commits come before', () => {
  const database = newDatabase()
  const many = STEP_ROWS + 1
  const missed = new Missed(many - 1, many)
  const commit = (i: number) => {
    const { delta } = database.transact(range(many, (n) => insert(i * many + n)))
    if (delta) missed.add(delta, () => true)
  }
  commit(0)
  commit(1)
  expect(missed.crowded).toBe(true)
  const begun = [missed.tidy()]
  // Before the first step of it.
  commit(2)
  if (missed.crowded) begun.push(missed.tidy())
  for (const steps of begun) steps.next()
  commit(3)
  commit(4)
  for (const steps of begun) while (!steps.next().done);
  const uuids = missed.take().flatMap((part) => [...(part.get('T')?.keys() ?? [])])
  expect(uuids.length).toBe(5 * many)
  expect(new Set(uuids).size).toBe(5 * many)
})
