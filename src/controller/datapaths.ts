import type { Graph } from '../reactive/graph.ts'
import { reach } from '../reactive/reach.ts'
import type { Derived, Index } from '../reactive/relation.ts'
import type { Binding } from './binding/binding.ts'
import type { SouthboundInputs } from './inputs/inputs.ts'
import type { ChassisRelations } from './interfaces.ts'
import { US } from './interfaces.ts'
import { S } from './strata.ts'

/** A datapath whose flows this chassis needs. */
export interface LocalDatapath {
  readonly uuid: string
  readonly key: number
  /** The northbound name, or the row's uuid without one. */
  readonly name: string
  readonly kind: 'switch' | 'router'
  /** ovn-nb(5) options:snat-ct-zone: a zone asked for by the operator. */
  readonly snatZone: number | undefined
}

/** A way from one datapath to the next: a patch port and its peer. */
export interface Peering {
  readonly port: string
  readonly from: string
  readonly to: string
  readonly peer: string
}

export interface Datapaths {
  /** By uuid. */
  readonly local: Derived<LocalDatapath>
  /** Patch ports (and gateway router ports that are here) with their peers, by the port's uuid. */
  readonly peerings: Derived<Peering>
  readonly peeringsFrom: Index<Peering>
}

/**
 * Local datapaths: those of the ports that are here, and all that patch ports lead to from them
 * (ovn-architecture(7): "not otherwise reachable on that hypervisor").
 */
export function declareDatapaths(
  graph: Graph,
  sb: SouthboundInputs,
  chassis: ChassisRelations,
  bindings: Derived<Binding>,
): Datapaths {
  const portsByName = sb.Port_Binding.index('logical_port', (p) => p.logical_port)
  const roots = graph.derived<true>('root datapaths', S.ROOTS)
  graph.rule('root datapaths', S.ROOTS, bindings, (b, out) => {
    // A localport follows the datapath, it does not bring it here.
    if (b.kind !== 'localport') out.emit(roots, b.datapath, true)
  })

  const peerings = graph.derived<Peering>('peerings', S.ROOTS)
  const peeringsFrom = peerings.index('from', (p) => p.from)
  graph.rule('peerings', S.ROOTS, sb.Port_Binding, (row, out) => {
    if (row.type !== 'patch' && row.type !== 'l3gateway') return
    if (row.type === 'l3gateway' && row.options.get('l3gateway-chassis') !== chassis.us.get(US)?.name) return
    const peerName = row.options.get('peer')
    const peer = peerName === undefined ? undefined : portsByName.first(peerName)
    if (!peer || peer.type !== row.type) return
    // From a switch a distributed gateway port is entered only on its chassis.
    const into = peer.options.get('chassis-redirect-port')
    if (into !== undefined && !bindings.has(into)) return
    const redirect = row.options.get('chassis-redirect-port')
    if (redirect !== undefined && !bindings.has(redirect)) {
      // Out of one too, if all its traffic passes there: what is behind it matters only there.
      if (portsByName.first(redirect)?.options.get('always-redirect') === 'true') return
    }
    out.emit(peerings, row._uuid, {
      port: row.logical_port,
      from: row.datapath,
      to: peer.datapath,
      peer: peerName as string,
    })
  })

  const within = graph.derived<true>('datapaths in reach', S.REACH)
  graph.once('datapaths in reach', S.REACH, (out) => {
    const seen = reach(roots.keys(), (dp) => peeringsFrom.get(dp).map((p) => p.to))
    for (const dp of seen.keys()) out.emit(within, dp, true)
  })

  const local = graph.derived<LocalDatapath>('local datapaths', S.LOCAL)
  graph.rule('local datapaths', S.LOCAL, within, (_true, out, uuid) => {
    const row = sb.Datapath_Binding.get(uuid)
    if (!row) return
    const zone = Number(row.external_ids.get('snat-ct-zone'))
    const datapath: LocalDatapath = {
      uuid,
      key: row.tunnel_key,
      name: row.external_ids.get('name') || uuid,
      kind:
        (row.type ?? (row.external_ids.has('logical-router') ? 'logical-router' : '')) === 'logical-router'
          ? 'router'
          : 'switch',
      snatZone: zone > 0 && zone <= 65535 ? zone : undefined,
    }
    out.emit(local, uuid, datapath)
  })
  return { local, peerings, peeringsFrom }
}
