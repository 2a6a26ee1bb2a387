import fc from 'fast-check'
import { expect, test } from 'vitest'
import { equalJson, type Json, printJson } from './json.ts'
import { MessageMemory } from './memory.ts'
import { JsonError, JsonParser, parseJson } from './parser.ts'
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
  ['"\ufeffx"', '\ufeffx'],
  ['"\\u00e9\\ud83d\\ude00"', 'é😀'],
])('%s', (text, expected) => {
  expect(parseJson(text)).toBe(expected)
  expect(read(encode(`[${text}]`), [])).toEqual([[expected]])
})

// The texts and places that ovsdb-server 4.0.0 logs for what it was sent.
test.each([
  ['x ', 'line 0, column 1, byte 1', "invalid keyword 'x'"],
  [' null ', 'line 0, column 5, byte 5', 'syntax error at beginning of input'],
  ['"abc"', 'line 0, column 4, byte 4', 'syntax error at beginning of input'],
  ['}', 'line 0, column 0, byte 0', 'syntax error at beginning of input'],
  ['\n\n ?', 'line 2, column 1, byte 3', "invalid character '?'"],
  ['{]', 'line 0, column 1, byte 1', 'syntax error parsing object expecting string'],
  ['{"a"]', 'line 0, column 4, byte 4', "syntax error parsing object expecting ':'"],
  ['{"a" 1}', 'line 0, column 6, byte 6', "syntax error parsing object expecting ':'"],
  ['{"a":1,}', 'line 0, column 7, byte 7', 'syntax error parsing object expecting string'],
  ['{"a":1 "b":2}', 'line 0, column 9, byte 9', "syntax error expecting '}' or ','"],
  ['{a:1}', 'line 0, column 2, byte 2', "invalid keyword 'a'"],
  ['{1:2}', 'line 0, column 2, byte 2', 'syntax error parsing object expecting string'],
  ['{"a":True}', 'line 0, column 5, byte 5', "invalid character 'T'"],
  ['{"a":nullx}', 'line 0, column 10, byte 10', "invalid keyword 'nullx'"],
  ['{\n  "a": 1,\n  "b": ?\n}', 'line 2, column 7, byte 19', "invalid character '?'"],
  ['{"a":1,\r\n\t"b"}', 'line 1, column 4, byte 13', "syntax error parsing object expecting ':'"],
  ['[1,]', 'line 0, column 3, byte 3', 'syntax error expecting value'],
  ['[1 2]', 'line 0, column 4, byte 4', "syntax error expecting ']' or ','"],
  ['[,]', 'line 0, column 1, byte 1', 'syntax error expecting value'],
  ['[aB]', 'line 0, column 3, byte 3', "invalid keyword 'aB'"],
  ['[é]', 'line 0, column 1, byte 1', 'invalid character U+00c3'],
  ['[ \x1f]', 'line 0, column 2, byte 2', 'invalid character U+001f'],
  ['["a\n"]', 'line 0, column 3, byte 3', 'U+000A must be escaped in quoted string'],
  ['["\\x"]', 'line 0, column 4, byte 4', 'bad escape \\x'],
  ['["\\u12"]', 'line 0, column 6, byte 6', 'quoted string ends within \\u escape'],
  ['["\\u12zz"]', 'line 0, column 8, byte 8', 'malformed \\u escape'],
  ['["\\u0000"]', 'line 0, column 8, byte 8', 'null bytes not supported in quoted strings'],
  ['["\\ud800x"]', 'line 0, column 9, byte 9', 'malformed escaped surrogate pair'],
  ['["\\ud800"]', 'line 0, column 8, byte 8', 'malformed escaped surrogate pair'],
  [
    '["\\ud800\\u0041"]',
    'line 0, column 14, byte 14',
    'second half of escaped surrogate pair is not trailing surrogate',
  ],
  ['[01]', 'line 0, column 3, byte 3', 'leading zeros not allowed'],
  ['[--1]', 'line 0, column 4, byte 4', "'-' must be followed by digit"],
  ['[1.e5]', 'line 0, column 5, byte 5', 'decimal point must be followed by digit'],
  ['[1e+]', 'line 0, column 4, byte 4', 'exponent must contain at least one digit'],
  ['[1e999]', 'line 0, column 6, byte 6', 'number outside valid range'],
  ['[1-2]', 'line 0, column 4, byte 4', 'syntax error in number'],
  ['[1E5x]', 'line 0, column 5, byte 5', "invalid keyword 'x'"],
  ['{}\n ?', 'line 1, column 1, byte 2', "invalid character '?'"],
  [`[]${'['.repeat(1001)}`, 'line 0, column 1000, byte 1000', 'input exceeds maximum nesting depth 1000'],
])('refuses %j', (text, place, why) => {
  for (const cuts of [[], [1], [2, 3], [5]]) {
    for (const whole of [1e6, 1]) {
      expect(() => read(encode(text), cuts, { whole }), `${cuts} ${whole}`).toThrow(new JsonError(`${place}: ${why}`))
    }
  }
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

test('pieces of all sizes, large and small ones mixed, make the same message', () => {
  const value = { method: 'echo', params: [Array.from({ length: 3000 }, (_, i) => `é${i}"`)], id: 1 }
  const text = Buffer.from(JSON.stringify(value))
  for (const sizes of [[1], [3, 1024, 1023], [2000, 1, 1], [1, 5000], [4096], [1000, 96, 3000]]) {
    const got: Json[] = []
    const reader = new MessageReader((json) => got.push(json))
    const buffer = new Uint8Array(8192)
    for (let at = 0, i = 0; at < text.length * 2; i++) {
      // As of a stream, which uses its buffer again.
      const from = at % text.length
      const piece = text.subarray(from, from + (sizes[i % sizes.length] as number))
      buffer.fill(0x7a)
      buffer.set(piece)
      reader.push(buffer.subarray(0, piece.length))
      at += piece.length
    }
    expect(got, sizes.join()).toEqual([value, value])
  }
})

test('large messages under way have so much memory together, and give it back when they are whole or given up', () => {
  const memory = new MessageMemory(1_000_000)
  const got: Json[] = []
  const open = () => new MessageReader((json) => got.push(json), { whole: 1000, memory })
  const members = (count: number) => Buffer.from(`[${'{},'.repeat(count)}`)
  const [first, second] = [open(), open()]
  first.push(members(10_000))
  expect(memory.used).toBeGreaterThan(400_000)
  expect(() => second.push(members(10_000))).toThrow(
    'messages that are being read need more memory than the limit of 1000000 bytes',
  )
  second.close()
  first.push(Buffer.from('1]'))
  expect(got).toHaveLength(1)
  expect(memory.used).toBe(0)
  const third = open()
  third.push(members(10_000))
  third.close()
  expect(memory.used).toBe(0)
  // Small ones are not counted, and a reader goes on with the next.
  first.push(Buffer.from('[1][2]'))
  first.push(members(10_000))
  first.push(Buffer.from('1]'))
  expect(got).toHaveLength(4)
  expect(memory.used).toBe(0)
})

test('a message of few bytes a value needs more memory than its size, in an estimate', () => {
  const weigh = (text: string) => {
    const parser = new JsonParser()
    parser.push(Buffer.from(text))
    return parser.weight
  }
  expect(weigh(`[${'{},'.repeat(999)}{}]`)).toBeGreaterThan(50_000)
  expect(weigh(`[${'[],'.repeat(999)}[]]`)).toBeGreaterThan(50_000)
  const members = Array.from({ length: 1000 }, (_, i) => `"k${i}":1`)
  expect(weigh(`{${members.join()}}`)).toBeGreaterThan(50_000)
  expect(weigh(`["${'x'.repeat(1000)}"]`)).toBeLessThan(1200)
})
