import { parseUuid } from '../../ovsdb/schema/index.ts'
import type { NB } from '../../schema/index.ts'
import { fatal } from '../error.ts'
import { readDirection } from './acls.ts'
import { type NbCall, type NbCommand, needSwitch, readNumber, readPriority } from './lookup.ts'

const rulesOf = (call: NbCall, sw: NB.LogicalSwitch): NB.QoS[] =>
  sw.qos_rules.map((q) => call.db.get('QoS', q)).filter((q) => q !== undefined)

const UINT32 = 4294967295

function add(call: NbCall): void {
  const sw = needSwitch(call, call.arg(0))
  const direction = readDirection(call.arg(1))
  const priority = readPriority(call.arg(2))
  const match = call.arg(3)
  const action = new Map<'dscp' | 'mark', number>()
  const bandwidth = new Map<'burst' | 'rate', number>()
  for (const text of call.args.slice(4)) {
    const [, key = '', value = ''] = /^(dscp|rate|burst|mark)=(.*)$/.exec(text) ?? []
    const n = readNumber(value) ?? -1
    if (key === 'dscp') action.set('dscp', n >= 0 && n <= 63 ? n : fatal(`${value}: dscp must be in the range 0...63`))
    else if (key === 'mark') {
      if (n < 0 || n > UINT32) fatal(`${value}: mark must be a positive integer`)
      if (n > 0) action.set('mark', n)
    } else if (key === 'rate') bandwidth.set('rate', n >= 1 && n <= UINT32 ? n : outOf(value, 'rate', 1))
    else if (key === 'burst') bandwidth.set('burst', n >= 1 && n <= UINT32 ? n : outOf(value, 'burst', 1))
    else fatal(`${text}: supported arguments are "dscp=", "rate=", "burst=" and "mark="`)
  }
  if (!action.size && !bandwidth.has('rate')) fatal('Either "mark", "rate" and/or "dscp" must be specified')
  const same = rulesOf(call, sw).some((q) => q.direction === direction && q.priority === priority && q.match === match)
  if (same) {
    if (call.has('may-exist')) return
    fatal(`Same qos already existed on the ls ${call.arg(0)}.`)
  }
  const values = { direction, priority, match, action: sorted(action), bandwidth: sorted(bandwidth) }
  call.db.addMember('Logical_Switch', sw._uuid, 'qos_rules', call.db.insert('QoS', values))
}

const outOf = (text: string, what: string, low: number): never =>
  fatal(`${text}: ${what} must be in the range ${low}...${UINT32}`)

const sorted = <K extends string>(map: ReadonlyMap<K, number>): ReadonlyMap<K, number> =>
  new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)))

function del(call: NbCall): void {
  const sw = needSwitch(call, call.arg(0))
  const [, first, priorityText, match] = call.args
  const uuid = first === undefined ? undefined : parseUuid(first)
  if (priorityText !== undefined && match === undefined) fatal('cannot specify priority without match')
  let gone = rulesOf(call, sw)
  if (uuid !== undefined) {
    gone = gone.filter((q) => q._uuid === uuid)
    if (!gone.length) fatal('uuid is not found')
  } else if (first !== undefined) {
    const direction = readDirection(first)
    const priority = priorityText === undefined ? undefined : readPriority(priorityText)
    gone = gone.filter(
      (q) => q.direction === direction && (priority === undefined || (q.priority === priority && q.match === match)),
    )
  }
  for (const rule of gone) {
    call.db.removeMember('Logical_Switch', sw._uuid, 'qos_rules', rule._uuid)
    call.db.delete('QoS', rule._uuid)
  }
}

