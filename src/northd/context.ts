import type { Log } from '../base/log.ts'
import type { Derived, Graph, Relation } from '../reactive/index.ts'
import type { AclRelations } from './features/acl.ts'
import type { BfdRelations } from './features/bfd.ts'
import type { LoadBalancerRelations } from './features/load-balancer.ts'
import type { MeterNames } from './features/meter.ts'
import type { NatRelations } from './features/nat.ts'
import type { RouteRelations } from './features/route.ts'
import type { Flows } from './pipeline/flow.ts'
import type { Numbering } from './pipeline/numbering.ts'
import type { NorthboundOutputs, Outputs } from './southbound/outputs.ts'
import type { ChassisFeatures } from './topology/chassis-features.ts'
import type { NorthboundTables, SouthboundTables } from './topology/tables.ts'
import type { Topology } from './topology/topology.ts'

/** The northbound's NB_Global row, as far as flows depend on it. */
export interface GlobalOptions {
  readonly options: ReadonlyMap<string, string>
}

export interface Identity {
  readonly macPrefix: string
  readonly serviceMac: string
  readonly serviceMacDestination: string
}

/** The columns of Port_Binding that are the controllers' to write. */
export interface PortState {
  readonly chassis: string | undefined
  readonly up: boolean | undefined
  readonly virtualParent: string | undefined
  readonly additionalChassis: readonly string[]
}

/**
 * What the schema of the southbound server, of an older release, does not hold. It is known before the
 * first flow is made; should it change, everything is made again: no rule records that it read it.
 */
export interface SouthboundLimits {
  numbering: Numbering
  /** Whether load balancers name their switches in a column of its own, `ls_datapath_group`. */
  switchGroups: boolean
}

/** What every feature of northd is given. Relations that a feature derives for others are fields here. */
export interface Context {
  readonly graph: Graph
  readonly log: Log
  readonly nb: NorthboundTables
  readonly sb: SouthboundTables
  readonly topology: Topology
  readonly flows: Flows
  readonly outputs: Outputs
  readonly northboundOutputs: NorthboundOutputs
  /** What this deployment drew at random once, where the northbound does not say. */
  readonly identity: Identity
  readonly southboundLimits: SouthboundLimits
  /** What the controllers say of ports, by Port_Binding.logical_port. */
  readonly portStates: Relation<PortState>
  /** VLAN tags of container ports, by port. */
  readonly tags: Derived<number>
  /** Egress queues, by port name. */
  readonly queues: Derived<number>
  /** The options of NB_Global, under the key `options`. */
  readonly global: Derived<GlobalOptions>
  /** The tunnel keys of ports (by Port_Binding.logical_port) and datapaths (by northbound uuid). */
  readonly portKeys: Derived<number>
  readonly datapathKeys: Derived<number>
  readonly features: Derived<ChassisFeatures>
  readonly acl: AclRelations
  readonly nat: NatRelations
  readonly lb: LoadBalancerRelations
  readonly routes: RouteRelations
  readonly bfd: BfdRelations
  readonly meters: MeterNames
}

/** What all chassis understand; everything, before there is any. */
export function supports(context: Context, feature: keyof ChassisFeatures): boolean {
  return context.features.get('all')?.[feature] !== false
}

export function globalOption(context: Context, name: string): string | undefined {
  return context.global.get('options')?.options.get(name)
}

export function flag(options: ReadonlyMap<string, string>, name: string, otherwise = false): boolean {
  const value = options.get(name)
  return value === undefined ? otherwise : otherwise ? value !== 'false' : value === 'true'
}
