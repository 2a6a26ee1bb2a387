import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { streamPair } from '../../base/stream.ts'
import { type Json, type JsonObject, printJson } from '../../jsonrpc/json.ts'
import { MessageReader } from '../../jsonrpc/reader.ts'
import { readSchema } from '../schema/index.ts'
import { PendingTransactions, Remembered } from './allowance.ts'
import { createServer } from './index.ts'

// What one client may ask to be kept for it.

const schema = readSchema({
  name: 'D',
  version: '1.0.0',
  cksum: '',
  tables: { T: { columns: { n: { type: 'integer' } } } },
})

function setup() {
  const clock = new VirtualClock()
  const { log, lines } = keptLog('info')
  const server = createServer({ clock, log, random: seeded(1) })
  const added = server.addDatabase(schema)
  if (!added.ok) throw new Error(added.error)
  const client = () => {
    const [mine, theirs] = streamPair(clock)
    server.accept(theirs)
    const messages: JsonObject[] = []
    const reader = new MessageReader((m) => messages.push(m as JsonObject))
    mine.onData = (bytes) => reader.push(bytes)
    let closed = false
    mine.onClose = () => {
      closed = true
    }
    let id = 0
    return {
      stream: mine,
      messages,
      closed: () => closed,
      send: (method: string, params: readonly Json[]) => {
        mine.write(Buffer.from(printJson({ id: id++, method, params })))
      },
    }
  }
  return { clock, server, database: added.value, client, lines }
}

/** A transaction that waits until there is a row with this value. */
const waitFor = (n: number, timeout?: number): readonly Json[] => [
  'D',
  {
    op: 'wait',
    table: 'T',
    where: [['n', '==', n]],
    columns: ['n'],
    until: '==',
    rows: [{ n }],
    ...(timeout === undefined ? {} : { timeout }),
  },
]
const insert = (n: number): Json => ({ op: 'insert', table: 'T', row: { n } })

test('200 transactions that wait are nothing special, and each is answered when its time has come', () => {
  const { clock, client, database } = setup()
  const patient = client()
  for (let n = 0; n < 200; n++) patient.send('transact', waitFor(n, 60_000))
  clock.settle()
  expect(patient.messages).toEqual([])
  for (let n = 0; n < 100; n++) database.transact([{ op: 'insert', table: 'T', row: { n } }])
  clock.settle()
  expect(patient.messages.map((m) => m['id'])).toEqual(Array.from({ length: 100 }, (_, n) => n))
  clock.advance(60_001)
  expect(patient.messages).toHaveLength(200)
})

test('of a client that has very many transactions wait no more is read until some have ended; others are served', () => {
  const { clock, client, lines } = setup()
  const greedy = client()
  greedy.stream.pause()
  for (let n = 0; n < 20_000; n++) greedy.send('transact', waitFor(n, 10_000))
  clock.settle()
  // Read was what had come before the stream could be stopped; most of it is still the client's.
  expect(greedy.stream.queued).toBeGreaterThan(1_000_000)
  const other = client()
  for (let n = 0; n < 50; n++) other.send('transact', ['D', insert(n)])
  clock.settle()
  expect(other.messages).toHaveLength(50)
  // A thousand at a time time out after ten seconds each.
  greedy.stream.resume()
  clock.advance(205_000)
  expect(greedy.messages).toHaveLength(20_000)
  expect(lines.filter((l) => l.level !== 'info')).toEqual([])
})

test('one that goes on to send more than it may, and waits for ever, is dropped, and nothing of it is kept', () => {
  const { clock, server, client, database, lines } = setup()
  const greedy = client()
  for (let n = 0; n < 3000; n++) greedy.send('transact', waitFor(n))
  clock.advance(100_000)
  expect(greedy.closed()).toBe(false)
  clock.advance(100_000)
  expect(greedy.closed()).toBe(true)
  expect(lines.map((l) => l.message)).toContain(
    'memory: connection dropped (1000 transactions of it wait, and it sends more)',
  )
  expect(server.sessions.size).toBe(0)
  database.transact([{ op: 'insert', table: 'T', row: { n: 1 } }])
  expect(clock.settle()).toBe(0)
})

