import { describe, expect, it } from 'vitest'
import { type Items, World } from './_fixture.ts'
import { OvsdbConnection } from './connection.ts'
import type { LockHandle } from './replica.ts'
import { RpcClient } from './rpc.ts'

/** A client that wants the lock, and what it was told of it. */
class Contender {
  readonly connection: OvsdbConnection<Items>
  readonly told: boolean[] = []
  handle: LockHandle | undefined
  failure: Error | undefined

  constructor(
    private readonly world: World,
    private readonly remote = 'memory',
  ) {
    this.connection = new OvsdbConnection<Items>(
      world.remote(undefined, { remotes: [remote] }),
      world.clock,
      world.random,
    )
  }

  /** Asks for the lock, and waits until nothing moves any more. */
  async ask(): Promise<void> {
    this.connection.lock('leader').then(
      (handle) => {
        this.handle = handle
        handle.onChange = (owned) => {
          expect(handle.owned).toBe(owned)
          this.told.push(owned)
        }
      },
      (failure: Error) => {
        this.failure = failure
      },
    )
    await settle(this.world)
  }

  /** Breaks the connection. */
  cut(): Promise<void> {
    const { streams } = this.world
    streams.findLast(({ remote }) => remote === this.remote)?.stream.close(new Error('cut'))
    return settle(this.world)
  }

  /** What comes of a write that the lock allows. */
  async write(name: string): Promise<string> {
    const answer = this.connection.transact([
      { op: 'assert', lock: 'leader' },
      { op: 'insert', table: 'Item', row: { name } },
    ])
    const outcome = answer.then(
      () => 'done',
      (e: { reason: { kind: string } }) => e.reason.kind,
    )
    await settle(this.world)
    return outcome
  }
}

/** Lets the clock and the promises come to rest. */
async function settle(world: World): Promise<void> {
  for (let i = 0; i < 10; i++) {
    world.clock.settle()
    await Promise.resolve()
  }
  world.clock.settle()
}

describe('a lock of a connection', () => {
  it('is asked for again after a reconnection; its loss and its return are told', async () => {
    const world = new World()
    const mine = new Contender(world)
    await mine.ask()
    expect(mine.handle?.owned).toBe(true)
    expect(await mine.write('a')).toBe('done')
    expect(mine.told).toEqual([])

    world.down.add('memory')
    await mine.cut()
    expect(mine.handle?.owned).toBe(false)
    expect(mine.told).toEqual([false])
    expect(await mine.write('b')).toBe('disconnected')

    world.down.clear()
    world.clock.advance(10_000)
    await settle(world)
    expect(mine.handle?.owned).toBe(true)
    expect(mine.told).toEqual([false, true])
    expect(await mine.write('c')).toBe('done')
    expect(world.rows('Item').map((row) => row['name'])).toEqual(['a', 'c'])
  })

  it('is in the hands of whoever waited while the connection was away, and comes back from there', async () => {
    const world = new World()
    const [mine, theirs] = [new Contender(world, 'mine'), new Contender(world, 'theirs')]
    await mine.ask()
    await theirs.ask()
    expect([mine.handle?.owned, theirs.handle]).toEqual([true, undefined])

    await mine.cut()
    expect([mine.handle?.owned, theirs.handle?.owned]).toEqual([false, true])
    expect(mine.told).toEqual([false])
    expect(await mine.write('a')).toBe('not owner')
    expect(await theirs.write('b')).toBe('done')

    theirs.handle?.release()
    await settle(world)
    expect(mine.told).toEqual([false, true])
    expect(theirs.told).toEqual([false])
    expect(await mine.write('c')).toBe('done')
  })

  it('is lost when another steals it, and had again when the thief gives it up', async () => {
    const world = new World()
    const mine = new Contender(world)
    await mine.ask()
    const [stream, theirs] = world.pair()
    world.server.accept(theirs)
    const thief = new RpcClient(stream, () => world.clock.monotonic())
    const answers: unknown[] = []
    thief.request('steal', ['leader'], (reply) => answers.push(reply.result))
    await settle(world)
    expect(answers).toEqual([{ locked: true }])
    expect(mine.handle?.owned).toBe(false)
    expect(mine.told).toEqual([false])
    expect(await mine.write('a')).toBe('not owner')

    thief.request('unlock', ['leader'], () => {})
    await settle(world)
    expect(mine.told).toEqual([false, true])
    expect(await mine.write('b')).toBe('done')
  })

  it('is not asked for again once it was released', async () => {
    const world = new World()
    const mine = new Contender(world)
    await mine.ask()
    mine.handle?.release()
    await settle(world)
    await mine.cut()
    expect(mine.connection.connected).toBe(true)
    expect(mine.told).toEqual([false])
    expect(world.server.locks.owner('leader')).toBeUndefined()
  })

  it('is one, however often it is asked for', async () => {
    const world = new World()
    const mine = new Contender(world)
    const both = [mine.connection.lock('leader'), mine.connection.lock('leader')]
    await mine.ask()
    expect(await Promise.all(both)).toEqual([mine.handle, mine.handle])
    expect(await mine.connection.lock('leader')).toBe(mine.handle)

    // Waiting for it anew keeps nothing from whoever has the handle.
    world.down.add('memory')
    await mine.cut()
    const again = mine.connection.lock('leader')
    world.down.clear()
    world.clock.advance(10_000)
    await settle(world)
    expect(await again).toBe(mine.handle)
    await mine.cut()
    expect(mine.told).toEqual([false, true, false, true])
  })

  it('is refused when the connection is closed, before or meanwhile, and when it has no proper name', async () => {
    const world = new World()
    const [owner, mine] = [new Contender(world, 'mine'), new Contender(world, 'theirs')]
    await owner.ask()
    await expect(mine.connection.lock('no-name')).rejects.toThrow('can not be called')
    await mine.ask()
    mine.connection.close()
    await settle(world)
    expect(mine.failure?.message).toBe('connection closed')
    await expect(mine.connection.lock('leader')).rejects.toThrow('connection closed')
  })
})
