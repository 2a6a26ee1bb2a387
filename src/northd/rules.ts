import type { Log } from '../base/log.ts'
import { Graph, type Input } from '../reactive/index.ts'
import { northbound } from '../schema/northbound.ts'
import type { Context, GlobalOptions, Identity, PortState } from './context.ts'
import { aclPipeline, aclRelations } from './features/acl.ts'
import { arpProxies } from './features/arp-proxy.ts'
import { bfd, bfdRelations } from './features/bfd.ts'
import { dhcp } from './features/dhcp.ts'
import { dhcpRelay } from './features/dhcp-relay.ts'
import { dns } from './features/dns.ts'
import { dropSampling } from './features/drop-sampling.ts'
import { externalPorts } from './features/external.ts'
import { forwardingGroups } from './features/forwarding-group.ts'
import { loadBalancerRelations } from './features/load-balancer.ts'
import { loadBalancerFlows } from './features/load-balancer-flows.ts'
import { meterNames, meters } from './features/meter.ts'
import { multicast } from './features/multicast.ts'
import { natRelations } from './features/nat.ts'
import { natFlows } from './features/nat-flows.ts'
import { policies } from './features/policy.ts'
import { qos } from './features/qos.ts'
import { routeRelations, routes } from './features/route.ts'
import { routerAdvertisements } from './features/router-advertisement.ts'
import { serviceMonitors } from './features/service-monitor.ts'
import { queueAllocation, tagAllocation } from './features/tag.ts'
import { Flows } from './pipeline/flow.ts'
import { CURRENT } from './pipeline/numbering.ts'
import { neighbours } from './router/neighbour.ts'
import { routerPipeline } from './router/pipeline.ts'
import { routerPort } from './router/port.ts'
import { copies } from './southbound/copies.ts'
import { datapathBindings, type KeyMemory, tunnelKeys } from './southbound/datapath.ts'
import { logicalFlows } from './southbound/flow.ts'
import { globals } from './southbound/global.ts'
import { haChassis, haGroups } from './southbound/ha-chassis.ts'
import { loadBalancers } from './southbound/load-balancer.ts'
import { northboundStatus } from './southbound/northbound.ts'
import { northboundOutputRelations, outputRelations } from './southbound/outputs.ts'
import { portBindings } from './southbound/port-binding.ts'
import { sets } from './southbound/sets.ts'
import { vocabulary } from './southbound/vocabulary.ts'
import { switchPipeline } from './switch/pipeline.ts'
import { switchPort } from './switch/port.ts'
import { switchRouterPort } from './switch/router-port.ts'
import { chassisFeatures } from './topology/chassis-features.ts'
import { inputTables, type NorthboundTables, SOUTHBOUND_INPUTS, type SouthboundTables } from './topology/tables.ts'
import { Topology } from './topology/topology.ts'

export interface RuleOptions {
  readonly graph: Graph
  readonly log: Log
  readonly identity: Identity
  readonly memory: KeyMemory
}

/** All of northd's relations and rules over a graph's inputs: no database, no I/O. */
export interface Rules {
  readonly nb: NorthboundTables
  readonly sb: SouthboundTables
  readonly portStates: Input<PortState>
  readonly context: Context
}

/** Each feature exports its rules; this is the list of them. */
const FEATURES: readonly ((context: Context) => void)[] = [
  switchPipeline,
  switchPort,
  switchRouterPort,
  routerPipeline,
  routerPort,
  neighbours,
  natFlows,
  routes,
  policies,
  aclPipeline,
  loadBalancerFlows,
  qos,
  meters,
  dhcp,
  externalPorts,
  dropSampling,
  dns,
  multicast,
  routerAdvertisements,
  bfd,
  serviceMonitors,
  dhcpRelay,
  forwardingGroups,
  arpProxies,
  datapathBindings,
  portBindings,
  globals,
  sets,
  copies,
  vocabulary,
  loadBalancers,
  northboundStatus,
  logicalFlows,
]

export function northdRules({ graph, log, identity, memory }: RuleOptions): Rules {
  const nb: NorthboundTables = inputTables(graph, 'NB', northbound.tables.keys())
  const sb: SouthboundTables = inputTables(graph, 'SB', SOUTHBOUND_INPUTS)
  const portStates = graph.input<PortState>('SB.Port_Binding')
  const global = graph.derived<GlobalOptions>('global', 1)
  graph.rule('global', 1, nb.NB_Global, (row, out) => out.emit(global, 'options', { options: row.options }))
  const topology = new Topology(graph, nb, sb)
  const outputs = outputRelations(graph)
  const groups = haGroups(graph, nb, topology)
  const context: Context = {
    graph,
    log,
    nb,
    sb,
    topology,
    flows: new Flows(graph),
    outputs,
    northboundOutputs: northboundOutputRelations(graph),
    global,
    identity,
    southboundLimits: { numbering: CURRENT, switchGroups: true },
    portStates,
    ...tunnelKeys(graph, topology, memory),
    features: chassisFeatures(graph, sb),
    tags: tagAllocation(graph, topology),
    queues: queueAllocation(graph, topology),
    acl: aclRelations(graph, nb, topology),
    nat: natRelations(graph, nb, topology),
    lb: loadBalancerRelations(
      graph,
      nb,
      sb,
      topology,
      () => global.get('options')?.options.get('install_ls_lb_from_router') === 'true',
    ),
    bfd: bfdRelations(graph, nb, sb),
    routes: routeRelations(graph, nb, sb, topology),
    meters: meterNames({ nb }),
  }
  for (const feature of FEATURES) feature(context)
  haChassis(context, groups)
  return { nb, sb, portStates, context }
}

export { Graph }
