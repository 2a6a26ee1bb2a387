import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { type ColumnSchema, canonicalDatum, type DatabaseSchema, type Datum, type Row } from '../schema/index.ts'
import { datumJson, readDatum } from '../wire/datum.ts'
import { rebuild, settle } from './commit.ts'
import { Database } from './database.ts'
import { Overlay } from './overlay.ts'
import { finish } from './steps.ts'

/** A value read as one of another column; throws Failure when it is not one. */
function convertDatum(from: ColumnSchema, to: ColumnSchema, datum: Datum): Datum {
  if (from.type === to.type) return datum
  return canonicalDatum(to.type, readDatum(to.type, datumJson(from.type, datum)))
}

/**
 * The contents of a database under another schema (ovsdb-server(7), 4.1.19): tables and columns that
 * are not in it are left out, new ones have their default, and all constraints of the new schema
 * hold. Throws Failure when they can not.
 */
export function convertDatabase(database: Database, schema: DatabaseSchema, clock: Clock, random: Random): Database {
  const next = new Database(schema, clock, random)
  const overlay = new Overlay(next.tables)
  for (const [name, table] of next.tables) {
    const from = database.tables.get(name)
    if (!from) continue
    const columns: (readonly [ColumnSchema, ColumnSchema])[] = []
    for (const column of table.schema.columns.values()) {
      const before = from.schema.columns.get(column.name)
      if (before && !(before.ephemeral || column.ephemeral)) columns.push([before, column])
    }
    for (const row of from.rows.values()) {
      const converted = table.blank(row._uuid)
      converted._version = row._version
      for (const [before, after] of columns) converted[after.name] = convertDatum(before, after, row[after.name])
      overlay.put(table, row._uuid, converted)
    }
  }
  finish(settle(overlay))
  for (const [name, changes] of overlay.changes) {
    for (const [uuid, change] of changes) if (change.new) next.load(name, uuid, change.new as Row)
  }
  rebuild(next.tables)
  return next
}
