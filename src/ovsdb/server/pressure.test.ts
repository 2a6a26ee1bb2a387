import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { streamPair } from '../../base/stream.ts'
import { isObject, type Json, type JsonObject, printJson } from '../../jsonrpc/json.ts'
import { MessageReader } from '../../jsonrpc/reader.ts'
import { readSchema } from '../schema/index.ts'
import { createServer } from './index.ts'

/** A clock on which everything takes long: transactions are put aside wherever they can be. */
class SlowClock extends VirtualClock {
  slow = false
  private passed = 0
  override monotonic(): number {
    if (this.slow) this.passed += 100
    return super.monotonic() + this.passed
  }
}

const schemaOf = (version: string) =>
  ({
    name: 'D',
    version,
    cksum: '',
    tables: { T: { columns: { name: { type: 'string' }, n: { type: 'integer' } } } },
  }) as const

function setup() {
  const clock = new SlowClock()
  const { log, lines } = keptLog('info')
  const server = createServer({ clock, log, random: seeded(1) })
  const added = server.addDatabase(readSchema(schemaOf('1.0.0')))
  if (!added.ok) throw new Error(added.error)
  const client = () => {
    const [mine, theirs] = streamPair(clock)
    server.accept(theirs)
    const messages: JsonObject[] = []
    const reader = new MessageReader((m) => messages.push(m as JsonObject))
    let bytes = 0
    mine.onData = (b) => {
      bytes += b.length
      reader.push(b)
    }
    let next = 0
    return {
      stream: mine,
      messages,
      bytes: () => bytes,
      send: (method: string, params: readonly Json[]) => {
        mine.write(Buffer.from(printJson({ id: next++, method, params })))
      },
      /** All that came so far: `id result`, `id error` or the notification's method. */
      said: () => messages.map((m) => (m['method'] ? `${m['method']}` : `${m['id']} ${brief(m)}`)),
    }
  }
  const fill = (rows: number, size: number) => {
    const name = 'x'.repeat(size)
    added.value.transact(Array.from({ length: rows }, () => ({ op: 'insert', table: 'T', row: { name } })))
  }
  return { clock, server, database: added.value, client, fill, lines }
}

function brief(reply: JsonObject): string {
  const error = reply['error'] ?? null
  if (error !== null) return isObject(error) ? String(error['error']) : String(error)
  return 'ok'
}

const insert = (n: number) => ({ op: 'insert', table: 'T', row: { n } }) as const
const large = Array.from({ length: 3000 }, (_, n) => insert(n))
const backlog = (server: ReturnType<typeof setup>['server']) =>
  Math.max(...[...server.sessions].map((s) => s.queuedBytes))

test('many requests for much that come in one piece are answered one after the other, as they are read', () => {
  const { clock, server, client, fill } = setup()
  fill(1200, 1000)
  const greedy = client()
  greedy.stream.pause()
  const one = printJson({ id: 1, method: 'transact', params: ['D', { op: 'select', table: 'T', where: [] }] })
  greedy.stream.write(Buffer.from(one.repeat(20)))
  clock.settle()
  expect(backlog(server)).toBeLessThan(10_000_000)
  greedy.stream.resume()
  clock.settle()
  expect(greedy.messages).toHaveLength(20)
  expect(greedy.bytes()).toBeGreaterThan(20 * 1_200_000)
  greedy.send('echo', [1])
  clock.settle()
  expect(greedy.messages).toHaveLength(21)
})

test('a client that reads a long dump slowly, but reads, is not dropped', () => {
  const { clock, client, fill, lines } = setup()
  fill(16_000, 1000)
  const slow = client()
  const take = slow.stream.onData
  slow.stream.onData = (bytes) => {
    take?.(bytes)
    slow.stream.pause()
  }
  slow.send('monitor', ['D', 'm', { T: {} }])
  for (let i = 0; i < 400 && !slow.messages.length; i++) {
    clock.advance(750)
    slow.stream.resume()
  }
  clock.settle()
  expect(lines.filter((l) => l.level !== 'info').map((l) => l.message)).toEqual([])
  expect(slow.messages).toHaveLength(1)
})

test('a cancellation of what already runs, and then has to wait, is answered as one', () => {
  const { clock, client } = setup()
  const a = client()
  const wait = { op: 'wait', table: 'T', where: [], columns: ['n'], until: '==', rows: [{ n: -1 }] }
  clock.slow = true
  a.send('transact', ['D', ...large, wait])
  a.stream.write(Buffer.from('{"id":null,"method":"cancel","params":[0]}'))
  clock.settle()
  expect(a.said()).toEqual(['0 canceled'])
})

test('whoever gets a lock has seen what was done under it before', () => {
  const { clock, client } = setup()
  const [a, b] = [client(), client()]
  b.send('monitor', ['D', 'm', { T: {} }])
  a.send('lock', ['l'])
  clock.settle()
  clock.slow = true
  a.send('transact', ['D', { op: 'assert', lock: 'l' }, ...large])
  b.send('steal', ['l'])
  clock.settle()
  expect(b.said()).toEqual(['0 ok', 'update', '1 ok'])
  expect(a.said()).toEqual(['0 ok', '1 ok', 'stolen'])
})

test('a conversion comes after what was asked for before it', () => {
  const { clock, client } = setup()
  const [a, b, c] = [client(), client(), client()]
  for (const one of [a, b, c]) one.send('set_db_change_aware', [true])
  clock.settle()
  clock.slow = true
  a.send('transact', ['D', ...large])
  b.send('transact', ['D', insert(1)])
  c.send('convert', ['D', schemaOf('2.0.0')])
  clock.settle()
  expect([a, b, c].map((one) => one.said())).toEqual([
    ['0 ok', '1 ok'],
    ['0 ok', '1 ok'],
    ['0 ok', '1 ok'],
  ])
})

test('changes of conditions that nobody reads the outcome of are not asked for without end', () => {
  const { clock, client, fill } = setup()
  fill(4000, 50)
  const greedy = client()
  greedy.send('monitor_cond', ['D', 'm', { T: [{ columns: ['name'] }] }])
  clock.settle()
  greedy.stream.pause()
  for (let i = 0; i < 24; i++) {
    greedy.send('monitor_cond_change', ['m', 'm', { T: [{ where: [i % 2 === 1] }] }])
  }
  clock.settle()
  // Each one that was read holds all rows until it is told.
  expect(greedy.stream.queued).toBeGreaterThan(800)
  greedy.stream.resume()
  clock.settle()
  expect(greedy.messages.filter((m) => m['method'] === undefined)).toHaveLength(25)
})
