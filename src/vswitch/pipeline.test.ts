import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseIpv4 } from '../address/ipv4.ts'
import { toHex } from '../base/bytes.ts'
import type { Message, PacketIn } from '../openflow/messages/message.ts'
import { parseFlow } from '../openflow/text/flow.ts'
import { craft } from '../packet/packet.ts'
import { printFrame } from '../packet/print.ts'
import { vlanTag } from '../packet/vlan.ts'
import { Fixture } from './fixture.test-data.ts'
import { Mirror } from './pipeline/mirror.ts'

const ip = (t: string) => parseIpv4(t) as number
const eth = { src: 0x0200_0000_000a, dst: 0x0200_0000_000b }
const udp = (sport = 1000, dport = 2000, over: object = {}) =>
  craft({
    eth: { ...eth, ...over },
    ip4: { src: ip('10.0.0.1'), dst: ip('10.0.0.2') },
    udp: { src: sport, dst: dport, payload: new Uint8Array(4) },
  })

function flows(f: Fixture, ...lines: string[]): void {
  for (const l of lines) {
    const p = parseFlow(l)
    if (!p.ok) throw new Error(`${l}: ${p.error}`)
    f.send(p.value)
  }
}
const where = (f: Fixture, port: number, frame: Uint8Array) => Object.keys(f.inject(port, frame)).join()
const packetIns = (f: Fixture) => f.messages.filter((m): m is PacketIn => m.type === 'packet_in')
const wantPackets = (f: Fixture) =>
  f.send(
    { type: 'set_config', xid: 1, flags: 0, missSendLen: 0xffff },
    { type: 'set_packet_in_format', xid: 2, format: 2 },
  )

