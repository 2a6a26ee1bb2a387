import type { Row } from '../schema/index.ts'
import { type Entries, groups, STEP_ROWS, type Steps, type Work } from './steps.ts'
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

  /** Puts a row that is not there yet. */
  insert(table: Table, uuid: string, row: Row): void {
    this.of(table.schema.name).set(uuid, { old: undefined, new: row })
  }

  put(table: Table, uuid: string, row: Row | undefined): void {
    const changes = this.of(table.schema.name)
    const change = changes.get(uuid)
    if (!change) changes.set(uuid, { old: table.rows.get(uuid), new: row })
    // A row that came and went in one transaction was never there.
    else if (!row && !change.old) changes.delete(uuid)
    else change.new = row
  }

  /** Takes back what was done to a row. */
  forget(table: string, uuid: string): void {
    const changes = this.changes.get(table)
    changes?.delete(uuid)
    if (changes && !changes.size) this.changes.delete(table)
  }

  /** Calls `visit` for each row; it may change the rows it is called with. */
  each(table: Table, visit: (row: Row) => void): Work<void> {
    const changes = this.changes.get(table.schema.name)
    // Rows that are visited may join the changes.
    const before = changes?.size ? new Map(changes) : undefined
    if (table.rows.size + (before?.size ?? 0) > STEP_ROWS) return eachInSteps(table, before, visit)
    visitStored(table.rows, before, visit)
    if (before) visitNew(before, visit)
  }
}

function* eachInSteps(
  table: Table,
  before: ReadonlyMap<string, Change> | undefined,
  visit: (row: Row) => void,
): Steps<void> {
  for (const rows of groups(table.rows)) {
    visitStored(rows, before, visit)
    yield
  }
  for (const changes of groups(before ?? [])) {
    visitNew(changes, visit)
    yield
  }
}

/** Visits committed rows as they are in this transaction. */
function visitStored(rows: Entries<Row>, before: ReadonlyMap<string, Change> | undefined, visit: (row: Row) => void) {
  for (const [uuid, row] of rows) {
    const change = before?.get(uuid)
    if (!change) visit(row)
    else if (change.new) visit(change.new)
  }
}

function visitNew(changes: Entries<Change>, visit: (row: Row) => void): void {
  for (const [, change] of changes) if (!change.old && change.new) visit(change.new)
}
