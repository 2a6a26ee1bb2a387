import type { Reader, Writer } from '../../base/bytes.ts'
import { fault } from '../messages/fault.ts'
import type { Field, FieldCode, FieldMatch, Match } from './field.ts'
import { canonicalMatch, VLAN_PRESENT } from './match.ts'
import { missingPrerequisite } from './prerequisite.ts'
import { F, fieldByCode, REGISTERS } from './table.ts'

// OpenFlow 1.5 §7.2.3 (OXM) and nicira-ext.h (NXM): a TLV a field, header class(16) field(7) mask(1) length(8).

/** The first OpenFlow version (wire number) with OXM in its flow matches. */
const OXM_SINCE = 3

interface Header {
  readonly field: Field | undefined
  readonly masked: boolean
  /** Bytes of value and mask together. */
  readonly length: number
}

function readHeader(r: Reader): Header {
  const cls = r.u16()
  const fm = r.u8()
  let length = r.u8()
  let experimenter = 0
  if (cls === 0xffff) {
    if (length < 4) fault('OFPBMC_BAD_LEN')
    experimenter = r.u32()
    length -= 4
  }
  return { field: fieldByCode(cls, fm >> 1, experimenter), masked: (fm & 1) === 1, length }
}

/** The code under which a version writes a field: NXM before 1.2 (and in Nicira's actions), else the newest OXM it knows. */
export function codeOf(field: Field, version: number): FieldCode | undefined {
  let best: FieldCode | undefined
  for (const c of field.codes) {
    if (!best) best = c
    else if (version >= OXM_SINCE && c.since && c.since <= version && c.since >= best.since) best = c
  }
  return best
}

function writeHeader(w: Writer, field: Field, version: number, masked: boolean, length: number): void {
  const code = codeOf(field, version)
  if (!code) throw new Error(`field ${field.name} has no number on the wire`)
  const experimenter = code.class === 0xffff
  w.u16(code.class)
    .u8((code.number << 1) | (masked ? 1 : 0))
    .u8(length + (experimenter ? 4 : 0))
  if (experimenter) w.u32(code.experimenter)
}

/** A bare header, which names a field in an action; `version` 0 asks for the NXM number. */
export function writeFieldName(w: Writer, field: Field, version: number): void {
  writeHeader(w, field, version, false, wireBytes(field, version))
}

/** The field that a bare header in an action names. */
export function readFieldName(r: Reader): Field {
  const h = readHeader(r)
  if (!h.field) fault('OFPBAC_BAD_SET_TYPE')
  if (h.masked || (h.length !== h.field.bytes && !h.field.variable && h.field !== F.in_port))
    fault('OFPBAC_BAD_SET_LEN')
  return h.field
}

function wireBytes(field: Field, version: number): number {
  // in_port is 16 bits as NXM and 32 as OXM
  if (field === F.in_port) return codeOf(field, version)?.class === 0x8000 ? 4 : 2
  return field.bytes
}

function readValue(r: Reader, bytes: number): bigint {
  switch (bytes) {
    case 1:
      return BigInt(r.u8())
    case 2:
      return BigInt(r.u16())
    case 4:
      return BigInt(r.u32())
    case 6:
      return BigInt(r.u48())
    case 8:
      return r.u64()
    case 16:
      return r.u128()
    default: {
      let v = 0n
      for (let i = 0; i < bytes; i++) v = (v << 8n) | BigInt(r.u8())
      return v
    }
  }
}

export function writeValue(w: Writer, v: bigint, bytes: number): void {
  switch (bytes) {
    case 1:
      w.u8(Number(v & 0xffn))
      return
    case 2:
      w.u16(Number(v & 0xffffn))
      return
    case 4:
      w.u32(Number(v & 0xffffffffn))
      return
    case 6:
      w.u48(Number(v & 0xffffffffffffn))
      return
    case 8:
      w.u64(v)
      return
    case 16:
      w.u128(v)
      return
    default:
      for (let i = bytes - 1; i >= 0; i--) w.u8(Number((v >> BigInt(8 * i)) & 0xffn))
  }
}

/** A 32-bit port number of OpenFlow 1.1 and later as 16 bits; undefined outside both ranges. */
export function narrowPort(port: number): number | undefined {
  if (port < 0xff00) return port
  return port >= 0xffffff00 ? port & 0xffff : undefined
}

/** A 16-bit port number as 32 bits: the reserved ones move to the top. */
export function widenPort(port: number): number {
  return port < 0xff00 ? port : (port | 0xffff0000) >>> 0
}

/**
 * One TLV, as the field it names (not yet canonical). `vlan_vid` comes with bit 12, the present bit.
 * Undefined for a field not known, when `loose`.
 */
export function readField(r: Reader, loose = false): (FieldMatch & { readonly masked: boolean }) | undefined {
  const h = readHeader(r)
  const { field } = h
  if (!field) {
    if (!loose) fault('OFPBMC_BAD_FIELD')
    r.skip(h.length)
    return undefined
  }
  const bytes = h.masked ? h.length / 2 : h.length
  if (field.variable ? bytes > field.bytes || bytes % 1 || bytes === 0 : bytes !== field.bytes) fault('OFPBMC_BAD_LEN')
  const all = field.variable ? (1n << BigInt(8 * bytes)) - 1n : field === F.vlan_vid ? 0x1fffn : field.ones
  let value = readValue(r, bytes)
  let mask = h.masked ? readValue(r, bytes) : all
  if (h.masked && !field.maskable && mask !== (1n << BigInt(8 * bytes)) - 1n && mask !== all) {
    // A mask of no bits is allowed anywhere: it compares nothing.
    if (mask !== 0n) fault('OFPBMC_BAD_MASK')
  }
  if (value & ~mask && h.masked) fault('OFPBMC_BAD_WILDCARDS')
  if (value & ~all) fault('OFPBMC_BAD_VALUE')
  mask &= all
  value &= mask
  if (field.format === 'port' && field.bits === 32 && mask) {
    const port = narrowPort(Number(value))
    if (port === undefined) fault('OFPBMC_BAD_VALUE')
    value = BigInt(port)
  }
  const { masked } = h
  if (field.variable) return { field, value, mask, bytes, masked }
  return { field, value, mask, masked }
}

