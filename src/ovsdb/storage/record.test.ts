import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { below, seeded } from '../../base/random.ts'
import { readSchema } from '../schema/index.ts'
import { Database, type Delta, type Operation } from '../transaction/index.ts'
import { shortTransaction, writeTransaction } from './record.ts'

const schema = readSchema({
  name: 'S',
  version: '1.0.0',
  tables: {
    A: { columns: { n: { type: 'integer' }, set: { type: { key: 'integer', min: 0, max: 'unlimited' } } } },
    B: { columns: { text: { type: 'string' }, gone: { type: 'string', ephemeral: true } } },
  },
})

test('a transaction written at once is written as it is in pieces', () => {
  const random = seeded(11)
  const database = new Database(schema, new VirtualClock(), random)
  let delta: Delta | undefined
  database.onCommit((d) => {
    delta = d
  })
  const operation = (): Operation => {
    const where = [['n', '==', below(random, 5)] as const]
    switch (below(random, 5)) {
      case 0:
        return { op: 'insert', table: 'A', row: { n: below(random, 5), set: [below(random, 3)] } }
      case 1:
        return { op: 'insert', table: 'B', row: { text: `"${below(random, 9)}`, gone: 'x' } }
      case 2:
        return { op: 'mutate', table: 'A', where, mutations: [['set', 'insert', [below(random, 50)]]] }
      case 3:
        return { op: 'update', table: 'B', where: [], row: { gone: `${below(random, 9)}` } }
      default:
        return below(random, 3) ? { op: 'comment', comment: 'why' } : { op: 'delete', table: 'A', where }
    }
  }
  let written = 0
  for (let i = 0; i < 500; i++) {
    delta = undefined
    const { error } = database.transact(Array.from({ length: 1 + below(random, 4) }, operation))
    expect(error).toBeUndefined()
    if (!delta) continue
    for (const differences of [true, false]) {
      const pieces = [...writeTransaction(database.tables, delta, 1000 + i, { differences, pieceSize: 40 })]
      const text = shortTransaction(database.tables, delta, 1000 + i, { differences })
      if (text === undefined) continue
      written++
      expect(text && `${text}\n`).toBe(pieces.join(''))
    }
  }
  expect(written).toBeGreaterThan(200)
})

test('a transaction of many rows, or of a long one, is for pieces', () => {
  const database = new Database(schema, new VirtualClock(), seeded(1))
  const short = (operations: readonly Operation[], pieceSize = 1000) => {
    let text: string | undefined
    const stop = database.onCommit((delta) => {
      text = shortTransaction(database.tables, delta, 0, { pieceSize })
    })
    database.transact(operations)
    stop()
    return text
  }
  const rows = (count: number, length: number): Operation[] =>
    Array.from({ length: count }, () => ({ op: 'insert', table: 'B', row: { text: 'x'.repeat(length) } }))
  expect(short(rows(1, 10))).toContain('xxxxxxxxxx')
  expect(short(rows(64, 1), 1e6)).toBeDefined()
  expect(short(rows(65, 1), 1e6)).toBeUndefined()
  expect(short(rows(3, 2000))).toBeUndefined()
})
