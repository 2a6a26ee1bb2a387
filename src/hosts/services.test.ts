import { describe, expect, test } from 'vitest'
import type { Ipv6 } from '../address/ipv6.ts'
import {
  type Dhcp6,
  Dhcp6Code,
  Dhcp6Type,
  type Dns,
  DnsType,
  dhcp6Option,
  duidLinkLayer,
  emitDhcp6,
  emitDns,
  encodeDomains,
  encodeIpv6s,
  iaAddressOption,
  iaOption,
  parseDhcp6,
  parseDns,
  parseIa,
} from '../packet/index.ts'
import type { VirtualHost } from './host.ts'
import { Lab } from './lab.test-data.ts'
import type { Resolution } from './resolver.ts'
import { echoService, textService } from './services.ts'

const SERVERS = 'ff02::1:2'
const LEASED: Ipv6 = (0xfd00n << 112n) | 0x44n
const NAMES = Object.entries(Dhcp6Type)

function server6(host: VirtualHost) {
  const self = { log: [] as string[], silent: false }
  host.addAddress('fd00::1/64')
  host.join(SERVERS)
  const socket = host.udp(547)
  socket.onDatagram = (data, from) => {
    const parsed = parseDhcp6(data)
    if (!parsed.ok || parsed.value.kind !== 'client-server') throw new Error('bad message')
    const m = parsed.value
    self.log.push(NAMES.find(([, n]) => n === m.type)?.[0] ?? String(m.type))
    if (self.silent || m.type === Dhcp6Type.release) return
    const ia = parseIa(dhcp6Option(m, Dhcp6Code.iaNa) ?? new Uint8Array(0))
    const address = iaAddressOption({ address: LEASED, preferred: 1000, valid: 2000, options: [] })
    const reply: Dhcp6 = {
      ...m,
      type: m.type === Dhcp6Type.solicit ? Dhcp6Type.advertise : Dhcp6Type.reply,
      options: [
        { code: Dhcp6Code.clientId, data: dhcp6Option(m, Dhcp6Code.clientId) ?? new Uint8Array(0) },
        { code: Dhcp6Code.serverId, data: duidLinkLayer(1) },
        { code: Dhcp6Code.dnsServer, data: encodeIpv6s([1n]) },
        { code: Dhcp6Code.domainSearch, data: encodeDomains(['ovn.org']) },
        ...(ia.ok ? [iaOption(Dhcp6Code.iaNa, { iaid: ia.value.iaid, t1: 0, t2: 0, options: [address] })] : []),
      ],
    }
    socket.send(from.address, from.port, emitDhcp6(reply))
  }
  return self
}

describe('dhcpv6 client', () => {
  test('gets an address, renews it, rebinds, loses it', () => {
    const lab = new Lab()
    const server = server6(lab.host('server', []))
    const host = lab.host('vm', [])
    const log: string[] = []
    const client = host.dhcp6((lease) => void log.push(lease ? `${lease.addresses.length} ${lease.domains}` : 'lost'))
    lab.clock.advance(100)
    expect([server.log, log, host.dns]).toEqual([['solicit', 'request'], ['1 ovn.org'], [1n]])
    expect(host.interface().has(LEASED)).toBe(true)
    lab.clock.advance(1000_000)
    expect(server.log.at(-1)).toBe('renew')
    server.silent = true
    lab.clock.advance(1700_000)
    expect(client.state).toBe('rebinding')
    lab.clock.advance(400_000)
    expect(log.at(-1)).toBe('lost')
    expect(host.interface().has(LEASED)).toBe(false)
    server.silent = false
    lab.clock.advance(4000_000)
    expect(client.state).toBe('bound')
    client.release()
    lab.clock.settle()
    expect(server.log.at(-1)).toBe('release')
  })

  test('stateless: only asks for information', () => {
    const lab = new Lab()
    const server = server6(lab.host('server', []))
    const host = lab.host('vm', [])
    let done = false
    host.dhcp6(() => (done = true), { stateless: true })
    lab.clock.advance(100)
    expect([server.log, done, host.dns]).toEqual([['informationRequest'], true, [1n]])
  })
})

describe('resolver', () => {
  test('answers, refusals, silence', () => {
    const lab = new Lab()
    const server = lab.host('server', ['10.0.0.1/24'])
    const host = lab.host('vm', ['10.0.0.4/24'])
    const socket = server.udp(53)
    socket.onDatagram = (data, from) => {
      const q = parseDns(data)
      if (!q.ok) throw new Error(q.error)
      const name = q.value.questions[0]?.name ?? ''
      if (name === 'silent') return
      const known = name === 'vm1.ovn.org'
      const record = { name, type: DnsType.a, class: 1, ttl: 60, data: Uint8Array.of(10, 0, 0, 9) }
      const reply: Dns = { ...q.value, flags: known ? 0x8580 : 0x8583, answers: known ? [record] : [] }
      socket.send(from.address, from.port, emitDns(reply))
    }
    const ask = (name: string): Resolution | undefined => {
      let result: Resolution | undefined
      host.resolve(name, DnsType.a, (r) => (result = r))
      lab.clock.advance(10_000)
      return result
    }
    expect(ask('vm1.ovn.org')).toEqual({ ok: false, error: 'no server' })
    host.dns = [0x0a000001]
    expect(ask('vm1.ovn.org')).toMatchObject({ ok: true, records: [{ data: Uint8Array.of(10, 0, 0, 9) }] })
    expect(ask('other')).toEqual({ ok: false, error: 'name error' })
    expect(ask('silent')).toEqual({ ok: false, error: 'timeout' })
  })
})

describe('services', () => {
  test('echo and text', () => {
    const lab = new Lab()
    const a = lab.host('a', ['10.0.0.1/24'])
    const b = lab.host('b', ['10.0.0.2/24'])
    b.addLocal('8.8.8.8/32')
    a.addRoute('default', '10.0.0.2')
    echoService(b)
    textService(b, 80, (peer, request) => `${peer} asked ${request}`)
    const got: string[] = []
    const take = (bytes: Uint8Array) => void got.push(new TextDecoder().decode(bytes))
    const u = a.udp(5000)
    u.onDatagram = (data, from) => {
      take(data)
      expect(from.address).toBe(0x08080808)
    }
    u.send(0x08080808, 7, new TextEncoder().encode('udp'))
    for (const [port, text] of [
      [7, 'tcp'],
      [80, '/'],
    ] as const) {
      const c = a.tcp.connect('8.8.8.8', port, { localPort: 4000 + port })
      c.onOpen = () => void c.write(new TextEncoder().encode(text))
      c.onData = take
    }
    lab.clock.advance(100)
    expect(got.sort()).toEqual(['tcp', 'tcp:10.0.0.1:4080 asked /', 'udp'])
  })
})
