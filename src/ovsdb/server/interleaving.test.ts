import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog } from '../../base/log.ts'
import { below, type Random, seeded } from '../../base/random.ts'
import { unwrap } from '../../base/result.ts'
import { type ByteStream, streamPair } from '../../base/stream.ts'
import { isObject, type Json, type JsonObject, printJson } from '../../jsonrpc/json.ts'
import { MessageReader } from '../../jsonrpc/reader.ts'
import { readSchema } from '../schema/index.ts'
import { FakeDisk } from '../storage/fake-disk.test-helper.ts'
import { createFile, openFile } from '../storage/index.ts'
import type { Database } from '../transaction/index.ts'
import { createServer, type Server } from './index.ts'

// Everything at once, in random order: whatever is put aside half done, all are answered, told the truth,
// and find it again after a restart.

/** A clock on which things take long now and then: work is put aside in the midst of anything. */
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

const schemaJson = (version: number) => ({
  name: 'D',
  version: `${version}.0.0`,
  cksum: '',
  tables: { T: { columns: { n: { type: 'integer' }, [`v${version % 2}`]: { type: 'string' } } } },
})

class Client {
  /** By uuid: `n` of the rows that this client was told of; undefined while it has no monitor. */
  rows: Map<string, number> | undefined
  readonly open = new Map<number, string>()
  closed = false
  private next = 0
  private readonly stream: ByteStream

  constructor(clock: VirtualClock, server: Server) {
    const [mine, theirs] = streamPair(clock)
    this.stream = mine
    server.accept(theirs)
    const reader = new MessageReader((m) => this.receive(m as JsonObject))
    mine.onData = (bytes) => reader.push(bytes)
    mine.onClose = () => {
      this.closed = true
    }
    this.ask('set_db_change_aware', [true])
  }

  ask(method: string, params: readonly Json[]): number {
    const id = this.next++
    this.open.set(id, method)
    this.stream.write(Buffer.from(printJson({ id, method, params })))
    return id
  }

  cancel(): void {
    const ids = [...this.open.keys()]
    const params = [ids[ids.length - 1] ?? 0]
    this.stream.write(Buffer.from(printJson({ id: null, method: 'cancel', params })))
  }

  pause(): void {
    this.stream.pause()
  }

  resume(): void {
    this.stream.resume()
  }

  close(): void {
    this.closed = true
    this.stream.close()
  }

  private receive(message: JsonObject): void {
    const { id, method, params } = message
    if (method === 'update2') this.apply((params as readonly Json[])[1] as Json)
    else if (method === 'monitor_canceled') this.rows = undefined
    if (method !== undefined) return
    const asked = this.open.get(id as number)
    expect(asked, `an answer to nothing: ${printJson(message)}`).toBeDefined()
    this.open.delete(id as number)
    if (asked === 'monitor_cond' && !message['error']) {
      this.rows = new Map()
      this.apply(message['result'] as Json)
    }
  }

  private apply(updates: Json): void {
    const { rows } = this
    if (!rows) throw new Error('an update without a monitor')
    const table = isObject(updates) && isObject(updates['T']) ? updates['T'] : {}
    for (const [uuid, change] of Object.entries(table)) {
      const { initial, insert, modify } = change as Record<string, { readonly n?: number } | undefined>
      const whole = initial ?? insert
      if (whole) rows.set(uuid, whole.n ?? 0)
      else if (modify) {
        expect(rows.has(uuid)).toBe(true)
        if (modify.n !== undefined) rows.set(uuid, modify.n)
      } else expect(rows.delete(uuid)).toBe(true)
    }
  }
}

const rowsOf = (database: Database | undefined) =>
  [...(database?.rows('T') ?? [])].map((row) => `${row._uuid} ${row['n']}`).sort()

