import { parseUuid } from '../../ovsdb/schema/index.ts'
import type { NB } from '../../schema/index.ts'
import { fatal } from '../error.ts'
import { findSwitch, type NbCall, type NbCommand, readNumber, readPriority } from './lookup.ts'

type Direction = NB.ACL['direction']

/** Where ACLs hang: a switch or a port group. */
interface Holder {
  readonly table: 'Logical_Switch' | 'Port_Group'
  readonly row: NB.LogicalSwitch | NB.PortGroup
}

function findPortGroup(call: NbCall, text: string): NB.PortGroup | undefined {
  const uuid = parseUuid(text)
  return (uuid && call.db.get('Port_Group', uuid)) || call.db.rows('Port_Group').find((g) => g.name === text)
}

export function needPortGroup(call: NbCall, text: string): NB.PortGroup {
  return findPortGroup(call, text) ?? fatal(`${text}: port group ${parseUuid(text) ? 'UUID' : 'name'} not found`)
}

function holderOf(call: NbCall, text: string): Holder {
  const type = call.options.get('type')
  if (type !== undefined && type !== 'switch' && type !== 'port-group')
    fatal(`Invalid value '${type}' for option --type`)
  if (type === 'port-group') return { table: 'Port_Group', row: needPortGroup(call, text) }
  if (type === 'switch') {
    const row = findSwitch(call, text) ?? fatal(`${text}: switch name not found`)
    return { table: 'Logical_Switch', row }
  }
  const group = findPortGroup(call, text)
  const sw = findSwitch(call, text)
  if (group && sw) {
    fatal(
      `Same name '${text}' exists in both port-groups and logical switches. Specify --type=port-group or switch, or use a UUID.`,
    )
  }
  if (sw) return { table: 'Logical_Switch', row: sw }
  return { table: 'Port_Group', row: group ?? fatal(`'${text}' is not found for port-group or switch.`) }
}

/** Only the first letter counts. */
export function readDirection(text: string): Direction {
  if (text.startsWith('t')) return 'to-lport'
  if (text.startsWith('f')) return 'from-lport'
  return fatal(`${text}: direction must be "to-lport" or "from-lport"`)
}

const ACTIONS = ['allow', 'allow-related', 'allow-stateless', 'drop', 'reject', 'pass'] as const
const SEVERITIES = ['alert', 'warning', 'notice', 'info', 'debug'] as const

function readAction(text: string): NB.ACL['action'] {
  const action = ACTIONS.find((a) => a === text)
  return (
    action ?? fatal(`${text}: action must be one of "allow", "allow-related", "allow-stateless", "drop", and "reject"`)
  )
}

function sampleOf(call: NbCall, option: string): string | undefined {
  const text = call.options.get(option)
  if (text === undefined) return undefined
  const uuid = text.startsWith('@') ? call.symbols(text) : parseUuid(text)
  return uuid ?? fatal(`invalid --${option}: "${text}" is not a valid UUID`)
}

function functionGroup(call: NbCall, text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const uuid = parseUuid(text)
  const groups = call.db.rows('Network_Function_Group')
  const group = groups.find((g) => g._uuid === uuid || g.name === text)
  return group?._uuid ?? fatal(`${text}: network function group ${uuid ? 'UUID' : 'name'} not found`)
}

function add(call: NbCall): void {
  const { table, row } = holderOf(call, call.arg(0))
  const direction = readDirection(call.arg(1))
  const priority = readPriority(call.arg(2))
  const match = call.arg(3)
  const action = readAction(call.arg(4))
  const network_function_group = functionGroup(call, call.args[5])
  const severityText = call.options.get('severity')
  const severity = SEVERITIES.find((s) => s === severityText)
  if (severityText !== undefined && severity === undefined) fatal(`bad severity: ${severityText}`)
  const name = call.options.get('name')
  const meter = call.options.get('meter')
  const log = call.has('log') || name !== undefined || severity !== undefined || meter !== undefined
  const labelText = call.options.get('label')
  const label = labelText === undefined ? 0 : (readNumber(labelText) ?? -1)
  if (label < 0 || label > 0xffffffff) fatal(`label must in range 0...4294967295`)
  if (labelText !== undefined && action !== 'allow' && action !== 'allow-related') {
    fatal('label can only be set with actions "allow" or "allow-related"')
  }
  const tierText = call.options.get('tier')
  const tier = tierText === undefined ? 0 : (readNumber(tierText) ?? fatal(`Invalid tier ${tierText}`))
  const options = new Map<string, string>()
  if (call.has('apply-after-lb') && direction === 'from-lport') options.set('apply-after-lb', 'true')
  const [sample_new, sample_est] = [sampleOf(call, 'sample-new'), sampleOf(call, 'sample-est')]
  const same = aclsOf(call, row).some(
    (a) => a.direction === direction && a.priority === priority && a.match === match && a.tier === tier,
  )
  if (same) {
    if (call.has('may-exist')) return
    fatal(`Same ACL already existed on the ls ${call.arg(0)}.`)
  }
  const uuid = call.db.insert('ACL', {
    ...{ direction, priority, match, action, log, severity, name, meter, label, tier, options },
    ...{ sample_new, sample_est, network_function_group },
  })
  call.db.addMember(table, row._uuid, 'acls', uuid)
}

