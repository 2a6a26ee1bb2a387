import type { Field } from '../openflow/fields/field.ts'
import { F, type FieldName } from '../openflow/fields/table.ts'
import {
  CT_LABEL,
  CT_MARK,
  CT_STATE,
  FLAG,
  type FlagName,
  LOG_FLAGS,
  LOG_INPORT,
  LOG_OUTPORT,
  LOG_REMOTE_OUTPORT,
  NETWORK_ID,
} from './registers.ts'

/** ovn-sb(5), Logical_Flow.match, "Level of Measurement". */
export type Level = 'nominal' | 'Boolean' | 'ordinal'

/**
 * The whole field that a symbol is a part of. Comparisons of one root are combined with each other;
 * those of different roots become the dimensions of a conjunctive match, in the order of `name`.
 */
export interface Root {
  readonly name: string
  readonly field: Field
  /** Alternatives are multiplied out, never a dimension: what other fields depend on. */
  readonly cross: boolean
}

export interface FieldSymbol {
  readonly kind: 'field'
  readonly name: string
  /** In bits; 0 for a string. */
  readonly width: number
  readonly level: Level
  readonly root: Root
  /** Least significant bit in the root's field. */
  readonly offset: number
  /** Text of a condition that comes with every use. */
  readonly prerequisite?: string
  readonly writable: boolean
}

export interface PredicateSymbol {
  readonly kind: 'predicate'
  readonly name: string
  readonly width: 1
  readonly level: Level
  readonly expansion: string
}

export type Symbol = FieldSymbol | PredicateSymbol

interface Options {
  readonly on?: string
  readonly readOnly?: boolean
  readonly cross?: boolean
}

/** Symbols by name, each once. */
export class SymbolTable {
  private readonly symbols = new Map<string, Symbol>()

  get(name: string): Symbol | undefined {
    return this.symbols.get(name)
  }

  all(): IterableIterator<Symbol> {
    return this.symbols.values()
  }

  /** A field of OpenFlow under a logical name. Maskable fields are ordinal, others nominal. */
  field(name: string, field: Field, options: Options = {}): void {
    this.symbols.set(name, {
      kind: 'field',
      name,
      width: field.bits,
      level: field.maskable ? 'ordinal' : 'nominal',
      root: { name, field, cross: options.cross ?? false },
      offset: 0,
      ...(options.on === undefined ? {} : { prerequisite: options.on }),
      writable: field.writable && !options.readOnly,
    })
  }

  /** A field whose values are names of ports. */
  string(name: string, field: Field, options: Options = {}): void {
    this.symbols.set(name, {
      kind: 'field',
      name,
      width: 0,
      level: 'nominal',
      root: { name, field, cross: false },
      offset: 0,
      writable: !options.readOnly,
    })
  }

  /** Bits `from` to `to` of a field that is there already. */
  subfield(name: string, parent: string, from: number, to: number, options: Options = {}): void {
    const p = this.symbols.get(parent) as FieldSymbol
    const on = options.on ?? p.prerequisite
    this.symbols.set(name, {
      kind: 'field',
      name,
      width: to - from + 1,
      level: 'ordinal',
      root: p.root,
      offset: p.offset + from,
      ...(on === undefined ? {} : { prerequisite: on }),
      writable: p.writable && !options.readOnly,
    })
  }

  predicate(name: string, expansion: string): void {
    this.symbols.set(name, { kind: 'predicate', name, width: 1, expansion, level: this.levelOf(expansion) })
  }

  /** A predicate that refers to anything nominal is nominal, others are Boolean. */
  private levelOf(expansion: string): Level {
    for (const [word] of expansion.matchAll(/[a-zA-Z_][a-zA-Z_0-9.]*/g)) {
      if (this.symbols.get(word)?.level === 'nominal') return 'nominal'
    }
    return 'Boolean'
  }

  /** The same symbols, some of them replaced: ct_commit's nested assignments write only ct_mark and ct_label. */
  derive(change: (symbol: Symbol) => Symbol): SymbolTable {
    const out = new SymbolTable()
    for (const [name, symbol] of this.symbols) out.symbols.set(name, change(symbol))
    return out
  }
}

function registers(t: SymbolTable): void {
  const of = (name: string) => F[name as FieldName]
  for (let i = 0; i < 2; i++) t.field(`xxreg${i}`, of(`xxreg${i}`))
  for (let i = 0; i < 5; i++) {
    if (i < 4) t.subfield(`xreg${i}`, `xxreg${i >> 1}`, 64 * (1 - (i & 1)), 64 * (1 - (i & 1)) + 63)
    else t.field(`xreg${i}`, of(`xreg${i}`))
  }
  for (let i = 0; i < 10; i++) {
    const low = i < 8 ? 32 * (3 - (i & 3)) : 32 * (1 - (i & 1))
    t.subfield(`reg${i}`, i < 8 ? `xxreg${i >> 2}` : `xreg${i >> 1}`, low, low + 31)
  }
}

