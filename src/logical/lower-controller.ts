import { Writer } from '../base/bytes.ts'
import { invariant } from '../base/result.ts'
import type { Action } from '../openflow/actions/action.ts'
import { actionContext } from '../openflow/actions/context.ts'
import { encodeActions } from '../openflow/actions/encode.ts'
import type { Subfield } from '../openflow/fields/field.ts'
import { writeFieldName } from '../openflow/fields/oxm.ts'
import { F } from '../openflow/fields/table.ts'
import type { LogicalAction, NestedVerb } from './action.ts'
import { lowerList, place, type Scope } from './lower-actions.ts'
import { argumentsAround } from './lower-lookup.ts'
import { LOG_SEVERITY, LOG_VERDICT, NOTE_FIELD, NOTE_MAGIC, OPCODE, type Opcode } from './opcodes.ts'
import { dhcpOptionBytes, dhcpv6OptionBytes, routerAdvertisementBytes } from './option-bytes.ts'
import { LOG_INPORT } from './registers.ts'

/** OpenFlow 1.5: the version in which actions are put into userdata. */
const VERSION = 6
/** OFPR_ACTION */
const REASON_ACTION = 1

const NESTED: Readonly<Record<Exclude<NestedVerb, 'clone'>, { readonly opcode: Opcode; readonly pause: boolean }>> = {
  arp: { opcode: OPCODE.arp, pause: true },
  icmp4: { opcode: OPCODE.icmp, pause: false },
  icmp4_error: { opcode: OPCODE.icmp4_error, pause: false },
  icmp6: { opcode: OPCODE.icmp, pause: false },
  icmp6_error: { opcode: OPCODE.icmp6_error, pause: false },
  tcp_reset: { opcode: OPCODE.tcp_reset, pause: false },
  sctp_abort: { opcode: OPCODE.sctp_abort, pause: false },
  nd_na: { opcode: OPCODE.nd_na, pause: false },
  nd_na_router: { opcode: OPCODE.nd_na_router, pause: false },
  nd_ns: { opcode: OPCODE.nd_ns, pause: true },
  reject: { opcode: OPCODE.reject, pause: false },
}

/** A packet-in with `userdata`: opcode, four zero bytes, and what `body` writes. */
function toController(
  scope: Scope,
  opcode: Opcode,
  pause: boolean,
  body?: (w: Writer) => void,
  meter: { readonly id: number | undefined } = { id: scope.ctx.controllerMeter },
): Action {
  const w = new Writer(64)
  w.u32(opcode).u32(0)
  body?.(w)
  return {
    type: 'controller',
    maxLen: 0xffff,
    controllerId: 0,
    reason: REASON_ACTION,
    userdata: w.done().slice(),
    ...(pause ? { pause } : {}),
    ...(meter.id === undefined ? {} : { meterId: meter.id }),
  }
}

/** Where the controller is to put its answer: the field's OXM header and the bit. */
function answerAt(w: Writer, dst: Subfield): void {
  writeFieldName(w, dst.field, VERSION)
  w.u32(dst.offset)
}

