import type { Field, FieldCode, FieldFormat, Prerequisite } from './field.ts'

// ovs-fields(7). Class 0x0000 and 0x0001 are NXM, 0x8000 is OXM; class 0xffff carries an
// experimenter id: 0x4f4e4600 the ONF, 0x005ad650 NSH, 0x00002320 Nicira. Class 0x1000 is Ericsson's.

interface Row {
  readonly alias?: string
  /** [bits] or [bits, bytes on the wire]; bytes default to the bits rounded up. */
  readonly width: readonly [number, number?]
  readonly format: FieldFormat
  readonly maskable?: boolean
  readonly writable?: boolean
  readonly prerequisite?: Prerequisite
  readonly variable?: boolean
  /** `NXM_OF:0` (class prefix, number) with the name that follows the prefix. */
  readonly codes: readonly FieldCode[]
}

const code = (name: string, cls: number, number: number, since: number, experimenter = 0): FieldCode => ({
  name,
  class: cls,
  number,
  experimenter,
  since,
})
const of = (name: string, number: number) => code(`NXM_OF_${name}`, 0x0000, number, 0)
const nx = (name: string, number: number) => code(`NXM_NX_${name}`, 0x0001, number, 0)
/** OXM fields are preferred since OpenFlow 1.2 (wire 3) unless said otherwise. */
const oxm = (name: string, number: number, since = 3) => code(`OXM_OF_${name}`, 0x8000, number, since)
const onf = (name: string, number: number, since = 4) => code(`ONFOXM_ET_${name}`, 0xffff, number, since, 0x4f4e4600)
const nsh = (name: string, number: number) => code(`NXOXM_NSH_${name}`, 0xffff, number, 0, 0x005ad650)
const nxet = (name: string, number: number) => code(`NXOXM_ET_${name}`, 0xffff, number, 0, 0x00002320)
const eric = (name: string, number: number) => code(`ERICOXM_OF_${name}`, 0x1000, number, 0)

const dec = (width: Row['width'], codes: readonly FieldCode[], rest: Partial<Row> = {}): Row => ({
  width,
  format: 'decimal',
  codes,
  ...rest,
})
const hex = (width: Row['width'], codes: readonly FieldCode[], rest: Partial<Row> = {}): Row => ({
  width,
  format: 'hexadecimal',
  codes,
  ...rest,
})
const as = (format: FieldFormat, bits: number, codes: readonly FieldCode[], rest: Partial<Row> = {}): Row => ({
  width: [bits],
  format,
  codes,
  ...rest,
})

const any = { maskable: true, writable: true } as const
const ro = { maskable: true } as const
const rw = { writable: true } as const
const on = (prerequisite: Prerequisite, rest: Partial<Row> = {}): Partial<Row> => ({ prerequisite, ...rest })

