import fc from 'fast-check'
import { expect, it } from 'vitest'
import { contents, type Items, World } from './_fixture.ts'
import type { TableCondition } from './replica.ts'

// Conditions that change while updates are on their way and connections break.

type Step =
  | { readonly kind: 'insert'; readonly name: string }
  | { readonly kind: 'delete'; readonly name: string }
  | { readonly kind: 'update'; readonly name: string; readonly size: number }
  | { readonly kind: 'condition'; readonly sizes: readonly number[] | boolean }
  | { readonly kind: 'cut' }
  | { readonly kind: 'wait'; readonly milliseconds: number }
  | { readonly kind: 'calls'; readonly calls: number }

const name = fc.constantFrom('a', 'b', 'c', 'd')
const size = fc.nat(3)
const step: fc.Arbitrary<Step> = fc.oneof(
  name.map((n): Step => ({ kind: 'insert', name: n })),
  name.map((n): Step => ({ kind: 'delete', name: n })),
  fc.tuple(name, size).map(([n, s]): Step => ({ kind: 'update', name: n, size: s })),
  fc.tuple(name, size).map(([n, s]): Step => ({ kind: 'update', name: n, size: s })),
  fc
    .oneof(fc.array(size, { minLength: 1, maxLength: 3 }), fc.boolean())
    .map((sizes): Step => ({ kind: 'condition', sizes })),
  fc.constant<Step>({ kind: 'cut' }),
  fc.constantFrom(1, 1500).map((milliseconds): Step => ({ kind: 'wait', milliseconds })),
  fc.integer({ min: 1, max: 8 }).map((calls): Step => ({ kind: 'calls', calls })),
)

it('come to the rows that the last of them says, and every change of these was told', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), fc.constantFrom('local', 'remote'), (steps, kind) => {
      const world = new World()
      const replica = world[kind === 'local' ? 'local' : 'remote']({ Item: { where: false } })
      const told = new Map<string, Items['Item']>()
      const wrong: unknown[] = []
      replica.onChange((change) => {
        for (const [uuid, { old, new: row }] of change.tables.Item ?? []) {
          if (told.get(uuid) !== old) wrong.push([uuid, told.get(uuid), old])
          if (row) told.set(uuid, row)
          else told.delete(uuid)
        }
      })
      let wanted = false as readonly number[] | boolean
      const where = (n: string) => [['name', '==', n]] as const
      const apply = (s: Step): void => {
        if (s.kind === 'insert') world.database.transact([{ op: 'insert', table: 'Item', row: { name: s.name } }])
        else if (s.kind === 'delete') world.database.transact([{ op: 'delete', table: 'Item', where: where(s.name) }])
        else if (s.kind === 'update') {
          const row = { size: s.size, tags: [`${s.size}`] }
          world.database.transact([{ op: 'update', table: 'Item', where: where(s.name), row }])
        } else if (s.kind === 'cut') world.streams.at(-1)?.stream.close(new Error('cut'))
        else if (s.kind === 'wait') world.clock.advance(s.milliseconds)
        else if (s.kind === 'condition') {
          wanted = s.sizes
          const condition: TableCondition =
            typeof wanted === 'boolean' ? wanted : wanted.map((n) => ['size', '==', n] as const)
          replica.setCondition('Item', condition)
        } else {
          try {
            world.clock.settle(s.calls)
          } catch {
            // so far, and no further: what is on its way stays so
          }
        }
      }
      for (const s of steps) apply(s)
      world.clock.advance(60_000)
      expect(replica.state).toBe('synced')
      expect(replica.conditionsPending).toBe(false)
      const meant = wanted
      const rows = world
        .rows('Item')
        .filter((row) => (typeof meant === 'boolean' ? meant : meant.includes(row['size'] as number)))
      expect(contents(replica.table('Item').values())).toEqual(contents(rows))
      expect(wrong).toEqual([])
      expect(contents(told.values())).toEqual(contents(rows))
      replica.close()
    }),
    { numRuns: 100 },
  )
})
