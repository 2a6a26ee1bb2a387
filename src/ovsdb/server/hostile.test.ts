import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { type ByteStream, streamPair } from '../../base/stream.ts'
import { MessageMemory } from '../../jsonrpc/memory.ts'
import type { ReaderLimits } from '../../jsonrpc/reader.ts'
import { readSchema } from '../schema/index.ts'
import { createServer } from './index.ts'

const schema = readSchema({ name: 'D', tables: { T: { columns: { name: { type: 'string' } } } } })

function setup(limits: Partial<ReaderLimits> = {}) {
  const clock = new VirtualClock()
  const { log, lines } = keptLog('info')
  const server = createServer({ clock, log, random: seeded(1), limits })
  const added = server.addDatabase(schema)
  if (!added.ok) throw new Error(added.error)
  const client = () => {
    const [mine, theirs] = streamPair(clock, ['client', 'server'])
    server.accept(theirs)
    let received = ''
    mine.onData = (bytes) => {
      received += Buffer.from(bytes)
    }
    const send = (text: string) => void mine.write(Buffer.from(text))
    return { stream: mine as ByteStream, send, received: () => received }
  }
  const served = () => {
    const other = client()
    other.send('{"id":1,"method":"echo","params":["alive"]}')
    clock.settle()
    const answer = other.received()
    other.stream.close()
    clock.settle()
    return answer
  }
  const said = () => lines.filter((l) => l.level === 'warn').map((l) => l.message)
  return { clock, server, database: added.value, client, served, said }
}

const ALIVE = '{"id":1,"result":["alive"],"error":null}'

test('a message larger than the limit: said with the limit, dropped, others unharmed', () => {
  const { clock, server, client, served, said } = setup({ size: 100_000 })
  const bad = client()
  bad.send('{"id":1,"method":"echo","params":["')
  for (let i = 0; i < 20; i++) bad.send('x'.repeat(10_000))
  clock.settle()
  expect(said()).toEqual([
    'client: error parsing stream: message larger than the limit of 100000 bytes',
    'client: connection dropped (Protocol error)',
  ])
  expect(server.sessions.size).toBe(0)
  expect(served()).toBe(ALIVE)
})

test('endless nesting, endless blanks, endless numbers and endless replies', () => {
  const { clock, server, client, served, said } = setup({ size: 100_000 })
  const deep = client()
  deep.send('['.repeat(5000))
  clock.settle()
  expect(said()[0]).toContain('byte 1000: input exceeds maximum nesting depth 1000')
  const blank = client()
  for (let i = 0; i < 50; i++) blank.send(' \n'.repeat(5000))
  const number = client()
  number.send('{"id":')
  for (let i = 0; i < 50; i++) number.send('1'.repeat(5000))
  clock.settle()
  expect(said().some((line) => line.includes('message larger than the limit'))).toBe(true)
  const reply = client()
  reply.send('{"id":1,"result":[],"error":null}'.repeat(100))
  clock.settle()
  expect(said().filter((line) => line.includes('received unexpected reply message'))).toHaveLength(1)
  // Blanks between messages harm nobody.
  expect(server.sessions.size).toBe(1)
  expect(served()).toBe(ALIVE)
})

test('half messages of many clients wait, and go with their clients', () => {
  const { clock, server, client, served } = setup()
  const half = Array.from({ length: 500 }, () => client())
  for (const c of half) c.send('{"id":1,"method":"transact","params":["D",{"op":"insert"')
  clock.settle()
  expect(served()).toBe(ALIVE)
  for (const c of half) c.stream.close()
  clock.settle()
  expect(server.sessions.size).toBe(0)
})

test('a commit of many rows waits in pieces for who does not read, and comes whole when he does', () => {
  const { clock, server, database, client, served } = setup()
  const slow = client()
  slow.send('{"id":1,"method":"monitor_cond","params":["D","m",{"T":[{}]}]}')
  clock.settle()
  slow.stream.pause()
  const name = 'y'.repeat(500)
  for (let n = 0; n < 2; n++) {
    database.transact(Array.from({ length: 5000 }, () => ({ op: 'insert', table: 'T', row: { name } })))
  }
  clock.settle()
  expect(Math.max(...[...server.sessions].map((s) => s.queuedBytes))).toBeLessThan(1_000_000)
  expect(served()).toBe(ALIVE)
  slow.stream.resume()
  clock.settle()
  expect(slow.received().split('"insert":').length - 1).toBe(10_000)
  expect(slow.received().split('"method":"update2"').length - 1).toBe(2)
})

test('what is too long, or too deep, to be written ends the connection or the transaction, and nothing else', () => {
  // As deep as this, V8 refuses in the same way as of a text of 512 MB.
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
  const { clock, server, client, served, said } = setup({ depth: 1_000_000 })
  const bad = client()
  bad.send(`{"id":1,"method":"echo","params":${deep}}`)
  clock.settle()
  expect(said()).toEqual(['client: connection dropped (a message for it would be longer than any string can be)'])
  expect(server.sessions.size).toBe(0)
  const other = client()
  other.send(`{"id":1,"method":"transact","params":["D",{"op":"comment","comment":${deep}}]}`)
  clock.settle()
  expect(other.received()).toContain('"resources exhausted"')
  expect(served()).toBe(ALIVE)
})

test('messages that would need all memory: whoever sends the one too many is dropped, and nothing stays taken', () => {
  const memory = new MessageMemory(100_000)
  const { clock, server, client, served, said } = setup({ whole: 1000, memory })
  const half = client()
  half.send(`{"id":1,"method":"echo","params":[${'{},'.repeat(1000)}`)
  const bad = client()
  bad.send(`{"id":1,"method":"echo","params":[${'{},'.repeat(1000)}`)
  clock.settle()
  expect(said()[0]).toBe(
    'client: error parsing stream: messages that are being read need more memory than the limit of 100000 bytes',
  )
  expect(server.sessions.size).toBe(1)
  expect(served()).toBe(ALIVE)
  half.stream.close()
  clock.settle()
  expect(memory.used).toBe(0)
})
