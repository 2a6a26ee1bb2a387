import type { TableName, TypedSchema } from '../ovsdb/client/replica.ts'
import { type Datum, defaultDatum } from '../ovsdb/schema/index.ts'

/** The values of a new row's columns before any is set (RFC 7047 §5.2.1), without `_uuid`. */
export function defaults<T, N extends TableName<T>>(schema: TypedSchema<T>, table: N): Omit<T[N], '_uuid'> {
  const out: Record<string, Datum> = {}
  for (const column of schema.tables.get(table)?.columns.values() ?? []) out[column.name] = defaultDatum(column.type)
  return out as Omit<T[N], '_uuid'>
}