function metadata(t: SymbolTable): void {
  t.string('inport', LOG_INPORT)
  t.string('outport', LOG_OUTPORT)
  t.field('__inport', LOG_INPORT)
  t.subfield('from_evpn_vtep', '__inport', 31, 31)
  t.field('__outport', LOG_OUTPORT)
  t.subfield('to_evpn_vtep', '__outport', 31, 31)
  t.string('remote_outport', LOG_REMOTE_OUTPORT)
  registers(t)
  t.field('flags', LOG_FLAGS)
  const named: readonly FlagName[] = [
    'loopback',
    'force_snat_for_dnat',
    'force_snat_for_lb',
    'skip_snat_for_lb',
    'use_snat_zone',
    'localnet',
    'icmp_snat',
    'tunnel_rx',
    'unsnat_new',
    'unsnat_not_tracked',
    'from_ctrl',
    'igmp_loopback',
    'pkt_sampled',
  ]
  for (const name of named) t.subfield(`flags.${name}`, 'flags', FLAG[name], FLAG[name])
  t.subfield('flags.network_id', 'flags', NETWORK_ID.offset, NETWORK_ID.offset + NETWORK_ID.bits - 1)
  t.field('pkt.mark', F.pkt_mark)
}

function tracking(t: SymbolTable): void {
  t.field('ct_mark', F.ct_mark, { readOnly: true })
  for (const [name, [from, to]] of Object.entries(CT_MARK)) t.subfield(`ct_mark.${name}`, 'ct_mark', from, to)
  t.field('ct_label', F.ct_label, { readOnly: true })
  for (const [name, [from, to]] of Object.entries(CT_LABEL)) t.subfield(`ct_label.${name}`, 'ct_label', from, to)
  t.field('ct_state', F.ct_state)
  t.subfield('ct.trk', 'ct_state', CT_STATE.trk, CT_STATE.trk)
  for (const name of ['new', 'est', 'rel', 'rpl', 'inv', 'snat', 'dnat'] as const) {
    t.subfield(`ct.${name}`, 'ct_state', CT_STATE[name], CT_STATE[name], { on: 'ct.trk' })
  }
}

