import { printJson } from '../../jsonrpc/json.ts'
import { type DatabaseSchema, printSchema } from './schema.ts'
import type { BaseType, ColumnType } from './type.ts'

/** `Logical_Switch` as the name of a type: `LogicalSwitch`. */
const pascal = (name: string): string =>
  name
    .split('_')
    .filter(Boolean)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('') || 'Row'

/** The same as the name of a value: `openVSwitch`, `ovnNorthbound`. */
function camel(name: string): string {
  const [first = 'row', ...rest] = name.split('_').filter(Boolean)
  const head = first === first.toUpperCase() ? first.toLowerCase() : first.charAt(0).toLowerCase() + first.slice(1)
  return head + (rest.length ? pascal(rest.join('_')) : '')
}

/** Names that the module has for something else. */
const TAKEN = ['RowId', 'TypedSchema', 'ReadonlyMap']

/** The type of a row for each table, by the table's name: no two alike. */
function rowTypes(schema: DatabaseSchema, database: string): Map<string, string> {
  const out = new Map<string, string>()
  const taken = new Set([database, ...TAKEN])
  for (const table of schema.tables.keys()) {
    let name = pascal(table)
    while (taken.has(name)) name += 'Row'
    taken.add(name)
    out.set(table, name)
  }
  return out
}

const quote = (text: string): string =>
  `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`

function atomCode(base: BaseType): string {
  if (base.enum)
    return base.enum
      .map((v) => (typeof v === 'string' ? quote(v) : `${v}${typeof v === 'bigint' ? 'n' : ''}`))
      .join(' | ')
  if (base.refTable !== undefined) return `RowId<${quote(base.refTable)}>`
  return { string: 'string', uuid: 'string', integer: 'number', real: 'number', boolean: 'boolean' }[base.type]
}

function typeCode(type: ColumnType): string {
  const key = atomCode(type.key)
  switch (type.shape) {
    case 'scalar':
      return key
    case 'optional':
      return `${key} | undefined`
    case 'set':
      return `readonly ${key.includes('|') ? `(${key})` : key}[]`
    case 'map':
      return `ReadonlyMap<${key}, ${type.value ? atomCode(type.value) : 'never'}>`
  }
}

/**
 * A TypeScript module with a schema and a type for each table's rows, to `connect` with: what ships with
 * the package for OVN's own databases, for any other. `library` is where it imports the package from.
 */
export function schemaModule(schema: DatabaseSchema, library = 'ovn-ts/ovsdb'): string {
  const database = pascal(schema.name)
  const names = rowTypes(schema, database)
  const out = [
    `// Made by 'ovn ovsdb-types' from the schema of ${schema.name} ${schema.version}; do not edit.`,
    `import { type RowId, typedSchema } from ${quote(library)}`,
    '',
  ]
  for (const table of schema.tables.values()) {
    out.push(`/** A row of table ${table.name}. */`, `export interface ${names.get(table.name)} {`)
    out.push(`  readonly _uuid: RowId<${quote(table.name)}>`)
    for (const column of table.columns.values()) out.push(`  readonly ${column.name}: ${typeCode(column.type)}`)
    out.push('}', '')
  }
  out.push(`/** The tables of ${schema.name} and the type of their rows. */`, `export interface ${database} {`)
  for (const [table, name] of names) out.push(`  ${table}: ${name}`)
  out.push('}', '', `export const ${camel(schema.name)}Schema = typedSchema<${database}>(`)
  out.push(`  ${printJson(printSchema(schema))},`, ')', '')
  return out.join('\n')
}
