import type { IdOf } from '../../ovsdb/client/replica.ts'
import { parseUuid } from '../../ovsdb/schema/index.ts'
import type { NB, Northbound } from '../../schema/index.ts'
import type { Call, Command } from '../command.ts'
import { fatal } from '../error.ts'

export type NbCall = Call<Northbound>
export type NbCommand = Command<Northbound>

/** Only the order of names; chance decides nothing. */
export const byName = (a: { readonly name: string; readonly _uuid: string }, b: typeof a): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : a._uuid < b._uuid ? -1 : 1

type Named = 'Logical_Switch' | 'Logical_Router'

function findNamed<N extends Named>(call: NbCall, table: N, kinds: string, text: string): Northbound[N] | undefined {
  const uuid = parseUuid(text)
  const byUuid = uuid === undefined ? undefined : call.db.get(table, uuid as IdOf<Northbound[N]>)
  if (byUuid) return byUuid
  const found = call.db.rows(table).filter((row) => row.name === text)
  if (found.length > 1) fatal(`Multiple logical ${kinds} named '${text}'.  Use a UUID.`)
  return found[0]
}

export const findSwitch = (call: NbCall, text: string): NB.LogicalSwitch | undefined =>
  findNamed(call, 'Logical_Switch', 'switches', text)

export const findRouter = (call: NbCall, text: string): NB.LogicalRouter | undefined =>
  findNamed(call, 'Logical_Router', 'routers', text)

export function needSwitch(call: NbCall, text: string): NB.LogicalSwitch {
  return findSwitch(call, text) ?? fatal(`${text}: switch ${parseUuid(text) ? 'UUID' : 'name'} not found`)
}

export function needRouter(call: NbCall, text: string): NB.LogicalRouter {
  return findRouter(call, text) ?? fatal(`${text}: router ${parseUuid(text) ? 'UUID' : 'name'} not found`)
}

type Port = 'Logical_Switch_Port' | 'Logical_Router_Port'

function findPort<N extends Port>(call: NbCall, table: N, text: string): Northbound[N] | undefined {
  const uuid = parseUuid(text)
  const byUuid = uuid === undefined ? undefined : call.db.get(table, uuid as IdOf<Northbound[N]>)
  return byUuid ?? call.db.rows(table).find((row) => row.name === text)
}

export const findSwitchPort = (call: NbCall, text: string): NB.LogicalSwitchPort | undefined =>
  findPort(call, 'Logical_Switch_Port', text)

export const findRouterPort = (call: NbCall, text: string): NB.LogicalRouterPort | undefined =>
  findPort(call, 'Logical_Router_Port', text)

const missingPort = (text: string): never => fatal(`${text}: port ${parseUuid(text) ? 'UUID' : 'name'} not found`)

export const needSwitchPort = (call: NbCall, text: string): NB.LogicalSwitchPort =>
  findSwitchPort(call, text) ?? missingPort(text)

export const needRouterPort = (call: NbCall, text: string): NB.LogicalRouterPort =>
  findRouterPort(call, text) ?? missingPort(text)

/** The switch that a port is in. */
export function switchOf(call: NbCall, port: NB.LogicalSwitchPort): NB.LogicalSwitch {
  const found = call.db.rows('Logical_Switch').find((s) => s.ports.includes(port._uuid))
  return found ?? fatal(`logical port ${port.name} is not part of any logical switch`)
}

export function routerOf(call: NbCall, port: NB.LogicalRouterPort): NB.LogicalRouter {
  const found = call.db.rows('Logical_Router').find((r) => r.ports.includes(port._uuid))
  return found ?? fatal(`logical port ${port.name} is not part of any logical router`)
}

/** `UUID (name)` lines in the order of the names. */
export function printNamed(call: NbCall, rows: readonly { readonly _uuid: string; readonly name: string }[]): void {
  for (const row of [...rows].sort(byName)) call.print(`${row._uuid} (${row.name})\n`)
}

export function readPriority(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : -1
  return value >= 0 && value <= 32767 ? value : fatal(`${text}: priority must in range 0...32767`)
}

/** A whole number in decimal, or undefined. */
export const readNumber = (text: string): number | undefined => {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(value) ? value : undefined
}

export function readState(text: string): boolean {
  if (text.toLowerCase() === 'enabled') return true
  if (text.toLowerCase() === 'disabled') return false
  return fatal(`${text}: state must be "enabled" or "disabled"`)
}

/** The `key=value` arguments; what has no `=` is passed over. */
export function readPairs(args: readonly string[]): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>()
  for (const arg of args) {
    const eq = arg.indexOf('=')
    if (eq > 0) pairs.set(arg.slice(0, eq), arg.slice(eq + 1))
  }
  return new Map([...pairs].sort(([a], [b]) => (a < b ? -1 : 1)))
}

export function sortedMap<V>(pairs: Iterable<readonly [string, V]>): ReadonlyMap<string, V> {
  return new Map([...pairs].sort(([a], [b]) => (a < b ? -1 : 1)))
}

export const sortedSet = (members: Iterable<string>): readonly string[] => [...new Set(members)].sort()
