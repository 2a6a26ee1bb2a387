import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatIpv4, parseIpv4 } from '../../address/ipv4.ts'
import { VirtualClock } from '../../base/clock.ts'
import { seeded } from '../../base/random.ts'
import { icmp4Error } from '../../packet/icmp4.ts'
import { craft, decodeFrame } from '../../packet/packet.ts'
import { badChecksums, damage, packetSpecs } from '../../packet/samples.test-data.ts'
import * as K from '../classifier/key.ts'
import type { CtAction, DpNat } from '../datapath/action.ts'
import { Packet } from '../datapath/packet.ts'
import { stateText } from '../ofproto/trace.ts'
import { DEFAULT_TIMEOUTS as TIMEOUTS } from './connection.ts'
import { Conntrack } from './conntrack.ts'
import { formatConnection } from './format.ts'

const ip = (t: string) => parseIpv4(t) as number
const eth = { src: 1, dst: 2 }
const NO_BYTES = new Uint8Array(0)

class Lab {
  readonly clock = new VirtualClock()
  readonly ct = new Conntrack(this.clock, seeded(1))

  /** Sends a packet through a `ct` action; what became of it. */
  run(frame: Uint8Array, action: Partial<CtAction> = {}): Packet {
    const p = new Packet()
    p.receive(frame, 1)
    this.ct.execute(p, {
      type: 'ct',
      commit: false,
      force: false,
      zone: 1,
      mark: undefined,
      label: undefined,
      helper: undefined,
      nat: undefined,
      ...action,
    })
    return p
  }

  state(frame: Uint8Array, action: Partial<CtAction> = {}): string {
    return stateText(this.run(frame, action).key[K.CT_STATE] as number)
  }

  /** Looks, and commits what is new. */
  pass(frame: Uint8Array, action: Partial<CtAction> = {}): string {
    const seen = this.state(frame, action)
    if (seen.startsWith('new')) this.run(frame, { ...action, commit: true })
    return seen
  }
}

const udp = (src: string, dst: string, sport: number, dport: number) =>
  craft({ eth, ip4: { src: ip(src), dst: ip(dst) }, udp: { src: sport, dst: dport, payload: NO_BYTES } })
const tcp = (src: string, dst: string, sport: number, dport: number, flags: number, seq: number, ack: number) =>
  craft({
    eth,
    ip4: { src: ip(src), dst: ip(dst) },
    tcp: { src: sport, dst: dport, seq, ack, flags, window: 1000, urgent: 0, options: NO_BYTES, payload: NO_BYTES },
  })
const nat = (kind: 'src' | 'dst', min: string, max = min, ports: readonly [number, number] = [0, 0]): DpNat => ({
  kind,
  family: 4,
  min: BigInt(ip(min)),
  max: BigInt(ip(max)),
  minPort: ports[0],
  maxPort: ports[1],
  random: false,
  hash: false,
  persistent: false,
})
const ends = (p: Packet) =>
  `${formatIpv4(p.key[K.NW_SRC] as number)}:${p.key[K.TP_SRC]} > ${formatIpv4(p.key[K.NW_DST] as number)}:${p.key[K.TP_DST]}`

const [A, B] = ['10.0.0.1', '10.0.0.2']
const [FIN, SYN, RST, ACK] = [1, 2, 4, 16]

