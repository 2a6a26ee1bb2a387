import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { silent } from '../../base/log.ts'
import { below, type Random, seeded } from '../../base/random.ts'
import { type ByteStream, streamPair } from '../../base/stream.ts'
import { type Json, printJson } from '../../jsonrpc/json.ts'
import { readSchema } from '../schema/index.ts'
import { createServer, type Server } from './index.ts'

// Clients that come and go, in whatever they are in the midst of, leave nothing behind.

const schema = readSchema({
  name: 'D',
  version: '1.0.0',
  cksum: '',
  tables: { T: { columns: { n: { type: 'integer' }, text: { type: 'string' } } } },
})

/** Objects that can be reached from this one, by the names of their classes. */
function census(root: object): Map<string, number> {
  const counts = new Map<string, number>()
  const seen = new Set<object>()
  const work: object[] = [root]
  const visit = (value: unknown) => {
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || seen.has(value)) return
    seen.add(value)
    work.push(value)
  }
  for (let next = work.pop(); next; next = work.pop()) {
    const name = next.constructor?.name ?? 'none'
    counts.set(name, (counts.get(name) ?? 0) + 1)
    for (const key of Object.keys(next)) visit((next as Record<string, unknown>)[key])
    if (next instanceof Map) for (const [key, value] of next) for (const one of [key, value]) visit(one)
    if (next instanceof Set) for (const value of next) visit(value)
  }
  return counts
}

const wait = { op: 'wait', table: 'T', where: [], columns: ['n'], until: '==', rows: [{ n: -1 }] }

function visitor(clock: VirtualClock, server: Server, random: Random): ByteStream {
  const [mine, theirs] = streamPair(clock)
  server.accept(theirs, { probe: 5000, readOnly: false, role: '' })
  let id = 0
  const ask = (method: string, params: readonly Json[]) =>
    mine.write(Buffer.from(printJson({ id: id++, method, params })))
  const requests: (() => void)[] = [
    () => ask('transact', ['D', wait]),
    () => ask('transact', ['D', { ...wait, timeout: 50_000 }]),
    () =>
      ask('transact', ['D', { op: 'update', table: 'T', where: [['n', '==', below(random, 50)]], row: { text: 'x' } }]),
    () => ask('transact', ['D', { op: 'update', table: 'T', where: [], row: { text: `${below(random, 9)}` } }]),
    () => ask(below(random, 2) ? 'lock' : 'steal', [`l${below(random, 5)}`]),
    () => ask('unlock', [`l${below(random, 5)}`]),
    () => ask('monitor', ['D', below(random, 5), { T: {} }]),
    () => ask('monitor_cond', ['D', below(random, 5), { T: [{ where: [['n', '>', below(random, 3000)]] }] }]),
    () => ask('monitor_cond_change', [0, 1, { T: [{ where: [['n', '<', 9]] }] }]),
    () => ask('monitor_cancel', [below(random, 5)]),
    () => mine.write(Buffer.from('{"id":null,"method":"cancel","params":[0]}')),
    () => mine.write(Buffer.from('{"id":1,"method":"transact","params":["D",{"op"')),
    () => mine.write(Buffer.from('{"id":1,"method":7}')),
    () => mine.pause(),
    () => mine.resume(),
  ]
  for (let i = below(random, 8); i >= 0; i--) (requests[below(random, requests.length)] as () => void)()
  return mine
}

test('thousands of clients that end at any moment leave no object, timer, lock or transaction behind', () => {
  const clock = new VirtualClock()
  const random = seeded(7)
  const server = createServer({ clock, log: silent, random: seeded(1) })
  const added = server.addDatabase(schema)
  if (!added.ok) throw new Error(added.error)
  added.value.transact(
    Array.from({ length: 3000 }, (_, n) => ({ op: 'insert', table: 'T', row: { n, text: 'a text of some length' } })),
  )
  const visit = (count: number) => {
    const there: ByteStream[] = []
    for (let i = 0; i < count; i++) {
      there.push(visitor(clock, server, random))
      if (there.length > 5)
        there.splice(below(random, 5), 1)[0]?.close(below(random, 2) ? new Error('gone') : undefined)
      if (below(random, 3) === 0) clock.advance(below(random, 2) * 100)
    }
    for (const stream of there) stream.close(new Error('gone'))
    clock.advance(10_000)
    // What they changed leaves the history.
    for (let i = 0; i < 250; i++)
      added.value.transact([{ op: 'update', table: 'T', where: [['n', '==', 0]], row: { text: `${i}` } }])
    clock.settle()
    return census(server)
  }
  visit(50)
  const before = visit(50)
  const after = visit(500)
  expect(server.sessions.size).toBe(0)
  // The history is not always of the same length; anything that is left of each client would be 500 more.
  const more = [...after].filter(([name, count]) => count > (before.get(name) ?? 0) + 250)
  expect(more).toEqual([])
  expect(clock.next()).toBeUndefined()
})
