import { expect, test, vi } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog } from '../../base/log.ts'
import { below, type Random, seeded } from '../../base/random.ts'
import { unwrap } from '../../base/result.ts'
import { type ByteStream, streamPair } from '../../base/stream.ts'
import { isArray, type Json, type JsonObject, printJson } from '../../jsonrpc/json.ts'
import { MessageReader } from '../../jsonrpc/reader.ts'
import { readSchema } from '../schema/index.ts'
import { FakeDisk } from '../storage/fake-disk.test-helper.ts'
import { createFile, openFile } from '../storage/index.ts'
import type { Database } from '../transaction/index.ts'
import { createServer, type Server } from './index.ts'

// Every transaction and message is put aside after each row: clients with conditions that change, that read slowly
// and come back after a while see the truth, and indexes and references fit the rows.

vi.mock('../transaction/step-rows.ts', () => ({ STEP_ROWS: 1 }))

/** A clock on which things take long now and then. */
class UnsteadyClock extends VirtualClock {
  private passed = 0
  constructor(private readonly random: Random) {
    super()
  }
  override monotonic(): number {
    if (below(this.random, 3) === 0) this.passed += 40
    return super.monotonic() + this.passed
  }
}

const uuids = (refTable: string, refType: string) => ({
  type: { key: { type: 'uuid', refTable, refType }, min: 0, max: 'unlimited' },
})
const schema = readSchema({
  name: 'D',
  version: '1.0.0',
  tables: {
    T: { columns: { n: { type: 'integer' }, s: { type: 'string' } }, indexes: [['n']], isRoot: true },
    Holder: { columns: { parts: uuids('Part', 'strong'), friends: uuids('T', 'weak') }, isRoot: true },
    Part: { columns: { n: { type: 'integer' } } },
  },
})
const COLUMNS = { T: ['n', 's'], Holder: ['parts', 'friends'], Part: ['n'] } as const
const TABLES = ['T', 'Holder', 'Part'] as const
const ZERO = '00000000-0000-0000-0000-000000000000'

/** A value as a set of texts: a set of uuids, or a number or string alone. */
function members(json: Json): string[] {
  if (!isArray(json)) return [String(json)]
  const list = json[0] === 'set' ? (json[1] as readonly Json[]) : [json]
  return list.map((uuid) => String((uuid as readonly Json[])[1]))
}

/** A client that keeps what it is told by monitor_cond_since, also while it is away. */
class Client {
  /** By table, uuid and column. */
  private readonly rows = new Map(TABLES.map((name) => [name as string, new Map<string, Map<string, string[]>>()]))
  readonly open = new Map<number, string>()
  limit = 50
  monitors = false
  closed = false
  private lastId = ZERO
  private next = 0
  private stream: ByteStream

  constructor(
    private readonly clock: VirtualClock,
    private readonly server: Server,
  ) {
    this.stream = this.connect()
  }

  private connect(): ByteStream {
    const [mine, theirs] = streamPair(this.clock)
    this.server.accept(theirs)
    const reader = new MessageReader((message) => {
      if (this.stream === mine) this.receive(message as JsonObject)
    })
    mine.onData = (bytes) => reader.push(bytes)
    mine.onClose = () => {
      this.closed ||= this.stream === mine
    }
    return mine
  }

  reconnect(): void {
    // What it can not know the answer to is not asked again.
    if ([...this.open.values()].includes('monitor_cond_change')) return
    this.stream.close()
    this.open.clear()
    this.stream = this.connect()
    this.monitors = false
    this.monitor()
  }

  ask(method: string, params: readonly Json[]): void {
    this.open.set(this.next, method)
    this.stream.write(Buffer.from(printJson({ id: this.next++, method, params })))
  }

  monitor(): void {
    if (this.monitors) return
    this.monitors = true
    const requests = Object.fromEntries(TABLES.map((name) => [name, [{ columns: [...COLUMNS[name]] }]]))
    const some = [{ columns: ['n', 's'], where: [['n', '<', this.limit]] }]
    this.ask('monitor_cond_since', ['D', 'm', { ...requests, T: some }, this.lastId])
  }