const aclsOf = (call: NbCall, row: { readonly acls: readonly string[] }): NB.ACL[] =>
  row.acls.map((a) => call.db.get('ACL', a)).filter((a) => a !== undefined)

function del(call: NbCall): void {
  const { table, row } = holderOf(call, call.arg(0))
  const [, directionText, priorityText, match] = call.args
  const tierText = call.options.get('tier')
  const direction = directionText === undefined ? undefined : readDirection(directionText)
  if (priorityText !== undefined && match === undefined) fatal('cannot specify priority without match')
  const priority = priorityText === undefined ? undefined : readPriority(priorityText)
  const tier = tierText === undefined ? undefined : readNumber(tierText)
  let gone = aclsOf(call, row).filter(
    (a) =>
      (direction === undefined || a.direction === direction) &&
      (priority === undefined || (a.priority === priority && a.match === match)) &&
      (tier === undefined || a.tier === tier),
  )
  if (priority !== undefined) gone = gone.slice(0, 1)
  for (const acl of gone) {
    call.db.removeMember(table, row._uuid, 'acls', acl._uuid)
    call.db.delete('ACL', acl._uuid)
  }
}

function describe(acl: NB.ACL, group: string | undefined, functions: string | undefined): string {
  let line = `${acl.direction.padStart(10)} ${String(acl.priority).padStart(5)} (${acl.match}) ${acl.action}`
  if (functions !== undefined) line += ` network-function-group=${functions}`
  if (acl.log) {
    const parts: string[] = []
    if (acl.name !== undefined) parts.push(`name=${acl.name}`)
    if (acl.severity !== undefined) parts.push(`severity=${acl.severity}`)
    if (acl.meter !== undefined) parts.push(`meter="${acl.meter}"`)
    line += ` log(${parts.join(',')})`
  }
  if (acl.label) line += ` label=${acl.label}`
  if (acl.options.get('apply-after-lb') === 'true') line += ' [after-lb]'
  if (group !== undefined) line += ` [${group}]`
  return `${line}\n`
}

function list(call: NbCall): void {
  const { table, row } = holderOf(call, call.arg(0))
  print(call, row, undefined)
  if (!call.has('all') || table !== 'Logical_Switch') return
  const ports = new Set('ports' in row ? row.ports : [])
  const groups = call.db.rows('Port_Group').filter((g) => g.ports.some((p) => ports.has(p)))
  for (const group of [...groups].sort((a, b) => (a.name < b.name ? -1 : 1))) print(call, group, group.name)
}

function print(call: NbCall, row: { readonly acls: readonly string[] }, group: string | undefined): void {
  const acls = aclsOf(call, row).sort(
    (a, b) =>
      (a.direction < b.direction ? -1 : a.direction > b.direction ? 1 : 0) ||
      b.priority - a.priority ||
      (a.match < b.match ? -1 : a.match > b.match ? 1 : 0),
  )
  for (const acl of acls) {
    const g = acl.network_function_group
    call.print(describe(acl, group, g === undefined ? undefined : call.db.get('Network_Function_Group', g)?.name))
  }
}

const TABLES = ['Logical_Switch', 'Port_Group', 'ACL', 'Network_Function_Group'] as const

export const aclCommands: readonly NbCommand[] = [
  {
    name: 'acl-add',
    args: [5, 6],
    usage: '{SWITCH | PORTGROUP} DIRECTION PRIORITY MATCH ACTION [NETWORK-FUNCTION-GROUP]',
    options: [
      ...['log', 'may-exist', 'type=', 'name=', 'severity=', 'meter=', 'label='],
      ...['apply-after-lb', 'tier=', 'sample-new=', 'sample-est='],
    ],
    access: 'rw',
    tables: TABLES,
    run: add,
  },
  {
    name: 'acl-del',
    args: [1, 4],
    usage: '{SWITCH | PORTGROUP} [DIRECTION [PRIORITY MATCH]]',
    options: ['type=', 'tier='],
    access: 'rw',
    tables: TABLES,
    run: del,
  },
  {
    name: 'acl-list',
    args: [1, 1],
    usage: '{SWITCH | PORTGROUP}',
    options: ['type=', 'all'],
    access: 'ro',
    tables: TABLES,
    run: list,
  },
]
