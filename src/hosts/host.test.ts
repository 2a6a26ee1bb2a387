import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseIpv4 } from '../address/ipv4.ts'
import { craft } from '../packet/index.ts'
import { damage, packetSpecs } from '../packet/samples.test-data.ts'
import type { VirtualHost } from './host.ts'
import { Lab } from './lab.test-data.ts'
import { pingSummary } from './ping.ts'

function router(lab: Lab): VirtualHost {
  const r = lab.host('router', ['10.0.0.1/24', 'fd00::1/64'], { forwarding: true })
  r.addInterface('eth1', lab.switch.port('router1', { access: 20 }), 0xfa163e0000f1)
  r.addAddress('10.0.1.1/24', 'eth1')
  r.addAddress('fd01::1/64', 'eth1')
  return r
}

describe('ping', () => {
  test('between neighbours, by ARP', () => {
    const lab = new Lab()
    const a = lab.host('a', ['10.0.0.1/24'])
    lab.host('b', ['10.0.0.2/24'])
    const capture = lab.switch.capture()
    const result = lab.ping(a, '10.0.0.2', { count: 3 })
    expect(pingSummary(result)).toBe('3 packets transmitted, 3 received, 0% packet loss')
    expect(capture.lines().slice(0, 4)).toEqual([
      'ARP, Request who-has 10.0.0.2 tell 10.0.0.1',
      'ARP, Reply 10.0.0.2 is-at fa:16:3e:00:00:02',
      expect.stringMatching(/^IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id \d+, seq 1, length 64$/),
      expect.stringMatching(/^IP 10.0.0.2 > 10.0.0.1: ICMP echo reply, id \d+, seq 1, length 64$/),
    ])
    expect(a.neighbors()).toEqual(['10.0.0.2 dev eth0 lladdr fa:16:3e:00:00:02 REACHABLE'])
  })

  test('an address nobody has is reported after three requests', () => {
    const lab = new Lab()
    const a = lab.host('a', ['10.0.0.1/24'])
    const capture = lab.switch.capture()
    expect(lab.ping(a, '10.0.0.9', { timeout: 5000 }).events).toEqual([
      { kind: 'error', seq: 1, error: 'host-unreachable' },
    ])
    expect(capture.frames.length).toBe(3)
    expect(lab.ping(a, '192.0.2.1').events).toEqual([{ kind: 'error', seq: 1, error: 'no-route' }])
  })

  test('through a router, with one hop less; too few hops are reported', () => {
    const lab = new Lab()
    router(lab)
    const a = lab.host('a', ['10.0.0.4/24', 'fd00::4/64'], { gateway: ['10.0.0.1', 'fd00::1'] })
    const b = { mode: { access: 20 }, gateway: ['10.0.1.1', 'fd01::1'] }
    lab.host('b', ['10.0.1.4/24', 'fd01::4/64'], b)
    for (const [to, gateway] of [
      ['10.0.1.4', 0x0a000001],
      ['fd01::4', (0xfd00n << 112n) | 1n],
    ] as const) {
      expect(lab.ping(a, to).events).toEqual([expect.objectContaining({ kind: 'reply', ttl: 63 })])
      expect(lab.ping(a, to, { ttl: 1 }).events).toEqual([
        { kind: 'error', seq: 1, error: 'time-exceeded', from: gateway },
      ])
    }
    expect(lab.ping(a, '10.9.9.9').events).toEqual([
      { kind: 'error', seq: 1, error: 'net-unreachable', from: parseIpv4('10.0.0.1') },
    ])
  })

  test('fragments are made and put together; with DF the path tells its MTU', () => {
    const lab = new Lab()
    const r = router(lab)
    r.interface('eth1').mtu = 1400
    const a = lab.host('a', ['10.0.0.4/24', 'fd00::4/64'], { gateway: ['10.0.0.1', 'fd00::1'] })
    lab.host('b', ['10.0.1.4/24', 'fd01::4/64'], { mode: { access: 20 }, gateway: ['10.0.1.1', 'fd01::1'] })
    expect(lab.ping(a, '10.0.1.4', { size: 5000 }).received).toBe(1)
    const from = parseIpv4('10.0.0.1')
    expect(lab.ping(a, '10.0.1.4', { size: 1400, df: true }).events).toEqual([
      { kind: 'error', seq: 1, error: 'too-big', from, mtu: 1400 },
    ])
    // Now known here: refused before it is sent.
    expect(lab.ping(a, '10.0.1.4', { size: 1400, df: true }).events).toEqual([
      { kind: 'error', seq: 1, error: 'too-big', mtu: 1400 },
    ])
    expect(lab.ping(a, '10.0.1.4', { size: 1372, df: true }).received).toBe(1)
    expect(lab.ping(a, 'fd01::4', { size: 1400 }).events).toMatchObject([{ error: 'too-big', mtu: 1400 }])
    expect(lab.ping(a, 'fd01::4', { size: 3000 }).received).toBe(1)
  })

  test('to itself, to a claimed network, and to a link-local address', () => {
    const lab = new Lab()
    const a = lab.host('a', ['10.0.0.1/24'])
    const b = lab.host('b', ['10.0.0.2/24', 'fd00::2/64'])
    b.addLocal('8.8.8.0/24')
    a.addRoute('default', '10.0.0.2')
    expect(lab.ping(a, '10.0.0.1').received).toBe(1)
    expect(lab.ping(a, '8.8.8.8').received).toBe(1)
    expect(lab.ping(a, 'fe80::f816:3eff:fe00:2').received).toBe(0)
    a.addAddress('fd00::1/64')
    expect(lab.ping(a, 'fe80::f816:3eff:fe00:2').received).toBe(1)
  })
})