// In the order in which Open vSwitch puts them on the wire.
const FIXED = {
  dp_hash: hex([32], [nxet('DP_HASH', 0)], ro),
  recirc_id: dec([32], []),
  conj_id: dec([32], [nx('CONJ_ID', 37)]),
  in_port: as('port', 16, [of('IN_PORT', 0)], rw),
  in_port_oxm: as('port', 32, [oxm('IN_PORT', 0)], rw),
  actset_output: as('port', 32, [onf('ACTSET_OUTPUT', 43), oxm('ACTSET_OUTPUT', 43, 6)]),
  packet_type: as('packet-type', 32, [oxm('PACKET_TYPE', 44, 6)]),
  eth_src: as('ethernet', 48, [of('ETH_SRC', 2), oxm('ETH_SRC', 4)], on('ethernet', { ...any, alias: 'dl_src' })),
  eth_dst: as('ethernet', 48, [of('ETH_DST', 1), oxm('ETH_DST', 3)], on('ethernet', { ...any, alias: 'dl_dst' })),
  eth_type: hex([16], [of('ETH_TYPE', 3), oxm('ETH_TYPE', 5)], on('ethernet', { alias: 'dl_type' })),
  vlan_tci: hex([16], [of('VLAN_TCI', 4)], on('ethernet', any)),
  vlan_vid: dec([12, 2], [oxm('VLAN_VID', 6)], on('ethernet', any)),
  vlan_pcp: dec([3, 1], [oxm('VLAN_PCP', 7)], on('vlan', rw)),
  dl_vlan: dec([12, 2], [], on('ethernet', rw)),
  dl_vlan_pcp: dec([3, 1], [], on('ethernet', rw)),
  mpls_label: dec([20, 4], [oxm('MPLS_LABEL', 34)], on('mpls', rw)),
  mpls_tc: dec([3, 1], [oxm('MPLS_TC', 35)], on('mpls', rw)),
  mpls_bos: dec([1, 1], [oxm('MPLS_BOS', 36, 4)], on('mpls')),
  mpls_ttl: dec([8], [nx('MPLS_TTL', 30)], on('mpls', rw)),
  ip_src: as('ipv4', 32, [of('IP_SRC', 7), oxm('IPV4_SRC', 11)], on('ipv4', { ...any, alias: 'nw_src' })),
  ip_dst: as('ipv4', 32, [of('IP_DST', 8), oxm('IPV4_DST', 12)], on('ipv4', { ...any, alias: 'nw_dst' })),
  ipv6_src: as('ipv6', 128, [nx('IPV6_SRC', 19), oxm('IPV6_SRC', 26)], on('ipv6', any)),
  ipv6_dst: as('ipv6', 128, [nx('IPV6_DST', 20), oxm('IPV6_DST', 27)], on('ipv6', any)),
  ipv6_label: hex([20, 4], [nx('IPV6_LABEL', 27), oxm('IPV6_FLABEL', 28)], on('ipv6', any)),
  ip_frag: { width: [2, 1], format: 'frag', codes: [nx('IP_FRAG', 26)], ...on('ip', { ...ro, alias: 'nw_frag' }) },
  nw_tos: dec([8], [of('IP_TOS', 5)], on('ip', rw)),
  ip_dscp: dec([6, 1], [oxm('IP_DSCP', 8)], on('ip', rw)),
  nw_ecn: dec([2, 1], [nx('IP_ECN', 28), oxm('IP_ECN', 9)], on('ip', { ...rw, alias: 'ip_ecn' })),
  nw_ttl: dec([8], [nx('IP_TTL', 29)], on('ip', rw)),
  nw_proto: dec([8], [of('IP_PROTO', 6), oxm('IP_PROTO', 10)], on('ip', { alias: 'ip_proto' })),
  tcp_src: dec([16], [of('TCP_SRC', 9), oxm('TCP_SRC', 13)], on('tcp', { ...any, alias: 'tp_src' })),
  tcp_dst: dec([16], [of('TCP_DST', 10), oxm('TCP_DST', 14)], on('tcp', { ...any, alias: 'tp_dst' })),
  tcp_flags: {
    width: [12, 2],
    format: 'tcp-flags',
    codes: [nx('TCP_FLAGS', 34), onf('TCP_FLAGS', 42), oxm('TCP_FLAGS', 42, 6)],
    ...on('tcp', ro),
  },
  udp_src: dec([16], [of('UDP_SRC', 11), oxm('UDP_SRC', 15)], on('udp', any)),
  udp_dst: dec([16], [of('UDP_DST', 12), oxm('UDP_DST', 16)], on('udp', any)),
  sctp_src: dec([16], [oxm('SCTP_SRC', 17)], on('sctp', any)),
  sctp_dst: dec([16], [oxm('SCTP_DST', 18)], on('sctp', any)),
  icmp_type: dec([8], [of('ICMP_TYPE', 13), oxm('ICMPV4_TYPE', 19)], on('icmp4', rw)),
  icmp_code: dec([8], [of('ICMP_CODE', 14), oxm('ICMPV4_CODE', 20)], on('icmp4', rw)),
  icmpv6_type: dec([8], [nx('ICMPV6_TYPE', 21), oxm('ICMPV6_TYPE', 29)], on('icmp6', rw)),
  icmpv6_code: dec([8], [nx('ICMPV6_CODE', 22), oxm('ICMPV6_CODE', 30)], on('icmp6', rw)),
  nd_reserved: dec([32], [eric('ICMPV6_ND_RESERVED', 1)], on('nd', rw)),
  nd_target: as('ipv6', 128, [nx('ND_TARGET', 23), oxm('IPV6_ND_TARGET', 31)], on('nd', any)),
  nd_sll: as('ethernet', 48, [nx('ND_SLL', 24), oxm('IPV6_ND_SLL', 32)], on('nd-solicit', any)),
  nd_tll: as('ethernet', 48, [nx('ND_TLL', 25), oxm('IPV6_ND_TLL', 33)], on('nd-advert', any)),
  nd_options_type: dec([8], [eric('ICMPV6_ND_OPTIONS_TYPE', 2)], on('nd', rw)),
  arp_op: dec([16], [of('ARP_OP', 15), oxm('ARP_OP', 21)], on('arp', rw)),
  arp_spa: as('ipv4', 32, [of('ARP_SPA', 16), oxm('ARP_SPA', 22)], on('arp', any)),
  arp_tpa: as('ipv4', 32, [of('ARP_TPA', 17), oxm('ARP_TPA', 23)], on('arp', any)),
  arp_sha: as('ethernet', 48, [nx('ARP_SHA', 17), oxm('ARP_SHA', 24)], on('arp', any)),
  arp_tha: as('ethernet', 48, [nx('ARP_THA', 18), oxm('ARP_THA', 25)], on('arp', any)),
  nsh_flags: dec([8], [nsh('FLAGS', 1)], on('nsh', any)),
  nsh_ttl: dec([8], [nsh('TTL', 10)], on('nsh', rw)),
  nsh_mdtype: dec([8], [nsh('MDTYPE', 2)], on('nsh')),
  nsh_np: dec([8], [nsh('NP', 3)], on('nsh')),
  nsh_spi: hex([24, 4], [nsh('SPI', 4)], on('nsh', { ...rw, alias: 'nsp' })),
  nsh_si: dec([8], [nsh('SI', 5)], on('nsh', { ...rw, alias: 'nsi' })),
  nsh_c1: hex([32], [nsh('C1', 6)], on('nsh', { ...any, alias: 'nshc1' })),
  nsh_c2: hex([32], [nsh('C2', 7)], on('nsh', { ...any, alias: 'nshc2' })),
  nsh_c3: hex([32], [nsh('C3', 8)], on('nsh', { ...any, alias: 'nshc3' })),
  nsh_c4: hex([32], [nsh('C4', 9)], on('nsh', { ...any, alias: 'nshc4' })),
  tun_id: hex([64], [nx('TUN_ID', 16), oxm('TUNNEL_ID', 38, 4)], { ...any, alias: 'tunnel_id' }),
  tun_src: as('ipv4', 32, [nx('TUN_IPV4_SRC', 31)], any),
  tun_dst: as('ipv4', 32, [nx('TUN_IPV4_DST', 32)], any),
  tun_ipv6_src: as('ipv6', 128, [nx('TUN_IPV6_SRC', 109)], any),
  tun_ipv6_dst: as('ipv6', 128, [nx('TUN_IPV6_DST', 110)], any),
  tun_gbp_id: dec([16], [nx('TUN_GBP_ID', 38)], any),
  tun_gbp_flags: hex([8], [nx('TUN_GBP_FLAGS', 39)], any),
  tun_flags: { width: [1, 2], format: 'tunnel-flags', codes: [nx('TUN_FLAGS', 104)], ...any },
  tun_erspan_ver: dec([4, 1], [nxet('ERSPAN_VER', 12)], any),
  tun_erspan_idx: hex([20, 4], [nxet('ERSPAN_IDX', 11)], any),
  tun_erspan_dir: dec([1, 1], [nxet('ERSPAN_DIR', 13)], any),
  tun_erspan_hwid: hex([6, 1], [nxet('ERSPAN_HWID', 14)], any),
  tun_gtpu_flags: hex([8], [nxet('GTPU_FLAGS', 15)], ro),
  tun_gtpu_msgtype: dec([8], [nxet('GTPU_MSGTYPE', 16)], ro),
  skb_priority: hex([32], []),
  pkt_mark: hex([32], [nx('PKT_MARK', 33)], any),
  ct_state: as('ct-state', 32, [nx('CT_STATE', 105)], ro),
  ct_zone: hex([16], [nx('CT_ZONE', 106)]),
  ct_mark: hex([32], [nx('CT_MARK', 107)], any),
  ct_label: hex([128], [nx('CT_LABEL', 108)], any),
  ct_nw_src: as('ipv4', 32, [nx('CT_NW_SRC', 120)], on('ct', ro)),
  ct_nw_dst: as('ipv4', 32, [nx('CT_NW_DST', 121)], on('ct', ro)),
  ct_ipv6_src: as('ipv6', 128, [nx('CT_IPV6_SRC', 122)], on('ct', ro)),
  ct_ipv6_dst: as('ipv6', 128, [nx('CT_IPV6_DST', 123)], on('ct', ro)),
  ct_nw_proto: dec([8], [nx('CT_NW_PROTO', 119)], on('ct')),
  ct_tp_src: dec([16], [nx('CT_TP_SRC', 124)], on('ct', ro)),
  ct_tp_dst: dec([16], [nx('CT_TP_DST', 125)], on('ct', ro)),
  metadata: hex([64], [oxm('METADATA', 2)], any),
} as const satisfies Record<string, Row>

