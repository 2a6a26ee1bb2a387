import { FLAG, LOG_FLAGS } from '../../logical/registers.ts'
import type { Action } from '../../openflow/actions/action.ts'
import { OFPP } from '../../openflow/actions/action.ts'
import type { Field, Match } from '../../openflow/fields/field.ts'
import { canonicalMatch, exact, fieldMatch, find, registersOf } from '../../openflow/fields/match.ts'
import { F, REGISTERS } from '../../openflow/fields/table.ts'
import type { PacketIn, PacketOut, Resume } from '../../openflow/messages/message.ts'
import { NO_BUFFER } from '../../openflow/messages/message.ts'

/** A pipeline field of a packet-in; zero where it was not sent, as zero fields are not. */
export function pipelineField(metadata: Match, field: Field): bigint {
  const part = registersOf(field)
  if (!part) return exact(metadata, field) ?? 0n
  const [first, count] = part
  let v = 0n
  for (let i = 0; i < count; i++) v = (v << 32n) | pipelineField(metadata, REGISTERS[first + i] as Field)
  return v
}

export function datapathOf(m: PacketIn): number {
  return Number(pipelineField(m.metadata, F.metadata))
}

export function inportOf(m: PacketIn): number {
  return Number(pipelineField(m.metadata, F.reg14))
}

export function outportOf(m: PacketIn): number {
  return Number(pipelineField(m.metadata, F.reg15))
}

/**
 * The metadata with one bit of a field set or cleared. A field that was not sent is known by that bit
 * alone, as ovn-controller sends it back.
 */
export function withBit(metadata: Match, field: Field, offset: number, on: boolean): Match {
  const part = registersOf(field)
  const register = part ? (REGISTERS[part[0] + part[1] - 1 - (offset >> 5)] ?? field) : field
  const bit = 1n << BigInt(part ? offset & 31 : offset)
  const old = find(metadata, register)
  const value = on ? (old?.value ?? 0n) | bit : (old?.value ?? 0n) & ~bit
  const changed = fieldMatch(register, value, (old?.mask ?? 0n) | bit)
  return canonicalMatch([...metadata.filter((m) => m.field !== register), changed]) ?? metadata
}

/** Marks a packet as made by the controller: flag `from_ctrl`. */
export function fromController(metadata: Match): Match {
  return withBit(metadata, LOG_FLAGS, FLAG.from_ctrl, true)
}

/** Lets a paused packet go on, changed. */
export function resume(m: PacketIn, packet: Uint8Array, metadata: Match): Resume {
  return {
    type: 'resume',
    xid: 0,
    packet,
    reason: m.reason,
    table: m.table,
    cookie: m.cookie,
    metadata,
    continuation: m.continuation ?? {},
  }
}

/** The pipeline's registers and metadata as actions, so that a new packet starts where the old one was. */
export function reload(metadata: Match): Action[] {
  const out: Action[] = []
  for (const m of metadata) {
    if (REGISTERS.includes(m.field) || m.field === F.metadata) {
      out.push({ type: 'set_field', field: m.field, value: m.value, mask: m.field.ones })
    }
  }
  return out
}

/** Sends a packet of the controller's through `actions`. */
export function packetOut(packet: Uint8Array, actions: readonly Action[]): PacketOut {
  return {
    type: 'packet_out',
    xid: 0,
    bufferId: NO_BUFFER,
    metadata: [fieldMatch(F.in_port, OFPP.CONTROLLER)],
    actions,
    packet,
  }
}
