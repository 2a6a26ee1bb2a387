import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseIpv4 } from '../../src/address/ipv4.ts'
import { parseIpv6 } from '../../src/address/ipv6.ts'
import { fromHex, toHex } from '../../src/base/bytes.ts'
import { parseFlow } from '../../src/openflow/text/flow.ts'
import { echo4, icmp4Error } from '../../src/packet/icmp4.ts'
import { echo6 as echo6Of, icmp6Error } from '../../src/packet/icmp6.ts'
import { linkAddressOption, ndMessage } from '../../src/packet/nd.ts'
import { craft } from '../../src/packet/packet.ts'
import { printFrame } from '../../src/packet/print.ts'
import { switchCommands } from '../../src/vswitch/commands.ts'
import { Fixture } from '../../src/vswitch/fixture.test-data.ts'
import { ReferenceSwitch } from './vswitch/reference-switch.ts'

// The same packets through the connection tracking of the real ovs-vswitchd (its userspace datapath)
// and through ours: frames out must be equal byte by byte. Flows put ct_state into the destination
// address, so that it is compared too.

let real: ReferenceSwitch
beforeAll(() => {
  real = new ReferenceSwitch()
})
afterAll(() => real.stop())

type Out = Record<1 | 2, string[]>

/** Both switches with the same flows. */
class Both {
  private readonly ours = new Fixture(2)

  constructor(flows: readonly string[]) {
    real.reset()
    for (const flow of flows) {
      real.addFlow(flow)
      const mod = parseFlow(flow)
      if (!mod.ok) throw new Error(mod.error)
      this.ours.send(mod.value)
    }
  }

  send(port: 1 | 2, frame: Uint8Array, what = printFrame(frame)): void {
    real.receive(port, frame)
    execFileSync('sleep', ['0.03'])
    const theirs: Out = { 1: real.transmitted(1), 2: real.transmitted(2) }
    const out = this.ours.inject(port, frame)
    const mine: Out = { 1: (out[1] ?? []).map((f) => toHex(f)), 2: (out[2] ?? []).map((f) => toHex(f)) }
    expect(readable(mine), what).toEqual(readable(theirs))
    expect(mine, what).toEqual(theirs)
  }

  connections(): void {
    const lines = (text: string) => text.trim().split('\n').sort()
    let mine: string[] = []
    const dump = switchCommands(this.ours.sw).find((c) => c.name === 'dpctl/dump-conntrack')
    dump?.run([], { ok: (text) => void (mine = lines(text)), error: () => {} })
    expect(mine).toEqual(lines(real.appctl('dpctl/dump-conntrack')))
  }
}

function readable(out: Out): string[] {
  return ([1, 2] as const).flatMap((p) =>
    out[p].map((h) => `${p}: ${h.slice(0, 12)} ${printFrame(fromHex(h) ?? new Uint8Array(0))}`),
  )
}

const ip = (t: string) => parseIpv4(t) as number
const eth = { src: 0x020000000001, dst: 0x020000000002 }
const pl = (n: number) => new Uint8Array(n)
const tcp = (a: string, b: string, sport: number, dport: number, flags: number, seq: number, ack: number, n = 0) =>
  craft({
    eth,
    ip4: { src: ip(a), dst: ip(b) },
    tcp: {
      src: sport,
      dst: dport,
      seq,
      ack,
      flags,
      window: 1000,
      urgent: 0,
      options: new Uint8Array(0),
      payload: pl(n),
    },
  })
const udp = (a: string, b: string, sport: number, dport: number, n = 4) =>
  craft({ eth, ip4: { src: ip(a), dst: ip(b) }, udp: { src: sport, dst: dport, payload: pl(n) } })
const echo = (a: string, b: string, kind: 'request' | 'reply', id: number, seq: number) =>
  craft({ eth, ip4: { src: ip(a), dst: ip(b) }, icmp4: echo4(kind, id, seq, pl(8)) })
const STATE = 'move:NXM_NX_CT_STATE[]->NXM_OF_ETH_DST[0..31],move:NXM_NX_CT_MARK[0..15]->NXM_OF_ETH_SRC[0..15]'
const C = '10.0.0.1',
  S = '10.0.0.2',
  N = '192.0.2.1',
  V = '192.0.2.80'
const S_ = 2,
  A = 16,
  F = 1,
  R = 4
const flip = (b: Uint8Array, at: number) => {
  b[at] = (b[at] as number) ^ 1
}

