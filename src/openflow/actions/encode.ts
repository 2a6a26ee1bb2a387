import type { Writer } from '../../base/bytes.ts'
import type { FieldMatch } from '../fields/field.ts'
import { widenPort, writeField, writeFieldName } from '../fields/oxm.ts'
import { F } from '../fields/table.ts'
import { encodeNicira, regLoad } from '../nicira/encode.ts'
import { type Action, OFPP } from './action.ts'
import type { ActionContext } from './context.ts'
import { OFPAT } from './decode.ts'

const VLAN_PRESENT = 0x1000

/** Writes actions (not instructions) as a version has them; what it cannot say is left out, as Open vSwitch does. */
export function encodeActions(w: Writer, actions: readonly Action[], ctx: ActionContext): Writer {
  const state = { vlan: ctx.vlan ?? false }
  for (const action of actions) {
    if (ctx.version === 1) encode10(w, action, ctx)
    else encode11(w, action, ctx, state)
    if (action.type === 'push_vlan' || action.type === 'mod_vlan_vid' || action.type === 'mod_vlan_pcp')
      state.vlan = true
    else if (action.type === 'pop_vlan') state.vlan = false
  }
  return w
}

/** An action header, its body, and padding to 8 bytes. */
export function action(w: Writer, type: number, body: (w: Writer) => void): Writer {
  const start = w.length
  w.u16(type).u16(0)
  body(w)
  w.align(8, start)
  if (w.length === start + 4) w.zeros(4)
  w.patch16(start + 2, w.length - start)
  return w
}

function encode10(w: Writer, a: Action, ctx: ActionContext): Writer {
  switch (a.type) {
    case 'output':
      return action(w, 0, (x) => x.u16(a.port).u16(a.maxLen ?? 0))
    case 'mod_vlan_vid':
      return action(w, 1, (x) => x.u16(a.vid))
    case 'mod_vlan_pcp':
      return action(w, 2, (x) => x.u8(a.pcp))
    case 'pop_vlan':
      return action(w, 3, () => {})
    case 'push_vlan':
      return w // 1.0 has no such action; the mod_vlan_vid that follows does both
    case 'mod_tp':
      return action(w, a.which === 'src' ? 9 : 10, (x) => x.u16(a.port))
    case 'enqueue':
      return action(w, 11, (x) => x.u16(a.port).zeros(6).u32(a.queue))
    case 'set_field': {
      const whole = a.mask === a.field.ones
      if (a.field === F.vlan_vid && whole) return action(w, 1, (x) => x.u16(Number(a.value & 0xfffn)))
      if (a.field === F.vlan_pcp && whole) return action(w, 2, (x) => x.u8(Number(a.value)))
      if (a.style !== 'load' && whole) {
        const v = Number(a.value)
        if (a.field === F.eth_src) return action(w, 4, (x) => x.u48(v))
        if (a.field === F.eth_dst) return action(w, 5, (x) => x.u48(v))
        if (a.field === F.ip_src) return action(w, 6, (x) => x.u32(v))
        if (a.field === F.ip_dst) return action(w, 7, (x) => x.u32(v))
        if (a.field === F.ip_dscp) return action(w, 8, (x) => x.u8(v << 2))
      }
      return regLoad(w, a.field, a.value, a.mask)
    }
    default:
      return encodeNicira(w, a, ctx, encodeActions)
  }
}

function output(w: Writer, port: number, maxLen: number): Writer {
  return action(w, OFPAT.OUTPUT, (x) => x.u32(widenPort(port)).u16(maxLen))
}

function setField(w: Writer, m: FieldMatch, version: number): Writer {
  return action(w, OFPAT.SET_FIELD, (x) => writeField(x, m, version))
}

const exactly = (field: FieldMatch['field'], value: number | bigint): FieldMatch => ({
  field,
  value: BigInt(value),
  mask: field.ones,
})

