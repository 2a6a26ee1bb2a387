import type { TableName, TableRequests } from '../../ovsdb/client/replica.ts'
import type { Graph } from '../../reactive/graph.ts'
import type { Input } from '../../reactive/relation.ts'
import type { OpenVSwitch } from '../../schema/open-vswitch.ts'
import type { Southbound } from '../../schema/southbound.ts'

/** Southbound tables that the controller derives from. */
export const SOUTHBOUND_TABLES = [
  'SB_Global',
  'Chassis',
  'Encap',
  'Address_Set',
  'Port_Group',
  'Logical_Flow',
  'Logical_DP_Group',
  'Multicast_Group',
  'Meter',
  'Meter_Band',
  'Datapath_Binding',
  'Port_Binding',
  'MAC_Binding',
  'HA_Chassis',
  'HA_Chassis_Group',
  'Load_Balancer',
  'FDB',
  'Static_MAC_Binding',
  'Chassis_Template_Var',
  'DHCP_Options',
  'DHCPv6_Options',
] as const satisfies readonly TableName<Southbound>[]

/** Tables of the local Open vSwitch that the controller derives from. */
export const LOCAL_TABLES = [
  'Open_vSwitch',
  'Bridge',
  'Port',
  'Interface',
] as const satisfies readonly TableName<OpenVSwitch>[]

export type SouthboundInputs = { readonly [N in (typeof SOUTHBOUND_TABLES)[number]]: Input<Southbound[N]> }
export type LocalInputs = { readonly [N in (typeof LOCAL_TABLES)[number]]: Input<OpenVSwitch[N]> }

export function southboundInputs(graph: Graph): SouthboundInputs {
  return Object.fromEntries(SOUTHBOUND_TABLES.map((t) => [t, graph.input(`sb.${t}`)])) as unknown as SouthboundInputs
}

export function localInputs(graph: Graph): LocalInputs {
  return Object.fromEntries(LOCAL_TABLES.map((t) => [t, graph.input(`ovs.${t}`)])) as unknown as LocalInputs
}

/** What a controller asks of the local database: not the columns that change all the time. */
export const LOCAL_REQUESTS: TableRequests<OpenVSwitch> = {
  Open_vSwitch: {
    columns: ['bridges', 'datapaths', 'external_ids', 'iface_types', 'other_config', 'cur_cfg', 'next_cfg', 'ssl'],
  },
  Bridge: {
    columns: ['name', 'ports', 'datapath_type', 'external_ids', 'fail_mode', 'flow_tables', 'mirrors', 'other_config'],
  },
  Port: { columns: ['name', 'interfaces', 'external_ids', 'qos'] },
  Flow_Table: { columns: ['prefixes'] },
  QoS: { columns: ['type', 'queues', 'other_config', 'external_ids'] },
  Queue: { columns: ['other_config', 'external_ids'] },
  Interface: {
    columns: ['name', 'type', 'ofport', 'options', 'external_ids', 'bfd', 'bfd_status', 'link_state', 'mtu', 'status'],
  },
}
