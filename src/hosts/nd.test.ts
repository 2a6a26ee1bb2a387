import { describe, expect, test } from 'vitest'
import { linkLocal } from '../address/ipv6.ts'
import {
  craft,
  decodeFrame,
  linkAddressOption,
  mtuOption,
  type NdMessage,
  ndMessage,
  parseNd,
  prefixOption,
} from '../packet/index.ts'
import { Lab } from './lab.test-data.ts'

const ROUTER = 0xfa163e0000f1
const router = linkLocal(ROUTER)
const ALL_NODES = (0xff02n << 112n) | 1n

function advertisement(lifetime: number, hopLimit = 255): Uint8Array {
  const ra: NdMessage = {
    kind: 'ra',
    hopLimit: 64,
    flags: 0,
    lifetime,
    reachable: 0,
    retransmit: 0,
    options: [
      linkAddressOption('source', ROUTER),
      mtuOption(1400),
      prefixOption({ length: 64, flags: 0xc0, valid: 3600, preferred: 1800, prefix: 0xfd00n << 112n }),
    ],
  }
  return craft({
    eth: { dst: 0x333300000001, src: ROUTER },
    ip6: { src: router, dst: ALL_NODES, hopLimit },
    icmp6: ndMessage(ra),
  })
}

/** A port that answers router solicitations. */
function setting() {
  const lab = new Lab()
  const port = lab.switch.port('router')
  const heard: string[] = []
  const self = { lab, port, heard, answers: true }
  port.onFrame = (frame) => {
    const p = decodeFrame(frame)
    const nd = p.ok && p.value.icmp6 ? parseNd(p.value.icmp6) : undefined
    if (!nd?.ok) return
    heard.push(nd.value.kind)
    if (nd.value.kind === 'rs' && self.answers) port.send(advertisement(9000))
  }
  return self
}

describe('stateless configuration', () => {
  test('an advertisement gives address, mtu and default route; a lifetime of 0 takes the route', () => {
    const { lab, port, heard } = setting()
    const host = lab.host('vm', [])
    let advertised = 0
    host.autoconfigure(() => advertised++)
    lab.clock.advance(10)
    expect(host.interface().toString()).toBe('eth0 fe80::f816:3eff:fe00:1/64 fd00::f816:3eff:fe00:1/64')
    expect(host.interface().mtu).toBe(1400)
    expect(host.ip.routes.lines()).toEqual([
      'fe80::/64 dev eth0',
      'fd00::/64 dev eth0',
      'default via fe80::f816:3eff:fe00:f1 dev eth0 metric 1024',
    ])
    expect(heard).toEqual(['rs', 'ns'])
    port.send(advertisement(0))
    lab.clock.advance(10)
    expect(host.ip.routes.lines().some((l) => l.startsWith('default'))).toBe(false)
    expect(advertised).toBe(2)
    lab.clock.advance(60_000)
    expect(heard).toEqual(['rs', 'ns'])
  })

  test('three solicitations without an answer; an advertisement that crossed a router is ignored', () => {
    const s = setting()
    s.answers = false
    const host = s.lab.host('vm', [])
    host.autoconfigure()
    s.lab.clock.advance(30_000)
    expect(s.heard).toEqual(['rs', 'rs', 'rs'])
    s.port.send(advertisement(9000, 64))
    s.lab.clock.settle()
    expect(host.interface().addresses.length).toBe(1)
  })
})

describe('neighbours', () => {
  test('a moved address is followed after an unsolicited advertisement', () => {
    const lab = new Lab()
    const a = lab.host('a', ['fd00::1/64'])
    const b = lab.host('b', ['fd00::2/64'])
    expect(lab.ping(a, 'fd00::2').received).toBe(1)
    b.removeAddress('fd00::2')
    const c = lab.host('c', [])
    c.addAddress('fd00::2/64', undefined, true)
    lab.clock.settle()
    expect(lab.ping(a, 'fd00::2').received).toBe(1)
    expect(a.neighbors().find((l) => l.startsWith('fd00::2 '))).toContain('fa:16:3e:00:00:03')
  })

  test('a duplicate is noticed', () => {
    const lab = new Lab()
    lab.host('a', ['fd00::1/64'])
    const b = lab.host('b', ['fd00::1/64'])
    const seen: unknown[] = []
    b.onConflict = (ip, mac) => void seen.push(ip, mac)
    b.ip.linkOf(b.interface()).nd.detectDuplicate((0xfd00n << 112n) | 1n)
    lab.clock.settle()
    expect(seen).toEqual([(0xfd00n << 112n) | 1n, 0xfa163e000001])
  })
})

describe('groups', () => {
  test.each([
    [
      'old',
      '239.1.1.1',
      'IP 10.0.0.1 > 239.1.1.1: igmp v2 report 239.1.1.1',
      'IP 10.0.0.1 > 224.0.0.2: igmp leave 239.1.1.1',
    ],
    [
      'new',
      '239.1.1.1',
      'igmp v3 report, 1 group record(s) [gaddr 239.1.1.1, type 4',
      'igmp v3 report, 1 group record(s) [gaddr 239.1.1.1, type 3',
    ],
    ['old', 'ff05::5', 'multicast listener report, addr ff05::5', 'multicast listener done, addr ff05::5'],
    [
      'new',
      'ff05::5',
      'multicast listener report v2, 1 group record(s) [gaddr ff05::5, type 4',
      'multicast listener report v2, 1 group record(s) [gaddr ff05::5, type 3',
    ],
  ] as const)('%s: joins and leaves %s', (version, group, joined, left) => {
    const lab = new Lab()
    const host = lab.host('a', ['10.0.0.1/24', 'fd00::1/64'])
    host.groups.version = version
    const capture = host.capture()
    host.join(group)
    host.leave(group)
    host.leave(group)
    lab.clock.settle()
    const lines = capture.lines()
    expect(lines.length).toBe(2)
    expect(lines[0]).toContain(joined)
    expect(lines[1]).toContain(left)
  })

  test('a query is answered', () => {
    const lab = new Lab()
    const host = lab.host('a', ['10.0.0.1/24'])
    host.join('239.1.1.1')
    const capture = host.capture()
    const query = { kind: 'plain', type: 0x11, maxResponse: 100, group: 0 } as const
    lab.switch
      .port('querier')
      .send(craft({ eth: { dst: 0x01005e000001, src: 5 }, ip4: { src: 9, dst: 0xe0000001, ttl: 1 }, igmp: query }))
    lab.clock.settle()
    expect(capture.lines().at(-1)).toBe('IP 10.0.0.1 > 239.1.1.1: igmp v2 report 239.1.1.1')
  })
})
