import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ok } from '../../base/result.ts'
import type { ByteStream } from '../../base/stream.ts'
import { type Items, World } from './_fixture.ts'
import type { Draft } from './draft.ts'
import { type EditOptions, Edits } from './edits.ts'
import { TransactFailure } from './failure.ts'
import type { RemoteReplica } from './remote.ts'

/** A client behind a line that can be cut: what is under way then arrives or not, as told. */
class Line {
  readonly world = new World()
  readonly replica: RemoteReplica<Items>
  readonly edits: Edits<Items>
  readonly results: string[] = []
  /** Whether what the client writes, and what the server writes, gets through. */
  toServer = true
  toClient = true
  private ends: ByteStream[] = []
  transactions = 0

  constructor() {
    const { world } = this
    this.replica = world.remote(undefined, {
      dial: (_remote, done) => {
        const [client, mine] = world.pair()
        const [theirs, server] = world.pair()
        world.server.accept(server)
        mine.onData = (bytes) => void (this.toServer && theirs.write(bytes))
        theirs.onData = (bytes) => void (this.toClient && mine.write(bytes))
        this.ends = [mine, theirs]
        done(ok(client))
        return () => {}
      },
    })
    this.edits = new Edits(this.replica, world.clock, world.random)
    const transact = this.replica.transact.bind(this.replica)
    this.replica.transact = (operations, done) => {
      this.transactions++
      transact(operations, done)
    }
    world.clock.settle()
  }

  cut(): void {
    for (const end of this.ends) end.close(new Error('cut'))
    this.toServer = true
    this.toClient = true
  }

  /** An edit whose outcome is kept as a line. */
  edit(name: string, change: (tx: Draft<Items>) => unknown, options?: EditOptions): void {
    this.edits.add(change, options).then(
      () => this.results.push(`${name} done`),
      (e) => this.results.push(`${name} ${e instanceof TransactFailure ? e.reason.kind : String(e)}`),
    )
  }

  insert(name: string, size = 0, options?: EditOptions): void {
    this.edit(name, (tx) => tx.insert('Item', { name, size }), options)
  }

  /** One more on the counter of a row, whoever else counts. */
  increment(name: string, options?: EditOptions): void {
    const change = (tx: Draft<Items>) => {
      const row = tx.rows('Item').find((r) => r.name === name)
      if (!row) return
      tx.verify('Item', row._uuid, 'size')
      tx.update('Item', row._uuid, { size: row.size + 1 })
    }
    this.edit(`${name}++`, change, options)
  }

