import type { Writer } from '../../base/bytes.ts'
import type { Action, Bundle, Ct, Learn, Nat } from '../actions/action.ts'
import type { ActionContext } from '../actions/context.ts'
import type { Field, Subfield } from '../fields/field.ts'
import { writeField, writeFieldName } from '../fields/oxm.ts'
import {
  BUNDLE_ALGORITHMS,
  CT_FLAG,
  HASH_FIELDS,
  LEARN_FLAG,
  MULTIPATH_ALGORITHMS,
  NAT_FLAG,
  NAT_RANGE,
  NXAST,
  SAMPLE_DIRECTIONS,
} from './decode.ts'
import { NX_VENDOR_ID } from './message.ts'

type Encoder = (w: Writer, actions: readonly Action[], ctx: ActionContext) => Writer

/** A Nicira action: header, body, and padding to 8 bytes. */
function nicira(w: Writer, subtype: number, body: (w: Writer) => void): Writer {
  const start = w.length
  w.u16(0xffff).u16(0).u32(NX_VENDOR_ID).u16(subtype)
  body(w)
  w.align(8, start)
  w.patch16(start + 2, w.length - start)
  return w
}

const packed = (s: Subfield) => (s.offset << 6) | (s.bits - 1)
/** Nicira's actions name fields by their NXM number. */
const name = (w: Writer, field: Field) => writeFieldName(w, field, 0)

/** NXAST_REG_LOAD, as often as it takes: one for each run of mask bits, 64 bits at most. */
export function regLoad(w: Writer, field: Field, value: bigint, mask: bigint): Writer {
  for (const [offset, bits] of runs(mask)) {
    nicira(w, NXAST.REG_LOAD, (x) => {
      x.u16((offset << 6) | (bits - 1))
      name(x, field)
      x.u64((value >> BigInt(offset)) & ((1n << BigInt(bits)) - 1n))
    })
  }
  return w
}

/** The runs of ones of a mask, cut at 64 bits, lowest first. */
export function runs(mask: bigint): [offset: number, bits: number][] {
  const out: [number, number][] = []
  let offset = 0
  for (let m = mask; m; ) {
    while (!(m & 1n)) {
      m >>= 1n
      offset++
    }
    let bits = 0
    while (m & 1n && bits < 64) {
      m >>= 1n
      bits++
    }
    out.push([offset, bits])
    offset += bits
  }
  return out
}

