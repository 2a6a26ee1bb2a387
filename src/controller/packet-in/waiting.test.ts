import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import type { Waiting } from './effect.ts'
import { WaitingPackets } from './waiting.ts'

const waiting = (n: number): Waiting => ({
  packet: Uint8Array.of(0, 0, 0, 0, 0, 0, n),
  metadata: [],
  continuation: { bytes: Uint8Array.of(n) },
  reason: 1,
  table: 0,
  cookie: 0n,
})

test('the last four packets go on once the address is known', () => {
  const clock = new VirtualClock()
  const packets = new WaitingPackets(clock)
  for (let n = 0; n < 6; n++) packets.add(2, 0xac10004d, waiting(n))
  packets.add(2, 0xfd00n << 112n, waiting(9))
  expect([...packets.wanted()]).toEqual([
    { datapath: 2, ip: 0xac10004d },
    { datapath: 2, ip: 0xfd00n << 112n },
  ])
  expect(packets.known(2, 1, 5)).toEqual([])
  const resumed = packets.known(2, 0xac10004d, 0x0a0a0a0a0a0a)
  expect(resumed.map((m) => [...m.packet])).toEqual([2, 3, 4, 5].map((n) => [10, 10, 10, 10, 10, 10, n]))
  expect(packets.known(2, 0xac10004d, 5)).toEqual([])
  clock.advance(10_000)
  expect(packets.size).toBe(0)
})
