import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import { keptLog } from '../../base/log.ts'
import { ok } from '../../base/result.ts'
import type { ByteStream } from '../../base/stream.ts'
import type { Json } from '../../jsonrpc/json.ts'
import { itemSchema } from './_fixture.ts'
import { LAST, result, Scripted, scripted } from './_scripted.ts'
import { RemoteReplica } from './remote.ts'

describe('a remote replica of a cluster', () => {
  it('leaves a server of a cluster that does not lead', () => {
    const clock = new VirtualClock()
    const asked: string[] = []
    const row = (leader: boolean) => ({ Database: { u: { initial: { model: 'clustered', connected: true, leader } } } })
    const replica = new RemoteReplica({
      schema: itemSchema,
      remotes: ['follower', 'leader'],
      clock,
      leaderOnly: true,
      dial: (remote, done) => {
        asked.push(remote)
        const server = new Scripted(clock, (method) => {
          if (method === 'monitor_cond') return { result: row(remote === 'leader'), error: null }
          if (method === 'monitor_cond_since') return { result: [false, LAST, {}], error: null }
          return { result: {}, error: null }
        })
        done(ok(server.client))
        return () => {}
      },
    })
    clock.advance(2000)
    expect(asked).toEqual(['follower', 'leader'])
    expect(replica.state).toBe('synced')
  })

  it('leaves a relay where only a leader will do', () => {
    const { log, lines } = keptLog()
    let connected = false
    const { clock, replica } = scripted(
      (method) => {
        if (method === 'monitor_cond') return result({ Database: { u: { initial: { model: 'relay', connected } } } })
        return result(method === 'monitor_cond_since' ? [false, LAST, {}] : {})
      },
      { leaderOnly: true, log },
    )
    clock.advance(500)
    connected = true
    clock.advance(3000)
    expect(replica.state).toBe('connecting')
    expect([...new Set(lines.filter((l) => l.module === 'ovsdb_cs').map((l) => l.message))]).toEqual([
      'x: relay database server has not yet connected to the relay source; trying another server',
      'x: relay database server cannot be a leader; trying another server',
    ])
  })

  it('does not go back in time, unless told to', () => {
    const { log, lines } = keptLog()
    const index: Record<string, number> = { a: 10, b: 7 }
    const asked: string[] = []
    let up = 'a'
    const clock = new VirtualClock()
    const streams: ByteStream[] = []
    const replica = new RemoteReplica({
      ...{ schema: itemSchema, remotes: ['a', 'b'], clock, leaderOnly: true, log },
      dial: (remote, done) => {
        asked.push(remote)
        if (remote !== up) {
          done({ ok: false, error: 'Connection refused' })
          return () => {}
        }
        const row = { model: 'clustered', connected: true, leader: true, index: index[remote] ?? 0 }
        const server = new Scripted(clock, (method) => {
          if (method === 'monitor_cond') return result({ Database: { u: { initial: row } } })
          return result(method === 'monitor_cond_since' ? [false, LAST, {}] : {})
        })
        streams.push(server.stream)
        done(ok(server.client))
        return () => {}
      },
    })
    clock.advance(3000)
    expect(replica.state).toBe('synced')
    up = 'b'
    streams[0]?.close()
    clock.advance(30_000)
    // a member that has seen less than we have
    expect(replica.state).toBe('connecting')
    expect(lines.some((l) => l.message.includes('clustered database server has stale data'))).toBe(true)
    index['b'] = 11
    clock.advance(10_000)
    expect(replica.state).toBe('synced')
    // the cluster was made anew: its count begins again
    index['b'] = 1
    streams.at(-1)?.close()
    clock.advance(20_000)
    expect(replica.state).toBe('connecting')
    replica.forgetIndex()
    clock.advance(10_000)
    expect(replica.state).toBe('synced')
  })

  it.each([
    ['is out of touch with the rest', { connected: false }, 'disconnected from cluster'],
    ['has seen less than we have', { index: 4 }, 'stale data'],
  ])('leaves a member that %s, leader or not', (_what, fault, why) => {
    const { log, lines } = keptLog()
    const member = { model: 'clustered', connected: true, leader: false, index: 9 }
    const { clock, replica, servers } = scripted(
      (method, _params, connection) => {
        const row = connection === 1 ? { ...member, ...fault } : member
        if (method === 'monitor_cond') return result({ Database: { u: { initial: row } } })
        return result(method === 'monitor_cond_since' ? [false, LAST, {}] : {})
      },
      { leaderOnly: false, log },
    )
    clock.advance(2000)
    expect(replica.state).toBe('synced')
    expect(servers.length).toBe(1)
    servers[0]?.stream.close()
    clock.advance(10_000)
    expect(replica.state).toBe('synced')
    expect(servers.length).toBe(3)
    expect(lines.some((l) => l.message.includes(why))).toBe(true)
  })

  it.each([
    ['relay', 'relay database server has not yet connected to the relay source; trying another server'],
    ['clustered', 'clustered database server is disconnected from cluster; trying another server'],
  ])('leaves a server (%s) that loses touch with the others', (model, words) => {
    const { log, lines } = keptLog()
    const { clock, servers } = scripted(
      (method) => {
        if (method === 'monitor_cond') return result({ Database: { u: { initial: { model, connected: true } } } })
        return result(method === 'monitor_cond_since' ? [false, LAST, {}] : {})
      },
      { leaderOnly: false, log },
    )
    clock.advance(2000)
    expect(servers.length).toBe(1)
    const lost = { Database: { u: { modify: { connected: false } } } }
    servers[0]?.send({ method: 'update2', params: ['server', lost], id: null })
    clock.advance(2000)
    expect(servers.length).toBe(2)
    expect(lines.filter((l) => l.module === 'ovsdb_cs')).toMatchObject([{ level: 'info', message: `x: ${words}` }])
  })

  it('waits for the database to be made: that it is not there yet is no warning', () => {
    const { log, lines } = keptLog()
    let made = false
    const { clock, replica } = scripted(
      (method) => {
        if (method === 'monitor_cond') return result({ Database: made ? { u: { initial: {} } } : {} })
        return result(method === 'monitor_cond_since' ? [false, LAST, {}] : {})
      },
      { log },
    )
    clock.advance(500)
    expect(replica.state).toBe('connecting')
    const words = { module: 'ovsdb_cs', level: 'info', message: 'x: server does not have Items database' }
    expect(lines.filter((l) => l.message.includes('does not have'))).toMatchObject([words])
    made = true
    clock.advance(10_000)
    expect(replica.state).toBe('synced')
    expect(lines.filter((l) => l.level === 'warn' || l.level === 'err')).toEqual([])
  })

  it('waits for a relay that is not yet connected, and takes it where any server will do', () => {
    let connected = false
    const { clock, replica } = scripted(
      (method) => {
        if (method === 'monitor_cond') return result({ Database: { u: { initial: { model: 'relay', connected } } } })
        return result(method === 'monitor_cond_since' ? [false, LAST, {}] : {})
      },
      { leaderOnly: false },
    )
    clock.advance(500)
    expect(replica.state).toBe('connecting')
    connected = true
    clock.advance(10_000)
    expect(replica.state).toBe('synced')
  })
})

