import type { Draft } from '../../ovsdb/client/draft.ts'
import type { Operation, OperationResult } from '../../ovsdb/client/operation.ts'
import type { Replica } from '../../ovsdb/client/replica.ts'
import { type OpenVSwitch, openVSwitch } from '../../schema/index.ts'
import { databaseCommands } from '../database.ts'
import { COMMON_OPTIONS, checkCommon, flag, withValue } from '../options.ts'
import type { CtlEnding, Program, Waiting } from '../program.ts'
import type { RecordNames } from '../records.ts'
import { showCommand } from '../show-tree.ts'
import { LIST_STYLE } from '../table.ts'
import { bridgeCommands } from './bridges.ts'
import type { VsCommand } from './model.ts'
import { portCommands } from './ports.ts'
import { targetCommands } from './targets.ts'
import { zoneCommands } from './zones.ts'

/** How rows may be named (`ovs-vsctl --help`). */
const RECORDS: RecordNames = {
  AutoAttach: ['Bridge.auto_attach/name'],
  Bridge: ['name'],
  Controller: ['Bridge.controller/name'],
  Flow_Sample_Collector_Set: ['id'],
  Flow_Table: ['name'],
  IPFIX: ['Bridge.ipfix/name'],
  Interface: ['name'],
  Manager: ['target'],
  Mirror: ['name'],
  NetFlow: ['Bridge.netflow/name'],
  Open_vSwitch: ['.'],
  Port: ['name'],
  QoS: ['Port.qos/name'],
  SSL: ['.'],
  sFlow: ['Bridge.sflow/name'],
}

/** What the switch says of interfaces that were made and that it could not open (ovs-vsctl(8), EXIT STATUS). */
function setupErrors(replica: Replica<OpenVSwitch>, created: readonly string[]): CtlEnding {
  const lines: string[] = []
  for (const uuid of created) {
    const row = replica.table('Interface').get(uuid)
    if (row?.ofport !== -1) continue
    const why = row.error === undefined ? '' : `: ${row.error}`
    lines.push(`ovs-vsctl: Error detected while setting up '${row.name}'${why}.  See ovs-vswitchd log for details.\n`)
  }
  if (!lines.length) return {}
  lines.sort().push('ovs-vsctl: The default log directory is "/var/log/openvswitch".\n')
  return { stderr: lines.join(''), status: 65 }
}

/** Waits until ovs-vswitchd has taken the change over: cur_cfg reaches next_cfg (ovs-vswitchd.conf.db(5)). */
function wait(draft: Draft<OpenVSwitch>, options: ReadonlyMap<string, string>): Waiting<OpenVSwitch> | undefined {
  const root = draft.rows('Open_vSwitch')[0]
  if (options.has('no-wait') || !root || !draft.changed) return undefined
  const where = [['_uuid', '==', root._uuid]] as const
  const operations: Operation[] = [
    { op: 'mutate', table: 'Open_vSwitch', where, mutations: [['next_cfg', '+=', 1]] },
    { op: 'select', table: 'Open_vSwitch', where, columns: ['next_cfg'] },
  ]
  const created = draft.created('Interface')
  return {
    operations,
    ending: (replica) => setupErrors(replica, created),
    done(results: readonly OperationResult[]) {
      const target = Number(results[1]?.rows?.[0]?.['next_cfg'] ?? 0)
      return (replica) => {
        for (const row of replica.table('Open_vSwitch').values()) return row.cur_cfg >= target
        return false
      }
    },
  }
}

const init: VsCommand = { name: 'init', args: [0, 0], access: 'rw', tables: ['Open_vSwitch'], run: () => {} }

/** ovs-vsctl(8). */
export const vsctl: Program<OpenVSwitch> = {
  name: 'ovs-vsctl',
  module: 'vsctl',
  schema: openVSwitch,
  commands: [
    init,
    showCommand({
      Open_vSwitch: { name: undefined, columns: ['manager_options', 'bridges', 'ovs_version'] },
      Bridge: { name: 'name', columns: ['controller', 'fail_mode', 'datapath_type', 'ports'] },
      Port: { name: 'name', columns: ['tag', 'trunks', 'interfaces'] },
      Interface: { name: 'name', columns: ['type', 'options', 'error'] },
      Controller: { name: 'target', columns: ['is_connected'] },
      Manager: { name: 'target', columns: ['is_connected'] },
    }),
    ...bridgeCommands,
    ...portCommands,
    ...targetCommands,
    ...zoneCommands,
    ...databaseCommands(openVSwitch, RECORDS),
  ],
  options: [
    ...COMMON_OPTIONS,
    ...[
      flag('retry'),
      flag('leader-only'),
      flag('no-leader-only'),
      flag('shuffle-remotes'),
      flag('no-shuffle-remotes'),
    ],
    withValue('peer-ca-cert'),
  ],
  style: LIST_STYLE,
  version: `ovs-vsctl (Open vSwitch) 4.0.0\nDB Schema ${openVSwitch.version}\n`,
  comment: (args) => `ovs-vsctl: ovs-vsctl${args.map((a) => ` ${a}`).join('')}`,
  always: ['Open_vSwitch', 'Interface'],
  begin(draft) {
    if (draft.rows('Open_vSwitch').length) return
    draft.verifyEmpty('Open_vSwitch')
    draft.insert('Open_vSwitch', {})
  },
  check: checkCommon,
  wait,
}