/** Writes an action that no version has as its own; instructions are none of its business. */
export function encodeNicira(w: Writer, a: Action, ctx: ActionContext, encode: Encoder): Writer {
  switch (a.type) {
    case 'unknown':
      return w.bytes(a.bytes)
    case 'resubmit':
      if (a.ct) return nicira(w, NXAST.RESUBMIT_TABLE_CT, (x) => x.u16(a.port).u8(a.table ?? 255))
      if (a.table === undefined) return nicira(w, NXAST.RESUBMIT, (x) => x.u16(a.port))
      return nicira(w, NXAST.RESUBMIT_TABLE, (x) => x.u16(a.port).u8(a.table ?? 255))
    case 'set_tunnel':
      if (a.wide || a.id > 0xffffffffn) return nicira(w, NXAST.SET_TUNNEL64, (x) => x.zeros(6).u64(a.id))
      return nicira(w, NXAST.SET_TUNNEL, (x) => x.zeros(2).u32(Number(a.id)))
    case 'set_queue':
      return nicira(w, NXAST.SET_QUEUE, (x) => x.zeros(2).u32(a.queue))
    case 'pop_queue':
      return nicira(w, NXAST.POP_QUEUE, () => {})
    case 'move':
      return nicira(w, NXAST.REG_MOVE, (x) => {
        x.u16(a.src.bits).u16(a.src.offset).u16(a.dst.offset)
        name(x, a.src.field)
        name(x, a.dst.field)
      })
    case 'set_field':
      return nicira(w, NXAST.REG_LOAD2, (x) => {
        x.zeros(6)
        writeField(x, a, 0)
      })
    case 'note':
      return nicira(w, NXAST.NOTE, (x) => x.bytes(a.data))
    case 'multipath':
      return nicira(w, NXAST.MULTIPATH, (x) => {
        x.u16(HASH_FIELDS.indexOf(a.fields)).u16(a.basis).u16(0)
        x.u16(MULTIPATH_ALGORITHMS.indexOf(a.algorithm)).u16(a.maxLink).u32(a.arg).u16(0).u16(packed(a.dst))
        name(x, a.dst.field)
      })
    case 'bundle':
      return bundle(w, a)
    case 'output_reg':
      // NXAST_OUTPUT_REG has no room for an experimenter's field number.
      if (a.src.field.codes[0]?.class === 0xffff)
        return nicira(w, NXAST.OUTPUT_REG2, (x) => {
          x.u16(packed(a.src)).u16(a.maxLen)
          name(x, a.src.field)
        })
      return nicira(w, NXAST.OUTPUT_REG, (x) => {
        x.u16(packed(a.src))
        name(x, a.src.field)
        x.u16(a.maxLen)
      })
    case 'learn':
      return learn(w, a)
    case 'exit':
      return nicira(w, NXAST.EXIT, () => {})
    case 'dec_ttl':
      if (a.controllers.length === 1 && a.controllers[0] === 0 && !a.listed) return nicira(w, NXAST.DEC_TTL, () => {})
      return nicira(w, NXAST.DEC_TTL_CNT_IDS, (x) => {
        x.u16(a.controllers.length).zeros(4)
        for (const id of a.controllers) x.u16(id)
      })
    case 'fin_timeout':
      return nicira(w, NXAST.FIN_TIMEOUT, (x) => x.u16(a.idleTimeout).u16(a.hardTimeout))
    case 'controller':
      return controller(w, a)
    case 'write_metadata':
      return nicira(w, NXAST.WRITE_METADATA, (x) => x.zeros(6).u64(a.value).u64(a.mask))
    case 'push_mpls':
      return nicira(w, NXAST.PUSH_MPLS, (x) => x.u16(a.ethertype))
    case 'pop_mpls':
      return nicira(w, NXAST.POP_MPLS, (x) => x.u16(a.ethertype))
    case 'set_mpls_label':
      return nicira(w, NXAST.SET_MPLS_LABEL, (x) => x.u16(0).u32(a.label))
    case 'set_mpls_tc':
      return nicira(w, NXAST.SET_MPLS_TC, (x) => x.u8(a.tc))
    case 'set_mpls_ttl':
      return nicira(w, NXAST.SET_MPLS_TTL, (x) => x.u8(a.ttl))
    case 'dec_mpls_ttl':
      return nicira(w, NXAST.DEC_MPLS_TTL, () => {})
    case 'dec_nsh_ttl':
      return nicira(w, NXAST.DEC_NSH_TTL, () => {})
    case 'push':
    case 'pop': {
      const s = a.type === 'push' ? a.src : a.dst
      return nicira(w, a.type === 'push' ? NXAST.STACK_PUSH : NXAST.STACK_POP, (x) => {
        x.u16(s.offset)
        name(x, s.field)
        x.u16(s.bits).zeros(6)
      })
    }
    case 'sample':
      return sample(w, a)
    case 'conjunction':
      return nicira(w, NXAST.CONJUNCTION, (x) => x.u8(a.clause).u8(a.clauses).u32(a.id))
    case 'ct':
      return ct(w, a, ctx, encode)
    case 'ct_clear':
      return nicira(w, NXAST.CT_CLEAR, () => {})
    case 'clone':
      return nicira(w, NXAST.CLONE, (x) => {
        x.zeros(6)
        encode(x, a.actions, ctx)
      })
    case 'output_trunc':
      return nicira(w, NXAST.OUTPUT_TRUNC, (x) => x.u16(a.port).u32(a.maxLen))
    case 'group':
      return nicira(w, NXAST.GROUP, (x) => x.u16(0).u32(a.group))
    case 'encap':
      return encap(w, a)
    case 'decap':
      return nicira(w, NXAST.DECAP, (x) => x.u16(0).u32(a.packetType))
    case 'check_pkt_larger':
      return nicira(w, NXAST.CHECK_PKT_LARGER, (x) => {
        x.u16(a.length).u16(a.dst.offset)
        name(x, a.dst.field)
      })
    case 'delete_field':
      return nicira(w, NXAST.DELETE_FIELD, (x) => {
        name(x, a.field)
        x.zeros(10)
      })
    case 'goto_table':
      // As far as a version without instructions can say it.
      return nicira(w, NXAST.RESUBMIT_TABLE, (x) => x.u16(0xfff8).u8(a.table))
    case 'meter':
    case 'clear_actions':
    case 'write_actions':
    case 'push_vlan':
    case 'pop_vlan':
    case 'mod_vlan_vid':
    case 'mod_vlan_pcp':
    case 'mod_tp':
    case 'output':
    case 'enqueue':
      return w
  }
}

