import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseSchema, printSchema } from '../../src/ovsdb/schema/index.ts'
import { northbound, openVSwitch, southbound } from '../../src/schema/index.ts'
import { referenceBin, referenceSchema } from './reference.ts'

const bin = referenceBin()
const folder = mkdtempSync(join(tmpdir(), 'schema-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe.each([
  ['ovn-nb', northbound],
  ['ovn-sb', southbound],
  ['vswitch', openVSwitch],
] as const)('%s', (name, schema) => {
  const file = referenceSchema(name)
  const tool = (...args: string[]) => execFileSync(join(bin, 'ovsdb-tool'), args, { encoding: 'utf8' }).trim()

  it('is what the real file says', () => {
    const parsed = parseSchema(JSON.parse(readFileSync(file, 'utf8')))
    expect(parsed).toEqual({ ok: true, value: schema })
  })

  it('is taken by the real ovsdb-tool for the same', () => {
    const ours = join(folder, `${name}.ovsschema`)
    writeFileSync(ours, JSON.stringify(printSchema(schema)))
    for (const command of ['schema-version', 'schema-name']) expect(tool(command, ours)).toBe(tool(command, file))
    const db = join(folder, `${name}.db`)
    tool('create', db, file)
    expect(tool('needs-conversion', db, ours)).toBe('no')
    expect(tool('db-cksum', db)).toBe(schema.cksum)
  })
})
