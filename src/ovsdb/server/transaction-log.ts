import type { Log } from '../../base/log.ts'
import { type ColumnType, type Datum, datumText } from '../schema/index.ts'
import type { Database, Delta } from '../transaction/index.ts'

/** Tables whose changes are told in the log, as `DB:TABLE` (ovsdb-server(1), ovsdb-server/tlog-set). */
export class TransactionLog {
  private readonly chosen = new Set<string>()

  constructor(private readonly log: Log) {}

  has(database: string, table: string): boolean {
    return this.chosen.has(`${database}:${table}`)
  }

  set(database: string, table: string, on: boolean): void {
    if (on) this.chosen.add(`${database}:${table}`)
    else this.chosen.delete(`${database}:${table}`)
  }

  /** Logs what a transaction did to the chosen tables, a line a row. */
  committed(database: Database, delta: Delta): void {
    if (!this.chosen.size) return
    for (const [name, changes] of delta.tables) {
      const table = database.tables.get(name)
      if (!table || !this.has(database.name, name)) continue
      for (const { old, new: now } of changes.values()) {
        const row = now ?? old
        if (!row) continue
        const op = !old ? 'inserted' : now ? 'updated' : 'deleted'
        const columns = [...table.schema.columns.values()].map((c) => `${c.name}:${valueText(c.type, row[c.name])}`)
        const fields = [`table:${name}`, `op:${op}`, `_uuid:${row._uuid}`, `_version:${row._version}`, ...columns]
        this.log.info(fields.join(','), { database: database.name, table: name, row: row._uuid, transaction: delta.id })
      }
    }
  }
}

/** A set of which there may be several is one with a single member, too. */
function valueText(type: ColumnType, datum: Datum): string {
  const text = datumText(type, datum)
  return type.value || type.max === 1 || text.startsWith('[') ? text : `[${text}]`
}
