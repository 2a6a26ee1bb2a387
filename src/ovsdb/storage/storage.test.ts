import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog, silent } from '../../base/log.ts'
import { below, seeded, uuid4 } from '../../base/random.ts'
import { unwrap } from '../../base/result.ts'
import { readSchema } from '../schema/index.ts'
import { anyone, Database, operations } from '../transaction/index.ts'
import { FakeDisk } from './fake-disk.test-helper.ts'
import { createFile, type FileStorage, openFile } from './index.ts'

const schema = readSchema({
  name: 'S',
  version: '1.0.0',
  tables: {
    T: {
      columns: {
        name: { type: 'string' },
        set: { type: { key: 'integer', min: 0, max: 'unlimited' } },
        map: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
        gone: { type: 'string', ephemeral: true },
      },
    },
  },
})

function open(disk: FakeDisk, clock = new VirtualClock(), log = silent) {
  const opened = openFile('db', { files: disk, clock, log })
  if (!opened.ok) return opened
  const database = new Database(opened.value.schema, clock, seeded(7))
  const loaded = opened.value.storage.load(database)
  if (!loaded.ok) return loaded
  database.journal = opened.value.storage
  return { ok: true as const, value: { database, storage: opened.value.storage, clock } }
}

function fresh(): FakeDisk {
  const disk = new FakeDisk()
  expect(createFile(disk, 'db', schema)).toBeUndefined()
  return disk
}

const insert = (name: string, uuid: string) =>
  ({ op: 'insert', table: 'T', uuid, row: { name, set: [1, 2, 3], gone: 'x' } }) as const

const contents = (database: Database) =>
  [...database.rows('T')].map((r) => ({ ...r, _version: '', gone: '' })).sort((a, b) => (a._uuid < b._uuid ? -1 : 1))

test('what was committed is there after opening again, but for ephemeral columns', () => {
  const disk = fresh()
  const random = seeded(3)
  const { database, storage } = unwrap(open(disk) as never) as { database: Database; storage: FileStorage }
  const uuids: string[] = []
  for (let i = 0; i < 200; i++) {
    const uuid = uuid4(random)
    const any = uuids[below(random, uuids.length || 1)] ?? uuid
    const where = [['_uuid', '==', any] as const]
    const change = [
      insert(`n${i}`, uuid),
      {
        op: 'mutate',
        table: 'T',
        where,
        mutations: [
          ['set', 'insert', [i]],
          ['map', 'insert', new Map([[`k${i % 5}`, 'v']])],
        ],
      },
      {
        op: 'mutate',
        table: 'T',
        where,
        mutations: [
          ['set', 'delete', [1, i - 1]],
          ['map', 'delete', ['k1']],
        ],
      },
      { op: 'update', table: 'T', where, row: { name: '', map: new Map([['a', String(i)]]) } },
      { op: 'delete', table: 'T', where },
    ] as const
    const result = database.transact([change[below(random, change.length)] as (typeof change)[0]])
    expect(result.error).toBeUndefined()
    if (result.results[0]?.uuid) uuids.push(uuid)
  }
  const before = contents(database)
  expect(before.length).toBeGreaterThan(5)
  storage.close()
  const again = open(disk)
  expect(again.ok && contents(again.value.database)).toEqual(before)
})

test('a file cut at each byte of its last record opens with all before it, and says what it cut', () => {
  const disk = fresh()
  const first = open(disk)
  if (!first.ok) throw new Error(first.error)
  first.value.database.transact([insert('one', uuid4(seeded(1)))])
  const whole = disk.contents('db').length
  first.value.database.transact([insert('two', uuid4(seeded(2)))])
  const all = disk.contents('db')
  for (let size = whole; size < all.length; size++) {
    disk.setContents('db', all.slice(0, size))
    const { log, lines } = keptLog()
    const again = open(disk, new VirtualClock(), log)
    if (!again.ok) throw new Error(again.error)
    expect([...again.value.database.rows('T')].map((r) => r['name'])).toEqual(['one'])
    expect(disk.contents('db').length).toBe(whole)
    expect(lines.length).toBe(size === whole ? 0 : 1)
    again.value.database.transact([insert('three', uuid4(seeded(3)))])
    again.value.storage.close()
    const third = open(disk)
    expect(third.ok && [...third.value.database.rows('T')].map((r) => r['name'])).toEqual(['one', 'three'])
  }
})

test('a corrupt middle is refused with its offset, and nothing is changed', () => {
  const disk = fresh()
  const first = open(disk)
  if (!first.ok) throw new Error(first.error)
  const offset = disk.contents('db').length
  for (let i = 0; i < 3; i++) first.value.database.transact([insert(`n${i}`, uuid4(seeded(i + 1)))])
  const bad = disk.contents('db').slice()
  bad[offset + 70] = (bad[offset + 70] as number) ^ 1
  disk.setContents('db', bad)
  const again = open(disk)
  expect(again).toMatchObject({ ok: false, error: expect.stringContaining(`corrupt at offset ${offset}`) })
  expect(disk.contents('db')).toEqual(bad)
})