  condition(limit: number): void {
    if (!this.monitors || [...this.open.values()].includes('monitor_cond_change')) return
    this.limit = limit
    this.ask('monitor_cond_change', ['m', 'm', { T: [{ where: [['n', '<', limit]] }] }])
  }

  pause(): void {
    this.stream.pause()
  }

  resume(): void {
    this.stream.resume()
  }

  private receive({ id, method, params, result, error }: JsonObject): void {
    if (method === 'update3') {
      const [, last, updates] = params as readonly Json[]
      this.lastId = String(last)
      this.apply(updates as JsonObject)
    }
    if (method !== undefined) return
    const asked = this.open.get(id as number)
    this.open.delete(id as number)
    if (asked !== 'monitor_cond_since') return
    expect(error).toBeNull()
    const [found, last, updates] = result as readonly Json[]
    if (!found) for (const rows of this.rows.values()) rows.clear()
    this.lastId = String(last)
    this.apply(updates as JsonObject, found === true)
  }

  /** @param resumed what it is told to have been there may have been there before its condition was another */
  private apply(updates: JsonObject, resumed = false): void {
    for (const [name, changes] of Object.entries(updates)) {
      const rows = this.rows.get(name)
      for (const [uuid, change] of Object.entries(changes as JsonObject)) {
        const { initial, insert, modify } = change as Record<string, JsonObject | undefined>
        const whole = initial ?? insert
        if (resumed && !whole && !modify) rows?.delete(uuid)
        else expect(rows?.has(uuid), `${printJson(change as Json)} of ${name} ${uuid}`).toBe(whole === undefined)
        if (whole)
          rows?.set(uuid, new Map(Object.entries(whole).map(([column, value]) => [column, members(value as Json)])))
        else if (modify)
          for (const [column, value] of Object.entries(modify)) this.modify(name, uuid, column, value as Json)
        else rows?.delete(uuid)
      }
    }
  }

  private modify(name: string, uuid: string, column: string, value: Json): void {
    const row = this.rows.get(name)?.get(uuid)
    const before = isArray(value) ? (row?.get(column) ?? []) : []
    const change = members(value)
    row?.set(column, [...before.filter((m) => !change.includes(m)), ...change.filter((m) => !before.includes(m))])
  }

  seen(): string[] {
    return [...this.rows]
      .flatMap(([name, rows]) => [...rows].map(([uuid, row]) => describe(name, uuid, (c) => row.get(c))))
      .sort()
  }
}

function describe(name: string, uuid: string, value: (column: string) => readonly unknown[] | undefined): string {
  const columns = COLUMNS[name as keyof typeof COLUMNS]
  // What is not told is empty or 0.
  const texts = columns.map((column) => [...(value(column) ?? [])].map((v) => String(v || '')).sort())
  return `${name} ${uuid} ${texts.join(' ')}`
}

/** The rows that a client with this condition is to see. */
function truth(database: Database, limit: number): string[] {
  return TABLES.flatMap((name) =>
    [...database.rows(name)]
      .filter((row) => name !== 'T' || Number(row['n']) < limit)
      .map((row) => {
        return describe(name, row._uuid, (column) => {
          const datum = row[column]
          return datum === undefined ? [] : typeof datum === 'object' ? [...(datum as readonly string[])] : [datum]
        })
      }),
  ).sort()
}

/** What is kept to check transactions. */
function kept(database: Database) {
  return [...database.tables.values()].map((table) => [
    table.indexes.map((index) => [...index.rows].sort()),
    [...table.references].sort(),
    [...table.referrers].map(([to, from]) => [to, [...from].sort()]).sort(),
  ])
}

