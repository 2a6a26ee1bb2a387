import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { readSchema } from '../schema/index.ts'
import { FakeDisk } from '../storage/fake-disk.test-helper.ts'
import { createFile, openFile } from '../storage/index.ts'
import { anyone, Database, type Operation, operations, type TransactResult } from './index.ts'
import { andThen } from './steps.ts'

// How a large transaction becomes the committed state: in slices, and for all who look at once.

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
  version: '1.0.0',
  tables: {
    T: { columns: { n: { type: 'integer' }, kind: { type: 'string' } }, indexes: [['n']], isRoot: true },
    Holder: {
      isRoot: true,
      columns: {
        part: { type: { key: { type: 'uuid', refTable: 'Part' }, min: 0, max: 'unlimited' } },
        friend: { type: { key: { type: 'uuid', refTable: 'T', refType: 'weak' }, min: 0, max: 1 } },
      },
    },
    Part: { columns: { n: { type: 'integer' } } },
  },
})

const uuid = (table: string, n: number) => `${table}0000000-0000-4000-8000-${String(n).padStart(12, '0')}`
const range = <T>(count: number, of: (n: number) => T) => Array.from({ length: count }, (_, n) => of(n))
const insert = (n: number): Operation => ({ op: 'insert', table: 'T', uuid: uuid('a', n), row: { n, kind: 'old' } })

function setup() {
  const clock = new SlowClock()
  const disk = new FakeDisk()
  const { log } = keptLog('info')
  expect(createFile(disk, 'db', schema)).toBeUndefined()
  const open = () => {
    const opened = openFile('db', { files: disk, clock, log })
    if (!opened.ok) throw new Error(opened.error)
    const database = new Database(opened.value.schema, clock, seeded(1))
    const loaded = opened.value.storage.load(database)
    if (!loaded.ok) throw new Error(loaded.error)
    return { database, storage: opened.value.storage }
  }
  const { database, storage } = open()
  /** That a transaction is in the log, but not yet seen. */
  let hidden = false
  database.journal = {
    append: (delta, date) =>
      andThen(storage.append(delta, date), (error) => {
        hidden = true
        return error
      }),
    sync: (done) => storage.sync(done),
  }
  /** Runs a transaction and calls `look` in the midst of its becoming the committed state; returns how often. */
  const commit = (list: readonly Operation[], look: () => void) => {
    let result: TransactResult | undefined
    let turns = 0
    hidden = false
    database.submit(operations(list), anyone, (r) => {
      result = r
    })
    const watch = () => {
      if (result) return
      if (hidden) {
        turns++
        look()
      }
      clock.after(0, watch)
    }
    watch()
    clock.settle()
    expect(result?.error).toBeUndefined()
    return turns
  }
  return { clock, disk, database, storage, open, commit }
}

const everything = (database: Database) =>
  JSON.stringify(
    [...database.tables].map(([name, table]) => [
      name,
      table.rows.size,
      [...table.rows.values()].map((row) => `${row._uuid} ${row['n']} ${row['kind']} ${row['part']}`).sort(),
    ]),
  )

/** What is kept to check transactions, as it is and as it would be made from the rows. */
function kept(database: Database) {
  return [...database.tables.values()].map((table) => [
    table.indexes.map((index) => [...index.rows].sort()),
    [...table.references].sort(),
    [...table.referrers].map(([to, from]) => [to, [...from].sort()]).sort(),
  ])
}

test('until all of a large transaction is committed, readers see nothing of it', () => {
  const { database, commit, open } = setup()
  const before = everything(database)
  let looks = 0
  const unchanged = (was: string) => () => {
    if (looks++ % 5 === 0) expect(everything(database)).toBe(was)
  }
  const parts = range(3000, (n): Operation => ({ op: 'insert', table: 'Part', uuid: uuid('b', n), row: { n } }))
  const holders = range(3000, (n): Operation => {
    return { op: 'insert', table: 'Holder', row: { part: [uuid('b', n)], friend: [uuid('a', n % 50)] } }
  })
  expect(commit([...range(6000, insert), ...parts, ...holders], unchanged(before))).toBeGreaterThan(3)

  const filled = everything(database)
  const changed: Operation[] = [
    { op: 'update', table: 'T', where: [['n', '<', 2000]], row: { kind: 'new' } },
    { op: 'delete', table: 'T', where: [['n', '>', 3000]] },
    // Values of an index change hands.
    ...range(1000, (n): Operation => ({ op: 'insert', table: 'T', uuid: uuid('c', n), row: { n: 4000 + n } })),
    { op: 'delete', table: 'Holder', where: [] },
  ]
  expect(
    commit(changed, () => {
      unchanged(filled)()
      const t = database.tables.get('T')?.rows
      expect(t?.size).toBe(6000)
      expect(t?.get(uuid('a', 5000))?.['n']).toBe(5000)
      expect(t?.has(uuid('c', 0))).toBe(false)
      expect(database.row('T', uuid('a', 3))?.['kind']).toBe('old')
    }),
  ).toBeGreaterThan(3)
  expect(database.tables.get('Part')?.rows.size).toBe(0)
  expect(database.tables.get('T')?.rows.size).toBe(4001)
  expect(database.row('T', uuid('a', 3))?.['kind']).toBe('new')

  const { database: again } = open()
  expect(everything(again)).toBe(everything(database))
  expect(kept(again)).toEqual(kept(database))
})

test('a compaction that begins between the log and the rows loses nothing', () => {
  const { clock, disk, database, storage, open, commit } = setup()
  let asked = false
  const ended: (string | undefined)[] = []
  const commitAndCompact = (list: readonly Operation[]) => {
    asked = false
    commit(list, () => {
      if (!asked) storage.compact(database, (error) => ended.push(error))
      asked = true
    })
    for (let i = 0; i < 10; i++) {
      clock.settle()
      disk.finishSyncs()
    }
  }
  commitAndCompact(range(6000, insert))
  commitAndCompact([
    { op: 'delete', table: 'T', where: [['n', '<', 3000]] },
    { op: 'insert', table: 'T', row: { n: 1 } },
  ])
  expect(ended).toEqual([undefined, undefined])
  const { database: again } = open()
  expect(again.tables.get('T')?.rows.size).toBe(3001)
  expect(everything(again)).toBe(everything(database))
})

test('a table that would be larger than a map can be is refused before the transaction is in the log', () => {
  const { database, storage } = setup()
  const rows = database.tables.get('T')?.rows
  if (!rows) throw new Error('no table')
  const before = storage.size
  Object.defineProperty(rows, 'size', { get: () => 16_000_000, configurable: true })
  expect(database.transact([insert(1)]).error).toEqual({
    error: 'resources exhausted',
    details: '"T" table would contain more than 16000000 rows',
  })
  expect(storage.size).toBe(before)
  Reflect.deleteProperty(rows, 'size')
  expect(database.transact([insert(1)]).error).toBeUndefined()
})