test('one that has as many wait as it may, and no more, stays, is probed, and can cancel them', () => {
  const { clock, client } = setup()
  const careful = client()
  for (let n = 0; n < 1000; n++) careful.send('transact', waitFor(n))
  clock.advance(1_000_000)
  expect(careful.closed()).toBe(false)
  careful.send('echo', ['here'])
  careful.stream.write(Buffer.from('{"id":null,"method":"cancel","params":[7]}'))
  careful.send('transact', ['D', insert(3)])
  clock.settle()
  expect(careful.messages.map((m) => m['id'])).toEqual([1000, 7, 1001, 3])
})

test('a client may have many locks and monitors, but not fill the memory with them', () => {
  const { clock, client } = setup()
  const greedy = client()
  for (let n = 0; n < 1001; n++) greedy.send('lock', [`l${n}`])
  clock.settle()
  expect(greedy.messages[999]).toEqual({ id: 999, result: { locked: true }, error: null })
  expect(greedy.messages[1000]).toMatchObject({ id: 1000, error: { error: 'resources exhausted' } })
  greedy.send('unlock', ['l5'])
  greedy.send('lock', ['other'])
  clock.settle()
  expect(greedy.messages[1002]).toMatchObject({ result: { locked: true } })
  greedy.messages.splice(0)
  for (let n = 0; n < 1001; n++) greedy.send('monitor', ['D', n, { T: { columns: ['n'] } }])
  greedy.send('monitor_cancel', [5])
  greedy.send('monitor', ['D', 'other', { T: {} }])
  clock.settle()
  expect(greedy.messages.filter((m) => m['error'] !== null)).toMatchObject([
    { error: { error: 'resources exhausted', details: 'too many locks or monitors of one client' } },
  ])
})

test('locks of a client that goes are free again, and nobody else loses any', () => {
  const { clock, client } = setup()
  const [one, two] = [client(), client()]
  for (let n = 0; n < 5; n++) one.send('lock', [`l${n}`])
  clock.settle()
  for (let n = 3; n < 8; n++) two.send('lock', [`l${n}`])
  clock.settle()
  expect(two.messages.map((m) => (m['result'] as JsonObject)['locked'])).toEqual([false, false, true, true, true])
  one.stream.close()
  clock.settle()
  expect(two.messages.slice(5).map((m) => [m['method'], m['params']])).toEqual([
    ['locked', ['l3']],
    ['locked', ['l4']],
  ])
  const three = client()
  for (const name of ['l0', 'l6']) three.send('lock', [name])
  clock.settle()
  expect(three.messages.map((m) => (m['result'] as JsonObject)['locked'])).toEqual([true, false])
})

test('one transaction may be of any size, several together not', () => {
  const pending = new PendingTransactions()
  const add = (key: string, bytes: number) => pending.add(key, { id: key, bytes, withdraw: () => true })
  add('huge', 600e6)
  expect(pending.crowded).toBe(true)
  pending.delete('huge')
  pending.delete('huge')
  expect(pending.crowded).toBe(false)
  for (let i = 0; i < 6; i++) add(`${i}`, 10e6)
  expect(pending.crowded).toBe(false)
  add('last', 10e6)
  expect(pending.crowded).toBe(true)
  pending.clear()
  expect(pending.crowded).toBe(false)
})

test('names and conditions may be long, all of one client together only so long', () => {
  const remembered = new Remembered()
  remembered.allow(0, 60e6)
  remembered.add(60e6)
  expect(() => remembered.allow(0, 60e6)).toThrow('too many locks or monitors')
  remembered.remove(60e6)
  remembered.allow(999, 60e6)
  expect(() => remembered.allow(1000, 1)).toThrow('too many locks or monitors')
})