it('a server that knows conditions, after one that did not, is asked for them: nothing is applied twice', () => {
  const uuid = '00000000-0000-4000-8000-000000000001'
  const rows = (tags: string[]): Json => ({ Item: { [uuid]: { initial: { tags: ['set', tags] } } } })
  const modify = (tag: string): Json => ({ Item: { [uuid]: { modify: { tags: tag } } } })
  const { clock, replica, servers, asked } = scripted((method, params, connection) => {
    if (method === 'monitor_cond_since' && connection === 1) return { result: null, error: { error: 'unknown method' } }
    // the third remembers what the first told last, and tells what came since
    if (method === 'monitor_cond_since') {
      return result(
        params[3] === LAST ? [true, LAST, modify('b')] : [false, LAST, rows(connection ? ['a', 'b'] : ['a'])],
      )
    }
    return result(method === 'monitor_cond' && params[0] === 'Items' ? rows(['a']) : {})
  })
  clock.advance(2000)
  servers[0]?.stream.close()
  clock.advance(2000)
  servers[1]?.send({ method: 'update2', params: ['monitor', modify('b')], id: null })
  clock.advance(2000)
  expect(replica.table('Item').get(uuid)?.tags).toEqual(['a', 'b'])
  servers[1]?.stream.close()
  clock.advance(10_000)
  expect(replica.state).toBe('synced')
  expect(asked('monitor_cond_since').length).toBe(3)
  expect(replica.table('Item').get(uuid)?.tags).toEqual(['a', 'b'])
})
