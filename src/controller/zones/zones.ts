import type { Request } from '../../reactive/allocate.ts'
import type { Graph } from '../../reactive/graph.ts'
import type { Derived } from '../../reactive/relation.ts'
import type { Binding } from '../binding/binding.ts'
import type { LocalDatapath } from '../datapaths.ts'
import type { SouthboundInputs } from '../inputs/inputs.ts'
import { S } from '../strata.ts'

/** Connection tracking zones by key: a logical port's name, `DATAPATH_dnat`, `DATAPATH_snat`. */
export type Zones = Derived<number>

export const dnatZoneKey = (datapath: string) => `${datapath}_dnat`
export const snatZoneKey = (datapath: string) => `${datapath}_snat`

const SPACE = 'zones'

/** external_ids:ct-zone-range of Open_vSwitch: `MIN-MAX`, both included. */
export function zoneRange(text: string | undefined): { first: number; last: number } {
  const m = /^(\d+)-(\d+)$/.exec(text ?? '')
  const first = Number(m?.[1])
  const last = Number(m?.[2])
  return m && first >= 1 && last <= 65535 && first <= last ? { first, last } : { first: 1, last: 65535 }
}

/**
 * Gives a zone to each port here whose packets are tracked by itself, and two to each local
 * datapath. `previous` is what the integration bridge's external_ids:ct-zone-* had when the
 * controller began: connections outlive it.
 */
export function declareZones(
  graph: Graph,
  sb: SouthboundInputs,
  bindings: Derived<Binding>,
  local: Derived<LocalDatapath>,
  options: { previous(key: string): number | undefined; first: number; last: number; full(key: string): void },
): Zones {
  const requests = graph.derived<Request>('zone requests', S.PORTS)
  graph.rule('zones of ports', S.PORTS, bindings, (b, out) => {
    if (b.claim || b.kind === 'localport') out.emit(requests, b.name, { space: SPACE })
  })
  graph.rule('zones of localnet ports', S.PORTS, sb.Port_Binding, (row, out) => {
    if (row.type === 'localnet' && local.has(row.datapath)) out.emit(requests, row.logical_port, { space: SPACE })
  })
  graph.rule('zones of datapaths', S.PORTS, local, (dp, out) => {
    out.emit(requests, dnatZoneKey(dp.name), { space: SPACE })
    out.emit(requests, snatZoneKey(dp.name), { space: SPACE, wanted: dp.snatZone })
  })
  return graph.allocate('zones', S.ZONES, requests, options)
}
