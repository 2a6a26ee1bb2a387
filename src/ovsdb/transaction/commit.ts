import {
  type Atom,
  atomsOf,
  type Datum,
  datumOf,
  datumText,
  equalDatums,
  fail,
  type Row,
  ZERO_UUID,
} from '../schema/index.ts'
import type { Change, Overlay } from './overlay.ts'
import {
  andThen,
  countEntries,
  type Entries,
  finish,
  groups,
  inGroups,
  isSteps,
  repeat,
  STEP_ROWS,
  type Steps,
  type Work,
} from './steps.ts'
import { eachReference, type Index, type MutableRow, type ReferenceColumn, type Table } from './table.ts'

/** How a transaction changes the number of strong references to rows. */
export type ReferenceDeltas = Map<Table, Map<string, number>>

/** A transaction on its way from what its operations did to what it commits. */
interface Settlement {
  readonly overlay: Overlay
  readonly deltas: ReferenceDeltas
  /** Rows to which there may be no reference any more. */
  readonly unreferenced: [Table, string][]
  /** Rows of which a weak reference may dangle, by table and uuid. */
  readonly dangling: Map<string, readonly [Table, string, readonly ReferenceColumn[]]>
}

/** What makes of a transaction what it is to commit, in this order. */
const STAGES: readonly ((settlement: Settlement) => Work<void>)[] = [
  dropUnchanged,
  countReferences,
  checkDeleted,
  findUnreferenced,
  collectGarbage,
  checkMaxRows,
  findDangling,
  cleanWeakReferences,
  checkIndexes,
]

function settlement(overlay: Overlay): Settlement {
  return { overlay, deltas: new Map(), unreferenced: [], dangling: new Map() }
}

/**
 * Makes of what a transaction did what it is to commit: garbage and dangling weak references go,
 * and all that a schema demands of the whole database is checked. Throws Failure.
 */
export function settle(overlay: Overlay): Work<ReferenceDeltas> {
  const s = settlement(overlay)
  for (let i = 0; i < STAGES.length; i++) {
    const rest = STAGES[i]?.(s)
    if (isSteps(rest)) return settleInSteps(s, rest, STAGES.slice(i + 1))
  }
  return s.deltas
}

function* settleInSteps(s: Settlement, first: Steps<void>, stages: typeof STAGES): Steps<ReferenceDeltas> {
  yield* first
  for (const stage of stages) {
    const rest = stage(s)
    if (isSteps(rest)) yield* rest
  }
  return s.deltas
}

/** As `settle` for changes that another server has checked: nothing is checked, nothing added. */
export function settleUnchecked(overlay: Overlay): ReferenceDeltas {
  const s = settlement(overlay)
  finish(dropUnchanged(s))
  finish(countReferences(s, true))
  return s.deltas
}

function tableOf(overlay: Overlay, name: string): Table {
  const table = overlay.tables.get(name)
  if (!table) throw new Error(`invariant broken: no table ${name}`)
  return table
}

function dropUnchanged({ overlay }: Settlement): Work<void> {
  return inGroups(overlay.changes, (name, rows) => {
    const { columns } = tableOf(overlay, name).schema
    for (const [uuid, { old, new: now }] of rows) {
      if (!old || !now) continue
      let same = true
      for (const column of columns.keys()) {
        if (equalDatums(old[column], now[column])) continue
        same = false
        break
      }
      if (same) overlay.forget(name, uuid)
    }
  })
}

function changedColumns(columns: readonly ReferenceColumn[], change: Change): readonly ReferenceColumn[] {
  const { old, new: now } = change
  if (!old || !now || !columns.length) return columns
  return columns.filter(({ column: { name } }) => old[name] !== now[name])
}

function countReferences({ overlay, deltas }: Settlement, lenient = false): Work<void> {
  return inGroups(overlay.changes, (name, rows) => {
    const { strong } = tableOf(overlay, name)
    if (!strong.length) return
    for (const [, change] of rows) {
      const columns = changedColumns(strong, change)
      const { old } = change
      // A row's reference to its own uuid is not looked at, and keeps nothing alive.
      if (old) {
        eachReference(old, columns, (t, uuid) => {
          if (uuid !== old._uuid) adjust(deltas, tableOf(overlay, t), uuid, -1)
        })
      }
      const row = change.new
      if (!row) continue
      eachReference(row, columns, (t, uuid, column) => {
        if (uuid === row._uuid) return
        const target = tableOf(overlay, t)
        if (!lenient && !overlay.get(target, uuid) && !target.rows.has(uuid)) {
          fail(
            'referential integrity violation',
            `Table ${name} column ${column.name} row ${row._uuid} references nonexistent row ${uuid} in table ${t}.`,
          )
        }
        adjust(deltas, target, uuid, 1)
      })
    }
  })
}

