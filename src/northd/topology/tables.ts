import type { Graph, Input } from '../../reactive/index.ts'
import type { Northbound } from '../../schema/northbound.ts'
import type { Southbound } from '../../schema/southbound.ts'

/** The tables of a database as inputs of a graph, rows by uuid. */
export type Tables<T> = { readonly [N in keyof T & string]: Input<T[N]> }

/**
 * The northbound is an input whole. Of the southbound, northd reads only what others write there:
 * chassis, learned bindings, status. The rest is its output, and no rule reads it.
 */
export const SOUTHBOUND_INPUTS = [
  'Chassis',
  'Chassis_Private',
  'Encap',
  'MAC_Binding',
  'FDB',
  'IGMP_Group',
  'Service_Monitor',
  'BFD',
  'Learned_Route',
  'ECMP_Nexthop',
] as const satisfies readonly (keyof Southbound)[]

export type SouthboundInput = (typeof SOUTHBOUND_INPUTS)[number]

export type NorthboundTables = Tables<Northbound>
export type SouthboundTables = Tables<Pick<Southbound, SouthboundInput>>

export function inputTables<T>(graph: Graph, prefix: string, names: Iterable<string>): Tables<T> {
  const out: Record<string, unknown> = {}
  for (const name of names) out[name] = graph.input(`${prefix}.${name}`)
  return out as Tables<T>
}
