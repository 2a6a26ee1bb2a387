import type { DesiredRow } from '../../ovsdb/relations/row-sink.ts'
import type { Derived, Graph } from '../../reactive/index.ts'

/** Southbound tables northd writes whole rows of. Keys are natural: what makes a row the same over time. */
export const OUTPUT_TABLES = [
  'SB_Global',
  'Address_Set',
  'Port_Group',
  'Logical_Flow',
  'Logical_DP_Group',
  'Multicast_Group',
  'Mirror',
  'Meter',
  'Meter_Band',
  'Datapath_Binding',
  'Port_Binding',
  'DHCP_Options',
  'DHCPv6_Options',
  'DNS',
  'RBAC_Role',
  'RBAC_Permission',
  'HA_Chassis',
  'HA_Chassis_Group',
  'IP_Multicast',
  'Service_Monitor',
  'Load_Balancer',
  'BFD',
  'Static_MAC_Binding',
  'Chassis_Template_Var',
  'Advertised_Route',
  'Advertised_MAC_Binding',
  'ACL_ID',
] as const

export type OutputTable = (typeof OUTPUT_TABLES)[number]
export type Outputs = { readonly [N in OutputTable]: Derived<DesiredRow> }

/** Northbound columns northd writes, by table; keys are the rows' uuids. */
export const NORTHBOUND_OUTPUT_TABLES = ['NB_Global', 'Logical_Switch_Port', 'Logical_Router_Port', 'BFD'] as const
export type NorthboundOutputTable = (typeof NORTHBOUND_OUTPUT_TABLES)[number]
export type NorthboundOutputs = { readonly [N in NorthboundOutputTable]: Derived<DesiredRow> }

export const OUTPUT_STRATUM = 25

export function outputRelations(graph: Graph): Outputs {
  return Object.fromEntries(
    OUTPUT_TABLES.map((name) => [name, graph.derived<DesiredRow>(`southbound ${name}`, OUTPUT_STRATUM)]),
  ) as Outputs
}

export function northboundOutputRelations(graph: Graph): NorthboundOutputs {
  return Object.fromEntries(
    NORTHBOUND_OUTPUT_TABLES.map((name) => [name, graph.derived<DesiredRow>(`northbound ${name}`, OUTPUT_STRATUM)]),
  ) as NorthboundOutputs
}
