import { expect, test } from 'vitest'
import { JsonParser } from './parser.ts'

const BEGINNING = { line: 0, column: 0, byte: 0 }

function parse(text: string, longest: number, piece = text.length): unknown {
  const parser = new JsonParser(10, BEGINNING, longest)
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += piece) parser.push(bytes.subarray(at, at + piece))
  return parser.done ? parser.result : undefined
}

test('a string too long for the engine is refused, however it is put together', () => {
  const tooLong = 'line 0, column 15, byte 15: string too long'
  expect(parse('["aaaa\\naaaa\\n"]', 10)).toEqual(['aaaa\naaaa\n'])
  expect(() => parse('["aaaa\\naaaa\\na"]', 10)).toThrow(tooLong)
  expect(() => parse('["\\n\\n\\n\\n\\n\\n"]', 5)).toThrow('string too long')
  expect(() => parse('["\\u00e9\\ud83d\\ude00\\u00e9aa"]', 5)).toThrow('string too long')
  expect(parse('["\\u00e9\\ud83d\\ude00\\u00e9a"]', 5)).toEqual(['é😀éa'])
})

test('a string of very many escapes is put together from few pieces', () => {
  const text = JSON.stringify([`${'a"\n'.repeat(20_000)}é`, '"'.repeat(4096), '"'.repeat(4097)])
  expect(parse(text, 1e6)).toEqual(JSON.parse(text))
  expect(parse(text, 1e6, 1000)).toEqual(JSON.parse(text))
})
