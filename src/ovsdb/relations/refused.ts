import type { Fields } from '../../base/log.ts'
import type { TransactError } from '../client/replica.ts'

/** The table and, where it is one row by its uuid, the row of the operation that a server refused. */
export function aboutRefused(error: TransactError): Fields {
  if (error.kind !== 'refused' && error.kind !== 'conflict') return {}
  const { operation } = error
  if (!operation || !('table' in operation)) return {}
  const { table } = operation
  if (operation.op === 'insert') return { table, row: operation.uuid }
  const [only, more] = operation.where
  return typeof only === 'object' && only[0] === '_uuid' && !more ? { table, row: String(only[2]) } : { table }
}
