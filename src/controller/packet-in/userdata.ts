import { Malformed, Reader } from '../../base/bytes.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { Action } from '../../openflow/actions/action.ts'
import { actionContext } from '../../openflow/actions/context.ts'
import { decodeActions } from '../../openflow/actions/decode.ts'
import type { Field } from '../../openflow/fields/field.ts'
import { readFieldName } from '../../openflow/fields/oxm.ts'
import { OF15 } from '../../openflow/messages/message.ts'

// What a logical flow tells its controller: src/logical/lower-controller.ts writes it, as ovn-controller
// does, and src/logical/opcodes.ts has the numbers.

export interface Userdata {
  readonly opcode: number
  /** What follows the opcode and its padding. */
  readonly body: Reader
}

export function parseUserdata(bytes: Uint8Array | undefined): Result<Userdata> {
  if (!bytes || bytes.length < 8) return err('packet-in with no or short userdata')
  const r = new Reader(bytes)
  const opcode = r.u32()
  r.skip(4)
  return ok({ opcode, body: r })
}

/** A bit of a field where the controller puts its answer. */
export interface AnswerBit {
  readonly field: Field
  readonly offset: number
}

/** Reads the header and offset that put_dhcp_opts and its like begin with. */
export function readAnswerBit(r: Reader): AnswerBit {
  const field = readFieldName(r)
  const offset = r.u32()
  if (offset >= field.bits) throw new Malformed(`bit ${offset} of ${field.name}`)
  return { field, offset }
}

/** The actions for the packet that the controller makes. */
export function readNestedActions(r: Reader): Action[] {
  return decodeActions(r, actionContext(OF15))
}
