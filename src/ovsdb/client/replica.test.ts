import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seeded, uuid4 } from '../../base/random.ts'
import type { Datum } from '../schema/index.ts'
import { contents, type Items, World } from './_fixture.ts'
import type { Operation } from './operation.ts'
import type { Replica, ReplicaChange, TableRequests, TransactOutcome } from './replica.ts'

type Make = (world: World, tables?: TableRequests<Items>) => Replica<Items>

const kinds: [string, Make][] = [
  ['in process', (world, tables) => world.local(tables)],
  ['over JSON-RPC', (world, tables) => world.remote(tables)],
]

const insert = (name: string, row: Record<string, Datum> = {}, uuid?: string): Operation => ({
  op: 'insert',
  table: 'Item',
  row: { name, ...row },
  ...(uuid ? { uuid } : {}),
})

describe.each(kinds)('replica %s', (_kind, make) => {
  const setup = (tables?: TableRequests<Items>) => {
    const world = new World()
    world.database.transact([insert('one', { size: 1 }), insert('two', { size: 2, tags: ['x'] })])
    const replica = make(world, tables)
    const changes: ReplicaChange<Items>[] = []
    replica.onChange((change) => changes.push(change))
    return { world, replica, changes, items: replica.table('Item') }
  }
  const run = (world: World, replica: Replica<Items>, operations: readonly Operation[]): TransactOutcome => {
    let outcome: TransactOutcome | undefined
    replica.transact(operations, (o) => {
      outcome = o
    })
    expect(outcome).toBeUndefined()
    world.clock.settle()
    if (!outcome) throw new Error('no outcome')
    return outcome
  }
  const named = (replica: Replica<Items>, name: string) =>
    [...replica.table('Item').values()].find((row) => row.name === name)

  it('takes what there is, and tells it in one change', () => {
    const { world, replica, changes, items } = setup()
    let synced = 0
    replica.onSynced(() => synced++)
    expect(replica.state).not.toBe('synced')
    expect(items.size).toBe(0)
    world.clock.settle()
    expect(replica.state).toBe('synced')
    expect(synced).toBe(1)
    expect(changes.length).toBe(1)
    expect(changes[0]?.tables.Item?.size).toBe(2)
    expect([...(changes[0]?.tables.Item?.values() ?? [])].every((c) => c.new && !c.old)).toBe(true)
    expect(contents(items.values())).toEqual(contents(world.rows('Item')))
    replica.onSynced(() => synced++)
    world.clock.settle()
    expect(synced).toBe(2)
  })

  it('follows changes of rows of every shape', () => {
    const { world, replica, changes } = setup()
    world.clock.settle()
    changes.length = 0
    const uuid = named(replica, 'one')?._uuid ?? ''
    const where = [['_uuid', '==', uuid]] as const
    const steps: Operation[] = [
      { op: 'update', table: 'Item', where, row: { note: 'hm', tags: ['a', 'b'], options: new Map([['k', 'v']]) } },
      { op: 'mutate', table: 'Item', where, mutations: [['tags', 'insert', ['c']]] },
      { op: 'mutate', table: 'Item', where, mutations: [['tags', 'delete', ['a', 'zz']]] },
      { op: 'mutate', table: 'Item', where, mutations: [['options', 'insert', new Map([['l', 'w']])]] },
      { op: 'update', table: 'Item', where, row: { options: new Map([['l', 'x']]), note: undefined } },
      { op: 'mutate', table: 'Item', where, mutations: [['size', '+=', 5]] },
    ]
    for (const [i, step] of steps.entries()) {
      world.database.transact([step])
      world.clock.settle()
      expect(changes.length).toBe(i + 1)
      const change = changes[i]?.tables.Item?.get(uuid)
      expect(change?.new).toBe(replica.table('Item').get(uuid))
      expect(change?.old).not.toEqual(change?.new)
      expect(contents(replica.table('Item').values())).toEqual(contents(world.rows('Item')))
    }
    expect(named(replica, 'one')).toMatchObject({ size: 6, tags: ['b', 'c'], options: new Map([['l', 'x']]) })
    expect(named(replica, 'one')?.note).toBeUndefined()
    world.database.transact([{ op: 'delete', table: 'Item', where }])
    world.clock.settle()
    expect(replica.table('Item').has(uuid)).toBe(false)
    expect(changes.at(-1)?.tables.Item?.get(uuid)?.new).toBeUndefined()
  })

  it('has what a transaction did when its outcome is told', () => {
    const { world, replica } = setup()
    world.clock.settle()
    let seen: string | undefined
    replica.transact([insert('three', { parts: [] })], (outcome) => {
      expect(outcome.ok).toBe(true)
      seen = named(replica, 'three')?.name
    })
    world.clock.settle()
    expect(seen).toBe('three')
  })

  it('gives back what operations found', () => {
    const { world, replica } = setup()
    world.clock.settle()
    const outcome = run(world, replica, [
      { op: 'mutate', table: 'Item', where: [['name', '==', 'one']], mutations: [['size', '+=', 1]] },
      { op: 'select', table: 'Item', where: [['name', '==', 'one']], columns: ['size'] },
    ])
    expect(outcome).toMatchObject({ ok: true, results: [{ count: 1 }, { rows: [{ size: 2 }] }] })
  })

  it('takes rows that refer to one another by uuids of its own', () => {
    const { world, replica } = setup()
    world.clock.settle()
    const random = seeded(1)
    const [part, item] = [uuid4(random), uuid4(random)]
    const operations: Operation[] = [
      { op: 'insert', table: 'Part', uuid: part, row: { name: 'p' } },
      insert('with', { parts: [part], friend: item }, item),
    ]
    expect(run(world, replica, operations).ok).toBe(true)
    expect(replica.table('Item').get(item)?.parts).toEqual([part])
    expect(replica.table('Part').get(part)?.name).toBe('p')
    world.database.transact([{ op: 'delete', table: 'Item', where: [['_uuid', '==', item]] }])
    world.clock.settle()
    expect(replica.table('Part').size).toBe(0)
  })

  it('says why a transaction was refused', () => {
    const { world, replica } = setup()
    world.clock.settle()
    const bad: Operation = { op: 'update', table: 'Item', where: [], row: { size: -1 } }
    expect(run(world, replica, [insert('x'), bad])).toMatchObject({
      ok: false,
      error: { kind: 'refused', index: 1, operation: bad, error: { error: 'constraint violation' } },
    })
    expect(run(world, replica, [insert('one')])).toMatchObject({
      ok: false,
      error: { kind: 'refused', index: undefined, error: { error: 'constraint violation' } },
    })
    const wait = { op: 'wait', table: 'Item', where: [['name', '==', 'one']], columns: ['size'] } as const
    expect(run(world, replica, [{ ...wait, until: '==', rows: [{ size: 9 }], timeout: 0 }])).toMatchObject({
      ok: false,
      error: { kind: 'conflict', index: 0 },
    })
    expect(run(world, replica, [{ op: 'assert', lock: 'l' }])).toMatchObject({
      ok: false,
      error: { kind: 'not owner', lock: 'l' },
    })
    expect(named(replica, 'x')).toBeUndefined()
  })

  it('keeps indexes up', () => {
    const { world, replica, items } = setup()
    const bySize = items.index('size', (row) => String(row.size))
    const byTag = items.index('tags', (row) => row.tags)
    world.clock.settle()
    expect(bySize.first('2')?.name).toBe('two')
    expect(byTag.get('x').map((r) => r.name)).toEqual(['two'])
    const where = [['name', '==', 'two']] as const
    world.database.transact([{ op: 'update', table: 'Item', where, row: { size: 3, tags: ['y', 'z'] } }])
    world.clock.settle()
    expect(bySize.get('2')).toEqual([])
    expect(bySize.first('3')?.name).toBe('two')
    expect(byTag.get('x')).toEqual([])
    expect(byTag.first('z')).toBe(byTag.first('y'))
    expect(items.index('size', () => undefined)).toBe(bySize)
    expect(replica.anyTable('Item')?.size).toBe(2)
  })

  it('passes a lock on', () => {
    const { world, replica } = setup()
    const other = make(world)
    const seen: string[] = []
    const mine = replica.lock('northd')
    mine.onChange = (owned) => seen.push(`mine ${owned}`)
    world.clock.settle()
    const theirs = other.lock('northd')
    theirs.onChange = (owned) => seen.push(`theirs ${owned}`)
    world.clock.settle()
    expect([mine.owned, theirs.owned]).toEqual([true, false])
    expect(run(world, replica, [{ op: 'assert', lock: 'northd' }, insert('l')]).ok).toBe(true)
    expect(run(world, other, [{ op: 'assert', lock: 'northd' }, insert('m')]).ok).toBe(false)
    mine.release()
    world.clock.settle()
    expect(seen).toEqual(['mine true', 'mine false', 'theirs true'])
    other.close()
    world.clock.settle()
    expect(() => replica.lock('north-d')).toThrow('can not be called')
    const again = replica.lock('northd')
    world.clock.settle()
    expect(again.owned).toBe(true)
  })

  it('has only the rows that were asked for', () => {
    const { world, replica, changes, items } = setup({ Item: { where: [['name', '==', 'two']] } })
    world.clock.settle()
    expect([...items.values()].map((r) => r.name)).toEqual(['two'])
    expect(replica.anyTable('Part')).toBeUndefined()
    expect(() => replica.table('Part')).toThrow('was not asked for')
    changes.length = 0
    replica.setCondition('Item', [
      ['name', '==', 'one'],
      ['size', '==', 7],
    ])
    expect(replica.conditionsPending).toBe(true)
    world.clock.settle()
    expect(replica.conditionsPending).toBe(false)
    expect([...items.values()].map((r) => r.name)).toEqual(['one'])
    expect(changes.flatMap((c) => [...(c.tables.Item?.values() ?? [])]).length).toBe(2)
    const where = [['name', '==', 'two']] as const
    world.database.transact([{ op: 'update', table: 'Item', where, row: { size: 7 } }])
    world.clock.settle()
    expect([...items.values()].map((r) => r.name).sort()).toEqual(['one', 'two'])
    world.database.transact([{ op: 'update', table: 'Item', where, row: { size: 8 } }])
    world.clock.settle()
    expect([...items.values()].map((r) => r.name)).toEqual(['one'])
    replica.setCondition('Item', false)
    world.clock.settle()
    expect(items.size).toBe(0)
    replica.setCondition('Item', true)
    world.clock.settle()
    expect(items.size).toBe(2)
  })

  it('tells nothing of columns that were not asked for', () => {
    const { world, changes, items } = setup({ Item: { columns: ['name', 'size'] } })
    world.clock.settle()
    changes.length = 0
    world.database.transact([{ op: 'update', table: 'Item', where: [], row: { note: 'n' } }])
    world.clock.settle()
    expect(changes).toEqual([])
    world.database.transact([{ op: 'update', table: 'Item', where: [], row: { size: 4 } }])
    world.clock.settle()
    expect(changes.length).toBe(1)
    expect([...items.values()].map((r) => r.size)).toEqual([4, 4])
  })

  it('is silent once closed', () => {
    const { world, replica, changes } = setup()
    world.clock.settle()
    const states: string[] = []
    replica.onState((s) => states.push(s))
    replica.close()
    changes.length = 0
    world.database.transact([insert('late')])
    world.clock.settle()
    expect(changes).toEqual([])
    expect(states).toEqual(['closed'])
    expect(run(world, replica, [insert('later')])).toEqual({ ok: false, error: { kind: 'disconnected' } })
  })

  it('equals the database after any transactions', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd')
    const where = fc.oneof(
      name.map((n) => [['name', '==', n]] as const),
      fc.constant([] as const),
    )
    const words = fc.uniqueArray(fc.constantFrom('p', 'q', 'r', 'é', ''), { maxLength: 3 })
    const pairs = words.map((keys) => new Map(keys.map((k) => [k, `${k}${k}`])))
    const operation: fc.Arbitrary<Operation> = fc.oneof(
      fc.record({ name, size: fc.nat(9), tags: words, options: pairs }).map((r) => insert(r.name, r)),
      fc.record({ where, tags: words }).map(({ where, tags }) => ({
        ...({ op: 'update', table: 'Item', where, row: { tags: [...tags].sort() } } as const),
      })),
      fc.record({ where, tags: words }).map(({ where, tags }) => ({
        ...({ op: 'mutate', table: 'Item', where, mutations: [['tags', 'insert', tags] as const] } as const),
      })),
      fc.record({ where, tags: words }).map(({ where, tags }) => ({
        ...({ op: 'mutate', table: 'Item', where, mutations: [['tags', 'delete', tags] as const] } as const),
      })),
      fc.record({ where, pairs }).map(({ where, pairs }) => ({
        ...({ op: 'mutate', table: 'Item', where, mutations: [['options', 'insert', pairs] as const] } as const),
      })),
      fc.record({ where, words }).map(({ where, words }) => ({
        ...({ op: 'mutate', table: 'Item', where, mutations: [['options', 'delete', words] as const] } as const),
      })),
      fc.record({ where, note: fc.option(name, { nil: undefined }) }).map(({ where, note }) => ({
        ...({ op: 'update', table: 'Item', where, row: { note } } as const),
      })),
      where.map((w) => ({ op: 'delete', table: 'Item', where: w }) as const),
    )
    fc.assert(
      fc.property(fc.array(fc.array(operation, { maxLength: 3 }), { maxLength: 12 }), (transactions) => {
        const world = new World()
        const replica = make(world)
        const mirror = new Map<string, unknown>()
        replica.onChange((change) => {
          for (const [uuid, { old, new: after }] of change.tables.Item ?? []) {
            expect(mirror.get(uuid)).toBe(old)
            if (after) mirror.set(uuid, after)
            else mirror.delete(uuid)
          }
        })
        world.clock.settle()
        for (const [i, operations] of transactions.entries()) {
          if (i % 2) world.database.transact(operations)
          else replica.transact(operations, () => {})
          if (i % 3 === 0) world.clock.settle()
        }
        world.clock.settle()
        expect(contents(replica.table('Item').values())).toEqual(contents(world.rows('Item')))
        expect(contents(mirror.values() as Iterable<object>)).toEqual(contents(world.rows('Item')))
      }),
      { numRuns: 60 },
    )
  })
})