function list(call: NbCall): void {
  const rules = rulesOf(call, needSwitch(call, call.arg(0)))
  rules.sort(
    (a, b) =>
      (a.direction < b.direction ? -1 : a.direction > b.direction ? 1 : 0) ||
      b.priority - a.priority ||
      (a.match < b.match ? -1 : 1),
  )
  for (const q of rules) {
    const words = [...q.bandwidth].sort(([a], [b]) => (a > b ? -1 : 1)).concat([...q.action] as never)
    const settings = words.map(([k, v]) => ` ${k}=${v}`).join('')
    call.print(`${q.direction.padStart(10)} ${String(q.priority).padStart(5)} (${q.match})${settings}\n`)
  }
}

function meterAdd(call: NbCall): void {
  const [name = '', action = '', rateText = '', unit = '', burstText] = call.args
  const known = call.db.rows('Meter').find((m) => m.name === name)
  if (known && !call.has('may-exist')) fatal(`meter with name "${name}" already exists`)
  if (name.startsWith('__')) fatal('meter names that begin with "__" are reserved')
  if (action !== 'drop') fatal('action must be "drop"')
  const rate = readNumber(rateText) ?? 0
  if (rate < 1 || rate > UINT32) fatal(`rate must be in the range 1...${UINT32}`)
  if (unit !== 'kbps' && unit !== 'pktps') fatal('unit must be "kbps" or "pktps"')
  const burst = burstText === undefined ? 0 : (readNumber(burstText) ?? -1)
  if (burst < 0 || burst > UINT32) fatal(`burst must be in the range 0...${UINT32}`)
  const band = call.db.insert('Meter_Band', { action, rate, burst_size: burst })
  if (known) {
    for (const old of known.bands) call.db.delete('Meter_Band', old)
    call.db.update('Meter', known._uuid, { unit, bands: [band], ...(call.has('fair') ? { fair: true } : {}) })
    return
  }
  call.db.insert('Meter', { name, unit, bands: [band], ...(call.has('fair') ? { fair: true } : {}) })
}

function meterDel(call: NbCall): void {
  for (const meter of call.db.rows('Meter')) {
    if (call.args[0] === undefined || meter.name === call.args[0]) call.db.delete('Meter', meter._uuid)
  }
}

function meterList(call: NbCall): void {
  const meters = [...call.db.rows('Meter')].sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const meter of meters) {
    call.print(`${meter.name}:${meter.fair ? ' (fair)' : ''} bands:\n`)
    for (const uuid of meter.bands) {
      const band = call.db.get('Meter_Band', uuid)
      if (!band) continue
      const what = meter.unit === 'kbps' ? 'kb' : 'packet'
      const burst = band.burst_size ? `, ${band.burst_size} ${what} burst` : ''
      call.print(`  ${band.action}: ${band.rate} ${meter.unit}${burst}\n`)
    }
  }
}

const QOS = ['Logical_Switch', 'QoS'] as const
const METERS = ['Meter', 'Meter_Band'] as const

export const qosCommands: readonly NbCommand[] = [
  {
    name: 'qos-add',
    args: [5, 7],
    usage: 'SWITCH DIRECTION PRIORITY MATCH [rate=RATE [burst=BURST]] [dscp=DSCP] [mark=MARK]',
    options: ['may-exist'],
    access: 'rw',
    tables: QOS,
    run: add,
  },
  {
    name: 'qos-del',
    args: [1, 4],
    usage: 'SWITCH [{DIRECTION | UUID} [PRIORITY MATCH]]',
    access: 'rw',
    tables: QOS,
    run: del,
  },
  { name: 'qos-list', args: [1, 1], usage: 'SWITCH', access: 'ro', tables: QOS, run: list },
  {
    name: 'meter-add',
    args: [4, 5],
    usage: 'NAME ACTION RATE UNIT [BURST]',
    options: ['fair', 'may-exist'],
    access: 'rw',
    tables: METERS,
    run: meterAdd,
  },
  { name: 'meter-del', args: [0, 1], usage: '[NAME]', access: 'rw', tables: METERS, run: meterDel },
  { name: 'meter-list', args: [0, 0], access: 'ro', tables: METERS, run: meterList },
]