function bundle(w: Writer, a: Bundle): Writer {
  return nicira(w, a.dst ? NXAST.BUNDLE_LOAD : NXAST.BUNDLE, (x) => {
    x.u16(BUNDLE_ALGORITHMS.indexOf(a.algorithm)).u16(HASH_FIELDS.indexOf(a.fields)).u16(a.basis)
    x.u32(0x00000002).u16(a.members.length)
    if (a.dst) {
      x.u16(packed(a.dst))
      name(x, a.dst.field)
    } else x.zeros(6)
    x.zeros(4)
    for (const port of a.members) x.u16(port)
  })
}

function learn(w: Writer, a: Learn): Writer {
  const second = a.limit !== 0 || a.resultDst !== undefined
  return nicira(w, second ? NXAST.LEARN2 : NXAST.LEARN, (x) => {
    x.u16(a.idleTimeout).u16(a.hardTimeout).u16(a.priority).u64(a.cookie)
    x.u16(
      (a.sendFlowRemoved ? LEARN_FLAG.SEND_FLOW_REM : 0) |
        (a.deleteLearned ? LEARN_FLAG.DELETE_LEARNED : 0) |
        (a.resultDst ? LEARN_FLAG.WRITE_RESULT : 0),
    )
    x.u8(a.table).u8(0).u16(a.finIdleTimeout).u16(a.finHardTimeout)
    if (second) {
      x.u32(a.limit)
        .u16(a.resultDst?.offset ?? 0)
        .u16(0)
      if (a.resultDst) name(x, a.resultDst.field)
    }
    for (const spec of a.specs) {
      const kind = { match: 0, load: 1, output: 2 }[spec.target.kind]
      if ('value' in spec.source) {
        x.u16(0x2000 | (kind << 11) | spec.bits)
        for (let i = Math.ceil(spec.bits / 16) - 1; i >= 0; i--) {
          x.u16(Number((spec.source.value >> BigInt(16 * i)) & 0xffffn))
        }
      } else {
        x.u16((kind << 11) | spec.bits)
        name(x, spec.source.field)
        x.u16(spec.source.offset)
      }
      if (spec.target.kind !== 'output') {
        name(x, spec.target.dst.field)
        x.u16(spec.target.dst.offset)
      }
    }
  })
}

/** A property: type, length without padding, padded to 8 bytes. */
export function property(w: Writer, type: number, body: (w: Writer) => void): Writer {
  const start = w.length
  w.u16(type).u16(0)
  body(w)
  w.patch16(start + 2, w.length - start)
  w.align(8, start)
  return w
}

function controller(w: Writer, a: Extract<Action, { type: 'controller' }>): Writer {
  if (!a.userdata && !a.pause && a.meterId === undefined) {
    return nicira(w, NXAST.CONTROLLER, (x) => x.u16(a.maxLen).u16(a.controllerId).u8(a.reason))
  }
  return nicira(w, NXAST.CONTROLLER2, (x) => {
    x.zeros(6)
    if (a.maxLen !== 0xffff) property(x, 0, (p) => p.u16(a.maxLen).zeros(2))
    if (a.controllerId !== 0) property(x, 1, (p) => p.u16(a.controllerId).zeros(2))
    if (a.reason !== 1) property(x, 2, (p) => p.u8(a.reason))
    const { userdata, meterId } = a
    if (userdata) property(x, 3, (p) => p.bytes(userdata))
    if (a.pause) property(x, 4, () => {})
    if (meterId !== undefined) property(x, 5, (p) => p.u32(meterId))
  })
}

