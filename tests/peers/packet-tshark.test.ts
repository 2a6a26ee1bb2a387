import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import {
  craft,
  Dhcp6Code,
  DhcpCode,
  type DhcpOption,
  dhcp,
  dnsQuery,
  duidLinkLayer,
  emitBfd,
  emitDhcp,
  emitDhcp6,
  emitDns,
  emitGeneve,
  emitPcap,
  emitVxlan,
  encodeDomains,
  encodeStaticRoutes,
  fragmentIpv4,
  iaAddressOption,
  iaOption,
  iaPrefixOption,
  ipv4,
  linkAddressOption,
  mldMessage,
  mtuOption,
  ndMessage,
  option8,
  option32,
  optionText,
  ovnGeneve,
  type PacketSpec,
  parsePcap,
  prefixOption,
  printFrame,
  ROUTER_ALERT4,
  ROUTER_ALERT6,
  rarpFrame,
  rdnssOption,
  statusOption,
  vlanTag,
  vxlan,
} from '../../src/packet/index.ts'
import { packetSpecs } from '../../src/packet/samples.test-data.ts'

const have = (program: string) => spawnSync(program, ['--version']).status === 0
const dir = mkdtempSync(join(tmpdir(), 'packet-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const A = 0xfa163e000001
const B = 0xfa163e000002
const a4 = 0x0a000001
const b4 = 0x0a000002
const a6 = (0xfd00n << 112n) | 1n
const b6 = (0xfd00n << 112n) | 2n
const eth = { src: A, dst: B }
const text = (s: string) => new TextEncoder().encode(s)
const none = new Uint8Array(0)
const udp4 = (src: number, dst: number, payload: Uint8Array) =>
  craft({ eth, ip4: { src: a4, dst: b4 }, udp: { src, dst, payload } })
const udp6 = (src: number, dst: number, payload: Uint8Array) =>
  craft({ eth, ip6: { src: a6, dst: b6 }, udp: { src, dst, payload } })
const icmp6 = (spec: Partial<PacketSpec['ip6']>, message: NonNullable<PacketSpec['icmp6']>) =>
  craft({ eth, ip6: { src: a6, dst: b6, hopLimit: 255, ...spec }, icmp6: message })

const options: DhcpOption[] = [
  option8(DhcpCode.messageType, 2),
  option32(DhcpCode.serverId, a4),
  option32(DhcpCode.leaseTime, 3600),
  option32(DhcpCode.netmask, 0xffffff00),
  optionText(DhcpCode.domainName, 'ovn.org'),
  { code: DhcpCode.domainSearch, data: encodeDomains(['ovn.org', 'lab.ovn.org']) },
  { code: DhcpCode.classlessRoutes, data: encodeStaticRoutes([{ network: 0x1e000000, length: 20, router: a4 }]) },
]
const inner = udp4(1, 2, text('inner'))
const dns = emitDns({
  ...dnsQuery(7, 'vm1.ovn.org', 1),
  flags: 0x8580,
  answers: [{ name: 'vm1.ovn.org', type: 1, class: 1, ttl: 3600, data: Uint8Array.of(10, 0, 0, 4) }],
})
const solicit = emitDhcp6({
  kind: 'client-server',
  type: 1,
  xid: 0x123456,
  options: [
    { code: Dhcp6Code.clientId, data: duidLinkLayer(A) },
    iaOption(Dhcp6Code.iaNa, {
      iaid: 1,
      t1: 0,
      t2: 0,
      options: [iaAddressOption({ address: a6, preferred: 10, valid: 20, options: [] })],
    }),
    iaOption(Dhcp6Code.iaPd, {
      iaid: 2,
      t1: 0,
      t2: 0,
      options: [iaPrefixOption({ prefix: 0xfd00n << 112n, length: 64, preferred: 10, valid: 20, options: [] })],
    }),
    statusOption(0, 'fine'),
  ],
})

/** Frames, and what the dissector's column of protocols or fields must say about each. */
const CORPUS: readonly (readonly [string, Uint8Array, readonly string[]])[] = [
  ['arp', craft({ eth, arp: { op: 1, sha: A, spa: a4, tha: 0, tpa: b4 } }), ['eth:ethertype:arp', 'Who has 10.0.0.2']],
  ['rarp', rarpFrame(A), ['Who is fa:16:3e:00:00:01']],
  [
    'vlan',
    craft({
      eth: { ...eth, tags: [vlanTag(7), vlanTag(9)] },
      ip4: { src: a4, dst: b4 },
      udp: { src: 9, dst: 9, payload: none },
    }),
    ['eth:ethertype:vlan:ethertype:vlan:ethertype:ip:udp'],
  ],
  [
    'icmp',
    craft({ eth, ip4: { src: a4, dst: b4 }, icmp4: { type: 8, code: 0, rest: 0x10002, payload: text('abcde') } }),
    ['Echo (ping) request', 'seq=2'],
  ],
  [
    'tcp',
    craft({
      eth,
      ip4: { src: a4, dst: b4 },
      tcp: {
        src: 1,
        dst: 80,
        seq: 5,
        ack: 6,
        flags: 0x12,
        window: 7,
        urgent: 0,
        options: Uint8Array.of(2, 4, 5, 0xb4),
        payload: none,
      },
    }),
    ['[SYN, ACK]', 'MSS=1460'],
  ],
  [
    'tcp6',
    craft({
      eth,
      ip6: { src: a6, dst: b6 },
      tcp: { src: 1, dst: 80, seq: 5, ack: 6, flags: 0x18, window: 7, urgent: 0, options: none, payload: text('odd') },
    }),
    ['[PSH, ACK]', 'Len=3'],
  ],
  [
    'sctp',
    craft({
      eth,
      ip4: { src: a4, dst: b4 },
      sctp: { src: 1, dst: 2, tag: 0, chunks: [{ type: 1, flags: 0, value: new Uint8Array(16).fill(1) }] },
    }),
    ['INIT'],
  ],
  [
    'igmp',
    craft({
      eth,
      ip4: { src: a4, dst: 0xe0000016, ttl: 1, options: ROUTER_ALERT4 },
      igmp: { kind: 'report3', reserved: 0, records: [{ type: 4, group: 0xef010101, sources: [], auxiliary: none }] },
    }),
    ['Join group 239.1.1.1 for any sources'],
  ],
  [
    'dhcp',
    udp4(67, 68, emitDhcp(dhcp({ op: 2, xid: 5, chaddr: A, yiaddr: b4, options }))),
    ['DHCP Offer', 'Transaction ID 0x5'],
  ],
  ['dhcpv6', udp6(546, 547, solicit), ['Solicit XID: 0x123456', 'IAA: fd00::1']],
  ['dns', udp4(53, 9999, dns), ['vm1.ovn.org A 10.0.0.4']],
  [
    'ns',
    icmp6({}, ndMessage({ kind: 'ns', reserved: 0, target: b6, options: [linkAddressOption('source', A)] })),
    ['Neighbor Solicitation for fd00::2 from fa:16:3e:00:00:01'],
  ],
  [
    'na',
    icmp6({}, ndMessage({ kind: 'na', flags: 0x60000000, target: a6, options: [linkAddressOption('target', A)] })),
    ['Neighbor Advertisement fd00::1 (sol, ovr) is at fa:16:3e:00:00:01'],
  ],
  [
    'ra',
    icmp6(
      {},
      ndMessage({
        kind: 'ra',
        hopLimit: 255,
        flags: 0,
        lifetime: 9000,
        reachable: 0,
        retransmit: 0,
        options: [
          linkAddressOption('source', A),
          mtuOption(1400),
          prefixOption({ length: 64, flags: 0xc0, valid: 9, preferred: 8, prefix: 0xfd00n << 112n }),
          rdnssOption(100, [b6]),
        ],
      }),
    ),
    ['Router Advertisement from fa:16:3e:00:00:01'],
  ],
  [
    'mld',
    icmp6(
      { hopLimit: 1, extensions: [ROUTER_ALERT6] },
      mldMessage({
        kind: 'report2',
        records: [{ type: 4, group: (0xff02n << 112n) | 0x99n, sources: [], auxiliary: none }],
      }),
    ),
    ['Multicast Listener Report Message v2'],
  ],
  [
    'bfd',
    udp4(
      49152,
      3784,
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
        authentication: none,
      }),
    ),
    ['State: Up'],
  ],
  [
    'geneve',
    udp4(50000, 6081, emitGeneve(ovnGeneve({ datapath: 5, ingress: 1, egress: 2 }, inner))),
    ['geneve:eth:ethertype:ip:udp'],
  ],
  ['vxlan', udp4(50000, 4789, emitVxlan(vxlan(5, inner))), ['vxlan:eth:ethertype:ip:udp']],
]

