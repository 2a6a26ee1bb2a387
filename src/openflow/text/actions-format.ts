import { formatIpv4 } from '../../address/ipv4.ts'
import { formatIpv6 } from '../../address/ipv6.ts'
import { formatMac } from '../../address/mac.ts'
import { toHex } from '../../base/bytes.ts'
import { type Action, type Bundle, type Ct, type Learn, type LearnSpec, type Nat, OFPP } from '../actions/action.ts'
import type { Field, Subfield } from '../fields/field.ts'
import { F } from '../fields/table.ts'
import { runs } from '../nicira/encode.ts'
import { formatPort, formatTable, hex, type Names } from './names.ts'
import { formatValue } from './value.ts'

/** Actions as `ovs-ofctl dump-flows` prints them behind `actions=`; `drop` for none. */
export function formatActions(actions: readonly Action[], names?: Names): string {
  if (actions.length === 0) return 'drop'
  return actions.map((a) => formatAction(a, names)).join(',')
}

/** `NXM_NX_REG0[1..3]`, `NXM_OF_IN_PORT[]`: the number's name, then the bits. */
export function formatSubfield(s: Subfield): string {
  const name = s.field.codes[0]?.name ?? s.field.name
  if (s.offset === 0 && s.bits === s.field.bits) return `${name}[]`
  if (s.bits === 1) return `${name}[${s.offset}]`
  return `${name}[${s.offset}..${s.offset + s.bits - 1}]`
}

/** OFPR_*, as controller(reason=...) takes them. */
export const REASONS = ['no_match', 'action', 'invalid_ttl', 'action_set', 'group', 'packet_out'] as const

const ALGS: ReadonlyMap<number, string> = new Map([
  [21, 'ftp'],
  [69, 'tftp'],
])

/** One action. */
export function formatAction(a: Action, names?: Names): string {
  switch (a.type) {
    case 'output':
      if (a.port === OFPP.CONTROLLER) return `CONTROLLER:${a.maxLen ?? 65535}`
      if (a.port >= OFPP.UNSET) return formatPort(a.port)
      return `output:${formatPort(a.port, names)}`
    case 'output_trunc':
      return `output(port=${formatPort(a.port, names)},max_len=${a.maxLen})`
    case 'output_reg':
      return `output:${formatSubfield(a.src)}`
    case 'controller':
      return controller(a)
    case 'enqueue':
      return `enqueue:${formatPort(a.port, names)}:${a.queue}`
    case 'group':
      return `group:${a.group}`
    case 'bundle':
      return bundle(a, names)
    case 'set_field':
      return setField(a, names)
    case 'set_tunnel':
      return `set_tunnel${a.wide ? '64' : ''}:${hex(a.id)}`
    case 'mod_tp':
      return `mod_tp_${a.which}:${a.port}`
    case 'move':
      return `move:${formatSubfield(a.src)}->${formatSubfield(a.dst)}`
    case 'push':
      return `push:${formatSubfield(a.src)}`
    case 'pop':
      return `pop:${formatSubfield(a.dst)}`
    case 'mod_vlan_vid':
      return `${a.push ? 'mod' : 'set'}_vlan_vid:${a.vid}`
    case 'mod_vlan_pcp':
      return `${a.push ? 'mod' : 'set'}_vlan_pcp:${a.pcp}`
    case 'push_vlan':
      return `push_vlan:0x${a.ethertype.toString(16).padStart(4, '0')}`
    case 'pop_vlan':
      return a.strip ? 'strip_vlan' : 'pop_vlan'
    case 'push_mpls':
      return `push_mpls:0x${a.ethertype.toString(16).padStart(4, '0')}`
    case 'pop_mpls':
      return `pop_mpls:0x${a.ethertype.toString(16).padStart(4, '0')}`
    case 'set_mpls_label':
      return `set_mpls_label:${a.label}`
    case 'set_mpls_tc':
      return `set_mpls_tc:${a.tc}`
    case 'set_mpls_ttl':
      return `set_mpls_ttl:${a.ttl}`
    case 'dec_mpls_ttl':
    case 'dec_nsh_ttl':
    case 'pop_queue':
    case 'ct_clear':
    case 'exit':
    case 'clear_actions':
      return a.type
    case 'dec_ttl':
      if (a.controllers.length === 1 && a.controllers[0] === 0 && !a.listed) return 'dec_ttl'
      return `dec_ttl(${a.controllers.join(',')})`
    case 'delete_field':
      return `delete_field:${a.field.name}`
    case 'check_pkt_larger':
      return `check_pkt_larger(${a.length})->${formatSubfield(a.dst)}`
    case 'encap':
      return encap(a)
    case 'decap':
      // The type "next protocol" (ns 0xffff) is what a bare decap means.
      if (a.packetType === 0xfffe) return 'decap()'
      return `decap(packet_type(ns=${a.packetType >>> 16},type=${hex(a.packetType & 0xffff)}))`
    case 'set_queue':
      return `set_queue:${a.queue}`
    case 'ct':
      return ct(a, names)
    case 'learn':
      return learn(a, names)
    case 'resubmit': {
      if (a.table === undefined && !a.ct && a.port !== OFPP.IN_PORT) return `resubmit:${formatPort(a.port, names)}`
      const port = a.port === OFPP.IN_PORT ? '' : formatPort(a.port, names)
      const table = a.table === undefined ? '' : formatTable(a.table, names)
      return `resubmit(${port},${table}${a.ct ? ',ct' : ''})`
    }
    case 'clone':
      return `clone(${formatActions(a.actions, names)})`
    case 'conjunction':
      return `conjunction(${a.id},${a.clause + 1}/${a.clauses})`
    case 'fin_timeout': {
      const parts: string[] = []
      if (a.idleTimeout) parts.push(`idle_timeout=${a.idleTimeout}`)
      if (a.hardTimeout) parts.push(`hard_timeout=${a.hardTimeout}`)
      return `fin_timeout(${parts.join(',')})`
    }
    case 'multipath':
      return `multipath(${a.fields},${a.basis},${a.algorithm},${a.maxLink + 1},${a.arg},${formatSubfield(a.dst)})`
    case 'note':
      return `note:${toHex(a.data, '.')}`
    case 'sample': {
      const id = (v: number | Subfield) => (typeof v === 'number' ? String(v) : formatSubfield(v))
      let s = `sample(probability=${a.probability},collector_set_id=${a.collectorSet},obs_domain_id=${id(a.domain)},obs_point_id=${id(a.point)}`
      if (a.samplingPort !== OFPP.NONE) s += `,sampling_port=${formatPort(a.samplingPort, names)}`
      if (a.direction !== 'default') s += `,${a.direction}`
      return `${s})`
    }
    case 'meter':
      return `meter:${a.meter}`
    case 'write_actions':
      return `write_actions(${formatActions(a.actions, names)})`
    case 'write_metadata':
      return `write_metadata:${hex(a.value)}${a.mask === F.metadata.ones ? '' : `/${hex(a.mask)}`}`
    case 'goto_table':
      return `goto_table:${formatTable(a.table, names)}`
    case 'unknown':
      return `unknown(${toHex(a.bytes)})`
  }
}

