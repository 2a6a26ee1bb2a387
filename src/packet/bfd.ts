import { Malformed, parse, type Reader, Writer } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'

export const BfdState = { adminDown: 0, down: 1, init: 2, up: 3 } as const
const STATE_NAMES = ['AdminDown', 'Down', 'Init', 'Up'] as const

export const BfdFlag = {
  poll: 0x20,
  final: 0x10,
  controlPlaneIndependent: 0x08,
  authenticated: 0x04,
  demand: 0x02,
  multipoint: 0x01,
} as const

/** A control packet (RFC 5880 §4.1). */
export interface Bfd {
  readonly version: number
  /** Diagnostic code: why the session last left Up. */
  readonly diagnostic: number
  readonly state: number
  /** Six bits: see BfdFlag. */
  readonly flags: number
  /** Detection time multiplier. */
  readonly multiplier: number
  readonly myDiscriminator: number
  readonly yourDiscriminator: number
  /** Intervals in microseconds. */
  readonly desiredMinTx: number
  readonly requiredMinRx: number
  readonly requiredMinEchoRx: number
  /** The authentication section (RFC 5880 §4.2 ff.), raw. */
  readonly authentication: Uint8Array
  /** Bytes behind what the length field covers. */
  readonly surplus?: Uint8Array
}

export function parseBfd(bytes: Uint8Array): Result<Bfd> {
  return parse(bytes, readBfd)
}

export function readBfd(r: Reader): Bfd {
  const first = r.u8()
  const second = r.u8()
  const multiplier = r.u8()
  const length = r.u8()
  // RFC 5880 §6.8.6
  if (length < 24) throw new Malformed(`BFD: length ${length}`)
  return {
    version: first >>> 5,
    diagnostic: first & 31,
    state: second >>> 6,
    flags: second & 63,
    multiplier,
    myDiscriminator: r.u32(),
    yourDiscriminator: r.u32(),
    desiredMinTx: r.u32(),
    requiredMinRx: r.u32(),
    requiredMinEchoRx: r.u32(),
    authentication: r.take(length - 24),
    ...(r.left && { surplus: r.rest() }),
  }
}

export function emitBfd(b: Bfd): Uint8Array {
  const w = new Writer(24 + b.authentication.length)
  w.u8((b.version << 5) | b.diagnostic)
    .u8((b.state << 6) | b.flags)
    .u8(b.multiplier)
    .u8(24 + b.authentication.length)
  w.u32(b.myDiscriminator).u32(b.yourDiscriminator).u32(b.desiredMinTx).u32(b.requiredMinRx).u32(b.requiredMinEchoRx)
  return w
    .bytes(b.authentication)
    .bytes(b.surplus ?? new Uint8Array(0))
    .done()
}

export function printBfd(b: Bfd): string {
  const state = STATE_NAMES[b.state] ?? b.state
  return `BFDv${b.version}, Control, State ${state}, Flags 0x${b.flags.toString(16)}, Diagnostic ${b.diagnostic}, my 0x${b.myDiscriminator.toString(16)}, your 0x${b.yourDiscriminator.toString(16)}`
}
