import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Classified, Classifier, type Conjunction } from './classifier.ts'
import { CONJ_ID, KEY_WORDS, type Key, METADATA_LOW, NW_SRC, newKey, REG0, TP_DST } from './key.ts'
import { compileMask, type Mask, maskedValues, matchesValues } from './mask.ts'

interface Rule extends Classified {
  readonly name: number
}

/** Words of different stages, so that staged look-up is put to use. */
const WORDS = [METADATA_LOW, REG0, NW_SRC, TP_DST]

function rule(
  name: number,
  priority: number,
  fields: readonly (readonly [word: number, value: number, mask: number])[],
  conjunctions: readonly Conjunction[] = [],
): Rule {
  const full = newKey()
  const key = newKey()
  for (const [w, v, m] of fields) {
    full[w] = m
    key[w] = v & m
  }
  const mask: Mask = compileMask(full)
  return { name, priority, mask, values: maskedValues(mask, key), conjunctions }
}

const smallRule = fc.record({
  priority: fc.integer({ min: 0, max: 3 }),
  fields: fc.array(
    fc.tuple(fc.constantFrom(...WORDS), fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 3 })),
    {
      maxLength: 4,
    },
  ),
})
const smallKey = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: WORDS.length, maxLength: WORDS.length })

function keyOf(values: readonly number[]): Key {
  const k = newKey()
  WORDS.forEach((w, i) => {
    k[w] = values[i] as number
  })
  return k
}

/** Adds rules that do not contradict each other: of equal match and priority only the first. */
function fill(specs: readonly { priority: number; fields: [number, number, number][] }[]): {
  table: Classifier<Rule>
  rules: Rule[]
} {
  const table = new Classifier<Rule>()
  const rules: Rule[] = []
  specs.forEach((s, i) => {
    const r = rule(i, s.priority, s.fields)
    if (table.find(r.mask, r.values, r.priority)) return
    table.insert(r)
    rules.push(r)
  })
  return { table, rules }
}

const best = (rules: readonly Rule[], key: Key): number =>
  rules.reduce((p, r) => (matchesValues(r.mask, key, r.values) && r.priority > p ? r.priority : p), -1)

describe('Classifier', () => {
  test('finds what a search through all rules finds, before and after some are removed', () => {
    fc.assert(
      fc.property(
        fc.array(smallRule, { maxLength: 25 }),
        fc.array(smallKey, { minLength: 1, maxLength: 10 }),
        (specs, keys) => {
          const { table, rules } = fill(specs)
          for (const half of [false, true]) {
            if (half) for (const r of rules.splice(0, Math.floor(rules.length / 2))) table.remove(r)
            expect(table.size).toBe(rules.length)
            for (const values of keys) {
              const key = keyOf(values)
              expect(table.lookup(key, undefined)?.priority ?? -1).toBe(best(rules, key))
            }
          }
        },
      ),
    )
  })

  test('any packet that agrees in the bits looked at has the same rule', () => {
    fc.assert(
      fc.property(
        fc.array(smallRule, { maxLength: 20 }),
        smallKey,
        fc.array(smallKey, { maxLength: 20 }),
        (specs, one, others) => {
          const { table } = fill(specs)
          const key = keyOf(one)
          const wildcards = newKey()
          const found = table.lookup(key, wildcards)
          for (const values of others) {
            const other = keyOf(values)
            for (let i = 0; i < KEY_WORDS; i++) {
              const w = wildcards[i] as number
              other[i] = ((other[i] as number) & ~w) | ((key[i] as number) & w)
            }
            const again = table.lookup(other, undefined)
            if (found?.priority !== again?.priority) expect(again?.name).toBe(found?.name)
          }
        },
      ),
    )
  })

  // ovs-fields(7), "Conjunctive Match Fields"
  test('conjunctions: all clauses, highest priority first, else what is below', () => {
    const table = new Classifier<Rule>()
    const clause = (id: number, n: number, count: number): Conjunction[] => [{ id, clause: n, count }]
    const add = (r: Rule) => table.insert(r)
    add(rule(1, 20, [[NW_SRC, 1, 0xff]], clause(7, 0, 2)))
    add(rule(2, 20, [[NW_SRC, 2, 0xff]], clause(7, 0, 2)))
    add(rule(3, 20, [[TP_DST, 80, 0xffff]], clause(7, 1, 2)))
    add(rule(4, 20, [[CONJ_ID, 7, 0xffffffff]]))
    add(rule(5, 10, [[NW_SRC, 1, 0xff]]))
    add(rule(6, 0, []))
    const find = (src: number, port: number) => {
      const k = newKey()
      k[NW_SRC] = src
      k[TP_DST] = port
      return table.lookup(k, newKey())?.name
    }
    expect([find(1, 80), find(2, 80), find(1, 81), find(2, 81), find(3, 80)]).toEqual([4, 4, 5, 6, 6])
  })

  test('a rule may be a clause of several conjunctions', () => {
    const table = new Classifier<Rule>()
    table.insert(
      rule(
        1,
        5,
        [[NW_SRC, 1, 0xff]],
        [
          { id: 1, clause: 0, count: 2 },
          { id: 2, clause: 0, count: 2 },
        ],
      ),
    )
    table.insert(rule(2, 5, [[TP_DST, 1, 0xff]], [{ id: 1, clause: 1, count: 2 }]))
    table.insert(rule(3, 5, [[TP_DST, 2, 0xff]], [{ id: 2, clause: 1, count: 2 }]))
    table.insert(rule(4, 5, [[CONJ_ID, 1, 0xffffffff]]))
    table.insert(rule(5, 5, [[CONJ_ID, 2, 0xffffffff]]))
    const key = newKey()
    key[NW_SRC] = 1
    key[TP_DST] = 1
    expect(table.lookup(key, undefined)?.name).toBe(4)
    key[TP_DST] = 2
    expect(table.lookup(key, undefined)?.name).toBe(5)
    key[TP_DST] = 3
    expect(table.lookup(key, undefined)).toBeUndefined()
  })
})