describe('controllers', () => {
  for (const wire of [false, true]) {
    test(`a paused packet goes on where it stopped${wire ? ', from bytes alone' : ''}`, () => {
      const f = new Fixture(2)
      wantPackets(f)
      flows(
        f,
        'table=0,ip,actions=load:5->NXM_NX_REG1[],push:NXM_NX_REG1[],resubmit(,1),resubmit(,3)',
        'table=1,ip,actions=resubmit(,2),load:6->NXM_NX_REG1[]',
        'table=2,ip,actions=controller(userdata=01.02,pause),load:1->NXM_NX_REG2[]',
        'table=3,ip,reg0=0x77,reg1=6,reg2=1,actions=pop:NXM_NX_REG3[],resubmit(,4)',
        'table=4,reg3=5,actions=output:2',
      )
      expect(f.inject(1, udp())).toEqual({})
      const [p] = packetIns(f)
      expect(p && [p.userdata && toHex(p.userdata), p.table, p.reason]).toEqual(['0102', 2, 1])
      if (!p?.continuation) throw new Error('no continuation')
      const reg0 = parseFlow('reg0=0x77,actions=drop')
      if (!reg0.ok) throw new Error(reg0.error)
      const resume: Message = {
        type: 'resume',
        xid: 9,
        packet: p.packet,
        reason: p.reason,
        table: p.table,
        cookie: p.cookie,
        metadata: [...p.metadata, ...reg0.value.match].sort((a, b) => a.field.index - b.field.index),
        continuation: wire && p.continuation.bytes ? { bytes: p.continuation.bytes } : p.continuation,
      }
      f.send(resume)
      expect(f.ports.get(2)?.got.map((x) => printFrame(x))).toEqual(['IP 10.0.0.1.1000 > 10.0.0.2.2000: UDP, length 4'])
    })
  }

  test('a packet-out runs actions; a stale continuation is refused', () => {
    const f = new Fixture(2)
    const p = parseFlow('in_port=1,actions=mod_dl_dst:00:00:00:00:00:09,output:2,ct(commit,zone=3)')
    if (!p.ok) throw new Error(p.error)
    f.send({
      type: 'packet_out',
      xid: 1,
      bufferId: 0xffffffff,
      metadata: p.value.match,
      actions: p.value.actions,
      packet: udp(),
    })
    expect(f.ports.get(2)?.got.map((x) => toHex(x.subarray(0, 6)))).toEqual(['000000000009'])
    expect(f.sw.conntrack.size).toBe(1)
    expect(() =>
      f.send({
        type: 'resume',
        xid: 1,
        packet: udp(),
        reason: 0,
        table: 0,
        cookie: 0n,
        metadata: [],
        continuation: { bytes: new Uint8Array(3) },
      }),
    ).toThrow('NXR_STALE')
  })

  test('TTL exceeded goes to the controller with its reason', () => {
    const f = new Fixture(2)
    wantPackets(f)
    // not among those that come unasked
    f.send({ type: 'set_async', xid: 1, format: 'nxt2', masks: { packet_in: { primary: 7 } } })
    flows(f, 'ip,actions=dec_ttl,output:2')
    const dying = craft({ eth, ip4: { src: 1, dst: 2, ttl: 1 }, udp: { src: 1, dst: 2, payload: new Uint8Array(0) } })
    expect(f.inject(1, dying)).toEqual({})
    expect(packetIns(f).map((p) => p.reason)).toEqual([2])
  })

  test('flows expire, and say so', () => {
    const f = new Fixture(2)
    wantPackets(f)
    flows(
      f,
      'idle_timeout=5,send_flow_rem,priority=2,actions=output:2',
      'hard_timeout=30,send_flow_rem,priority=1,actions=output:2',
    )
    for (let i = 0; i < 4; i++) {
      f.clock.advance(3000)
      f.inject(1, udp())
    }
    expect(f.bridge.flowCount()).toBe(2)
    f.clock.advance(7000)
    expect(f.bridge.flowCount()).toBe(1)
    f.clock.advance(20_000)
    expect(f.bridge.flowCount()).toBe(0)
    const removed = f.messages.filter((m) => m.type === 'flow_removed')
    expect(removed.map((m) => [m.reason, m.priority, m.packets])).toEqual([
      [0, 2, 4n],
      [1, 1, 0n],
    ])
  })

  test('a bundle is all or nothing', () => {
    const f = new Fixture(2)
    flows(f, 'priority=1,actions=output:2')
    const bundle = (control: 'open_request' | 'commit_request'): Message => ({
      type: 'bundle_control',
      xid: 1,
      bundle: 4,
      control,
      flags: 3,
      properties: new Uint8Array(0),
    })
    const add = (line: string): Message => {
      const p = parseFlow(line)
      if (!p.ok) throw new Error(p.error)
      return { type: 'bundle_add', xid: 2, bundle: 4, flags: 3, message: p.value }
    }
    f.controller.send(bundle('open_request'))
    f.controller.send(add('priority=5,actions=drop'))
    f.controller.send(add('priority=6,actions=group:9'))
    f.controller.send(bundle('commit_request'))
    f.clock.settle()
    expect(f.messages.map((m) => (m.type === 'error' ? m.error : m.type))).toEqual([
      'bundle_control',
      'OFPBAC_BAD_OUT_GROUP',
      'OFPBFC_MSG_FAILED',
    ])
    expect(where(f, 1, udp())).toBe('2')
    f.messages.length = 0
    f.send(bundle('open_request'), add('priority=5,actions=drop'), bundle('commit_request'))
    expect(where(f, 1, udp())).toBe('')
  })

  test('deletes by cookie, port and narrower match; strict only what is equal', () => {
    const f = new Fixture(2)
    flows(
      f,
      'cookie=5,ip,nw_dst=10.0.0.2,actions=output:2',
      'cookie=6,udp,actions=output:1',
      'cookie=6,arp,actions=output:2',
    )
    const del = (line: string, command: 'delete' | 'delete_strict', rest: object = {}) => {
      const p = parseFlow(line, command)
      if (!p.ok) throw new Error(p.error)
      f.send({ ...p.value, ...rest })
      return f.bridge.flowCount()
    }
    expect(del('ip', 'delete_strict')).toBe(3)
    expect(del('cookie=7/-1,ip', 'delete')).toBe(3)
    expect(del('', 'delete', { outPort: 1 })).toBe(2)
    expect(del('cookie=5/-1', 'delete')).toBe(1)
    expect(del('ip', 'delete')).toBe(1)
    expect(del('arp', 'delete')).toBe(0)
  })
})

