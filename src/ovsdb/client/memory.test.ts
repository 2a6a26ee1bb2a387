import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { ok } from '../../base/result.ts'
import type { Json } from '../../jsonrpc/json.ts'
import { type Items, itemSchema } from './_fixture.ts'
import { LAST, result, Scripted } from './_scripted.ts'
import { OvsdbConnection } from './connection.ts'
import { RemoteReplica } from './remote.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes of the heap that are in use. */
function heap(): number {
  collect()
  return process.memoryUsage().heapUsed
}

const row = (i: number) => `00000000-0000-4000-8000-${i.toString(16).padStart(12, '0')}`
const rows: Json = Object.fromEntries(
  Array.from({ length: 10 }, (_, i) => [row(i), { initial: { name: `item ${i}`, tags: ['set', ['a', 'b']] } }]),
)

it('thousands of reconnections leave nothing behind', { timeout: 60_000 }, () => {
  const clock = new VirtualClock()
  let server: Scripted | undefined
  let connections = 0
  const replica = new RemoteReplica<Items>({
    ...{ schema: itemSchema, remotes: ['x'], clock },
    dial: (_remote, done) => {
      connections++
      server = new Scripted(clock, (method) => {
        if (method === 'monitor_cond_since')
          return result([connections % 2 === 0, LAST, { Item: connections % 2 ? rows : {} }])
        if (method === 'transact') return undefined
        return result({})
      })
      done(ok(server.client))
      return () => {}
    },
  })
  const db = new OvsdbConnection<Items>(replica, clock, { u32: () => 7 })
  db.table('Item').index('name', (item) => item.name)
  replica.lock('mine')
  let unknown = 0
  const reconnect = (times: number) => {
    for (let i = 0; i < times; i++) {
      clock.advance(1500)
      replica.transact([{ op: 'comment', comment: 'never answered' }], () => unknown++)
      clock.settle()
      server?.stream.close()
      clock.settle()
    }
  }
  reconnect(500)
  const grown: number[] = []
  for (let round = 0; round < 3; round++) {
    const before = heap()
    reconnect(900)
    grown.push((heap() - before) / 900)
  }
  expect(connections).toBeGreaterThan(3200)
  expect(unknown).toBe(3200)
  expect(replica.table('Item').size).toBe(10)
  // bytes of each: what is left behind is so every time, the heap wavers now and then
  expect(Math.min(...grown)).toBeLessThan(100)
  replica.close()
})