describe('states', () => {
  test('UDP is established once answered, and forgotten in silence', () => {
    const l = new Lab()
    expect(l.pass(udp(A, B, 1, 2))).toBe('new|trk')
    expect(l.state(udp(A, B, 1, 2))).toBe('new|trk')
    expect(l.state(udp(B, A, 2, 1))).toBe('est|rpl|trk')
    expect(l.state(udp(A, B, 1, 2))).toBe('est|trk')
    expect(l.state(udp(A, B, 1, 2), { zone: 2 })).toBe('new|trk')
    l.clock.advance(29_000)
    expect(l.state(udp(A, B, 1, 2))).toBe('est|trk')
    l.clock.advance(31_000)
    expect(l.state(udp(B, A, 2, 1))).toBe('new|trk')
    l.clock.advance(60_000)
    expect(l.ct.size).toBe(0)
  })

  test('TCP from handshake to its end', () => {
    const l = new Lab()
    expect(l.state(tcp(B, A, 80, 1, SYN | ACK, 1, 1))).toBe('inv|trk')
    expect(l.pass(tcp(A, B, 1, 80, SYN, 99, 0))).toBe('new|trk')
    expect(l.state(tcp(B, A, 80, 1, SYN | ACK, 499, 100))).toBe('est|rpl|trk')
    expect(l.state(tcp(A, B, 1, 80, ACK, 100, 500))).toBe('est|trk')
    l.clock.advance(3_600_000)
    expect(l.state(tcp(A, B, 1, 80, ACK, 9_000_000, 500))).toBe('inv|trk')
    expect(l.state(tcp(B, A, 80, 1, RST, 7, 0))).toBe('inv|trk')
    expect(l.state(tcp(A, B, 1, 80, FIN | ACK, 100, 500))).toBe('est|trk')
    expect(l.state(tcp(B, A, 80, 1, FIN | ACK, 500, 101))).toBe('est|rpl|trk')
    expect(l.state(tcp(A, B, 1, 80, ACK, 101, 501))).toBe('est|trk')
    expect([...l.ct.connections()].map((c) => formatConnection(c, l.clock.monotonic()))).toEqual([
      'tcp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=1,dport=80),reply=(src=10.0.0.2,dst=10.0.0.1,sport=80,dport=1),zone=1,timeout=45,protoinfo=(state=TIME_WAIT)',
    ])
    // the same ports again are another connection
    expect(l.pass(tcp(A, B, 1, 80, SYN, 5000, 0))).toBe('new|trk')
  })

  test('marks and labels are set under their masks and seen by both directions', () => {
    const l = new Lab()
    l.run(udp(A, B, 1, 2), {
      commit: true,
      mark: { value: 0x12, mask: 0xff },
      label: { value: 1n << 96n, mask: 1n << 96n },
    })
    l.run(udp(A, B, 1, 2), { commit: true, mark: { value: 0x3400, mask: 0xff00 } })
    const back = l.run(udp(B, A, 2, 1))
    expect([back.key[K.CT_MARK], K.u128(back.key, K.CT_LABEL)]).toEqual([0x3412, 1n << 96n])
    // the tuple that the connection began with
    expect([back.key[K.CT_NW_SRC], back.key[K.CT_TP_SRC], back.key[K.CT_NW_PROTO]]).toEqual([ip(A), 1, 17])
  })

  test('a zone takes so many connections and no more; a flush empties it', () => {
    const l = new Lab()
    l.ct.setLimit(1, 2)
    expect([1, 2, 3].map((p) => l.state(udp(A, B, p, 9), { commit: true }))).toEqual(['new|trk', 'new|trk', 'inv|trk'])
    expect(l.state(udp(A, B, 3, 9), { commit: true, zone: 2 })).toBe('new|trk')
    expect([l.ct.flush(1), l.ct.size, l.ct.zoneCount(1)]).toEqual([2, 1, 0])
  })

  test('a zone has its own timeouts', () => {
    const l = new Lab()
    l.ct.setTimeouts(1, { ...TIMEOUTS, udp_first: 1000 })
    l.run(udp(A, B, 1, 2), { commit: true })
    l.clock.advance(1100)
    expect(l.state(udp(B, A, 2, 1))).toBe('new|trk')
  })
})

