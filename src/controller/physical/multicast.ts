import { FLAG, LOG_CT_ZONE } from '../../logical/registers.ts'
import type { Action } from '../../openflow/actions/action.ts'
import type { FieldMatch } from '../../openflow/fields/field.ts'
import { F } from '../../openflow/fields/table.ts'
import type { MulticastGroup } from '../../schema/southbound.ts'
import { bitsAre, cookieOf, type Flow, is, match, resubmit, set, setBits } from '../flow.ts'
import type { Tunnel } from '../interfaces.ts'
import { OFTABLE } from '../tables.ts'
import type { Place } from './places.ts'
import { chooseTunnel, sendTo } from './tunnels.ts'

export interface MulticastContext {
  place(port: string): Place | undefined
  tunnels(chassis: string): readonly Tunnel[]
  /** Whether the datapath has a localnet port here: then the physical network carries the copies. */
  readonly localnet: boolean
}

/**
 * The flows of a multicast group: table 44 makes the copies for other chassis and for patch ports
 * (every chassis has those, so that only the sender's may deliver to them), table 46 those for the
 * ports here (ovn-architecture(7), tables 42 and 43 there).
 */
export function multicastFlows(group: MulticastGroup, datapathKey: number, ctx: MulticastContext): Flow[] {
  const cookie = cookieOf(group._uuid)
  const restore = set(F.reg15, group.tunnel_key)
  const patches: Action[] = []
  const everywhere: Action[] = []
  const local: Action[] = []
  const chassis = new Set<string>()
  for (const uuid of group.ports) {
    const p = ctx.place(uuid)
    if (!p) continue
    const here = [set(F.reg15, p.key), resubmit(OFTABLE.CHECK_LOOPBACK)]
    switch (p.at) {
      case 'patch':
      case 'unpaired':
        patches.push(...here)
        everywhere.push(...here)
        break
      case 'localport':
      case 'absent':
        everywhere.push(...here)
        break
      case 'redirect-here':
        local.push(...zone(p), set(F.reg15, p.distributed), resubmit(OFTABLE.CHECK_LOOPBACK))
        break
      case 'vif':
      case 'localnet':
      case 'l2gateway':
      case 'l3gateway':
        local.push(...zone(p), ...here)
        break
      default:
        break
    }
    if (!ctx.localnet) for (const c of p.elsewhere) chassis.add(c.name)
  }
  const tunnels: Tunnel[] = []
  for (const name of [...chassis].sort()) {
    const t = chooseTunnel(ctx.tunnels(name), undefined, undefined)
    if (t) tunnels.push(t)
  }

  const out: Flow[] = []
  const dp = is(F.metadata, datapathKey)
  const port = is(F.reg15, group.tunnel_key)
  const add = (table: number, priority: number, extra: readonly FieldMatch[], actions: readonly Action[]) =>
    out.push({ table, priority, match: match(dp, port, ...extra), actions, cookie })
  if (everywhere.length || tunnels.length) {
    const copies = [...everywhere, ...(everywhere.length ? [restore] : [])]
    const notFromRamp = bitsAre(F.reg10, FLAG.from_ramp, 1, 0)
    add(
      OFTABLE.REMOTE_OUTPUT,
      100,
      [notFromRamp],
      [...copies, ...sendTo(tunnels, datapathKey, group.tunnel_key), resubmit(OFTABLE.REMOTE_VTEP_OUTPUT)],
    )
  }
  if (patches.length) {
    // From a hardware gateway, turned back: it serves the other chassis itself.
    const turned = bitsAre(F.reg10, FLAG.loopback, 2, 0b11)
    add(OFTABLE.REMOTE_OUTPUT, 120, [turned], [...patches, restore, resubmit(OFTABLE.REMOTE_VTEP_OUTPUT)])
  }
  if (local.length) add(OFTABLE.LOCAL_OUTPUT, 100, [], [...local, restore])
  return out
}

function zone(p: Place): Action[] {
  return p.zones.port === undefined ? [] : [setBits(LOG_CT_ZONE, p.zones.port)]
}
