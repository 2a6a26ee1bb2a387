import { expect, it } from 'vitest'
import { readSchema } from './schema.ts'
import { schemaModule } from './typescript.ts'

const many = { min: 0, max: 'unlimited' } as const

const schema = readSchema({
  name: 'hardware_vtep',
  version: '1.2.3',
  tables: {
    Physical_Port: {
      isRoot: true,
      columns: {
        name: { type: 'string' },
        mode: { type: { key: { type: 'string', enum: ['set', ["it's", 'b']] } } },
        level: { type: { key: { type: 'integer', enum: ['set', [1, 2]] }, min: 0, max: 1 } },
        tags: { type: { key: { type: 'string', enum: ['set', ['x', 'y']] }, ...many } },
        switch: { type: { key: { type: 'uuid', refTable: 'Physical_Switch' }, min: 0, max: 1 } },
        bindings: { type: { key: 'integer', value: { type: 'uuid', refTable: 'RowId', refType: 'weak' }, ...many } },
        ratio: { type: 'real' },
        any: { type: { key: 'uuid', ...many } },
      },
    },
    Physical_Switch: { columns: { up: { type: 'boolean' } } },
    RowId: { isRoot: true, columns: { a: { type: 'string' } } },
    Hardware_Vtep: { isRoot: true, columns: { a: { type: 'string' } } },
  },
})

it('writes a type for each table and the schema itself', () => {
  const lines = schemaModule(schema, './library.ts').split('\n')
  const at = lines.indexOf('export interface PhysicalPort {')
  expect(lines.slice(at, at + 11)).toEqual([
    'export interface PhysicalPort {',
    "  readonly _uuid: RowId<'Physical_Port'>",
    '  readonly name: string',
    "  readonly mode: 'b' | 'it\\'s'",
    '  readonly level: 1 | 2 | undefined',
    "  readonly tags: readonly ('x' | 'y')[]",
    "  readonly switch: RowId<'Physical_Switch'> | undefined",
    "  readonly bindings: ReadonlyMap<number, RowId<'RowId'>>",
    '  readonly ratio: number',
    '  readonly any: readonly string[]',
    '}',
  ])
  const tables = lines.indexOf('export interface HardwareVtep {')
  expect(lines.slice(tables + 1, tables + 6)).toEqual([
    ...['  Physical_Port: PhysicalPort', '  Physical_Switch: PhysicalSwitch', '  RowId: RowIdRow'],
    ...['  Hardware_Vtep: HardwareVtepRow', '}'],
  ])
  const json = lines[lines.indexOf('export const hardwareVtepSchema = typedSchema<HardwareVtep>(') + 1] ?? ''
  expect(readSchema(JSON.parse(json.replace(/,$/, '')))).toEqual(schema)
})
