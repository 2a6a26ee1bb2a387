import type { Log } from '../../base/log.ts'
import { printJson } from '../../jsonrpc/json.ts'
import type { Operation } from '../client/operation.ts'
import type { Replica } from '../client/replica.ts'
import { type ColumnType, checkDatum, type Datum, Failure } from '../schema/index.ts'
import { printColumnType } from '../schema/type.ts'

type Values = Readonly<Record<string, Datum>>

/** What one table of a server of another release does not take. */
export class TableLimits {
  constructor(
    readonly table: string,
    private readonly lacks: ReadonlySet<string>,
    private readonly types: ReadonlyMap<string, ColumnType>,
  ) {}

  has(column: string): boolean {
    return !this.lacks.has(column)
  }

  /** Values without the columns that the server does not have. */
  known<V extends Values>(values: V): Values {
    for (const column in values)
      if (this.lacks.has(column)) return Object.fromEntries(Object.entries(values).filter(([c]) => !this.lacks.has(c)))
    return values
  }

  /** The first column whose value the server would refuse, as one that its enumeration does not have. */
  refuses(values: Values): { readonly column: string; readonly why: string } | undefined {
    for (const [column, type] of this.types) {
      const value = values[column]
      if (!Object.hasOwn(values, column)) continue
      if (Array.isArray(value) && value.length > type.max)
        return { column, why: `it has ${value.length} members, of ${type.max} at most` }
      try {
        checkDatum(type, value)
      } catch (e) {
        if (!(e instanceof Failure)) throw e
        return { column, why: e.error.details ?? e.message }
      }
    }
    return undefined
  }

  get text(): string {
    const types = [...this.types].map(([column, type]) => `${column}: ${printJson(printColumnType(type))}`)
    return `${this.table} ${[...this.lacks].join()} ${types.join()}`
  }
}

const sameType = (a: ColumnType, b: ColumnType): boolean =>
  a === b || printJson(printColumnType(a), true) === printJson(printColumnType(b), true)

/**
 * What a server of an older release does not take, by table. Almost always there is nothing: the
 * schemas are compared once, not row by row.
 */
export class ServerLimits {
  private readonly tables = new Map<string, TableLimits>()
  /** Tables it does not have at all. */
  private readonly absent = new Set<string>()
  private readonly told: Set<string>

  private constructor(
    private readonly log: Log,
    before: ServerLimits | undefined,
  ) {
    this.told = before?.told ?? new Set()
  }

  /** @param names the tables written to. */
  static of<T>(replica: Replica<T>, names: Iterable<string>, log: Log, before?: ServerLimits): ServerLimits {
    const out = new ServerLimits(log, before)
    for (const name of names) {
      const ours = replica.schema.tables.get(name)
      if (!ours || !replica.has(name)) {
        out.absent.add(name)
        continue
      }
      const lacks = new Set<string>()
      const types = new Map<string, ColumnType>()
      for (const column of ours.columns.values()) {
        if (!replica.has(name, column.name)) lacks.add(column.name)
        else {
          const theirs = replica.typeOf(name, column.name)
          if (theirs && !sameType(theirs, column.type)) types.set(column.name, theirs)
        }
      }
      if (lacks.size || types.size) out.tables.set(name, new TableLimits(name, lacks, types))
    }
    return out
  }

  has(table: string): boolean {
    return !this.absent.has(table)
  }

  table(name: string): TableLimits | undefined {
    return this.tables.get(name)
  }

  /**
   * Operations without what the server does not have. None at all where it would refuse one of them:
   * the others may refer to its row.
   */
  writable(operations: readonly Operation[]): readonly Operation[] {
    if (!this.tables.size && !this.absent.size) return operations
    const out: Operation[] = []
    for (const op of operations) {
      if ('table' in op && this.absent.has(op.table)) continue
      const limits = 'table' in op ? this.tables.get(op.table) : undefined
      if (!limits) out.push(op)
      else if (op.op === 'insert' || op.op === 'update') {
        const row = limits.known(op.row)
        const refused = limits.refuses(row)
        if (refused) {
          this.leftOut(op.table, refused.column, refused.why)
          return []
        }
        if (op.op === 'insert' || Object.keys(row).length) out.push({ ...op, row })
      } else if (op.op === 'mutate') {
        const mutations = op.mutations.filter(([column]) => limits.has(column))
        if (mutations.length) out.push({ ...op, mutations })
      } else out.push(op)
    }
    return out
  }

  /** Says, once a column, that something is left out. */
  leftOut(table: string, column: string, why: string): void {
    const text = `${table} rows are left out: the server does not take their ${column}: ${why}`
    if (this.told.has(`${table} ${column}`)) return
    this.told.add(`${table} ${column}`)
    this.log.warn(text, { code: 'not-storable', table, column })
  }

  equals(other: ServerLimits): boolean {
    return this.text === other.text
  }

  private get text(): string {
    return `${[...this.absent].join()}\n${[...this.tables.values()].map((t) => t.text).join('\n')}`
  }
}
