import type { Condition } from '../../ovsdb/client/operation.ts'
import type { ConditionOn, Replica, TableCondition, TableName, TableRequests } from '../../ovsdb/client/replica.ts'
import type { PortBinding, Southbound } from '../../schema/southbound.ts'

/** Tables of which a chassis needs only the rows of what is local to it. */
type Conditional =
  | 'Port_Binding'
  | 'Logical_Flow'
  | 'MAC_Binding'
  | 'Multicast_Group'
  | 'DNS'
  | 'FDB'
  | 'IGMP_Group'
  | 'IP_Multicast'
  | 'Controller_Event'
  | 'Chassis_Private'
  | 'ECMP_Nexthop'
  | 'Advertised_Route'
  | 'Advertised_MAC_Binding'
  | 'Chassis_Template_Var'

/** Ports that lead on, or that an HA group may bring here: wanted wherever they are. */
const ALWAYS_PORTS: readonly ConditionOn<PortBinding>[] = [
  ['type', '==', 'patch'],
  ['type', '==', 'external'],
  ['type', '==', 'chassisredirect'],
]
const ALL_GATEWAYS: readonly ConditionOn<PortBinding>[] = [
  ['type', '==', 'l3gateway'],
  ['type', '==', 'l2gateway'],
]

/** What a controller asks of the southbound database before it knows what is local. */
export const SOUTHBOUND_REQUESTS: TableRequests<Southbound> = {
  SB_Global: true,
  Chassis: true,
  Chassis_Private: true,
  Encap: true,
  Address_Set: true,
  Port_Group: true,
  Logical_Flow: { where: false },
  Logical_DP_Group: true,
  Multicast_Group: { where: false },
  Meter: true,
  Meter_Band: true,
  Datapath_Binding: true,
  Port_Binding: { where: [...ALWAYS_PORTS, ...ALL_GATEWAYS] },
  MAC_Binding: { where: false },
  Static_MAC_Binding: true,
  DHCP_Options: true,
  DHCPv6_Options: true,
  DNS: { where: false },
  HA_Chassis: true,
  HA_Chassis_Group: true,
  Controller_Event: { where: false },
  IP_Multicast: { where: false },
  IGMP_Group: { where: false },
  Service_Monitor: true,
  Load_Balancer: true,
  BFD: true,
  FDB: { where: false },
  Chassis_Template_Var: true,
}

/** What the chassis has; from it follows what of the southbound it needs. */
export interface Interest {
  /** ovn-controller(8), ovn-monitor-all. */
  readonly all: boolean
  readonly chassis: { readonly uuid: string; readonly name: string } | undefined
  /** Names of the ports that interfaces here stand for. */
  readonly ports: readonly string[]
  readonly datapaths: readonly { readonly uuid: string; readonly key: number }[]
}

export function conditionsFor(interest: Interest): { readonly [N in Conditional]?: TableCondition } {
  const { all, chassis, ports, datapaths } = interest
  const of = (column: string, fn: '==' | 'includes' = '=='): TableCondition => {
    if (all) return true
    if (!datapaths.length) return false
    return datapaths.map((d): Condition => [column, fn, d.uuid])
  }
  const own = (column: string): TableCondition => all || (chassis ? [[column, '==', chassis.uuid]] : false)
  const gateways: readonly Condition[] = chassis
    ? [
        ['options', 'includes', new Map([['l3gateway-chassis', chassis.name]])],
        ['options', 'includes', new Map([['l2gateway-chassis', chassis.name]])],
        ['chassis', '==', chassis.uuid],
        ['requested_chassis', '==', chassis.uuid],
      ]
    : ALL_GATEWAYS
  const flows = of('logical_datapath')
  return {
    Port_Binding: all || [
      ...ALWAYS_PORTS,
      ...gateways,
      // Containers may be behind any port here, whose names are not all known beforehand.
      ['parent_port', '!=', undefined],
      ...ports.map((p): Condition => ['logical_port', '==', p]),
      ...datapaths.map((d): Condition => ['datapath', '==', d.uuid]),
    ],
    Logical_Flow: typeof flows === 'boolean' ? flows : [...flows, ['logical_dp_group', '!=', undefined]],
    MAC_Binding: of('datapath'),
    Multicast_Group: of('datapath'),
    DNS: of('datapaths', 'includes'),
    IP_Multicast: of('datapath'),
    FDB: all || (datapaths.length ? datapaths.map((d): Condition => ['dp_key', '==', d.key]) : false),
    IGMP_Group: own('chassis'),
    Controller_Event: own('chassis'),
  }
}

/** Keeps the conditions of a replica in step with what is local; only what changes is asked for. */
export class Conditions {
  private readonly asked = new Map<string, string>()

  constructor(private readonly replica: Replica<Southbound>) {}

  /** Returns whether anything was asked for that is still to come. */
  update(interest: Interest): boolean {
    let changed = false
    for (const [table, condition] of Object.entries(conditionsFor(interest)) as [
      TableName<Southbound>,
      TableCondition,
    ][]) {
      const text = JSON.stringify(condition, (_k, v: unknown) => (v instanceof Map ? [...v] : (v ?? null)))
      if (this.asked.get(table) === text) continue
      this.asked.set(table, text)
      this.replica.setCondition(table, condition)
      changed = true
    }
    return changed
  }
}
