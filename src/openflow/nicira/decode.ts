import type { Reader } from '../../base/bytes.ts'
import type { Action, EncapProperty, HashFields, Learn, LearnSpec, Nat } from '../actions/action.ts'
import type { ActionContext } from '../actions/context.ts'
import { setField, subfield } from '../actions/decode.ts'
import type { Subfield } from '../fields/field.ts'
import { readFieldName } from '../fields/oxm.ts'
import { F } from '../fields/table.ts'
import { fault } from '../messages/fault.ts'

/** NXAST_*: Nicira's action subtypes. */
export const NXAST = {
  RESUBMIT: 1,
  SET_TUNNEL: 2,
  SET_QUEUE: 4,
  POP_QUEUE: 5,
  REG_MOVE: 6,
  REG_LOAD: 7,
  NOTE: 8,
  SET_TUNNEL64: 9,
  MULTIPATH: 10,
  BUNDLE: 12,
  BUNDLE_LOAD: 13,
  RESUBMIT_TABLE: 14,
  OUTPUT_REG: 15,
  LEARN: 16,
  EXIT: 17,
  DEC_TTL: 18,
  FIN_TIMEOUT: 19,
  CONTROLLER: 20,
  DEC_TTL_CNT_IDS: 21,
  WRITE_METADATA: 22,
  PUSH_MPLS: 23,
  POP_MPLS: 24,
  SET_MPLS_TTL: 25,
  DEC_MPLS_TTL: 26,
  STACK_PUSH: 27,
  STACK_POP: 28,
  SAMPLE: 29,
  SET_MPLS_LABEL: 30,
  SET_MPLS_TC: 31,
  OUTPUT_REG2: 32,
  REG_LOAD2: 33,
  CONJUNCTION: 34,
  CT: 35,
  NAT: 36,
  CONTROLLER2: 37,
  SAMPLE2: 38,
  OUTPUT_TRUNC: 39,
  GROUP: 40,
  SAMPLE3: 41,
  CLONE: 42,
  CT_CLEAR: 43,
  RESUBMIT_TABLE_CT: 44,
  LEARN2: 45,
  ENCAP: 46,
  DECAP: 47,
  DEC_NSH_TTL: 48,
  CHECK_PKT_LARGER: 49,
  DELETE_FIELD: 50,
  SAMPLE4: 51,
} as const

export const HASH_FIELDS: readonly HashFields[] = [
  'eth_src',
  'symmetric_l4',
  'symmetric_l3l4',
  'symmetric_l3l4+udp',
  'nw_src',
  'nw_dst',
  'symmetric_l3',
]
export const MULTIPATH_ALGORITHMS = ['modulo_n', 'hash_threshold', 'hrw', 'iter_hash'] as const
export const BUNDLE_ALGORITHMS = ['active_backup', 'hrw'] as const
export const SAMPLE_DIRECTIONS = ['default', 'ingress', 'egress'] as const

/** How deep actions may nest in clone and ct. */
export const NESTED = 64

type Decoder = (r: Reader, ctx: ActionContext) => Action[]

/** `offset << 6 | bits - 1`, as several actions pack a range of bits. */
function packed(r: Reader): [offset: number, bits: number] {
  const v = r.u16()
  return [v >> 6, (v & 0x3f) + 1]
}

function pick<T>(list: readonly T[], index: number): T {
  const v = list[index]
  if (v === undefined) fault('OFPBAC_BAD_ARGUMENT')
  return v
}

function atMost(limit: number, v: number): number {
  if (v > limit) fault('OFPBAC_BAD_ARGUMENT')
  return v
}

function writable(s: Subfield): Subfield {
  if (!s.field.writable) fault('OFPBAC_BAD_SET_ARGUMENT')
  return s
}

let depth = 0

/** Decodes actions inside an action; too deep a nest is a fault, not a crash. */
function nested(r: Reader, ctx: ActionContext, decode: Decoder): Action[] {
  if (depth >= NESTED) fault('OFPBAC_BAD_ARGUMENT')
  depth++
  try {
    return decode(r, ctx)
  } finally {
    depth--
  }
}

