import { parse, type Reader, Writer } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'

/** A VXLAN header with the frame it carries (RFC 7348 §5). */
export interface Vxlan {
  /** 0x08: the VNI is valid. */
  readonly flags: number
  /** 24 reserved bits behind the flags, 8 behind the VNI. */
  readonly reserved1: number
  readonly vni: number
  readonly reserved2: number
  readonly payload: Uint8Array
}

export function vxlan(vni: number, payload: Uint8Array): Vxlan {
  return { flags: 0x08, reserved1: 0, vni, reserved2: 0, payload }
}

export function parseVxlan(bytes: Uint8Array): Result<Vxlan> {
  return parse(bytes, readVxlan)
}

export function readVxlan(r: Reader): Vxlan {
  return { flags: r.u8(), reserved1: r.u24(), vni: r.u24(), reserved2: r.u8(), payload: r.rest() }
}

export function emitVxlan(v: Vxlan): Uint8Array {
  const w = new Writer(8 + v.payload.length)
  return w.u8(v.flags).u24(v.reserved1).u24(v.vni).u8(v.reserved2).bytes(v.payload).done()
}

export function printVxlan(v: Vxlan): string {
  return `VXLAN, flags [${v.flags & 8 ? 'I' : '.'}] (0x${v.flags.toString(16).padStart(2, '0')}), vni ${v.vni}`
}