function encode11(w: Writer, a: Action, ctx: ActionContext, state: { vlan: boolean }): Writer {
  const { version } = ctx
  switch (a.type) {
    case 'output':
      return output(w, a.port, a.port === OFPP.CONTROLLER ? (a.maxLen ?? 0xffff) : 0)
    case 'enqueue':
      // OpenFlow 1.1 removed enqueue: a queue, an output, and the queue as before.
      action(w, OFPAT.SET_QUEUE, (x) => x.u32(a.queue))
      output(w, a.port, 0)
      return encodeNicira(w, { type: 'pop_queue' }, ctx, encodeActions)
    case 'mod_vlan_vid':
      if (a.push && !state.vlan) action(w, OFPAT.PUSH_VLAN, (x) => x.u16(0x8100))
      return setField(w, exactly(F.vlan_vid, a.vid | VLAN_PRESENT), version)
    case 'mod_vlan_pcp':
      if (a.push && !state.vlan) action(w, OFPAT.PUSH_VLAN, (x) => x.u16(0x8100))
      return setField(w, exactly(F.vlan_pcp, a.pcp), version)
    case 'push_vlan':
      return action(w, OFPAT.PUSH_VLAN, (x) => x.u16(a.ethertype))
    case 'pop_vlan':
      return action(w, OFPAT.POP_VLAN, () => {})
    case 'push_mpls':
      return action(w, OFPAT.PUSH_MPLS, (x) => x.u16(a.ethertype))
    case 'pop_mpls':
      return action(w, OFPAT.POP_MPLS, (x) => x.u16(a.ethertype))
    case 'set_mpls_label':
      return setField(w, exactly(F.mpls_label, a.label), version)
    case 'set_mpls_tc':
      return setField(w, exactly(F.mpls_tc, a.tc), version)
    case 'set_mpls_ttl':
      return action(w, OFPAT.SET_MPLS_TTL, (x) => x.u8(a.ttl))
    case 'dec_mpls_ttl':
      return action(w, OFPAT.DEC_MPLS_TTL, () => {})
    case 'set_queue':
      return action(w, OFPAT.SET_QUEUE, (x) => x.u32(a.queue))
    case 'group':
      return action(w, OFPAT.GROUP, (x) => x.u32(a.group))
    case 'dec_ttl':
      if (a.controllers.length === 1 && a.controllers[0] === 0 && !a.listed)
        return action(w, OFPAT.DEC_NW_TTL, () => {})
      return encodeNicira(w, a, ctx, encodeActions)
    case 'set_tunnel':
      return setField(w, exactly(F.tun_id, a.id), version)
    case 'mod_tp': {
      const by = { 6: [F.tcp_src, F.tcp_dst], 17: [F.udp_src, F.udp_dst], 132: [F.sctp_src, F.sctp_dst] } as const
      const pair = by[ctx.protocol as 6] ?? by[6]
      return setField(w, exactly(a.which === 'src' ? pair[0] : pair[1], a.port), version)
    }
    case 'set_field': {
      const whole = a.mask === a.field.ones
      if (version >= 6 || (whole && a.style !== 'load')) {
        if (a.field === F.nw_ttl && a.style === 'mod') return action(w, OFPAT.SET_NW_TTL, (x) => x.u8(Number(a.value)))
        return action(w, OFPAT.SET_FIELD, (x) => writeField(x, a, version, a.style === 'masked'))
      }
      return regLoad(w, a.field, a.value, a.mask)
    }
    case 'move': {
      if (version < 6) return encodeNicira(w, a, ctx, encodeActions)
      return action(w, OFPAT.COPY_FIELD, (x) => {
        x.u16(a.src.bits).u16(a.src.offset).u16(a.dst.offset).u16(0)
        writeFieldName(x, a.src.field, version)
        writeFieldName(x, a.dst.field, version)
      })
    }
    case 'meter':
      return version >= 6 ? action(w, OFPAT.METER, (x) => x.u32(a.meter)) : w
    default:
      return encodeNicira(w, a, ctx, encodeActions)
  }
}
