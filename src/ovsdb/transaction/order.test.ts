import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { seeded } from '../../base/random.ts'
import { readSchema } from '../schema/index.ts'
import { anyone, CANCELED, Database, type Operation, operations, type Requester } from './index.ts'

/** A clock on which everything takes long: work is put aside wherever it can be. */
class SlowClock extends VirtualClock {
  private passed = 0
  override monotonic(): number {
    this.passed += 100
    return this.passed
  }
}

const schema = readSchema({ name: 'D', tables: { T: { columns: { n: { type: 'integer' } } } } })
const insert = (n: number) => ({ op: 'insert', table: 'T', row: { n } }) as const
const many = (count: number) => Array.from({ length: count }, (_, i) => insert(i))

function setup() {
  const clock = new SlowClock()
  const database = new Database(schema, clock, seeded(1))
  const log: string[] = []
  const submit = (name: string, list: readonly Operation[], requester: Requester = anyone) =>
    database.submit(operations(list), requester, ({ error, results }) => {
      log.push(`${name} ${error?.error ?? 'ok'} ${results.length}${error === CANCELED ? '!' : ''}`)
    })
  return { clock, database, log, submit }
}

test('who is withdrawn while it runs, and then would have to wait, is canceled', () => {
  const { clock, log, submit } = setup()
  const wait = { op: 'wait', table: 'T', where: [], columns: ['n'], until: '==', rows: [{ n: -1 }] } as const
  const withdraw = submit('large', [...many(3000), wait])
  expect(withdraw()).toBe(false)
  clock.settle()
  expect(log).toEqual(['large canceled 0!'])
})

test('a commit that a listener makes is told of after the one it hears of, to everybody', () => {
  const { clock, database, log, submit } = setup()
  const heard: number[] = []
  const count = () => [...database.rows('T')].length
  let first = true
  database.onCommit(() => {
    if (!first) return
    first = false
    submit('submitted', [insert(2)])
    expect(database.transact([insert(3)]).error).toBeUndefined()
    expect(count()).toBe(2)
  })
  database.onCommit((delta) => {
    expect(database.lastId).toBe(delta.id)
    for (const change of delta.tables.get('T')?.values() ?? []) heard.push(change.new?.['n'] as number)
  })
  database.transact([insert(1)])
  clock.settle()
  expect(heard).toEqual([1, 3, 2])
  expect(log).toEqual(['submitted ok 1'])
  expect(database.history).toHaveLength(3)
})

test('a listener that throws does not stop the database', () => {
  const { clock, database, log, submit } = setup()
  const stop = database.onCommit(() => {
    throw new Error('of the listener')
  })
  expect(() => database.transact([insert(1)])).toThrow('of the listener')
  stop()
  submit('next', [insert(2)])
  clock.settle()
  expect(log).toEqual(['next ok 1'])
})

test('before a lock goes to another, what was begun under it is done', () => {
  const { clock, database, log, submit } = setup()
  let owner = 'me'
  const me: Requester = { owns: (lock) => lock === 'l' && owner === 'me' }
  submit('asserted', [{ op: 'assert', lock: 'l' }, ...many(3000)], me)
  database.handOver('another')
  expect(log).toEqual([])
  database.handOver('l')
  expect(log).toEqual(['asserted ok 3001'])
  owner = 'you'
  submit('too late', [{ op: 'assert', lock: 'l' }, insert(1)], me)
  submit('not asserted', many(3000))
  database.handOver('l')
  clock.settle()
  expect(log.slice(1)).toEqual(['too late not owner 0', 'not asserted ok 3000'])
})

test('all that has queued up can be run at once', () => {
  const { clock, database, log, submit } = setup()
  submit('large', many(3000))
  submit('small', [insert(1)])
  submit('large, too', many(3000))
  database.finishQueued()
  expect(log).toEqual(['large ok 3000', 'small ok 1', 'large, too ok 3000'])
  clock.settle()
  expect(log).toHaveLength(3)
})

test('a database that is gone takes no more transactions', () => {
  const { clock, database, log, submit } = setup()
  let written = 0
  database.journal = {
    *append() {
      written++
      yield
      return undefined
    },
    sync: (done) => done(),
  }
  submit('large', many(3000))
  database.abandon(CANCELED)
  submit('late', [insert(1)])
  expect(database.transact([insert(1)]).error).toEqual(CANCELED)
  expect(database.adopt(new Map())).toBeUndefined()
  clock.settle()
  expect(log).toEqual(['large ok 3000', 'late canceled 0!'])
  expect(written).toBe(1)
})
