import { type SB, type Southbound, southbound } from '../../schema/index.ts'
import type { Call, Command } from '../command.ts'
import { connectionCommands } from '../connection.ts'
import { databaseCommands } from '../database.ts'
import { fatal } from '../error.ts'
import { COMMON_OPTIONS, checkCommon, DAEMON_OPTIONS, flag, withValue } from '../options.ts'
import type { Program } from '../program.ts'
import { findRecord } from '../records.ts'
import { showCommand } from '../show-tree.ts'
import { LIST_STYLE } from '../table.ts'
import { flowCommands } from './lflows.ts'
import { RECORDS } from './records.ts'

type SbCall = Call<Southbound>

const findChassis = (call: SbCall, name: string): SB.Chassis | undefined =>
  call.db.rows('Chassis').find((c) => c.name === name)

const findPort = (call: SbCall, name: string): SB.PortBinding | undefined =>
  call.db.rows('Port_Binding').find((p) => p.logical_port === name)

function chassisAdd(call: SbCall): void {
  const [name = '', types = '', ip = ''] = call.args
  if (findChassis(call, name)) {
    if (call.has('may-exist')) return
    fatal(`cannot create a chassis named ${name} because a chassis named ${name} already exists`)
  }
  const encaps = [...new Set(types.split(',').filter((t) => t))].map((type) =>
    // the database refuses a type that it does not know
    call.db.insert('Encap', {
      type: type as SB.Encap['type'],
      ip,
      options: new Map([['csum', 'true']]),
      chassis_name: name,
    }),
  )
  call.db.insert('Chassis', { name, encaps: encaps.sort() })
}

function chassisDel(call: SbCall): void {
  const chassis = findChassis(call, call.arg(0))
  if (!chassis) {
    if (call.has('if-exists')) return
    fatal(`no chassis named ${call.arg(0)}`)
  }
  for (const encap of chassis.encaps) call.db.delete('Encap', encap)
  call.db.delete('Chassis', chassis._uuid)
}

function bind(call: SbCall): void {
  const [name = '', chassisName = ''] = call.args
  const port = findPort(call, name) ?? fatal(`no port named ${name}`)
  const chassis = findChassis(call, chassisName) ?? fatal(`no chassis named ${chassisName}`)
  if (port.chassis !== undefined) {
    if (call.has('may-exist') && port.chassis === chassis._uuid) return
    const holder = call.db.get('Chassis', port.chassis)
    fatal(`lport (${name}) has already been binded to chassis (${holder?.name ?? ''})`)
  }
  call.db.update('Port_Binding', port._uuid, { chassis: chassis._uuid, up: true })
}

function unbind(call: SbCall): void {
  const port = findPort(call, call.arg(0))
  if (!port) {
    if (call.has('if-exists')) return
    fatal(`no port named ${call.arg(0)}`)
  }
  call.db.update('Port_Binding', port._uuid, { chassis: undefined, up: undefined })
}

/** Asks every chassis to forget what it has snooped for a switch: they watch the sequence number. */
function flushMulticast(call: SbCall): void {
  const table = call.db.schema.tables.get('Datapath_Binding')
  const datapath = table && findRecord(call.db, RECORDS, table, call.arg(0))
  if (!datapath) fatal(`${call.arg(0)} is not a valid datapath`)
  for (const row of call.db.rows('IP_Multicast')) {
    if (row.datapath === datapath._uuid) call.db.update('IP_Multicast', row._uuid, { seq_no: row.seq_no + 1 })
  }
}

const CHASSIS = ['Chassis', 'Encap'] as const
const PORTS = ['Port_Binding', 'Chassis'] as const

const init: Command<Southbound> = { name: 'init', args: [0, 0], access: 'rw', tables: ['SB_Global'], run: () => {} }

/** ovn-sbctl(8). */
export const sbctl: Program<Southbound> = {
  name: 'ovn-sbctl',
  module: 'sbctl',
  schema: southbound,
  commands: [
    init,
    showCommand({
      Chassis: {
        name: 'name',
        columns: ['hostname', 'encaps'],
        referrers: { table: 'Port_Binding', column: 'chassis', name: 'logical_port' },
      },
      Encap: { name: 'type', columns: ['ip', 'options'] },
    }),
    {
      name: 'chassis-add',
      args: [3, 3],
      usage: 'CHASSIS ENCAP-TYPE ENCAP-IP',
      options: ['may-exist'],
      access: 'rw',
      tables: CHASSIS,
      run: chassisAdd,
    },
    {
      name: 'chassis-del',
      args: [1, 1],
      usage: 'CHASSIS',
      options: ['if-exists'],
      access: 'rw',
      tables: CHASSIS,
      run: chassisDel,
    },
    {
      name: 'lsp-bind',
      args: [2, 2],
      usage: 'PORT CHASSIS',
      options: ['may-exist'],
      access: 'rw',
      tables: PORTS,
      run: bind,
    },
    {
      name: 'lsp-unbind',
      args: [1, 1],
      usage: 'PORT',
      options: ['if-exists'],
      access: 'rw',
      tables: PORTS,
      run: unbind,
    },
    {
      name: 'ip-multicast-flush',
      args: [1, 1],
      usage: 'SWITCH',
      access: 'rw',
      tables: ['IP_Multicast', 'Datapath_Binding'],
      run: flushMulticast,
    },
    ...flowCommands,
    ...connectionCommands('SB_Global', 'sbctl'),
    ...databaseCommands(southbound, RECORDS),
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
  version: `ovn-sbctl 26.03.1\nOpen vSwitch Library 3.7.1\nDB Schema ${southbound.version}\n`,
  comment: (args) => `ovn-sbctl: ovn-sbctl${args.map((a) => ` ${a}`).join('')}`,
  always: ['SB_Global'],
  begin(draft) {
    if (draft.rows('SB_Global').length) return
    draft.verifyEmpty('SB_Global')
    draft.insert('SB_Global', {})
  },
  check(options) {
    checkCommon(options)
    if (options.has('wait')) fatal('--wait not supported')
  },
  wait: () => undefined,
}
