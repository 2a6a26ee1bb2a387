import { expect, it } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog } from '../../base/log.ts'
import { Reconnection } from './reconnection.ts'

/** Connects to hosts that answer nothing; the attempts, and when each was given up, in seconds. */
function unanswered(remotes: readonly string[], seconds: number) {
  const clock = new VirtualClock()
  const { log, lines } = keptLog()
  const attempts: { readonly remote: string; readonly begun: number; ended?: number }[] = []
  const unreachable: string[] = []
  const now = () => Math.round(clock.monotonic() / 100) / 10
  const reconnection = new Reconnection(
    {
      ...{ remotes, clock, log },
      dial: (remote) => {
        const attempt: (typeof attempts)[number] = { remote, begun: now() }
        attempts.push(attempt)
        return () => {
          attempt.ended = now()
        }
      },
      onUnreachable: (error) => unreachable.push(error),
    },
    () => {},
  )
  clock.advance(seconds * 1000)
  return { attempts, unreachable, lines, reconnection, clock }
}

it('a host that answers nothing is left for the next, with more patience each round', () => {
  const { attempts, unreachable, lines } = unanswered(['tcp:192.0.2.1:6641', 'tcp:192.0.2.2:6641'], 9.5)
  expect(attempts.map(({ remote, begun, ended }) => [remote.slice(4, 13), begun, ended])).toEqual([
    ['192.0.2.1', 0, 1],
    ['192.0.2.2', 1, 2],
    ['192.0.2.1', 3, 4],
    ['192.0.2.2', 4, 5],
    ['192.0.2.1', 7, 9],
    ['192.0.2.2', 9, undefined],
  ])
  expect(unreachable[0]).toBe('tcp:192.0.2.2:6641: database connection failed (Connection timed out)')
  expect(lines.slice(0, 3).map((l) => `${l.module} ${l.level} ${l.message}`)).toEqual([
    'reconnect info tcp:192.0.2.1:6641: connecting...',
    'reconnect info tcp:192.0.2.1:6641: connection attempt timed out',
    'reconnect info tcp:192.0.2.2:6641: connecting...',
  ])
})

it('a handshake of TLS may take its time', () => {
  const { attempts } = unanswered(['ssl:192.0.2.1:6641'], 9)
  expect(attempts).toEqual([{ remote: 'ssl:192.0.2.1:6641', begun: 0 }])
})

it('closing gives up an attempt under way, and its time', () => {
  const { attempts, reconnection, clock, lines } = unanswered(['tcp:192.0.2.1:6641'], 0.5)
  reconnection.close()
  clock.advance(60_000)
  expect(attempts).toEqual([{ remote: 'tcp:192.0.2.1:6641', begun: 0, ended: 0.5 }])
  expect(lines.length).toBe(1)
})