/** Canonical comparisons of one TLV: see `FieldMatch`. */
function comparisons({ masked: _, ...m }: FieldMatch & { readonly masked: boolean }): FieldMatch {
  if (m.field === F.vlan_vid) {
    return { field: F.vlan_tci, value: m.value, mask: m.mask }
  }
  if (m.field === F.vlan_pcp) return { field: F.vlan_tci, value: (m.value << 13n) | VLAN_PRESENT, mask: 0xf000n }
  return m
}

/** The TLVs up to the end of `r`, as a canonical match. `loose` skips unknown fields and checks no prerequisites. */
export function readFields(r: Reader, loose = false): Match {
  const parts: FieldMatch[] = []
  const seen = new Set<Field>()
  while (r.left > 0) {
    if (r.left < 4) fault('OFPBMC_BAD_LEN')
    const m = readField(r, loose)
    if (!m) continue
    if (seen.has(m.field)) fault('OFPBMC_DUP_FIELD')
    seen.add(m.field)
    parts.push(comparisons(m))
  }
  const match = canonicalMatch(parts)
  if (!match) fault('OFPBMC_BAD_VALUE')
  if (!loose && missingPrerequisite(match)) fault('OFPBMC_BAD_PREREQ')
  return match
}

function writeOne(w: Writer, m: FieldMatch, version: number, withMask = false): void {
  const { field } = m
  const bytes = m.bytes ?? wireBytes(field, version)
  const all = field.variable ? (1n << BigInt(8 * bytes)) - 1n : field.ones
  const masked = withMask || m.mask !== all
  writeHeader(w, field, version, masked, masked ? 2 * bytes : bytes)
  let value = m.value
  if (field.format === 'port' && bytes === 4) value = BigInt(widenPort(Number(value)))
  writeValue(w, value, bytes)
  if (masked) writeValue(w, m.mask, bytes)
}

/** One TLV of a set_field action: a value, and a mask where it is not whole or `withMask` asks for one. */
export function writeField(w: Writer, m: FieldMatch, version: number, withMask = false): void {
  if (m.field === F.vlan_vid && m.mask === m.field.ones && !withMask) {
    writeHeader(w, m.field, version, false, 2)
    writeValue(w, m.value, 2)
    return
  }
  writeOne(w, m, version, withMask)
}

function writeVlan(w: Writer, tci: FieldMatch, version: number): void {
  const vid = tci.mask & 0x1fffn
  const pcp = tci.mask & 0xe000n
  if (tci.mask === 0xffffn && tci.value === 0n) {
    writeHeader(w, F.vlan_vid, version, false, 2)
    w.u16(0)
    return
  }
  if (vid) {
    const masked = vid !== 0x1fffn
    writeHeader(w, F.vlan_vid, version, masked, masked ? 4 : 2)
    w.u16(Number(tci.value & 0x1fffn))
    if (masked) w.u16(Number(vid))
  }
  if (pcp) {
    writeHeader(w, F.vlan_pcp, version, false, 1)
    w.u8(Number(tci.value >> 13n))
  }
}

/** A match as TLVs without padding; `version` picks NXM (1.0) or OXM numbers. */
export function writeFields(w: Writer, match: Match, version: number): void {
  for (let i = 0; i < match.length; i++) {
    const m = match[i] as FieldMatch
    const { field } = m
    if (version >= OXM_SINCE) {
      if (field === F.vlan_tci) {
        writeVlan(w, m, version)
        continue
      }
      if (field === F.in_port) {
        writeOne(w, { field: F.in_port_oxm, value: m.value, mask: F.in_port_oxm.ones }, version)
        continue
      }
    } else if (field === F.ip_dscp) {
      writeOne(w, { field: F.nw_tos, value: m.value << 2n, mask: F.nw_tos.ones }, version)
      continue
    }
    const register = version >= 6 ? REGISTERS.indexOf(field) : -1
    if (register >= 0) {
      // OpenFlow 1.5 has the registers in pairs.
      const even = register % 2 === 0
      const next = even ? match[i + 1] : undefined
      const low = even ? (next?.field === REGISTERS[register + 1] ? next : undefined) : m
      const high = even ? m : undefined
      if (even && low) i++
      const join = (pick: (x: FieldMatch) => bigint) => ((high ? pick(high) : 0n) << 32n) | (low ? pick(low) : 0n)
      const field = F[`xreg${register >> 1}` as 'xreg0']
      writeOne(w, { field, value: join((x) => x.value), mask: join((x) => x.mask) }, version)
      continue
    }
    writeOne(w, m, version)
  }
}

/** An ofp_match of type OXM: header, TLVs, padding to 8 bytes (OpenFlow 1.2 and later). */
export function writeMatch(w: Writer, match: Match, version: number): void {
  const start = w.length
  w.u16(1).u16(0)
  writeFields(w, match, version)
  w.patch16(start + 2, w.length - start)
  w.align(8, start)
}

export function readMatch(r: Reader, loose = false): Match {
  const type = r.u16()
  const length = r.u16()
  if (type !== 1) fault('OFPBMC_BAD_TYPE')
  if (length < 4) fault('OFPBMC_BAD_LEN')
  const match = readFields(r.sub(length - 4), loose)
  r.skip((8 - (length % 8)) % 8)
  return match
}
