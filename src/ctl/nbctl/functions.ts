import { parseUuid } from '../../ovsdb/schema/index.ts'
import type { NB } from '../../schema/index.ts'
import { fatal } from '../error.ts'
import { byName, type NbCall, type NbCommand, needSwitchPort, printNamed, readNumber, sortedSet } from './lookup.ts'

const find = <R extends { readonly _uuid: string; readonly name: string }>(rows: readonly R[], text: string) => {
  const uuid = parseUuid(text)
  return rows.find((r) => r._uuid === uuid || r.name === text)
}

const kindOf = (text: string): string => (parseUuid(text) ? 'UUID' : 'name')

const needFunction = (call: NbCall, text: string): NB.NetworkFunction =>
  find(call.db.rows('Network_Function'), text) ?? fatal(`${text}: network function ${kindOf(text)} not found`)

const needGroup = (call: NbCall, text: string): NB.NetworkFunctionGroup =>
  find(call.db.rows('Network_Function_Group'), text) ??
  fatal(`${text}: network function group ${kindOf(text)} not found`)

function readId(text: string, what: string): number {
  const id = readNumber(text) ?? 0
  return id >= 1 && id <= 255 ? id : fatal(`${what} id must be between 1 and 255`)
}

function addFunction(call: NbCall): void {
  const [name = '', idText = '', inText = '', outText = ''] = call.args
  const known = find(call.db.rows('Network_Function'), name)
  if (known && !call.has('may-exist')) fatal(`${name}: same name network-function already exists`)
  const id = readId(idText, 'network-function')
  const values = { id, inport: needSwitchPort(call, inText)._uuid, outport: needSwitchPort(call, outText)._uuid }
  if (known) call.db.update('Network_Function', known._uuid, values)
  else call.db.insert('Network_Function', { name, ...values })
}

function listFunctions(call: NbCall): void {
  const port = (uuid: string | undefined) =>
    uuid === undefined ? '' : (call.db.get('Logical_Switch_Port', uuid)?.name ?? '')
  for (const nf of [...call.db.rows('Network_Function')].sort(byName)) {
    call.print(`${nf._uuid} (${nf.name}) id:${nf.id} in:${port(nf.inport)} out:${port(nf.outport)}\n`)
  }
}

function addGroup(call: NbCall): void {
  const [name = '', idText = '', mode = '', ...functions] = call.args
  const known = find(call.db.rows('Network_Function_Group'), name)
  if (known && !call.has('may-exist')) fatal(`${name}: a network-function-group with this name already exists`)
  if (mode !== 'inline') {
    fatal(`Unsupported mode provided for network-function-group:${name}, supported values: inline`)
  }
  const id = readId(idText, 'network-function-group')
  const network_function = sortedSet(functions.map((f) => needFunction(call, f)._uuid))
  const values = { id, mode: 'inline', network_function } as const
  if (known) call.db.update('Network_Function_Group', known._uuid, values)
  else call.db.insert('Network_Function_Group', { name, ...values })
}

function addToGroup(call: NbCall): void {
  const group = needGroup(call, call.arg(0))
  const nf = needFunction(call, call.arg(1))
  if (group.network_function.includes(nf._uuid)) {
    if (call.has('may-exist')) return
    fatal(`network-function ${call.arg(1)} is already added to network-function-group ${call.arg(0)}`)
  }
  call.db.addMember('Network_Function_Group', group._uuid, 'network_function', nf._uuid)
}

function delFromGroup(call: NbCall): void {
  const group = needGroup(call, call.arg(0))
  const nf = needFunction(call, call.arg(1))
  if (!group.network_function.includes(nf._uuid)) {
    if (call.has('if-exists')) return
    fatal(`network-function ${call.arg(0)} is not part of any group`)
  }
  call.db.removeMember('Network_Function_Group', group._uuid, 'network_function', nf._uuid)
}

const NF = ['Network_Function', 'Logical_Switch_Port'] as const
const NFG = ['Network_Function', 'Network_Function_Group'] as const

export const functionCommands: readonly NbCommand[] = [
  {
    name: 'nf-add',
    args: [4, 4],
    usage: 'NETWORK-FUNCTION ID PORT-IN PORT-OUT',
    options: ['may-exist'],
    access: 'rw',
    tables: NF,
    run: addFunction,
  },
  {
    name: 'nf-del',
    args: [1, 1],
    usage: 'NETWORK-FUNCTION',
    options: ['if-exists'],
    access: 'rw',
    tables: NF,
    run: (call) => {
      const known = find(call.db.rows('Network_Function'), call.arg(0))
      if (known) call.db.delete('Network_Function', known._uuid)
      else if (!call.has('if-exists')) needFunction(call, call.arg(0))
    },
  },
  { name: 'nf-list', args: [0, 0], access: 'ro', tables: NF, run: listFunctions },
  {
    name: 'nfg-add',
    args: [3, Number.POSITIVE_INFINITY],
    usage: 'NETWORK-FUNCTION-GROUP ID MODE [NETWORK-FUNCTION]...',
    options: ['may-exist'],
    access: 'rw',
    tables: NFG,
    run: addGroup,
  },
  {
    name: 'nfg-del',
    args: [1, 1],
    usage: 'NETWORK-FUNCTION-GROUP',
    options: ['if-exists'],
    access: 'rw',
    tables: NFG,
    run: (call) => {
      const known = find(call.db.rows('Network_Function_Group'), call.arg(0))
      if (known) call.db.delete('Network_Function_Group', known._uuid)
      else if (!call.has('if-exists')) needGroup(call, call.arg(0))
    },
  },
  {
    name: 'nfg-list',
    args: [0, 0],
    access: 'ro',
    tables: NFG,
    run: (call) => printNamed(call, call.db.rows('Network_Function_Group')),
  },
  {
    name: 'nfg-add-nf',
    args: [2, 2],
    usage: 'NETWORK-FUNCTION-GROUP NETWORK-FUNCTION',
    options: ['may-exist'],
    access: 'rw',
    tables: NFG,
    run: addToGroup,
  },
  {
    name: 'nfg-del-nf',
    args: [2, 2],
    usage: 'NETWORK-FUNCTION-GROUP NETWORK-FUNCTION',
    options: ['if-exists'],
    access: 'rw',
    tables: NFG,
    run: delFromGroup,
  },
]
