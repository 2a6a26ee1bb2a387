import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog } from '../../base/log.ts'
import { seeded, uuid4 } from '../../base/random.ts'
import { unwrap } from '../../base/result.ts'
import { readSchema } from '../schema/index.ts'
import { createServer } from '../server/index.ts'
import { anyone, type Database, operations } from '../transaction/index.ts'
import { FakeDisk } from './fake-disk.test-helper.ts'
import { createFile, openFile } from './index.ts'

// When a file is compacted without being told to: not below 10 MB, nor below twice what the last snapshot
// took, nor sooner than a minute after the start or the last time.

const MEGABYTE = 1 << 20
const MINUTE = 60_000

/** Virtual time on which work takes long when told so: each look at the clock finds some of it gone. */
class BusyClock extends VirtualClock {
  /** Milliseconds from one look to the next. */
  pace = 0
  private spent = 0

  override monotonic(): number {
    this.spent += this.pace
    return super.monotonic() + this.spent
  }
}

const schema = readSchema({
  name: 'S',
  version: '1.0.0',
  tables: { T: { columns: { name: { type: 'string' }, text: { type: 'string' } } } },
})

/** A server over a file, as it is opened after a start; counts the compactions that it tells of. */
function open(disk: FakeDisk) {
  const clock = new BusyClock()
  const { log, lines } = keptLog()
  const server = createServer({ clock, log, random: seeded(5) })
  const { schema: stored, storage } = unwrap(openFile('db', { files: disk, clock, log }))
  const database = unwrap(server.addDatabase(stored, storage))
  const compactions = () => lines.filter((line) => /compacted to \d+ bytes/.test(line.message)).length
  const work = () => {
    clock.settle()
    disk.finishSyncs()
    clock.settle()
  }
  return { clock, server, storage, database, compactions, work }
}

function fresh() {
  const disk = new FakeDisk()
  expect(createFile(disk, 'db', schema)).toBeUndefined()
  return { disk, ...open(disk) }
}

let made = 0
const insert = (name: string, size = 1) =>
  ({ op: 'insert', table: 'T', uuid: uuid4(seeded(++made)), row: { name, text: 'x'.repeat(size) } }) as const

/** Makes the log longer by some more than so many bytes, the database by nothing that stays. */
function churn(database: Database, bytes: number): void {
  const where = [['name', '==', 'churn']] as const
  expect(database.transact([{ op: 'delete', table: 'T', where }, insert('churn', bytes)]).error).toBeUndefined()
}
const shed = (database: Database) => database.transact([{ op: 'delete', table: 'T', where: [['name', '==', 'churn']] }])

const names = (database: Database) => [...database.rows('T')].map((row) => row['name']).sort()

/** Brings the log to so many bytes, less up to 1000, by what does not stay. */
function lengthen(database: Database, storage: { readonly size: number }, bytes: number): void {
  while (storage.size < bytes - 1000) churn(database, Math.min(4 * MEGABYTE, bytes - storage.size - 500))
  expect(storage.size).toBeLessThan(bytes)
}

test('a log below 10 MB is left alone however old it is, and compacted once it is past', () => {
  const { disk, clock, database, storage, compactions, work } = fresh()
  database.transact([insert('kept')])
  lengthen(database, storage, 10 * MEGABYTE)
  clock.advance(10 * MINUTE)
  database.transact([insert('also kept')])
  work()
  expect(compactions()).toBe(0)
  expect(storage.size).toBeGreaterThan(10 * MEGABYTE - 1000)
  churn(database, 1000)
  shed(database)
  work()
  expect(compactions()).toBe(1)
  expect(storage.size).toBeLessThan(10_000)
  expect(disk.contents('db').length).toBe(storage.size)
  disk.crash(seeded(1))
  expect(names(open(disk).database)).toEqual(['also kept', 'kept'])
})

