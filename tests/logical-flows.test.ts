import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { lines, ours } from './peers/logical-flow-lines.ts'

const path = fileURLToPath(new URL('./goldens/logical-flows.txt', import.meta.url))

/**
 * What logical flows become, or why they do not parse. tests/peers/logical-flows.test.ts proves
 * against the real ovn-controller what this golden file says; UPDATE_GOLDENS=1 writes it anew.
 */
test('logical flows become the OpenFlow flows on record', () => {
  const found = lines
    .map(
      (line, i) =>
        `${line.text}\n${ours(line, i, 1000)
          .map((f) => `    ${f}\n`)
          .join('')}`,
    )
    .join('')
  if (process.env['UPDATE_GOLDENS']) writeFileSync(path, found)
  expect(found).toBe(readFileSync(path, 'utf8'))
})
