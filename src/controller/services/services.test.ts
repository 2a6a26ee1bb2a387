import { expect, test } from 'vitest'
import { toHex, Writer } from '../../base/bytes.ts'
import { OPCODE } from '../../logical/opcodes.ts'
import { fieldMatch } from '../../openflow/fields/match.ts'
import { F } from '../../openflow/fields/table.ts'
import type { PacketOut } from '../../openflow/messages/message.ts'
import { formatActions } from '../../openflow/text/actions-format.ts'
import { craft, decodeFrame } from '../../packet/packet.ts'
import { TcpFlag } from '../../packet/tcp.ts'
import { datapathRow, makeWorld, portRow, uuidOf } from '../fixture.test-data.ts'

type World = ReturnType<typeof makeWorld>

function world(): World {
  const w = makeWorld()
  w.clock.settle()
  w.sb(
    datapathRow('sw0', 1),
    portRow('vm1', 'sw0', 1, { mac: ['fa:16:3e:50:47:62 10.0.0.6'] }),
    portRow('vm2', 'sw0', 2, { mac: ['fa:16:3e:50:47:63 10.0.0.7'] }),
  )
  w.plug('tap1', { 'iface-id': 'vm1' })
  w.clock.settle()
  return w
}

/** What the controller sent out since last asked. */
function out(w: World): PacketOut[] {
  const all = w.sw.received.filter((m): m is PacketOut => m.type === 'packet_out')
  w.sw.received.length = 0
  return all
}

function packetIn(
  w: World,
  opcode: number,
  inport: number,
  packet: Uint8Array,
  body: Uint8Array = new Uint8Array(),
): void {
  const userdata = new Writer(64).u32(opcode).u32(0).bytes(body).done()
  w.sw.channel?.send({
    type: 'packet_in',
    xid: 0,
    format: 'nxt2',
    packet,
    totalLength: packet.length,
    bufferId: 0xffffffff,
    reason: 1,
    table: 40,
    cookie: 0n,
    metadata: [fieldMatch(F.reg14, inport), fieldMatch(F.metadata, 1)],
    userdata,
  })
  w.clock.settle()
}

test('an event becomes one row, until the CMS takes it', () => {
  const w = world()
  const text = (w: Writer, code: number, s: string) => {
    const bytes = new TextEncoder().encode(s)
    return w.u16(code).u16(bytes.length).bytes(bytes)
  }
  const body = new Writer(64).u32(0)
  text(text(text(body, 1, '10.0.0.99:80'), 2, 'tcp'), 3, 'lb')
  packetIn(w, OPCODE.event, 1, new Uint8Array(60), body.done())
  packetIn(w, OPCODE.event, 1, new Uint8Array(60), body.done())
  const rows = w.rows('Controller_Event')
  expect(rows).toHaveLength(1)
  expect(rows[0]).toMatchObject({ event_type: 'empty_lb_backends', seq_num: 1 })
  expect(rows[0]?.['event_info']).toEqual(
    new Map([
      ['load_balancer', 'lb'],
      ['protocol', 'tcp'],
      ['vip', '10.0.0.99:80'],
    ]),
  )
})

const monitor = (protocol: string, options: Record<string, string> = {}) =>
  ({
    op: 'insert',
    table: 'Service_Monitor',
    uuid: uuidOf('monitor'),
    row: {
      type: 'load-balancer',
      ip: '10.0.0.6',
      protocol,
      port: 8080,
      logical_port: 'vm1',
      src_mac: 'c6:a4:09:8b:ce:5a',
      src_ip: '10.0.0.250',
      chassis_name: 'hv1',
      options: new Map(Object.entries(options)),
    },
  }) as const

const status = (w: World) => w.rows('Service_Monitor')[0]?.['status']