/** The body of a Nicira action after the vendor; undefined for a subtype not known. */
export function decodeNicira(r: Reader, ctx: ActionContext, decode: Decoder): Action | undefined {
  const subtype = r.u16()
  switch (subtype) {
    case NXAST.RESUBMIT:
      return { type: 'resubmit', port: r.u16() }
    case NXAST.RESUBMIT_TABLE:
    case NXAST.RESUBMIT_TABLE_CT: {
      const port = r.u16()
      const table = r.u8()
      return {
        type: 'resubmit',
        port,
        ...(table !== 255 ? { table } : {}),
        ...(subtype === NXAST.RESUBMIT_TABLE_CT ? { ct: true } : {}),
      }
    }
    case NXAST.SET_TUNNEL:
      r.skip(2)
      return { type: 'set_tunnel', id: BigInt(r.u32()), wide: false }
    case NXAST.SET_TUNNEL64:
      r.skip(6)
      return { type: 'set_tunnel', id: r.u64(), wide: true }
    case NXAST.SET_QUEUE:
      r.skip(2)
      return { type: 'set_queue', queue: r.u32() }
    case NXAST.POP_QUEUE:
      return { type: 'pop_queue' }
    case NXAST.REG_MOVE: {
      const bits = r.u16()
      const from = r.u16()
      const to = r.u16()
      const src = subfield(readFieldName(r), from, bits)
      return { type: 'move', src, dst: writable(subfield(readFieldName(r), to, bits)) }
    }
    case NXAST.REG_LOAD: {
      const [offset, bits] = packed(r)
      const dst = writable(subfield(readFieldName(r), offset, bits))
      const v = r.u64()
      if (bits < 64 && v >> BigInt(bits)) fault('OFPBAC_BAD_ARGUMENT')
      const shift = BigInt(offset)
      const mask = ((1n << BigInt(bits)) - 1n) << shift
      return { type: 'set_field', field: dst.field, value: v << shift, mask, style: 'load' }
    }
    case NXAST.REG_LOAD2: {
      const six = r.take(6)
      if (six.some((b) => b)) fault('NXBAC_MUST_BE_ZERO')
      return setField(r, { ...ctx, version: 0 })
    }
    case NXAST.NOTE:
      return { type: 'note', data: r.copy(r.left) }
    case NXAST.MULTIPATH: {
      const fields = pick(HASH_FIELDS, r.u16())
      const basis = r.u16()
      r.skip(2)
      const algorithm = pick(MULTIPATH_ALGORITHMS, r.u16())
      const maxLink = r.u16()
      const arg = r.u32()
      r.skip(2)
      const [offset, bits] = packed(r)
      const dst = writable(subfield(readFieldName(r), offset, bits))
      return { type: 'multipath', fields, basis, algorithm, maxLink, arg, dst }
    }
    case NXAST.BUNDLE:
    case NXAST.BUNDLE_LOAD:
      return bundle(r, subtype === NXAST.BUNDLE_LOAD)
    case NXAST.OUTPUT_REG: {
      const [offset, bits] = packed(r)
      const src = subfield(readFieldName(r), offset, bits)
      return { type: 'output_reg', src, maxLen: r.u16() }
    }
    case NXAST.OUTPUT_REG2: {
      const [offset, bits] = packed(r)
      const maxLen = r.u16()
      return { type: 'output_reg', src: subfield(readFieldName(r), offset, bits), maxLen }
    }
    case NXAST.LEARN:
    case NXAST.LEARN2:
      return learn(r, subtype === NXAST.LEARN2)
    case NXAST.EXIT:
      return { type: 'exit' }
    case NXAST.DEC_TTL:
      return { type: 'dec_ttl', controllers: [0] }
    case NXAST.DEC_TTL_CNT_IDS: {
      const n = r.u16()
      r.skip(4)
      const controllers = Array.from({ length: n }, () => r.u16())
      return { type: 'dec_ttl', controllers, ...(n === 1 && controllers[0] === 0 ? { listed: true } : {}) }
    }
    case NXAST.FIN_TIMEOUT:
      return { type: 'fin_timeout', idleTimeout: r.u16(), hardTimeout: r.u16() }
    case NXAST.CONTROLLER: {
      const maxLen = r.u16()
      const controllerId = r.u16()
      return { type: 'controller', maxLen, controllerId, reason: r.u8() }
    }
    case NXAST.CONTROLLER2:
      return controller2(r)
    case NXAST.WRITE_METADATA:
      r.skip(6)
      return { type: 'write_metadata', value: r.u64(), mask: r.u64() }
    case NXAST.PUSH_MPLS: {
      const ethertype = r.u16()
      if (ethertype !== 0x8847 && ethertype !== 0x8848) fault('OFPBAC_BAD_ARGUMENT')
      return { type: 'push_mpls', ethertype }
    }
    case NXAST.POP_MPLS:
      return { type: 'pop_mpls', ethertype: r.u16() }
    case NXAST.SET_MPLS_TTL:
      return { type: 'set_mpls_ttl', ttl: r.u8() }
    case NXAST.DEC_MPLS_TTL:
      return { type: 'dec_mpls_ttl' }
    case NXAST.SET_MPLS_LABEL:
      r.skip(2)
      return { type: 'set_mpls_label', label: atMost(0xfffff, r.u32()) }
    case NXAST.SET_MPLS_TC:
      return { type: 'set_mpls_tc', tc: atMost(7, r.u8()) }
    case NXAST.STACK_PUSH:
    case NXAST.STACK_POP: {
      const offset = r.u16()
      const field = readFieldName(r)
      const s = subfield(field, offset, r.u16())
      return subtype === NXAST.STACK_PUSH ? { type: 'push', src: s } : { type: 'pop', dst: writable(s) }
    }
    case NXAST.SAMPLE:
    case NXAST.SAMPLE2:
    case NXAST.SAMPLE3:
    case NXAST.SAMPLE4:
      return sample(r, subtype)
    case NXAST.CONJUNCTION: {
      const clause = r.u8()
      const clauses = r.u8()
      if (clauses < 2 || clauses > 64 || clause >= clauses) fault('NXBAC_BAD_CONJUNCTION')
      return { type: 'conjunction', id: r.u32(), clause, clauses }
    }
    case NXAST.CT:
      return ct(r, ctx, decode)
    case NXAST.CT_CLEAR:
      return { type: 'ct_clear' }
    case NXAST.CLONE:
      r.skip(6)
      return { type: 'clone', actions: nested(r, ctx, decode) }
    case NXAST.OUTPUT_TRUNC:
      return { type: 'output_trunc', port: r.u16(), maxLen: r.u32() }
    case NXAST.GROUP:
      r.skip(2)
      return { type: 'group', group: r.u32() }
    case NXAST.ENCAP:
      return encap(r)
    case NXAST.DECAP:
      r.skip(2)
      return { type: 'decap', packetType: r.u32() }
    case NXAST.DEC_NSH_TTL:
      return { type: 'dec_nsh_ttl' }
    case NXAST.CHECK_PKT_LARGER: {
      const length = r.u16()
      const offset = r.u16()
      return { type: 'check_pkt_larger', length, dst: writable(subfield(readFieldName(r), offset, 1)) }
    }
    case NXAST.DELETE_FIELD: {
      const field = readFieldName(r)
      if (!field.variable) fault('OFPBAC_BAD_ARGUMENT')
      return { type: 'delete_field', field }
    }
    default:
      return undefined
  }
}

