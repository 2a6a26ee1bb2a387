import { type Random, uuid4 } from '../../base/random.ts'
import {
  canonicalDatum,
  checkDatum,
  columnOf,
  type Datum,
  Failure,
  fail,
  type Row,
  type TableSchema,
} from '../schema/index.ts'
import { writeDatum } from '../wire/datum.ts'
import { compileCondition, pinnedUuid } from './condition.ts'
import { mutateDatum, mutationArgument } from './mutation.ts'
import type { ColumnValues, Condition, Operation, OperationResult, Requester } from './operation.ts'
import { Overlay } from './overlay.ts'
import { allowAnyone, allowDelete, allowInsert, allowModify, type Permission, permissionOf } from './permission.ts'
import { andThen, isSteps, STEP_ROWS, type Steps, type Work } from './steps.ts'
import type { MutableRow, Table } from './table.ts'

/** Thrown by a `wait` whose test fails and whose time is not yet over. */
export class Blocked extends Error {
  constructor(readonly timeout: number | undefined) {
    super('transaction waits')
  }
}

/** Clauses, or mutations, of which a row needs more than a moment. */
const MANY_PARTS = 64

const CHANGING: ReadonlySet<string> = new Set(['insert', 'update', 'mutate', 'delete'])

type Operand<O extends Operation['op']> = Extract<Operation, { op: O }>

/** One transaction: operations run one after the other on an overlay of the committed rows. */
export class Transaction {
  readonly overlay: Overlay
  readonly comments: string[] = []
  /** The locks that were found to be the requester's. */
  readonly asserted = new Set<string>()
  durable = false

  /** @param elapsed milliseconds since the transaction was first tried, for `wait`. */
  constructor(
    private readonly tables: ReadonlyMap<string, Table>,
    private readonly random: Random,
    private readonly requester: Requester,
    private readonly readOnly = false,
    private readonly elapsed = 0,
  ) {
    this.overlay = new Overlay(tables)
  }

  /** Runs one operation; throws Failure, or Blocked. `trusted`: its values are canonical and within constraints. */
  execute(op: Operation, trusted: boolean): Work<OperationResult> {
    if ((this.readOnly || this.requester.readOnly) && !this.requester.internal && CHANGING.has(op.op)) {
      fail('not allowed', `${op.op} operation not allowed when database server is in read only mode`)
    }
    switch (op.op) {
      case 'insert':
        return this.insert(op, trusted)
      case 'select':
        return this.select(op, trusted)
      case 'update':
        return this.update(op, trusted)
      case 'mutate':
        return this.mutate(op, trusted)
      case 'delete':
        return this.delete(op, trusted)
      case 'wait':
        return this.wait(op, trusted)
      case 'commit':
        this.durable ||= op.durable
        return {}
      case 'abort':
        return fail('aborted', 'aborted by request')
      case 'comment':
        this.comments.push(op.comment)
        return {}
      case 'assert':
        if (!this.requester.owns(op.lock)) fail('not owner', `Asserted lock ${op.lock} not held.`)
        this.asserted.add(op.lock)
        return {}
    }
  }

  private table(name: string): Table {
    return this.tables.get(name) ?? fail('syntax error', `No table named ${name}.`)
  }

  private values(table: TableSchema, values: ColumnValues, trusted: boolean, update: boolean): ColumnValues {
    if (trusted) return values
    const out: Record<string, Datum> = {}
    for (const name of Object.keys(values)) {
      const column = columnOf(table, name)
      if (!column) fail('unknown column', `No column ${name} in table ${table.name}.`)
      if (!table.columns.has(name) && !update) continue
      if (update && !column.mutable) {
        fail('constraint violation', `Cannot update immutable column ${name} in table ${table.name}.`)
      }
      out[name] = canonicalDatum(column.type, values[name])
    }
    return out
  }

  private permission(table: Table): Permission | undefined {
    return permissionOf(this.requester, this.overlay, table.schema.name)
  }

  private insert(op: Operand<'insert'>, trusted: boolean): OperationResult {
    const table = this.table(op.table)
    const uuid = op.uuid ?? uuid4(this.random)
    if (op.uuid !== undefined && (table.rows.has(uuid) || this.overlay.get(table, uuid))) {
      throw new Failure({
        error: 'duplicate uuid',
        details: `This UUID would duplicate a UUID already present within the "${op.table}" table or deleted from this table within the same transaction.`,
        syntax: `"${uuid}"`,
      })
    }
    const values = this.values(table.schema, op.row, trusted, false)
    const row: MutableRow = table.blank(uuid)
    for (const name of Object.keys(values)) row[name] = values[name]
    // RFC 7047 §5.2.1: a default must satisfy the constraints too.
    for (const column of table.constrained) {
      if (!Object.hasOwn(values, column.name)) checkDatum(column.type, row[column.name])
    }
    const permission = this.permission(table)
    if (permission) allowInsert(permission, row)
    this.overlay.insert(table, uuid, row)
    return { uuid }
  }

  /**
   * Calls `visit` for each row that satisfies `where`.
   * @param parts how many parts the work has that is done with a row
   */
  private matching(
    table: Table,
    where: readonly Condition[],
    trusted: boolean,
    visit: (row: Row) => void,
    parts = 0,
  ): Work<void> {
    const tests = where.map((condition) => compileCondition(table.schema, condition, trusted))
    const pinned = pinnedUuid(where)
    if (pinned !== undefined) {
      const row = this.overlay.get(table, pinned)
      if (row && tests.every((test) => test(row))) visit(row)
      return
    }
    if (tests.length + parts > MANY_PARTS) return this.matchingInSteps(table, tests, visit, tests.length + parts)
    const [first] = tests
    if (!first) return this.overlay.each(table, visit)
    if (tests.length === 1) {
      return this.overlay.each(table, (row) => {
        if (first(row)) visit(row)
      })
    }
    return this.overlay.each(table, (row) => {
      if (tests.every((test) => test(row))) visit(row)
    })
  }