test('a TCP service is online while it accepts connections', () => {
  const w = world()
  out(w)
  w.sb(monitor('tcp'))
  w.clock.settle()
  const [syn, ...more] = out(w)
  expect(more).toEqual([])
  expect(syn && formatActions(syn.actions)).toBe(
    'set_field:0x1->metadata,set_field:0x1->reg15,set_field:0x10000/0x10000->reg10,resubmit(CONTROLLER,46)',
  )
  const asked = decodeFrame(syn?.packet ?? new Uint8Array())
  if (!asked.ok || !asked.value.tcp || !asked.value.ip4) throw new Error('no SYN')
  const { eth, ip4, tcp } = asked.value
  expect(tcp).toMatchObject({ dst: 8080, flags: TcpFlag.syn, window: 65160, ack: 0 })
  expect(ip4).toMatchObject({ ttl: 63, df: true })
  const reply = (flags: number) =>
    craft({
      eth: { src: eth.dst, dst: eth.src },
      ip4: { src: ip4.dst, dst: ip4.src },
      tcp: { ...tcp, src: tcp.dst, dst: tcp.src, seq: 5000, ack: tcp.seq + 1, flags },
    })
  packetIn(w, OPCODE.handle_svc_check, 1, reply(TcpFlag.syn | TcpFlag.ack))
  expect(status(w)).toBe('online')
  const [rst] = out(w)
  const reset = decodeFrame(rst?.packet ?? new Uint8Array())
  expect(reset.ok && reset.value.tcp).toMatchObject({ seq: tcp.seq + 1, flags: TcpFlag.rst, src: tcp.src })

  // Nothing for the next ones: offline after the interval and the timeout.
  w.clock.advance(5000)
  expect(out(w)).toHaveLength(1)
  expect(status(w)).toBe('online')
  w.clock.advance(3000)
  expect(status(w)).toBe('offline')

  w.unplug('tap1')
  out(w)
  w.clock.advance(60_000)
  expect(out(w)).toEqual([])
})

test('a UDP service is online as long as nothing says otherwise', () => {
  const w = world()
  w.sb(monitor('udp', { interval: '2', timeout: '1', success_count: '2', failure_count: '2' }))
  w.clock.settle()
  const [probe] = out(w)
  const asked = decodeFrame(probe?.packet ?? new Uint8Array())
  if (!asked.ok || !asked.value.udp || !asked.value.ip4) throw new Error('no datagram')
  expect(asked.value.udp.payload).toEqual(new Uint8Array(8))
  w.clock.advance(1000)
  expect(status(w)).toBeUndefined()
  w.clock.advance(3000)
  expect(status(w)).toBe('online')
  const { eth, ip4 } = asked.value
  const unreachable = craft({
    eth: { src: eth.dst, dst: eth.src },
    ip4: { src: ip4.dst, dst: ip4.src },
    icmp4: { type: 3, code: 3, rest: 0, payload: asked.value.eth.payload },
  })
  for (let i = 0; i < 2; i++) {
    w.clock.advance(2000)
    packetIn(w, OPCODE.handle_svc_check, 1, unreachable)
  }
  expect(status(w)).toBe('offline')
})

test('a querier asks as ovn-controller does, byte by byte', () => {
  const w = world()
  out(w)
  w.sb({
    op: 'insert',
    table: 'IP_Multicast',
    uuid: uuidOf('multicast'),
    row: {
      datapath: uuidOf('sw0'),
      enabled: true,
      querier: true,
      eth_src: 'fa:16:3e:50:47:02',
      ip4_src: '10.2.0.1',
      ip6_src: 'fe80::1',
      query_interval: 5,
      query_max_resp: 1,
      idle_timeout: 300,
      table_size: 2048,
    },
  })
  w.clock.advance(1)
  const queries = out(w)
  expect(queries.map((q) => toHex(q.packet))).toEqual([
    '01005e000001fa163e5047020800450000200000400001028fd80a020001e0000001110aeeeb00000000000a0000',
    '333300000000fa163e50470286dd6000000000240001fe800000000000000000000000000001ff020000000000000000000000000001' +
      '3a0005020000000082007c3a03e800000000000000000000000000000000000000010000',
  ])
  expect(queries.map((q) => formatActions(q.actions))[0]).toBe(
    'set_field:0x1->metadata,set_field:0x8000->reg15,set_field:0x10000/0x10000->reg10,resubmit(CONTROLLER,46)',
  )
  w.clock.advance(5000)
  expect(out(w)).toHaveLength(2)
})

