import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Items, World } from './_fixture.ts'
import { Changes, joinChanges } from './changes.ts'
import type { ReplicaChange } from './replica.ts'

const names = (change: ReplicaChange<Items>): string[] =>
  [...(change.tables.Item?.values() ?? [])].map(({ old, new: row }) => `${old?.name ?? '-'} ${row?.name ?? '-'}`)

describe('changes to be iterated over', () => {
  it('are those since it was made, until the replica is closed', async () => {
    const world = new World()
    const replica = world.remote()
    world.database.transact([{ op: 'insert', table: 'Item', row: { name: 'before' } }])
    world.clock.settle()
    const changes = new Changes(replica)
    const waiting = changes.next()
    world.database.transact([{ op: 'insert', table: 'Item', row: { name: 'a' } }])
    world.clock.settle()
    world.database.transact([{ op: 'delete', table: 'Item', where: [['name', '==', 'a']] }])
    world.clock.settle()
    replica.close()
    const first = await waiting
    expect(first.done ? [] : names(first.value)).toEqual(['- a'])
    const rest: string[][] = []
    for await (const change of changes) rest.push(names(change))
    expect(rest).toEqual([['a -']])
    expect(await new Changes(replica).next()).toEqual({ done: true, value: undefined })
  })

  it('end when the loop is left', async () => {
    const world = new World()
    const replica = world.local()
    world.clock.settle()
    const changes = new Changes(replica)
    world.database.transact([{ op: 'insert', table: 'Item', row: { name: 'a' } }])
    world.clock.settle()
    for await (const change of changes) {
      expect(names(change)).toEqual(['- a'])
      break
    }
    world.database.transact([{ op: 'insert', table: 'Item', row: { name: 'b' } }])
    world.clock.settle()
    expect((await changes.next()).done).toBe(true)
  })

  it('wait for a slow reader in a hundred at most', async () => {
    const world = new World()
    const replica = world.local()
    world.clock.settle()
    const changes = new Changes(replica)
    for (let i = 0; i < 150; i++) {
      world.database.transact([{ op: 'insert', table: 'Item', row: { name: `${i}` } }])
      world.clock.settle()
    }
    replica.close()
    const sizes: number[] = []
    for await (const change of changes) sizes.push(change.tables.Item?.size ?? 0)
    expect([sizes.length, sizes.at(-1)]).toEqual([100, 51])
  })

  it('are joined for a slow reader, and come to the same', async () => {
    const name = fc.constantFrom('a', 'b', 'c')
    const step = fc.oneof(
      name.map((n) => ({ op: 'insert', table: 'Item', row: { name: n } }) as const),
      fc
        .tuple(name, fc.nat(5))
        .map(([n, size]) => ({ op: 'update', table: 'Item', where: [['name', '==', n]], row: { size } }) as const),
      name.map((n) => ({ op: 'delete', table: 'Item', where: [['name', '==', n]] }) as const),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 150 }), async (steps) => {
        const world = new World()
        const replica = world.local()
        world.clock.settle()
        const changes = new Changes(replica)
        for (const s of steps) {
          world.database.transact([s])
          world.clock.settle()
        }
        replica.close()
        const mirror = new Map<string, unknown>()
        let told = 0
        let all: ReplicaChange<Items> | undefined
        for await (const change of changes) {
          told++
          all = all ? joinChanges(all, change) : change
          for (const [uuid, { old, new: row }] of change.tables.Item ?? []) {
            expect(mirror.get(uuid)).toBe(old)
            if (row) mirror.set(uuid, row)
            else mirror.delete(uuid)
          }
        }
        expect(told).toBeLessThanOrEqual(100)
        expect([...mirror.values()]).toEqual(expect.arrayContaining(world.rows('Item')))
        expect(mirror.size).toBe(world.rows('Item').length)
        expect(all?.tables.Item?.size ?? 0).toBe(mirror.size)
      }),
      { numRuns: 40 },
    )
  })
})
