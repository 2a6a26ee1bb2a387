import { parseUuid } from '../../ovsdb/schema/index.ts'
import type { NB } from '../../schema/index.ts'
import { fatal } from '../error.ts'
import { needPortGroup } from './acls.ts'
import { byName, type NbCall, type NbCommand, needSwitchPort, readPriority, sortedSet } from './lookup.ts'

const portUuids = (call: NbCall, names: readonly string[]): readonly string[] =>
  sortedSet(names.map((name) => needSwitchPort(call, name)._uuid))

function getPorts(call: NbCall): void {
  const group = needPortGroup(call, call.arg(0))
  const names = group.ports.map((p) => call.db.get('Logical_Switch_Port', p)?.name).filter((n) => n !== undefined)
  if (names.length) call.print(`${names.sort().join(' ')}\n`)
}

function needHaGroup(call: NbCall, text: string): NB.HAChassisGroup {
  const uuid = parseUuid(text)
  const group = call.db.rows('HA_Chassis_Group').find((g) => g._uuid === uuid || g.name === text)
  return group ?? fatal(`${text}: ha_chassis_group ${uuid ? 'UUID' : 'name'} not found`)
}

const chassisOf = (call: NbCall, group: NB.HAChassisGroup): NB.HAChassis[] =>
  group.ha_chassis.map((c) => call.db.get('HA_Chassis', c)).filter((c) => c !== undefined)

function listHaGroups(call: NbCall): void {
  const [name] = call.args
  const groups = name === undefined ? [...call.db.rows('HA_Chassis_Group')].sort(byName) : [needHaGroup(call, name)]
  for (const group of groups) {
    call.print(`${group._uuid} (${group.name})\n`)
    const members = chassisOf(call, group).sort((a, b) => (a.chassis_name < b.chassis_name ? -1 : 1))
    for (const c of members) call.print(`    ${c._uuid} (${c.chassis_name})\n    priority ${c.priority}\n\n`)
    call.print('\n')
  }
}

function addHaChassis(call: NbCall): void {
  const group = needHaGroup(call, call.arg(0))
  const priority = readPriority(call.arg(2))
  const known = chassisOf(call, group).find((c) => c.chassis_name === call.arg(1))
  if (known) call.db.update('HA_Chassis', known._uuid, { priority })
  else {
    const uuid = call.db.insert('HA_Chassis', { chassis_name: call.arg(1), priority })
    call.db.addMember('HA_Chassis_Group', group._uuid, 'ha_chassis', uuid)
  }
}

function removeHaChassis(call: NbCall): void {
  const group = needHaGroup(call, call.arg(0))
  const member = chassisOf(call, group).find((c) => c.chassis_name === call.arg(1))
  if (!member) fatal(`${call.arg(1)}: ha chassis not found in ${call.arg(0)} ha chassis group`)
  call.db.removeMember('HA_Chassis_Group', group._uuid, 'ha_chassis', member._uuid)
  call.db.delete('HA_Chassis', member._uuid)
}

function setHaPriority(call: NbCall): void {
  const group = needHaGroup(call, call.arg(0))
  const priority = readPriority(call.arg(2))
  const member = chassisOf(call, group).find((c) => c.chassis_name === call.arg(1))
  if (!member) fatal(`${call.arg(1)}: ha chassis not found in ${call.arg(0)} ha chassis group`)
  call.db.update('HA_Chassis', member._uuid, { priority })
}

const PG = ['Port_Group', 'Logical_Switch_Port'] as const
const HA = ['HA_Chassis_Group', 'HA_Chassis'] as const
const MANY = Number.POSITIVE_INFINITY

export const groupCommands: readonly NbCommand[] = [
  {
    name: 'pg-add',
    args: [1, MANY],
    usage: 'PG [PORTS]',
    access: 'rw',
    tables: PG,
    run: (call) => {
      call.db.insert('Port_Group', { name: call.arg(0), ports: portUuids(call, call.args.slice(1)) })
    },
  },
  {
    name: 'pg-set-ports',
    args: [2, MANY],
    usage: 'PG PORTS',
    access: 'rw',
    tables: PG,
    run: (call) => {
      const group = needPortGroup(call, call.arg(0))
      call.db.update('Port_Group', group._uuid, { ports: portUuids(call, call.args.slice(1)) })
    },
  },
  { name: 'pg-get-ports', args: [1, 1], usage: 'PG', access: 'ro', tables: PG, run: getPorts },
  {
    name: 'pg-del',
    args: [1, 1],
    usage: 'PG',
    access: 'rw',
    tables: PG,
    run: (call) => call.db.delete('Port_Group', needPortGroup(call, call.arg(0))._uuid),
  },
  {
    name: 'ha-chassis-group-add',
    args: [1, 1],
    usage: 'GRP',
    access: 'rw',
    tables: HA,
    run: (call) => {
      call.db.insert('HA_Chassis_Group', { name: call.arg(0) })
    },
  },
  {
    name: 'ha-chassis-group-del',
    args: [1, 1],
    usage: 'GRP',
    access: 'rw',
    tables: HA,
    run: (call) => call.db.delete('HA_Chassis_Group', needHaGroup(call, call.arg(0))._uuid),
  },
  { name: 'ha-chassis-group-list', args: [0, 1], usage: '[GRP]', access: 'ro', tables: HA, run: listHaGroups },
  {
    name: 'ha-chassis-group-add-chassis',
    args: [3, 3],
    usage: 'GRP CHASSIS PRIORITY',
    access: 'rw',
    tables: HA,
    run: addHaChassis,
  },
  {
    name: 'ha-chassis-group-set-chassis-prio',
    args: [3, 3],
    usage: 'GRP CHASSIS PRIORITY',
    access: 'rw',
    tables: HA,
    run: setHaPriority,
  },
  {
    name: 'ha-chassis-group-remove-chassis',
    args: [2, 2],
    usage: 'GRP CHASSIS',
    access: 'rw',
    tables: HA,
    run: removeHaChassis,
  },
]
