import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { seeded } from '../../base/random.ts'
import { Monitor, readRequests } from '../monitor/index.ts'
import { readSchema } from '../schema/index.ts'
import { Database } from '../transaction/index.ts'
import { DumpCache, SharedText } from './dumps.ts'

function* pieces(count: number): Generator<string> {
  for (let i = 0; i < count; i++) yield `piece ${i} ${'x'.repeat(90)}`
}

const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString().split(' x')[0]

test('a small text is kept whole for whoever comes next', () => {
  const shared = new SharedText(pieces(5), 1000)
  const [a, b] = [shared.reader(), shared.reader()]
  for (let i = 0; i < 5; i++) expect(text(a.piece(i))).toBe(`piece ${i}`)
  expect(a.piece(5)).toBeUndefined()
  expect(shared.open).toBe(true)
  for (let i = 0; i < 5; i++) expect(text(b.piece(i))).toBe(`piece ${i}`)
})

test('of a large text only what lies between its readers is in memory', () => {
  const shared = new SharedText(pieces(1000), 1000)
  const [fast, slow, gone] = [shared.reader(), shared.reader(), shared.reader()]
  for (let i = 0; i < 50; i++) fast.piece(i)
  expect(shared.open).toBe(false)
  expect(shared.kept).toBeGreaterThan(4000)
  for (let i = 0; i < 40; i++) expect(text(slow.piece(i))).toBe(`piece ${i}`)
  expect(shared.kept).toBeGreaterThan(4000)
  gone.stop?.()
  expect(shared.kept).toBeLessThan(1500)
  for (let i = 40; i < 1000; i++) {
    expect(text(slow.piece(i))).toBe(`piece ${i}`)
    expect(text(fast.piece(i + 10))).toBe(i + 10 < 1000 ? `piece ${i + 10}` : undefined)
    expect(shared.kept).toBeLessThan(1500)
  }
  expect(slow.piece(1000)).toBeUndefined()
})

test('when nobody else can begin to read it, of any text only what lies between its readers is in memory', () => {
  const shared = new SharedText(pieces(100), 1_000_000)
  const [fast, slow] = [shared.reader(), shared.reader()]
  for (let i = 0; i < 50; i++) fast.piece(i)
  for (let i = 0; i < 40; i++) slow.piece(i)
  expect(shared.kept).toBeGreaterThan(4900)
  shared.seal()
  expect(shared.open).toBe(false)
  expect(shared.kept).toBeLessThan(1500)
  for (let i = 40; i < 100; i++) {
    expect(text(slow.piece(i))).toBe(`piece ${i}`)
    expect(text(fast.piece(i + 10))).toBe(i + 10 < 100 ? `piece ${i + 10}` : undefined)
    expect(shared.kept).toBeLessThan(1500)
  }
  expect(slow.piece(100)).toBeUndefined()
})

test('a dump is sealed when the database has changed, and when its time is over', () => {
  const clock = new VirtualClock()
  const database = new Database(
    readSchema({ name: 'D', tables: { T: { columns: { name: { type: 'string' } } } } }),
    clock,
    seeded(1),
  )
  const insert = () => ({ op: 'insert', table: 'T', row: { name: 'x'.repeat(90_000) } }) as const
  database.transact(Array.from({ length: 9 }, insert))
  const monitor = new Monitor(database, readRequests(database.schema, { T: [{}] }, 2), 2)
  const cache = new DumpCache(clock)
  const begin = () => {
    const dump = cache.of(monitor)
    if (dump.whole !== undefined) throw new Error('small')
    return dump.pieces
  }
  const first = begin()
  first.piece(0)
  const other = begin()
  expect(other.piece(0)).toBe(first.piece(0))
  other.stop?.()
  database.transact([insert()])
  const second = begin()
  clock.advance(5000)
  for (const reader of [first, second]) {
    expect(reader.piece(3)).toBeDefined()
    expect(reader.piece(0)).toBeUndefined()
  }
})

test('when a piece can not be made nobody takes what there is for the whole', () => {
  const shared = new SharedText(
    (function* () {
      yield 'one'
      throw new RangeError('Invalid string length')
    })(),
  )
  const [a, b] = [shared.reader(), shared.reader()]
  for (const reader of [a, b]) {
    expect(reader.piece(0)).toBeDefined()
    expect(() => reader.piece(1)).toThrow(RangeError)
  }
})
