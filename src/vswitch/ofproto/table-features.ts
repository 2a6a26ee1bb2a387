import { Writer } from '../../base/bytes.ts'
import type { Field } from '../../openflow/fields/field.ts'
import { codeOf } from '../../openflow/fields/oxm.ts'
import { FIELDS } from '../../openflow/fields/table.ts'
import type { StatsReply } from '../../openflow/messages/multipart.ts'
import type { Slots } from '../classifier/slots.ts'
import { type Bridge, TABLES } from './bridge.ts'

/** OFPMP_TABLE_FEATURES and OFPMP_TABLE_DESC: the same numbers since 1.3 and 1.4. */
export const TABLE_FEATURES = 12
export const TABLE_DESC = 14

/** A part of the answer has at most 64 kB. */
const PART = 60_000
const MAX_ENTRIES = 1_000_000
/** Goto, metadata, write, apply, clear (OFPIT_*). */
const INSTRUCTIONS = [1, 2, 3, 4, 5]
/** Output, MPLS TTL, VLAN and MPLS tags, queue, group, TTL, set-field (OFPAT_*). */
const ACTIONS = [0, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25]

const VERSION_13 = 4

function property(w: Writer, type: number, body: (w: Writer) => void): void {
  const start = w.length
  w.u16(type).u16(0)
  body(w)
  w.patch16(start + 2, w.length - start)
  w.align(8, start)
}

function oxm(w: Writer, fields: readonly Field[], masked: boolean): void {
  for (const f of fields) {
    const c = codeOf(f, VERSION_13)
    if (!c) continue
    const length = f.bytes * (masked && f.maskable ? 2 : 1) + (c.experimenter ? 4 : 0)
    w.u16(c.class).u8((c.number << 1) | (masked && f.maskable ? 1 : 0))
    w.u8(length)
    if (c.experimenter) w.u32(c.experimenter)
  }
}

let cached: Uint8Array[] | undefined

/** What each table can do (OpenFlow 1.3 §7.3.5.5): all of them all. In parts. */
export function tableFeatures(slots: Slots): StatsReply[] {
  cached ??= features(slots)
  return cached.map((body) => ({ kind: 'unknown', statsType: TABLE_FEATURES, body }))
}

function features(slots: Slots): Uint8Array[] {
  const match = FIELDS.filter((f) => !f.variable && slots.of(f))
  const writable = match.filter((f) => f.writable)
  const parts: Uint8Array[] = []
  let w = new Writer(PART)
  for (let id = 0; id < TABLES; id++) {
    const t = new Writer(4096)
    t.u16(0).u8(id).u8(0).u32(0).zeros(32)
    t.u64(0xffffffffffffffffn).u64(0xffffffffffffffffn).u32(0).u32(MAX_ENTRIES)
    for (const miss of [0, 1]) {
      property(t, miss, (p) => {
        for (const i of INSTRUCTIONS) if (i !== 1 || id < TABLES - 1) p.u16(i).u16(4)
      })
      property(t, 2 + miss, (p) => {
        for (let n = id + 1; n < TABLES; n++) p.u8(n)
      })
      for (const which of [4, 6]) {
        property(t, which + miss, (p) => {
          for (const a of ACTIONS) p.u16(a).u16(4)
        })
      }
      for (const which of [12, 14]) property(t, which + miss, (p) => oxm(p, writable, false))
    }
    property(t, 8, (p) => oxm(p, match, true))
    property(t, 10, (p) => oxm(p, match, false))
    t.patch16(0, t.length)
    if (w.length + t.length > PART) {
      parts.push(w.done().slice())
      w = new Writer(PART)
    }
    w.bytes(t.done())
  }
  parts.push(w.done().slice())
  return parts
}

/** How each table is set up (OpenFlow 1.4 §7.3.5.18). */
export function tableDescriptions(bridge: Bridge): StatsReply[] {
  const w = new Writer(TABLES * 16)
  for (let id = 0; id < TABLES; id++) {
    // length, table, configuration; one property: what eviction goes by
    w.u16(16)
      .u8(id)
      .u8(0)
      .u32(bridge.table(id).evict ? 1 : 0)
    w.u16(2).u16(8).u32(7)
  }
  return [{ kind: 'unknown', statsType: TABLE_DESC, body: w.done().slice() }]
}
