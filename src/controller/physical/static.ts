import { CT_STATE, FLAG } from '../../logical/registers.ts'
import type { Action } from '../../openflow/actions/action.ts'
import type { FieldMatch } from '../../openflow/fields/field.ts'
import { F, REGISTERS } from '../../openflow/fields/table.ts'
import { bitsAre, DROP, type Flow, is, match, move, resubmit, set, sub, whole } from '../flow.ts'
import { OFTABLE } from '../tables.ts'

/** reg0 to reg9, which the two pipelines use each for itself, emptied. */
export const CLEAR_REGISTERS: readonly Action[] = REGISTERS.slice(0, 10).map((r) => set(r, 0))

const flag = (name: keyof typeof FLAG, value: 0 | 1): FieldMatch => bitsAre(F.reg10, FLAG[name], 1, value)
const state = (...names: (keyof typeof CT_STATE)[]): FieldMatch => {
  const bits = names.reduce((m, n) => m | (1 << CT_STATE[n]), 0)
  return is(F.ct_state, bits, bits)
}
const notTracked: FieldMatch = is(F.ct_state, 0, 1 << CT_STATE.trk)
const ip4: FieldMatch = is(F.eth_type, 0x800)
const ip6: FieldMatch = is(F.eth_type, 0x86dd)

/** The flows that every chassis has, whatever is on it. */
export function staticFlows(): Flow[] {
  const out: Flow[] = []
  const add = (table: number, priority: number, parts: readonly FieldMatch[], actions: readonly Action[]) =>
    out.push({ table, priority, match: match(...parts), actions, cookie: 0 })

  add(OFTABLE.PHY_TO_LOG, 0, [], DROP)
  add(OFTABLE.OUTPUT_LARGE_PKT_DETECT, 0, [], [resubmit(OFTABLE.REMOTE_OUTPUT)])
  add(OFTABLE.OUTPUT_LARGE_PKT_PROCESS, 0, [], [resubmit(OFTABLE.REMOTE_OUTPUT)])
  // The answer "too big" goes back to where the packet came from: here.
  add(OFTABLE.OUTPUT_LARGE_PKT_PROCESS, 10, [flag('loopback', 1)], [resubmit(OFTABLE.LOCAL_OUTPUT)])

  add(OFTABLE.REMOTE_OUTPUT, 0, [], [resubmit(OFTABLE.REMOTE_VTEP_OUTPUT)])
  // From a hardware gateway, which has sent it to the others itself; not if it was turned back (loopback).
  add(
    OFTABLE.REMOTE_OUTPUT,
    150,
    [bitsAre(F.reg10, FLAG.loopback, 2, 1 << FLAG.from_ramp)],
    [resubmit(OFTABLE.LOCAL_OUTPUT)],
  )
  add(OFTABLE.REMOTE_OUTPUT, 150, [flag('local_only', 1)], [resubmit(OFTABLE.LOCAL_OUTPUT)])
  add(OFTABLE.REMOTE_VTEP_OUTPUT, 0, [], [resubmit(OFTABLE.LOCAL_OUTPUT)])
  add(OFTABLE.LOCAL_OUTPUT, 0, [], DROP)
  add(OFTABLE.CHECK_LOOPBACK, 0, [], [...CLEAR_REGISTERS, resubmit(OFTABLE.LOG_EGRESS)])
  add(OFTABLE.SAVE_INPORT, 0, [], [resubmit(OFTABLE.LOG_TO_PHY)])
  add(OFTABLE.LOG_TO_PHY, 0, [], DROP)

  // Lookups that answer "none".
  add(OFTABLE.GET_FDB, 0, [], [set(F.reg15, 0)])
  add(OFTABLE.GET_REMOTE_FDB, 0, [], [set(F.reg1, 0)])
  add(OFTABLE.CT_ZONE_LOOKUP, 0, [], [resubmit(OFTABLE.LOG_INGRESS)])

  // ct_nw_dst() and its like: the original direction's destination. Twice, once per branch of a
  // new connection: as it is, and as the first move may have been of another's.
  const load = (table: number, from: Action, also: readonly FieldMatch[]) => {
    add(table, 100, [state('new', 'trk'), ...also], [from, from])
    add(table, 100, [state('est', 'trk'), ...also], [from])
  }
  load(OFTABLE.CT_ORIG_NW_DST_LOAD, move(whole(F.ct_nw_dst), sub(F.xxreg1, 0, 32)), [ip4])
  load(OFTABLE.CT_ORIG_IP6_DST_LOAD, move(whole(F.ct_ipv6_dst), whole(F.xxreg1)), [ip6])
  load(OFTABLE.CT_ORIG_TP_DST_LOAD, move(whole(F.ct_tp_dst), sub(F.xxreg1, 0, 16)), [])
  load(OFTABLE.CT_ORIG_PROTO_LOAD, move(whole(F.ct_nw_proto), sub(F.xxreg1, 0, 8)), [])
  add(OFTABLE.CT_STATE_SAVE, 65534, [], [move(sub(F.ct_state, 0, 8), sub(F.reg4, 0, 8))])
  add(OFTABLE.CT_STATE_SAVE, 65535, [notTracked], [set(F.reg4, 0, 0xff)])
  return out
}
