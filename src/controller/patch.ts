import type { Log } from '../base/log.ts'
import type { Graph } from '../reactive/graph.ts'
import type { Derived, Relation } from '../reactive/relation.ts'
import type { Binding } from './binding/binding.ts'
import type { LocalDatapath } from './datapaths.ts'
import type { LocalInputs, SouthboundInputs } from './inputs/inputs.ts'
import { patchName } from './physical/places.ts'
import { parseMappings, type Settings } from './settings.ts'
import { S } from './strata.ts'

/** One end of a patch between the integration bridge and the bridge of a physical network. */
export interface DesiredPatch {
  readonly bridge: string
  readonly peer: string
  /** Which external_ids key of the Port tells the logical port. */
  readonly key: 'ovn-localnet-port' | 'ovn-l2gateway-port'
  readonly port: string
}

/** Patch ports for localnet ports of local datapaths and L2 gateway ports here, by port name. */
export function declarePatches(
  graph: Graph,
  parts: {
    readonly sb: SouthboundInputs
    readonly ovs: LocalInputs
    readonly settings: Settings
    readonly local: Relation<LocalDatapath>
    readonly bindings: Relation<Binding>
    readonly log: Log
  },
): Derived<DesiredPatch> {
  const { sb, ovs, settings } = parts
  const bridgeNames = graph.derived<true>('bridge names', S.FACTS)
  graph.rule('bridge names', S.FACTS, ovs.Bridge, (b, out) => out.emit(bridgeNames, b.name, true))
  const patches = graph.derived<DesiredPatch>('patches', S.ROWS)
  graph.rule('patches', S.ROWS, sb.Port_Binding, (row, out) => {
    if (row.type === 'localnet') {
      if (!parts.local.has(row.datapath)) return
    } else if (row.type !== 'l2gateway' || !parts.bindings.has(row.logical_port)) return
    const network = row.options.get('network_name')
    if (network === undefined) {
      parts.log.err(`${row.type} port '${row.logical_port}' has no network name.`, {
        code: 'network-name-missing',
        port: row.logical_port,
        datapath: row.datapath,
        row: row._uuid,
      })
      return
    }
    const mappings = settings.get('ovn-bridge-mappings')
    if (mappings?.split(',').some((item) => !/^[^:]+:[^:]+$/.test(item.trim()))) {
      parts.log.err(`Invalid ovn-bridge-mappings configuration: '${mappings}'`, { code: 'bad-bridge-mappings' })
    }
    const mapping = parseMappings(mappings).find(([name]) => name === network)
    if (!mapping) {
      const what = `bridge not found for ${row.type} port '${row.logical_port}' with network name '${network}'`
      const about = { port: row.logical_port, datapath: row.datapath, row: row._uuid }
      // A localnet port is on every chassis of its datapath, whether or not that has the network.
      if (row.type === 'l2gateway') parts.log.err(what, { code: 'bridge-not-found', ...about })
      else parts.log.info(`${what}; skipping`, about)
      return
    }
    const [, bridge] = mapping
    if (!bridgeNames.has(bridge)) {
      parts.log.warn(`Bridge '${bridge}' not found for network '${network}'`, {
        code: 'bridge-not-found',
        port: row.logical_port,
        datapath: row.datapath,
        row: row._uuid,
      })
      return
    }
    const integration = settings.get('ovn-bridge') as string
    const here = patchName(integration, row.logical_port)
    const there = patchName(row.logical_port, integration)
    const key: DesiredPatch['key'] = row.type === 'localnet' ? 'ovn-localnet-port' : 'ovn-l2gateway-port'
    out.emit(patches, here, { bridge: integration, peer: there, key, port: row.logical_port })
    out.emit(patches, there, { bridge, peer: here, key, port: row.logical_port })
  })
  return patches
}