test('what is left of a record and can not be cut off is cut off before the next, or there is none', () => {
  const disk = fresh()
  const { log, lines } = keptLog()
  const first = open(disk, new VirtualClock(), log)
  if (!first.ok) throw new Error(first.error)
  const { database } = first.value
  database.transact([insert('one', uuid4(seeded(1)))])
  const length = disk.contents('db').length
  disk.room = 10
  disk.failingTruncates = 2
  const fails = () => database.transact([insert('big', uuid4(seeded(2)))]).error
  expect(fails()).toEqual({ error: 'I/O error', details: 'db: write failed', io: 'No space left on device' })
  expect(fails()).toEqual({
    error: 'I/O error',
    details: `db: cannot truncate to length ${length}`,
    io: 'Input/output error',
  })
  disk.room = Number.POSITIVE_INFINITY
  expect(disk.contents('db').length).toBeGreaterThan(length)
  expect(database.transact([insert('two', uuid4(seeded(4)))]).error).toBeUndefined()
  expect(lines.map((l) => `${l.level} ${l.message}`)).toEqual([
    'err db: write failed (No space left on device)',
    `err db: cannot truncate to length ${length} (Input/output error)`,
    `err db: cannot truncate to length ${length} (Input/output error)`,
  ])
  first.value.storage.close()
  const again = open(disk)
  expect(again.ok && [...again.value.database.rows('T')].map((row) => row['name'])).toEqual(['one', 'two'])
})

test('a full disk is an I/O error, the database goes on, and nothing is lost', () => {
  const disk = fresh()
  const first = open(disk)
  if (!first.ok) throw new Error(first.error)
  const { database } = first.value
  database.transact([insert('one', uuid4(seeded(1)))])
  for (let room = 0; room < 150; room += 7) {
    disk.room = room
    const result = database.transact([insert('big', uuid4(seeded(2)))])
    expect(result.error).toEqual({ error: 'I/O error', details: 'db: write failed', io: 'No space left on device' })
    expect([...database.rows('T')].length).toBe(1)
  }
  disk.room = Number.POSITIVE_INFINITY
  expect(database.transact([insert('two', uuid4(seeded(4)))]).error).toBeUndefined()
  first.value.storage.close()
  const again = open(disk)
  expect(again.ok && [...again.value.database.rows('T')].length).toBe(2)
})

test('whatever a crash does to what was not synced, what was acknowledged as durable is there', () => {
  let refused = 0
  for (let seed = 1; seed <= 300; seed++) {
    const random = seeded(seed)
    const disk = fresh()
    const acknowledged = new Set<string>()
    for (let round = 0; round < 3; round++) {
      let again = open(disk)
      if (!again.ok) {
        // A hole in what was never acknowledged: opening is refused, and the offset says where to cut.
        const at = /corrupt at offset (\d+)/.exec(again.error)
        expect(at, again.error).not.toBeNull()
        refused++
        disk.setContents('db', disk.contents('db').slice(0, Number(at?.[1])))
        again = open(disk)
      }
      if (!again.ok) throw new Error(again.error)
      const { database, storage, clock } = again.value
      const there = new Set([...database.rows('T')].map((r) => r._uuid))
      for (const uuid of acknowledged) expect(there.has(uuid), `seed ${seed}`).toBe(true)
      // What a crash has left is on the disk.
      for (const uuid of there) acknowledged.add(uuid)
      const steps = below(random, 12)
      for (let i = 0; i < steps; i++) {
        const uuid = uuid4(random)
        const durable = below(random, 2) === 1
        const source = operations([insert(`n${i}`, uuid), { op: 'commit', durable }])
        database.submit(source, anyone, (r) => {
          if (durable && !r.error) acknowledged.add(uuid)
        })
        const what = below(random, 5)
        if (what === 0) disk.finishSyncs()
        if (what === 1) storage.compact(database, () => {})
        if (what > 2) clock.settle()
      }
      disk.crash(random)
    }
  }
  expect(refused).toBeLessThan(300)
})

test('compaction goes on beside transactions and makes the file small', () => {
  const disk = fresh()
  const first = open(disk)
  if (!first.ok) throw new Error(first.error)
  const { database, storage, clock } = first.value
  const uuid = uuid4(seeded(1))
  database.transact([insert('one', uuid)])
  for (let i = 0; i < 300; i++) {
    database.transact([{ op: 'update', table: 'T', where: [['_uuid', '==', uuid]], row: { name: `name ${i}` } }])
  }
  const before = disk.contents('db').length
  let done = false
  storage.compact(database, (error) => {
    expect(error).toBeUndefined()
    done = true
  })
  database.transact([insert('meanwhile', uuid4(seeded(2)))])
  clock.settle()
  database.transact([insert('meanwhile too', uuid4(seeded(3)))])
  disk.finishSyncs()
  expect(done).toBe(true)
  database.transact([insert('after', uuid4(seeded(4)))])
  expect(disk.contents('db').length).toBeLessThan(before / 10)
  const expected = contents(database)
  storage.close()
  const again = open(disk)
  expect(again.ok && contents(again.value.database)).toEqual(expected)
})
