import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toHex } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'
import { emitBfd, parseBfd } from './bfd.ts'
import { dhcp, emitDhcp, option8, optionText, parseDhcp } from './dhcp.ts'
import { emitDhcp6, iaAddressOption, iaOption, parseDhcp6 } from './dhcpv6.ts'
import { dnsQuery, emitDns, parseDns } from './dns.ts'
import { emitGeneve, ovnGeneve, parseGeneve } from './geneve.ts'
import { type Icmp6, Icmp6Type } from './icmp6.ts'
import { emitIgmp, parseIgmp } from './igmp.ts'
import { mldMessage, parseMld } from './mld.ts'
import { linkAddressOption, mtuOption, ndMessage, parseNd, prefixOption } from './nd.ts'
import { craft } from './packet.ts'
import { emitPcap, parsePcap } from './pcap.ts'
import { printFrame } from './print.ts'
import { damage, packetSpecs } from './samples.test-data.ts'
import { emitVxlan, parseVxlan, vxlan } from './vxlan.ts'

interface Codec {
  readonly name: string
  readonly sample: Uint8Array
  /** Decoded and encoded again, or undefined when decoding gave an error. */
  again(bytes: Uint8Array): Uint8Array | undefined
}

function codec<T>(
  name: string,
  sample: Uint8Array,
  parse: (b: Uint8Array) => Result<T>,
  emit: (t: T) => Uint8Array,
): Codec {
  return {
    name,
    sample,
    again(bytes) {
      const value = parse(bytes)
      return value.ok ? emit(value.value) : undefined
    },
  }
}

/** ND and MLD work on ICMPv6 messages: the bytes here are type, then the rest. */
function codec6<T>(name: string, sample: Icmp6, parse: (m: Icmp6) => Result<T>, emit: (t: T) => Icmp6): Codec {
  const flat = (m: Icmp6) => new Uint8Array([m.type, ...m.payload])
  const lift = (b: Uint8Array): Icmp6 => ({ ...sample, type: b[0] ?? 0, payload: b.subarray(1) })
  return codec(
    name,
    flat(sample),
    (b) => parse(lift(b)),
    (t) => flat(emit(t)),
  )
}

const frame = craft({
  eth: { dst: 1, src: 2 },
  ip4: { src: 1, dst: 2 },
  udp: { src: 1, dst: 2, payload: new Uint8Array(2) },
})

const CODECS: readonly Codec[] = [
  codec(
    'dhcp',
    emitDhcp(dhcp({ op: 1, xid: 7, chaddr: 0xfa163e000001, options: [option8(53, 1), optionText(12, 'vm1')] })),
    parseDhcp,
    emitDhcp,
  ),
  codec(
    'dhcpv6',
    emitDhcp6({
      kind: 'client-server',
      type: 1,
      xid: 0x123456,
      options: [
        iaOption(3, {
          iaid: 1,
          t1: 0,
          t2: 0,
          options: [iaAddressOption({ address: 5n, preferred: 1, valid: 2, options: [] })],
        }),
      ],
    }),
    parseDhcp6,
    emitDhcp6,
  ),
  codec(
    'dhcpv6 relay',
    emitDhcp6({ kind: 'relay', type: 12, hops: 1, link: 1n, peer: 2n, options: [] }),
    parseDhcp6,
    emitDhcp6,
  ),
  codec(
    'bfd',
    emitBfd({
      version: 1,
      diagnostic: 0,
      state: 3,
      flags: 0,
      multiplier: 3,
      myDiscriminator: 1,
      yourDiscriminator: 2,
      desiredMinTx: 100000,
      requiredMinRx: 100000,
      requiredMinEchoRx: 0,
      authentication: new Uint8Array(0),
    }),
    parseBfd,
    emitBfd,
  ),
  codec('geneve', emitGeneve(ovnGeneve({ datapath: 1, ingress: 2, egress: 3 }, frame)), parseGeneve, emitGeneve),
  codec('vxlan', emitVxlan(vxlan(5, frame)), parseVxlan, emitVxlan),
  codec(
    'igmp',
    emitIgmp({
      kind: 'report3',
      reserved: 0,
      records: [{ type: 4, group: 0xe0000105, sources: [1, 2], auxiliary: new Uint8Array(0) }],
    }),
    parseIgmp,
    emitIgmp,
  ),
  codec6(
    'router advertisement',
    ndMessage({
      kind: 'ra',
      hopLimit: 255,
      flags: 0,
      lifetime: 65535,
      reachable: 0,
      retransmit: 0,
      options: [
        linkAddressOption('source', 1),
        mtuOption(1400),
        prefixOption({ length: 64, flags: 0xc0, valid: 1, preferred: 1, prefix: 1n << 64n }),
      ],
    }),
    parseNd,
    ndMessage,
  ),
  codec6(
    'neighbour advertisement',
    ndMessage({ kind: 'na', flags: 0, target: 7n, options: [linkAddressOption('target', 1)] }),
    parseNd,
    ndMessage,
  ),
  codec6('MLD query', mldMessage({ kind: 'query1', maxResponse: 0, group: 3n }), parseMld, mldMessage),
]

