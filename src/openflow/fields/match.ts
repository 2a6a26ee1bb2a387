import type { Field, FieldMatch, Match } from './field.ts'
import { F, REGISTERS } from './table.ts'

/** Compares the whole field with a value, or under a mask; bits outside the mask are dropped. */
export function fieldMatch(field: Field, value: bigint | number, mask: bigint | number = field.ones): FieldMatch {
  const m = BigInt(mask) & field.ones
  return { field, value: BigInt(value) & m, mask: m }
}

/**
 * The canonical match of some comparisons, or undefined when two of them contradict each other.
 * Comparisons of the same bits are merged.
 */
export function matchOf(...parts: readonly FieldMatch[]): Match | undefined {
  return canonicalMatch(parts)
}

/** See `matchOf`. */
export function canonicalMatch(parts: Iterable<FieldMatch>): Match | undefined {
  const merged = new Map<Field, FieldMatch>()
  for (const part of parts) {
    for (const p of split(part)) {
      if (p.mask === 0n && !p.field.variable) continue
      const old = merged.get(p.field)
      if (!old) {
        merged.set(p.field, p)
        continue
      }
      const common = old.mask & p.mask
      if ((old.value & common) !== (p.value & common)) return undefined
      merged.set(p.field, { ...old, value: old.value | p.value, mask: old.mask | p.mask })
    }
  }
  return [...merged.values()].sort((a, b) => a.field.index - b.field.index)
}

const XREGS = new Map<Field, readonly [first: number, count: number]>()
for (let i = 0; i < 8; i++) XREGS.set(F[`xreg${i}` as 'xreg0'], [2 * i, 2])
for (let i = 0; i < 4; i++) XREGS.set(F[`xxreg${i}` as 'xxreg0'], [4 * i, 4])

/** A register overlay's registers: xreg1 is reg2 (high half) and reg3. */
export function registersOf(field: Field): readonly [first: number, count: number] | undefined {
  return XREGS.get(field)
}

/** VLAN present: the bit of the tag control word that says so (802.1Q's DEI in Open vSwitch's use). */
export const VLAN_PRESENT = 0x1000n

/** An overlay as the canonical fields under it; others as they are. */
function split(p: FieldMatch): readonly FieldMatch[] {
  const regs = XREGS.get(p.field)
  if (regs) {
    const [first, count] = regs
    return Array.from({ length: count }, (_, i) => {
      const shift = BigInt(32 * (count - 1 - i))
      return fieldMatch(REGISTERS[first + i] as Field, p.value >> shift, (p.mask >> shift) & 0xffffffffn)
    })
  }
  switch (p.field) {
    case F.in_port_oxm:
      return [fieldMatch(F.in_port, p.value & 0xffffn)]
    case F.vlan_vid:
      // Whether OXM's present bit takes part is settled by the codec, which has 13 bits to go by.
      return [fieldMatch(F.vlan_tci, p.value | VLAN_PRESENT, p.mask | VLAN_PRESENT)]
    case F.dl_vlan:
      return [fieldMatch(F.vlan_tci, p.value | VLAN_PRESENT, 0x1fffn)]
    case F.vlan_pcp:
    case F.dl_vlan_pcp:
      return [fieldMatch(F.vlan_tci, (p.value << 13n) | VLAN_PRESENT, 0xf000n)]
    case F.nw_tos:
      return [fieldMatch(F.ip_dscp, p.value >> 2n)]
    default:
      return [p]
  }
}

/** True when both compare the same bits with the same values. */
export function equalMatch(a: Match, b: Match): boolean {
  return (
    a.length === b.length &&
    a.every((x, i) => {
      const y = b[i] as FieldMatch
      return x.field === y.field && x.value === y.value && x.mask === y.mask
    })
  )
}

/** A text that is equal for equal matches only: for maps. */
export function matchKey(match: Match): string {
  let key = ''
  for (const m of match) {
    key += `${m.field.index}:${m.value.toString(36)}`
    if (m.mask !== m.field.ones) key += `/${m.mask.toString(36)}`
    key += ' '
  }
  return key
}

/** The comparison of one field, if the match has one. */
export function find(match: Match, field: Field): FieldMatch | undefined {
  return match.find((m) => m.field === field)
}

/** The exact value that a match requires of a field, if it requires one. */
export function exact(match: Match, field: Field): bigint | undefined {
  const m = find(match, field)
  return m && m.mask === field.ones ? m.value : undefined
}
