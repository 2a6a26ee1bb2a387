import type { Row } from '../schema/index.ts'
import type { Database, Delta, RowChange } from '../transaction/index.ts'
import { RowWriter } from './encode.ts'
import type { MonitorVersion, TableRequests } from './request.ts'

/** By table and uuid. */
type RowsBefore = Map<string, Map<string, Row | undefined>>

/**
 * What one client wants to see of one database. Changes are either written at once (`update`) or
 * gathered while the client is slow (`gather`) and then written as one.
 */
export class Monitor {
  private writers: ReadonlyMap<string, RowWriter>
  private key: string
  private told: { readonly id: string; readonly key: string; readonly text: string } | undefined
  /** The only commit the client has not been told of. */
  private missed: Delta | undefined
  /** When there are more: for rows changed since, what the client has of them. */
  private gathered: RowsBefore | undefined

  constructor(
    readonly database: Database,
    public requests: TableRequests,
    readonly version: MonitorVersion,
  ) {
    this.writers = this.makeWriters()
    this.key = this.makeKey()
  }

  private makeWriters(): ReadonlyMap<string, RowWriter> {
    return new Map([...this.requests].map(([name, request]) => [name, new RowWriter(request, this.version)]))
  }

  private makeKey(): string {
    return `${Math.min(this.version, 2)} ${[...this.requests.values()].map((r) => r.key).join('\n')}`
  }

  get behind(): boolean {
    return this.gathered !== undefined || this.missed !== undefined
  }

  /** The key of equal monitors. */
  get sharedKey(): string {
    return this.key
  }

  /** The key of monitors that are told of a commit in the same words. @param id by which the client knows it. */
  messageKey(id: string): string {
    const { version, key } = this
    if (this.told?.id !== id || this.told.key !== key) this.told = { id, key, text: `${version}${id}${key}` }
    return this.told.text
  }

  /** The `<table-updates>` of a commit, in pieces; none when nothing in it is for this client. */
  update(delta: Delta): Generator<string> {
    return pieces(
      this.tables(delta.tables.keys(), (name, writer) => {
        const changes = delta.tables.get(name) ?? new Map<string, RowChange>()
        return (function* () {
          for (const [uuid, change] of changes) yield writer.change(uuid, change.old, change.new)
        })()
      }),
    )
  }

  /** The texts of the rows of those of these tables that are monitored. */
  private tables(
    names: Iterable<string>,
    texts: (name: string, writer: RowWriter) => Iterable<string | undefined>,
  ): TableTexts[] {
    const out: TableTexts[] = []
    for (const name of names) {
      const writer = this.writers.get(name)
      if (writer) out.push([name, texts(name, writer)])
    }
    return out
  }

  /** Takes note of a commit that can not be told now. */
  gather(delta: Delta): void {
    if (![...delta.tables.keys()].some((name) => this.writers.has(name))) return
    if (!this.behind) {
      this.missed = delta
      return
    }
    this.gathered ??= new Map()
    if (this.missed) this.merge(this.gathered, this.missed)
    this.missed = undefined
    this.merge(this.gathered, delta)
  }

  private merge(before: RowsBefore, delta: Delta): void {
    for (const [name, changes] of delta.tables) {
      if (!this.writers.has(name)) continue
      let rows = before.get(name)
      if (!rows) {
        rows = new Map()
        before.set(name, rows)
      }
      for (const [uuid, change] of changes) if (!rows.has(uuid)) rows.set(uuid, change.old)
    }
  }

  /** The `<table-updates>` that bring a client that was behind up to date, in pieces; none when there is nothing. */
  catchUp(): Generator<string> {
    const { gathered, missed } = this
    this.gathered = undefined
    this.missed = undefined
    return missed ? this.update(missed) : this.compare(gathered ?? new Map())
  }

  private compare(before: RowsBefore): Generator<string> {
    return pieces(
      this.tables(before.keys(), (name, writer) => {
        // The rows as they are now: the text may be made later.
        const rows = [...(before.get(name) ?? [])].map(
          ([uuid, old]) => [uuid, old, this.database.row(name, uuid)] as const,
        )
        return (function* () {
          for (const [uuid, old, now] of rows) yield writer.change(uuid, old, now)
        })()
      }),
    )
  }

  /**
   * The `<table-updates>` since a transaction of the database's history; undefined when that is not
   * in it.
   */
  since(id: string): Iterable<string> | undefined {
    const { history, lastId } = this.database
    if (id === lastId) return ['{}']
    const at = history.findIndex((delta) => delta.id === id)
    if (at < 0) return undefined
    const before: RowsBefore = new Map()
    for (const delta of history.slice(at + 1)) this.merge(before, delta)
    return atLeast('{}', this.compare(before))
  }

  /** Changes conditions; returns the pieces of the `<table-updates>` of rows that come and go by it, if any. */
  change(requests: TableRequests): Generator<string> {
    const before = this.writers
    this.requests = new Map([...this.requests, ...requests])
    this.writers = this.makeWriters()
    this.key = this.makeKey()
    return pieces(
      this.tables(requests.keys(), (name, writer) => {
        const old = before.get(name)?.request.test
        const { test } = writer.request
        const rows = [...this.database.rows(name)]
        return (function* () {
          for (const row of rows) {
            const was = !old || old(row)
            const is = !test || test(row)
            if (was !== is) yield writer.transition(row._uuid, was ? row : undefined, is ? row : undefined)
          }
        })()
      }),
    )
  }

  /** The pieces of the `<table-updates>` of all rows that are there now, made as they are asked for. */
  initial(): Generator<string> {
    return atLeast(
      '{}',
      pieces(
        this.tables(this.writers.keys(), (name, writer) => {
          const rows = writer.request.select.initial ? [...this.database.rows(name)] : []
          return (function* () {
            for (const row of rows) yield writer.initial(row)
          })()
        }),
      ),
    )
  }
}

/** A table's name, and the texts `"UUID":<row-update>` of its rows. */
type TableTexts = readonly [name: string, rows: Iterable<string | undefined>]

/** The pieces of `<table-updates>`, none when there is no row; what the rows are made of must not change meanwhile. */
function* pieces(tables: readonly TableTexts[], pieceSize = 1 << 16): Generator<string> {
  let piece = '{'
  let any = false
  for (const [name, rows] of tables) {
    let first = true
    for (const text of rows) {
      if (!text) continue
      if (first) piece += `${any ? ',' : ''}"${name}":{${text}`
      else piece += `,${text}`
      first = false
      any = true
      if (piece.length > pieceSize) {
        yield piece
        piece = ''
      }
    }
    if (!first) piece += '}'
  }
  if (any) yield `${piece}}`
}

function* atLeast(otherwise: string, from: Iterable<string>): Generator<string> {
  let any = false
  for (const piece of from) {
    any = true
    yield piece
  }
  if (!any) yield otherwise
}
