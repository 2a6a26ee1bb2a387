import { expect, test } from 'vitest'
import type { Clock, Timer } from '../../base/clock.ts'
import { keptLog, silent } from '../../base/log.ts'
import { below, seeded, uuid4 } from '../../base/random.ts'
import { readSchema } from '../schema/index.ts'
import { anyone, Database, type Operation, operations } from '../transaction/index.ts'
import { FakeDisk } from './fake-disk.test-helper.ts'
import { createFile, openFile } from './index.ts'

/** Time that goes step by step, in which everything takes long: work is put aside wherever it can be. */
class StepClock implements Clock {
  private passed = 0
  private readonly due: { run: (() => void) | undefined }[] = []

  now(): number {
    return 1_700_000_000_000
  }
  monotonic(): number {
    this.passed += 100
    return this.passed
  }
  after(_delay: number, run: () => void): Timer {
    const entry: { run: (() => void) | undefined } = { run }
    this.due.push(entry)
    return {
      cancel: () => {
        entry.run = undefined
      },
    }
  }
  /** Makes one call; whether there was one. */
  step(): boolean {
    const entry = this.due.shift()
    entry?.run?.()
    return entry !== undefined
  }
}

const schema = readSchema({
  name: 'S',
  tables: { T: { columns: { name: { type: 'string' }, text: { type: 'string' } } } },
})

function open(disk: FakeDisk, clock: Clock = new StepClock(), log = silent) {
  const opened = openFile('db', { files: disk, clock, log, pieceSize: 100 })
  if (!opened.ok) return opened
  const { storage } = opened.value
  const database = new Database(opened.value.schema, clock, seeded(7))
  const loaded = storage.load(database)
  if (!loaded.ok) return loaded
  database.journal = storage
  return { ok: true as const, value: { database, storage } }
}

function fresh(): FakeDisk {
  const disk = new FakeDisk()
  expect(createFile(disk, 'db', schema)).toBeUndefined()
  return disk
}

const small = (name: string, uuid: string): Operation => ({ op: 'insert', table: 'T', uuid, row: { name } })
/** A record of several pieces, each written in a slice of its own. */
const large = (name: string, uuids: readonly string[]): Operation[] =>
  uuids.map((uuid) => ({ op: 'insert', table: 'T', uuid, row: { name, text: 'x'.repeat(110) } }))

test('a crash in the midst of large records and of compaction: all of a transaction is there, or nothing', () => {
  let interrupted = 0
  for (let seed = 1; seed <= 200; seed++) {
    const random = seeded(seed)
    const disk = fresh()
    const durable = new Set<string>()
    const together: string[][] = []
    for (let round = 0; round < 3; round++) {
      const clock = new StepClock()
      let again = open(disk, clock)
      if (!again.ok) {
        // A hole in what was never acknowledged: the offset says where to cut.
        const at = /corrupt at offset (\d+)/.exec(again.error)?.[1]
        expect(at, again.error).toBeDefined()
        disk.setContents('db', disk.contents('db').slice(0, Number(at)))
        again = open(disk, clock)
      }
      if (!again.ok) throw new Error(again.error)
      const { database, storage } = again.value
      const there = new Set([...database.rows('T')].map((row) => row._uuid))
      for (const uuid of durable) expect(there.has(uuid), `seed ${seed}, round ${round}`).toBe(true)
      for (const uuids of together) {
        expect([0, uuids.length], `seed ${seed}`).toContain(uuids.filter((uuid) => there.has(uuid)).length)
      }
      // What the crash has left is on the disk.
      for (const uuid of there) durable.add(uuid)
      let open3 = 0
      for (let i = 0; i < 6; i++) {
        const uuids = Array.from({ length: below(random, 3) === 0 ? 3 : 1 }, () => uuid4(random))
        const list = uuids.length > 1 ? large(`large ${i}`, uuids) : [small(`small ${i}`, uuids[0] as string)]
        const safe = below(random, 2) === 1
        together.push(uuids)
        open3++
        database.submit(operations([...list, { op: 'commit', durable: safe }]), anyone, (result) => {
          open3--
          if (safe && !result.error) for (const uuid of uuids) durable.add(uuid)
        })
        if (below(random, 4) === 0) storage.compact(database, () => {})
        for (let n = below(random, 8); n > 0 && clock.step(); n--);
        if (below(random, 3) === 0) disk.finishSyncs()
      }
      if (open3) interrupted++
      disk.crash(random)
    }
  }
  expect(interrupted).toBeGreaterThan(100)
})

test('compaction that ends while a large record is being written waits for it', () => {
  const disk = fresh()
  const clock = new StepClock()
  const opened = open(disk, clock)
  if (!opened.ok) throw new Error(opened.error)
  const { database, storage } = opened.value
  const random = seeded(1)
  database.transact([small('before', uuid4(random))])
  const ended: string[] = []
  const uuids = [uuid4(random), uuid4(random), uuid4(random), uuid4(random)]
  database.submit(operations(large('large', uuids)), anyone, () => ended.push('large'))
  storage.compact(database, () => ended.push('compaction'))
  while (clock.step()) disk.finishSyncs()
  expect(ended.sort()).toEqual(['compaction', 'large'])
  database.transact([small('after', uuid4(random))])
  storage.close()
  const again = open(disk)
  expect(again.ok && [...again.value.database.rows('T')].map((row) => row['name'])).toEqual([
    'before',
    ...uuids.map(() => 'large'),
    'after',
  ])
})

test('a large record that does not fit leaves the log as it was; so does closing in its midst', () => {
  const disk = fresh()
  const clock = new StepClock()
  const opened = open(disk, clock)
  if (!opened.ok) throw new Error(opened.error)
  const { database, storage } = opened.value
  const random = seeded(1)
  database.transact([small('one', uuid4(random))])
  const size = disk.contents('db').length
  disk.room = 300
  const errors: (string | undefined)[] = []
  const submit = () =>
    database.submit(operations(large('large', [uuid4(random), uuid4(random), uuid4(random)])), anyone, (r) =>
      errors.push(r.error?.details),
    )
  submit()
  while (clock.step());
  expect(errors).toEqual(['db: write failed'])
  expect(disk.contents('db').length).toBe(size)
  disk.room = Number.POSITIVE_INFINITY
  database.transact([small('two', uuid4(random))])
  const before = disk.contents('db').length
  submit()
  while (disk.contents('db').length < before + 150) clock.step()
  storage.close()
  while (clock.step());
  expect(errors[1]).toContain('database closed')
  const { log, lines } = keptLog()
  const again = open(disk, new StepClock(), log)
  expect(again.ok && [...again.value.database.rows('T')].map((row) => row['name'])).toEqual(['one', 'two'])
  expect(lines).toEqual([])
})