describe('actions', () => {
  test('learn makes flows that bring answers back', () => {
    const f = new Fixture(3)
    flows(
      f,
      'table=0,actions=learn(table=1,hard_timeout=60,priority=7,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),resubmit(,1)',
      'table=1,priority=0,actions=flood',
    )
    expect(where(f, 1, udp())).toBe('2,3')
    expect(where(f, 2, udp(1, 2, { src: eth.dst, dst: eth.src }))).toBe('1')
    expect(where(f, 1, udp())).toBe('2')
    f.clock.advance(70_000)
    expect(where(f, 1, udp())).toBe('2,3')
  })

  test('select groups keep a flow on its bucket and share flows by weight', () => {
    for (const method of ['dp_hash', 'hash'] as const) {
      const f = new Fixture(3)
      const bucket = (id: number, weight: number, port: number) => ({
        id,
        weight,
        watchPort: 0xffff,
        watchGroup: 0xffffffff,
        actions: [{ type: 'output' as const, port, maxLen: 0 }],
      })
      f.send({
        type: 'group_mod',
        xid: 1,
        command: 'add',
        groupType: 'select',
        group: 1,
        commandBucket: 0xffffffff,
        buckets: [bucket(0, 100, 2), bucket(1, 300, 3)],
        selection: { method, param: 0n, fields: [] },
      })
      flows(f, 'ip,actions=group:1')
      const count = new Map<string, number>()
      for (let i = 0; i < 400; i++) {
        const w = where(f, 1, udp(1000 + i))
        expect(where(f, 1, udp(1000 + i))).toBe(w)
        count.set(w, (count.get(w) ?? 0) + 1)
      }
      const share = (count.get('3') ?? 0) / 400
      expect(share, method).toBeGreaterThan(0.62)
      expect(share, method).toBeLessThan(0.88)
      f.send({
        type: 'group_mod',
        xid: 1,
        command: 'remove_bucket',
        groupType: 'select',
        group: 1,
        commandBucket: 1,
        buckets: [],
      })
      for (let i = 0; i < 20; i++) expect(where(f, 1, udp(1000 + i))).toBe('2')
      f.sw.datapath.flushStatistics()
      expect(f.bridge.groups.get(1)?.packets).toBe(820)
    }
  })

  test('fast failover follows the ports that are up', () => {
    const f = new Fixture(3)
    const bucket = (id: number, port: number) => ({
      id,
      weight: 0,
      watchPort: port,
      watchGroup: 0xffffffff,
      actions: [{ type: 'output' as const, port, maxLen: 0 }],
    })
    f.send({
      type: 'group_mod',
      xid: 1,
      command: 'add',
      groupType: 'fast_failover',
      group: 1,
      commandBucket: 0xffffffff,
      buckets: [bucket(0, 2), bucket(1, 3)],
    })
    flows(f, 'actions=group:1')
    expect(where(f, 1, udp())).toBe('2')
    const p2 = f.bridge.ports.get(2)
    if (p2) f.sw.device(p2)?.setUp?.(false)
    expect(where(f, 1, udp())).toBe('3')
  })

  test('a meter drops what comes too fast, and lets more through later', () => {
    const f = new Fixture(2)
    f.send({
      type: 'meter_mod',
      xid: 1,
      command: 'add',
      flags: 2 | 4,
      meter: 1,
      bands: [{ type: 'drop', rate: 10, burst: 5, precedence: 0 }],
    })
    flows(f, 'actions=meter:1,output:2')
    const through = (n: number) => Array.from({ length: n }, () => where(f, 1, udp())).filter((w) => w).length
    expect(through(20)).toBe(5)
    f.clock.advance(300)
    expect(through(20)).toBe(3)
  })

  test('check_pkt_larger looks at each packet', () => {
    const f = new Fixture(3)
    flows(
      f,
      'table=0,actions=check_pkt_larger(100)->NXM_NX_REG0[3],resubmit(,1)',
      'table=1,reg0=0x8,actions=output:3',
      'table=1,reg0=0,actions=output:2',
    )
    const sized = (n: number) => craft({ eth, ip4: { src: 1, dst: 2, protocol: 99, payload: new Uint8Array(n) } })
    expect([where(f, 1, sized(66)), where(f, 1, sized(67))]).toEqual(['2', '3'])
  })

  test('patch ports lead into another bridge, registers stay behind', () => {
    const f = new Fixture(1)
    const other = f.sw.addBridge('br1', 0x0a_0000_0000_02)
    f.sw.addPort(f.bridge, { name: 'a', type: 'patch', peer: 'b', requested: 7 })
    f.sw.addPort(other, { name: 'b', type: 'patch', peer: 'a', requested: 8 })
    flows(f, 'in_port=1,actions=load:1->NXM_NX_REG0[],output:7', 'in_port=7,dl_src=00:00:00:00:00:55,actions=output:1')
    const p = parseFlow('in_port=8,reg0=0,actions=mod_dl_src:00:00:00:00:00:55,in_port')
    if (!p.ok) throw new Error(p.error)
    f.sw.learn(other, { ...p.value, flags: 0, limit: 0 })
    const r = f.through(1, udp())
    expect([r.port, toHex(r.frame.subarray(6, 12))]).toEqual([1, '000000000055'])
    f.sw.datapath.flushStatistics()
    expect(other.portByName('b')?.rxPackets).toBe(1)
  })
})