  /** As `matching`, when each row costs as much as many. */
  private *matchingInSteps(
    table: Table,
    tests: readonly ((row: Row) => boolean)[],
    visit: (row: Row) => void,
    parts: number,
  ): Steps<void> {
    const rows: Row[] = []
    const all = this.overlay.each(table, (row) => rows.push(row))
    if (isSteps(all)) yield* all
    let done = 0
    for (const row of rows) {
      done += parts
      if (done > STEP_ROWS * MANY_PARTS) {
        yield
        done = 0
      }
      if (tests.every((test) => test(row))) visit(row)
    }
  }

  private columns(table: Table, names: readonly string[] | undefined): readonly string[] {
    if (!names) return ['_uuid', '_version', ...table.schema.columns.keys()]
    for (const name of names) {
      if (!columnOf(table.schema, name)) fail('syntax error', `${name} is not a valid column name`)
    }
    return names
  }

  private select(op: Operand<'select'>, trusted: boolean): Work<OperationResult> {
    const table = this.table(op.table)
    const columns = this.columns(table, op.columns)
    const rows: Row[] = []
    const seen = columns.includes('_uuid') ? undefined : new Set<string>()
    const key = rowKey(table.schema, columns)
    const matched = this.matching(table, op.where, trusted, (row) => {
      if (seen) {
        const k = key(row)
        if (seen.has(k)) return
        seen.add(k)
      }
      rows.push(row)
    })
    return andThen(matched, () => ({ rows, columns }))
  }

  private update(op: Operand<'update'>, trusted: boolean): Work<OperationResult> {
    const table = this.table(op.table)
    const values = this.values(table.schema, op.row, trusted, true)
    const names = Object.keys(values)
    const permission = this.permission(table)
    if (permission) allowAnyone(permission, 'modification of')
    let count = 0
    const matched = this.matching(table, op.where, trusted, (row) => {
      count++
      if (permission) allowModify(permission, row, names, 'modification of')
      if (names.length) this.overlay.put(table, row._uuid, { ...row, ...values })
    })
    return andThen(matched, () => ({ count }))
  }

  private mutate(op: Operand<'mutate'>, trusted: boolean): Work<OperationResult> {
    const table = this.table(op.table)
    const mutations = op.mutations.map(([name, mutator, value]) => {
      const column = columnOf(table.schema, name)
      if (!column) fail('unknown column', `No column ${name} in table ${op.table}.`)
      if (!column.mutable) fail('constraint violation', `Cannot mutate immutable column ${name} in table ${op.table}.`)
      return { column, mutator, argument: trusted ? value : mutationArgument(column, mutator, value) }
    })
    const permission = this.permission(table)
    if (permission) allowAnyone(permission, 'mutate operation on')
    const names = mutations.map((m) => m.column.name)
    let count = 0
    const mutate = (row: Row) => {
      count++
      if (permission) allowModify(permission, row, names, 'mutate operation on')
      let next: MutableRow | undefined
      for (const { column, mutator, argument } of mutations) {
        const before = (next ?? row)[column.name]
        const after = mutateDatum(column.type, before, mutator, argument)
        if (after === before) continue
        next ??= { ...row }
        next[column.name] = after
      }
      if (next) this.overlay.put(table, row._uuid, next)
    }
    const matched = this.matching(table, op.where, trusted, mutate, mutations.length)
    return andThen(matched, () => ({ count }))
  }

  private delete(op: Operand<'delete'>, trusted: boolean): Work<OperationResult> {
    const table = this.table(op.table)
    const permission = this.permission(table)
    if (permission) allowAnyone(permission, 'row deletion from')
    let count = 0
    const matched = this.matching(table, op.where, trusted, (row) => {
      count++
      if (permission) allowDelete(permission, row)
      this.overlay.put(table, row._uuid, undefined)
    })
    return andThen(matched, () => ({ count }))
  }

  private wait(op: Operand<'wait'>, trusted: boolean): Work<OperationResult> {
    const table = this.table(op.table)
    const columns = this.columns(table, op.columns)
    const key = rowKey(table.schema, columns)
    const blank = table.blank(table.blank('')._version)
    const wanted = new Set(op.rows.map((row) => key({ ...blank, ...this.values(table.schema, row, trusted, false) })))
    const found = new Set<string>()
    const matched = this.matching(table, op.where, trusted, (row) => void found.add(key(row)))
    return andThen(matched, () => this.waited(op, found, wanted))
  }

  private waited(op: Operand<'wait'>, found: ReadonlySet<string>, wanted: ReadonlySet<string>): OperationResult {
    const equal = found.size === wanted.size && [...found].every((k) => wanted.has(k))
    if (equal === (op.until === '==')) return {}
    if (op.timeout === undefined || this.elapsed < op.timeout) throw new Blocked(op.timeout)
    return fail(
      'timed out',
      this.elapsed > 0 ? `"wait" timed out after ${this.elapsed} ms` : '"where" clause test failed',
    )
  }
}

/** What makes two rows the same row as far as these columns go. */
function rowKey(table: TableSchema, columns: readonly string[]): (row: Row) => string {
  const types = columns.map((name) => [name, columnOf(table, name)?.type] as const)
  return (row) => {
    let s = ''
    for (const [name, type] of types) if (type) s += `${writeDatum(type, row[name])},`
    return s
  }
}
