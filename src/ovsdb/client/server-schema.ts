import { isObject, type Json } from '../../jsonrpc/json.ts'
import type { DatabaseSchema } from '../schema/index.ts'
import type { TableRequest } from './replica.ts'

/**
 * What a server's schema has of the tables and columns that a client asks for. A server of an older
 * release lacks some: the client does without them, unless it said that it can not.
 */
export class ServerSchema {
  private readonly lacking = new Set<string>()
  /** What is missing, a line each, as the tools of Open vSwitch say it. */
  readonly complaints: readonly string[]
  /** What is missing and asked for as `required`; empty when all of it is there. */
  readonly unmet: readonly string[]

  /** @param json what `get_schema` answered; anything that is no schema counts as one that has everything. */
  constructor(wanted: DatabaseSchema, requests: ReadonlyMap<string, TableRequest>, json: Json) {
    const tables = isObject(json) && isObject(json['tables']) ? json['tables'] : undefined
    const complaints: string[] = []
    const unmet: string[] = []
    for (const name of tables ? [...requests.keys()].sort() : []) {
      const request = requests.get(name) ?? {}
      const there = tables?.[name]
      const columns = isObject(there) && isObject(there['columns']) ? there['columns'] : undefined
      if (!columns) {
        this.lacking.add(name)
        const text = `${wanted.name} database lacks ${name} table`
        complaints.push(`${text} (database needs upgrade?)`)
        if (request.required?.length) unmet.push(text)
        continue
      }
      const asked = new Set(request.columns ?? wanted.tables.get(name)?.columns.keys())
      for (const column of request.required ?? []) asked.add(column)
      for (const column of [...asked].sort()) {
        if (Object.hasOwn(columns, column)) continue
        this.lacking.add(`${name} ${column}`)
        const text = `${name} table in ${wanted.name} database lacks ${column} column`
        complaints.push(`${text} (database needs upgrade?)`)
        if (request.required?.includes(column)) unmet.push(text)
      }
    }
    this.complaints = complaints
    this.unmet = unmet
  }

  has(table: string, column?: string): boolean {
    if (this.lacking.has(table)) return false
    return column === undefined || !this.lacking.has(`${table} ${column}`)
  }

  /** Whether a client sees the same of both. */
  equals(other: ServerSchema | undefined): boolean {
    return other !== undefined && this.complaints.join('\n') === other.complaints.join('\n')
  }
}
