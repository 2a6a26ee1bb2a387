import { parseIp } from '../../address/ip.ts'
import { parseUuid } from '../../ovsdb/schema/index.ts'
import type { NB } from '../../schema/index.ts'
import { fatal } from '../error.ts'
import { byName, type NbCall, type NbCommand, needSwitchPort, readNumber, readPriority } from './lookup.ts'

function needMirror(call: NbCall, text: string): NB.Mirror {
  const uuid = parseUuid(text)
  const mirror = call.db.rows('Mirror').find((m) => m._uuid === uuid || m.name === text)
  return mirror ?? fatal(`${text}: mirror ${uuid ? 'UUID' : 'name'} not found`)
}

/** Only the first letter counts. */
function readFilter(text: string): NB.Mirror['filter'] {
  if (text.startsWith('t')) return 'to-lport'
  if (text.startsWith('f')) return 'from-lport'
  if (text.startsWith('b')) return 'both'
  return fatal(`${text}: selection must be "to-lport", "from-lport", or "both"`)
}

function add(call: NbCall): void {
  const name = call.arg(0)
  if (call.db.rows('Mirror').some((m) => m.name === name)) fatal(`Mirror with ${name} name already exists.`)
  const type = call.arg(1)
  if (type !== 'gre' && type !== 'erspan' && type !== 'local' && type !== 'lport') {
    fatal(`${type}: type must be "gre", "erspan", or "local" or "lport"`)
  }
  const tunnel = type === 'gre' || type === 'erspan'
  const rest = call.args.slice(2)
  let index = 0
  if (tunnel) {
    index = readNumber(rest.shift() ?? '') ?? fatal('Invalid Index')
    if (rest.length < 2) fatal(`'mirror-add' command requires a filter and a sink for type ${type}`)
  }
  const [filterText = '', sink = ''] = rest
  const filter = readFilter(filterText)
  if (tunnel && parseIp(sink) === undefined) fatal(`Invalid sink ip: ${sink}`)
  if (type === 'lport' && !call.db.rows('Logical_Switch_Port').some((p) => p.name === sink)) {
    call.warn('nbctl', `Attaching target to non existing port with name ${sink}.`)
  }
  call.db.insert('Mirror', { name, type, index, filter, sink })
}

function del(call: NbCall): void {
  const [name] = call.args
  for (const m of call.db.rows('Mirror')) if (name === undefined || m.name === name) call.db.delete('Mirror', m._uuid)
}

const rulesOf = (call: NbCall, mirror: NB.Mirror): NB.MirrorRule[] =>
  mirror.mirror_rules.map((r) => call.db.get('Mirror_Rule', r)).filter((r) => r !== undefined)

function list(call: NbCall): void {
  for (const m of [...call.db.rows('Mirror')].sort(byName)) {
    call.print(`${m.name}:\n  Type     :  ${m.type}\n  Sink     :  ${m.sink}\n  Filter   :  ${m.filter}\n`)
    if (m.type === 'gre' || m.type === 'erspan') call.print(`  Index/Key:  ${m.index}\n`)
    const rules = rulesOf(call, m).sort((a, b) => a.priority - b.priority || (a.match < b.match ? -1 : 1))
    if (rules.length) call.print('  Rules    :\n')
    for (const r of rules) {
      call.print(`  ${String(r.priority).padStart(10)} ${r.match.padStart(30)} ${r.action.padStart(15)}\n`)
    }
    call.print('\n')
  }
}

function addRule(call: NbCall): void {
  const mirror = needMirror(call, call.arg(0))
  const priority = readPriority(call.arg(1))
  const match = call.arg(2)
  const action = call.arg(3)
  if (action !== 'mirror' && action !== 'skip') fatal(`${action}: action must be one of "mirror", "skip"`)
  if (rulesOf(call, mirror).some((r) => r.priority === priority && r.match === match)) {
    fatal(`Same mirror-rule already exists on the mirror ${mirror.name}.`)
  }
  const uuid = call.db.insert('Mirror_Rule', { priority, match, action })
  call.db.addMember('Mirror', mirror._uuid, 'mirror_rules', uuid)
}

function delRule(call: NbCall): void {
  const mirror = needMirror(call, call.arg(0))
  const [, priorityText, match] = call.args
  const priority = priorityText === undefined ? undefined : readPriority(priorityText)
  for (const r of rulesOf(call, mirror)) {
    if (priority !== undefined && r.priority !== priority) continue
    if (match !== undefined && r.match !== match) continue
    call.db.removeMember('Mirror', mirror._uuid, 'mirror_rules', r._uuid)
    call.db.delete('Mirror_Rule', r._uuid)
  }
}

function attach(call: NbCall): void {
  const port = needSwitchPort(call, call.arg(0))
  const mirror = needMirror(call, call.arg(1))
  if (port.mirror_rules.includes(mirror._uuid)) {
    if (call.has('may-exist')) return
    fatal(`mirror ${call.arg(1)} is already attached to the logical port ${call.arg(0)}.`)
  }
  call.db.addMember('Logical_Switch_Port', port._uuid, 'mirror_rules', mirror._uuid)
}

const MIRRORS = ['Mirror', 'Mirror_Rule', 'Logical_Switch_Port'] as const
const ATTACH = ['Mirror', 'Logical_Switch_Port'] as const

export const mirrorCommands: readonly NbCommand[] = [
  {
    name: 'mirror-add',
    args: [4, 5],
    usage: 'NAME TYPE [INDEX] FILTER {IP | MIRROR-ID | TARGET-PORT}',
    options: ['may-exist'],
    access: 'rw',
    tables: MIRRORS,
    run: add,
  },
  { name: 'mirror-del', args: [0, 1], usage: '[NAME]', access: 'rw', tables: MIRRORS, run: del },
  { name: 'mirror-list', args: [0, 0], access: 'ro', tables: MIRRORS, run: list },
  {
    name: 'mirror-rule-add',
    args: [4, 4],
    usage: 'MIRROR PRIORITY MATCH ACTION',
    access: 'rw',
    tables: MIRRORS,
    run: addRule,
  },
  {
    name: 'mirror-rule-del',
    args: [1, 3],
    usage: 'MIRROR [PRIORITY [MATCH]]',
    access: 'rw',
    tables: MIRRORS,
    run: delRule,
  },
  {
    name: 'lsp-attach-mirror',
    args: [2, 2],
    usage: 'PORT MIRROR',
    options: ['may-exist'],
    access: 'rw',
    tables: ATTACH,
    run: attach,
  },
  {
    name: 'lsp-detach-mirror',
    args: [2, 2],
    usage: 'PORT MIRROR',
    access: 'rw',
    tables: ATTACH,
    run: (call) => {
      const port = needSwitchPort(call, call.arg(0))
      call.db.removeMember('Logical_Switch_Port', port._uuid, 'mirror_rules', needMirror(call, call.arg(1))._uuid)
    },
  },
]
