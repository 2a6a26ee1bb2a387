import type { Reader } from '../../base/bytes.ts'
import type { Field, Subfield } from '../fields/field.ts'
import { narrowPort, readField, readFieldName } from '../fields/oxm.ts'
import { F } from '../fields/table.ts'
import { fault } from '../messages/fault.ts'
import { decodeNicira } from '../nicira/decode.ts'
import { NX_VENDOR_ID } from '../nicira/message.ts'
import { type Action, OFPP } from './action.ts'
import type { ActionContext } from './context.ts'

/** OFPAT_* of 1.1 and later; 1.0 numbers its own (OpenFlow 1.0 §5.2.4). */
export const OFPAT = {
  OUTPUT: 0,
  SET_MPLS_TTL: 15,
  DEC_MPLS_TTL: 16,
  PUSH_VLAN: 17,
  POP_VLAN: 18,
  PUSH_MPLS: 19,
  POP_MPLS: 20,
  SET_QUEUE: 21,
  GROUP: 22,
  SET_NW_TTL: 23,
  DEC_NW_TTL: 24,
  SET_FIELD: 25,
  COPY_FIELD: 28,
  METER: 29,
  EXPERIMENTER: 0xffff,
} as const

/** The ONF made 1.5's copy_field an extension of 1.3. */
const ONF_VENDOR_ID = 0x4f4e4600
const ONF_COPY_FIELD = 3200

/** The actions up to the end of `r`. */
export function decodeActions(r: Reader, ctx: ActionContext): Action[] {
  const out: Action[] = []
  while (r.left > 0) {
    if (r.left < 8) fault('OFPBAC_BAD_LEN')
    const start = r.at
    const type = r.u16()
    const length = r.u16()
    if (length < 8 || length % 8 || length > r.end - start) fault('OFPBAC_BAD_LEN')
    const body = r.sub(length - 4)
    const keep = (): Action => {
      if (!ctx.keepUnknown) fault(type === OFPAT.EXPERIMENTER ? 'OFPBAC_BAD_VENDOR_TYPE' : 'OFPBAC_BAD_TYPE')
      return { type: 'unknown', bytes: r.bytes.slice(start, start + length) }
    }
    if (type === OFPAT.EXPERIMENTER) {
      const vendor = body.u32()
      if (vendor === ONF_VENDOR_ID && body.u16() === ONF_COPY_FIELD) {
        body.skip(2)
        out.push(copyField(body))
      } else if (vendor !== NX_VENDOR_ID) {
        if (!ctx.keepUnknown) fault('OFPBAC_BAD_VENDOR')
        out.push(keep())
      } else out.push(decodeNicira(body, ctx, decodeActions) ?? keep())
    } else out.push((ctx.version === 1 ? standard10(type, body) : standard11(type, body, ctx)) ?? keep())
  }
  return out
}

function whole(field: Field, value: number | bigint): Action {
  return { type: 'set_field', field, value: BigInt(value), mask: field.ones, style: 'mod' }
}

function standard10(type: number, r: Reader): Action | undefined {
  switch (type) {
    case 0: {
      const port = r.u16()
      const maxLen = r.u16()
      return port === OFPP.CONTROLLER ? { type: 'output', port, maxLen } : { type: 'output', port }
    }
    case 1: {
      const vid = r.u16()
      if (vid & ~0xfff) fault('OFPBAC_BAD_ARGUMENT')
      return { type: 'mod_vlan_vid', vid, push: true }
    }
    case 2: {
      const pcp = r.u8()
      if (pcp & ~7) fault('OFPBAC_BAD_ARGUMENT')
      return { type: 'mod_vlan_pcp', pcp, push: true }
    }
    case 3:
      return { type: 'pop_vlan', strip: true }
    case 4:
      return whole(F.eth_src, r.u48())
    case 5:
      return whole(F.eth_dst, r.u48())
    case 6:
      return whole(F.ip_src, r.u32())
    case 7:
      return whole(F.ip_dst, r.u32())
    case 8: {
      const tos = r.u8()
      if (tos & 3) fault('OFPBAC_BAD_ARGUMENT')
      return whole(F.ip_dscp, tos >> 2)
    }
    case 9:
      return { type: 'mod_tp', which: 'src', port: r.u16() }
    case 10:
      return { type: 'mod_tp', which: 'dst', port: r.u16() }
    case 11: {
      const port = r.u16()
      r.skip(6)
      return { type: 'enqueue', port, queue: r.u32() }
    }
    default:
      return undefined
  }
}

