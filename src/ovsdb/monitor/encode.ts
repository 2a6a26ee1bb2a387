import {
  type Atom,
  type ColumnSchema,
  type ColumnType,
  columnOf,
  type Datum,
  defaultDatum,
  equalDatums,
  type Row,
} from '../schema/index.ts'
import { writeDatum } from '../wire/index.ts'
import type { MonitorVersion, Select, TableRequest } from './request.ts'

interface Column {
  readonly name: string
  readonly schema: ColumnSchema
  readonly select: Select
  readonly zero: Datum
}

/**
 * The texts of a table's rows for one request. `modify` texts hold what ovsdb-server(7), 4.1.14
 * calls the difference; insert and initial texts leave out defaults from version 2 on.
 */
export class RowWriter {
  private readonly columns: readonly Column[]

  constructor(
    readonly request: TableRequest,
    private readonly version: MonitorVersion,
  ) {
    this.columns = [...request.columns].map(([name, select]) => {
      const schema = columnOf(request.table, name) as ColumnSchema
      return { name, schema, select, zero: defaultDatum(schema.type) }
    })
  }

  private whole(row: Row, kind: keyof Select): string {
    let s = '{'
    for (const { name, schema, select, zero } of this.columns) {
      if (!select[kind]) continue
      const datum = row[name]
      if (this.version > 1 && equalDatums(datum, zero)) continue
      s += `${s.length > 1 ? ',' : ''}"${name}":${writeDatum(schema.type, datum)}`
    }
    return `${s}}`
  }

  /** `"UUID":<row-update>` of a row that is there when the monitor begins, or undefined if it is not wanted. */
  initial(row: Row): string | undefined {
    const { test, select } = this.request
    if (!select.initial || (test && !test(row))) return undefined
    return `"${row._uuid}":{"${this.version > 1 ? 'initial' : 'new'}":${this.whole(row, 'initial')}}`
  }

  /** `"UUID":<row-update>` of a change, or undefined when the monitor sees none. */
  change(uuid: string, old: Row | undefined, now: Row | undefined): string | undefined {
    const { test } = this.request
    const was = old && (!test || test(old)) ? old : undefined
    const is = now && (!test || test(now)) ? now : undefined
    return this.transition(uuid, was, is)
  }

  /** As `change`, for rows already chosen: `was` as the client has it, `is` as it is to have it. */
  transition(uuid: string, was: Row | undefined, is: Row | undefined): string | undefined {
    const { select } = this.request
    if (was && is) return select.modify ? this.modify(uuid, was, is) : undefined
    if (is) {
      if (!select.insert) return undefined
      return `"${uuid}":{"${this.version > 1 ? 'insert' : 'new'}":${this.whole(is, 'insert')}}`
    }
    if (!was || !select.delete) return undefined
    return this.version > 1 ? `"${uuid}":{"delete":null}` : `"${uuid}":{"old":${this.whole(was, 'delete')}}`
  }

  private modify(uuid: string, was: Row, is: Row): string | undefined {
    let changed = ''
    for (const { name, schema, select } of this.columns) {
      if (!select.modify) continue
      const before = was[name]
      const after = is[name]
      if (before === after || equalDatums(before, after)) continue
      const text = this.version > 1 ? writeDifference(schema.type, before, after) : writeDatum(schema.type, before)
      changed += `${changed ? ',' : ''}"${name}":${text}`
    }
    if (!changed) return undefined
    if (this.version > 1) return `"${uuid}":{"modify":{${changed}}}`
    return `"${uuid}":{"old":{${changed}},"new":${this.whole(is, 'modify')}}`
  }
}

/** The difference between two values of a column, as its text. */
export function writeDifference(type: ColumnType, before: Datum, after: Datum): string {
  return type.max === 1 ? writeDatum(type, after) : writeDatum(type, difference(type, before, after))
}

/**
 * What brings `before` to `after` and back: of sets the members of one alone, of maps the pairs that
 * are not the same, with the value of `after` where it has one. ovsdb-server(7), 4.1.14.
 */
export function difference(type: ColumnType, before: Datum, after: Datum): Datum {
  if (type.value) {
    const a = before as ReadonlyMap<Atom, Atom>
    const b = after as ReadonlyMap<Atom, Atom>
    const out = new Map<Atom, Atom>()
    for (const [k, v] of a) if (!b.has(k)) out.set(k, v)
    for (const [k, v] of b) if (a.get(k) !== v) out.set(k, v)
    return out
  }
  const a = new Set(before as readonly Atom[])
  const b = new Set(after as readonly Atom[])
  return [...[...a].filter((x) => !b.has(x)), ...[...b].filter((x) => !a.has(x))]
}