function controller(a: Extract<Action, { type: 'controller' }>): string {
  if (a.reason === 1 && !a.controllerId && !a.userdata && !a.pause && a.meterId === undefined) {
    return `CONTROLLER:${a.maxLen}`
  }
  const parts: string[] = []
  if (a.reason !== 1) parts.push(`reason=${REASONS[a.reason] ?? a.reason}`)
  if (a.maxLen !== 0xffff) parts.push(`max_len=${a.maxLen}`)
  if (a.controllerId) parts.push(`id=${a.controllerId}`)
  if (a.userdata?.length) parts.push(`userdata=${toHex(a.userdata, '.')}`)
  if (a.pause) parts.push('pause')
  if (a.meterId !== undefined) parts.push(`meter_id=${a.meterId}`)
  return `controller(${parts.join(',')})`
}

function bundle(a: Bundle, names: Names | undefined): string {
  const members = a.members.map((m) => formatPort(m, names)).join(',')
  const dst = a.dst ? `${formatSubfield(a.dst)},` : ''
  return `bundle${a.dst ? '_load' : ''}(${a.fields},${a.basis},${a.algorithm},ofport,${dst}members:${members})`
}

/** OpenFlow 1.0's names of what set_field does to these fields. */
const MOD: ReadonlyMap<Field, (value: bigint) => string> = new Map([
  [F.eth_src, (v: bigint) => `mod_dl_src:${formatMac(Number(v))}`],
  [F.eth_dst, (v: bigint) => `mod_dl_dst:${formatMac(Number(v))}`],
  [F.ip_src, (v: bigint) => `mod_nw_src:${formatIpv4(Number(v))}`],
  [F.ip_dst, (v: bigint) => `mod_nw_dst:${formatIpv4(Number(v))}`],
  [F.ip_dscp, (v: bigint) => `mod_nw_tos:${v << 2n}`],
  [F.nw_ecn, (v: bigint) => `mod_nw_ecn:${v}`],
  [F.nw_ttl, (v: bigint) => `mod_nw_ttl:${v}`],
])

function setField(a: Extract<Action, { type: 'set_field' }>, names: Names | undefined): string {
  const mod = a.style === 'mod' ? MOD.get(a.field) : undefined
  if (mod) return mod(a.value)
  if (a.style === 'load') {
    return runs(a.mask)
      .map(([offset, bits]) => {
        const v = (a.value >> BigInt(offset)) & ((1n << BigInt(bits)) - 1n)
        return `load:${hex(v)}->${formatSubfield({ field: a.field, offset, bits })}`
      })
      .join(',')
  }
  const whole = a.field.variable
    ? a.mask === a.field.ones || a.mask === (1n << BigInt(8 * (a.bytes ?? a.field.bytes))) - 1n
    : a.mask === a.field.ones && a.style !== 'masked'
  return `set_field:${formatValue(a.field, a.value, a.mask, names, whole)}->${a.field.name}`
}