describe('translation', () => {
  test('of the source, with another port where the first is taken', () => {
    const l = new Lab()
    const snat = nat('src', '192.0.2.1')
    const first = l.run(udp('10.0.0.1', B, 5000, 53), { commit: true, nat: snat })
    const second = l.run(udp('10.0.0.9', B, 5000, 53), { commit: true, nat: snat })
    expect(ends(first)).toBe('192.0.2.1:5000 > 10.0.0.2:53')
    expect(ends(second)).toBe('192.0.2.1:5001 > 10.0.0.2:53')
    const back = l.run(udp(B, '192.0.2.1', 53, 5001), { nat: { ...snat, kind: undefined } })
    expect([ends(back), stateText(back.key[K.CT_STATE] as number)]).toEqual([
      '10.0.0.2:53 > 10.0.0.9:5000',
      'est|rpl|trk|dnat',
    ])
  })

  test('within a range of ports, until there are no more', () => {
    const l = new Lab()
    const snat = nat('src', '192.0.2.1', '192.0.2.1', [700, 701])
    const use = (host: string) => {
      const p = l.run(udp(host, B, 9, 53), { commit: true, nat: snat })
      return [p.key[K.TP_SRC], stateText(p.key[K.CT_STATE] as number)]
    }
    expect([use('10.0.0.5'), use('10.0.0.6'), use('10.0.0.7')]).toEqual([
      [701, 'new|trk|snat'],
      [700, 'new|trk|snat'],
      [9, 'inv|trk'],
    ])
  })

  test('a host keeps its address of a range', () => {
    const l = new Lab()
    const snat = nat('src', '192.0.2.1', '192.0.2.8')
    const of = (host: number, port: number) =>
      l.run(udp(`10.0.0.${host}`, B, port, 53), { commit: true, nat: { ...snat, persistent: true } }).key[K.NW_SRC]
    for (let h = 1; h < 20; h++) expect(of(h, 1)).toBe(of(h, 2))
    expect(new Set(Array.from({ length: 30 }, (_, h) => of(h + 1, 3))).size).toBeGreaterThan(3)
  })

  test('an error about a translated packet finds its sender (RFC 5508)', () => {
    const l = new Lab()
    l.run(udp(A, B, 5000, 53), { commit: true, nat: nat('src', '192.0.2.1') })
    const quoted = udp('192.0.2.1', B, 5000, 53).subarray(14)
    const error = craft({ eth, ip4: { src: ip('203.0.113.9'), dst: ip('192.0.2.1') }, icmp4: icmp4Error(3, 1, quoted) })
    const p = l.run(error, { nat: { ...nat('src', '0.0.0.0'), kind: undefined } })
    expect(stateText(p.key[K.CT_STATE] as number)).toBe('rel|rpl|trk|dnat')
    const out = decodeFrame(p.frame)
    if (!out.ok) throw new Error(out.error)
    expect(badChecksums(out.value)).toBe(false)
    expect([out.value.ip4?.src, out.value.ip4?.dst]).toEqual([ip('203.0.113.9'), ip(A)])
    // the quoted packet is the one that the sender knows
    expect(p.frame.subarray(42 + 12, 42 + 22)).toEqual(udp(A, B, 5000, 53).subarray(26, 36))
  })
})

test('whatever comes, tracking never throws, and what it translates keeps right checksums', () => {
  const l = new Lab()
  const actions: Partial<CtAction>[] = [
    {},
    { commit: true },
    { commit: true, nat: nat('src', '192.0.2.1') },
    { commit: true, zone: 2, nat: nat('dst', '192.0.2.7', '192.0.2.9', [8000, 8001]) },
    { zone: 2, nat: { ...nat('src', '0.0.0.0'), kind: undefined } },
    { commit: true, force: true },
  ]
  fc.assert(
    fc.property(
      packetSpecs,
      fc.array(damage, { maxLength: 4 }),
      fc.integer({ min: 0, max: 5 }),
      (spec, damages, which) => {
        const frame = craft(spec)
        for (const f of [frame, ...damages.map((d) => d(frame))]) {
          if (f.length < 14) continue
          const before = decodeFrame(f)
          const p = l.run(f, actions[which])
          const after = decodeFrame(p.frame)
          if (before.ok && after.ok && !badChecksums(before.value)) expect(badChecksums(after.value)).toBe(false)
        }
      },
    ),
    { numRuns: 400 },
  )
})