describe('NORMAL', () => {
  test('learns, floods within a VLAN, tags as each port wants it', () => {
    const f = new Fixture(4)
    flows(f, 'actions=NORMAL')
    const mode = (n: number, mode: 'access' | 'trunk', tag: number, trunks: number[] = []) => {
      const p = f.bridge.ports.get(n)
      if (!p) throw new Error('no port')
      p.vlan = { mode, tag, trunks: new Set(trunks), priorityTags: false }
      f.bridge.portModified(p)
    }
    mode(1, 'access', 5)
    mode(2, 'access', 6)
    mode(3, 'trunk', 0, [5])
    mode(4, 'access', 5)
    const out = f.inject(1, udp())
    expect(Object.keys(out).join()).toBe('3,4')
    expect(toHex((out[3] as Uint8Array[])[0]?.subarray(12, 16) as Uint8Array)).toBe('81000005')
    const tagged = udp(1, 2, { src: eth.dst, dst: eth.src, tags: [vlanTag(5)] })
    const back = f.through(3, tagged)
    expect([back.port, toHex(back.frame.subarray(12, 14))]).toEqual([1, '0800'])
    expect(where(f, 1, udp())).toBe('3')
    // not of a VLAN of the trunk, and not tagged on an access port
    expect(where(f, 3, udp(1, 2, { tags: [vlanTag(6)] }))).toBe('')
    expect(where(f, 1, udp(1, 2, { tags: [vlanTag(6)] }))).toBe('')
    // an address ages
    f.clock.advance(310_000)
    expect(where(f, 1, udp())).toBe('3,4')
  })
})

describe('mirrors', () => {
  test('copy what comes in as it came, and what goes out as it goes, once', () => {
    const f = new Fixture(4)
    flows(
      f,
      'in_port=1,actions=mod_dl_dst:00:00:00:00:00:09,output:2',
      'in_port=2,actions=mod_dl_dst:00:00:00:00:00:09,output:1',
    )
    f.bridge.mirrors = [
      new Mirror({
        name: 'm',
        all: false,
        sources: new Set(['p1']),
        destinations: new Set(['p1', 'p2']),
        vlans: new Set(),
        outputPort: 'p4',
        outputVlan: undefined,
        snapLength: 0,
      }),
    ]
    f.bridge.portsChanged.changed()
    const dst = (port: number) => {
      const out = f.inject(port, udp())
      return Object.entries(out).map(([n, list]) => `${n}: ${list.map((x) => toHex(x.subarray(0, 6))).join()}`)
    }
    expect(dst(1)).toEqual(['2: 000000000009', '4: 02000000000b'])
    expect(dst(2)).toEqual(['1: 000000000009', '4: 000000000009'])
    f.sw.datapath.flushStatistics()
    expect(f.bridge.mirrors[0]?.packets).toBe(2)
  })
})

