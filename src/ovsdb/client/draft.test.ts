import { describe, expect, it } from 'vitest'
import { type Items, World } from './_fixture.ts'
import { OvsdbConnection } from './connection.ts'
import type { Draft } from './draft.ts'
import type { TableRequests } from './replica.ts'

const NOBODY = '00000000-0000-4000-8000-00000000dead'

/** A client that has some rows. */
class Client {
  readonly world = new World()
  readonly db: OvsdbConnection<Items>

  constructor(tables?: TableRequests<Items>) {
    const { world } = this
    world.database.transact([
      { op: 'insert', table: 'Item', row: { name: 'a', size: 1, tags: ['t'], options: new Map([['k', 'v']]) } },
    ])
    this.db = new OvsdbConnection<Items>(world.remote(tables), world.clock, world.random)
    world.clock.settle()
  }

  async edit<R>(change: (tx: Draft<Items>) => R): Promise<R | string> {
    const done = this.db.edit(change).catch((e: Error) => e.message)
    for (let i = 0; i < 5; i++) {
      this.world.clock.advance(100)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return done
  }

  /** The uuid of the item that is there. */
  get a(): string {
    return [...this.db.table('Item').keys()][0] ?? ''
  }

  get rows() {
    return this.world.rows('Item').map((r) => [r['name'], r['size'], r['tags'], r['options']])
  }
}

describe('what is edited', () => {
  it.each<[string, (tx: Draft<Items>) => unknown, string]>([
    [
      'a column that there is not',
      (tx) => tx.anyInsert('Item', { name: 'b', colour: 'red' }),
      'table Item has no column colour',
    ],
    ['a table that there is not', (tx) => tx.anyInsert('Thing', {}), 'database Items has no table Thing'],
    ['a row that is not there', (tx) => tx.update('Item', NOBODY, { size: 2 }), `Item has no row ${NOBODY}`],
    ['a set of such a row', (tx) => tx.addMember('Item', NOBODY, 'tags', 'x'), `Item has no row ${NOBODY}`],
    ['a map of such a row', (tx) => tx.setKey('Item', NOBODY, 'options', 'x', 'y'), `Item has no row ${NOBODY}`],
    ['a check of such a row', (tx) => tx.verify('Item', NOBODY, 'size'), `Item has no row ${NOBODY}`],
  ])('%s: an error', async (_what, change, error) => {
    const client = new Client()
    expect(await client.edit(change)).toBe(error)
    expect(client.rows.length).toBe(1)
  })

  it('may be taken away twice: it is gone', async () => {
    const client = new Client()
    const gone = await client.edit((tx) => {
      tx.removeMember('Item', NOBODY, 'tags', 'x')
      tx.removeKey('Item', NOBODY, 'options', 'x')
      tx.delete('Item', NOBODY)
      tx.delete('Item', client.a)
      tx.delete('Item', client.a)
      return 'gone'
    })
    expect(gone).toBe('gone')
    expect(client.rows).toEqual([])
  })

  it('can not be edited once the transaction is put together', async () => {
    const client = new Client()
    let late: Draft<Items> | undefined
    await client.edit((tx) => {
      late = tx
      tx.update('Item', client.a, { size: 2 })
    })
    const over = 'this transaction is over: edit within the function, and do not wait in it'
    expect(() => late?.insert('Item', { name: 'late' })).toThrow(over)
    expect(() => late?.update('Item', client.a, { size: 3 })).toThrow(over)
    expect(() => late?.delete('Item', client.a)).toThrow(over)
    expect(() => late?.comment('late')).toThrow(over)
    expect(late?.get('Item', client.a)?.size).toBe(2)
  })

  it('can not be waited in: nothing of it is done', async () => {
    const client = new Client()
    const answer = await client.edit(async (tx) => {
      tx.update('Item', client.a, { size: 2 })
      await null
      tx.insert('Item', { name: 'late' })
    })
    expect(answer).toBe('an edit can not wait: its function gave a promise')
    expect(client.rows).toEqual([['a', 1, ['t'], new Map([['k', 'v']])]])
  })

  it('can not be verified where it was not asked for: it would never hold', async () => {
    const client = new Client({ Item: { columns: ['name'] } })
    expect(await client.edit((tx) => tx.verify('Item', client.a, 'size'))).toBe(
      'column size of table Item was not asked for',
    )
  })

  it('is written even if it has the value already, with the rest of its transaction', async () => {
    const client = new Client()
    const { world } = client
    const { a } = client
    const rival = { name: 'c', size: 7, tags: [], options: new Map([['k', 'w']]) }
    await client.edit((tx) => {
      tx.update('Item', a, { name: 'b', size: 1 })
      tx.addMember('Item', a, 'tags', 't')
      tx.setKey('Item', a, 'options', 'k', 'v')
      // another client has written what we have not heard of yet
      world.database.transact([{ op: 'update', table: 'Item', where: [], row: rival }])
    })
    expect(client.rows).toEqual([['b', 1, ['t'], new Map([['k', 'v']])]])
  })

  it('is no transaction where it has all its values already', async () => {
    const client = new Client()
    let transactions = 0
    const { replica } = client.db
    const transact = replica.transact.bind(replica)
    replica.transact = (operations, done) => {
      transactions++
      transact(operations, done)
    }
    await client.edit((tx) => tx.update('Item', client.a, { name: 'a', size: 1 }))
    expect(transactions).toBe(0)
    await client.edit((tx) => tx.update('Item', client.a, { name: 'a', size: 2 }))
    expect(transactions).toBe(1)
  })
})

it('columns that were not asked for can be written, whatever is in them', async () => {
  const client = new Client({ Item: { columns: ['name'] } })
  const { a } = client
  await client.edit((tx) => {
    tx.removeMember('Item', a, 'tags', 't')
    tx.setKey('Item', a, 'options', 'k', 'w')
    tx.update('Item', a, { size: 0 })
  })
  expect(client.rows).toEqual([['a', 0, [], new Map([['k', 'w']])]])
  await client.edit((tx) => tx.removeKey('Item', a, 'options', 'k'))
  await client.edit((tx) => tx.insert('Part', { name: 'of a table that was not asked for' }))
  expect(client.rows).toEqual([['a', 0, [], new Map()]])
})

it('maps can be given as plain objects', async () => {
  const client = new Client()
  await client.edit((tx) => {
    tx.update('Item', client.a, { options: { z: '1', a: '2' } })
    expect([...(tx.get('Item', client.a)?.options ?? [])]).toEqual([
      ['a', '2'],
      ['z', '1'],
    ])
    tx.insert('Item', { name: 'b', options: { k: 'v' } })
    tx.insert('Item', { name: 'c', options: {} })
  })
  const maps = client.world
    .rows('Item')
    .map((row) => [row['name'], Object.fromEntries(row['options'] as Map<string, string>)])
  expect(maps).toEqual([
    ['a', { a: '2', z: '1' }],
    ['b', { k: 'v' }],
    ['c', {}],
  ])
})

describe('an edit under a lock', () => {
  it('comes about while the lock is ours, and not once it is in other hands', async () => {
    const client = new Client()
    const { world, db } = client
    const mine = db.lock('chief')
    world.clock.settle()
    const lock = await mine
    const grow = (tx: Draft<Items>) => {
      tx.assertLock('chief')
      const size = (tx.get('Item', client.a)?.size ?? 0) + 1
      tx.update('Item', client.a, { size })
      return size
    }
    expect(await client.edit(grow)).toBe(2)
    const other = new OvsdbConnection<Items>(world.remote(), world.clock, world.random)
    const theirs = other.lock('chief')
    lock.release()
    world.clock.settle()
    await theirs
    // one that needs no lock is not held up by one that does
    const [under, free] = await Promise.all([
      client.edit(grow),
      client.edit((tx) => tx.setKey('Item', client.a, 'options', 'x', 'y')),
    ])
    expect(under).toBe('lock chief is not owned')
    expect(free).toBe(undefined)
    expect(client.rows).toEqual([
      [
        'a',
        2,
        ['t'],
        new Map([
          ['k', 'v'],
          ['x', 'y'],
        ]),
      ],
    ])
  })
})

it('a key of a map that was not asked for is set whatever it was, also as the ctl tools do', async () => {
  const client = new Client({ Item: { columns: ['name'] } })
  expect(client.rows[0]?.[3]).toEqual(new Map([['k', 'v']]))
  await client.edit((tx) => tx.anySetKey('Item', client.a, 'options', 'k', 'w'))
  expect(client.rows[0]?.[3]).toEqual(new Map([['k', 'w']]))
})
