import type { Integer, LoweredFlow, LoweredMatch, NameSets } from '../../logical/index.ts'
import { Lexer } from '../../logical/index.ts'
import type { Field, FieldMatch, Match } from '../../openflow/fields/field.ts'
import { fieldMatch, matchKey } from '../../openflow/fields/match.ts'

/**
 * Large address sets, a member at a time. A match that names one set once, `ip4.src == $blocked &&
 * tcp`, has for each member a flow that differs only in the address. It is lowered with two
 * addresses that stand for all; what comes out for one of them is the template for every member.
 * Where the two do not come out alike (`!=`, other addresses beside the set) there is no template.
 */

/** What the members of a set look like, as far as it decides about the form of the flows. */
export type SetShape = 'ipv4' | 'ipv6' | 'ethernet'

/** A flow but for one comparison: the address of a member. */
export interface FlowTemplate {
  readonly flow: LoweredFlow
  readonly field: Field
}

export interface Split {
  /** What does not depend on the set. */
  readonly rest: LoweredMatch
  readonly templates: readonly FlowTemplate[]
}

const STAND_INS: Readonly<Record<SetShape, readonly [bigint, bigint]>> = {
  ipv4: [0x7f7f_7f01n, 0x7f80_8002n],
  ipv6: [0x0100_7f7f_7f7f_7f7f_7f7f_7f7f_7f7f_7f01n, 0x0100_8080_8080_8080_8080_8080_8080_8002n],
  ethernet: [0x02fe_7f7f_7f01n, 0x02fe_8080_8002n],
}

/** The only address set that a match names, if it names one, once. */
export function onlySet(match: string): string | undefined {
  const at = match.indexOf('$')
  if (at < 0 || match.indexOf('$', at + 1) >= 0) return undefined
  return /^[A-Za-z_.][A-Za-z_.0-9]*/.exec(match.slice(at + 1))?.[0]
}

const SHAPES: readonly (readonly [SetShape, RegExp])[] = [
  ['ipv4', /^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?:\/[\d.]+)?$/],
  ['ethernet', /^(?:[0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}$/],
  ['ipv6', /^[0-9a-fA-F:.]*::?[0-9a-fA-F:.]*(?:\/[0-9a-fA-F:.]+)?$/],
]

/** The shape of a set with several members, all of one kind. */
export function shapeOf(members: readonly string[]): SetShape | undefined {
  const [first] = members
  if (first === undefined || members.length < 2) return undefined
  const shape = SHAPES.find(([, form]) => form.test(first))
  return shape && members.every((m) => shape[1].test(m)) ? shape[0] : undefined
}

/** The sets of a match, with stand-ins for the members of one. */
export function standIns(sets: NameSets, name: string, shape: SetShape): NameSets {
  return {
    addressSet: (n) =>
      n === name ? STAND_INS[shape].map((value): Integer => ({ format: shape, value })) : sets.addressSet(n),
    portGroup: (n) => sets.portGroup(n),
  }
}

/** Takes apart what was lowered with stand-ins; undefined where they did not come out alike. */
export function split(lowered: LoweredMatch, shape: SetShape): Split | undefined {
  const [one, other] = STAND_INS[shape]
  const rest: LoweredFlow[] = []
  const templates: FlowTemplate[] = []
  const expected = new Set<string>()
  const counterparts = new Set<string>()
  for (const flow of lowered.flows) {
    const mine = standing(flow.match, one)
    const others = standing(flow.match, other)
    if (mine && others) return undefined
    if (mine) {
      const match = flow.match.filter((m) => m !== mine)
      templates.push({ flow: { ...flow, match }, field: mine.field })
      expected.add(`${mine.field.index} ${matchKey(match)} ${describe(flow)}`)
    } else if (others) {
      counterparts.add(`${others.field.index} ${matchKey(flow.match.filter((m) => m !== others))} ${describe(flow)}`)
    } else rest.push(flow)
  }
  if (!templates.length || expected.size !== counterparts.size) return undefined
  for (const key of expected) if (!counterparts.has(key)) return undefined
  return { rest: { ...lowered, flows: rest }, templates }
}

function standing(match: Match, value: bigint): FieldMatch | undefined {
  return match.find((m) => m.value === value && m.mask === m.field.ones)
}

function describe(flow: LoweredFlow): string {
  return `${flow.conjunction ?? ''} ${(flow.parts ?? []).map((p) => `${p.id}/${p.clause}/${p.clauses}`).join()}`
}

/** The comparison of a template's field with a member; undefined where the member is of another kind. */
export function memberMatch(field: Field, member: string): FieldMatch | undefined {
  const integer = new Lexer(member).token.integer
  if (!integer) return undefined
  const bits = integer.format === 'ipv4' ? 32 : integer.format === 'ipv6' ? 128 : integer.format === 'ethernet' ? 48 : 0
  if (bits !== field.bits) return undefined
  return fieldMatch(field, integer.value, integer.mask ?? field.ones)
}
