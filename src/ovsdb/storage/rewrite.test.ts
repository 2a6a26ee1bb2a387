import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { silent } from '../../base/log.ts'
import { seeded, uuid4 } from '../../base/random.ts'
import { unwrap } from '../../base/result.ts'
import { type DatabaseSchema, readSchema } from '../schema/index.ts'
import { createServer } from '../server/index.ts'
import { anyone, type Database, operations } from '../transaction/index.ts'
import { FakeDisk } from './fake-disk.test-helper.ts'
import { createFile, openFile } from './index.ts'

const schemaOf = (version: string, columns: readonly string[]): DatabaseSchema =>
  readSchema({
    name: 'S',
    version,
    tables: { T: { columns: Object.fromEntries(columns.map((name) => [name, { type: 'string' }])) } },
  })
const schema = schemaOf('1.0.0', ['name'])

/** A server over a file, as it is opened after a start. */
function open(disk: FakeDisk) {
  const clock = new VirtualClock()
  const server = createServer({ clock, log: silent, random: seeded(5) })
  const opened = unwrap(openFile('db', { files: disk, clock, log: silent }))
  const database = unwrap(server.addDatabase(opened.schema, opened.storage))
  return { clock, server, database, storage: opened.storage }
}

function fresh() {
  const disk = new FakeDisk()
  expect(createFile(disk, 'db', schema)).toBeUndefined()
  return { disk, ...open(disk) }
}

const uuids = Array.from({ length: 5000 }, (_, i) => uuid4(seeded(i)))
const insert = (i: number) => ({ op: 'insert', table: 'T', uuid: uuids[i] as string, row: { name: `n${i}` } }) as const
const names = (database: Database) => [...database.rows('T')].map((row) => row['name']).sort()

/** Commits a row; tells what its maker was answered. */
function durable(database: Database, i: number): { answer?: string } {
  const told: { answer?: string } = {}
  database.submit(operations([insert(i), { op: 'commit', durable: true }]), anyone, ({ error }) => {
    told.answer = error ? `${error.error}: ${error.details}` : 'ok'
  })
  return told
}

test('a conversion while the file is compacted ends the compaction, and the file is as converted', () => {
  const { disk, clock, server, database, storage } = fresh()
  database.transact(uuids.map((_, i) => insert(i)))
  const compacted: (string | undefined)[] = []
  storage.compact(database, (error) => compacted.push(error))
  let converted: unknown = 'not answered'
  server.convert('S', schemaOf('2.0.0', ['name', 'more']), (error) => {
    converted = error
  })
  expect(converted).toBeUndefined()
  expect(compacted).toEqual(['the database is written anew'])
  server.database('S')?.transact([{ op: 'update', table: 'T', where: [], row: { more: 'x' } }])
  clock.settle()
  disk.finishSyncs()
  clock.settle()
  server.close()
  const again = open(disk).database
  expect(again.schema.version).toBe('2.0.0')
  expect(new Set([...again.rows('T')].map((row) => row['more']))).toEqual(new Set(['x']))
  expect(names(again)).toHaveLength(5000)
})

test('a new file whose directory can not be synced is the database, but nothing more is durable until the next', () => {
  const { disk, clock, database, storage } = fresh()
  database.transact([insert(0)])
  disk.failingDirectorySyncs = 1
  const ends: (string | undefined)[] = []
  const compact = () => {
    storage.compact(database, (error) => ends.push(error))
    clock.settle()
    disk.finishSyncs()
  }
  compact()
  expect(ends[0]).toContain('fsync of its directory failed')
  const refused = durable(database, 1)
  expect(refused.answer).toContain('I/O error')
  compact()
  expect(ends[1]).toBeUndefined()
  const taken = durable(database, 2)
  disk.finishSyncs()
  expect(taken.answer).toBe('ok')
  disk.crash(seeded(1))
  expect(names(open(disk).database)).toEqual(['n0', 'n2'])
})

test('after a failed sync nothing is acknowledged as durable that comes behind what was lost', () => {
  const { disk, clock, database, storage } = fresh()
  disk.failingSyncs = 1
  const first = durable(database, 0)
  const second = durable(database, 1)
  disk.finishSyncs()
  expect(first.answer).toContain('fsync failed')
  expect(second.answer).toContain('fsync failed')
  let error: string | undefined = 'not answered'
  storage.compact(database, (e) => {
    error = e
  })
  clock.settle()
  disk.finishSyncs()
  expect(error).toBeUndefined()
  const third = durable(database, 2)
  disk.finishSyncs()
  expect(third.answer).toBe('ok')
  disk.crash(seeded(1))
  expect(names(open(disk).database)).toEqual(['n0', 'n1', 'n2'])
})

test('who waits for a sync when the file is closed is told what came of it', () => {
  for (const fails of [false, true]) {
    const { disk, database, storage } = fresh()
    const told = [durable(database, 0), durable(database, 1)]
    expect(told).toEqual([{}, {}])
    if (fails) disk.failingSyncs = 2
    storage.close()
    for (const { answer } of told) {
      if (fails) expect(answer).toContain('fsync failed')
      else expect(answer).toBe('ok')
    }
    const before = told.map((t) => t.answer)
    disk.finishSyncs()
    expect(told.map((t) => t.answer)).toEqual(before)
    disk.crash(seeded(1))
    if (!fails) expect(names(open(disk).database)).toEqual(['n0', 'n1'])
  }
})

test('a conversion or compaction without room, or without files, is an error; the database goes on and nothing stays open', () => {
  const { disk, clock, server, database, storage } = fresh()
  database.transact([insert(0)])
  const before = disk.opened
  const converted: (string | undefined)[] = []
  const compacted: (string | undefined)[] = []
  const attempt = () => {
    server.convert('S', schemaOf('2.0.0', ['name', 'more']), (error) => converted.push(error?.error))
    storage.compact(database, (error) => compacted.push(error))
    for (let i = 0; i < 5; i++) {
      clock.settle()
      disk.finishSyncs()
    }
  }
  for (const room of [0, 5, 300]) {
    disk.room = room
    attempt()
    expect(disk.opened).toBe(before)
  }
  disk.room = Number.POSITIVE_INFINITY
  disk.failingOpens = 2
  attempt()
  expect(disk.opened).toBe(before)
  expect(converted).toEqual(Array(4).fill('I/O error'))
  expect(compacted.map((error) => error !== undefined)).toEqual(Array(4).fill(true))
  expect(disk.exists('db.tmp')).toBe(false)
  expect(database.transact([insert(1)]).error).toBeUndefined()
  attempt()
  expect(converted[4]).toBeUndefined()
  server.close()
  expect(names(open(disk).database)).toEqual(['n0', 'n1'])
})

test('a database that is removed while it is compacted, and added again, can be compacted', () => {
  const { disk, clock, server, database, storage } = fresh()
  database.transact(uuids.map((_, i) => insert(i)))
  const ends: (string | undefined)[] = []
  storage.compact(database, (error) => ends.push(error))
  clock.after(0, () => {
    // The compaction is in the midst of its work.
    expect(disk.exists('db.tmp')).toBe(true)
    server.removeDatabase('S')
    const opened = unwrap(openFile('db', { files: disk, clock, log: silent }))
    const again = unwrap(server.addDatabase(opened.schema, opened.storage))
    opened.storage.compact(again, (error) => ends.push(error))
  })
  for (let i = 0; i < 5; i++) {
    clock.settle()
    disk.finishSyncs()
  }
  expect(ends).toEqual(['database closed', undefined])
  server.close()
  expect(disk.opened).toBe(0)
  expect(names(open(disk).database)).toHaveLength(5000)
})
