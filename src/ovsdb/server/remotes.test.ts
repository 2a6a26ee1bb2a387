import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog, silent } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { err, ok, type Result, unwrap } from '../../base/result.ts'
import { type ByteStream, streamPair } from '../../base/stream.ts'
import { readSchema } from '../schema/index.ts'
import { anyone, operations } from '../transaction/index.ts'
import { createServer, type Transport } from './index.ts'

/** A clock on which everything takes long: transactions are put aside wherever they can be. */
class SlowClock extends VirtualClock {
  private passed = 0
  override monotonic(): number {
    this.passed += 30
    return super.monotonic() + this.passed
  }
}

const schema = readSchema({
  name: 'D',
  tables: {
    Root: {
      isRoot: true,
      columns: { connections: { type: { key: { type: 'uuid', refTable: 'Connection' }, min: 0, max: 'unlimited' } } },
    },
    Connection: {
      columns: {
        target: { type: 'string' },
        is_connected: { type: 'boolean', ephemeral: true },
        status: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' }, ephemeral: true },
      },
    },
    T: { isRoot: true, columns: { n: { type: 'integer' } } },
  },
})

function setup() {
  const clock = new SlowClock()
  let accept: (stream: ByteStream) => void = () => {}
  const transport: Transport = {
    check: () => undefined,
    passive: () => true,
    listen: (_, taken, ready) => {
      accept = taken
      ready(ok({ port: 6640, close: () => {} }))
    },
    dial: () => () => {},
  }
  const server = createServer({ clock, log: silent, random: seeded(1), transport })
  const database = unwrap(server.addDatabase(schema))
  const uuid = '11111111-1111-4111-8111-111111111111'
  database.transact([
    { op: 'insert', table: 'Connection', uuid, row: { target: 'ptcp:6640' } },
    { op: 'insert', table: 'Root', row: { connections: [uuid] } },
  ])
  server.listen('db:D,Root,connections')
  const connect = () => {
    const [here, there] = streamPair(clock)
    accept(there)
    return here
  }
  const status = () => database.row('Connection', uuid)?.['status']
  return { clock, database, connect, status }
}

test('the status of a remote is written in its turn, not in the midst of a large transaction', () => {
  const { clock, database, connect, status } = setup()
  clock.advance(10_000)
  expect(status()).toEqual(
    new Map([
      ['bound_port', '6640'],
      ['n_connections', '0'],
    ]),
  )
  let answered = false
  let turns = 0
  // Due just before the status is.
  clock.after(2500, () => {
    const large = Array.from({ length: 10_000 }, (_, n) => ({ op: 'insert', table: 'T', row: { n } }) as const)
    database.submit(operations(large), anyone, ({ error }) => {
      answered = error === undefined
    })
    const count = () => {
      if (answered) return
      turns++
      clock.after(0, count)
    }
    count()
  })
  connect()
  connect()
  clock.advance(2500)
  clock.settle()
  expect(answered).toBe(true)
  expect(turns).toBeGreaterThan(20)
  expect(status()).toEqual(
    new Map([
      ['bound_port', '6640'],
      ['n_connections', '2'],
      ['sec_since_connect', expect.stringMatching(/^\d+$/)],
      ['state', 'ACTIVE'],
    ]),
  )
})

test('a server that has become a backup meanwhile writes no status', () => {
  const { clock, database, connect, status } = setup()
  clock.advance(10_000)
  const before = status()
  clock.after(2500, () => {
    const large = Array.from({ length: 10_000 }, (_, n) => ({ op: 'insert', table: 'T', row: { n } }) as const)
    database.submit(operations(large), anyone, () => {
      database.readOnly = true
    })
  })
  connect()
  connect()
  clock.advance(2500)
  clock.settle()
  expect([...database.rows('T')]).toHaveLength(10_000)
  expect(status()).toBe(before)
})

/** Calls a manager for so many seconds; when it was called, and what was said. */
function calls(seconds: number, answer: (clock: VirtualClock) => Result<ByteStream>) {
  const clock = new VirtualClock()
  const { log, lines } = keptLog()
  const at: number[] = []
  const transport: Transport = {
    check: () => undefined,
    passive: () => false,
    listen: () => {},
    dial: (_method, done) => {
      at.push(Math.round(clock.monotonic() / 1000))
      done(answer(clock))
      return () => {}
    },
  }
  const server = createServer({ clock, log, random: seeded(1), transport })
  server.listen('tcp:192.0.2.1:6640')
  clock.advance(seconds * 1000)
  return { at, said: lines.filter((l) => l.module === 'reconnect').map((l) => l.message.slice(20)) }
}

test('a manager that does not answer is called less and less often, which is told up to the longest wait', () => {
  const { at, said } = calls(32, () => err('Connection refused'))
  expect(at).toEqual([0, 1, 3, 7, 15, 23, 31])
  const attempt = ['connecting...', 'connection attempt failed (Connection refused)']
  expect(said).toEqual([
    ...[...attempt, ...attempt, 'waiting 2 seconds before reconnect'],
    ...[...attempt, 'waiting 4 seconds before reconnect', ...attempt],
    'continuing to reconnect in the background but suppressing further logging',
  ])
})

test('a manager that hangs up at once is called less and less often, too', () => {
  const { at } = calls(24, (clock) => {
    const [here, there] = streamPair(clock)
    there.close()
    return ok(here)
  })
  expect(at).toEqual([0, 1, 3, 7, 15, 23])
})

test('a manager that hangs up after a while is called again soon', () => {
  const { at } = calls(40, (clock) => {
    const [here, there] = streamPair(clock)
    clock.after(10_000, () => there.close())
    return ok(here)
  })
  // a second is always waited
  expect(at).toEqual([0, 11, 22, 33])
})
