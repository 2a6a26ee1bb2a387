import { INTERNAL_VERSION } from '../../schema/internal-version.ts'
import type { Context } from '../context.ts'
import { MAX_DATAPATH_KEY } from './datapath.ts'

const ADVERTISED = { arp_ns_explicit_output: 'true', register_consolidation: 'true' }

/** `SB_Global` and what northd keeps in `NB_Global.options`. */
export function globals(context: Context): void {
  const { graph, nb, outputs, northboundOutputs, identity } = context
  graph.rule('southbound/global', 10, nb.NB_Global, (row, out, uuid) => {
    const options = new Map(row.options)
    if (!options.get('mac_prefix')) options.set('mac_prefix', identity.macPrefix)
    if (!options.get('svc_monitor_mac')) options.set('svc_monitor_mac', identity.serviceMac)
    if (!options.get('svc_monitor_mac_dst')) options.set('svc_monitor_mac_dst', identity.serviceMacDestination)
    options.set('max_tunid', String(MAX_DATAPATH_KEY))
    options.set('northd_internal_version', INTERNAL_VERSION)
    out.emit(northboundOutputs.NB_Global, uuid, { options })
    const all = new Map(options)
    for (const [name, value] of Object.entries(ADVERTISED)) all.set(name, value)
    out.emit(outputs.SB_Global, 'global', { options: all, ipsec: row.ipsec, nb_cfg: row.nb_cfg })
  })
}