/** Actions that the controller does, or that are written for it. */
export function controllerActions(a: LogicalAction, scope: Scope, out: Action[]): void {
  const { ctx } = scope
  switch (a.type) {
    case 'arp':
    case 'icmp4':
    case 'icmp4_error':
    case 'icmp6':
    case 'icmp6_error':
    case 'tcp_reset':
    case 'sctp_abort':
    case 'nd_na':
    case 'nd_na_router':
    case 'nd_ns':
    case 'reject': {
      const { opcode, pause } = NESTED[a.type]
      const inner = lowerList(a.actions, scope)
      out.push(toController(scope, opcode, pause, (w) => encodeActions(w, inner, actionContext(VERSION))))
      return
    }
    case 'put_arp':
    case 'put_nd':
      argumentsAround(
        [
          { from: place(a.port), to: LOG_INPORT },
          { from: place(a.ip), to: a.type === 'put_arp' ? F.reg0 : F.xxreg0 },
          { from: place(a.mac), to: F.eth_src },
        ],
        out,
        () => out.push(toController(scope, OPCODE[a.type], false)),
      )
      return
    case 'put_fdb':
      argumentsAround(
        [
          { from: place(a.port), to: LOG_INPORT },
          { from: place(a.mac), to: F.eth_src },
        ],
        out,
        () => out.push(toController(scope, OPCODE.put_fdb, false)),
      )
      return
    case 'handle_svc_check':
      argumentsAround([{ from: place(a.port), to: LOG_INPORT }], out, () =>
        out.push(toController(scope, OPCODE.handle_svc_check, false)),
      )
      return
    case 'bind_vport': {
      const key = ctx.lookupPort(a.vport)
      if (key === undefined) return
      argumentsAround([{ from: place(a.parent), to: LOG_INPORT }], out, () =>
        out.push(toController(scope, OPCODE.bind_vport, false, (w) => w.u32(key))),
      )
      return
    }
    case 'put_dhcp_opts':
    case 'put_dhcpv6_opts':
    case 'put_nd_ra_opts':
      out.push(
        toController(scope, OPCODE[a.type], true, (w) => {
          answerAt(w, place(a.dst))
          if (a.type === 'put_dhcp_opts') dhcpOptionBytes(w, a.options)
          else if (a.type === 'put_dhcpv6_opts') dhcpv6OptionBytes(w, a.options)
          else routerAdvertisementBytes(w, a.options)
        }),
      )
      return
    case 'dns_lookup':
      out.push(toController(scope, OPCODE.dns_lookup, true, (w) => answerAt(w, place(a.dst))))
      return
    case 'dhcp_relay_req_chk':
    case 'dhcp_relay_resp_chk':
      out.push(
        toController(scope, OPCODE[a.type], true, (w) => {
          answerAt(w, place(a.dst))
          w.u32(a.relay).u32(a.server)
        }),
      )
      return
    case 'log': {
      // A log has the meter it names, or none: never that of the flow.
      const meter = { id: a.meter === undefined ? undefined : ctx.meter(a.meter) }
      const body = (w: Writer) => {
        w.u8(LOG_VERDICT[a.verdict]).u8(LOG_SEVERITY[a.severity])
        if (a.name !== undefined) w.bytes(new TextEncoder().encode(a.name))
      }
      out.push(toController(scope, OPCODE.log, false, body, meter))
      return
    }
    case 'icmp4.frag_mtu':
    case 'icmp6.frag_mtu': {
      const w = new Writer(16)
      w.u32(NOTE_MAGIC).u16(NOTE_FIELD[a.type]).u16(0)
      // 16 bits in an ICMPv4 error, 32 in an ICMPv6 one (RFC 1191 §4, RFC 4443 §3.2).
      if (a.type === 'icmp4.frag_mtu') w.u16(a.mtu).zeros(4)
      else w.u32(a.mtu).zeros(2)
      out.push({ type: 'note', data: w.done().slice() })
      return
    }
    case 'trigger_event':
      out.push(
        toController(scope, OPCODE.event, false, (w) => {
          // 0: empty_lb_backends, the only event there is.
          w.u32(0)
          for (const o of a.options) {
            const v = o.values[0]
            const bytes = new TextEncoder().encode(v && 'string' in v ? v.string : '')
            w.u16(o.code).u16(bytes.length).bytes(bytes)
          }
        }),
      )
      return
    case 'igmp':
      out.push(toController(scope, OPCODE.igmp, false))
      return
    case 'handle_dhcpv6_reply':
      out.push(toController(scope, OPCODE.dhcp6_server, false))
      return
    case 'handle_bfd_msg':
      out.push(toController(scope, OPCODE.bfd_msg, false))
      return
    default:
      // What is left is never put here: lower-actions.ts has it.
      invariant(false, `${a.type} is no action for the controller`)
  }
}
