import type { RecordNames } from '../records.ts'

/** How rows may be named (`ovn-sbctl --help`). */
export const RECORDS: RecordNames = {
  Address_Set: ['name'],
  Chassis: ['name'],
  Chassis_Private: ['name'],
  Chassis_Template_Var: ['chassis'],
  Connection: ['target'],
  DHCP_Options: ['name'],
  DHCPv6_Options: ['name'],
  Datapath_Binding: ['external_ids:name', 'external_ids:name2', 'nb_uuid'],
  Gateway_Chassis: ['name'],
  HA_Chassis_Group: ['name'],
  Load_Balancer: ['name'],
  MAC_Binding: ['logical_port'],
  Meter: ['name'],
  Mirror: ['name'],
  Port_Binding: ['logical_port', 'external_ids:name'],
  Port_Group: ['name'],
  RBAC_Permission: ['table'],
  RBAC_Role: ['name'],
  SB_Global: ['.'],
  SSL: ['.'],
  Service_Monitor: ['logical_port'],
}
