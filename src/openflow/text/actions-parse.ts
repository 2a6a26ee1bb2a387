// Over 600 lines: one function for each kind of action, in the order of ovs-actions(7).
import { parseIpv4 } from '../../address/ipv4.ts'
import { parseIpv6 } from '../../address/ipv6.ts'
import { parseMac } from '../../address/mac.ts'
import { fromHex } from '../../base/bytes.ts'
import { err, ok, type Result } from '../../base/result.ts'
import { type Action, type Nat, OFPP } from '../actions/action.ts'
import { type Field, type Subfield, wholeField } from '../fields/field.ts'
import { F, fieldByName } from '../fields/table.ts'
import { HASH_FIELDS, MULTIPATH_ALGORITHMS } from '../nicira/decode.ts'
import { PACKET_TYPES, REASONS } from './actions-format.ts'
import { parseLearn } from './learn-parse.ts'
import { type Names, parseInteger, parsePort, parseTable, reservedPort } from './names.ts'
import { type Item, item, split } from './scan.ts'
import { parseValue } from './value.ts'

/** Thrown inside the parser with ovs-ofctl's message. */
export class Syntax extends Error {}

/** Reads actions and instructions as ovs-actions(7) writes them. */
export function parseActions(text: string, names?: Names): Result<Action[]> {
  try {
    return ok(instructions(list(text, names)))
  } catch (e) {
    if (e instanceof Syntax) return err(e.message)
    throw e
  }
}

function list(text: string, names: Names | undefined, depth = 0): Action[] {
  if (depth > 64) throw new Syntax('actions are nested too deeply')
  const parts = split(text)
  if (parts.some((p) => p.toLowerCase() === 'drop')) {
    if (parts.length > 1) throw new Syntax('"drop" must not be accompanied by any other action or instruction')
    return []
  }
  return parts.flatMap((part) => one(item(part), part, names, depth))
}

/** Instructions come in this order, and after all actions. */
const ORDER: ReadonlyMap<string, number> = new Map([
  ['meter', 0],
  ['apply_actions', 1],
  ['clear_actions', 2],
  ['write_actions', 3],
  ['write_metadata', 4],
  ['goto_table', 5],
])

function instructions(actions: Action[]): Action[] {
  let last = 'meter'
  actions.forEach((a) => {
    const name = a.type !== 'meter' && ORDER.has(a.type) ? a.type : 'apply_actions'
    if ((ORDER.get(name) ?? 1) < (ORDER.get(last) ?? 0)) {
      throw new Syntax(
        `invalid instruction ordering: ${name} must appear before ${last}, for OpenFlow 1.1+ compatibility`,
      )
    }
    last = name
  })
  return actions
}

export function integer(text: string | undefined, limit: number, what: string): number {
  const n = text === undefined ? undefined : parseInteger(text)
  if (n === undefined) throw new Syntax(`invalid ${what} "${text ?? ''}"`)
  if (n > BigInt(limit)) throw new Syntax(`${what} ${text} is out of range`)
  return Number(n)
}

/** `reg0`, `reg0[]`, `NXM_NX_REG0[3]`, `reg0[1..5]`. */
export function parseSubfield(text: string): Subfield {
  const m = /^([^[\]]*)(?:\[(?:(\d+)(?:\.\.(\d+))?)?\])?$/.exec(text)
  const name = m?.[1] ?? text
  const field = fieldByName(name)
  if (!m || !field) throw new Syntax(`${text}: unknown field \`${name}'`)
  if (m[2] === undefined) return wholeField(field)
  const start = Number(m[2])
  const end = m[3] === undefined ? start : Number(m[3])
  if (start > end) throw new Syntax(`${text}: starting bit ${start} is after ending bit ${end}`)
  if (start >= field.bits) {
    throw new Syntax(`${text}: starting bit ${start} is not valid because field is only ${field.bits} bits wide`)
  }
  if (end >= field.bits) {
    throw new Syntax(`${text}: ending bit ${end} is not valid because field is only ${field.bits} bits wide`)
  }
  return { field, offset: start, bits: end - start + 1 }
}