test('a log past 10 MB is left alone until it is twice its last snapshot', () => {
  const { disk, clock, database, storage, compactions, work } = fresh()
  for (let i = 0; i < 8; i++) database.transact([insert(`kept ${i}`, MEGABYTE)])
  lengthen(database, storage, 10 * MEGABYTE)
  clock.advance(MINUTE)
  churn(database, 1000)
  shed(database)
  work()
  expect(compactions()).toBe(1)
  const snapshot = storage.size
  expect(snapshot).toBeGreaterThan(8 * MEGABYTE)
  lengthen(database, storage, 2 * snapshot)
  clock.advance(10 * MINUTE)
  database.transact([insert('kept 8')])
  work()
  expect(compactions()).toBe(1)
  churn(database, 1000)
  shed(database)
  work()
  expect(compactions()).toBe(2)
  disk.crash(seeded(1))
  expect(names(open(disk).database)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => `kept ${i}`))
})

test('a log that has grown is left alone for a minute after the start, and after the last compaction', () => {
  const { clock, database, storage, compactions, work } = fresh()
  for (const done of [1, 2, 3]) {
    lengthen(database, storage, 12 * MEGABYTE)
    work()
    clock.advance(MINUTE - 1)
    database.transact([insert(`too soon ${done}`)])
    work()
    expect(compactions()).toBe(done - 1)
    clock.advance(1)
    shed(database)
    work()
    expect(compactions()).toBe(done)
  }
  expect(names(database)).toEqual(['too soon 1', 'too soon 2', 'too soon 3'])
})

/**
 * Lets a log be compacted while a client reads and writes, a durable row each time that it gets its turn,
 * until so many turns have passed or the compaction has; then the machine stops.
 */
function serveMeanwhile(turns: number) {
  const { disk, clock, database, storage, compactions, work } = fresh()
  const kept = Array.from({ length: 400 }, (_, i) => `kept ${i}`)
  database.transact(kept.map((name) => insert(name, 10_000)))
  lengthen(database, storage, 12 * MEGABYTE)
  storage.sync((error) => expect(error).toBeUndefined())
  work()
  clock.advance(MINUTE)
  clock.pace = 1
  const acknowledged: string[] = []
  let turn = 0
  let longest = 0
  let left = clock.monotonic()
  const serve = () => {
    longest = Math.max(longest, clock.monotonic() - left)
    if (compactions() || turn === turns) return
    const name = `meanwhile ${String(turn++).padStart(4, '0')}`
    database.submit(operations([insert(name), { op: 'commit', durable: true }]), anyone, ({ error }) => {
      expect(error).toBeUndefined()
      acknowledged.push(name)
    })
    const [found] = database.transact([{ op: 'select', table: 'T', where: [['name', '==', name]] }]).results
    expect(found?.rows?.length).toBe(1)
    if (turn % 3 === 0) disk.finishSyncs()
    left = clock.monotonic()
    clock.after(0, serve)
  }
  expect(database.transact([insert('last before')]).error).toBeUndefined()
  serve()
  clock.settle()
  const finished = compactions() === 1
  expect(disk.exists('db.tmp')).toBe(!finished)
  disk.crash(seeded(turns))
  return { kept, acknowledged, turn, longest, finished, found: names(open(disk).database) }
}

test('reads and writes go on while a log is compacted, and all of them are in the new one', () => {
  const { kept, acknowledged, turn, longest, finished, found } = serveMeanwhile(100_000)
  expect(finished).toBe(true)
  expect(turn).toBeGreaterThan(20)
  expect(acknowledged.length).toBeGreaterThan(20)
  // A slice of 5 ms, and the one piece that ended it.
  expect(longest).toBeLessThan(10)
  expect(found).toEqual(expect.arrayContaining([...kept, ...acknowledged]))
})

test('a machine that stops while a log is compacted keeps all that was acknowledged', () => {
  for (const turns of [1, 5, 20]) {
    const { kept, acknowledged, finished, found } = serveMeanwhile(turns)
    expect(finished).toBe(false)
    expect(found).toEqual(expect.arrayContaining([...kept, ...acknowledged]))
  }
})