  async pass(ms = 0): Promise<void> {
    const { clock } = this.world
    for (let i = 0; i < 5; i++) {
      clock.advance(ms / 5)
      clock.settle()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  get rows(): string[] {
    return this.world
      .rows('Item')
      .map((r) => `${r['name']} ${r['size']}`)
      .sort()
  }
}

describe('edits of one connection', () => {
  it('go together into the next transaction, each seeing those before it', async () => {
    const line = new Line()
    line.insert('a')
    for (let i = 0; i < 5; i++) line.increment('a')
    await line.pass()
    expect(line.rows).toEqual(['a 5'])
    expect(line.transactions).toBe(1)
    line.increment('a')
    line.increment('a', { alone: true })
    line.increment('a')
    await line.pass()
    expect(line.rows).toEqual(['a 8'])
    expect(line.transactions).toBe(4)
    expect(line.results.every((r) => r.endsWith('done'))).toBe(true)
  })

  it('are few transactions, however many they are', async () => {
    const line = new Line()
    for (let i = 0; i < 1000; i++) line.insert(`i${i}`)
    for (let i = 0; i < 20; i++) await line.pass()
    expect(line.results.filter((r) => r.endsWith('done')).length).toBe(1000)
    expect(line.transactions).toBe(10)
  })

  it('fail each for itself', async () => {
    const line = new Line()
    line.insert('a')
    line.insert('bad', -1)
    line.edit('thrown', (tx) => {
      tx.insert('Item', { name: 'half' })
      throw new Error('no')
    })
    line.edit('column', (tx) => tx.anyInsert('Item', { name: 'x' }) && tx.anyUpdate('Item', 'nobody', { nope: 1 }))
    line.edit('unknown column', (tx) => {
      const [row] = tx.rows('Item')
      if (row) tx.anyUpdate('Item', row._uuid, { nope: 1 })
    })
    line.insert('b')
    await line.pass()
    expect(line.rows).toEqual(['a 0', 'b 0', 'x 0'])
    expect(line.results.sort()).toEqual([
      ...['a done', 'b done', 'bad refused', 'column done', 'thrown Error: no'],
      'unknown column Error: table Item has no column nope',
    ])
  })

  it('are done again when another client got in between, not for ever', async () => {
    const line = new Line()
    line.insert('a')
    await line.pass()
    const where = [['name', '==', 'a']] as const
    let rivals = 3
    line.edit('counted', (tx) => {
      const [row] = tx.rows('Item')
      if (!row) return
      tx.verify('Item', row._uuid, 'size')
      tx.update('Item', row._uuid, { size: row.size + 1 })
      if (rivals-- > 0) {
        line.world.database.transact([{ op: 'mutate', table: 'Item', where, mutations: [['size', '+=', 10]] }])
      }
    })
    await line.pass(100)
    expect(line.rows).toEqual(['a 31'])
    const never = (tx: Draft<Items>) => {
      const [row] = tx.rows('Item')
      if (!row) return
      tx.verify('Item', row._uuid, 'size')
      tx.update('Item', row._uuid, { size: row.size + 1 })
      line.world.database.transact([{ op: 'mutate', table: 'Item', where, mutations: [['size', '+=', 10]] }])
    }
    line.edit('never', never, { timeout: 1000 })
    line.edit('behind it', (tx) => tx.insert('Item', { name: 'b' }), { timeout: 500, alone: true })
    await line.pass(1000)
    expect(line.results).toEqual(['a done', 'counted done', 'behind it timeout', 'never conflict'])
  })

  it('wait for a connection, for so long', async () => {
    const line = new Line()
    line.world.clock.settle()
    line.toClient = false
    line.toServer = false
    line.insert('late', 0, { timeout: 60_000 })
    line.insert('early', 0, { timeout: 60_000 })
    // the probe finds the line dead, and the next connection works
    await line.pass(11_000)
    line.cut()
    await line.pass(1000)
    expect(line.rows).toEqual(['early 0', 'late 0'])
    line.replica.close()
    line.insert('never')
    await line.pass()
    expect(line.results.sort()).toEqual(['early done', 'late done', 'never disconnected'])
  })

  it.each([
    ['the request got lost', false, true],
    ['the answer got lost', true, false],
  ])('come about once where %s', async (_what, toServer, toClient) => {
    const line = new Line()
    line.toServer = toServer
    line.toClient = toClient
    line.insert('a', 1)
    line.edit('counter', (tx) => tx.insert('Item', { name: 'b', size: 5 }))
    await line.pass()
    expect(line.rows).toEqual(toServer ? ['a 1', 'b 5'] : [])
    line.cut()
    await line.pass(1000)
    expect(line.rows).toEqual(['a 1', 'b 5'])
    expect(line.results).toEqual(['a done', 'counter done'])
  })

  it('say that they do not know, where nothing tells', async () => {
    const line = new Line()
    line.insert('a')
    await line.pass()
    line.toClient = false
    line.increment('a')
    await line.pass()
    line.cut()
    await line.pass(1000)
    expect(line.results).toEqual(['a done', 'a++ unknown'])
    expect(line.rows).toEqual(['a 1'])
  })

  it('end when their time is up, at the latest when the line is found dead', async () => {
    const line = new Line()
    line.toServer = false
    line.insert('on its way', 0, { timeout: 1000 })
    await line.pass()
    line.insert('waiting', 0, { timeout: 1000 })
    await line.pass(2000)
    expect(line.results).toEqual(['waiting timeout'])
    line.world.down.add('memory')
    line.cut()
    await line.pass(60_000)
    expect(line.results).toEqual(['waiting timeout', 'on its way unknown'])
  })

  it('that are waiting are told of the end', async () => {
    const line = new Line()
    line.cut()
    line.insert('a')
    line.world.down.add('memory')
    line.replica.close()
    await line.pass()
    expect(line.results).toEqual(['a disconnected'])
  })

  it('are there once if done, at most once if unknown, else not, wherever the line is cut', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constant('insert' as const) },
      { weight: 2, arbitrary: fc.constant('increment' as const) },
      { weight: 1, arbitrary: fc.constant('cut' as const) },
      { weight: 1, arbitrary: fc.constant('deaf' as const) },
      { weight: 1, arbitrary: fc.constant('mute' as const) },
      { weight: 2, arbitrary: fc.constant('pass' as const) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const line = new Line()
        line.insert('counter')
        await line.pass()
        for (const [i, what] of steps.entries()) {
          if (what === 'insert') line.insert(`row${i}`)
          else if (what === 'increment') line.increment('counter')
          else if (what === 'cut') line.cut()
          else if (what === 'deaf') line.toClient = false
          else if (what === 'mute') line.toServer = false
          else await line.pass(3)
        }
        line.cut()
        await line.pass(20_000)
        const count = (result: string) => line.results.filter((r) => r === result).length
        for (const [i, what] of steps.entries()) {
          if (what !== 'insert') continue
          expect([i, count(`row${i} done`), line.rows.includes(`row${i} 0`)]).toEqual([i, 1, true])
        }
        const counted = Number(line.rows.find((r) => r.startsWith('counter'))?.split(' ')[1])
        const sure = count('counter++ done')
        expect(counted).toBeGreaterThanOrEqual(sure)
        expect(counted).toBeLessThanOrEqual(sure + count('counter++ unknown'))
        expect(line.results.length).toBe(1 + steps.filter((s) => s === 'insert' || s === 'increment').length)
      }),
      { numRuns: 150 },
    )
  })
})
