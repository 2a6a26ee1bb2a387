import { describe, expect, it } from 'vitest'
import { parseSchema, printSchema } from '../ovsdb/schema/index.ts'
import { defaults, northbound, openVSwitch, southbound } from './index.ts'

describe.each([northbound, southbound, openVSwitch])('schema $name', (schema) => {
  it('is what its printed form parses to', () => {
    expect(parseSchema(printSchema(schema))).toEqual({ ok: true, value: schema })
  })
})

describe('defaults', () => {
  it('gives each column its default', () => {
    expect(defaults(northbound, 'NAT')).toMatchObject({ external_ip: '', type: '', logical_port: undefined })
    expect(defaults(northbound, 'Logical_Switch').ports).toEqual([])
    expect(defaults(northbound, 'NB_Global').options).toEqual(new Map())
    expect(defaults(northbound, 'NB_Global').nb_cfg).toBe(0)
  })
})
