import { type Database, type Delta, STEP_ROWS, type Steps } from '../transaction/index.ts'
import { RowWriter } from './encode.ts'
import { type Changes, Missed, merge } from './missed.ts'
import type { MonitorVersion, TableRequests } from './request.ts'

type Writers = ReadonlyMap<string, RowWriter>

/**
 * What one client wants to see of one database. Changes are either written at once (`update`) or
 * gathered while the client is slow (`gather`) and then written as one.
 */
export class Monitor {
  private writers: Writers
  private key: string
  private told: { readonly id: string; readonly key: string; readonly text: string } | undefined
  private readonly missed = new Missed()

  constructor(
    readonly database: Database,
    public requests: TableRequests,
    readonly version: MonitorVersion,
  ) {
    this.writers = this.makeWriters()
    this.key = this.makeKey()
  }

  private makeWriters(): Writers {
    return new Map([...this.requests].map(([name, request]) => [name, new RowWriter(request, this.version)]))
  }

  private makeKey(): string {
    return `${Math.min(this.version, 2)} ${[...this.requests.values()].map((r) => r.key).join('\n')}`
  }

  get behind(): boolean {
    return !this.missed.none
  }

  /** Characters of what is asked for. */
  get size(): number {
    let size = 0
    for (const request of this.requests.values()) size += request.size
    return size
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

  /**
   * The `<table-updates>` of a commit, in pieces; none when nothing in it is for this client. As all that is made
   * of many rows it has empty pieces, at its beginning too: there others can be served.
   */
  update(delta: Delta): Generator<string> {
    return changed(this.writers, delta.tables)
  }

  /** Takes note of a commit that can not be told now. */
  gather(delta: Delta): void {
    this.missed.add(delta, (table) => this.writers.has(table))
  }

  /** Whether what was missed has become so much that it is time to `tidy` it. */
  get crowded(): boolean {
    return this.missed.crowded
  }

  /** The steps of making less of what was missed; anything else may be done meanwhile. */
  tidy(): Steps<void> {
    return this.missed.tidy()
  }

  /** The `<table-updates>` that bring a client that was behind up to date, in pieces; none when there is nothing. */
  catchUp(): Generator<string> {
    return mergedChanges(this.writers, this.missed.take())
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
    const missed = history.slice(at + 1).map((delta) => delta.tables)
    return atLeast('{}', mergedChanges(this.writers, missed))
  }

  /** Changes conditions; returns the pieces of the `<table-updates>` of rows that come and go by it, if any. */
  change(requests: TableRequests): Generator<string> {
    const before = this.writers
    this.requests = new Map([...this.requests, ...requests])
    this.writers = this.makeWriters()
    this.key = this.makeKey()
    const texts: TableTexts[] = []
    let count = 0
    for (const name of requests.keys()) {
      const writer = this.writers.get(name)
      if (!writer) continue
      const old = before.get(name)?.request.test
      const { test } = writer.request
      const rows = [...this.database.rows(name)]
      count += rows.length
      const transitions = function* () {
        for (const row of rows) {
          const was = !old || old(row)
          const is = !test || test(row)
          yield was === is ? undefined : writer.transition(row._uuid, was ? row : undefined, is ? row : undefined)
        }
      }
      texts.push([name, transitions()])
    }
    return pieces(texts, count)
  }

  /** The pieces of the `<table-updates>` of all rows that are there now, made as they are asked for. */
  initial(): Generator<string> {
    const texts: TableTexts[] = []
    let count = 0
    for (const [name, writer] of this.writers) {
      const rows = writer.request.select.initial ? [...this.database.rows(name)] : []
      count += rows.length
      const initials = function* () {
        for (const row of rows) yield writer.initial(row)
      }
      texts.push([name, initials()])
    }
    return atLeast('{}', pieces(texts, count))
  }
}

/** A table's name, and the texts `"UUID":<row-update>` of its rows. */
type TableTexts = readonly [name: string, rows: Iterable<string | undefined>]

/** The pieces of the `<table-updates>` of these changes. */
function changed(writers: Writers, changes: Changes): Generator<string> {
  const texts: TableTexts[] = []
  let count = 0
  for (const [name, rows] of changes) {
    const writer = writers.get(name)
    if (!writer) continue
    count += rows.size
    const changes = function* () {
      for (const [uuid, change] of rows) yield writer.change(uuid, change.old, change.new)
    }
    texts.push([name, changes()])
  }
  return pieces(texts, count)
}

/** The pieces of the `<table-updates>` of changes that were made one after the other. */
function* mergedChanges(writers: Writers, parts: readonly Changes[]): Generator<string> {
  const merging = merge(parts)
  let step = merging.next()
  for (; !step.done; step = merging.next()) yield ''
  yield* changed(writers, step.value)
}

/**
 * The pieces of `<table-updates>`, of so many rows; none, or only empty ones, when there is no text of any. What the
 * rows are made of must not change meanwhile.
 */
function* pieces(tables: readonly TableTexts[], count: number, pieceSize = 1 << 16): Generator<string> {
  if (count > STEP_ROWS) yield ''
  let piece = ''
  let any = false
  let seen = 0
  for (const [name, rows] of tables) {
    let first = true
    for (const text of rows) {
      if (++seen % STEP_ROWS === 0) {
        yield piece
        piece = ''
      }
      if (!text) continue
      if (first) piece += `${any ? ',' : '{'}"${name}":{${text}`
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
    any ||= piece !== ''
    yield piece
  }
  if (!any) yield otherwise
}
