import { expect, test } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { keptLog, silent } from '../base/log.ts'
import { seeded } from '../base/random.ts'
import { ok, unwrap } from '../base/result.ts'
import { type ByteStream, streamPair } from '../base/stream.ts'
import { RemoteReplica } from '../ovsdb/client/remote.ts'
import { createServer } from '../ovsdb/server/index.ts'
import { INTERNAL_VERSION } from '../schema/internal-version.ts'
import { type Southbound, southbound } from '../schema/southbound.ts'
import { ReleaseMatch } from './release-match.ts'

test('a northd of another release is not followed while the southbound database is away', () => {
  const clock = new VirtualClock()
  const server = createServer({ clock, log: silent, random: seeded(1) })
  const database = unwrap(server.addDatabase(southbound))
  const setVersion = (version: string) => {
    const options = new Map([['northd_internal_version', version]])
    database.transact([{ op: 'delete', table: 'SB_Global', where: [] }])
    database.transact([{ op: 'insert', table: 'SB_Global', row: { options } }])
  }
  let stream: ByteStream | undefined
  let up = true
  const sb = new RemoteReplica<Southbound>({
    ...{ schema: southbound, remotes: ['sb'], clock },
    dial: (_remote, done) => {
      if (up) {
        const [client, other] = streamPair(clock)
        server.accept(other)
        stream = client
        done(ok(client))
      } else done({ ok: false, error: 'Connection refused' })
      return () => {}
    },
  })
  const { log, lines } = keptLog()
  let strict = true
  const release = new ReleaseMatch(sb, log, () => strict)
  // nothing is known of northd yet
  expect(release.blocks()).toBe(false)
  setVersion('1-2-3')
  clock.settle()
  expect(release.blocks()).toBe(true)
  up = false
  stream?.close()
  clock.advance(1000)
  expect(sb.state).toBe('connecting')
  expect(release.blocks()).toBe(true)
  up = true
  clock.advance(10_000)
  expect(sb.state).toBe('synced')
  expect(release.blocks()).toBe(true)
  expect(lines.map((l) => l.message)).toEqual([
    `controller version - ${INTERNAL_VERSION} mismatch with northd version - 1-2-3`,
  ])
  strict = false
  expect(release.blocks()).toBe(false)
  strict = true
  setVersion(INTERNAL_VERSION)
  clock.settle()
  expect(release.blocks()).toBe(false)
  expect(release.waiting).toBe(false)
})
