import fc from 'fast-check'
import type { Packet, PacketSpec } from './packet.ts'

/** Random well-formed packets for property tests (imported by tests only). */
const bytes = (max: number) => fc.uint8Array({ maxLength: max })
const u8 = fc.nat(0xff)
const u16 = fc.nat(0xffff)
const u32 = fc.nat(0xffffffff)
const mac = fc.nat(0xffffffffffff)
const ip6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n })
const words = (max: number) => fc.nat(max).chain((n) => fc.uint8Array({ minLength: 4 * n, maxLength: 4 * n }))

const tag = fc.record({ tpid: fc.constantFrom(0x8100, 0x88a8), pcp: fc.nat(7), dei: fc.boolean(), vid: fc.nat(4095) })
const eth = fc.record({ dst: mac, src: mac, tags: fc.array(tag, { maxLength: 2 }) })

const udp = fc.record({ src: u16, dst: u16, payload: bytes(50) }).map((udp) => ({ udp }))
const tcp = fc
  .record({
    src: u16,
    dst: u16,
    seq: u32,
    ack: u32,
    flags: fc.nat(0xfff),
    window: u16,
    urgent: u16,
    options: words(10),
    payload: bytes(50),
  })
  .map((tcp) => ({ tcp }))
const chunk = fc.record({ type: u8, flags: u8, value: bytes(20) })
const sctp = fc
  .record({ src: u16, dst: u16, tag: u32, chunks: fc.array(chunk, { maxLength: 4 }) })
  .map((sctp) => ({ sctp }))
const message = fc.record({ type: u8, code: u8, rest: u32, payload: bytes(60) })
const group = fc.record({ type: u8, group: u32, sources: fc.array(u32, { maxLength: 3 }), auxiliary: words(2) })
const igmp = fc
  .oneof(
    fc.record({
      kind: fc.constant('plain' as const),
      type: fc.constantFrom(0x11, 0x12, 0x16, 0x17, 0x99),
      maxResponse: u8,
      group: u32,
    }),
    fc.record({
      kind: fc.constant('query3' as const),
      maxResponse: u8,
      group: u32,
      flags: u8,
      interval: u8,
      sources: fc.array(u32, { maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant('report3' as const),
      reserved: fc.nat(0xffffff),
      records: fc.array(group, { maxLength: 3 }),
    }),
  )
  .map((igmp) => ({ igmp }))

const header4 = fc.record({ src: u32, dst: u32, tos: u8, id: u16, df: fc.boolean(), ttl: u8, options: words(10) })
const header6 = fc.record({ src: ip6, dst: ip6, trafficClass: u8, flowLabel: fc.nat(0xfffff), hopLimit: u8 })

export const packetSpecs: fc.Arbitrary<PacketSpec> = fc.oneof(
  fc
    .tuple(eth, fc.record({ op: u16, sha: mac, spa: u32, tha: mac, tpa: u32 }))
    .map(([eth, arp]): PacketSpec => ({ eth, arp })),
  fc
    .tuple(
      eth,
      header4,
      fc.oneof(
        udp,
        tcp,
        sctp,
        igmp,
        message.map((icmp4) => ({ icmp4 })),
      ),
    )
    .map(([eth, ip4, inner]): PacketSpec => ({ eth, ip4, ...inner })),
  fc
    .tuple(
      eth,
      header6,
      fc.oneof(
        udp,
        tcp,
        sctp,
        message.map((icmp6) => ({ icmp6 })),
      ),
    )
    .map(([eth, ip6, inner]): PacketSpec => ({ eth, ip6, ...inner })),
)

/** A frame with some bytes overwritten, and perhaps cut short. */
export const damage: fc.Arbitrary<(frame: Uint8Array) => Uint8Array> = fc
  .tuple(fc.array(fc.tuple(u16, u8), { maxLength: 6 }), fc.option(u16))
  .map(([edits, cut]) => (frame: Uint8Array) => {
    const out = frame.slice()
    for (const [at, value] of edits) if (out.length) out[at % out.length] = value
    return cut === null ? out : out.subarray(0, cut % (out.length + 1))
  })

export function badChecksums(p: Packet): boolean {
  return [p.ip4, p.icmp4, p.icmp6, p.igmp, p.udp, p.tcp, p.sctp].some((x) => x && 'badChecksum' in x)
}