type D1 = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9
type Reg = `reg${D1 | 10 | 11 | 12 | 13 | 14 | 15}`
type XReg = `xreg${0 | 1 | 2 | 3 | 4 | 5 | 6 | 7}`
type XXReg = `xxreg${0 | 1 | 2 | 3}`
type TunMetadata = `tun_metadata${D1 | `${1 | 2 | 3 | 4 | 5}${D1}` | 60 | 61 | 62 | 63}`

/** The common name of every field. */
export type FieldName = keyof typeof FIXED | Reg | XReg | XXReg | TunMetadata

function rows(): [string, Row][] {
  const out: [string, Row][] = []
  for (const [name, row] of Object.entries<Row>(FIXED)) {
    if (name === 'skb_priority') {
      for (let i = 0; i < 64; i++)
        out.push([`tun_metadata${i}`, hex([992], [nx(`TUN_METADATA${i}`, 40 + i)], { ...any, variable: true })])
      for (let i = 0; i < 16; i++) out.push([`reg${i}`, hex([32], [nx(`REG${i}`, i)], any)])
      for (let i = 0; i < 8; i++) out.push([`xreg${i}`, hex([64], [code(`OXM_OF_PKT_REG${i}`, 0x8001, i, 4)], any)])
      for (let i = 0; i < 4; i++) out.push([`xxreg${i}`, hex([128], [nx(`XXREG${i}`, 111 + i)], any)])
    }
    out.push([name, row])
  }
  return out
}

