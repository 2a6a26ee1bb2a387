import type { Row } from '../schema/index.ts'
import type { Database, Delta } from '../transaction/index.ts'
import { RowWriter } from './encode.ts'
import type { MonitorVersion, TableRequests } from './request.ts'

/** A row as the client has it and as it is to have it. */
type Step = readonly [uuid: string, old: Row | undefined, now: Row | undefined]

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

  /** The `<table-updates>` of a commit, in pieces; none when nothing in it is for this client. */
  update(delta: Delta): Generator<string> {
    return this.pieces(
      [...delta.tables].map(([name, changes]) => [
        name,
        (function* () {
          for (const [uuid, change] of changes) yield [uuid, change.old, change.new] as const
        })(),
      ]),
    )
  }

  /** The pieces of an update. What it reads must not change while they are made. */
  private *pieces(tables: readonly (readonly [string, Iterable<Step>])[], pieceSize = 1 << 16): Generator<string> {
    const { writers } = this
    let piece = '{'
    let any = false
    for (const [name, steps] of tables) {
      const writer = writers.get(name)
      if (!writer) continue
      let first = true
      for (const [uuid, old, now] of steps) {
        const text = writer.change(uuid, old, now)
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

  /** The `<table-updates>` that bring a client that was behind up to date, in pieces; none when there is nothing. */
  catchUp(): Generator<string> {
    const gathered = this.gathered
    this.gathered = undefined
    return this.compare(gathered ?? new Map())
  }

  private compare(before: ReadonlyMap<string, ReadonlyMap<string, Row | undefined>>): Generator<string> {
    return this.pieces(
      [...before].map(([name, rows]) => [
        name,
        [...rows].map(([uuid, old]) => [uuid, old, this.database.row(name, uuid)] as const),
      ]),
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
    const pieces = [...this.compare(before)]
    return pieces.length ? pieces : ['{}']
  }

  /** Changes conditions; returns the pieces of the `<table-updates>` of rows that come and go by it, if any. */
  change(requests: TableRequests): readonly string[] {
    const before = this.writers
    this.requests = new Map([...this.requests, ...requests])
    this.writers = this.makeWriters()
    this.key = this.makeKey()
    const pieces: string[] = []
    for (const name of requests.keys()) {
      const old = before.get(name)?.request.test
      const writer = this.writers.get(name)
      if (!writer) continue
      const test = writer.request.test
      let first = true
      for (const row of this.database.rows(name)) {
        const was = !old || old(row)
        const is = !test || test(row)
        if (was === is) continue
        const text = writer.transition(row._uuid, was ? row : undefined, is ? row : undefined)
        if (!text) continue
        pieces.push(first ? `${pieces.length ? ',' : '{'}"${name}":{${text}` : `,${text}`)
        first = false
      }
      if (!first) pieces.push('}')
    }
    if (pieces.length) pieces.push('}')
    return merge(pieces)
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

/** Fewer and longer pieces of the same text. */
function merge(pieces: readonly string[], size = 1 << 16): string[] {
  const out: string[] = []
  let piece = ''
  for (const p of pieces) {
    piece += p
    if (piece.length < size) continue
    out.push(piece)
    piece = ''
  }
  if (piece) out.push(piece)
  return out
}