function adjust(deltas: ReferenceDeltas, table: Table, uuid: string, by: number): void {
  let counts = deltas.get(table)
  if (!counts) {
    counts = new Map()
    deltas.set(table, counts)
  }
  counts.set(uuid, (counts.get(uuid) ?? 0) + by)
}

function references(deltas: ReferenceDeltas, table: Table, uuid: string): number {
  return (table.references.get(uuid) ?? 0) + (deltas.get(table)?.get(uuid) ?? 0)
}

function checkDeleted({ overlay, deltas }: Settlement): Work<void> {
  return inGroups(overlay.changes, (name, rows) => {
    const table = tableOf(overlay, name)
    for (const [uuid, change] of rows) {
      if (change.new) continue
      const n = references(deltas, table, uuid)
      if (n > 0) {
        fail(
          'referential integrity violation',
          `cannot delete ${name} row ${uuid} because of ${n} remaining reference(s)`,
        )
      }
    }
  })
}

function findUnreferenced({ overlay, deltas, unreferenced }: Settlement): Work<void> {
  const ofRows = inGroups(overlay.changes, (name, rows) => {
    const table = tableOf(overlay, name)
    if (table.schema.isRoot) return
    for (const [uuid, change] of rows) if (change.new) unreferenced.push([table, uuid])
  })
  return andThen(ofRows, () =>
    inGroups(deltas, (table, counts) => {
      if (table.schema.isRoot) return
      for (const [uuid] of counts) unreferenced.push([table, uuid])
    }),
  )
}

function collectGarbage({ overlay, deltas, unreferenced }: Settlement): Work<void> {
  return repeat(() => {
    for (let n = 0; n < STEP_ROWS; n++) {
      const next = unreferenced.pop()
      if (!next) return true
      const [table, uuid] = next
      const row = overlay.get(table, uuid)
      if (!row || references(deltas, table, uuid) > 0) continue
      eachReference(row, table.strong, (t, target) => {
        if (target === uuid) return
        const to = tableOf(overlay, t)
        adjust(deltas, to, target, -1)
        if (!to.schema.isRoot) unreferenced.push([to, target])
      })
      overlay.put(table, uuid, undefined)
    }
    return false
  })
}

/**
 * A map of V8 holds 2 ** 24 entries. Found out when a transaction is in the log already, the file would have what
 * the server has not.
 */
const MOST_ROWS = 16_000_000

function checkMaxRows({ overlay }: Settlement): void {
  for (const [name, changes] of overlay.changes) {
    const table = tableOf(overlay, name)
    const { maxRows } = table.schema
    // There can not be too many even if all were new.
    if (table.rows.size + changes.size <= Math.min(maxRows, MOST_ROWS)) continue
    let n = table.rows.size
    for (const change of changes.values()) n += (change.new ? 1 : 0) - (change.old ? 1 : 0)
    if (n > MOST_ROWS) fail('resources exhausted', `"${name}" table would contain more than ${MOST_ROWS} rows`)
    if (n > maxRows) {
      fail(
        'constraint violation',
        `transaction causes "${name}" table to contain ${n} rows, greater than the schema-defined limit of ${maxRows} row(s)`,
      )
    }
  }
}

function findDangling({ overlay, dangling }: Settlement): Work<void> {
  return inGroups(overlay.changes, (name, rows) => {
    const table = tableOf(overlay, name)
    if (!table.weak.length && !table.referrers.size) return
    for (const [uuid, change] of rows) {
      if (change.new) {
        const columns = changedColumns(table.weak, change)
        if (!columns.length) continue
        const key = `${name} ${uuid}`
        if (!dangling.has(key)) dangling.set(key, [table, uuid, columns])
      } else {
        for (const key of table.referrers.get(uuid) ?? []) {
          const space = key.indexOf(' ')
          const from = tableOf(overlay, key.slice(0, space))
          dangling.set(key, [from, key.slice(space + 1), from.weak])
        }
      }
    }
  })
}

function cleanWeakReferences({ overlay, dangling }: Settlement): Work<void> {
  if (!dangling.size) return
  const rest = dangling.values()
  return repeat(() => {
    for (let n = 0; n < STEP_ROWS; n++) {
      const next = rest.next()
      if (next.done) return true
      const [table, uuid, columns] = next.value
      const row = overlay.get(table, uuid)
      if (row) cleanRow(overlay, table, row, columns)
    }
    return false
  })
}