function ct(a: Ct, names: Names | undefined): string {
  const parts: string[] = []
  if (a.commit) parts.push('commit')
  if (a.force) parts.push('force')
  if (a.table !== undefined) parts.push(`table=${formatTable(a.table, names)}`)
  if (typeof a.zone !== 'number') parts.push(`zone=${formatSubfield(a.zone)}`)
  else if (a.zone) parts.push(`zone=${a.zone}`)
  if (a.nat) parts.push(nat(a.nat))
  if (a.exec.length) parts.push(`exec(${formatActions(a.exec, names)})`)
  if (a.alg) parts.push(`alg=${ALGS.get(a.alg) ?? a.alg}`)
  return `ct(${parts.join(',')})`
}

function nat(n: Nat): string {
  if (!n.kind) return 'nat'
  let s: string = n.kind
  const { addresses, ports } = n
  if (addresses || ports) s += '='
  if (addresses) {
    const v6 = addresses.family === 6
    const text = (v: bigint) => (v6 ? formatIpv6(v) : formatIpv4(Number(v)))
    // An IPv6 address takes brackets where a port follows.
    const bracketed = (v: bigint) => (v6 && ports ? `[${text(v)}]` : text(v))
    s += bracketed(addresses.min)
    if (addresses.max !== addresses.min) s += `-${bracketed(addresses.max)}`
  }
  if (ports) s += `:${ports.min}${ports.max !== ports.min ? `-${ports.max}` : ''}`
  if (n.persistent) s += ',persistent'
  if (n.hash) s += ',hash'
  if (n.random) s += ',random'
  return `nat(${s})`
}

function learn(a: Learn, names: Names | undefined): string {
  const parts = [`table=${formatTable(a.table, names)}`]
  if (a.idleTimeout) parts.push(`idle_timeout=${a.idleTimeout}`)
  if (a.hardTimeout) parts.push(`hard_timeout=${a.hardTimeout}`)
  if (a.finIdleTimeout) parts.push(`fin_idle_timeout=${a.finIdleTimeout}`)
  if (a.finHardTimeout) parts.push(`fin_hard_timeout=${a.finHardTimeout}`)
  if (a.priority !== 0x8000) parts.push(`priority=${a.priority}`)
  if (a.sendFlowRemoved) parts.push('send_flow_rem')
  if (a.deleteLearned) parts.push('delete_learned')
  if (a.cookie) parts.push(`cookie=${hex(a.cookie)}`)
  if (a.limit) parts.push(`limit=${a.limit}`)
  if (a.resultDst) parts.push(`result_dst=${formatSubfield(a.resultDst)}`)
  for (const spec of a.specs) parts.push(learnSpec(spec, names))
  return `learn(${parts.join(',')})`
}

function same(a: Subfield, b: Subfield): boolean {
  return a.field === b.field && a.offset === b.offset && a.bits === b.bits
}

function learnSpec({ source, bits, target }: LearnSpec, names: Names | undefined): string {
  const from = 'value' in source ? hex(source.value) : formatSubfield(source)
  switch (target.kind) {
    case 'output':
      return `output:${from}`
    case 'load':
      return `load:${from}->${formatSubfield(target.dst)}`
    case 'match': {
      const { dst } = target
      if (!('value' in source)) {
        return same(source, dst) ? formatSubfield(dst) : `${formatSubfield(dst)}=${from}`
      }
      if (dst.offset === 0 && bits === dst.field.bits) {
        return `${dst.field.name}=${formatValue(dst.field, source.value, dst.field.ones, names)}`
      }
      return `${formatSubfield(dst)}=${from}`
    }
  }
}

/** Packet types that encap names (nicira-ext.h, OpenFlow 1.5 §7.2.3.11). */
export const PACKET_TYPES: ReadonlyMap<number, string> = new Map([
  [0x00000, 'ethernet'],
  [0x1894f, 'nsh'],
  [0x18847, 'mpls'],
  [0x18848, 'mpls_mc'],
])

function encap(a: Extract<Action, { type: 'encap' }>): string {
  const name = PACKET_TYPES.get(a.packetType) ?? `packet_type(${a.packetType >>> 16},${hex(a.packetType & 0xffff)})`
  const parts = a.properties.map((p) => {
    if (p.kind === 'nsh-md-type') return `md_type=${p.mdType}`
    if (p.kind === 'nsh-tlv') return `tlv(${hex(p.class).padStart(6, '0')},${p.type},0x${toHex(p.data)})`
    return `property(${p.class},${p.type})`
  })
  return `encap(${name}${parts.length ? `(${parts.join(',')})` : ''})`
}