function headers(t: SymbolTable): void {
  t.field('eth.src', F.eth_src)
  t.field('eth.dst', F.eth_dst)
  t.field('eth.type', F.eth_type, { cross: true })
  t.predicate('eth.bcast', 'eth.dst == ff:ff:ff:ff:ff:ff')
  t.predicate('eth.mcast', 'eth.dst[40]')
  t.predicate('eth.mcastv6', 'eth.dst[32..47] == 0x3333')

  t.field('vlan.tci', F.vlan_tci)
  t.predicate('vlan.present', 'vlan.tci[12]')
  t.subfield('vlan.pcp', 'vlan.tci', 13, 15, { on: 'vlan.present' })
  t.subfield('vlan.vid', 'vlan.tci', 0, 11, { on: 'vlan.present' })

  t.predicate('ip4', 'eth.type == 0x800')
  t.predicate('ip6', 'eth.type == 0x86dd')
  t.predicate('ip', 'ip4 || ip6')
  t.field('ip.proto', F.nw_proto, { on: 'ip', cross: true })
  t.field('ip.dscp', F.ip_dscp, { on: 'ip' })
  t.field('ip.ecn', F.nw_ecn, { on: 'ip' })
  t.field('ip.ttl', F.nw_ttl, { on: 'ip' })

  t.field('ip4.src', F.ip_src, { on: 'ip4' })
  t.field('ip4.dst', F.ip_dst, { on: 'ip4' })
  t.predicate('ip4.src_mcast', 'ip4.src[28..31] == 0xe')
  t.predicate('ip4.mcast', 'eth.mcast && ip4.dst[28..31] == 0xe')

  t.predicate('icmp4', 'ip4 && ip.proto == 1')
  t.field('icmp4.type', F.icmp_type, { on: 'icmp4' })
  t.field('icmp4.code', F.icmp_code, { on: 'icmp4' })
  t.predicate('igmp', 'ip4.mcast && ip.proto == 2')

  t.field('ip6.src', F.ipv6_src, { on: 'ip6' })
  t.field('ip6.dst', F.ipv6_dst, { on: 'ip6' })
  t.field('ip6.label', F.ipv6_label, { on: 'ip6' })
  const rsvd = Array.from({ length: 16 }, (_, i) => `ff0${i.toString(16)}::0`).join(', ')
  t.predicate('ip6.mcast_rsvd', `ip6.dst == { ${rsvd} }`)
  t.predicate('ip6.mcast_all_nodes', 'ip6.dst == ff01::1 || ip6.dst == ff02::1')
  t.predicate('ip6.mcast_all_rtrs', 'ip6.dst == ff01::2 || ip6.dst == ff02::2 || ip6.dst == ff05::2')
  t.predicate('ip6.mcast_sol_node', 'ip6.dst == ff02::1:ff00:0000/104')
  t.predicate(
    'ip6.mcast_flood',
    'eth.mcastv6 && (ip6.mcast_rsvd || ip6.mcast_all_nodes || ip6.mcast_all_rtrs || ip6.mcast_sol_node)',
  )
  t.predicate('ip6.mcast', 'eth.mcastv6 && ip6.dst[120..127] == 0xff')

  t.predicate('icmp6', 'ip6 && ip.proto == 58')
  t.field('icmp6.type', F.icmpv6_type, { on: 'icmp6' })
  t.field('icmp6.code', F.icmpv6_code, { on: 'icmp6' })
  t.predicate('icmp', 'icmp4 || icmp6')

  t.field('ip.frag', F.ip_frag, { on: 'ip' })
  t.predicate('ip.is_frag', 'ip.frag[0]')
  t.predicate('ip.later_frag', 'ip.frag[1]')
  t.predicate('ip.first_frag', 'ip.is_frag && !ip.later_frag')

  for (const [name, type] of [
    ['arp', '0x806'],
    ['rarp', '0x8035'],
  ] as const) {
    t.predicate(name, `eth.type == ${type}`)
    t.field(`${name}.op`, F.arp_op, { on: name })
    t.field(`${name}.spa`, F.arp_spa, { on: name })
    t.field(`${name}.sha`, F.arp_sha, { on: name })
    t.field(`${name}.tpa`, F.arp_tpa, { on: name })
    t.field(`${name}.tha`, F.arp_tha, { on: name })
  }

  t.predicate('nd', 'icmp6.type == {135, 136} && icmp6.code == 0 && ip.ttl == 255')
  t.predicate('nd_ns', 'icmp6.type == 135 && icmp6.code == 0 && ip.ttl == 255')
  t.predicate('nd_ns_mcast', 'ip6.mcast && icmp6.type == 135 && icmp6.code == 0 && ip.ttl == 255')
  t.predicate('nd_na', 'icmp6.type == 136 && icmp6.code == 0 && ip.ttl == 255')
  t.predicate('nd_rs', 'icmp6.type == 133 && icmp6.code == 0 && ip.ttl == 255')
  t.predicate('nd_ra', 'icmp6.type == 134 && icmp6.code == 0 && ip.ttl == 255')
  t.field('nd.target', F.nd_target, { on: 'nd' })
  t.field('nd.sll', F.nd_sll, { on: 'nd_ns' })
  t.field('nd.tll', F.nd_tll, { on: 'nd_na' })
  t.predicate('mldv1', 'eth.mcastv6 && ip6.src == fe80::/10 && icmp6.type == {130, 131, 132}')
  t.predicate('mldv2', 'eth.mcastv6 && ip6.dst == ff02::16 && icmp6.type == 143')

  for (const [name, number, src, dst] of [
    ['tcp', 6, F.tcp_src, F.tcp_dst],
    ['udp', 17, F.udp_src, F.udp_dst],
    ['sctp', 132, F.sctp_src, F.sctp_dst],
  ] as const) {
    t.predicate(name, `ip.proto == ${number}`)
    t.field(`${name}.src`, src, { on: name })
    t.field(`${name}.dst`, dst, { on: name })
  }
  t.field('tcp.flags', F.tcp_flags, { on: 'tcp' })
}

function build(): SymbolTable {
  const t = new SymbolTable()
  metadata(t)
  tracking(t)
  headers(t)
  return t
}

/** All symbols of a match (ovn-sb(5), Logical_Flow.match, "Symbols"; 26.03 knows a few more than it lists). */
export const SYMBOLS: SymbolTable = build()

/** SYMBOLS, and what only our own expansions and prerequisites refer to. */
export const CONDITION_SYMBOLS: SymbolTable = SYMBOLS.derive((s) => s)
CONDITION_SYMBOLS.field('ct_proto', F.ct_nw_proto)

/**
 * For flows with the tag `acl_ct_translation` (ovn-nb(5), NB_Global.options): protocol and ports
 * are those of the tracked connection, which later fragments have, too.
 */
export const CT_TRANSLATION_SYMBOLS: SymbolTable = CONDITION_SYMBOLS.derive((s) => s)
for (const [name, number] of [
  ['tcp', 6],
  ['udp', 17],
  ['sctp', 132],
] as const) {
  const on = `ct.trk && !ct.inv && ct_proto == ${number}`
  CT_TRANSLATION_SYMBOLS.predicate(name, on)
  CT_TRANSLATION_SYMBOLS.field(`${name}.src`, F.ct_tp_src, { on })
  CT_TRANSLATION_SYMBOLS.field(`${name}.dst`, F.ct_tp_dst, { on })
  if (name === 'tcp') CT_TRANSLATION_SYMBOLS.field('tcp.flags', F.tcp_flags, { on })
}

/** Inside `ct_commit { }` only ct_mark and ct_label can be assigned. */
export const CT_COMMIT_SYMBOLS: SymbolTable = SYMBOLS.derive((s) =>
  s.kind === 'predicate' ? s : { ...s, writable: s.root.field === F.ct_mark || s.root.field === F.ct_label },
)