function randomOperations(r: Random, database: Database | undefined): Json[] {
  const n = () => below(r, 100)
  // Some strings are so long that a client which does not read them is slow.
  const s = () => 'x'.repeat(below(r, 3) ? 1 : 30_000) + n()
  const where: Json[] = [['n', ['<', '>', '=='][below(r, 3)] as string, n()]]
  const insert = () => ({ op: 'insert', table: 'T', row: { n: n(), s: s() } })
  const some = (table: string): Json => {
    const all = [...(database?.rows(table) ?? [])]
    return ['uuid', all[below(r, all.length || 1)]?._uuid ?? ZERO]
  }
  const part = () => ({ op: 'insert', table: 'Part', 'uuid-name': 'p', row: { n: n() } })
  const named: Json = ['named-uuid', 'p']
  const choices: (() => Json[])[] = [
    () => [insert(), insert(), { op: 'commit', durable: true }],
    () => Array.from({ length: 30 }, (_, i) => ({ op: 'insert', table: 'T', row: { n: 100 + below(r, 20) * 30 + i } })),
    () => [{ op: 'delete', table: 'T', where }],
    () => [{ op: 'update', table: 'T', where, row: { s: s() } }],
    () => [{ op: 'mutate', table: 'T', where: [], mutations: [['n', '+=', 1]] }],
    () => [{ op: 'mutate', table: 'T', where: [['n', '>', 20]], mutations: [['n', '-=', 7]] }],
    () => [part(), { op: 'insert', table: 'Holder', row: { parts: named, friends: some('T') } }],
    () => {
      const mutations: Json = [
        ['parts', 'insert', named],
        ['friends', 'insert', some('T')],
      ]
      return [part(), { op: 'mutate', table: 'Holder', where: [], mutations }]
    },
    () => [{ op: 'delete', table: 'Holder', where: [['_uuid', '==', some('Holder')]] }],
    () => [{ op: 'update', table: 'Holder', where: [['_uuid', '==', some('Holder')]], row: { parts: ['set', []] } }],
    () => {
      const wait = { op: 'wait', table: 'T', where, columns: ['n'], until: '!=', rows: [], timeout: n() * 5 }
      return [wait, { op: 'delete', table: 'T', where }]
    },
  ]
  return (choices[below(r, choices.length)] as () => Json[])()
}

function play(seed: number): void {
  const r = seeded(seed)
  const disk = new FakeDisk()
  const clock = new UnsteadyClock(seeded(seed + 1))
  const { log, lines } = keptLog('info')
  createFile(disk, 'db', schema)
  const start = () => {
    const server = createServer({ clock, log, random: seeded(seed + 2) })
    const { schema, storage } = unwrap(openFile('db', { files: disk, clock, log, pieceSize: 200 }))
    return { server, storage, database: unwrap(server.addDatabase(schema, storage)) }
  }
  const { server, storage, database } = start()
  const clients = Array.from({ length: 5 }, () => new Client(clock, server))
  const step = () => {
    const client = clients[below(r, clients.length)] as Client
    const what = below(r, 100)
    if (what < 40) client.ask('transact', ['D', ...randomOperations(r, database)])
    else if (what < 60) client.condition(below(r, 150))
    else if (what < 65) client.pause()
    else if (what < 71) client.resume()
    else if (what < 75) storage.compact(database, () => {})
    else if (what < 90) client.reconnect()
    else if (what < 92) database.transact([{ op: 'insert', table: 'T', row: { n: 500 + below(r, 100) } }])
    else disk.finishSyncs()
  }
  let left = 200
  /** The next step comes some slices later, in the midst of what is under way. */
  const later = () => {
    let turns = below(r, 8)
    const turn = () => {
      if (turns-- > 0) clock.after(below(r, 100) ? 0 : 500, turn)
      else if (left-- > 0) {
        step()
        later()
      }
    }
    turn()
  }
  later()
  while (left > 0) clock.advance(1000)
  for (let i = 0; i < 10; i++) {
    for (const client of clients) client.resume()
    clock.advance(1000)
    disk.finishSyncs()
  }
  expect(lines.filter((l) => l.level !== 'info').map((l) => l.message)).toEqual([])
  for (const client of clients) {
    expect(client.closed).toBe(false)
    expect([...client.open.values()]).toEqual([])
    if (client.monitors) expect(client.seen()).toEqual(truth(database, client.limit))
  }
  server.close()
  disk.crash(r)
  const again = start().database
  expect(truth(again, Number.POSITIVE_INFINITY)).toEqual(truth(database, Number.POSITIVE_INFINITY))
  expect(kept(again)).toEqual(kept(database))
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])('seed %i: put aside after each row, all is as it is at once', (seed) => {
  for (let i = 0; i < 3; i++) play(seed * 1000 + i)
})