function sample(w: Writer, a: Extract<Action, { type: 'sample' }>): Writer {
  const id = (x: Writer, v: number | Subfield) => {
    if (typeof v === 'number') return x.u32(0).u32(v)
    name(x, v.field)
    return x.u16(packed(v)).u16(0)
  }
  if (typeof a.domain !== 'number' || typeof a.point !== 'number') {
    return nicira(w, NXAST.SAMPLE4, (x) => {
      x.u16(a.probability).u32(a.collectorSet)
      id(x, a.domain)
      id(x, a.point)
      x.u16(a.samplingPort).u8(SAMPLE_DIRECTIONS.indexOf(a.direction)).zeros(5)
    })
  }
  const { domain, point } = a
  const direction = SAMPLE_DIRECTIONS.indexOf(a.direction)
  const plain = a.samplingPort === 0xffff && direction === 0
  return nicira(w, plain ? NXAST.SAMPLE : direction ? NXAST.SAMPLE3 : NXAST.SAMPLE2, (x) => {
    x.u16(a.probability).u32(a.collectorSet).u32(domain).u32(point)
    if (!plain) x.u16(a.samplingPort).u8(direction).zeros(3)
  })
}

function ct(w: Writer, a: Ct, ctx: ActionContext, encode: Encoder): Writer {
  return nicira(w, NXAST.CT, (x) => {
    x.u16((a.commit ? CT_FLAG.COMMIT : 0) | (a.force ? CT_FLAG.FORCE : 0))
    if (typeof a.zone === 'number') x.u32(0).u16(a.zone)
    else {
      name(x, a.zone.field)
      x.u16(packed(a.zone))
    }
    x.u8(a.table ?? 255)
      .zeros(3)
      .u16(a.alg)
    if (a.nat) nat(x, a.nat)
    encode(x, a.exec, ctx)
  })
}

function nat(w: Writer, n: Nat): Writer {
  const { addresses, ports } = n
  const range = (min: number, max: number, wide: boolean) => min | (wide ? max : 0)
  let present = 0
  if (addresses) {
    const wide = addresses.max !== addresses.min
    present |=
      addresses.family === 4
        ? range(NAT_RANGE.IPV4_MIN, NAT_RANGE.IPV4_MAX, wide)
        : range(NAT_RANGE.IPV6_MIN, NAT_RANGE.IPV6_MAX, wide)
  }
  if (ports) present |= range(NAT_RANGE.PORT_MIN, NAT_RANGE.PORT_MAX, ports.max !== ports.min)
  return nicira(w, NXAST.NAT, (x) => {
    x.u16(0)
    x.u16(
      (n.kind === 'src' ? NAT_FLAG.SRC : n.kind === 'dst' ? NAT_FLAG.DST : 0) |
        (n.persistent ? NAT_FLAG.PERSISTENT : 0) |
        (n.hash ? NAT_FLAG.HASH : 0) |
        (n.random ? NAT_FLAG.RANDOM : 0),
    )
    x.u16(present)
    if (addresses) {
      const put = (v: bigint) => (addresses.family === 4 ? x.u32(Number(v)) : x.u128(v))
      put(addresses.min)
      if (addresses.max !== addresses.min) put(addresses.max)
    }
    if (ports) {
      x.u16(ports.min)
      if (ports.max !== ports.min) x.u16(ports.max)
    }
  })
}

function encap(w: Writer, a: Extract<Action, { type: 'encap' }>): Writer {
  return nicira(w, NXAST.ENCAP, (x) => {
    x.u16(a.hdrSize).u32(a.packetType)
    for (const p of a.properties) {
      const start = x.length
      if (p.kind === 'nsh-md-type') x.u16(4).u8(1).u8(5).u8(p.mdType)
      else if (p.kind === 'nsh-tlv') {
        x.u16(4).u8(2).u8(0).u16(p.class).u8(p.type).u8(p.data.length).bytes(p.data).align(8, start)
        x.patch16(start + 2, 0x0200 | (x.length - start))
      } else {
        x.u16(p.class)
          .u8(p.type)
          .u8(4 + p.data.length)
          .bytes(p.data)
      }
      x.align(8, start)
    }
  })
}
