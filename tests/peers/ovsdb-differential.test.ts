import { afterAll, expect, test } from 'vitest'
import { silent } from '../../src/base/log.ts'
import { below, seeded } from '../../src/base/random.ts'
import { streamPair } from '../../src/base/stream.ts'
import { SystemClock } from '../../src/io/clock.ts'
import { type Json, printJson } from '../../src/jsonrpc/json.ts'
import { readSchema } from '../../src/ovsdb/schema/index.ts'
import { createServer } from '../../src/ovsdb/server/index.ts'
import { comparable, isAmbiguous, RawClient, realServer, tellsNothing, withoutLimits } from './ovsdb-differential.ts'
import { randomClause, randomMonitor, randomSchema, randomTransaction } from './ovsdb-random.ts'

/** The first seed: another one each time, unless it is given. */
const FIRST = Number(process.env['OVSDB_SEED'] ?? Math.floor(Date.now() / 1000) % 1_000_000)
const ROUNDS = Number(process.env['OVSDB_ROUNDS'] ?? 20)
const STEPS = Number(process.env['OVSDB_STEPS'] ?? 150)

const stops: (() => void)[] = []
afterAll(() => {
  for (const stop of stops) stop()
})

const text = (json: Json) => printJson(comparable(json), true)
const ZERO = '00000000-0000-0000-0000-000000000000'

test.each(Array.from({ length: ROUNDS }, (_, i) => FIRST + i))(
  'OVSDB_SEED=%i: replies, updates and dumps are those of the real server',
  async (seed) => {
    const r = seeded(seed)
    const { schema, tables } = randomSchema(r)
    const real = await realServer(schema)
    stops.push(real.stop)
    const clock = new SystemClock()
    const server = createServer({ clock, log: silent, random: seeded(seed) })
    server.addDatabase(readSchema(schema))
    const [mine, theirs] = streamPair(clock)
    server.accept(theirs)
    const us = RawClient.over(mine)
    const them = await real.client()
    const both = async (method: string, params: readonly Json[]) => {
      const [a, b] = await Promise.all([us.call(method, params), them.call(method, params)])
      const what = `seed ${seed}: ${method} ${printJson(params)}`
      const told = (list: readonly Json[]) =>
        list
          .filter((m) => !tellsNothing(m))
          .map(text)
          .sort()
      const same = method === 'transact' && isAmbiguous(params.slice(1), 4) ? withoutLimits : (reply: string) => reply
      expect(same(text(a.reply)), what).toBe(same(text(b.reply)))
      expect(told(a.before), what).toEqual(told(b.before))
    }
    await both('get_schema', ['R'])
    const step = async (n: number) => {
      for (let i = 0; i < n; i++) await both('transact', ['R', ...randomTransaction(r, tables)])
    }
    await step(20)
    await both('monitor', ['R', 'one', randomMonitor(r, tables, false)])
    await both('monitor_cond', ['R', 'two', randomMonitor(r, tables, true)])
    await step(20)
    await both('monitor_cond', ['R', 'three', randomMonitor(r, tables, true)])
    await both('monitor_cond_since', ['R', 'four', randomMonitor(r, tables, true), ZERO])
    for (let i = 0; i < STEPS; i += 5) {
      await step(5)
      if (below(r, 2)) {
        const table = tables[below(r, tables.length)] as (typeof tables)[0]
        const where = Array.from({ length: below(r, 3) }, () => randomClause(r, table, true))
        const name = ['two', 'three', 'four'][below(r, 3)] as string
        await both('monitor_cond_change', [name, name, { [table.name]: [{ where }] }])
      }
    }
    await both('monitor_cancel', ['three'])
    await step(5)
    for (const { name, columns } of tables) {
      const all = ['_uuid', ...columns.map((c) => c.name)]
      await both('transact', ['R', { op: 'select', table: name, where: [], columns: all }])
    }
    server.close()
    real.stop()
  },
  60000,
)
