import { OFPP } from '../../openflow/actions/action.ts'
import type { Field, FieldMatch, Match } from '../../openflow/fields/field.ts'
import { fieldMatch } from '../../openflow/fields/match.ts'
import { F, FIELDS } from '../../openflow/fields/table.ts'
import * as K from '../classifier/key.ts'
import { readWhole, type Slots, writeMasked } from '../classifier/slots.ts'

const TUN_METADATA = FIELDS.filter((f) => f.variable)
const REGISTERS = FIELDS.filter((f) => /^reg[0-9]+$/.test(f.name))

/** Pipeline fields that go along with a packet to the controller, where they are not zero. */
const FIELDS_OF_PACKET: readonly Field[] = [
  F.tun_id,
  F.tun_src,
  F.tun_dst,
  F.tun_ipv6_src,
  F.tun_ipv6_dst,
  F.tun_gbp_id,
  F.tun_gbp_flags,
  F.tun_flags,
  F.metadata,
  ...REGISTERS,
  F.pkt_mark,
  F.ct_state,
  F.ct_zone,
  F.ct_mark,
  F.ct_label,
]
const CT_IPV4 = [F.ct_nw_src, F.ct_nw_dst, F.ct_nw_proto, F.ct_tp_src, F.ct_tp_dst]
const CT_IPV6 = [F.ct_ipv6_src, F.ct_ipv6_dst, F.ct_nw_proto, F.ct_tp_src, F.ct_tp_dst]

/** The metadata of a packet as a match (OpenFlow 1.5 §7.2.3, "pipeline match fields"). */
export function metadataOf(key: K.Key, slots: Slots): Match {
  const out: FieldMatch[] = [fieldMatch(F.in_port, key[K.IN_PORT] as number)]
  const add = (f: Field) => {
    const v = readWhole(key, slots, f)
    if (v !== 0n) out.push(fieldMatch(f, v))
  }
  for (const f of FIELDS_OF_PACKET) add(f)
  if (key[K.TUN_METADATA_PRESENT_LOW] !== 0 || key[K.TUN_METADATA_PRESENT_HIGH] !== 0) {
    for (const m of slots.mappings()) {
      const present = key[m.index < 32 ? K.TUN_METADATA_PRESENT_LOW : K.TUN_METADATA_PRESENT_HIGH] as number
      const f = TUN_METADATA[m.index]
      if (f && present & (1 << (m.index & 31)))
        out.push({
          field: f,
          value: readWhole(key, slots, f),
          mask: (1n << BigInt(m.length * 8)) - 1n,
          bytes: m.length,
        })
    }
  }
  if (key[K.CT_NW_PROTO] !== 0) for (const f of key[K.DL_TYPE] === K.ETH_IPV6 ? CT_IPV6 : CT_IPV4) add(f)
  return out.sort((a, b) => a.field.index - b.field.index)
}

/** Puts metadata that a controller sent into a key whose metadata words are zero. */
export function applyMetadata(key: K.Key, slots: Slots, metadata: Match): void {
  key[K.IN_PORT] = OFPP.NONE
  for (const m of metadata) {
    const s = slots.of(m.field)
    if (!s) continue
    const all = (1n << BigInt(s.bits)) - 1n
    writeMasked(key, s, m.value, m.field.variable ? all : m.mask & all)
    if (m.field.variable) {
      const i = m.field.index - F.tun_metadata0.index
      const at = i < 32 ? K.TUN_METADATA_PRESENT_LOW : K.TUN_METADATA_PRESENT_HIGH
      key[at] = (key[at] as number) | (1 << (i & 31))
    }
  }
}
