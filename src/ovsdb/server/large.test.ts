import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { silent } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { streamPair } from '../../base/stream.ts'
import { type Json, type JsonObject, printJson } from '../../jsonrpc/json.ts'
import { MessageReader } from '../../jsonrpc/reader.ts'
import { readSchema } from '../schema/index.ts'
import { createServer } from './index.ts'

/** A clock on which everything takes long: work is put aside wherever it can be. */
class SlowClock extends VirtualClock {
  private passed = 0
  override monotonic(): number {
    this.passed += 20
    return this.passed
  }
}

const schema = readSchema({ name: 'D', tables: { T: { columns: { n: { type: 'integer' } } } } })
const ROWS = 3000
const large: readonly Json[] = [
  'D',
  ...Array.from({ length: ROWS }, (_, n) => ({ op: 'insert', table: 'T', row: { n } })),
]

function setup() {
  const clock = new SlowClock()
  const server = createServer({ clock, log: silent, random: seeded(1) })
  const added = server.addDatabase(schema)
  if (!added.ok) throw new Error(added.error)
  const order: string[] = []
  const client = (name: string) => {
    const [mine, theirs] = streamPair(clock)
    server.accept(theirs)
    const messages: JsonObject[] = []
    const reader = new MessageReader((json) => {
      const message = json as JsonObject
      messages.push(message)
      order.push(`${name} ${message['method'] ?? message['id']}`)
    })
    mine.onData = (bytes) => reader.push(bytes)
    const call = (method: string, params: readonly Json[], id: Json) =>
      void mine.write(Buffer.from(printJson({ id, method, params })))
    return { stream: mine, messages, call }
  }
  const size = () => [...(server.database('D')?.rows('T') ?? [])].length
  return { clock, server, client, order, size }
}

test('while a large transaction runs, others are answered; what they write comes after it', () => {
  const { clock, client, order, size } = setup()
  const [a, b] = [client('a'), client('b')]
  b.call('monitor', ['D', 'm', { T: {} }], 'monitor')
  clock.settle()
  a.call('transact', large, 'large')
  b.call('echo', [], 'echo')
  b.call('transact', ['D', { op: 'insert', table: 'T', row: { n: -1 } }], 'small')
  clock.settle()
  const seen = order.filter((line) => line.startsWith('b'))
  expect(seen).toEqual(['b monitor', 'b echo', 'b update', 'b update', 'b small'])
  expect(order.indexOf('b echo')).toBeLessThan(order.indexOf('a large'))
  expect(order.indexOf('a large')).toBeLessThan(order.indexOf('b small'))
  expect(size()).toBe(ROWS + 1)
  const updated = b.messages.map((m) => printJson(m).split('"new":').length - 1)
  expect(updated).toEqual([0, 0, ROWS, 1, 0])
})

test('a conversion waits for the large transaction under way, and keeps its rows', () => {
  const { clock, client, order, size } = setup()
  const [a, b] = [client('a'), client('b')]
  for (const c of [a, b]) c.call('set_db_change_aware', [true], 'aware')
  clock.settle()
  order.length = 0
  a.call('transact', large, 'large')
  const columns = { n: { type: 'integer' }, more: { type: 'string' } }
  b.call('convert', ['D', { name: 'D', version: '2.0.0', tables: { T: { columns } } }], 'convert')
  clock.settle()
  expect(order).toEqual(['a large', 'b convert'])
  expect(a.messages.at(-1)?.['error']).toBeNull()
  expect(size()).toBe(ROWS)
})

test('a client that goes, or cancels, in the midst of its large transaction', () => {
  const { clock, server, client, order, size } = setup()
  const [a, b, c] = [client('a'), client('b'), client('c')]
  a.call('transact', large, 'large')
  b.call('transact', large, 'behind')
  c.call('transact', large, 'under way')
  for (const [x, id] of [
    [b, 'behind'],
    [c, 'nothing'],
  ] as const) {
    x.stream.write(Buffer.from(printJson({ id: null, method: 'cancel', params: [id] })))
  }
  a.stream.close()
  clock.settle()
  // What was behind has been withdrawn, what was under way is done.
  expect(order).toEqual(['b behind', 'c under way'])
  expect(b.messages).toEqual([{ id: 'behind', error: 'canceled' }])
  expect(size()).toBe(2 * ROWS)
  expect(server.sessions.size).toBe(2)
})

test('a database that is removed takes its large transaction with it', () => {
  const { clock, server, client, order } = setup()
  const a = client('a')
  a.call('set_db_change_aware', [true], 'aware')
  a.call('transact', large, 'large')
  a.call('transact', ['D', { op: 'select', table: 'T', where: [] }], 'behind')
  // In the turn after the request has come.
  clock.after(0, () => clock.after(0, () => expect(server.removeDatabase('D')).toBe(true)))
  clock.settle()
  expect(order).toEqual(['a aware', 'a large', 'a behind'])
  expect(a.messages.at(-1)).toEqual({ id: 'behind', error: 'canceled' })
})
