import type { Match } from '../fields/field.ts'
import { exact, find } from '../fields/match.ts'
import { F } from '../fields/table.ts'

/** What the encoding of an action depends on besides the action. */
export interface ActionContext {
  /** Wire number: 1 is OpenFlow 1.0, 6 is 1.5. */
  readonly version: number
  /** The flow's match has a VLAN header: `mod_vlan_vid` needs no push. */
  readonly vlan?: boolean
  /** IP protocol of the flow's match: `mod_tp_src` is a field of TCP, UDP or SCTP from 1.2 on. */
  readonly protocol?: number | undefined
  /** Keep actions that are not known instead of faulting with OFPBAC_BAD_TYPE. */
  readonly keepUnknown?: boolean
}

export function actionContext(version: number, match: Match = [], keepUnknown = false): ActionContext {
  const tci = find(match, F.vlan_tci)
  const protocol = exact(match, F.nw_proto)
  return {
    version,
    vlan: tci !== undefined && (tci.value & tci.mask & 0x1000n) !== 0n,
    protocol: protocol === undefined ? undefined : Number(protocol),
    keepUnknown,
  }
}
