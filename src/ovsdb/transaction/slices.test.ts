import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { seeded } from '../../base/random.ts'
import { readSchema } from '../schema/index.ts'
import { anyone, Database, type Operation, operations, type TransactResult } from './index.ts'

/** A clock on which everything takes long: work is put aside wherever it can be. */
class SlowClock extends VirtualClock {
  private passed = 0
  override monotonic(): number {
    this.passed += 100
    return this.passed
  }
}

const schema = readSchema({
  name: 'D',
  tables: { T: { columns: { n: { type: 'integer' }, kind: { type: 'string' } }, indexes: [['n']] } },
})

const insert = (n: number, kind = 'big') => ({ op: 'insert', table: 'T', row: { n, kind } }) as const
const many = (from: number, count: number) => Array.from({ length: count }, (_, i) => insert(from + i))

function setup() {
  const clock = new SlowClock()
  const database = new Database(schema, clock, seeded(1))
  const log: string[] = []
  const submit = (name: string, list: readonly Operation[]) =>
    database.submit(operations(list), anyone, (r: TransactResult) => {
      log.push(`${name} ${r.error?.error ?? 'ok'} ${r.results.length}`)
    })
  const size = () => [...database.rows('T')].length
  return { clock, database, log, submit, size }
}

test('a large transaction is put aside again and again; nothing of it is seen before, and others come after it', () => {
  const { clock, database, log, submit, size } = setup()
  const sizes = new Set<number>()
  let turns = 0
  submit('large', many(0, 5000))
  submit('small', [insert(10_000, 'small'), { op: 'select', table: 'T', where: [['kind', '==', 'big']] }])
  submit('clash', [insert(7)])
  const watch = () => {
    sizes.add(size())
    turns++
    if (!log.some((line) => line.startsWith('clash'))) clock.after(0, watch)
  }
  watch()
  expect(log).toEqual([])
  clock.settle()
  expect(log).toEqual(['large ok 5000', 'small ok 2', 'clash constraint violation 1'])
  expect([...sizes]).toEqual([0, 5000, 5001])
  expect(turns).toBeGreaterThan(10)
  expect(database.history).toHaveLength(2)
})

test('a large transaction that fails leaves nothing, and the next goes on', () => {
  const { clock, log, submit, size } = setup()
  submit('large', [...many(0, 3000), insert(0)])
  submit('next', [insert(0)])
  clock.settle()
  expect(log).toEqual(['large constraint violation 3001', 'next ok 1'])
  expect(size()).toBe(1)
})

test('scans, updates and garbage of many rows are put aside, too', () => {
  const { clock, database, log, submit, size } = setup()
  database.transact(many(0, 20_000))
  submit('update', [{ op: 'update', table: 'T', where: [['n', '<', 10_000]], row: { kind: 'changed' } }])
  expect(log).toEqual([])
  expect([...database.rows('T')].filter((r) => r['kind'] === 'changed')).toHaveLength(0)
  clock.settle()
  submit('delete', [{ op: 'delete', table: 'T', where: [['kind', '==', 'changed']] }])
  expect(size()).toBe(20_000)
  clock.settle()
  expect(log).toEqual(['update ok 1', 'delete ok 1'])
  expect(size()).toBe(10_000)
})

test('a transaction in the process finishes what is under way first', () => {
  const { clock, database, log, submit, size } = setup()
  submit('large', many(0, 3000))
  const result = database.transact([insert(5)])
  expect(result.error?.error).toBe('constraint violation')
  expect(size()).toBe(3000)
  clock.settle()
  expect(log).toEqual(['large ok 3000'])
})

test('large transactions are not remembered for long', () => {
  const { database } = setup()
  database.transact(many(0, 6000))
  for (let i = 0; i < 20; i++) database.transact([{ op: 'update', table: 'T', where: [], row: { kind: `k${i}` } }])
  expect(database.history).toHaveLength(2)
  for (let i = 0; i < 99; i++) database.transact([insert(10_000 + i)])
  expect(database.history).toHaveLength(100)
})

test('who waits behind a large transaction can be withdrawn; when the database goes, all are told', () => {
  const { clock, database, log, submit, size } = setup()
  const large = submit('large', many(0, 3000))
  const withdrawn = submit('withdrawn', [insert(4000)])
  submit('behind', [insert(5000)])
  expect(withdrawn()).toBe(true)
  expect(large()).toBe(false)
  database.abandon({ error: 'gone' })
  clock.settle()
  expect(log).toEqual(['large ok 3000', 'behind gone 0'])
  expect(size()).toBe(3000)
})

test('a wait that had to stand behind a large transaction has waited only since its first try', () => {
  const { clock, log, submit } = setup()
  submit('large', many(0, 3000))
  const test = { op: 'wait', table: 'T', where: [], columns: ['n'], until: '==', rows: [], timeout: 0 } as const
  submit('wait', [test])
  clock.settle()
  expect(log).toEqual(['large ok 3000', 'wait timed out 0'])
})

test('transactions that wait are tried again in turns, not all at once, after a commit', () => {
  const { clock, database, log, submit } = setup()
  for (let i = 0; i < 50; i++) {
    submit(`wait ${i}`, [{ op: 'wait', table: 'T', where: [['n', '==', i]], columns: ['n'], until: '!=', rows: [] }])
  }
  clock.settle()
  database.transact(many(0, 30))
  expect(clock.settle()).toBeGreaterThan(20)
  expect(log).toHaveLength(30)
})

test('few rows with very many clauses, or mutations, are looked at in slices, too', () => {
  const { clock, database, log, submit } = setup()
  database.transact(many(0, 500))
  const where = Array.from({ length: 10_000 }, (_, i) => ['n', '!=', -1 - i] as const)
  submit('clauses', [{ op: 'update', table: 'T', where: [...where, ['n', '<', 5]], row: { kind: 'few' } }])
  expect(clock.settle()).toBeGreaterThan(10)
  const mutations = Array.from({ length: 10_000 }, (_, i) => ['n', i % 2 ? '-=' : '+=', 1] as const)
  submit('mutations', [{ op: 'mutate', table: 'T', where: [], mutations }])
  expect(clock.settle()).toBeGreaterThan(10)
  expect(log).toEqual(['clauses ok 1', 'mutations ok 1'])
  expect([...database.rows('T')].filter((row) => row['kind'] === 'few')).toHaveLength(5)
})
