import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { silent } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { ok, unwrap } from '../../base/result.ts'
import { streamPair } from '../../base/stream.ts'
import { readSchema } from '../schema/index.ts'
import { anyone, operations } from '../transaction/index.ts'
import { createServer, Replication, type Transport } from './index.ts'

/** A clock on which everything takes long: transactions are put aside wherever they can be. */
class SlowClock extends VirtualClock {
  private passed = 0
  override monotonic(): number {
    this.passed += 30
    return super.monotonic() + this.passed
  }
}

const schema = readSchema({ name: 'D', tables: { T: { columns: { n: { type: 'integer' } } } } })
const insert = (n: number) => ({ op: 'insert', table: 'T', row: { n } }) as const

test('a server that becomes a backup in the midst of a large transaction has what the active one has', () => {
  const clock = new SlowClock()
  const active = createServer({ clock, log: silent, random: seeded(1) })
  unwrap(active.addDatabase(schema)).transact([insert(1), insert(2)])
  const transport: Transport = {
    check: () => undefined,
    passive: () => false,
    listen: () => {},
    dial: (_, done) => {
      const [here, there] = streamPair(clock)
      active.accept(there)
      done(ok(here))
      return () => {}
    },
  }
  const backup = createServer({ clock, log: silent, random: seeded(2), transport })
  const database = unwrap(backup.addDatabase(schema))
  database.transact([insert(5)])
  const large = Array.from({ length: 10_000 }, (_, n) => insert(100 + n))
  const answers: string[] = []
  const answered = ({ error }: { readonly error?: { readonly error: string } }) => {
    answers.push(error?.error ?? 'ok')
  }
  database.submit(operations(large), anyone, answered)
  database.submit(operations([insert(6)]), anyone, answered)
  new Replication(backup, transport, 'active').connect()
  clock.advance(5000)
  expect(answers).toEqual(['ok', 'not allowed'])
  expect([...database.rows('T')].map((row) => row['n']).sort()).toEqual([1, 2])
})
