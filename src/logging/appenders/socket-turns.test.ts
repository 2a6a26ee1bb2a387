import { expect, it } from 'vitest'
import type { Message, MessageQueue } from './message-queue.ts'
import { type Loop, MessageSocket, SLICE } from './socket.ts'
import type { Pumped, Told, Transport } from './transport.ts'

// Turns of the event loop and its time are the tests' own: what the machine takes for them does not matter.

/** An event loop that goes on a turn at a time. */
class Turns implements Loop {
  time = 0
  private next: (() => void)[] = []
  private timers: { readonly at: number; readonly run: () => void }[] = []
  /** Milliseconds that it was stopped. */
  paused = 0

  monotonic(): number {
    return this.time
  }

  nextTurn(run: () => void): void {
    this.next.push(run)
  }

  later(ms: number, run: () => void): void {
    this.timers.push({ at: this.time + ms, run })
  }

  pause(): void {
    this.time += 1
    this.paused += 1
  }

  /** One turn. False when there is nothing to do in it. */
  turn(): boolean {
    const run = this.next.splice(0)
    for (const r of run) r()
    return run.length > 0
  }

  /** Lets time pass until a timer is due. Returns how long, or undefined without any. */
  wait(): number | undefined {
    const first = this.timers.toSorted((a, b) => a.at - b.at)[0]
    if (!first) return undefined
    this.timers.splice(this.timers.indexOf(first), 1)
    const passed = Math.max(0, first.at - this.time)
    this.time += passed
    first.run()
    return passed
  }
}

/** A server that takes a datagram in so many milliseconds, as long as it has room. */
class Server implements Transport {
  readonly got: Message[] = []
  room = Number.POSITIVE_INFINITY
  /** Why nothing can be sent at all. */
  away: string | undefined
  closed = false
  told: Told | undefined

  constructor(
    private readonly turns: Turns,
    private readonly cost: number,
  ) {}

  attach(told: Told): void {
    this.told = told
  }

  prepare(): string | undefined {
    return this.away
  }

  pump(queue: MessageQueue, over?: () => boolean): Pumped {
    while (queue.length) {
      if (this.room === 0) return 'full'
      this.room--
      this.turns.time += this.cost
      const message = queue.shift()
      if (message !== undefined) this.got.push(message)
      this.told?.sent()
      if (over?.()) return queue.length ? 'more' : 'empty'
    }
    return 'empty'
  }

  close(): void {
    this.closed = true
  }
}

function setup({ cost = 0.1, limit = 1_000_000 } = {}) {
  const turns = new Turns()
  const server = new Server(turns, cost)
  const said: string[] = []
  const target = { kind: 'unix', path: 'log' } as const
  const socket = new MessageSocket(target, (m) => said.push(m), { loop: turns, transport: () => server, limit })
  const send = (from: number, count: number, time = 0) => {
    for (let i = from; i < from + count; i++) socket.send(`m${i}`, time)
  }
  return { turns, server, said, socket, send }
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `m${i}`)

it('sends in slices of bounded time, one a turn, in order', () => {
  const { turns, server, send, said } = setup()
  send(0, 200)
  expect(server.got).toEqual([])
  const slices: number[] = []
  for (let before = 0, start = 0; turns.turn(); before = server.got.length, start = turns.time) {
    slices.push(server.got.length - before)
    // The last message may begin just before the time is over.
    expect(turns.time - start).toBeLessThan(SLICE + 0.2)
    // What comes meanwhile waits behind.
    if (slices.length === 3) send(200, 100)
  }
  expect(server.got).toEqual(numbers(300))
  expect(slices.length).toBeGreaterThanOrEqual(Math.floor(300 / (SLICE / 0.1 + 1)))
  expect(Math.max(...slices)).toBeLessThanOrEqual(SLICE / 0.1 + 1)
  expect(said).toEqual([])
})

it('sends one message a turn at least, however long it takes', () => {
  const { turns, server, send } = setup({ cost: 10 })
  send(0, 5)
  let count = 0
  while (turns.turn()) count++
  expect([count, server.got]).toEqual([5, numbers(5)])
})

it('bounds what waits, and says how many messages are lost', () => {
  const { turns, server, send, said } = setup({ limit: 10 * (2 + 64) })
  server.room = 0
  send(0, 10)
  turns.turn()
  send(10, 7, 1000)
  expect(said).toEqual(['unix:log: cannot send log: not fast enough'])
  server.room = Number.POSITIVE_INFINITY
  turns.wait()
  while (turns.turn());
  expect(server.got).toEqual(numbers(10))
  expect(said.slice(1)).toEqual(['unix:log: log sent again, 7 messages lost'])
})

it('tries a full server again in longer and longer pauses, and in the next turn when it reads', () => {
  const { turns, server, send } = setup()
  server.room = 0
  send(0, 10)
  turns.turn()
  const pauses: (number | undefined)[] = []
  for (let i = 0; i < 10; i++) {
    pauses.push(turns.wait())
    // New messages do not make it try sooner.
    send(10 + i, 1)
    expect(turns.turn()).toBe(false)
  }
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 64, 64, 64])
  server.room = 3
  turns.wait()
  expect(server.got).toEqual(numbers(3))
  server.room = 3
  turns.turn()
  expect(server.got).toEqual(numbers(6))
  turns.turn()
  // It has been reading: the pauses begin anew.
  expect(turns.wait()).toBe(1)
  server.room = Number.POSITIVE_INFINITY
  turns.wait()
  while (turns.turn());
  expect(server.got).toEqual(numbers(20))
})

it('sends all that waits before the program ends, without further turns', () => {
  const { turns, server, send, socket } = setup()
  send(0, 500)
  turns.turn()
  socket.flush()
  expect(server.got).toEqual(numbers(500))
  expect(turns.paused).toBe(0)
  socket.close()
  expect(server.closed).toBe(true)
})

it('waits a second for a full server at the end, but not for one that is full since long', () => {
  const { turns, server, send, socket } = setup()
  server.room = 0
  send(0, 3)
  socket.flush()
  expect(turns.paused).toBe(1000)
  socket.flush()
  expect(turns.paused).toBe(1000)
  server.room = Number.POSITIVE_INFINITY
  socket.flush()
  expect(server.got).toEqual(numbers(3))
})

it('sends what waits when it is closed, in turns, and nothing that comes after', () => {
  const { turns, server, send, socket } = setup()
  send(0, 100)
  socket.close()
  send(100, 1)
  expect([server.got.length, server.closed]).toEqual([0, false])
  while (turns.turn());
  expect([server.got, server.closed]).toEqual([numbers(100), true])
})

it('leaves a full server at last when it is closed', () => {
  const { turns, server, send, socket, said } = setup()
  server.room = 0
  send(0, 100)
  socket.close()
  turns.turn()
  for (let i = 0; i < 10_000 && turns.wait() !== undefined; i++) turns.turn()
  expect([server.closed, said]).toEqual([true, []])
  expect(turns.time).toBeLessThan(11_000)
})

it('counts what there is no way for, and what waited when the way was gone', () => {
  const { turns, server, send, said } = setup()
  server.away = 'no route'
  send(0, 2, 5)
  server.away = undefined
  send(2, 3, 6)
  server.told?.failed('no answer')
  expect(turns.turn() && server.got.length).toBe(0)
  send(5, 1, 7)
  turns.turn()
  expect(server.got).toEqual(['m5'])
  expect(said).toEqual(['unix:log: cannot send log: no route', 'unix:log: log sent again, 5 messages lost'])
})
