import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { keptLog } from '../base/log.ts'
import { readConfig } from './_ovsdb-config.ts'

const folder = mkdtempSync(join(tmpdir(), 'ovsdb-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

function read(text: string) {
  const path = join(folder, 'config.json')
  writeFileSync(path, text)
  const { log, lines } = keptLog()
  return { config: readConfig(path, log), said: lines.filter((l) => l.level !== 'info').map((l) => l.message) }
}

test('every member', () => {
  const { config, said } = read(
    JSON.stringify({
      remotes: {
        'ptcp:1': null,
        'pssl:2': { role: 'r', 'read-only': true, 'inactivity-probe': -5, 'max-backoff': 10 },
      },
      databases: {
        a: {},
        b: {
          'service-model': 'active-backup',
          backup: true,
          source: { 'tcp:1': { dscp: 3 } },
          'exclude-tables': ['T'],
        },
        c: { 'service-model': 'relay', source: { 'tcp:1,tcp:2': { 'max-backoff': 5000 } } },
      },
    }),
  )
  expect(said).toEqual([])
  expect([...(config?.remotes ?? [])]).toEqual([
    ['ptcp:1', {}],
    ['pssl:2', { role: 'r', readOnly: true, probe: 0, maxBackoff: 1000 }],
  ])
  expect(config?.databases.map(({ name, model, source, backup }) => [name, model, source, backup])).toEqual([
    ['a', undefined, undefined, false],
    ['b', 'active-backup', 'tcp:1', true],
    ['c', 'relay', 'tcp:1,tcp:2', false],
  ])
  expect(config?.databases[1]?.exclude).toEqual(['T'])
  expect(config?.databases[2]?.sourceOptions?.maxBackoff).toBe(5000)
})

test('an option that is wrong is left out, a database that is wrong refuses the file', () => {
  const wrong = read('{"remotes":{"ptcp:1":{"role":5,"read-only":true}},"databases":{}}')
  expect(wrong.said[0]).toContain("Type mismatch for member 'role'.")
  expect(wrong.config?.remotes.get('ptcp:1')).toEqual({ role: '', readOnly: true })
  const refused = read('{"remotes":{},"databases":{"a":{},"b":{"x":1}}}')
  expect(refused.config).toBeUndefined()
  expect(refused.said.slice(1)).toEqual([
    "config: failed to parse 'databases'",
    `failed to load configuration from ${join(folder, 'config.json')}`,
  ])
})

test('a file that is not there', () => {
  const { log, lines } = keptLog()
  expect(readConfig(join(folder, 'nothing'), log)).toBeUndefined()
  expect(lines[0]?.message).toContain('No such file or directory')
})

test('whatever is in the file: a configuration, or a reason against it', () => {
  const member = fc.constantFrom(
    'remotes',
    'databases',
    'service-model',
    'source',
    'backup',
    'exclude-tables',
    'role',
    'x',
  )
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom<unknown>(null, true, 5, 1.5, 'relay', 'active-backup', 'tcp:1'),
      fc.array(tie('value'), { maxLength: 2 }),
      fc.dictionary(member, tie('value'), { maxKeys: 4 }),
    ),
  })).value
  const files = fc.oneof(
    value.map((v) => JSON.stringify(v)),
    fc.tuple(value, value).map(([remotes, databases]) => JSON.stringify({ remotes, databases })),
    fc.tuple(value, value).map(([a, b]) => JSON.stringify({ remotes: { r: a }, databases: { d: b } })),
    fc.string(),
  )
  fc.assert(
    fc.property(files, (text) => {
      const { config, said } = read(text)
      expect(config !== undefined || said.length > 0).toBe(true)
    }),
  )
})
