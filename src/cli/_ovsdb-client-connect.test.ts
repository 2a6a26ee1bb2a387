import { expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { ok } from '../base/result.ts'
import { type ByteStream, streamPair } from '../base/stream.ts'
import { connectPatiently } from './_ovsdb-client-connect.ts'

it('waits longer after each failure, and begins anew when a connection that lasted is lost', () => {
  const clock = new VirtualClock()
  const attempts: number[] = []
  let server: ByteStream | undefined
  let up = false
  const request = {
    ...{ server: 'unix:x', database: 'd', leaderOnly: false, monotonic: () => clock.monotonic() },
    keys: () => ({ key: '', certificate: '', ca: undefined }),
    dial: (
      _remote: string,
      done: (result: ReturnType<typeof ok<ByteStream>> | { ok: false; error: string }) => void,
    ) => {
      attempts.push(Math.round(clock.monotonic() / 1000))
      const [client, other] = streamPair(clock)
      server = other
      done(up ? ok(client) : { ok: false, error: 'Connection refused' })
      return () => {}
    },
  }
  const write = process.stderr.write
  let said = ''
  process.stderr.write = (text: string | Uint8Array) => {
    said += text
    return true
  }
  try {
    connectPatiently(request, clock, () => {})
    clock.advance(30_000)
    up = true
    clock.advance(20_000)
    up = false
    server?.close()
    clock.advance(4500)
  } finally {
    process.stderr.write = write
  }
  expect(attempts).toEqual([0, 1, 3, 7, 15, 23, 31, 51, 53])
  expect(said.match(/continuing to reconnect/g)).toHaveLength(1)
  expect(said).toContain('connection closed by peer')
})
