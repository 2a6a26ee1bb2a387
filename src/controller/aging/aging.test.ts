import { describe, expect, test } from 'vitest'
import { datapathRow, makeWorld, portRow, uuidOf } from '../fixture.test-data.ts'
import { OFTABLE } from '../tables.ts'
import { parseThresholds, thresholdOf } from './threshold.ts'

describe('thresholds', () => {
  test.each([
    ['600', '10.0.0.1', 600],
    ['192.168.0.0/16:300;10.0.0.0/24:200;600', '192.168.7.7', 300],
    ['192.168.0.0/16:300;192.168.7.0/24:10;600', '192.168.7.7', 10],
    ['192.168.0.0/16:300', '10.0.0.1', 0],
    ['[fd00::]/64:50;5', 'fd00::1', 5],
    ['fd00::/64:50;5', 'fd00::1', 50],
    ['', '10.0.0.1', 0],
    ['nonsense;-3;x:y', '10.0.0.1', 0],
  ])('%s for %s', (text, ip, seconds) => {
    expect(thresholdOf(parseThresholds(text), ip)).toBe(seconds)
  })
})

test('a neighbour in use stays young, another does not', () => {
  const w = makeWorld()
  w.clock.settle()
  const mac = (name: string, ip: string) => ({
    op: 'insert' as const,
    table: 'MAC_Binding',
    uuid: uuidOf(name),
    row: { datapath: uuidOf('sw0'), logical_port: 'vm1', ip, mac: '0a:00:00:00:00:09', timestamp: w.clock.now() },
  })
  w.sb(datapathRow('sw0', 1), portRow('vm1', 'sw0', 1), mac('used', '10.0.0.8'), mac('idle', '10.0.0.9'))
  w.sb({
    op: 'mutate',
    table: 'Datapath_Binding',
    where: [],
    mutations: [['external_ids', 'insert', new Map([['mac_binding_age_threshold', '40']])]],
  })
  w.plug('tap1', { 'iface-id': 'vm1' })
  const cookie = BigInt(`0x${uuidOf('used').slice(0, 8)}`)
  for (const [key, f] of w.sw.flows) {
    if (f.table !== OFTABLE.MAC_CACHE_USE) continue
    w.sw.flows.set(key, { ...f, packets: f.cookie === cookie ? 5n : 0n, idleAge: f.cookie === cookie ? 2 : 100 })
  }
  const start = w.clock.now()
  w.clock.advance(35_000)
  const timestamp = (name: string) =>
    Number(w.rows('MAC_Binding').find((r) => r._uuid === uuidOf(name))?.['timestamp']) - start
  expect(timestamp('used')).toBeGreaterThan(15_000)
  expect(timestamp('idle')).toBeLessThanOrEqual(0)
})
