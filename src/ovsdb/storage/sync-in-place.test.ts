import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { silent } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { readSchema } from '../schema/index.ts'
import { anyone, Database, type Operation, operations } from '../transaction/index.ts'
import { FakeDisk } from './fake-disk.test-helper.ts'
import type { LogFile } from './files.ts'
import { createFile, openFile } from './index.ts'

const schema = readSchema({ name: 'S', version: '1.0.0', tables: { T: { columns: { n: { type: 'integer' } } } } })

/** A disk that counts the syncs that were waited for, and those that were not. */
class CountingDisk extends FakeDisk {
  waited = 0
  asked = 0

  override open(path: string, mode: 'read' | 'write' | 'create' | 'replace'): LogFile {
    const file = super.open(path, mode)
    const { sync, syncNow } = file
    return Object.defineProperties(file, {
      sync: {
        value: (done: (error?: Error) => void) => {
          this.asked++
          sync(done)
        },
      },
      syncNow: {
        value: () => {
          this.waited++
          syncNow()
        },
      },
    })
  }
}

function scene() {
  const disk = new CountingDisk()
  const clock = new VirtualClock()
  createFile(disk, 'db', schema)
  const opened = openFile('db', { files: disk, clock, log: silent })
  if (!opened.ok) throw new Error(opened.error)
  const { storage } = opened.value
  const database = new Database(schema, clock, seeded(1))
  storage.load(database)
  database.journal = storage
  /** Begins a durable transaction; the list gets its outcome. */
  const commit = (n: number, outcomes: (string | undefined)[] = []) => {
    const list: Operation[] = [
      { op: 'insert', table: 'T', row: { n } },
      { op: 'commit', durable: true },
    ]
    database.submit(operations(list), anyone, (result) => outcomes.push(result.error?.details))
    return outcomes
  }
  for (let i = 0; i < 32; i++) {
    commit(i)
    disk.finishSyncs()
  }
  expect(disk).toMatchObject({ asked: 32 })
  disk.waited = 0
  disk.asked = 0
  return { disk, clock, commit, database }
}

test('a disk that has proved fast is waited for, once all that came in was read', () => {
  const { disk, clock, commit } = scene()
  const outcomes = commit(100)
  expect(outcomes).toEqual([])
  clock.settle()
  expect(outcomes).toEqual([undefined])
  expect(disk).toMatchObject({ waited: 1, asked: 0 })
})

test('several who want a sync share one, which is not waited for', () => {
  const { disk, clock, commit } = scene()
  const outcomes: (string | undefined)[] = []
  for (let i = 0; i < 5; i++) commit(i, outcomes)
  clock.settle()
  expect(outcomes).toEqual([])
  expect(disk).toMatchObject({ waited: 0, asked: 1 })
  disk.finishSyncs()
  expect(outcomes).toEqual(Array(5).fill(undefined))
})

test('a sync that fails while it is waited for fails the commit and all later ones', () => {
  const { disk, clock, commit } = scene()
  disk.failingSyncs = 1
  const outcomes = commit(100)
  clock.settle()
  expect(outcomes).toEqual(['db: fsync failed'])
  expect(commit(101)).toEqual(['db: fsync failed'])
})

test('what was answered while it was waited for is there after a crash of the machine', () => {
  const { disk, clock, commit } = scene()
  const outcomes = commit(100)
  clock.settle()
  expect(outcomes).toEqual([undefined])
  disk.crash(seeded(5))
  const again = openFile('db', { files: disk, clock, log: silent })
  if (!again.ok) throw new Error(again.error)
  const database = new Database(schema, clock, seeded(1))
  again.value.storage.load(database)
  expect([...database.rows('T')].map((row) => row['n'])).toContain(100)
})
