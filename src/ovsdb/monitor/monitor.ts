import type { Row } from '../schema/index.ts'
import type { Database, Delta } from '../transaction/index.ts'
import { RowWriter } from './encode.ts'
import type { MonitorVersion, TableRequests } from './request.ts'

/** Texts of changes, shared by all monitors that ask for the same. */
const shared = new WeakMap<Delta, Map<string, string>>()

/** Joins the texts of rows into `"TABLE":{...}`. */
function tableText(name: string, rows: readonly string[]): string {
  return `"${name}":{${rows.join(',')}}`
}

/**
 * What one client wants to see of one database. Changes are either written at once (`update`) or
 * gathered while the client is slow (`gather`) and then written as one.
 */
export class Monitor {
  private writers: ReadonlyMap<string, RowWriter>
  private key: string
  /** For rows changed since the client was last told: what it has of them. */
  private gathered: Map<string, Map<string, Row | undefined>> | undefined

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
    return this.gathered !== undefined
  }

  /** The key of equal monitors. */
  get sharedKey(): string {
    return this.key
  }

  /** The `<table-updates>` of a commit; undefined when nothing in it is for this client. */
  update(delta: Delta): string | undefined {
    let texts = shared.get(delta)
    if (!texts) {
      texts = new Map()
      shared.set(delta, texts)
    }
    let text = texts.get(this.key)
    if (text === undefined) {
      text = this.write(delta)
      texts.set(this.key, text)
    }
    return text || undefined
  }

  private write(delta: Delta): string {
    const tables: string[] = []
    for (const [name, changes] of delta.tables) {
      const writer = this.writers.get(name)
      if (!writer) continue
      const rows: string[] = []
      for (const [uuid, change] of changes) {
        const text = writer.change(uuid, change.old, change.new)
        if (text) rows.push(text)
      }
      if (rows.length) tables.push(tableText(name, rows))
    }
    return tables.length ? `{${tables.join(',')}}` : ''
  }

  /** Takes note of a commit that can not be told now. */
  gather(delta: Delta): void {
    for (const [name, changes] of delta.tables) {
      if (!this.writers.has(name)) continue
      this.gathered ??= new Map()
      let rows = this.gathered.get(name)
      if (!rows) {
        rows = new Map()
        this.gathered.set(name, rows)
      }
      for (const [uuid, change] of changes) if (!rows.has(uuid)) rows.set(uuid, change.old)
    }
  }

  /** The `<table-updates>` that bring a client that was behind up to date; undefined when there is nothing. */
  catchUp(): string | undefined {
    const gathered = this.gathered
    this.gathered = undefined
    return gathered ? this.compare(gathered) : undefined
  }

  private compare(before: ReadonlyMap<string, ReadonlyMap<string, Row | undefined>>): string | undefined {
    const tables: string[] = []
    for (const [name, rows] of before) {
      const writer = this.writers.get(name)
      if (!writer) continue
      const texts: string[] = []
      for (const [uuid, old] of rows) {
        const text = writer.change(uuid, old, this.database.row(name, uuid))
        if (text) texts.push(text)
      }
      if (texts.length) tables.push(tableText(name, texts))
    }
    return tables.length ? `{${tables.join(',')}}` : undefined
  }

  /**
   * The `<table-updates>` since a transaction of the database's history; undefined when that is not
   * in it. The text is empty when nothing for this client happened since.
   */
  since(id: string): string | undefined {
    const { history, lastId } = this.database
    if (id === lastId) return '{}'
    const at = history.findIndex((delta) => delta.id === id)
    if (at < 0) return undefined
    const before = new Map<string, Map<string, Row | undefined>>()
    for (const delta of history.slice(at + 1)) {
      for (const [name, changes] of delta.tables) {
        let rows = before.get(name)
        if (!rows) {
          rows = new Map()
          before.set(name, rows)
        }
        for (const [uuid, change] of changes) if (!rows.has(uuid)) rows.set(uuid, change.old)
      }
    }
    return this.compare(before) ?? '{}'
  }

  /** Changes conditions; returns the `<table-updates>` of rows that come and go by it, if any. */
  change(requests: TableRequests): string | undefined {
    const tables: string[] = []
    const next = new Map([...this.requests, ...requests])
    const before = this.writers
    this.requests = next
    this.writers = this.makeWriters()
    this.key = this.makeKey()
    for (const name of requests.keys()) {
      const old = before.get(name)?.request.test
      const writer = this.writers.get(name)
      if (!writer) continue
      const test = writer.request.test
      const texts: string[] = []
      for (const row of this.database.rows(name)) {
        const was = !old || old(row)
        const is = !test || test(row)
        if (was === is) continue
        const text = writer.transition(row._uuid, was ? row : undefined, is ? row : undefined)
        if (text) texts.push(text)
      }
      if (texts.length) tables.push(tableText(name, texts))
    }
    return tables.length ? `{${tables.join(',')}}` : undefined
  }

  /** The pieces of the `<table-updates>` of all rows that are there now, made one by one. */
  *initial(pieceSize = 1 << 16): Generator<string> {
    const tables = [...this.writers].map(([name, writer]) => {
      const rows = writer.request.select.initial ? (this.database.tables.get(name)?.rows.values() ?? []) : []
      return [name, writer, [...rows]] as const
    })
    let piece = '{'
    let any = false
    for (const [name, writer, rows] of tables) {
      let first = true
      for (const row of rows) {
        const text = writer.initial(row)
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
    yield `${piece}}`
  }
}