describe('neighbours', () => {
  test('a moved address is followed after gratuitous ARP', () => {
    const lab = new Lab()
    const a = lab.host('a', ['10.0.0.1/24'])
    const b = lab.host('b', ['10.0.0.2/24'])
    expect(lab.ping(a, '10.0.0.2').received).toBe(1)
    b.removeAddress('10.0.0.2')
    const c = lab.host('c', [])
    c.addAddress('10.0.0.2/24', undefined, true)
    lab.clock.settle()
    expect(lab.ping(a, '10.0.0.2').received).toBe(1)
    expect(a.neighbors()[0]).toContain('fa:16:3e:00:00:03')
  })

  test('two hosts with one address notice it', () => {
    const lab = new Lab()
    const a = lab.host('a', ['10.0.0.1/24'])
    const seen: unknown[] = []
    a.onConflict = (ip, mac) => seen.push([ip, mac])
    const b = lab.host('b', [])
    b.addAddress('10.0.0.1/24', undefined, true)
    lab.clock.settle()
    expect(seen[0]).toEqual([0x0a000001, 0xfa163e000002])
  })

  test('an old entry is asked about again, and given up when the host is gone', () => {
    const lab = new Lab()
    const a = lab.host('a', ['10.0.0.1/24'])
    lab.host('b', ['10.0.0.2/24'])
    lab.ping(a, '10.0.0.2')
    lab.clock.advance(40_000)
    lab.switch.setUp('b', false)
    lab.ping(a, '10.0.0.2')
    expect(a.neighbors().join()).toContain('DELAY')
    lab.clock.advance(8000)
    expect(a.neighbors()).toEqual([])
  })
})

describe('vlan interfaces', () => {
  test('reach their VLAN over a trunk', () => {
    const lab = new Lab()
    const a = lab.host('a', [])
    a.addVlan(100)
    a.addAddress('10.1.0.1/24', 'eth0.100')
    lab.host('b', ['10.1.0.2/24'], { mode: { access: 100 } })
    lab.host('c', ['10.1.0.2/24'], { mode: { access: 200 } })
    expect(lab.ping(a, '10.1.0.2').received).toBe(1)
    expect(lab.switch.entries().map((e) => [e.vlan, e.port])).toEqual([
      [100, 'a'],
      [100, 'b'],
    ])
  })
})

describe('udp', () => {
  test('datagrams there and back; a closed port is reported', () => {
    const lab = new Lab()
    const a = lab.host('a', ['10.0.0.1/24', 'fd00::1/64'])
    const b = lab.host('b', ['10.0.0.2/24', 'fd00::2/64'])
    const server = b.udp(7)
    server.onDatagram = (data, from) => server.send(from.address, from.port, data)
    const client = a.udp()
    const got: unknown[] = []
    client.onDatagram = (data, from) => got.push([data.length, from.port])
    client.onError = (e) => got.push(e.kind)
    client.send(0x0a000002, 7, new Uint8Array(3000))
    client.send((0xfd00n << 112n) | 2n, 7, new Uint8Array(5))
    client.send(0x0a000002, 8, new Uint8Array(5))
    lab.clock.advance(100)
    expect(got.sort()).toEqual([[3000, 7], [5, 7], 'port-unreachable'].sort())
  })

  test('broadcast and multicast reach who listens', () => {
    const lab = new Lab()
    const a = lab.host('a', ['10.0.0.1/24'])
    const got: string[] = []
    for (const name of ['b', 'c']) {
      const host = lab.host(name, [`10.0.0.${name === 'b' ? 2 : 3}/24`])
      host.udp(5000).onDatagram = (data) => got.push(`${name} ${data.length}`)
      if (name === 'c') host.join('239.1.1.1')
    }
    const socket = a.udp()
    socket.send(0x0a0000ff, 5000, new Uint8Array(1))
    socket.send(0xef010101, 5000, new Uint8Array(2))
    lab.clock.settle()
    expect(got.sort()).toEqual(['b 1', 'c 1', 'c 2'])
  })
})

describe('hostile frames', () => {
  test('never crash a host or a switch, nor a router', () => {
    const lab = new Lab()
    const a = lab.host('a', ['10.0.0.1/24', 'fd00::1/64'], { forwarding: true })
    a.addVlan(5)
    a.tcp.listen(80, () => {})
    a.dhcp(() => {})
    a.autoconfigure()
    const evil = lab.switch.port('evil')
    const mac = a.interface().mac
    fc.assert(
      fc.property(packetSpecs, damage, fc.boolean(), (spec, hurt, toHost) => {
        const aimed = {
          ...spec,
          eth: { ...spec.eth, dst: toHost ? mac : 0xffffffffffff, src: 0xfa163e0000ee, tags: [] },
          ...(spec.ip4 && { ip4: { ...spec.ip4, dst: 0x0a000001 } }),
          ...(spec.ip6 && { ip6: { ...spec.ip6, dst: (0xfd00n << 112n) | 1n } }),
        }
        evil.send(craft(aimed))
        evil.send(hurt(craft(aimed)))
        evil.send(hurt(craft(spec)))
        lab.clock.settle()
      }),
      { numRuns: 1500 },
    )
    lab.clock.advance(200_000)
    const b = lab.host('b', ['10.0.0.2/24'])
    expect(lab.ping(b, '10.0.0.1').received).toBe(1)
  })
})
