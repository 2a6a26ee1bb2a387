import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog, type Level } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { streamPair } from '../../base/stream.ts'
import { RpcClient } from '../client/rpc.ts'
import { readSchema } from '../schema/index.ts'
import { createServer } from './index.ts'

// What a server and its client log of their messages at DBG.

const schema = readSchema({
  name: 'D',
  version: '1.0.0',
  tables: { T: { columns: { name: { type: 'string' } } } },
})

/** A conversation with updates, errors, a dump and a transaction in pieces; the lines of both sides. */
function converse(floor: Level): { server: string[]; client: string[] } {
  const clock = new VirtualClock()
  const [ours, theirs] = [keptLog(floor), keptLog(floor)]
  const server = createServer({ clock, log: ours.log, random: seeded(1) })
  const database = server.addDatabase(schema)
  if (!database.ok) throw new Error(database.error)
  const insert = (name: string) => ({ op: 'insert', table: 'T', row: { name } }) as const
  database.value.transact(Array.from({ length: 3000 }, (_, n) => insert(`${n}${'é'.repeat(1000)}`)))
  const [near, far] = streamPair(clock)
  server.accept(far)
  const client = new RpcClient(near, () => clock.monotonic(), theirs.log)
  const ask = (method: string, ...params: (string | object)[]) => {
    client.request(method, params as never, () => {})
    clock.settle()
  }
  ask('monitor_cond_since', 'D', 'm', { T: [{}] }, '00000000-0000-0000-0000-000000000000')
  ask('transact', 'D', ...Array.from({ length: 2000 }, (_, n) => insert(`new${n}`)))
  ask('transact', 'D', { op: 'nonsense' })
  ask('lock', 'l')
  client.probe()
  clock.settle()
  const messages = (lines: typeof ours.lines) =>
    lines
      .filter((l) => l.level === 'dbg' && l.module === 'jsonrpc')
      .map((l) => l.message.replace(/^\S+ (send|received) /, (_, way: string) => `${way}: `))
  return { server: messages(ours.lines), client: messages(theirs.lines) }
}

test('each message once, and the same at both ends', () => {
  const { server, client } = converse('dbg')
  expect(server.map((l) => l.slice(0, 40))).toEqual([
    'received: request, method="monitor_cond_',
    expect.stringMatching(/^send: reply, result=\[false,"/),
    'received: request, method="transact", pa',
    'send: notification, method="update3", pa',
    expect.stringMatching(/^send: reply, result=\[\{"uuid":/),
    'received: request, method="transact", pa',
    expect.stringMatching(/^send: reply, result=\[\{"details":/),
    'received: request, method="lock", params',
    'send: reply, result={"locked":true}, id=',
    'received: request, method="echo", params',
    'send: reply, result=[], id="echo"',
  ])
  expect(server[1]?.length).toBeGreaterThan(3_000_000)
  const other = (line: string) => line.replace(/^(send|received)/, (way) => (way === 'send' ? 'received' : 'send'))
  expect(client.map(other).sort()).toEqual([...server].sort())
})

test('nothing when DBG is off', () => {
  expect(converse('info')).toEqual({ server: [], client: [] })
})
