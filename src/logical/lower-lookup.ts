import type { Action } from '../openflow/actions/action.ts'
import type { Field, Subfield } from '../openflow/fields/field.ts'
import { F } from '../openflow/fields/table.ts'
import type { LogicalAction, ResultVerb } from './action.ts'
import { place, resubmit, setBits, whole } from './lower-actions.ts'
import { type FlagName, flagBit, LOG_INPORT, LOG_OUTPORT, LOG_REMOTE_OUTPORT, TABLE } from './registers.ts'

/** A value that a table or the controller expects in a certain field. */
export interface Argument {
  readonly from: Subfield
  readonly to: Field
}

const same = (a: Argument) => a.from.field === a.to && a.from.offset === 0 && a.from.bits === a.to.bits

/**
 * Puts arguments where they are expected, does `body`, and puts back what was there. Everything
 * goes over the stack, since a source may be another argument's destination.
 */
export function argumentsAround(all: readonly Argument[], out: Action[], body: () => void): void {
  const needed = all.filter((a) => !same(a))
  for (const a of needed) out.push({ type: 'push', src: whole(a.to) })
  for (const a of [...needed].reverse()) out.push({ type: 'push', src: a.from })
  for (const a of needed) out.push({ type: 'pop', dst: whole(a.to) })
  body()
  for (const a of [...needed].reverse()) out.push({ type: 'pop', dst: whole(a.to) })
}

type Lookup = Extract<
  LogicalAction,
  {
    type:
      | 'get_arp'
      | 'get_nd'
      | 'lookup_arp'
      | 'lookup_nd'
      | 'lookup_arp_ip'
      | 'lookup_nd_ip'
      | 'get_fdb'
      | 'get_remote_fdb'
      | 'lookup_fdb'
  }
>

/** Clears a flag, lets a table set it, and copies it to the answer. */
function ask(flag: FlagName, table: number, dst: Subfield, out: Action[]): void {
  const bit = flagBit(flag)
  out.push(setBits(bit, 0n), resubmit(table), { type: 'move', src: bit, dst })
}

/** Questions to the tables of MAC bindings and of the forwarding database. */
export function lookupActions(a: Lookup, out: Action[]): void {
  switch (a.type) {
    case 'get_arp':
    case 'get_nd':
      argumentsAround(
        [
          { from: place(a.port), to: LOG_OUTPORT },
          { from: place(a.ip), to: a.type === 'get_arp' ? F.reg0 : F.xxreg1 },
        ],
        out,
        () => {
          out.push(setBits(whole(F.eth_dst), 0n), resubmit(TABLE.MAC_BINDING))
        },
      )
      return
    case 'lookup_arp':
    case 'lookup_nd':
      argumentsAround(
        [
          { from: place(a.port), to: LOG_INPORT },
          { from: place(a.ip), to: a.type === 'lookup_arp' ? F.reg0 : F.xxreg0 },
          { from: place(a.mac), to: F.eth_src },
        ],
        out,
        () => ask('lookup_mac', TABLE.MAC_LOOKUP, place(a.dst), out),
      )
      return
    case 'lookup_arp_ip':
    case 'lookup_nd_ip':
      argumentsAround(
        [
          { from: place(a.port), to: LOG_OUTPORT },
          { from: place(a.ip), to: a.type === 'lookup_arp_ip' ? F.reg0 : F.xxreg1 },
        ],
        out,
        () => {
          // The table would set the destination address, too.
          out.push({ type: 'push', src: whole(F.eth_dst) })
          ask('lookup_mac', TABLE.MAC_BINDING, place(a.dst), out)
          out.push({ type: 'pop', dst: whole(F.eth_dst) })
        },
      )
      return
    case 'get_fdb':
    case 'get_remote_fdb': {
      const port = a.type === 'get_fdb' ? LOG_OUTPORT : LOG_REMOTE_OUTPORT
      argumentsAround([{ from: place(a.mac), to: F.eth_dst }], out, () => {
        out.push(setBits(whole(port), 0n), resubmit(a.type === 'get_fdb' ? TABLE.GET_FDB : TABLE.GET_REMOTE_FDB))
      })
      const dst = place(a.dst)
      if (dst.field !== port) out.push({ type: 'move', src: whole(port), dst })
      return
    }
    case 'lookup_fdb':
      argumentsAround(
        [
          { from: place(a.port), to: LOG_INPORT },
          { from: place(a.mac), to: F.eth_src },
        ],
        out,
        () => {
          out.push(setBits(flagBit('lookup_fdb'), 0n), resubmit(TABLE.LOOKUP_FDB))
        },
      )
      out.push({ type: 'move', src: flagBit('lookup_fdb'), dst: place(a.dst) })
  }
}

type Answering = Exclude<ResultVerb, 'dns_lookup'>

const FLAGS: Readonly<Partial<Record<Answering, readonly [FlagName, number]>>> = {
  chk_lb_hairpin: ['lookup_lb_hairpin', TABLE.CHK_LB_HAIRPIN],
  chk_lb_hairpin_reply: ['lookup_lb_hairpin', TABLE.CHK_LB_HAIRPIN_REPLY],
  check_in_port_sec: ['check_port_sec', TABLE.CHK_IN_PORT_SEC],
  check_out_port_sec: ['check_port_sec', TABLE.CHK_OUT_PORT_SEC],
  chk_ecmp_nh_mac: ['lookup_ecmp_nh', TABLE.ECMP_NH_MAC],
  chk_ecmp_nh: ['lookup_ecmp_nh', TABLE.ECMP_NH],
  chk_lb_aff: ['use_lb_aff_session', TABLE.CHK_LB_AFFINITY],
}

/** What the switch knows of a connection's original direction: width, table, and where it is left. */
const ORIGINAL: Readonly<Partial<Record<Answering, readonly [Subfield, number]>>> = {
  ct_nw_dst: [{ field: F.xxreg1, offset: 0, bits: 32 }, TABLE.CT_ORIG_NW_DST_LOAD],
  ct_ip6_dst: [{ field: F.xxreg1, offset: 0, bits: 128 }, TABLE.CT_ORIG_IP6_DST_LOAD],
  ct_tp_dst: [{ field: F.xxreg1, offset: 0, bits: 16 }, TABLE.CT_ORIG_TP_DST_LOAD],
  ct_proto: [{ field: F.xxreg1, offset: 0, bits: 8 }, TABLE.CT_ORIG_PROTO_LOAD],
}

/** Answers that a table leaves in a register or flag. */
export function answerBits(type: Answering, dst: Subfield, out: Action[]): void {
  const flag = FLAGS[type]
  if (flag) {
    ask(flag[0], flag[1], dst, out)
    return
  }
  const original = ORIGINAL[type]
  if (!original) {
    const saved: Subfield = { field: F.reg4, offset: 0, bits: 8 }
    out.push(setBits(saved, 0n), resubmit(TABLE.CT_STATE_SAVE), { type: 'move', src: saved, dst })
    return
  }
  const [at, table] = original
  const keep = !(dst.field === at.field && dst.offset < at.bits)
  if (keep) out.push({ type: 'push', src: at })
  for (let from = 0; from < at.bits; from += 64) {
    out.push(setBits({ ...at, offset: from, bits: Math.min(64, at.bits - from) }, 0n))
  }
  out.push(resubmit(table), { type: 'move', src: at, dst })
  if (keep) out.push({ type: 'pop', dst: at })
}
