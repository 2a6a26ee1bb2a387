import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { silent } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { unwrap } from '../../base/result.ts'
import { type ByteStream, streamPair } from '../../base/stream.ts'
import { isObject, type Json, printJson } from '../../jsonrpc/json.ts'
import { MessageReader } from '../../jsonrpc/reader.ts'
import { readSchema } from '../schema/index.ts'
import { FakeDisk } from '../storage/fake-disk.test-helper.ts'
import { createFile, openFile } from '../storage/index.ts'
import { createServer, type Server } from './index.ts'

// Group commit: clients that commit durably at the same time share a sync, and none is answered before
// a sync that began after its transaction was written.

/** Milliseconds that a sync takes. */
const SYNC = 10

/** A disk that takes its time to sync, and keeps what is safe on it. */
class SlowDisk extends FakeDisk {
  syncs = 0
  /** What a file had when the last sync that has ended began. */
  safe = ''

  constructor(private readonly clock: VirtualClock) {
    super()
  }

  override open(...of: Parameters<FakeDisk['open']>): ReturnType<FakeDisk['open']> {
    const file = super.open(...of)
    const { sync } = file
    file.sync = (done) => {
      this.syncs++
      const written = Buffer.from(file.read(0, file.size)).toString()
      let failed: Error | undefined
      sync((error) => {
        failed = error
      })
      this.clock.after(SYNC, () => {
        this.finishSyncs()
        if (!failed) this.safe = written
        done(failed)
      })
    }
    return file
  }
}

const schema = readSchema({ name: 'S', version: '1.0.0', tables: { T: { columns: { name: { type: 'string' } } } } })

function setup() {
  const clock = new VirtualClock()
  const disk = new SlowDisk(clock)
  expect(createFile(disk, 'db', schema)).toBeUndefined()
  const server = createServer({ clock, log: silent, random: seeded(1) })
  const opened = unwrap(openFile('db', { files: disk, clock, log: silent }))
  unwrap(server.addDatabase(opened.schema, opened.storage))
  return { clock, disk, server }
}

/** A client that inserts rows, one transaction each, and looks at the disk when it is answered. */
class Client {
  /** Milliseconds since the beginning, of the answers, by row. */
  readonly answered = new Map<string, number>()
  /** Rows that were answered for and not safe. */
  readonly unsafe: string[] = []
  onAnswer: (() => void) | undefined
  private readonly stream: ByteStream

  constructor(clock: VirtualClock, disk: SlowDisk, server: Server) {
    const [mine, theirs] = streamPair(clock)
    this.stream = mine
    server.accept(theirs)
    const reader = new MessageReader((message) => {
      if (!isObject(message) || typeof message['id'] !== 'string') return
      expect(message['error']).toBeNull()
      expect(JSON.stringify(message['result'])).not.toContain('error')
      const name = message['id']
      this.answered.set(name, clock.monotonic())
      if (!disk.safe.includes(`"${name}"`)) this.unsafe.push(name)
      this.onAnswer?.()
    })
    mine.onData = (bytes) => reader.push(bytes)
  }

  insert(name: string, durable = true): void {
    const params: Json = ['S', { op: 'insert', table: 'T', row: { name } }, { op: 'commit', durable }]
    this.stream.write(Buffer.from(printJson({ id: name, method: 'transact', params })))
  }
}

function clients(count: number) {
  const { clock, disk, server } = setup()
  return { clock, disk, list: Array.from({ length: count }, () => new Client(clock, disk, server)) }
}

test('a hundred clients that commit at one moment share two syncs', () => {
  const { clock, disk, list } = clients(100)
  for (const [i, client] of list.entries()) client.insert(`row ${i}`)
  clock.advance(10 * SYNC)
  // The first begins a sync at once; all others are written while it goes on.
  expect(disk.syncs).toBe(2)
  for (const [i, { answered, unsafe }] of list.entries()) {
    expect(unsafe).toEqual([])
    expect([...answered.keys()]).toEqual([`row ${i}`])
  }
})

test('clients that commit all the time take a sync for a round of all, not for each', () => {
  const { clock, disk, list } = clients(50)
  const rounds = 20
  for (const [i, client] of list.entries()) {
    const next = () => {
      const { size } = client.answered
      // Out of step with each other.
      if (size < rounds) clock.after((i * 7 + size * 3) % SYNC, () => client.insert(`row ${i} of ${size}`))
    }
    client.onAnswer = next
    next()
  }
  clock.advance(10 * rounds * SYNC)
  expect(list.map(({ answered }) => answered.size)).toEqual(list.map(() => rounds))
  expect(list.flatMap(({ unsafe }) => unsafe)).toEqual([])
  expect(disk.syncs).toBeLessThan((list.length * rounds) / 20)
})

test('who commits while a sync goes on waits for the next; who does not ask for it waits for none', () => {
  const { clock, disk, list } = clients(4)
  const [first, second, third, hasty] = list
  first?.insert('first')
  clock.advance(SYNC / 2)
  second?.insert('second')
  third?.insert('third')
  hasty?.insert('hasty', false)
  clock.advance(10 * SYNC)
  expect(first?.answered).toEqual(new Map([['first', SYNC]]))
  expect(second?.answered).toEqual(new Map([['second', 2 * SYNC]]))
  expect(third?.answered).toEqual(new Map([['third', 2 * SYNC]]))
  expect(hasty?.answered).toEqual(new Map([['hasty', SYNC / 2]]))
  expect(hasty?.unsafe).toEqual(['hasty'])
  expect([first, second, third].flatMap((client) => client?.unsafe)).toEqual([])
  expect(disk.syncs).toBe(2)
})
