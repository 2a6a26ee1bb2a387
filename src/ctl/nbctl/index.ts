import type { Clock } from '../../base/clock.ts'
import type { Draft } from '../../ovsdb/client/draft.ts'
import type { Operation, OperationResult } from '../../ovsdb/client/operation.ts'
import type { Replica } from '../../ovsdb/client/replica.ts'
import { type Northbound, northbound } from '../../schema/index.ts'
import type { Command } from '../command.ts'
import { connectionCommands } from '../connection.ts'
import { databaseCommands } from '../database.ts'
import { fatal } from '../error.ts'
import { COMMON_OPTIONS, checkCommon, DAEMON_OPTIONS, flag, withValue } from '../options.ts'
import type { Program, Waiting } from '../program.ts'
import type { RecordNames } from '../records.ts'
import { LIST_STYLE } from '../table.ts'
import { aclCommands } from './acls.ts'
import { dhcpCommands } from './dhcp.ts'
import { functionCommands } from './functions.ts'
import { groupCommands } from './groups.ts'
import { loadBalancerCommands } from './load-balancers.ts'
import { mirrorCommands } from './mirrors.ts'
import { natCommands } from './nat.ts'
import { policyCommands } from './policies.ts'
import { policingCommands } from './policing.ts'
import { qosCommands } from './qos.ts'
import { routerPortCommands } from './router-ports.ts'
import { routeCommands } from './routes.ts'
import { showCommand } from './show.ts'
import { switchPortCommands } from './switch-ports.ts'
import { switchCommands } from './switches.ts'

/** How rows may be named (`ovn-nbctl --help`). */
const RECORDS: RecordNames = {
  ACL: ['name'],
  Address_Set: ['name'],
  Chassis_Template_Var: ['chassis'],
  Connection: ['target'],
  DHCP_Options: [
    'Logical_Switch_Port.dhcpv4_options/name',
    'Logical_Switch_Port.dhcpv4_options/external_ids:neutron:port_name',
    'Logical_Switch_Port.dhcpv6_options/name',
    'Logical_Switch_Port.dhcpv6_options/external_ids:neutron:port_name',
  ],
  Forwarding_Group: ['name'],
  HA_Chassis: ['chassis_name'],
  HA_Chassis_Group: ['name'],
  Load_Balancer: ['name'],
  Load_Balancer_Group: ['name'],
  Load_Balancer_Health_Check: ['vip'],
  Logical_Router: ['name', 'external_ids:neutron:router_name'],
  Logical_Router_Port: ['name'],
  Logical_Switch: ['name', 'external_ids:neutron:network_name'],
  Logical_Switch_Port: ['name', 'external_ids:neutron:port_name'],
  Meter: ['name'],
  NAT: ['external_ip'],
  NB_Global: ['.'],
  Port_Group: ['name'],
  SSL: ['.'],
}

const init: Command<Northbound> = { name: 'init', args: [0, 0], access: 'rw', tables: ['NB_Global'], run: () => {} }

const sync: Command<Northbound> = {
  name: 'sync',
  args: [0, 0],
  access: 'ro',
  tables: ['NB_Global'],
  run: (call) => call.forceWait(),
}

function begin(draft: Draft<Northbound>): void {
  if (draft.rows('NB_Global').length) return
  draft.verifyEmpty('NB_Global')
  draft.insert('NB_Global', {})
}

/** The kind of wait that the options ask for; the last of --wait and --no-wait counts, and neither is none. */
function waitOf(options: ReadonlyMap<string, string>): 'none' | 'sb' | 'hv' {
  if (options.has('no-wait')) return 'none'
  const text = options.get('wait') ?? 'none'
  return text === 'none' || text === 'sb' || text === 'hv'
    ? text
    : fatal('argument to --wait must be "none", "sb", or "hv"')
}

/** --print-wait-time: how long after the start each part was as far, by the moments they report. */
function waitTimes(replica: Replica<Northbound>, kind: 'sb' | 'hv', start: number): string {
  const [global] = replica.table('NB_Global').values()
  if (!global) return ''
  const since = (moment: number) => `${Math.max(0, Math.round(moment - start))}ms\n`
  const lines = [
    `Time spent on processing nb_cfg ${global.nb_cfg}:\n`,
    `\tovn-northd delay before processing:\t${since(global.nb_cfg_timestamp)}`,
    `\tovn-northd completion:\t\t\t${since(global.sb_cfg_timestamp)}`,
    ...(kind === 'hv' ? [`\tovn-controller(s) completion:\t\t${since(global.hv_cfg_timestamp)}`] : []),
  ]
  return lines.join('')
}

/** ovn-nb(5) NB_Global: northd copies nb_cfg to sb_cfg, and what all chassis have reached to hv_cfg. */
function wait(
  draft: Draft<Northbound>,
  options: ReadonlyMap<string, string>,
  forced: boolean,
  clock: Clock,
): Waiting<Northbound> | undefined {
  const kind = waitOf(options)
  const global = draft.rows('NB_Global')[0]
  if (kind === 'none' || !global || !(forced || draft.changed)) return undefined
  const where = [['_uuid', '==', global._uuid]] as const
  const operations: Operation[] = [
    { op: 'mutate', table: 'NB_Global', where, mutations: [['nb_cfg', '+=', 1]] },
    { op: 'select', table: 'NB_Global', where, columns: ['nb_cfg'] },
  ]
  const column = kind === 'sb' ? 'sb_cfg' : 'hv_cfg'
  const start = clock.now()
  return {
    operations,
    ...(options.has('print-wait-time') ? { ending: (replica) => ({ stdout: waitTimes(replica, kind, start) }) } : {}),
    done(results: readonly OperationResult[]) {
      const target = Number(results[1]?.rows?.[0]?.['nb_cfg'] ?? 0)
      return (replica) => {
        for (const row of replica.table('NB_Global').values()) return row[column] >= target
        return false
      }
    },
  }
}

/** ovn-nbctl(8). */
export const nbctl: Program<Northbound> = {
  name: 'ovn-nbctl',
  module: 'nbctl',
  schema: northbound,
  commands: [
    init,
    sync,
    showCommand,
    ...switchCommands,
    ...aclCommands,
    ...functionCommands,
    ...qosCommands,
    ...mirrorCommands,
    ...switchPortCommands,
    ...routerPortCommands,
    ...routeCommands,
    ...policyCommands,
    ...natCommands,
    ...loadBalancerCommands,
    ...dhcpCommands,
    ...connectionCommands('NB_Global', 'nbctl'),
    ...groupCommands,
    ...policingCommands,
    ...databaseCommands(northbound, RECORDS),
  ],
  options: [
    ...COMMON_OPTIONS,
    ...DAEMON_OPTIONS,
    withValue('wait'),
    flag('print-wait-time'),
    flag('leader-only'),
    flag('no-leader-only'),
    flag('shuffle-remotes'),
    flag('no-shuffle-remotes'),
    withValue('unixctl', 'u'),
  ],
  style: LIST_STYLE,
  version: `ovn-nbctl 26.03.1\nOpen vSwitch Library 3.7.1\nDB Schema ${northbound.version}\n`,
  comment: (args) => `ovn-nbctl: ovn-nbctl${args.map((a) => ` ${a}`).join('')}`,
  always: ['NB_Global'],
  begin,
  check(options) {
    checkCommon(options)
    waitOf(options)
  },
  wait,
}
