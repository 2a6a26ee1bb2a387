import { expect, test } from 'vitest'
import { SharedText } from './dumps.ts'

function* pieces(count: number): Generator<string> {
  for (let i = 0; i < count; i++) yield `piece ${i} ${'x'.repeat(90)}`
}

const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString().split(' x')[0]

test('a small text is kept whole for whoever comes next', () => {
  const shared = new SharedText(pieces(5), 1000)
  const [a, b] = [shared.reader(), shared.reader()]
  for (let i = 0; i < 5; i++) expect(text(a.piece(i))).toBe(`piece ${i}`)
  expect(a.piece(5)).toBeUndefined()
  expect(shared.open).toBe(true)
  for (let i = 0; i < 5; i++) expect(text(b.piece(i))).toBe(`piece ${i}`)
})

test('of a large text only what lies between its readers is in memory', () => {
  const shared = new SharedText(pieces(1000), 1000)
  const [fast, slow, gone] = [shared.reader(), shared.reader(), shared.reader()]
  for (let i = 0; i < 50; i++) fast.piece(i)
  expect(shared.open).toBe(false)
  expect(shared.kept).toBeGreaterThan(4000)
  for (let i = 0; i < 40; i++) expect(text(slow.piece(i))).toBe(`piece ${i}`)
  expect(shared.kept).toBeGreaterThan(4000)
  gone.stop?.()
  expect(shared.kept).toBeLessThan(1500)
  for (let i = 40; i < 1000; i++) {
    expect(text(slow.piece(i))).toBe(`piece ${i}`)
    expect(text(fast.piece(i + 10))).toBe(i + 10 < 1000 ? `piece ${i + 10}` : undefined)
    expect(shared.kept).toBeLessThan(1500)
  }
  expect(slow.piece(1000)).toBeUndefined()
})
