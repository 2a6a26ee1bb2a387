import type { OVS } from '../../schema/index.ts'
import { fatal } from '../error.ts'
import type { VsCall, VsCommand } from './model.ts'

const find = (call: VsCall, name: string): OVS.Datapath | undefined => {
  const uuid = call.db.rows('Open_vSwitch')[0]?.datapaths.get(name)
  return uuid === undefined ? undefined : call.db.get('Datapath', uuid)
}

const need = (call: VsCall): OVS.Datapath => find(call, call.arg(0)) ?? fatal(`datapath ${call.arg(0)} does not exist`)
const listed = (call: VsCall): OVS.Datapath =>
  find(call, call.arg(0)) ?? fatal(`datapath: ${call.arg(0)} record not found`)

function readZone(text: string): number {
  const [, digits] = /^zone=(\d+)$/.exec(text) ?? []
  const zone = Number(digits)
  return digits !== undefined && zone <= 65535 ? zone : fatal(`invalid zone id, ${text}`)
}

function readPlainZone(text: string): number {
  return /^\d+$/.test(text) && Number(text) <= 65535 ? Number(text) : fatal(`invalid zone id, ${text}`)
}

type Timeouts = OVS.CTTimeoutPolicy['timeouts']

const zoneOf = (call: VsCall, datapath: OVS.Datapath, zone: number): OVS.CTZone | undefined => {
  const uuid = datapath.ct_zones.get(zone)
  return uuid === undefined ? undefined : call.db.get('CT_Zone', uuid)
}

function addPolicy(call: VsCall): void {
  const datapath = need(call)
  const id = readZone(call.arg(1))
  const timeouts = new Map<string, number>()
  for (const text of call.args.slice(2)) {
    const [, key, value] = /^(\w+)=(\d+)$/.exec(text) ?? fatal(`${text}: argument is not of the form KEY=SECONDS`)
    timeouts.set(String(key), Number(value))
  }
  const zone = zoneOf(call, datapath, id)
  if (zone?.timeout_policy !== undefined) {
    if (!call.has('may-exist')) fatal(`zone id ${id} already has a policy`)
    call.db.delete('CT_Timeout_Policy', zone.timeout_policy)
  }
  const sorted = new Map([...timeouts].sort(([a], [b]) => (a < b ? -1 : 1)))
  // the database refuses a timeout that it does not know
  const timeout_policy = call.db.insert('CT_Timeout_Policy', { timeouts: sorted as unknown as Timeouts })
  if (zone) call.db.update('CT_Zone', zone._uuid, { timeout_policy })
  else call.db.setKey('Datapath', datapath._uuid, 'ct_zones', id, call.db.insert('CT_Zone', { timeout_policy }))
}

/** Takes one of its settings from a zone, and the zone when it has none left. */
function strip(call: VsCall, datapath: OVS.Datapath, id: number, column: 'timeout_policy' | 'limit'): boolean {
  const zone = zoneOf(call, datapath, id)
  if (!zone || zone[column] === undefined) return false
  const other = column === 'limit' ? zone.timeout_policy : zone.limit
  if (other === undefined) {
    call.db.removeKey('Datapath', datapath._uuid, 'ct_zones', id)
    call.db.delete('CT_Zone', zone._uuid)
  } else call.db.update('CT_Zone', zone._uuid, { [column]: undefined })
  return true
}

function delPolicy(call: VsCall): void {
  const datapath = need(call)
  const id = readZone(call.arg(1))
  if (!strip(call, datapath, id, 'timeout_policy') && !call.has('if-exists')) {
    fatal(`zone id ${id} does not have a policy`)
  }
}

function listPolicies(call: VsCall): void {
  for (const [id, uuid] of listed(call).ct_zones) {
    const policy = call.db.get('CT_Zone', uuid)?.timeout_policy
    const timeouts = policy === undefined ? undefined : call.db.get('CT_Timeout_Policy', policy)?.timeouts
    if (policy === undefined) continue
    const words = timeouts?.size ? [...timeouts].map(([k, v]) => `${k}=${v}`).join(' ') : 'system default'
    call.print(`Zone:${id}, Timeout Policies: ${words}\n`)
  }
}

function setLimit(call: VsCall): void {
  const datapath = need(call)
  const [, which = '', limitText = ''] = call.args
  const id = which === 'default' ? undefined : readPlainZone(which)
  const limit = /^\d+$/.test(limitText) ? Number(limitText) : fatal(`invalid limit, ${limitText}`)
  if (id === undefined) {
    call.db.update('Datapath', datapath._uuid, { ct_zone_default_limit: limit })
    return
  }
  const zone = zoneOf(call, datapath, id)
  if (zone) call.db.update('CT_Zone', zone._uuid, { limit })
  else call.db.setKey('Datapath', datapath._uuid, 'ct_zones', id, call.db.insert('CT_Zone', { limit }))
}

function delLimit(call: VsCall): void {
  const datapath = need(call)
  const which = call.arg(1)
  if (which === 'default') {
    call.db.update('Datapath', datapath._uuid, { ct_zone_default_limit: undefined })
    return
  }
  const id = readPlainZone(which)
  if (!strip(call, datapath, id, 'limit') && !call.has('if-exists')) fatal(`zone_id ${id} does not have a limit`)
}

function listLimits(call: VsCall): void {
  const datapath = listed(call)
  if (datapath.ct_zone_default_limit !== undefined) call.print(`Default, Limit: ${datapath.ct_zone_default_limit}\n`)
  for (const [id, uuid] of datapath.ct_zones) {
    const limit = call.db.get('CT_Zone', uuid)?.limit
    if (limit !== undefined) call.print(`Zone: ${id}, Limit: ${limit}\n`)
  }
}

function listCapabilities(call: VsCall): void {
  const datapath = find(call, call.arg(0)) ?? fatal(`datapath "${call.arg(0)}" record not found`)
  const words = [...datapath.capabilities].map(([k, v]) => `${k}=${v}`)
  call.print(`${words.join(' ')}\n`)
}

const TABLES = ['Open_vSwitch', 'Datapath', 'CT_Zone', 'CT_Timeout_Policy'] as const
const command = (
  name: string,
  args: readonly [number, number],
  usage: string,
  options: readonly string[],
  access: 'ro' | 'rw',
  run: (call: VsCall) => void,
): VsCommand => ({ name, args, usage, options, access, tables: TABLES, run })

export const zoneCommands: readonly VsCommand[] = [
  command('add-zone-tp', [3, 18], 'DATAPATH zone=ZONE POLICIES', ['may-exist'], 'rw', addPolicy),
  command('del-zone-tp', [2, 2], 'DATAPATH zone=ZONE', ['if-exists'], 'rw', delPolicy),
  command('list-zone-tp', [1, 1], 'DATAPATH', [], 'ro', listPolicies),
  command('set-zone-limit', [3, 3], 'DATAPATH ZONE|default LIMIT', [], 'rw', setLimit),
  command('del-zone-limit', [2, 2], 'DATAPATH ZONE|default', ['if-exists'], 'rw', delLimit),
  command('list-zone-limits', [1, 1], 'DATAPATH', [], 'ro', listLimits),
  command('list-dp-cap', [1, 1], 'DATAPATH', [], 'ro', listCapabilities),
]
