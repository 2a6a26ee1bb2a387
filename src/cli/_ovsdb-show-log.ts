import { isObject, type Json, type JsonObject } from '../jsonrpc/json.ts'
import {
  type ColumnType,
  columnType,
  type DatabaseSchema,
  type Datum,
  datumText,
  Failure,
  readSchema,
  type TableSchema,
  UNLIMITED,
} from '../ovsdb/schema/index.ts'
import { readDatum } from '../ovsdb/wire/index.ts'

const two = (n: number, width = 2) => String(n).padStart(width, '0')

function dateText(ms: number): string {
  const d = new Date(ms < 2 ** 32 ? ms * 1000 : ms)
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${two(d.getMilliseconds(), 3)}`
}

/** A stored difference may hold any number of members. */
const loose = (type: ColumnType) => columnType(type.key, type.value, 0, UNLIMITED)

function valueText(type: ColumnType, json: Json): string {
  try {
    const datum: Datum = readDatum(loose(type), json)
    return datumText(loose(type), datum)
  } catch (e) {
    if (e instanceof Failure) return JSON.stringify(json)
    throw e
  }
}

/** Prints the records of a log (ovsdb-tool(1), show-log), more of each the higher `verbosity` is. */
export class LogPrinter {
  private schema: DatabaseSchema | undefined
  /** The names of rows that have one, by table and uuid. */
  private readonly names = new Map<string, string>()
  private readonly known = new Set<string>()

  constructor(
    private readonly verbosity: number,
    private readonly print: (text: string) => void,
  ) {}

  record(json: Json, index: number): void {
    if (!isObject(json)) return
    this.print(`record ${index}:`)
    if (index === 0) {
      this.print(` ${this.schemaText(json)}\n\n`)
      return
    }
    this.transaction(json)
  }

  /** Takes a schema as that of what follows. */
  schemaText(json: Json): string {
    const schema = readSchema(json)
    this.schema = schema
    return `"${schema.name}" schema, version="${schema.version}", cksum="${schema.cksum}"`
  }

  /** The rest of a record's first line, and its rows. */
  transaction(json: JsonObject): void {
    let line = ''
    const date = json['_date']
    if (typeof date === 'number') line += ` ${dateText(date)}`
    const comment = json['_comment']
    if (typeof comment === 'string') line += ` "${comment}"`
    this.print(`${line}\n`)
    if (this.verbosity > 0) this.tables(json)
  }

  private tables(json: JsonObject): void {
    const diff = json['_is_diff'] === true ? ' diff' : ''
    const names = Object.keys(json).filter((name) => !name.startsWith('_'))
    if (!names.length) return
    for (const name of names.sort()) {
      const rows = json[name]
      if (!isObject(rows)) continue
      const table = this.schema?.tables.get(name)
      for (const uuid of Object.keys(rows)) this.row(name, table, uuid, rows[uuid] as Json, diff)
    }
    this.print('\n')
  }

  private row(name: string, table: TableSchema | undefined, uuid: string, row: Json, diff: string): void {
    const key = `${name} ${uuid}`
    const fresh = !this.known.has(key)
    this.known.add(key)
    if (isObject(row) && fresh) {
      const label = row['name']
      if (typeof label === 'string') this.names.set(key, label)
    }
    const label = this.names.get(key)
    const short = uuid.slice(0, 8)
    // A row that is known and has no name is called by its uuid, twice.
    const known = label === undefined ? short : `"${label}"`
    const which = label === undefined && fresh ? short : `${known} (${short})`
    this.print(`  table ${name}${fresh ? ` insert row ${which}:` : ` row ${which}${diff}:`}\n`)
    if (!isObject(row)) {
      this.print('    delete row\n')
      this.known.delete(key)
      this.names.delete(key)
      return
    }
    const renamed = row['name']
    if (typeof renamed === 'string') this.names.set(key, renamed)
    if (this.verbosity < 2) return
    for (const column of Object.keys(row).sort()) {
      const schema = table?.columns.get(column)
      if (schema) this.print(`    ${column}=${valueText(schema.type, row[column] as Json)}\n`)
    }
  }
}
