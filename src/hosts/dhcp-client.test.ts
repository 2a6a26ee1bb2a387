import { describe, expect, test } from 'vitest'
import { formatIpv4, parseIpv4 } from '../address/ipv4.ts'
import {
  type Dhcp,
  DhcpCode,
  type DhcpOption,
  DhcpType,
  dhcpOptions,
  dhcpType,
  emitDhcp,
  encodeStaticRoutes,
  numberIn,
  option8,
  option16,
  option32,
  parseDhcp,
} from '../packet/index.ts'
import { printLease } from './dhcp-client.ts'
import type { VirtualHost } from './host.ts'
import { Lab } from './lab.test-data.ts'

const TYPES = ['', 'DISCOVER', 'OFFER', 'REQUEST', 'DECLINE', 'ACK', 'NAK', 'RELEASE']

/** A small server on a virtual host; `log` is what it heard. */
function server(host: VirtualHost, address: string, more: readonly DhcpOption[] = []) {
  const log: string[] = []
  const self = { log, silent: false, refuse: false, address, seconds: 3600 }
  const socket = host.udp(67)
  const own = parseIpv4('10.0.0.1') ?? 0
  socket.onDatagram = (data, from) => {
    const parsed = parseDhcp(data)
    if (!parsed.ok) throw new Error(parsed.error)
    const d: Dhcp = parsed.value
    const type = dhcpType(d) ?? 0
    const asked = numberIn(dhcpOptions(d).get(DhcpCode.requestedAddress))
    log.push(
      `${TYPES[type]} from ${formatIpv4(Number(from.address))}${asked === undefined ? '' : ` for ${formatIpv4(asked)}`}`,
    )
    if (self.silent || (type !== DhcpType.discover && type !== DhcpType.request)) return
    const answer = type === DhcpType.discover ? DhcpType.offer : self.refuse ? DhcpType.nak : DhcpType.ack
    const reply: Dhcp = {
      ...d,
      op: 2,
      yiaddr: answer === DhcpType.nak ? 0 : (parseIpv4(self.address) ?? 0),
      options: [
        option8(DhcpCode.messageType, answer),
        option32(DhcpCode.serverId, own),
        option32(DhcpCode.leaseTime, self.seconds),
        option32(DhcpCode.netmask, 0xffffff00),
        ...more,
      ],
    }
    socket.send(d.ciaddr || 0xffffffff, 68, emitDhcp(reply))
  }
  return self
}

function setting(more: readonly DhcpOption[] = [], address = '10.0.0.4') {
  const lab = new Lab()
  const gateway = lab.host('gateway', ['10.0.0.1/24'])
  gateway.addLocal('8.8.8.8/32')
  const dhcp = server(gateway, address, [option32(DhcpCode.router, 0x0a000001), ...more])
  const host = lab.host('vm', [])
  const leases: string[] = []
  return {
    lab,
    dhcp,
    host,
    leases,
    note: (l: Parameters<typeof printLease>[0] | undefined) => void leases.push(l ? printLease(l) : 'lost'),
  }
}

describe('dhcp client', () => {
  test('gets an address, with route, mtu and name servers', () => {
    const { lab, dhcp, host, leases, note } = setting([
      option16(DhcpCode.mtu, 1442),
      option32(DhcpCode.dnsServer, 0x08080808),
    ])
    const client = host.dhcp(note)
    lab.clock.advance(1000)
    expect(leases).toEqual(['10.0.0.4/24 via 10.0.0.1, 3600 s from 10.0.0.1'])
    expect(dhcp.log).toEqual(['DISCOVER from 0.0.0.0', 'REQUEST from 0.0.0.0 for 10.0.0.4'])
    expect(client.state).toBe('bound')
    expect(host.interface().mtu).toBe(1442)
    expect(host.dns).toEqual([0x08080808])
    expect(host.ip.routes.lines()).toEqual(['10.0.0.0/24 dev eth0', 'default via 10.0.0.1 dev eth0'])
    expect(lab.ping(host, '8.8.8.8').received).toBe(1)
  })

  test('classless routes stand for the router option', () => {
    const routes = encodeStaticRoutes([
      { network: 0xc0000200, length: 24, router: 0x0a000001 },
      { network: 0, length: 0, router: 0x0a000002 },
    ])
    const { lab, host, note } = setting([{ code: DhcpCode.classlessRoutes, data: routes }])
    host.dhcp(note)
    lab.clock.advance(1000)
    expect(host.ip.routes.lines()).toEqual([
      '10.0.0.0/24 dev eth0',
      '192.0.2.0/24 via 10.0.0.1 dev eth0',
      'default via 10.0.0.2 dev eth0',
    ])
  })

  test('renews at half the time from the server, rebinds later from any, and loses the lease at the end', () => {
    const { lab, dhcp, host, leases, note } = setting()
    const client = host.dhcp(note)
    lab.clock.advance(1801_000)
    expect(dhcp.log[2]).toBe('REQUEST from 10.0.0.4')
    expect(client.state).toBe('bound')
    dhcp.silent = true
    lab.clock.advance(1801_000)
    expect(client.state).toBe('renewing')
    lab.clock.advance(1351_000)
    expect(client.state).toBe('rebinding')
    lab.clock.advance(460_000)
    expect(leases.at(-1)).toBe('lost')
    expect(host.interface().addresses).toEqual([])
    expect(host.ip.routes.lines()).toEqual([])
    dhcp.silent = false
    lab.clock.advance(70_000)
    expect(client.state).toBe('bound')
  })

  test('a NAK starts over', () => {
    const { lab, dhcp, host, note } = setting()
    dhcp.refuse = true
    const client = host.dhcp(note, { previous: 0x0a000007 })
    lab.clock.advance(10)
    expect(dhcp.log).toEqual(['REQUEST from 0.0.0.0 for 10.0.0.7'])
    dhcp.refuse = false
    lab.clock.advance(3000)
    expect(client.state).toBe('bound')
  })

  test('an address that somebody has is declined', () => {
    const { lab, dhcp, host, leases, note } = setting()
    lab.host('squatter', ['10.0.0.4/24'])
    host.dhcp(note)
    lab.clock.advance(1000)
    expect(dhcp.log[2]).toBe('DECLINE from 0.0.0.0 for 10.0.0.4')
    dhcp.address = '10.0.0.5'
    lab.clock.advance(12_000)
    expect(leases).toEqual(['10.0.0.5/24 via 10.0.0.1, 3600 s from 10.0.0.1'])
  })

  test('repeats with growing pauses while nobody answers', () => {
    const { lab, dhcp, host, note } = setting()
    dhcp.silent = true
    host.dhcp(note)
    lab.clock.advance(66_000)
    expect(dhcp.log.length).toBe(5)
  })

  test('release gives it back', () => {
    const { lab, dhcp, host, note, leases } = setting()
    const client = host.dhcp(note)
    lab.clock.advance(1000)
    client.release()
    lab.clock.settle()
    expect(dhcp.log.at(-1)).toBe('RELEASE from 10.0.0.4')
    expect(leases.at(-1)).toBe('lost')
    expect(host.interface().addresses).toEqual([])
  })
})