/** Splits `left->right`. */
export function arrow(text: string): [left: string, right: string] {
  const at = text.indexOf('->')
  if (at < 0) throw new Syntax(`${text}: missing \`->'`)
  return [text.slice(0, at).trim(), text.slice(at + 2).trim()]
}

function port(text: string, names: Names | undefined, what: string): number {
  const p = parsePort(text, names)
  if (p === undefined) throw new Syntax(`${text}: ${what} unknown port`)
  return p
}

function table(text: string, names: Names | undefined): number {
  const t = parseTable(text, names)
  if (t === undefined) throw new Syntax(`${text}: unknown table`)
  return t
}

function writable(field: Field): Field {
  if (!field.writable) throw new Syntax(`${field.name} is read-only`)
  return field
}

function one(it: Item, part: string, names: Names | undefined, depth: number): Action | Action[] {
  const value = it.value
  const v = value ?? ''
  const name = it.name.toLowerCase()
  switch (name) {
    case 'output':
      return output(it, names)
    case 'controller':
      return controller(it)
    case 'enqueue': {
      const [p = '', q] = v.split(/[:,]/)
      return { type: 'enqueue', port: port(p, names, 'enqueue to'), queue: integer(q, 0xffffffff, 'queue') }
    }
    case 'group':
      return { type: 'group', group: integer(v, 0xffffffff, 'group id') }
    case 'bundle':
    case 'bundle_load':
      return bundle(v, name === 'bundle_load', names)
    case 'set_field': {
      const [left, right] = arrow(v)
      const field = fieldByName(right)
      if (!field) throw new Syntax(`${right} is not a valid OXM field name`)
      writable(field)
      if (field === F.nw_tos || field === F.in_port_oxm) return narrow(field, left, names)
      const parsed = parseValue(field, left, names)
      if (parsed instanceof Error) throw new Syntax(parsed.message)
      const masked = parsed.masked && parsed.mask === field.ones && field.bits < 8 * field.bytes
      return {
        type: 'set_field',
        field,
        value: parsed.value,
        mask: parsed.mask,
        ...(masked ? { style: 'masked' } : {}),
        ...(parsed.bytes ? { bytes: parsed.bytes } : {}),
      }
    }
    case 'load': {
      const [left, right] = arrow(v)
      const dst = parseSubfield(right)
      writable(dst.field)
      const n = parseInteger(left)
      if (n === undefined) throw new Syntax(`${left}: cannot parse integer value`)
      if (n >> BigInt(dst.bits)) throw new Syntax(`${left}: value does not fit into ${dst.bits} bits`)
      const mask = ((1n << BigInt(dst.bits)) - 1n) << BigInt(dst.offset)
      return { type: 'set_field', field: dst.field, value: n << BigInt(dst.offset), mask, style: 'load' }
    }
    case 'move':
    case 'reg_move': {
      const [left, right] = arrow(v)
      const src = parseSubfield(left)
      const dst = parseSubfield(right)
      writable(dst.field)
      if (src.bits !== dst.bits) {
        throw new Syntax(`${v}: source field is ${src.bits} bits wide but destination is ${dst.bits} bits wide`)
      }
      return { type: 'move', src, dst }
    }
    case 'push':
      return { type: 'push', src: parseSubfield(v) }
    case 'pop': {
      const dst = parseSubfield(v)
      writable(dst.field)
      return { type: 'pop', dst }
    }
    case 'set_tunnel':
    case 'set_tunnel64': {
      const id = parseInteger(v)
      if (id === undefined || id > F.tun_id.ones) throw new Syntax(`${v}: invalid tunnel id`)
      return { type: 'set_tunnel', id, wide: name === 'set_tunnel64' || id > 0xffffffffn }
    }
    case 'mod_dl_src':
    case 'mod_dl_dst': {
      const mac = parseMac(v)
      if (mac === undefined) throw new Syntax(`${v}: invalid Ethernet address`)
      return mod(name === 'mod_dl_src' ? F.eth_src : F.eth_dst, mac)
    }
    case 'mod_nw_src':
    case 'mod_nw_dst': {
      const ip = parseIpv4(v)
      if (ip === undefined) throw new Syntax(`${v}: invalid IP address`)
      return mod(name === 'mod_nw_src' ? F.ip_src : F.ip_dst, ip)
    }
    case 'mod_nw_tos': {
      const tos = integer(v, 255, 'TOS')
      if (tos & 3) throw new Syntax(`${tos}: not a valid TOS`)
      return mod(F.ip_dscp, tos >> 2)
    }
    case 'mod_nw_ecn':
      return mod(F.nw_ecn, integer(v, 3, 'ECN'))
    case 'mod_nw_ttl':
      return mod(F.nw_ttl, integer(v, 255, 'TTL'))
    case 'mod_tp_src':
    case 'mod_tp_dst':
      return { type: 'mod_tp', which: name === 'mod_tp_src' ? 'src' : 'dst', port: integer(v, 65535, 'port number') }
    case 'mod_vlan_vid':
    case 'set_vlan_vid': {
      const vid = integer(v, 65535, 'VLAN VID')
      if (vid & ~0xfff) throw new Syntax(`${v}: not a valid VLAN VID`)
      return { type: 'mod_vlan_vid', vid, push: name === 'mod_vlan_vid' }
    }
    case 'mod_vlan_pcp':
    case 'set_vlan_pcp': {
      const pcp = integer(v, 255, 'VLAN PCP')
      if (pcp & ~7) throw new Syntax(`${v}: not a valid VLAN PCP`)
      return { type: 'mod_vlan_pcp', pcp, push: name === 'mod_vlan_pcp' }
    }
    case 'strip_vlan':
      return { type: 'pop_vlan', strip: true }
    case 'pop_vlan':
      return { type: 'pop_vlan' }
    case 'push_vlan':
      return { type: 'push_vlan', ethertype: integer(v, 0xffff, 'ethertype') }
    case 'push_mpls':
    case 'pop_mpls':
      return { type: name, ethertype: integer(v, 0xffff, 'ethertype') }
    case 'set_mpls_label':
      return { type: 'set_mpls_label', label: integer(v, 0xfffff, 'label') }
    case 'set_mpls_tc':
      return { type: 'set_mpls_tc', tc: integer(v, 7, 'traffic class') }
    case 'set_mpls_ttl':
      return { type: 'set_mpls_ttl', ttl: integer(v, 255, 'TTL') }
    case 'dec_mpls_ttl':
    case 'dec_nsh_ttl':
    case 'pop_queue':
    case 'ct_clear':
    case 'exit':
    case 'clear_actions':
      return { type: name }
    case 'dec_ttl': {
      if (value === undefined) return { type: 'dec_ttl', controllers: [0] }
      const controllers = split(v).map((id) => integer(id, 65535, 'controller id'))
      const listed = controllers.length === 1 && controllers[0] === 0
      return { type: 'dec_ttl', controllers, ...(listed ? { listed } : {}) }
    }
    case 'delete_field': {
      const field = fieldByName(v)
      if (!field) throw new Syntax(`${v}: unknown field \`${v}'`)
      if (!field.variable) throw new Syntax(`${v}: only tunnel metadata fields can be deleted`)
      return { type: 'delete_field', field }
    }
    case 'check_pkt_larger': {
      const dst = parseSubfield(it.arrow ?? '')
      if (dst.bits !== 1) throw new Syntax('Only 1-bit destination field is allowed')
      return { type: 'check_pkt_larger', length: integer(v, 65535, 'packet length'), dst }
    }
    case 'encap':
      return encap(v)
    case 'decap':
      return decap(v)
    case 'set_queue':
      return { type: 'set_queue', queue: integer(v, 0xffffffff, 'queue') }
    case 'ct':
      return ct(v, names, depth)
    case 'learn':
      return parseLearn(v, names)
    case 'resubmit':
      return resubmit(it, names)
    case 'clone':
      return { type: 'clone', actions: list(v, names, depth + 1) }
    case 'conjunction': {
      const m = /^\s*(\d+|0x[0-9a-fA-F]+)\s*,\s*(\d+)\s*\/\s*(\d+)\s*$/.exec(v)
      if (!m) throw new Syntax(`"conjunction" syntax is "conjunction(id,i/n)"`)
      const clause = Number(m[2])
      const clauses = Number(m[3])
      if (clauses < 2 || clauses > 64) throw new Syntax('conjunction must have at least 2 and at most 64 clauses')
      if (clause < 1 || clause > clauses)
        throw new Syntax('conjunction clause index must be between 1 and the number of clauses')
      return { type: 'conjunction', id: integer(m[1], 0xffffffff, 'id'), clause: clause - 1, clauses }
    }
    case 'fin_timeout': {
      let idleTimeout = 0
      let hardTimeout = 0
      for (const p of split(v).map(item)) {
        if (p.name === 'idle_timeout') idleTimeout = integer(p.value, 65535, p.name)
        else if (p.name === 'hard_timeout') hardTimeout = integer(p.value, 65535, p.name)
        else throw new Syntax(`invalid key '${p.name}' in 'fin_timeout' argument`)
      }
      return { type: 'fin_timeout', idleTimeout, hardTimeout }
    }
    case 'multipath': {
      const [fields, basis, algorithm, links, arg, dst] = split(v)
      if (dst === undefined) throw new Syntax(`${v}: not enough arguments to multipath action`)
      const hash = HASH_FIELDS.find((f) => f === fields)
      const how = MULTIPATH_ALGORITHMS.find((a) => a === algorithm)
      if (!hash) throw new Syntax(`${v}: unknown fields \`${fields}'`)
      if (!how) throw new Syntax(`${v}: unknown algorithm \`${algorithm}'`)
      return {
        type: 'multipath',
        fields: hash,
        basis: integer(basis, 65535, 'basis'),
        algorithm: how,
        maxLink: integer(links, 65536, 'n_links') - 1,
        arg: integer(arg, 0xffffffff, 'arg'),
        dst: parseSubfield(dst),
      }
    }
    case 'note': {
      const bytes = fromHex(v)
      if (!bytes) throw new Syntax(`bad hex digit in \`note' argument`)
      // An action is a multiple of 8 bytes long, 10 of them its header.
      const padded = new Uint8Array(bytes.length + ((8 - ((bytes.length + 10) % 8)) % 8))
      padded.set(bytes)
      return { type: 'note', data: padded.length ? padded : new Uint8Array(6) }
    }
    case 'sample':
      return sample(v, names)
    case 'meter':
      return { type: 'meter', meter: integer(v, 0xffffffff, 'meter id') }
    case 'write_actions':
      return { type: 'write_actions', actions: list(v, names, depth + 1) }
    case 'write_metadata': {
      const parsed = parseValue(F.metadata, v)
      if (parsed instanceof Error) throw new Syntax(parsed.message)
      return { type: 'write_metadata', value: parsed.value, mask: parsed.mask }
    }
    case 'goto_table':
      return { type: 'goto_table', table: table(v, names) }
    default:
  }
  const known = value === undefined ? (reservedPort(it.name) ?? parsePort(part, names)) : undefined
  if (known !== undefined) return { type: 'output', port: known }
  throw new Syntax(`unknown action ${it.name}`)
}