function bundle(r: Reader, load: boolean): Action {
  const algorithm = pick(BUNDLE_ALGORITHMS, r.u16())
  const fields = pick(HASH_FIELDS, r.u16())
  const basis = r.u16()
  if (r.u32() !== 0x00000002) fault('OFPBAC_BAD_ARGUMENT') // members are NXM_OF_IN_PORT
  const n = r.u16()
  const [offset, bits] = packed(r)
  let dst: Subfield | undefined
  if (load) dst = writable(subfield(readFieldName(r), offset, bits))
  else r.skip(4)
  r.skip(4)
  const members = Array.from({ length: n }, () => r.u16())
  return { type: 'bundle', algorithm, fields, basis, members, ...(dst ? { dst } : {}) }
}

/** NX_LEARN_F_* */
export const LEARN_FLAG = { SEND_FLOW_REM: 1, DELETE_LEARNED: 2, WRITE_RESULT: 4 } as const

function learn(r: Reader, second: boolean): Learn {
  const idleTimeout = r.u16()
  const hardTimeout = r.u16()
  const priority = r.u16()
  const cookie = r.u64()
  const flags = r.u16()
  if (flags & ~(second ? 7 : 3)) fault('OFPBAC_BAD_ARGUMENT')
  const table = r.u8()
  if (table === 255) fault('OFPBAC_BAD_ARGUMENT')
  r.skip(1)
  const finIdleTimeout = r.u16()
  const finHardTimeout = r.u16()
  let limit = 0
  let resultDst: Subfield | undefined
  if (second) {
    limit = r.u32()
    const offset = r.u16()
    r.skip(2)
    if (flags & LEARN_FLAG.WRITE_RESULT) resultDst = writable(subfield(readFieldName(r), offset, 1))
  }
  const specs: LearnSpec[] = []
  while (r.left >= 2) {
    const header = r.u16()
    if (header === 0) break
    specs.push(learnSpec(r, header))
  }
  return {
    type: 'learn',
    idleTimeout,
    hardTimeout,
    priority,
    cookie,
    sendFlowRemoved: (flags & LEARN_FLAG.SEND_FLOW_REM) !== 0,
    deleteLearned: (flags & LEARN_FLAG.DELETE_LEARNED) !== 0,
    table,
    finIdleTimeout,
    finHardTimeout,
    specs,
    limit,
    ...(resultDst ? { resultDst } : {}),
  }
}