export function readPort32(r: Reader): number {
  const port = narrowPort(r.u32())
  if (port === undefined) fault('OFPBAC_BAD_OUT_PORT')
  return port
}

function standard11(type: number, r: Reader, ctx: ActionContext): Action | undefined {
  switch (type) {
    case OFPAT.OUTPUT: {
      const port = readPort32(r)
      const maxLen = r.u16()
      return port === OFPP.CONTROLLER ? { type: 'output', port, maxLen } : { type: 'output', port }
    }
    case OFPAT.SET_MPLS_TTL:
      return { type: 'set_mpls_ttl', ttl: r.u8() }
    case OFPAT.DEC_MPLS_TTL:
      return { type: 'dec_mpls_ttl' }
    case OFPAT.PUSH_VLAN: {
      const ethertype = r.u16()
      if (ethertype !== 0x8100 && ethertype !== 0x88a8) fault('OFPBAC_BAD_ARGUMENT')
      return { type: 'push_vlan', ethertype }
    }
    case OFPAT.POP_VLAN:
      return { type: 'pop_vlan' }
    case OFPAT.PUSH_MPLS: {
      const ethertype = r.u16()
      if (ethertype !== 0x8847 && ethertype !== 0x8848) fault('OFPBAC_BAD_ARGUMENT')
      return { type: 'push_mpls', ethertype }
    }
    case OFPAT.POP_MPLS:
      return { type: 'pop_mpls', ethertype: r.u16() }
    case OFPAT.SET_QUEUE:
      return { type: 'set_queue', queue: r.u32() }
    case OFPAT.GROUP:
      return { type: 'group', group: r.u32() }
    case OFPAT.SET_NW_TTL:
      return whole(F.nw_ttl, r.u8())
    case OFPAT.DEC_NW_TTL:
      return { type: 'dec_ttl', controllers: [0] }
    case OFPAT.SET_FIELD:
      return ctx.version >= 3 ? setField(r, ctx) : undefined
    case OFPAT.COPY_FIELD:
      return ctx.version >= 6 ? copyField(r) : undefined
    case OFPAT.METER:
      return ctx.version >= 6 ? { type: 'meter', meter: r.u32() } : undefined
    default:
      return undefined
  }
}

export function setField(r: Reader, ctx: ActionContext): Action {
  const m = readField(r)
  if (!m) fault('OFPBAC_BAD_SET_TYPE')
  // What follows the TLV is padding and must be zero.
  while (r.left) if (r.u8()) fault('OFPBAC_BAD_SET_ARGUMENT')
  if (!m.field.writable) fault('OFPBAC_BAD_SET_TYPE')
  const ones = m.field === F.vlan_vid ? 0x1fffn : m.field.ones
  if (m.mask !== ones && !m.field.variable && ctx.version >= 2 && ctx.version < 6) fault('OFPBAC_BAD_SET_MASK')
  const field = m.field === F.in_port_oxm ? F.in_port : m.field
  const mask = m.mask === ones ? field.ones : m.mask
  // A mask of all the bits is told apart from none only where the field does not fill its bytes.
  const masked = m.masked && mask === field.ones && field.bits < 8 * field.bytes
  return {
    type: 'set_field',
    field,
    value: m.value,
    mask,
    ...(masked ? { style: 'masked' } : {}),
    ...(m.bytes ? { bytes: m.bytes } : {}),
  }
}

/** Checks that bits `offset` to `offset + bits - 1` are inside the field. */
export function subfield(field: Field, offset: number, bits: number): Subfield {
  if (bits < 1 || offset + bits > field.bits) fault('OFPBAC_BAD_SET_LEN')
  return { field, offset, bits }
}

function copyField(r: Reader): Action {
  const bits = r.u16()
  const from = r.u16()
  const to = r.u16()
  r.skip(2)
  const src = subfield(readFieldName(r), from, bits)
  const dst = subfield(readFieldName(r), to, bits)
  if (!dst.field.writable) fault('OFPBAC_BAD_SET_ARGUMENT')
  return { type: 'move', src: narrowed(src), dst: narrowed(dst) }
}

function narrowed(s: Subfield): Subfield {
  return s.field === F.in_port_oxm && s.offset + s.bits <= 16 ? { ...s, field: F.in_port } : s
}