describe('connection tracking', () => {
  test('states of UDP, ICMP and TCP', () => {
    const d = new Both([
      'table=0,ip,actions=ct(table=1,zone=1)',
      `table=1,priority=40000,ip,in_port=1,ct_state=+trk+new,actions=${STATE},ct(commit,zone=1,exec(load:7->NXM_NX_CT_MARK[])),output:2`,
      `table=1,ip,in_port=1,actions=${STATE},output:2`,
      `table=1,ip,in_port=2,actions=${STATE},output:1`,
    ])
    d.send(1, udp(C, S, 1, 2))
    d.send(1, udp(C, S, 1, 2))
    d.send(2, udp(S, C, 2, 1))
    d.send(1, udp(C, S, 1, 2))
    d.send(2, udp(S, C, 2, 1))
    d.send(2, udp(S, C, 3, 1))
    d.send(1, echo(C, S, 'request', 5, 1))
    d.send(1, echo(C, S, 'request', 5, 2))
    d.send(2, echo(S, C, 'reply', 5, 1))
    d.send(2, echo(S, C, 'reply', 6, 1))
    d.send(1, echo(C, S, 'reply', 9, 1))
    d.send(1, echo(C, S, 'request', 5, 3))
    // tcp
    d.send(1, tcp(C, S, 100, 80, S_, 1000, 0), 'syn')
    d.send(1, tcp(C, S, 100, 80, S_, 1000, 0), 'syn again')
    d.send(2, tcp(S, C, 80, 100, S_ | A, 5000, 1001), 'syn-ack')
    d.send(2, tcp(S, C, 80, 100, S_ | A, 5000, 1001), 'syn-ack again')
    d.send(1, tcp(C, S, 100, 80, A, 1001, 5001), 'ack')
    d.send(1, tcp(C, S, 100, 80, A, 1001, 5001, 100), 'data')
    d.send(2, tcp(S, C, 80, 100, A, 5001, 1101, 50), 'data back')
    d.connections()
    d.send(1, tcp(C, S, 100, 80, A, 900001, 5051, 10), 'far ahead')
    d.send(1, tcp(C, S, 100, 80, A, 1101, 905051, 10), 'acks what was not sent')
    d.send(2, tcp(S, C, 80, 100, R, 4, 0), 'blind rst')
    d.send(1, tcp(C, S, 100, 80, F | A, 1101, 5051), 'fin')
    d.send(2, tcp(S, C, 80, 100, A, 5051, 1102), 'ack of fin')
    d.send(2, tcp(S, C, 80, 100, F | A, 5051, 1102), 'fin back')
    d.send(1, tcp(C, S, 100, 80, A, 1102, 5052), 'last ack')
    d.connections()
    d.send(1, tcp(C, S, 100, 80, A, 1102, 5052), 'ack after')
    d.send(1, tcp(C, S, 100, 80, S_, 7000, 0), 'reuse')
    d.send(2, tcp(S, C, 80, 100, S_ | A, 9000, 7001), 'syn-ack')
    d.connections()
    d.send(1, tcp(C, S, 101, 80, S_ | A, 1, 1), 'syn-ack out of nowhere')
    d.send(1, tcp(C, S, 102, 80, A, 1, 1, 5), 'middle')
    d.send(2, tcp(S, C, 80, 102, A, 1, 6, 5), 'middle back')
    d.send(1, tcp(C, S, 103, 80, R, 1, 1), 'rst out of nowhere')
    d.send(1, tcp(C, S, 104, 80, 0, 1, 1), 'null')
    d.send(1, tcp(C, S, 105, 80, S_ | F, 1, 1), 'syn fin')
    d.send(1, tcp(C, S, 106, 80, F | A, 1, 1), 'fin out of nowhere')
    d.send(1, tcp(C, S, 107, 80, S_, 1, 0), 'syn')
    d.send(2, tcp(S, C, 80, 107, R | A, 0, 2), 'refused')
    d.send(1, tcp(C, S, 107, 80, S_, 1, 0), 'syn again')
    d.connections()
  })
  test('resets', () => {
    const flows = [
      'table=0,ip,actions=ct(table=1,zone=1)',
      `table=1,priority=40000,ip,in_port=1,ct_state=+trk+new,actions=${STATE},ct(commit,zone=1,exec(load:7->NXM_NX_CT_MARK[])),output:2`,
      `table=1,ip,in_port=1,actions=${STATE},output:2`,
      `table=1,ip,in_port=2,actions=${STATE},output:1`,
    ]
    const d = new Both(flows)
    const hs = (p: number) => {
      d.send(1, tcp(C, S, p, 80, S_, 1000, 0), 'syn')
      d.send(2, tcp(S, C, 80, p, S_ | A, 5000, 1001), 'syn-ack')
      d.send(1, tcp(C, S, p, 80, A, 1001, 5001), 'ack')
    }
    hs(1)
    d.send(2, tcp(S, C, 80, 1, R, 5001, 0), 'rst server')
    d.connections()
    d.send(1, tcp(C, S, 1, 80, A, 1001, 5001), 'ack after')
    hs(2)
    d.send(2, tcp(S, C, 80, 2, R | A, 5001, 1001), 'rst ack server')
    d.connections()
    hs(3)
    d.send(1, tcp(C, S, 3, 80, R, 1001, 0), 'rst client')
    d.connections()
    hs(4)
    d.send(1, tcp(C, S, 4, 80, R | A, 1001, 5001), 'rst ack client')
    d.connections()
    d.send(1, tcp(C, S, 5, 80, S_, 1000, 0), 'syn')
    d.send(2, tcp(S, C, 80, 5, R | A, 0, 1001), 'refused')
    d.connections()
    d.send(2, tcp(S, C, 80, 5, R | A, 0, 1001), 'refused again')
    d.send(1, tcp(C, S, 5, 80, S_, 1000, 0), 'syn')
    d.send(1, tcp(C, S, 6, 80, S_, 1000, 0), 'syn')
    d.send(1, tcp(C, S, 6, 80, R, 1001, 0), 'rst client early')
    d.connections()
    d.send(1, tcp(C, S, 7, 80, S_, 1000, 0), 'syn')
    d.send(2, tcp(S, C, 80, 7, R, 0, 0), 'rst without ack')
    d.connections()
    hs(8)
    d.send(2, tcp(S, C, 80, 8, R, 5500, 0), 'rst ahead in window')
    d.send(2, tcp(S, C, 80, 8, R, 4900, 0), 'rst behind')
    d.connections()
    d.send(1, tcp(C, S, 8, 80, A, 1001, 5001), 'ack after')
  })
  test('what cannot be tracked', () => {
    const d = new Both(['table=0,ip,actions=ct(table=1,zone=1)', `table=1,ip,in_port=1,actions=${STATE},output:2`])
    const bad = udp(C, S, 1, 2)
    flip(bad, 40)
    d.send(1, bad, 'bad udp sum')
    const badip = udp(C, S, 1, 2)
    flip(badip, 24)
    d.send(1, badip, 'bad ip sum')
    const t = tcp(C, S, 1, 2, S_, 1, 1)
    flip(t, 50)
    d.send(1, t, 'bad tcp sum')
    const z = udp(C, S, 1, 2)
    z[40] = 0
    z[41] = 0
    d.send(1, z, 'no udp sum')
    const i = echo(C, S, 'request', 1, 1)
    flip(i, 36)
    d.send(1, i, 'bad icmp sum')
    d.send(1, craft({ eth, ip4: { src: ip(C), dst: ip(S), protocol: 47, payload: pl(20) } }), 'gre')
    d.send(1, craft({ eth, ip4: { src: ip(C), dst: ip(S), protocol: 132, payload: pl(20) } }), 'sctp')
    d.send(1, craft({ eth, ip4: { src: ip(C), dst: ip(S), protocol: 2, payload: pl(20) } }), 'igmp')
    d.send(
      1,
      craft({ eth, ip4: { src: ip(C), dst: ip(S) }, icmp4: icmp4Error(3, 1, udp(C, S, 9, 9).subarray(14)) }),
      'error about nothing',
    )
  })
  test('source translation', () => {
    const d = new Both([
      'table=0,priority=1,ip,actions=ct(table=1,zone=1,nat)',
      `table=1,priority=40000,ip,in_port=1,ct_state=+trk+new,actions=${STATE},ct(commit,zone=1,nat(src=192.0.2.1)),output:2`,
      `table=1,ip,in_port=1,actions=${STATE},output:2`,
      `table=1,ip,in_port=2,actions=${STATE},output:1`,
    ])
    d.send(1, udp(C, S, 1001, 53))
    d.send(2, udp(S, N, 53, 1001))
    d.send(1, udp(C, S, 1001, 53))
    d.connections()
    d.send(1, echo(C, S, 'request', 77, 1))
    d.send(2, echo(S, N, 'reply', 77, 1))
    d.send(2, echo(S, N, 'reply', 78, 1))
    d.connections()
    d.send(1, udp('10.0.0.3', S, 2002, 53))
    d.connections()
    d.send(1, tcp(C, S, 3003, 80, S_, 1, 0))
    d.send(2, tcp(S, N, 80, 3003, S_ | A, 1, 2))
    d.send(1, tcp(C, S, 3003, 80, A, 2, 2, 9))
    d.connections()
    const t = udp(N, S, 1001, 53).subarray(14)
    d.send(
      2,
      craft({ eth, ip4: { src: ip('10.0.0.254'), dst: ip(N) }, icmp4: icmp4Error(3, 1, t) }),
      'error from a router',
    )
    d.send(2, craft({ eth, ip4: { src: ip(S), dst: ip(N) }, icmp4: icmp4Error(3, 3, t) }), 'error from the end')
    const q = udp(S, C, 53, 1001).subarray(14)
    d.send(1, craft({ eth, ip4: { src: ip(C), dst: ip(S) }, icmp4: icmp4Error(3, 3, q) }), 'error from inside')
  })
  test('destination translation', () => {
    const d = new Both([
      'table=0,priority=1,ip,actions=ct(table=1,zone=1,nat)',
      `table=1,priority=40000,ip,in_port=1,ct_state=+trk+new,actions=ct(commit,zone=1,nat(dst=10.0.0.2:8080),table=2)`,
      `table=1,ip,in_port=1,actions=${STATE},output:2`,
      `table=2,ip,actions=${STATE},output:2`,
      `table=1,ip,in_port=2,actions=${STATE},output:1`,
    ])
    d.send(1, udp(C, V, 1001, 80))
    d.send(2, udp(S, C, 8080, 1001))
    d.send(1, udp(C, V, 1001, 80))
    d.connections()
    d.send(1, tcp(C, V, 1002, 80, S_, 1, 0))
    d.send(2, tcp(S, C, 8080, 1002, S_ | A, 1, 2))
    d.send(1, tcp(C, V, 1002, 80, A, 2, 2, 10))
    d.connections()
    const t = udp(C, S, 1001, 8080).subarray(14)
    d.send(2, craft({ eth, ip4: { src: ip(S), dst: ip(C) }, icmp4: icmp4Error(3, 3, t) }), 'error from the end')
    d.send(
      2,
      craft({ eth, ip4: { src: ip('10.0.0.254'), dst: ip(C) }, icmp4: icmp4Error(11, 0, t) }),
      'error from a router',
    )
    const q = udp(V, C, 80, 1001).subarray(14)
    d.send(1, craft({ eth, ip4: { src: ip(C), dst: ip(V) }, icmp4: icmp4Error(3, 3, q) }), 'error from client')
    d.send(1, echo(C, V, 'request', 5, 1))
    d.send(2, echo(S, C, 'reply', 5, 1))
    d.connections()
  })
  test('two zones', () => {
    const d = new Both([
      'table=0,ip,in_port=1,actions=ct(table=1,zone=1,nat)',
      'table=1,ip,in_port=1,actions=ct(commit,zone=1,nat(dst=10.0.0.2)),ct(table=2,zone=2,nat)',
      `table=2,ip,ct_state=+new,actions=${STATE},ct(commit,zone=2,nat(src=192.0.2.1)),output:2`,
      `table=2,priority=1,ip,actions=${STATE},output:2`,
      'table=0,ip,in_port=2,actions=ct(table=3,zone=2,nat)',
      'table=3,ip,actions=ct(table=4,zone=1,nat)',
      `table=4,ip,actions=${STATE},output:1`,
    ])
    d.send(1, udp(C, V, 1001, 80))
    d.send(2, udp(S, N, 80, 1001))
    d.send(1, udp(C, V, 1001, 80))
    d.send(2, udp(S, N, 80, 1001))
    d.connections()
  })
  test('a forced commit turns a connection round', () => {
    const d = new Both([
      'table=0,ip,in_port=1,actions=ct(commit,zone=1,table=1)',
      'table=0,ip,in_port=2,actions=ct(commit,force,zone=1,exec(load:9->NXM_NX_CT_MARK[]),table=1)',
      `table=1,ip,in_port=1,actions=${STATE},output:2`,
      `table=1,ip,in_port=2,actions=${STATE},output:1`,
    ])
    d.send(1, udp(C, S, 1, 2))
    d.send(2, udp(S, C, 2, 1))
    d.connections()
    d.send(1, udp(C, S, 1, 2))
    d.connections()
  })
  test('fragments', () => {
    const d = new Both([
      'table=0,ip,actions=ct(table=1,zone=1)',
      `table=1,priority=40000,ip,in_port=1,ct_state=+trk+new,actions=${STATE},ct(commit,zone=1),output:2`,
      `table=1,ip,in_port=1,actions=${STATE},output:2`,
      `table=1,ip,in_port=2,actions=${STATE},output:1`,
    ])
    const whole = udp(C, S, 1, 2, 2000)
    const piece = (from: number, to: number, more: boolean) =>
      craft({
        eth,
        ip4: {
          src: ip(C),
          dst: ip(S),
          protocol: 17,
          id: 7,
          df: false,
          mf: more,
          offset: from,
          payload: whole.slice(34 + from, 34 + to),
        },
      })
    const set = (b: Uint8Array, off: number, more: boolean) => {
      b[20] = (more ? 0x20 : 0) | ((off / 8) >> 8)
      b[21] = off / 8
      b[24] = 0
      b[25] = 0
      let s = 0
      for (let i = 14; i < 34; i += 2) s += ((b[i] as number) << 8) | (b[i + 1] as number)
      while (s > 65535) s = (s & 65535) + (s >> 16)
      s = ~s & 65535
      b[24] = s >> 8
      b[25] = s
      return b
    }
    const a = set(piece(0, 1280, true), 0, true),
      b = set(piece(1280, 2008, false), 1280, false)
    d.send(1, a, 'first')
    d.send(1, b, 'last')
    d.connections()
    const a2 = a.slice(),
      b2 = b.slice()
    a2[19] = b2[19] = 9
    set(a2, 0, true)
    set(b2, 1280, false)
    d.send(1, b2, 'last first')
    d.send(1, a2, 'first last')
  })

  test('IPv6: states, translation, errors', () => {
    const ip6 = (t: string) => parseIpv6(t) as bigint
    const [C6, S6, N6, V6] = ['fd00::1', 'fd00::2', 'fd00:1::1', 'fd00:1::80']
    const udp6 = (a: string, b: string, sport: number, dport: number) =>
      craft({
        eth,
        ip6: { src: ip6(a), dst: ip6(b) },
        udp: { src: sport, dst: dport, payload: pl(4) },
      })
    const echo6 = (a: string, b: string, kind: 'request' | 'reply', id: number) =>
      craft({ eth, ip6: { src: ip6(a), dst: ip6(b) }, icmp6: echo6Of(kind, id, 1, pl(8)) })
    const d = new Both([
      'table=0,priority=1,ipv6,actions=ct(table=1,zone=1,nat)',
      `table=1,priority=50000,ipv6,in_port=1,ct_state=+trk+new,ipv6_dst=${V6},actions=ct(commit,zone=1,nat(dst=[${S6}]:8080)),output:2`,
      `table=1,priority=40000,ipv6,in_port=1,ct_state=+trk+new,actions=${STATE},ct(commit,zone=1,nat(src=${N6})),output:2`,
      `table=1,ipv6,in_port=1,actions=${STATE},output:2`,
      `table=1,ipv6,in_port=2,actions=${STATE},output:1`,
    ])
    d.send(1, udp6(C6, S6, 1001, 53))
    d.send(2, udp6(S6, N6, 53, 1001))
    d.send(1, udp6(C6, S6, 1001, 53))
    d.send(1, echo6(C6, S6, 'request', 7))
    d.send(2, echo6(S6, N6, 'reply', 7))
    d.send(1, udp6(C6, V6, 2001, 80))
    d.send(2, udp6(S6, C6, 8080, 2001))
    d.connections()
    const about = udp6(N6, S6, 1001, 53).subarray(14)
    d.send(
      2,
      craft({ eth, ip6: { src: ip6('fd00::fe'), dst: ip6(N6) }, icmp6: icmp6Error(1, 0, about) }),
      'unreachable',
    )
    const solicit = craft({
      eth,
      ip6: { src: ip6('fe80::1'), dst: ip6('ff02::1:ff00:2'), hopLimit: 255 },
      icmp6: ndMessage({ kind: 'ns', reserved: 0, target: ip6(S6), options: [linkAddressOption('source', 1)] }),
    })
    d.send(1, solicit, 'neighbour solicitation')
  })
})