function mod(field: Field, value: number): Action {
  return { type: 'set_field', field, value: BigInt(value), mask: field.ones, style: 'mod' }
}

/** Fields whose value goes into another: nw_tos into ip_dscp, in_port_oxm into in_port. */
function narrow(field: Field, text: string, names: Names | undefined): Action {
  const parsed = parseValue(field, text, names)
  if (parsed instanceof Error) throw new Syntax(parsed.message)
  if (field === F.nw_tos) {
    return { type: 'set_field', field: F.ip_dscp, value: parsed.value >> 2n, mask: F.ip_dscp.ones }
  }
  return { type: 'set_field', field: F.in_port, value: parsed.value, mask: F.in_port.ones }
}

function output(it: Item, names: Names | undefined): Action {
  const v = it.value ?? ''
  if (it.delimiter === '(') {
    let to: number | undefined
    let maxLen: number | undefined
    for (const p of split(v).map(item)) {
      if (p.name === 'port') to = port(p.value ?? '', names, 'output to')
      else if (p.name === 'max_len') maxLen = integer(p.value, 0xffffffff, 'max_len')
      else throw new Syntax(`invalid key '${p.name}' in output_trunc argument`)
    }
    if (to === undefined || maxLen === undefined) throw new Syntax('output: port and max_len are required')
    if (maxLen < 14) throw new Syntax(`max_len ${maxLen} is less than the minimum value 14`)
    return { type: 'output_trunc', port: to, maxLen }
  }
  const p = parsePort(v, names)
  if (p !== undefined)
    return p === OFPP.CONTROLLER ? { type: 'output', port: p, maxLen: 65535 } : { type: 'output', port: p }
  if (!/^[a-zA-Z_]/.test(v)) throw new Syntax(`${v}: output to unknown port`)
  const name = v.replace(/\[.*$/, '')
  if (!fieldByName(name)) throw new Syntax(`${v}: output to unknown port`)
  return { type: 'output_reg', src: parseSubfield(v), maxLen: 65535 }
}

function controller(it: Item): Action {
  const v = it.value ?? ''
  if (it.delimiter !== '(') {
    return { type: 'output', port: OFPP.CONTROLLER, maxLen: v === '' ? 65535 : integer(v, 65535, 'max_len') }
  }
  let maxLen = 65535
  let controllerId = 0
  let reason = 1
  let userdata: Uint8Array | undefined
  let pause = false
  let meterId: number | undefined
  for (const p of split(v).map(item)) {
    switch (p.name) {
      case 'reason': {
        const i = (REASONS as readonly (string | undefined)[]).indexOf(p.value)
        if (i < 0) throw new Syntax(`unknown reason "${p.value ?? ''}"`)
        reason = i
        break
      }
      case 'max_len':
        maxLen = integer(p.value, 65535, 'max_len')
        break
      case 'id':
        controllerId = integer(p.value, 65535, 'id')
        break
      case 'userdata':
        userdata = fromHex(p.value ?? '')
        if (!userdata) throw new Syntax(`bad hex digit in \`controller' action \`userdata'`)
        break
      case 'pause':
        pause = true
        break
      case 'meter_id':
        meterId = integer(p.value, 0xffffffff, 'meter_id')
        break
      default:
        throw new Syntax(`unknown key "${p.name}" parsing controller action`)
    }
  }
  if (reason === 1 && controllerId === 0 && !userdata && !pause && meterId === undefined) {
    return { type: 'output', port: OFPP.CONTROLLER, maxLen }
  }
  return {
    type: 'controller',
    maxLen,
    controllerId,
    reason,
    ...(userdata ? { userdata } : {}),
    ...(pause ? { pause } : {}),
    ...(meterId !== undefined ? { meterId } : {}),
  }
}

function bundle(v: string, load: boolean, names: Names | undefined): Action {
  const m = /^(.*?),?\s*(?:members|slaves):(.*)$/s.exec(v)
  const [fields, basis, algorithm, memberType, dst] = split(m?.[1] ?? '')
  if (!m || memberType === undefined) throw new Syntax(`${v}: not enough arguments to bundle action`)
  const hash = HASH_FIELDS.find((f) => f === fields)
  if (!hash) throw new Syntax(`${v}: unknown fields \`${fields}'`)
  if (algorithm !== 'active_backup' && algorithm !== 'hrw') throw new Syntax(`${v}: unknown algorithm \`${algorithm}'`)
  if (memberType !== 'ofport') throw new Syntax(`${v}: unknown member_type \`${memberType}'`)
  return {
    type: 'bundle',
    fields: hash,
    basis: integer(basis, 65535, 'basis'),
    algorithm,
    members: split(m[2] ?? '').map((p) => port(p, names, 'bundle to')),
    ...(load ? { dst: parseSubfield(dst ?? '') } : {}),
  }
}

function resubmit(it: Item, names: Names | undefined): Action {
  const v = it.value ?? ''
  if (it.delimiter !== '(') return { type: 'resubmit', port: port(v, names, 'resubmit to') }
  const [p = '', t = '', ...rest] = v.split(',').map((s) => s.trim())
  let isCt = false
  for (const r of rest) {
    if (r !== 'ct') throw new Syntax(`${r}: unknown parameter`)
    isCt = true
  }
  const to = p === '' ? OFPP.IN_PORT : port(p, names, 'resubmit to')
  const tableId = t === '' ? undefined : parseTable(t, names)
  if (t !== '' && tableId === undefined) throw new Syntax(`${t}: resubmit to unknown table`)
  if (p === '' && t === '') throw new Syntax('at least one "in_port" or "table" must be specified on resubmit')
  return {
    type: 'resubmit',
    port: to,
    ...(tableId !== undefined && tableId !== 255 ? { table: tableId } : {}),
    ...(isCt ? { ct: true } : {}),
  }
}

function ct(v: string, names: Names | undefined, depth: number): Action {
  let commit = false
  let force = false
  let zone: number | Subfield = 0
  let tableId: number | undefined
  let alg = 0
  let nat: Nat | undefined
  let exec: Action[] = []
  for (const part of split(v)) {
    const it = item(part)
    const value = it.value ?? ''
    switch (it.name) {
      case 'commit':
        commit = true
        break
      case 'force':
        force = true
        break
      case 'table':
        tableId = parseTable(value, names)
        if (tableId === undefined || tableId === 255) throw new Syntax(`ct: invalid table ${value}`)
        break
      case 'zone': {
        const n = parseInteger(value)
        zone = n === undefined ? parseSubfield(value) : integer(value, 65535, 'zone')
        break
      }
      case 'alg':
        if (value !== 'ftp' && value !== 'tftp') throw new Syntax(`invalid conntrack helper "${value}"`)
        alg = value === 'ftp' ? 21 : 69
        break
      case 'nat':
        nat = parseNat(value)
        break
      case 'exec':
        exec = list(value, names, depth + 1)
        break
      default:
        throw new Syntax(`invalid argument to "ct" action: \`${it.name}'`)
    }
  }
  if (force && !commit) throw new Syntax('"force" flag requires "commit" flag.')
  return {
    type: 'ct',
    commit,
    force,
    zone,
    ...(tableId !== undefined ? { table: tableId } : {}),
    alg,
    ...(nat ? { nat } : {}),
    exec,
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

function parseNat(text: string): Nat {
  const nat: Mutable<Nat> = {}
  for (const part of split(text)) {
    const { name, value } = item(part)
    if (name === 'src' || name === 'dst') {
      if (nat.kind) throw new Syntax('May only specify one of "src" or "dst".')
      nat.kind = name
      if (value !== undefined) Object.assign(nat, natRange(value))
    } else if (name === 'persistent' || name === 'hash' || name === 'random') nat[name] = true
    else throw new Syntax(`invalid key '${name}' in 'nat' argument`)
  }
  if (nat.hash && nat.random) throw new Syntax('Both "hash" and "random" are not allowed in "nat".')
  return nat
}

function natRange(text: string): Pick<Nat, 'addresses' | 'ports'> {
  const bad = () => new Syntax(`${text}: invalid IP address or port range`)
  const single = (s: string): { family: 4 | 6; v: bigint } => {
    const v4 = parseIpv4(s)
    if (v4 !== undefined) return { family: 4, v: BigInt(v4) }
    const v6 = parseIpv6(s)
    if (v6 === undefined) throw bad()
    return { family: 6, v: v6 }
  }
  // [v6]-[v6]:ports, v6-v6, v4-v4:ports, :ports
  const m =
    /^\[([^\]]*)\](?:-\[([^\]]*)\])?(?::(.*))?$/.exec(text) ??
    /^([0-9.]*)(?:-([0-9.]+))?(?::([0-9-]+))?$/.exec(text) ??
    /^([0-9a-fA-F:.]+)(?:-([0-9a-fA-F:.]+))?()$/.exec(text)
  if (!m) throw bad()
  const out: Mutable<Pick<Nat, 'addresses' | 'ports'>> = {}
  if (m[1]) {
    const min = single(m[1])
    const max = m[2] ? single(m[2]) : min
    if (max.family !== min.family || max.v < min.v) throw bad()
    out.addresses = { family: min.family, min: min.v, max: max.v }
  }
  if (m[3]) {
    const [a, b] = m[3].split('-')
    const min = integer(a, 65535, 'port')
    const max = b === undefined ? min : integer(b, 65535, 'port')
    if (max < min) throw bad()
    out.ports = { min, max }
  }
  return out
}

function sample(v: string, names: Names | undefined): Action {
  let probability = 0
  let collectorSet = 0
  let domain: number | Subfield = 0
  let point: number | Subfield = 0
  let samplingPort: number = OFPP.NONE
  let direction: 'default' | 'ingress' | 'egress' = 'default'
  const id = (text: string | undefined) =>
    parseInteger(text ?? '') === undefined ? parseSubfield(text ?? '') : integer(text, 0xffffffff, 'id')
  for (const { name, value } of split(v).map(item)) {
    if (name === 'probability') probability = integer(value, 65535, name)
    else if (name === 'collector_set_id') collectorSet = integer(value, 0xffffffff, name)
    else if (name === 'obs_domain_id') domain = id(value)
    else if (name === 'obs_point_id') point = id(value)
    else if (name === 'sampling_port') samplingPort = port(value ?? '', names, 'sampling')
    else if (name === 'ingress' || name === 'egress') direction = name
    else throw new Syntax(`invalid key "${name}" in "sample" argument`)
  }
  if (probability === 0) throw new Syntax('non-zero "probability" must be specified on sample')
  return { type: 'sample', probability, collectorSet, domain, point, samplingPort, direction }
}

function encap(v: string): Action {
  const it = item(v)
  const packetType = [...PACKET_TYPES].find(([, name]) => name === it.name)?.[0]
  if (packetType === undefined) throw new Syntax(`Encap hdr not supported: ${it.name}`)
  const properties: Extract<Action, { type: 'encap' }>['properties'][number][] = []
  for (const part of split(it.value ?? '')) {
    const p = item(part)
    if (p.name === 'md_type') properties.push({ kind: 'nsh-md-type', mdType: integer(p.value, 255, 'md_type') })
    else if (p.name === 'tlv') {
      const [cls, type, data] = split(p.value ?? '')
      const bytes = fromHex((data ?? '').replace(/^0x/, ''))
      if (!bytes) throw new Syntax('Invalid NSH TLV header')
      properties.push({
        kind: 'nsh-tlv',
        class: integer(cls, 0xffff, 'class'),
        type: integer(type, 255, 'type'),
        data: bytes,
      })
    } else throw new Syntax(`Invalid property: ${p.name}`)
  }
  return { type: 'encap', packetType, hdrSize: 0, properties }
}

function decap(v: string): Action {
  if (v.trim() === '') return { type: 'decap', packetType: 0xfffe }
  const it = item(v.trim())
  if (it.name !== 'packet_type') throw new Syntax(`Missing packet_type attribute specification`)
  let ns = 0
  let type = 0
  for (const p of split(it.value ?? '').map(item)) {
    if (p.name === 'ns') ns = integer(p.value, 0xffff, 'ns')
    else if (p.name === 'type') type = integer(p.value, 0xffff, 'type')
    else throw new Syntax(`Invalid packet_type attribute: ${p.name}`)
  }
  return { type: 'decap', packetType: ((ns << 16) | type) >>> 0 }
}