const actionText = fc.constantFrom(
  'output:2',
  'output:3',
  'in_port',
  'dec_ttl',
  'mod_dl_src:00:00:00:00:00:07',
  'load:0x3->NXM_NX_REG1[]',
  'mod_nw_tos:8',
  'push_vlan:0x8100,set_field:4101->vlan_vid',
  'strip_vlan',
  'resubmit(,1)',
  'resubmit(,2)',
  'ct(table=2,zone=1)',
  'ct(commit,zone=1)',
  'clone(mod_nw_src:1.2.3.4,output:3)',
  'move:NXM_OF_IN_PORT[]->NXM_NX_REG1[0..15]',
)
const matchText = fc.constantFrom(
  '',
  'ip',
  'udp',
  'arp',
  'in_port=1',
  'udp,tp_dst=7',
  'ip,nw_ttl=1',
  'reg1=3',
  'ct_state=+trk+new,ip',
  'ct_state=+trk+est,ip',
  'ip,nw_tos=8',
  'vlan_tci=0x1000/0x1000',
  'udp,tp_src=1',
  'dl_src=00:00:00:00:00:07',
)
const flowText = fc
  .tuple(
    fc.integer({ min: 0, max: 2 }),
    fc.integer({ min: 1, max: 3 }),
    matchText,
    fc.array(actionText, { minLength: 1, maxLength: 4 }),
  )
  .map(
    ([table, priority, match, actions]) =>
      `table=${table},priority=${priority}${match ? `,${match}` : ''},actions=${actions.join()}`,
  )
const frames = fc.constantFrom(
  udp(1, 7),
  udp(2, 7),
  udp(2, 8),
  udp(1, 8, { tags: [vlanTag(9)] }),
  udp(1, 8, { tags: [vlanTag(9), vlanTag(9)] }),
  craft({ eth, ip4: { src: 1, dst: 2, ttl: 1 }, udp: { src: 1, dst: 7, payload: new Uint8Array(1) } }),
  craft({
    eth,
    ip4: { src: ip('10.0.0.2'), dst: ip('10.0.0.1') },
    udp: { src: 7, dst: 1, payload: new Uint8Array(1) },
  }),
)

test.each([
  [
    'pushes a tag before two of its kind',
    ['table=0,priority=1,actions=push_vlan:0x8100,set_field:4105->vlan_vid,output:2'],
    [[vlanTag(9), vlanTag(9)], [vlanTag(9)]],
  ],
  [
    'looks at the tag behind one that went',
    [
      'table=0,priority=1,actions=pop_vlan,resubmit(,1)',
      'table=1,priority=2,vlan_tci=0x1000/0x1000,actions=output:2',
      'table=1,priority=1,actions=output:3',
    ],
    [[vlanTag(9)], [vlanTag(9), vlanTag(8)]],
  ],
] as const)('a cached flow that %s is for as many tags', (_, flows, packets) => {
  const cached = new Fixture(3)
  const fresh = new Fixture(3)
  fresh.sw.datapath.flowLimit = 0
  for (const flow of flows) {
    const parsed = parseFlow(flow)
    if (!parsed.ok) throw new Error(flow)
    for (const f of [cached, fresh]) f.send(parsed.value)
  }
  for (const tags of packets) {
    const frame = udp(1, 8, { tags: [...tags] })
    expect(cached.inject(1, frame)).toEqual(fresh.inject(1, frame))
  }
})

test('cached flows give what a fresh look through the tables gives, whatever the flows', () => {
  fc.assert(
    fc.property(
      fc.array(flowText, { maxLength: 14 }),
      fc.array(flowText, { maxLength: 3 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), frames), { minLength: 4, maxLength: 16 }),
      (first, later, packets) => {
        const cached = new Fixture(3)
        const fresh = new Fixture(3)
        fresh.sw.datapath.flowLimit = 0
        const add = (lines: string[]) => {
          for (const l of lines) {
            const p = parseFlow(l)
            if (!p.ok) continue
            for (const f of [cached, fresh]) {
              f.messages.length = 0
              f.controller.send(p.value)
              f.clock.settle()
            }
          }
        }
        const text = (o: Record<number, Uint8Array[]>) =>
          JSON.stringify(Object.entries(o).map(([n, l]) => [n, l.map((x) => toHex(x))]))
        add(first)
        for (const [i, [port, frame]] of packets.entries()) {
          if (i === packets.length >> 1) add(later)
          expect(text(cached.inject(port, frame))).toBe(text(fresh.inject(port, frame)))
        }
        const counts = (f: Fixture) => {
          f.sw.datapath.flushStatistics()
          return [...f.bridge.rules()].map((r) => r.packets)
        }
        expect(counts(cached)).toEqual(counts(fresh))
      },
    ),
    { numRuns: 150 },
  )
})
