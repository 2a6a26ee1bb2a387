import type { Graph } from '../reactive/graph.ts'
import type { Derived } from '../reactive/relation.ts'
import type { SouthboundInputs } from './inputs/inputs.ts'
import { type ChassisRelations, type Interfaces, US } from './interfaces.ts'
import { S } from './strata.ts'

/** A chassis of an HA group. */
export interface HaMember {
  readonly uuid: string
  readonly name: string
  readonly priority: number
}

/** An HA group as this chassis sees it. */
export interface HaGroup {
  readonly uuid: string
  /** Highest priority first; equal ones by name. */
  readonly members: readonly HaMember[]
  /** uuids of the chassis that send to this group without being in it. */
  readonly references: readonly string[]
  /** Whether this chassis is in the group. */
  readonly ours: boolean
  /** Whether this chassis is the one that serves now. */
  readonly active: boolean
}

/**
 * Which chassis serves an HA group: the one with the highest priority that can be reached
 * (ovn-architecture(7), High Availability for Distributed Gateway Ports). A member that reaches
 * nobody holds itself for cut off and serves nothing, unless it is the only one.
 */
export function serves(
  members: readonly HaMember[],
  us: string | undefined,
  isLive: (name: string) => boolean,
  anyLive: boolean,
): boolean {
  if (us === undefined || !members.some((m) => m.name === us)) return false
  if (members.length === 1) return true
  if (!anyLive) return false
  for (const m of members) {
    if (m.name === us) return true
    if (isLive(m.name)) return false
  }
  return false
}

/** By the group's uuid. */
export function declareHa(
  graph: Graph,
  sb: SouthboundInputs,
  chassis: ChassisRelations,
  interfaces: Interfaces,
): Derived<HaGroup> {
  const anyLive = graph.derived<true>('any live chassis', S.LIVE)
  graph.rule('any live chassis', S.LIVE, interfaces.tunnels, (t, out) => {
    if (t.up) out.emit(anyLive, 'any', true)
  })
  const groups = graph.derived<HaGroup>('HA groups', S.HA)
  graph.rule('HA groups', S.HA, sb.HA_Chassis_Group, (row, out) => {
    const members: HaMember[] = []
    for (const uuid of row.ha_chassis) {
      const ha = sb.HA_Chassis.get(uuid)
      const name = ha?.chassis === undefined ? undefined : chassis.names.get(ha.chassis)
      if (ha && name) members.push({ uuid: name.uuid, name: name.name, priority: ha.priority })
    }
    members.sort((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1))
    const us = chassis.us.get(US)?.name
    out.emit(groups, row._uuid, {
      uuid: row._uuid,
      members,
      references: row.ref_chassis,
      ours: members.some((m) => m.name === us),
      active: serves(members, us, (name) => interfaces.live.has(name), anyLive.has('any')),
    })
  })
  return groups
}
