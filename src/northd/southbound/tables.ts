import type { KeyLookup, SinkTable } from '../../ovsdb/relations/row-sink.ts'
import type { Datum, Row } from '../../ovsdb/schema/index.ts'
import { textHash } from '../pipeline/hash-order.ts'
import { flowKey } from './flow.ts'
import type { NorthboundOutputs, Outputs, OutputTable } from './outputs.ts'

type Fields = Readonly<Record<string, Datum>>

function text(row: Row, column: string): string {
  return String((row as Fields)[column])
}

function map(row: Row, column: string): ReadonlyMap<string, string> {
  const value = (row as Fields)[column]
  return value instanceof Map ? (value as ReadonlyMap<string, string>) : new Map()
}

type KeyOf = (row: Row, keys: KeyLookup) => string | undefined

const byName: KeyOf = (row) => text(row, 'name')

/** Datapaths first, since much is known by its datapath. */
const KEYS: Readonly<Record<OutputTable, KeyOf>> = {
  Datapath_Binding: (row) => {
    const nb = (row as Fields)['nb_uuid']
    const ids = map(row, 'external_ids')
    return (nb as string | undefined) ?? ids.get('logical-switch') ?? ids.get('logical-router')
  },
  Port_Binding: (row) => text(row, 'logical_port'),
  SB_Global: () => 'global',
  Address_Set: byName,
  Port_Group: byName,
  Logical_DP_Group: (row, keys) => {
    const members = (row as Fields)['datapaths'] as readonly string[]
    const known = members.map((uuid) => keys.key('Datapath_Binding', uuid))
    return known.includes(undefined) ? undefined : known.sort().join(' ')
  },
  Logical_Flow: (row, _keys) => {
    const ids = map(row, 'external_ids')
    const stage = ids.get('stage-name') ?? ''
    return flowKey({
      kind: stage.startsWith('lr_') ? 'router' : 'switch',
      pipeline: text(row, 'pipeline'),
      table: (row as Fields)['table_id'] as number,
      priority: (row as Fields)['priority'] as number,
      match: text(row, 'match'),
      actions: text(row, 'actions'),
      meter: (row as Fields)['controller_meter'] as string | undefined,
      port: map(row, 'tags').get('in_out_port'),
    })
  },
  Multicast_Group: (row, keys) => {
    const datapath = keys.key('Datapath_Binding', text(row, 'datapath'))
    return datapath && `${datapath} ${text(row, 'name')}`
  },
  Mirror: byName,
  Meter: byName,
  Meter_Band: (row, keys) => {
    const meter = keys.referrer('Meter', 'bands', row._uuid)
    return meter && `${meter} ${text(row, 'action')} ${text(row, 'rate')} ${text(row, 'burst_size')}`
  },
  DHCP_Options: byName,
  DHCPv6_Options: byName,
  DNS: (row) => row._uuid,
  RBAC_Role: byName,
  RBAC_Permission: (row) => text(row, 'table'),
  HA_Chassis_Group: byName,
  HA_Chassis: (row, keys) => {
    const group = keys.referrer('HA_Chassis_Group', 'ha_chassis', row._uuid)
    const chassis = map(row, 'external_ids').get('chassis-name')
    return group && chassis && `${group} ${chassis}`
  },
  IP_Multicast: (row, keys) => keys.key('Datapath_Binding', text(row, 'datapath')),
  Service_Monitor: (row) =>
    [text(row, 'ip'), text(row, 'port'), (row as Fields)['protocol'] ?? '', text(row, 'logical_port')].join(' '),
  Load_Balancer: (row) => row._uuid,
  BFD: (row) => `${text(row, 'logical_port')} ${text(row, 'dst_ip')}`,
  Static_MAC_Binding: (row) => `${text(row, 'logical_port')} ${text(row, 'ip')}`,
  Chassis_Template_Var: (row) => text(row, 'chassis'),
  Advertised_Route: (row, keys) =>
    [
      keys.key('Datapath_Binding', text(row, 'datapath')),
      keys.key('Port_Binding', text(row, 'logical_port')),
      text(row, 'ip_prefix'),
      keys.key('Port_Binding', text(row, 'tracked_port')) ?? '',
    ].join(' '),
  Advertised_MAC_Binding: (row, keys) =>
    [keys.key('Port_Binding', text(row, 'logical_port')), text(row, 'ip'), text(row, 'mac')].join(' '),
  ACL_ID: (row) => row._uuid,
}

const INITIAL: Partial<Record<OutputTable, Fields>> = {
  Port_Binding: { up: false },
}

/** ECMP groups and members are numbered anew when one goes: the flow is the same. */
function withoutEcmpNumbers(key: string): string | undefined {
  const common = key.replace(/(reg8\[(?:0\.\.15|16\.\.31)\] ==?) \d+/g, '$1 #')
  return common === key ? undefined : common
}

/** Tables whose rows have the uuid of the northbound row they come from. */
const SAME_UUID: readonly OutputTable[] = ['DNS', 'Load_Balancer', 'ACL_ID']

export function southboundSinkTables(outputs: Outputs): SinkTable[] {
  return (Object.keys(KEYS) as OutputTable[]).map((name) => ({
    name,
    desired: outputs[name],
    keyOf: KEYS[name],
    ...(SAME_UUID.includes(name) ? { uuidOf: (key: string) => key } : {}),
    ...(name === 'Logical_Flow' ? { alike: withoutEcmpNumbers } : {}),
    ...(name === 'Logical_DP_Group' ? { inherited: { table: 'Logical_Flow', column: 'logical_dp_group' } } : {}),
    // RFC 5880 §6.8.1: a discriminator that is not zero.
    ...(name === 'BFD' ? { born: (key: string) => ({ disc: (textHash(key) | 1) >>> 0 }) } : {}),
    ...(INITIAL[name] ? { initial: INITIAL[name] } : {}),
  }))
}

export function northboundSinkTables(outputs: NorthboundOutputs): SinkTable[] {
  return Object.entries(outputs).map(([name, desired]) => ({
    name,
    desired,
    keyOf: (row: Row) => row._uuid,
    updateOnly: true,
  }))
}
