/** How a field's value is written by ovs-ofctl (ovs-fields(7), "Format"). */
export type FieldFormat =
  | 'decimal'
  | 'hexadecimal'
  | 'ethernet'
  | 'ipv4'
  | 'ipv6'
  | 'port'
  | 'frag'
  | 'tunnel-flags'
  | 'tcp-flags'
  | 'ct-state'
  | 'packet-type'

/** What a packet or flow must be for the field to exist (ovs-fields(7), "Prerequisites"). */
export type Prerequisite =
  | 'none'
  | 'ct'
  | 'ethernet'
  | 'vlan'
  | 'mpls'
  | 'ipv4'
  | 'ipv6'
  | 'ip'
  | 'arp'
  | 'nsh'
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'icmp4'
  | 'icmp6'
  | 'nd'
  | 'nd-solicit'
  | 'nd-advert'

/** A number that names a field on the wire: OXM class, field, and the experimenter where class is 0xffff. */
export interface FieldCode {
  /** `NXM_NX_REG0`, `OXM_OF_ETH_DST`: as `ovs-ofctl` prints it in `move` and `load`. */
  readonly name: string
  /** 0x0000, 0x0001 (NXM), 0x8000 (OXM) or 0xffff (experimenter). */
  readonly class: number
  /** 7 bits. */
  readonly number: number
  /** Experimenter id, 0 where class is not 0xffff. */
  readonly experimenter: number
  /** First OpenFlow version (wire number: 1 is 1.0, 4 is 1.3, 6 is 1.5) whose encoding prefers it; 0 for NXM. */
  readonly since: number
}

/**
 * One match field of ovs-fields(7). There is one object for each, compared by identity; `index` is
 * small and dense (an array position), and rises in the order in which a match is put on the wire.
 */
export interface Field {
  readonly index: number
  /** The common name: `eth_src`, `reg0`, `ct_state`. */
  readonly name: string
  /** The second name, if it has one: `dl_src` for `eth_src`. */
  readonly alias: string | undefined
  /** Bits that may be nonzero: 12 for `vlan_vid`. */
  readonly bits: number
  /** Bytes on the wire; 124 at most for `tun_metadata`, whose length varies. */
  readonly bytes: number
  readonly variable: boolean
  readonly maskable: boolean
  readonly writable: boolean
  readonly format: FieldFormat
  readonly prerequisite: Prerequisite
  /** NXM code first, if there is one, then OXM codes by version. */
  readonly codes: readonly FieldCode[]
  /** All `bits` set. */
  readonly ones: bigint
}

/** Bits `offset` to `offset + bits - 1` of a field, bit 0 being the least significant. */
export interface Subfield {
  readonly field: Field
  readonly offset: number
  readonly bits: number
}

/**
 * A field compared under a mask: `value` has no bit outside `mask`, and `mask` equals `field.ones`
 * where the whole field is compared.
 *
 * Values are unsigned integers of `field.bits` bits. `in_port` holds 16-bit OpenFlow 1.0 port
 * numbers (`0xfffe` is LOCAL) whatever the version on the wire. `vlan_tci` has bit 12 set where a
 * VLAN header is present.
 */
export interface FieldMatch {
  readonly field: Field
  readonly value: bigint
  readonly mask: bigint
  /** Bytes on the wire of a `tun_metadata` field, where known. */
  readonly bytes?: number
}

/**
 * A conjunction of field comparisons, canonical: ordered by `field.index`, at most one entry a
 * field, none with a zero mask, and no overlapping fields (`canonicalMatch` sees to it: registers
 * as `reg0`..`reg15`, VLAN as `vlan_tci`, ports as `in_port`, DSCP as `ip_dscp`). Built with
 * `matchOf`; empty matches everything.
 */
export type Match = readonly FieldMatch[]

/** The mask of a subfield, in place. */
export function subfieldMask(s: Subfield): bigint {
  return ((1n << BigInt(s.bits)) - 1n) << BigInt(s.offset)
}

export function wholeField(field: Field): Subfield {
  return { field, offset: 0, bits: field.bits }
}
