import type { Reader, Writer } from '../../base/bytes.ts'
import type { WireContext } from '../messages/context.ts'
import { fault } from '../messages/fault.ts'
import { readNxtFlowMod } from '../messages/flow.ts'
import { readGroupMod } from '../messages/group.ts'
import type { Message } from '../messages/message.ts'
import { readNxtPacketIn, readPacketIn2, readResume } from '../messages/packet.ts'
import { readAsync } from '../messages/switch.ts'
import { readCtFlush, writeCtFlush } from './ct-flush.ts'
import type { NiciraMessage, TlvMap } from './message.ts'

/** NXT_*: subtypes of Nicira's messages (nicira-ext.h). */
export const NXT = {
  ROLE_REQUEST: 10,
  ROLE_REPLY: 11,
  SET_FLOW_FORMAT: 12,
  FLOW_MOD: 13,
  FLOW_REMOVED: 14,
  FLOW_MOD_TABLE_ID: 15,
  SET_PACKET_IN_FORMAT: 16,
  PACKET_IN: 17,
  FLOW_AGE: 18,
  SET_ASYNC_CONFIG: 19,
  SET_CONTROLLER_ID: 20,
  FLOW_MONITOR_CANCEL: 21,
  FLOW_MONITOR_PAUSED: 22,
  FLOW_MONITOR_RESUMED: 23,
  TLV_TABLE_MOD: 24,
  TLV_TABLE_REQUEST: 25,
  TLV_TABLE_REPLY: 26,
  SET_ASYNC_CONFIG2: 27,
  RESUME: 28,
  CT_FLUSH_ZONE: 29,
  PACKET_IN2: 30,
  GROUP_MOD: 31,
  CT_FLUSH: 32,
} as const

const TLV_COMMANDS = ['add', 'delete', 'clear'] as const

function readMaps(r: Reader): TlvMap[] {
  const out: TlvMap[] = []
  while (r.left > 0) {
    const map = { class: r.u16(), type: r.u8(), length: r.u8(), index: r.u16() }
    r.skip(2)
    out.push(map)
  }
  return out
}

function writeMaps(w: Writer, maps: readonly TlvMap[]): void {
  for (const m of maps) w.u16(m.class).u8(m.type).u8(m.length).u16(m.index).zeros(2)
}

/** The body of a Nicira message after the subtype; undefined for a subtype not known. */
export function readNicira(subtype: number, r: Reader, xid: number, ctx: WireContext): Message | undefined {
  switch (subtype) {
    case NXT.ROLE_REQUEST:
    case NXT.ROLE_REPLY: {
      const type = subtype === NXT.ROLE_REQUEST ? 'role_request' : 'role_reply'
      const role = r.u32()
      if (role > 2) fault('OFPRRFC_BAD_ROLE')
      return { type, xid, role: role + 1, generation: 0n, nicira: true }
    }
    case NXT.SET_FLOW_FORMAT:
      return { type: 'set_flow_format', xid, format: r.u32() }
    case NXT.FLOW_MOD:
      return readNxtFlowMod(r, xid, ctx)
    case NXT.FLOW_MOD_TABLE_ID:
      return { type: 'flow_mod_table_id', xid, enabled: r.u8() !== 0 }
    case NXT.SET_PACKET_IN_FORMAT:
      return { type: 'set_packet_in_format', xid, format: r.u32() }
    case NXT.PACKET_IN:
      return readNxtPacketIn(r, xid)
    case NXT.FLOW_AGE:
      return { type: 'flow_age', xid }
    case NXT.SET_ASYNC_CONFIG:
      return readAsync(r, xid, 'set_async', 'nxt', 4)
    case NXT.SET_ASYNC_CONFIG2:
      return readAsync(r, xid, 'set_async', 'nxt2', 5)
    case NXT.SET_CONTROLLER_ID:
      r.skip(6)
      return { type: 'set_controller_id', xid, id: r.u16() }
    case NXT.FLOW_MONITOR_CANCEL:
      return { type: 'flow_monitor_cancel', xid, id: r.u32() }
    case NXT.FLOW_MONITOR_PAUSED:
      return { type: 'flow_monitor_paused', xid }
    case NXT.FLOW_MONITOR_RESUMED:
      return { type: 'flow_monitor_resumed', xid }
    case NXT.TLV_TABLE_MOD: {
      const command = TLV_COMMANDS[r.u16()] ?? fault('NXTTMFC_BAD_COMMAND')
      r.skip(6)
      return { type: 'tlv_table_mod', xid, command, maps: readMaps(r) }
    }
    case NXT.TLV_TABLE_REQUEST:
      return { type: 'tlv_table_request', xid }
    case NXT.TLV_TABLE_REPLY: {
      const maxSpace = r.u32()
      const maxFields = r.u16()
      r.skip(10)
      return { type: 'tlv_table_reply', xid, maxSpace, maxFields, maps: readMaps(r) }
    }
    case NXT.RESUME:
      return readResume(r, xid)
    case NXT.CT_FLUSH_ZONE:
      r.skip(6)
      return { type: 'ct_flush_zone', xid, zone: r.u16() }
    case NXT.PACKET_IN2:
      return readPacketIn2(r, xid)
    case NXT.GROUP_MOD:
      return readGroupMod(r, xid, ctx)
    case NXT.CT_FLUSH:
      return readCtFlush(r, xid)
    default:
      return undefined
  }
}

/** The subtype of a message that has no number of its own, and its body. */
export function niciraBody(m: NiciraMessage): readonly [subtype: number, body: (w: Writer) => void] {
  switch (m.type) {
    case 'set_flow_format':
      return [NXT.SET_FLOW_FORMAT, (w) => w.u32(m.format)]
    case 'flow_mod_table_id':
      return [NXT.FLOW_MOD_TABLE_ID, (w) => w.u8(m.enabled ? 1 : 0).zeros(7)]
    case 'set_packet_in_format':
      return [NXT.SET_PACKET_IN_FORMAT, (w) => w.u32(m.format)]
    case 'set_controller_id':
      return [NXT.SET_CONTROLLER_ID, (w) => w.zeros(6).u16(m.id)]
    case 'flow_age':
      return [NXT.FLOW_AGE, () => {}]
    case 'tlv_table_request':
      return [NXT.TLV_TABLE_REQUEST, () => {}]
    case 'tlv_table_reply':
      return [
        NXT.TLV_TABLE_REPLY,
        (w) => {
          w.u32(m.maxSpace).u16(m.maxFields).zeros(10)
          writeMaps(w, m.maps)
        },
      ]
    case 'tlv_table_mod':
      return [
        NXT.TLV_TABLE_MOD,
        (w) => {
          w.u16(TLV_COMMANDS.indexOf(m.command)).zeros(6)
          writeMaps(w, m.maps)
        },
      ]
    case 'ct_flush_zone':
      return [NXT.CT_FLUSH_ZONE, (w) => w.zeros(6).u16(m.zone)]
    case 'ct_flush':
      return [NXT.CT_FLUSH, (w) => writeCtFlush(w, m)]
    case 'flow_monitor_cancel':
      return [NXT.FLOW_MONITOR_CANCEL, (w) => w.u32(m.id)]
    case 'flow_monitor_paused':
      return [NXT.FLOW_MONITOR_PAUSED, () => {}]
    case 'flow_monitor_resumed':
      return [NXT.FLOW_MONITOR_RESUMED, () => {}]
    case 'experimenter':
      return [m.subtype, (w) => w.bytes(m.body)]
  }
}