test('groups are learned from reports, forwarded to routers, and forgotten', () => {
  const w = world()
  w.sb({
    op: 'insert',
    table: 'IP_Multicast',
    row: { datapath: uuidOf('sw0'), enabled: true, querier: false, idle_timeout: 300, table_size: 2048 },
  })
  w.clock.advance(1)
  expect(w.rows('IGMP_Group')).toMatchObject([{ address: 'mrouters', ports: [], chassis_name: 'hv1' }])
  out(w)
  const igmp = (type: number, group: number, from = 1) =>
    packetIn(
      w,
      OPCODE.igmp,
      from,
      craft({
        eth: { src: 0xfa163e504762, dst: 0x01005e010101 },
        ip4: { src: 0x0a000006, dst: group || 0xe0000001, ttl: 1 },
        igmp: { kind: 'plain', type, maxResponse: 0, group },
      }),
    )
  const groups = () =>
    w
      .rows('IGMP_Group')
      .map((g) => [g['address'], g['protocol'], g['ports']] as const)
      .sort()
  igmp(0x16, 0xef010101)
  expect(groups()).toEqual([
    ['239.1.1.1', 'IGMPv2', [uuidOf('pb-vm1')]],
    ['mrouters', '', []],
  ])
  expect(out(w).map((m) => formatActions(m.actions))).toEqual([
    'set_field:0x1->metadata,set_field:0x1->reg14,set_field:0x8002->reg15,set_field:0x400000/0x400000->reg10,resubmit(CONTROLLER,42)',
  ])
  igmp(0x17, 0xef010101)
  expect(groups()).toEqual([['mrouters', '', []]])
  igmp(0x16, 0xef010102)
  w.clock.advance(299_000)
  expect(groups()).toHaveLength(2)
  w.clock.advance(1_001)
  expect(groups()).toEqual([['mrouters', '', []]])
  igmp(0x11, 0, 2)
  expect(groups()).toEqual([['mrouters', '', [uuidOf('pb-vm2')]]])
  expect(
    out(w)
      .at(-1)
      ?.actions.map((a) => formatActions([a]))[2],
  ).toBe('set_field:0x8004->reg15')
})

test('a router port advertises itself from time to time', () => {
  const w = world()
  out(w)
  w.sb(
    datapathRow('r1', 2, 'logical-router'),
    portRow('lrp', 'r1', 1, {
      type: 'patch',
      options: new Map([
        ['peer', 'sw0-r1'],
        ['ipv6_ra_address_mode', 'slaac'],
        ['ipv6_ra_max_interval', '600'],
        ['ipv6_ra_min_interval', '200'],
        ['ipv6_ra_mtu', '1442'],
        ['ipv6_ra_prefixes', 'fd00::/64'],
        ['ipv6_ra_prf', 'MEDIUM'],
        ['ipv6_ra_send_periodic', 'true'],
        ['ipv6_ra_src_addr', 'fe80::f816:3eff:fe97:e5c6'],
        ['ipv6_ra_src_eth', 'fa:16:3e:97:e5:c6'],
      ]),
    }),
    portRow('sw0-r1', 'sw0', 4, { type: 'patch', options: new Map([['peer', 'lrp']]) }),
  )
  w.clock.advance(1)
  const [ra] = out(w)
  expect(ra && formatActions(ra.actions)).toBe(
    'set_field:0x1->metadata,set_field:0x4->reg14,set_field:0x10/0x10->reg10,resubmit(CONTROLLER,8)',
  )
  expect(toHex(ra?.packet ?? new Uint8Array())).toBe(
    '333300000001fa163e97e5c686dd6000000000403afffe80000000000000f8163efffe97e5c6ff0200000000000000000000000000018600' +
      'f6abff00ffff00000000000000000101fa163e97e5c605010000000005a2030440c0ffffffffffffffff00000000fd00000000000000' +
      '0000000000000000',
  )
  w.clock.advance(600_000)
  const more = out(w).length
  expect(more).toBeGreaterThanOrEqual(1)
  expect(more).toBeLessThanOrEqual(3)
})
