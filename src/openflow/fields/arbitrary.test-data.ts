import fc from 'fast-check'
import type { Field, FieldMatch, Match } from './field.ts'
import { canonicalMatch, fieldMatch } from './match.ts'
import { satisfies } from './prerequisite.ts'
import { F, FIELDS } from './table.ts'

/** Unsigned integers of a field's width, small ones often. */
export function arbitraryValue(field: Field): fc.Arbitrary<bigint> {
  return fc.oneof(fc.bigInt({ min: 0n, max: field.ones }), fc.constantFrom(0n, 1n, field.ones))
}

const PROTOCOLS: readonly (readonly FieldMatch[])[] = [
  [],
  [fieldMatch(F.eth_type, 0x0806)],
  [fieldMatch(F.eth_type, 0x8847)],
  [fieldMatch(F.eth_type, 0x894f)],
  [fieldMatch(F.eth_type, 0x0800)],
  [fieldMatch(F.eth_type, 0x86dd)],
  ...[1, 6, 17, 132, 47].map((p) => [fieldMatch(F.eth_type, 0x0800), fieldMatch(F.nw_proto, p)]),
  ...[58, 6, 17, 132].map((p) => [fieldMatch(F.eth_type, 0x86dd), fieldMatch(F.nw_proto, p)]),
  [
    fieldMatch(F.eth_type, 0x86dd),
    fieldMatch(F.nw_proto, 58),
    fieldMatch(F.icmpv6_type, 135),
    fieldMatch(F.icmpv6_code, 0),
  ],
  [
    fieldMatch(F.eth_type, 0x86dd),
    fieldMatch(F.nw_proto, 58),
    fieldMatch(F.icmpv6_type, 136),
    fieldMatch(F.icmpv6_code, 0),
  ],
]

/** Fields that have values of their own or are written as others. */
const SPECIAL = new Set([
  F.dp_hash,
  F.recirc_id,
  F.skb_priority,
  F.in_port_oxm,
  F.packet_type,
  F.eth_type,
  F.vlan_vid,
  F.vlan_pcp,
  F.dl_vlan,
  F.dl_vlan_pcp,
  F.nw_tos,
  F.nw_proto,
  F.actset_output,
  F.ct_state,
  F.ip_frag,
  F.tun_gtpu_flags,
  F.tun_gtpu_msgtype,
  F.tun_gbp_flags,
])

/** Fields to try at random: each has a wire number, and no more than one way to be written. */
const PLAIN = FIELDS.filter(
  (f) => !SPECIAL.has(f) && f.codes.length > 0 && !f.variable && !/^x+reg|^nsh|erspan|^ct_(nw|ipv6|tp)/.test(f.name),
)

function one(field: Field): fc.Arbitrary<FieldMatch> {
  if (field === F.vlan_tci) {
    return fc
      .tuple(
        fc.bigInt({ min: 0n, max: 0xfffn }),
        fc.bigInt({ min: 0n, max: 7n }),
        fc.constantFrom(0x1fffn, 0xf000n, 0xffffn, 0x1000n),
      )
      .map(([vid, pcp, mask]) => fieldMatch(field, (pcp << 13n) | 0x1000n | vid, mask))
  }
  if (field.format === 'port') return fc.bigInt({ min: 1n, max: 0xfeffn }).map((v) => fieldMatch(field, v))
  if (field === F.arp_op) return fc.bigInt({ min: 0n, max: 255n }).map((v) => fieldMatch(field, v))
  if (!field.maskable) return arbitraryValue(field).map((v) => fieldMatch(field, v))
  return fc
    .tuple(arbitraryValue(field), fc.option(arbitraryValue(field), { nil: field.ones }))
    .map(([value, mask]) => fieldMatch(field, value, mask))
}

/** Canonical matches whose prerequisites are met. */
export const arbitraryMatch: fc.Arbitrary<Match> = fc
  .tuple(
    fc.constantFrom(...PROTOCOLS),
    fc.array(
      fc.constantFrom(...PLAIN).chain((f) => one(f)),
      { maxLength: 8 },
    ),
    fc.option(fc.constantFrom(...[0x21n, 0x22n, 0x2an, 0x24n].map((v) => fieldMatch(F.ct_state, v, v | 0x10n))), {
      nil: undefined,
    }),
  )
  .map(([protocol, parts, ct]) => {
    const base = canonicalMatch([...protocol, ...(ct ? [ct] : [])]) ?? []
    const seen = new Set(base.map((m) => m.field))
    const more = parts.filter((p) => {
      if (seen.has(p.field) || !satisfies(base, p.field.prerequisite)) return false
      seen.add(p.field)
      return true
    })
    return canonicalMatch([...base, ...more]) ?? []
  })
