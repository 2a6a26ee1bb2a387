import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Atom, type ColumnType, columnType, compareAtoms, type Datum, UNLIMITED } from '../ovsdb/schema/index.ts'
import { formatDatum } from './format.ts'
import { attempt, describeType, readDatum, readWholeAtom } from './value.ts'

const string = { type: 'string' } as const
const integer = { type: 'integer' } as const
const one = columnType(string, undefined, 1, 1)
const set = columnType(string, undefined, 0, UNLIMITED)
const map = columnType(string, string, 0, UNLIMITED)
const tag = columnType({ ...integer, minInteger: 0, maxInteger: 4095 }, undefined, 0, 1)

// What the real tools make of these was observed; tests/peers/ctl compares many more.
describe('values', () => {
  it.each<[ColumnType, string, Datum]>([
    [one, 'a.b-c_d', 'a.b-c_d'],
    [one, '10.0.0.0/24', '10.0.0.0/24'],
    [one, '"a \\u00e9\\n"', 'a é\n'],
    [one, '[x]', 'x'],
    [one, 'a\\b', 'ab'],
    [set, 'a,b c', ['a', 'b', 'c']],
    [set, ' [ b , a ] ', ['a', 'b']],
    [set, '[]', []],
    [set, '"b c",a,', ['a', 'b c']],
    [
      map,
      'b=1,a="x y"',
      new Map([
        ['a', 'x y'],
        ['b', '1'],
      ]),
    ],
    [map, '{ a = b }', new Map([['a', 'b']])],
    [tag, '5', 5],
    [tag, '[]', undefined],
    [columnType(integer, undefined, 0, UNLIMITED), '1-3,7', [1, 2, 3, 7]],
    [columnType(integer, undefined, 1, 1), '-9223372036854775808', -(2n ** 63n)],
    [columnType({ type: 'boolean' }, undefined, 1, 1), 'on', true],
    [columnType({ type: 'real' }, undefined, 1, 1), '-1.5e3', -1500],
  ])('%# reads', (type, text, value) => expect(readDatum(type, text)).toEqual(value))

  it.each<[ColumnType, string, string]>([
    [one, 'a!b', 'a!b: unexpected "!" parsing string'],
    [one, 'x y', 'x y: 2 value(s) specified but the maximum number is 1'],
    [one, '[]', '[]: 0 value(s) specified but the minimum number is 1'],
    [set, 'a,,b', 'a,,b: unexpected "," parsing set of strings'],
    [set, '[a', '[a: missing "]" at end of data'],
    [set, '[a]x', '[a]x: trailing garbage after "]"'],
    [set, 'a,a', 'a,a: set contains duplicate value'],
    [set, '"a', '"a: quoted string extends past end of argument'],
    [set, '"a\\q"', '"a\\q": bad escape \\q'],
    [map, 'a:b', 'a:b: syntax error at ":" expecting "="'],
    [map, 'a=b,a=c', 'a=b,a=c: map contains duplicate key'],
    [map, '=b', '=b: unexpected "=" parsing map of (string, string) pairs'],
    [tag, '5000', 'constraint violation: 5000 is not in the valid range 0 to 4095 (inclusive)'],
    [tag, 'abc', '"abc" is not a valid integer or range'],
    [tag, '7-3', '"7-3" is not a valid range. Range end cannot be before start.'],
    [columnType({ type: 'uuid' }, undefined, 1, 1), 'abc', '"abc" is not a valid UUID'],
  ])('%# refuses', (type, text, message) =>
    expect(attempt(() => readDatum(type, text))).toEqual({ ok: false, error: message }),
  )

  it('describes types', () => {
    expect(describeType(tag)).toBe('set of up to 1 integers')
    expect(describeType(columnType(string, undefined, 1, UNLIMITED))).toBe('set of 1 or more strings')
    expect(describeType(columnType(integer, { type: 'uuid' }, 0, UNLIMITED))).toBe('map of (integer, uuid) pairs')
  })

  const atoms: Record<string, fc.Arbitrary<Atom>> = {
    string: fc.string({ unit: 'grapheme' }).filter((s) => !s.includes('\0')),
    integer: fc.integer(),
    boolean: fc.boolean(),
    uuid: fc.uuid(),
  }
  const sorted = (list: readonly Atom[]) => [...new Set(list)].sort(compareAtoms)
  const kind = fc.constantFrom('string', 'integer', 'boolean', 'uuid') as fc.Arbitrary<'string' | 'integer'>

  it('read what they print', () => {
    const data = kind.chain((type) => {
      const atom = atoms[type] as fc.Arbitrary<Atom>
      const many = columnType({ type }, undefined, 0, UNLIMITED)
      const pairs = columnType({ type }, { type }, 0, UNLIMITED)
      return fc.oneof(
        atom.map((v): [ColumnType, Datum] => [columnType({ type }, undefined, 1, 1), v]),
        fc.option(atom, { nil: undefined }).map((v): [ColumnType, Datum] => [columnType({ type }, undefined, 0, 1), v]),
        fc.array(atom, { maxLength: 4 }).map((v): [ColumnType, Datum] => [many, sorted(v)]),
        fc.array(fc.tuple(atom, atom), { maxLength: 4 }).map((v): [ColumnType, Datum] => {
          const keys = new Map(v)
          return [pairs, new Map(sorted([...keys.keys()]).map((k) => [k, keys.get(k) as Atom]))]
        }),
      )
    })
    fc.assert(
      fc.property(data, ([type, value]) => {
        expect(readDatum(type, formatDatum(type, value))).toEqual(value)
      }),
    )
  })

  it('take any text, or say what is wrong with it', () => {
    const text = fc.string({ unit: fc.constantFrom(...'ab1-"\\u0=:,{}[]<>! @é\n'), maxLength: 12 })
    const types = [one, set, map, tag, columnType({ type: 'uuid' }, undefined, 0, UNLIMITED)]
    fc.assert(
      fc.property(text, fc.constantFrom(...types), (t, type) => {
        attempt(() => readDatum(type, t))
        attempt(() => readWholeAtom(type.key, t))
      }),
      { numRuns: 2000 },
    )
  })
})
