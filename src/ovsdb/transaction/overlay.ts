import type { Row } from '../schema/index.ts'
import { STEP_ROWS, type Steps } from './steps.ts'
import type { Table } from './table.ts'

export interface Change {
  old: Row | undefined
  new: Row | undefined
}

/** What a transaction did so far: every read looks here first. */
export class Overlay {
  readonly changes = new Map<string, Map<string, Change>>()

  constructor(readonly tables: ReadonlyMap<string, Table>) {}

  of(table: string): Map<string, Change> {
    let changes = this.changes.get(table)
    if (!changes) {
      changes = new Map()
      this.changes.set(table, changes)
    }
    return changes
  }

  get(table: Table, uuid: string): Row | undefined {
    const change = this.changes.get(table.schema.name)?.get(uuid)
    return change ? change.new : table.rows.get(uuid)
  }

  put(table: Table, uuid: string, row: Row | undefined): void {
    const changes = this.of(table.schema.name)
    const change = changes.get(uuid)
    if (!change) changes.set(uuid, { old: table.rows.get(uuid), new: row })
    // A row that came and went in one transaction was never there.
    else if (!row && !change.old) changes.delete(uuid)
    else change.new = row
  }

  /** Calls `visit` for each row; it may change the rows it is called with. */
  *each(table: Table, visit: (row: Row) => void): Steps<void> {
    const changes = this.changes.get(table.schema.name)
    let seen = 0
    if (!changes?.size) {
      for (const row of table.rows.values()) {
        if (++seen % STEP_ROWS === 0) yield
        visit(row)
      }
      return
    }
    const before = new Map(changes)
    for (const [uuid, row] of table.rows) {
      if (++seen % STEP_ROWS === 0) yield
      const change = before.get(uuid)
      if (!change) visit(row)
      else if (change.new) visit(change.new)
    }
    for (const change of before.values()) {
      if (++seen % STEP_ROWS === 0) yield
      if (!change.old && change.new) visit(change.new)
    }
  }
}