function learnSpec(r: Reader, header: number): LearnSpec {
  if (header & 0xc000) fault('OFPBAC_BAD_ARGUMENT')
  const bits = header & 0x7ff
  const kind = (header >> 11) & 3
  let source: LearnSpec['source']
  if (header & 0x2000) {
    let value = 0n
    for (let i = 0; i < Math.ceil(bits / 16); i++) value = (value << 16n) | BigInt(r.u16())
    source = { value }
  } else {
    const field = readFieldName(r)
    source = subfield(field, r.u16(), bits)
  }
  if (kind === 2) {
    if (header & 0x2000) fault('OFPBAC_BAD_ARGUMENT')
    return { source, bits, target: { kind: 'output' } }
  }
  if (kind === 3) fault('OFPBAC_BAD_ARGUMENT')
  const field = readFieldName(r)
  const dst = subfield(field, r.u16(), bits)
  return { source, bits, target: { kind: kind === 0 ? 'match' : 'load', dst: kind === 0 ? dst : writable(dst) } }
}

function controller2(r: Reader): Action {
  r.skip(6)
  let maxLen = 0xffff
  let controllerId = 0
  let reason = 1
  let userdata: Uint8Array | undefined
  let pause = false
  let meterId: number | undefined
  while (r.left > 0) {
    const [type, body] = property(r)
    if (type === 0) maxLen = body.u16()
    else if (type === 1) controllerId = body.u16()
    else if (type === 2) reason = body.u8()
    else if (type === 3) userdata = body.copy(body.left)
    else if (type === 4) pause = true
    else if (type === 5) meterId = body.u32()
    else fault('OFPBPC_BAD_TYPE')
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

/** One property: type, length without padding, padded to 8 bytes. */
export function property(r: Reader): [type: number, body: Reader] {
  if (r.left < 4) fault('OFPBPC_BAD_LEN')
  const type = r.u16()
  const length = r.u16()
  const padded = Math.ceil(length / 8) * 8
  if (length < 4 || padded - 4 > r.left) fault('OFPBPC_BAD_LEN')
  const body = r.sub(length - 4)
  r.skip(padded - length)
  return [type, body]
}

function sample(r: Reader, subtype: number): Action {
  const probability = r.u16()
  if (probability === 0) fault('OFPBAC_BAD_ARGUMENT')
  const collectorSet = r.u32()
  let domain: number | Subfield
  let point: number | Subfield
  if (subtype === NXAST.SAMPLE4) {
    domain = sampleId(r)
    point = sampleId(r)
  } else {
    domain = r.u32()
    point = r.u32()
  }
  let samplingPort = 0xffff
  let direction: 'default' | 'ingress' | 'egress' = 'default'
  if (subtype !== NXAST.SAMPLE) {
    samplingPort = r.u16()
    if (subtype !== NXAST.SAMPLE2) direction = pick(SAMPLE_DIRECTIONS, r.u8())
  }
  return { type: 'sample', probability, collectorSet, domain, point, samplingPort, direction }
}

function sampleId(r: Reader): number | Subfield {
  const at = r.at
  if (r.u32() === 0) return r.u32()
  r.at = at
  const field = readFieldName(r)
  const [offset, bits] = packed(r)
  r.skip(2)
  return subfield(field, offset, bits)
}

/** NX_CT_F_*, NX_NAT_F_* and NX_NAT_RANGE_*. */
export const CT_FLAG = { COMMIT: 1, FORCE: 2 } as const
export const NAT_FLAG = { SRC: 1, DST: 2, PERSISTENT: 4, HASH: 8, RANDOM: 16 } as const
export const NAT_RANGE = { IPV4_MIN: 1, IPV4_MAX: 2, IPV6_MIN: 4, IPV6_MAX: 8, PORT_MIN: 16, PORT_MAX: 32 } as const

function ct(r: Reader, ctx: ActionContext, decode: Decoder): Action {
  const flags = r.u16()
  if (flags & CT_FLAG.FORCE && !(flags & CT_FLAG.COMMIT)) fault('OFPBAC_BAD_ARGUMENT')
  let zone: number | Subfield
  const at = r.at
  if (r.u32() === 0) zone = r.u16()
  else {
    r.at = at
    const field = readFieldName(r)
    const [offset, bits] = packed(r)
    if (bits > 16) fault('OFPBAC_BAD_SET_LEN')
    zone = subfield(field, offset, bits)
  }
  const table = r.u8()
  r.skip(3)
  const alg = r.u16()
  let nat: Nat | undefined
  const exec: Action[] = []
  // NAT is a nested action of its own; the rest may only touch ct_mark and ct_label.
  while (r.left > 0) {
    if (r.left < 4) fault('OFPBAC_BAD_LEN')
    const from = r.at
    const type = r.u16()
    const length = r.u16()
    if (length < 8 || length % 8 || length > r.end - from) fault('OFPBAC_BAD_LEN')
    const body = r.sub(length - 4)
    if (type === 0xffff && length >= 16 && body.u32() === 0x2320 && body.u16() === NXAST.NAT) {
      if (nat) fault('OFPBAC_BAD_ARGUMENT')
      nat = decodeNat(body)
      continue
    }
    r.at = from
    exec.push(...nested(r.sub(length), ctx, decode))
  }
  if ((exec.length || nat?.kind) && !(flags & CT_FLAG.COMMIT)) fault('OFPBAC_BAD_ARGUMENT')
  for (const a of exec) {
    const field = a.type === 'set_field' ? a.field : a.type === 'move' ? a.dst.field : undefined
    if (field !== F.ct_mark && field !== F.ct_label) fault('OFPBAC_BAD_SET_ARGUMENT')
  }
  return {
    type: 'ct',
    commit: (flags & CT_FLAG.COMMIT) !== 0,
    force: (flags & CT_FLAG.FORCE) !== 0,
    zone,
    ...(table !== 255 ? { table } : {}),
    alg,
    ...(nat ? { nat } : {}),
    exec,
  }
}

function decodeNat(r: Reader): Nat {
  r.skip(2)
  const flags = r.u16()
  const range = r.u16()
  if (flags & NAT_FLAG.SRC && flags & NAT_FLAG.DST) fault('OFPBAC_BAD_ARGUMENT')
  let addresses: Nat['addresses']
  if (range & NAT_RANGE.IPV4_MIN) {
    const min = BigInt(r.u32())
    addresses = { family: 4, min, max: range & NAT_RANGE.IPV4_MAX ? BigInt(r.u32()) : min }
  } else if (range & NAT_RANGE.IPV6_MIN) {
    const min = r.u128()
    addresses = { family: 6, min, max: range & NAT_RANGE.IPV6_MAX ? r.u128() : min }
  }
  let ports: Nat['ports']
  if (range & NAT_RANGE.PORT_MIN) {
    const min = r.u16()
    ports = { min, max: range & NAT_RANGE.PORT_MAX ? r.u16() : min }
  }
  if ((addresses && addresses.max < addresses.min) || (ports && ports.max < ports.min)) fault('OFPBAC_BAD_ARGUMENT')
  const kind = flags & NAT_FLAG.SRC ? 'src' : flags & NAT_FLAG.DST ? 'dst' : undefined
  return {
    ...(kind ? { kind } : {}),
    ...(addresses ? { addresses } : {}),
    ...(ports ? { ports } : {}),
    ...(flags & NAT_FLAG.PERSISTENT ? { persistent: true } : {}),
    ...(flags & NAT_FLAG.HASH ? { hash: true } : {}),
    ...(flags & NAT_FLAG.RANDOM ? { random: true } : {}),
  }
}

function encap(r: Reader): Action {
  const hdrSize = r.u16()
  const packetType = r.u32()
  const properties: EncapProperty[] = []
  while (r.left > 0) {
    if (r.left < 4) fault('OFPBAC_BAD_LEN')
    const cls = r.u16()
    const type = r.u8()
    const length = r.u8()
    if (length < 4) fault('OFPBAC_BAD_LEN')
    const body = r.sub(length - 4)
    const rest = (8 - (length % 8)) % 8
    r.skip(Math.min(rest, r.left))
    if (cls === 4 && type === 1) properties.push({ kind: 'nsh-md-type', mdType: body.u8() })
    else if (cls === 4 && type === 2) {
      const tlvClass = body.u16()
      const tlvType = body.u8()
      properties.push({ kind: 'nsh-tlv', class: tlvClass, type: tlvType, data: body.copy(body.u8()) })
    } else properties.push({ kind: 'unknown', class: cls, type, data: body.copy(body.left) })
  }
  return { type: 'encap', packetType, hdrSize, properties }
}
