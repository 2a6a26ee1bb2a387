import { isObject, type Json } from '../../jsonrpc/json.ts'
import { type ColumnType, type DatabaseSchema, Failure } from '../schema/index.ts'
import { isTypeJson, parseColumnType } from '../schema/type.ts'
import type { TableRequest } from './replica.ts'

/**
 * What a server's schema has of the tables and columns that a client asks for. A server of an older
 * release lacks some: the client does without them, unless it said that it can not.
 */
export class ServerSchema {
  /** What is missing, a line each, as the tools of Open vSwitch say it. */
  readonly complaints: readonly string[]
  /** What is missing and asked for as `required`; empty when all of it is there. */
  readonly unmet: readonly string[]

  /** @param json what `get_schema` answered; anything that is no schema counts as one that has everything. */
  constructor(
    wanted: DatabaseSchema,
    requests: ReadonlyMap<string, TableRequest>,
    private readonly json: Json,
  ) {
    const tables = isObject(json) && isObject(json['tables']) ? json['tables'] : undefined
    const complaints: string[] = []
    const unmet: string[] = []
    for (const name of tables ? [...requests.keys()].sort() : []) {
      const request = requests.get(name) ?? {}
      const there = tables?.[name]
      const columns = isObject(there) && isObject(there['columns']) ? there['columns'] : undefined
      if (!columns) {
        const text = `${wanted.name} database lacks ${name} table`
        complaints.push(`${text} (database needs upgrade?)`)
        if (request.required?.length) unmet.push(text)
        continue
      }
      const asked = new Set(request.columns ?? wanted.tables.get(name)?.columns.keys())
      for (const column of request.required ?? []) asked.add(column)
      for (const column of [...asked].sort()) {
        if (Object.hasOwn(columns, column)) continue
        const text = `${name} table in ${wanted.name} database lacks ${column} column`
        complaints.push(`${text} (database needs upgrade?)`)
        if (request.required?.includes(column)) unmet.push(text)
      }
    }
    this.complaints = complaints
    this.unmet = unmet
  }

  /** The type of a column; undefined when it is not there, or none that can be understood. */
  typeOf(table: string, column: string): ColumnType | undefined {
    const columns = member(member(member(this.json, 'tables'), table), 'columns')
    const type = member(member(columns, column), 'type')
    try {
      return type !== undefined && isTypeJson(type) ? parseColumnType(type) : undefined
    } catch (e) {
      if (e instanceof Failure) return undefined
      throw e
    }
  }

  has(table: string, column?: string): boolean {
    const tables = member(this.json, 'tables')
    if (tables === undefined || !isObject(tables)) return true
    const columns = member(member(tables, table), 'columns')
    return columns !== undefined && isObject(columns) && (column === undefined || Object.hasOwn(columns, column))
  }

  /** Whether a client sees the same of both. */
  equals(other: ServerSchema | undefined): boolean {
    return other !== undefined && this.complaints.join('\n') === other.complaints.join('\n')
  }
}

const member = (json: Json | undefined, name: string): Json | undefined =>
  json !== undefined && isObject(json) && Object.hasOwn(json, name) ? json[name] : undefined
