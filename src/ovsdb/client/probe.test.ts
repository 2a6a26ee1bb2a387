import { expect, it } from 'vitest'
import type { Clock } from '../../base/clock.ts'
import type { ByteStream } from '../../base/stream.ts'
import { Probe } from './probe.ts'
import { RpcClient } from './rpc.ts'

/** A clock as Node.js has it: due timers first, then what sockets got, then what was put off to after that. */
class Loop implements Clock {
  private time = 0
  private timers: { at: number; run: () => void }[] = []
  private soon: (() => void)[] = []
  /** What a socket has got, to be read in the next turn. */
  arrived: (() => void) | undefined

  now(): number {
    return this.time
  }

  monotonic(): number {
    return this.time
  }

  after(delay: number, run: () => void) {
    const entry = { at: this.time + delay, run }
    if (delay > 0) this.timers.push(entry)
    else this.soon.push(() => entry.run())
    return {
      cancel: () => {
        entry.run = () => {}
      },
    }
  }

  /** One turn, that begins so many milliseconds after the last. */
  turn(milliseconds: number): void {
    this.time += milliseconds
    const due = this.timers.filter((t) => t.at <= this.time)
    this.timers = this.timers.filter((t) => t.at > this.time)
    for (const { run } of due) run()
    this.arrived?.()
    this.arrived = undefined
    for (const run of this.soon.splice(0)) run()
  }
}

function session(interval: number) {
  const loop = new Loop()
  const sent: string[] = []
  const stream: ByteStream = {
    ...{ queued: 0, peer: 'x', onData: undefined, onDrain: undefined, onClose: undefined },
    write: (bytes) => sent.push(new TextDecoder().decode(bytes)) > 0,
    close() {},
    pause() {},
    resume() {},
  }
  const rpc = new RpcClient(stream, () => loop.monotonic())
  const ends: string[] = []
  rpc.onEnd = (reason) => ends.push(reason)
  const probe = new Probe(rpc, loop, interval)
  const answer = () => {
    loop.arrived = () => stream.onData?.(new TextEncoder().encode('{"id":"echo","result":[],"error":null}'))
  }
  return { loop, sent, ends, probe, answer }
}

it('asks after silence, and hangs up after as much again', () => {
  const { loop, sent, ends, answer } = session(1000)
  loop.turn(999)
  expect(sent.length).toBe(0)
  loop.turn(1)
  expect(sent).toEqual(['{"method":"echo","params":[],"id":"echo"}'])
  answer()
  loop.turn(500)
  loop.turn(500)
  loop.turn(500)
  expect([sent.length, ends.length]).toEqual([2, 0])
  loop.turn(1000)
  expect(ends).toEqual(['no response to inactivity probe after 1.0 seconds, disconnecting'])
})

it('does not take the silence of a busy program for that of the server', () => {
  const { loop, ends, answer } = session(1000)
  loop.turn(1000)
  // the answer came long ago, and the program had no time to read it
  answer()
  loop.turn(7000)
  expect(ends).toEqual([])
  loop.turn(999)
  expect(ends).toEqual([])
})

it('never asks where it is told not to, nor once it is stopped', () => {
  const never = session(0)
  never.loop.turn(100_000)
  const stopped = session(1000)
  stopped.probe.stop()
  stopped.loop.turn(100_000)
  expect([...never.sent, ...stopped.sent, ...never.ends, ...stopped.ends]).toEqual([])
})