function operationsOf(r: Random): Json[] {
  const insert = () => ({ op: 'insert', table: 'T', row: { n: below(r, 50) } })
  const where: Json[] = [['n', '==', below(r, 50)]]
  const choices: (() => Json[])[] = [
    () => [insert()],
    () => [insert(), { op: 'commit', durable: true }],
    () => Array.from({ length: 400 }, insert),
    () => [{ op: 'delete', table: 'T', where }],
    () => [
      { op: 'update', table: 'T', where, row: { n: below(r, 50) } },
      { op: 'commit', durable: true },
    ],
    () => [{ op: 'mutate', table: 'T', where: [], mutations: [['n', '+=', 1]] }],
    () => [{ op: 'delete', table: 'T', where: [['n', '>', 20]] }, { op: 'abort' }],
    () => [{ op: 'delete', table: 'T', where: [['n', '>', 5]] }],
    () => [{ op: 'assert', lock: 'l' }, ...Array.from({ length: 300 }, insert)],
    () => {
      const until = below(r, 2) ? '==' : '!='
      const wait = { op: 'wait', table: 'T', where, columns: ['n'], until, rows: [], timeout: below(r, 5) * 100 }
      return [...Array.from({ length: below(r, 2) * 300 }, insert), wait, insert()]
    },
  ]
  return (choices[below(r, choices.length)] as () => Json[])()
}

function play(seed: number): void {
  const r = seeded(seed)
  const disk = new FakeDisk()
  const clock = new UnsteadyClock(seeded(seed + 1))
  const { log, lines } = keptLog('info')
  expect(createFile(disk, 'db', readSchema(schemaJson(0)))).toBeUndefined()
  const start = () => {
    const server = createServer({ clock, log, random: seeded(seed + 2) })
    const { schema, storage } = unwrap(openFile('db', { files: disk, clock, log, pieceSize: 2000 }))
    unwrap(server.addDatabase(schema, storage))
    return { server, storage }
  }
  const { server, storage } = start()
  let clients = Array.from({ length: 4 }, () => new Client(clock, server))
  let compactions = 0
  let version = 0
  const step = () => {
    const client = clients[below(r, clients.length)] as Client
    const what = below(r, 100)
    if (what < 50) client.ask('transact', ['D', ...operationsOf(r)])
    else if (what < 58) client.cancel()
    else if (what < 66) client.ask(['lock', 'steal', 'unlock'][below(r, 3)] as string, ['l'])
    else if (what < 74) {
      if (!client.rows && ![...client.open.values()].includes('monitor_cond')) {
        client.ask('monitor_cond', ['D', version, { T: [{ columns: ['n'] }] }])
      }
    } else if (what < 80) client.pause()
    else if (what < 86) client.resume()
    else if (what < 90) {
      compactions++
      const database = server.database('D')
      if (database) storage.compact(database, () => compactions--)
    } else if (what < 92) client.ask('convert', ['D', schemaJson(++version)])
    else if (what < 95) {
      client.close()
      clients = clients.map((c) => (c === client ? new Client(clock, server) : c))
    } else disk.finishSyncs()
    // Some of what is due is done, not all: the next step comes in the midst of it.
    if (below(r, 4) === 0) clock.advance(below(r, 3) * 50)
    else clock.after(0, () => {})
  }
  for (let i = 0; i < 150; i++) {
    // Steps come from within the clock, between the slices of what is under way.
    clock.after(0, step)
    if (below(r, 3) === 0) clock.settle()
  }
  for (let i = 0; i < 20; i++) {
    for (const client of clients) client.resume()
    clock.advance(1000)
    disk.finishSyncs()
  }
  const expected = rowsOf(server.database('D'))
  expect(lines.filter((l) => l.level !== 'info').map((l) => l.message)).toEqual([])
  for (const client of clients) {
    // Converted away before it could say that it knows of such things.
    if (client.closed) continue
    expect([...client.open.values()]).toEqual([])
    if (client.rows) expect([...client.rows].map(([uuid, n]) => `${uuid} ${n}`).sort()).toEqual(expected)
  }
  expect(compactions).toBe(0)
  server.close()
  disk.crash(r)
  expect(rowsOf(start().server.database('D'))).toEqual(expected)
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])('seed %i: all are answered and told the truth, and the file holds it', (seed) => {
  for (let i = 0; i < 2; i++) play(seed * 1000 + i)
})
