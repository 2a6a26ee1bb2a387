import { expect, test } from 'vitest'
import { toHex } from '../../base/bytes.ts'
import { VirtualClock } from '../../base/clock.ts'
import { seeded } from '../../base/random.ts'
import { formatActions } from '../../openflow/text/actions-format.ts'
import { type Bfd, BfdFlag, BfdState } from '../../packet/bfd.ts'
import { datapathRow, makeWorld, portRow, uuidOf } from '../fixture.test-data.ts'
import { BfdSession } from './bfd-session.ts'

test('two sessions come up, answer polls, and go down when packets stop', () => {
  const clock = new VirtualClock()
  const seen: string[] = []
  let cut = false
  const sent: Bfd[] = []
  const make = (name: string, discriminator: number, to: () => BfdSession, minTx: number) =>
    new BfdSession({
      clock,
      random: seeded(discriminator),
      parameters: { discriminator, minTx, minRx: 1000, detectMult: 3 },
      send: (p) => {
        if (name === 'a') sent.push(p)
        if (!cut) clock.after(1, () => to().receive(p))
      },
      report: (status) => seen.push(`${name} ${status}`),
    })
  const a: BfdSession = make('a', 1, () => b, 300)
  const b: BfdSession = make('b', 2, () => a, 500)
  a.start()
  b.start()
  clock.advance(5000)
  expect([a.status, b.status]).toEqual(['up', 'up'])
  expect(seen.at(-1)).toMatch(/up$/)

  // The other side takes a packet a second: no more than that, and at most a quarter sooner.
  sent.length = 0
  clock.advance(20_000)
  expect(sent.length).toBeGreaterThanOrEqual(20)
  expect(sent.length).toBeLessThanOrEqual(27)

  const poll = { ...(sent[0] as Bfd), myDiscriminator: 2, yourDiscriminator: 1, flags: BfdFlag.poll }
  sent.length = 0
  a.receive(poll)
  expect(sent[0]).toMatchObject({ flags: BfdFlag.final, state: BfdState.up, yourDiscriminator: 2 })

  cut = true
  seen.length = 0
  clock.advance(3100)
  expect(seen.sort()).toEqual(['a down', 'b down'])
  a.close()
  b.close()
  expect(clock.next()).toBeUndefined()
})

test('packets that do not belong to a session change nothing', () => {
  const clock = new VirtualClock()
  const s = new BfdSession({
    clock,
    random: seeded(1),
    parameters: { discriminator: 5, minTx: 1000, minRx: 1000, detectMult: 5 },
    send: () => {},
    report: () => {
      throw new Error('changed')
    },
  })
  const good: Bfd = {
    ...{ version: 1, diagnostic: 0, state: BfdState.up, flags: 0, multiplier: 3, myDiscriminator: 7 },
    ...{ yourDiscriminator: 5, desiredMinTx: 1, requiredMinRx: 1, requiredMinEchoRx: 0 },
    authentication: new Uint8Array(),
  }
  s.receive({ ...good, version: 0, state: BfdState.init })
  s.receive({ ...good, multiplier: 0, state: BfdState.init })
  s.receive({ ...good, myDiscriminator: 0, state: BfdState.init })
  s.receive({ ...good, yourDiscriminator: 6, state: BfdState.init })
  s.receive({ ...good, yourDiscriminator: 0, state: BfdState.init })
  s.receive({ ...good, flags: BfdFlag.authenticated, state: BfdState.init })
  expect(s.status).toBe('down')
})

test('a gateway router speaks BFD as ovn-controller does, byte by byte', () => {
  const w = makeWorld()
  w.clock.settle()
  w.sw.received.length = 0
  w.sb(
    datapathRow('r1', 2, 'logical-router'),
    datapathRow('pub', 3),
    portRow('lrp', 'r1', 2, {
      type: 'l3gateway',
      mac: ['fa:16:3e:93:7f:f0 172.16.0.110/24 fd01::1/64'],
      options: new Map([
        ['peer', 'pub-r1'],
        ['l3gateway-chassis', 'hv1'],
      ]),
    }),
    portRow('pub-r1', 'pub', 1, {
      type: 'l3gateway',
      options: new Map([
        ['peer', 'lrp'],
        ['l3gateway-chassis', 'hv1'],
      ]),
    }),
    {
      op: 'insert',
      table: 'BFD',
      uuid: uuidOf('bfd'),
      row: {
        ...{ src_port: 49152, disc: 2334320548, logical_port: 'lrp', dst_ip: '172.16.0.77', status: 'up' },
        ...{ min_tx: 1000, min_rx: 1000, detect_mult: 5 },
      },
    },
  )
  w.clock.settle()
  const out = w.sw.received.flatMap((m) => (m.type === 'packet_out' ? [m] : []))
  expect(out.map((m) => [formatActions(m.actions), toHex(m.packet)])).toContainEqual([
    'set_field:0x2->metadata,set_field:0x2->reg14,resubmit(CONTROLLER,8)',
    'fffffffffffffa163e937ff008004500003400004000ff1122ddac10006eac10004dc0000ec800200000204005188b22e7a400000000' +
      '000f4240000f424000000000',
  ])
  expect(w.rows('BFD')[0]?.['status']).toBe('down')
})