function cleanRow(overlay: Overlay, table: Table, row: Row, columns: readonly ReferenceColumn[]): void {
  let next: MutableRow | undefined
  for (const { column, key, value } of columns) {
    const datum = row[column.name]
    const gone = new Set<string>()
    const dangles = (base: typeof key, atom: Atom) => {
      if (base?.refTable === undefined) return false
      if (overlay.get(tableOf(overlay, base.refTable), atom as string)) return false
      gone.add(atom as string)
      return true
    }
    let after: Datum
    let left: number
    if (datum instanceof Map) {
      const map = new Map(
        [...(datum as ReadonlyMap<Atom, Atom>)].filter(([k, v]) => !dangles(key, k) && !dangles(value, v)),
      )
      after = map
      left = map.size
    } else {
      const atoms = atomsOf(datum).filter((atom) => !dangles(key, atom))
      after = datumOf(column.type, atoms)
      left = atoms.length
    }
    if (!gone.size) continue
    if (left < column.type.min) refuseEmpty(overlay, table, row, column.name, gone)
    next ??= { ...row }
    next[column.name] = after
  }
  if (next) overlay.put(table, row._uuid, next)
}

function refuseEmpty(overlay: Overlay, table: Table, row: Row, column: string, gone: ReadonlySet<string>): never {
  const name = table.schema.name
  const inserted = overlay.changes.get(name)?.get(row._uuid)?.old === undefined && !table.rows.has(row._uuid)
  const which = `in "${name}" row ${row._uuid}${inserted ? ' (inserted within this transaction)' : ''}`
  fail(
    'constraint violation',
    gone.has(ZERO_UUID)
      ? `Weak reference column "${column}" ${which} contained all-zeros UUID (probably as the default value for this column) but deleting this value caused a constraint volation because this column is not allowed to be empty.`
      : `Deletion of ${gone.size} weak reference(s) to deleted (or never-existing) rows from column "${column}" ${which} caused this column to become empty, but constraints on this column disallow an empty column.`,
  )
}

function checkIndexes({ overlay }: Settlement): Work<void> {
  if (countEntries(overlay.changes) > STEP_ROWS) return checkIndexesInSteps(overlay)
  for (const [name, changes] of overlay.changes) {
    const table = tableOf(overlay, name)
    for (const index of table.indexes) {
      // Of one row no other of this transaction can be the same.
      checkIndex(table, index, changes, changes, changes.size > 1 ? new Map() : undefined)
    }
  }
}

function* checkIndexesInSteps(overlay: Overlay): Steps<void> {
  for (const [name, changes] of overlay.changes) {
    const table = tableOf(overlay, name)
    for (const index of table.indexes) {
      const seen = new Map<string, string>()
      for (const rows of groups(changes)) {
        checkIndex(table, index, changes, rows, seen)
        yield
      }
    }
  }
}

/** @param seen the rows of this transaction that were looked at, by their key */
function checkIndex(
  table: Table,
  index: Index,
  changes: ReadonlyMap<string, Change>,
  rows: Entries<Change>,
  seen: Map<string, string> | undefined,
): void {
  for (const [uuid, change] of rows) {
    if (!change.new) continue
    const key = index.key(change.new)
    const other = seen?.get(key) ?? conflicting(index, changes, key, uuid)
    if (other !== undefined) refuseDuplicate(table, index, changes, uuid, other)
    seen?.set(key, uuid)
  }
}

/** The committed row with this key that still has it when the transaction is done. */
function conflicting(
  index: Index,
  changes: ReadonlyMap<string, Change>,
  key: string,
  uuid: string,
): string | undefined {
  const other = index.rows.get(key)
  return other === undefined || other === uuid || changes.has(other) ? undefined : other
}

function list(texts: readonly string[]): string {
  if (texts.length <= 2) return texts.join(' and ')
  return `${texts.slice(0, -1).join(', ')}, and ${texts[texts.length - 1]}`
}

function refuseDuplicate(
  table: Table,
  index: Index,
  changes: ReadonlyMap<string, Change>,
  first: string,
  second: string,
): never {
  const values = (row: Row) => list(index.schemas.map((c) => datumText(c.type, row[c.name])))
  const describe = (uuid: string) => {
    const change = changes.get(uuid)
    if (!change) {
      return 'existed in the database before this transaction and was not modified by the transaction'
    }
    if (!change.old) return 'was inserted by this transaction'
    if (change.new && index.key(change.old) === index.key(change.new)) {
      return "existed in the database before this transaction, which modified some of the row's columns but not any columns in this index"
    }
    return `had the following index values before the transaction: ${values(change.old)}`
  }
  const row = changes.get(first)?.new as Row
  fail(
    'constraint violation',
    `Transaction causes multiple rows in "${table.schema.name}" table to have identical values (${values(row)}) for index on column${index.names.length > 1 ? 's' : ''} ${list(index.names.map((n) => `"${n}"`))}.  First row, with UUID ${first}, ${describe(first)}.  Second row, with UUID ${second}, ${describe(second)}.`,
  )
}

