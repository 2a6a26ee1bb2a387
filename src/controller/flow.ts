import type { Action } from '../openflow/actions/action.ts'
import { OFPP } from '../openflow/actions/action.ts'
import type { Field, FieldMatch, Match, Subfield } from '../openflow/fields/field.ts'
import { fieldMatch, matchKey, matchOf } from '../openflow/fields/match.ts'
import { F } from '../openflow/fields/table.ts'

/** A flow as it should be in the switch. */
export interface Flow {
  readonly table: number
  readonly priority: number
  readonly match: Match
  readonly actions: readonly Action[]
  /** The first 32 bits of the uuid of the row it comes from; 0 for none. */
  readonly cookie: number
}

/** What makes a flow the same flow: two with one key cannot both be in a switch. */
export function flowKey(table: number, priority: number, match: Match): string {
  return `${table},${priority},${matchKey(match)}`
}

/** ovn-architecture(7): the cookie is the first 32 bits of the row's uuid. */
export function cookieOf(uuid: string): number {
  return Number.parseInt(uuid.slice(0, 8), 16)
}

export const is = fieldMatch

/** Bits of a field compared: `bitsAre(F.reg10, 0, 1, 1)`. */
export function bitsAre(field: Field, offset: number, bits: number, value: number): FieldMatch {
  const mask = ((1n << BigInt(bits)) - 1n) << BigInt(offset)
  return fieldMatch(field, BigInt(value) << BigInt(offset), mask)
}

/** VLAN present with this id (`dl_vlan=`). */
export const vlanIs = (id: number): FieldMatch => fieldMatch(F.vlan_tci, 0x1000 | id, 0x1fff)
/** No VLAN header. */
export const noVlan: FieldMatch = fieldMatch(F.vlan_tci, 0, 0x1000)

/** The match of comparisons that cannot contradict each other. */
export function match(...parts: readonly FieldMatch[]): Match {
  const m = matchOf(...parts)
  if (!m) throw new Error('contradictory match')
  return m
}

export function set(field: Field, value: number | bigint, mask: number | bigint = field.ones): Action {
  return { type: 'set_field', field, value: BigInt(value), mask: BigInt(mask) }
}

/** Sets some bits of a field. */
export function setBits(s: Subfield, value: number | bigint): Action {
  const mask = ((1n << BigInt(s.bits)) - 1n) << BigInt(s.offset)
  return { type: 'set_field', field: s.field, value: BigInt(value) << BigInt(s.offset), mask }
}

export function sub(field: Field, offset: number, bits: number): Subfield {
  return { field, offset, bits }
}

export function whole(field: Field): Subfield {
  return { field, offset: 0, bits: field.bits }
}

export function move(src: Subfield, dst: Subfield): Action {
  return { type: 'move', src, dst }
}

export function resubmit(table: number): Action {
  return { type: 'resubmit', port: OFPP.IN_PORT, table }
}

export function output(port: number): Action {
  return { type: 'output', port }
}

/** No action at all: the packet is dropped. */
export const DROP: readonly Action[] = []
