import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { datapathRow, flowRow, makeWorld, portRow } from '../fixture.test-data.ts'
import { OFTABLE } from '../tables.ts'
import { onlySet } from './template.ts'

type World = ReturnType<typeof makeWorld>

const set = (w: World, name: string, addresses: readonly string[]) =>
  w.sb({ op: 'update', table: 'Address_Set', where: [['name', '==', name]], row: { addresses: [...addresses].sort() } })

function world(matches: readonly string[], addresses: readonly string[]): World {
  const w = makeWorld()
  w.clock.settle()
  w.sb(
    datapathRow('sw0', 1),
    portRow('vm1', 'sw0', 1),
    { op: 'insert', table: 'Address_Set', row: { name: 'as', addresses: [...addresses].sort() } },
    ...matches.map((m, i) => flowRow('sw0', 'ingress', 1, i, m, i % 2 ? 'next;' : 'drop;')),
  )
  w.plug('tap1', { 'iface-id': 'vm1' })
  return w
}

/** Flow keys with actions: conjunction ids are drawn, so only their number counts. */
const installed = (w: World) =>
  [...w.sw.flows.values()]
    .filter((f) => f.table === OFTABLE.LOG_INGRESS + 1)
    .map((f) => {
      const match = f.match.filter((m) => m.field.name !== 'conj_id').map((m) => `${m.field.name}=${m.value}/${m.mask}`)
      return `${f.priority} ${match} ${f.actions.map((a) => (a.type === 'conjunction' ? `c${a.clause}` : a.type))}`
    })
    .sort()

describe('a match with an address set', () => {
  test.each([
    ['ip4.src == $as', 'as'],
    ['ip4.src == {$as, 1.1.1.1}', 'as'],
    ['ip4.src == $as && ip4.dst == $other', undefined],
    ['ip4.src == 1.1.1.1', undefined],
  ])('%s names %s alone', (match, name) => expect(onlySet(match)).toBe(name))

  test('costs one flow for a member more, not all of them again', () => {
    const many = Array.from({ length: 200 }, (_, i) => `10.0.0.${i}`)
    const w = world(['ip4.src == $as && tcp.dst == {80, 443}', 'ip4.dst == $as'], many)
    const before = w.sw.modifications
    const runs = w.controller.graph.runs.get('logical flows')
    set(w, 'as', [...many, '10.0.1.1'])
    expect(w.sw.modifications - before).toBe(2)
    expect(w.controller.graph.runs.get('logical flows')).toBe(runs)
  })

  test('has the same flows however the set came to be what it is', () => {
    const address = fc.constantFrom('1.0.0.1', '1.0.0.2', '2.0.0.0/8', '3.3.3.3')
    const match = fc.constantFrom(
      'ip4.src == $as',
      'ip4.src == $as && tcp.dst == {80, 443}',
      'ip4.src == {$as, 9.9.9.9}',
      'ip4.src != $as',
      'ip4.src == $as || ip4.dst == $as',
      'ip4 && (ip4.src == $as || tcp.dst == 80)',
      'ip4.src == $as && ip4.src != 1.0.0.1',
      'ip6.src == $as',
    )
    fc.assert(
      fc.property(
        fc.array(match, { minLength: 1, maxLength: 3 }),
        fc.array(fc.uniqueArray(address, { maxLength: 4 }), { minLength: 1, maxLength: 4 }),
        (matches, sets) => {
          const w = world(matches, sets[0] ?? [])
          for (const s of sets) set(w, 'as', s)
          const fresh = world(matches, sets[sets.length - 1] ?? [])
          expect(installed(w)).toEqual(installed(fresh))
          const snapshot = w.controller.graph.snapshot()
          w.controller.graph.recompute()
          expect(w.controller.graph.snapshot()).toEqual(snapshot)
        },
      ),
      { numRuns: 40 },
    )
  })
})