function referrerKeys(table: Table, row: Row | undefined, visit: (target: string, uuid: string, key: string) => void) {
  if (!row || !table.weak.length) return
  const key = `${table.schema.name} ${row._uuid}`
  eachReference(row, table.weak, (target, uuid) => visit(target, uuid, key))
}

/** Makes a settled transaction the committed state. */
export function apply(overlay: Overlay, deltas: ReferenceDeltas): Work<void> {
  if (countEntries(overlay.changes) + countEntries(deltas) > STEP_ROWS) return applyInSteps(overlay, deltas)
  for (const [name, changes] of overlay.changes) {
    const table = tableOf(overlay, name)
    for (const index of table.indexes) {
      removeFromIndex(index, changes)
      addToIndex(index, changes)
    }
    storeRows(overlay, table, changes)
  }
  for (const [table, counts] of deltas) addReferences(table, counts)
}

/**
 * While it is put aside, and the rows, indexes and counts are half of it, `rows` are read as they were before;
 * nothing else may run on these tables.
 */
function* applyInSteps(overlay: Overlay, deltas: ReferenceDeltas): Steps<void> {
  for (const [name, changes] of overlay.changes) tableOf(overlay, name).rows.hide(changes)
  for (const [name, changes] of overlay.changes) {
    const table = tableOf(overlay, name)
    for (const index of table.indexes) {
      for (const rows of groups(changes)) {
        removeFromIndex(index, rows)
        yield
      }
      for (const rows of groups(changes)) {
        addToIndex(index, rows)
        yield
      }
    }
    for (const rows of groups(changes)) {
      storeRows(overlay, table, rows)
      yield
    }
  }
  for (const [table, counts] of deltas) {
    for (const some of groups(counts)) {
      addReferences(table, some)
      yield
    }
  }
  for (const name of overlay.changes.keys()) tableOf(overlay, name).rows.show()
}

function removeFromIndex(index: Index, rows: Entries<Change>): void {
  for (const [, change] of rows) if (change.old) index.rows.delete(index.key(change.old))
}

function addToIndex(index: Index, rows: Entries<Change>): void {
  for (const [uuid, change] of rows) if (change.new) index.rows.set(index.key(change.new), uuid)
}

function storeRows(overlay: Overlay, table: Table, rows: Entries<Change>): void {
  for (const [uuid, change] of rows) {
    if (change.new) table.rows.set(uuid, change.new)
    else {
      table.rows.delete(uuid)
      table.references.delete(uuid)
    }
    if (!table.weak.length || !changedColumns(table.weak, change).length) continue
    referrerKeys(table, change.old, (t, target, key) => {
      const { referrers } = tableOf(overlay, t)
      const keys = referrers.get(target)
      keys?.delete(key)
      if (keys && !keys.size) referrers.delete(target)
    })
    addReferrers(overlay.tables, table, change.new)
  }
}

function addReferences(table: Table, counts: Entries<number>): void {
  for (const [uuid, by] of counts) addReference(table, uuid, by)
}

function addReference(table: Table, uuid: string, by: number): void {
  const n = (table.references.get(uuid) ?? 0) + by
  if (n > 0) table.references.set(uuid, n)
  else table.references.delete(uuid)
}

function addReferrers(tables: ReadonlyMap<string, Table>, table: Table, row: Row | undefined): void {
  referrerKeys(table, row, (t, target, key) => {
    const referrers = tables.get(t)?.referrers
    const keys = referrers?.get(target)
    if (keys) keys.add(key)
    else referrers?.set(target, new Set([key]))
  })
}

/** Rebuilds what is kept besides the rows, after they were put there by hand. */
export function rebuild(tables: ReadonlyMap<string, Table>): void {
  for (const table of tables.values()) {
    table.references.clear()
    table.referrers.clear()
    for (const index of table.indexes) index.rows.clear()
  }
  for (const table of tables.values()) {
    for (const row of table.rows.values()) {
      for (const index of table.indexes) index.rows.set(index.key(row), row._uuid)
      eachReference(row, table.strong, (t, uuid) => {
        const target = tables.get(t)
        if (target && uuid !== row._uuid) addReference(target, uuid, 1)
      })
      addReferrers(tables, table, row)
    }
  }
}
