import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

it('docs/MESSAGES.md explains each code that the sources log, and no other', () => {
  const used = new Set<string>()
  for (const file of readdirSync('src', { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue
    const text = readFileSync(join('src', file), 'utf8')
    for (const m of text.matchAll(/\bcode: '([A-Za-z][A-Za-z0-9_-]*[_-][A-Za-z0-9_-]*)'/g)) used.add(m[1] ?? '')
  }
  const explained = [...readFileSync('docs/MESSAGES.md', 'utf8').matchAll(/^\| `([^`]+)` \|/gm)].map((m) => m[1] ?? '')
  expect(explained.toSorted()).toEqual([...used].toSorted())
})
