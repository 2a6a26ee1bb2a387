import fc from 'fast-check'
import { expect, test } from 'vitest'
import { equalJson, type Json, printJson } from './json.ts'
import { JsonError, parseJson } from './parser.ts'
import { MessageReader, type ReaderLimits } from './reader.ts'

function read(bytes: Uint8Array, cuts: readonly number[], limits: Partial<ReaderLimits> = {}): Json[] {
  const out: Json[] = []
  const reader = new MessageReader((json) => out.push(json), limits)
  const at = [...cuts.map((c) => c % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  let from = 0
  for (const to of at) {
    reader.push(bytes.subarray(from, to))
    from = to
  }
  return out
}

const encode = (text: string) => new TextEncoder().encode(text)

const tricky = fc
  .oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary-ascii' }))
  .map((s) => s.replaceAll('\0', ''))
const atom: fc.Arbitrary<Json> = fc.oneof(
  tricky,
  fc.maxSafeInteger(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
  fc.boolean(),
  fc.constant(null),
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .map((d) => Number(d.toPrecision(12)))
    .filter((d) => !Number.isInteger(d)),
)
const value: fc.Arbitrary<Json> = fc.letrec<{ v: Json }>((tie) => ({
  v: fc.oneof(
    { maxDepth: 4 },
    atom,
    fc.array(tie('v'), { maxLength: 4 }),
    fc.dictionary(tricky, tie('v'), { maxKeys: 4 }),
  ),
})).v

test('reads what was printed, however it is cut, at once and piece by piece', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(value), { maxLength: 4 }),
      fc.array(fc.nat(), { maxLength: 8 }),
      fc.boolean(),
      (messages, cuts, whole) => {
        const bytes = encode(messages.map((m) => printJson(m)).join('\n'))
        const got = read(bytes, cuts, { whole: whole ? 1e6 : 4 })
        expect(got.length).toBe(messages.length)
        for (const [i, m] of messages.entries()) expect(equalJson(got[i], m), printJson(m)).toBe(true)
      },
    ),
    { numRuns: 300 },
  )
})

test('never fails otherwise than with a JsonError', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.string(),
      fc.array(fc.nat(), { maxLength: 4 }),
      (noise, text, cuts) => {
        for (const bytes of [noise, encode(`[${text}`), encode(`{"a":${text}}`)]) {
          try {
            read(bytes, cuts, { whole: 3 })
          } catch (e) {
            expect(e).toBeInstanceOf(JsonError)
          }
        }
      },
    ),
    { numRuns: 500 },
  )
})

test.each([
  ['9007199254740993', 9007199254740993n],
  ['9223372036854775807', 9223372036854775807n],
  ['9223372036854775808', 2 ** 63],
  ['1e3', 1000],
  ['1e18', 1000000000000000000n],
  ['1.5', 1.5],
  ['"\\u00e9\\ud83d\\ude00"', 'é😀'],
])('%s', (text, expected) => {
  expect(parseJson(text)).toBe(expected)
  expect(read(encode(`[${text}]`), [])).toEqual([[expected]])
})

test.each([
  'foo',
  '1',
  '"x"',
  '[1 2]',
  '{"a"}',
  '[tru]',
  '[1e999]',
  '["\\ud800"]',
  '["\\u0000"]',
  '[01]',
  '["\u0001"]',
  '{1:2}',
  '[,]',
  ']',
])('refuses %s', (text) => {
  expect(() => read(encode(text), [])).toThrow(JsonError)
})

test('limits', () => {
  expect(() => read(encode('['.repeat(1001)), [])).toThrow(/maximum nesting depth 1000/)
  expect(() => read(encode('['.repeat(1001)), [], { whole: 5 })).toThrow(/maximum nesting depth 1000/)
  expect(read(encode('['.repeat(1000) + ']'.repeat(1000)), [])).toHaveLength(1)
  expect(() => read(encode(`["${'x'.repeat(200)}"]`), [30, 60, 90, 120], { size: 100 })).toThrow(/limit of 100 bytes/)
  expect(() => read(encode(`["${'x'.repeat(200)}"]`), [30, 60, 90, 120], { size: 100, whole: 10 })).toThrow(
    /limit of 100/,
  )
})

test('a member called __proto__ is a member', () => {
  const [json] = read(encode('{"__proto__":{"a":1}}'), [5], { whole: 2 })
  expect(Object.keys(json as object)).toEqual(['__proto__'])
})