/** All fields by `index`. */
export const FIELDS: readonly Field[] = rows().map(([name, row], index) => ({
  index,
  name,
  alias: row.alias,
  bits: row.width[0],
  bytes: row.width[1] ?? Math.ceil(row.width[0] / 8),
  variable: row.variable ?? false,
  maskable: row.maskable ?? false,
  writable: row.writable ?? false,
  format: row.format,
  prerequisite: row.prerequisite ?? 'none',
  codes: row.codes,
  ones: (1n << BigInt(row.width[0])) - 1n,
}))

/** All fields by common name: `F.reg0`, `F.eth_src`. */
export const F: Readonly<Record<FieldName, Field>> = Object.fromEntries(FIELDS.map((f) => [f.name, f])) as Record<
  FieldName,
  Field
>

const BY_NAME = new Map<string, Field>()
for (const f of FIELDS) {
  for (const name of [f.name, f.alias, ...f.codes.map((c) => c.name)]) if (name) BY_NAME.set(name.toLowerCase(), f)
}

/** A field by any of its names: common, alias, NXM or OXM; case does not matter. */
export function fieldByName(name: string): Field | undefined {
  return BY_NAME.get(name.toLowerCase())
}

const BY_CODE = new Map<string, Field>()
for (const f of FIELDS) for (const c of f.codes) BY_CODE.set(`${c.class}.${c.number}.${c.experimenter}`, f)

/** The field of a wire header's class, number and experimenter. */
export function fieldByCode(cls: number, number: number, experimenter: number): Field | undefined {
  return BY_CODE.get(`${cls}.${number}.${experimenter}`)
}

/** The registers reg0..reg15, in order. */
export const REGISTERS: readonly Field[] = Array.from({ length: 16 }, (_, i) => F[`reg${i}` as Reg])