describe.each(CODECS)('$name', (c) => {
  test('its sample comes out the same', () => {
    expect(toHex(c.again(c.sample) ?? new Uint8Array(0))).toBe(toHex(c.sample))
  })

  test('damaged or noise: an error or the same bytes, never an exception', () => {
    fc.assert(
      fc.property(damage, fc.uint8Array({ maxLength: 60 }), (hurt, noise) => {
        for (const bytes of [hurt(c.sample), noise]) {
          const again = c.again(bytes)
          if (again) expect(toHex(again)).toBe(toHex(bytes))
        }
      }),
      { numRuns: 400 },
    )
  })
})

describe('mld version 2', () => {
  test('query and report there and back', () => {
    for (const mld of [
      { kind: 'query2' as const, maxResponse: 1000, group: 5n, flags: 2, interval: 125, sources: [9n] },
      { kind: 'report2' as const, records: [{ type: 4, group: 5n, sources: [1n], auxiliary: new Uint8Array(4) }] },
    ]) {
      expect(parseMld(mldMessage(mld))).toEqual({ ok: true, value: mld })
    }
  })
  test('a report that claims more records than it has is an error', () => {
    const m = { type: Icmp6Type.mld2Report, code: 0, rest: 0xffff, payload: new Uint8Array(20) }
    expect(parseMld(m).ok).toBe(false)
  })
})

describe('dns', () => {
  test('damage and noise give an error or a message that can be encoded', () => {
    const sample = emitDns({
      ...dnsQuery(1, 'vm1.ovn.org', 1),
      answers: [{ name: 'vm1.ovn.org', type: 1, class: 1, ttl: 3600, data: Uint8Array.of(10, 0, 0, 4) }],
    })
    fc.assert(
      fc.property(damage, (hurt) => {
        const value = parseDns(hurt(sample))
        if (value.ok) {
          const again = parseDns(emitDns(value.value))
          expect(again).toEqual(value)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

describe('pcap', () => {
  test('there and back, and cut files keep their whole records', () => {
    const frames = [
      { time: 1767225600123.456, frame },
      { time: 1767225600124, frame: frame.subarray(0, 20), length: frame.length },
    ]
    const file = emitPcap(frames)
    expect(parsePcap(file)).toEqual({ ok: true, value: frames })
    expect(parsePcap(file.subarray(0, file.length - 1))).toEqual({ ok: true, value: frames.slice(0, 1) })
    expect(parsePcap(new Uint8Array(24)).ok).toBe(false)
  })
})

test('printing never throws', () => {
  fc.assert(
    fc.property(packetSpecs, damage, fc.constantFrom(53, 67, 547, 3784, 4789, 6081), (spec, hurt, port) => {
      const ported = spec.udp ? { ...spec, udp: { ...spec.udp, dst: port } } : spec
      expect(printFrame(hurt(craft(ported)), true)).toBeTypeOf('string')
    }),
    { numRuns: 1000 },
  )
})