const COMPLAINTS =
  '_ws.malformed || _ws.expert.severity == error || ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0 || icmp.checksum.status == 0 || icmpv6.checksum.status == 0 || igmp.checksum.status == 0 || sctp.checksum.status == 0'

function tshark(frames: readonly Uint8Array[], ...args: string[]): string[] {
  const file = join(dir, 'frames.pcap')
  writeFileSync(file, emitPcap(frames.map((frame, i) => ({ time: 1767225600000 + i, frame }))))
  const check = ['ip.check_checksum', 'udp.check_checksum', 'tcp.check_checksum'].flatMap((o) => ['-o', `${o}:TRUE`])
  const sctp = ['-o', 'sctp.checksum:CRC32C', '-o', 'tcp.analyze_sequence_numbers:FALSE', '-o', 'ip.defragment:TRUE']
  const out = execFileSync('tshark', ['-n', '-r', file, ...check, ...sctp, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return out.split('\n').filter(Boolean)
}

describe.skipIf(!have('tshark'))('tshark', () => {
  test.each(CORPUS)('understands %s', (_name, frame, expected) => {
    const line = tshark([frame], '-T', 'fields', '-e', 'frame.protocols', '-e', '_ws.col.Info').join()
    for (const e of expected) expect(line).toContain(e)
    expect(tshark([frame], '-Y', COMPLAINTS)).toEqual([])
  })

  test('is asked the right question: it finds a broken packet', () => {
    const broken = udp4(67, 68, emitDhcp(dhcp({ op: 2, xid: 5, chaddr: A, options })))
    broken[40] = 0xff
    expect(tshark([broken], '-Y', COMPLAINTS).length).toBe(1)
  })

  test('finds no wrong checksum in random packets', () => {
    const frames = fc.sample(packetSpecs, { numRuns: 400, seed: 1 }).map(craft)
    const bad = ['ip', 'udp', 'tcp', 'icmp', 'icmpv6', 'igmp', 'sctp']
      .map((p) => `${p}.checksum.status == 0`)
      .join(' || ')
    expect(tshark(frames, '-Y', bad)).toEqual([])
  })

  test('puts our fragments together', () => {
    const whole = ipv4({
      src: a4,
      dst: b4,
      protocol: 17,
      id: 3,
      df: false,
      payload: udp4(1, 9, new Uint8Array(3000)).subarray(34),
    })
    const frames = fragmentIpv4(whole, 1500).map((p) => craft({ eth, ip4: p }))
    expect(frames.length).toBe(3)
    const fields = ['-T', 'fields', '-e', 'udp.length', '-e', 'udp.checksum.status']
    expect(tshark(frames, ...fields, '-Y', 'udp')).toEqual(['3008\t1'])
  })
})

describe.skipIf(!have('tcpdump'))('tcpdump', () => {
  test('says the same of common packets, and writes captures that we read', () => {
    const names = ['arp', 'icmp', 'dns', 'ns', 'na', 'rarp']
    const frames = CORPUS.filter(([name]) => names.includes(name)).map(([, frame]) => frame)
    const file = join(dir, 'in.pcap')
    writeFileSync(file, emitPcap(frames.map((frame, i) => ({ time: 1767225600000 + i, frame }))))
    const lines = execFileSync('tcpdump', ['-n', '-t', '-r', file], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const short = (s: string) => s.replace(/, length \d+$/, '').replace(/ \(\d+\)$/, '')
    // Without -v tcpdump leaves out what comes later in a neighbour discovery message.
    lines
      .trim()
      .split('\n')
      .forEach((line, i) => {
        const mine = printFrame(frames[i] ?? none)
        expect(mine.slice(0, short(line).length)).toBe(short(line))
      })
    const again = join(dir, 'out.pcap')
    execFileSync('tcpdump', ['-r', file, '-w', again], { stdio: 'ignore' })
    const read = parsePcap(execFileSync('cat', [again]))
    expect(read.ok && read.value.map((c) => c.frame)).toEqual(frames.map((f) => Buffer.from(f)))
  })
})
