import type { Random } from '../../base/random.ts'
import { below } from '../../base/random.ts'
import { hashStep } from '../classifier/mask.ts'
import type { DpNat } from '../datapath/action.ts'
import {
  destinationPort,
  hasPorts,
  isIcmp,
  reverseTuple,
  setAddress,
  setDestinationPort,
  setSourcePort,
  sourcePort,
  T_DST,
  T_SRC,
  type Tuple,
} from './tuple.ts'

/** The range from which a source port is drawn when none was asked for: privileged ports stay so (RFC 4787 REQ-3). */
function sourceRange(port: number): [number, number] {
  if (port < 512) return [1, 511]
  if (port < 1024) return [512, 1023]
  return [1024, 65535]
}

/** How many ports to try before giving up, for a range that is all in use. */
const TRIES = 65536

/**
 * The tuple that the replies to a connection will have after translation, unique in its zone; or
 * undefined if there is none left. `taken` tells whether a tuple is in use.
 */
export function translate(
  original: Tuple,
  nat: DpNat,
  random: Random,
  taken: (tuple: Tuple) => boolean,
): Tuple | undefined {
  const packet = original.slice()
  const source = nat.kind === 'src'
  const at = source ? T_SRC : T_DST
  const min = nat.min
  const max = nat.max ?? min
  // no address, or the zero address: only a port, where another connection has it
  const addresses = min === undefined || max === undefined || (min === 0n && max === 0n) ? 1n : max - min + 1n
  const first = addresses === 1n ? 0n : BigInt(hashAddress(original, at, nat)) % addresses
  const tries = addresses > 256n ? 256n : addresses
  for (let i = 0n; i < tries; i++) {
    if (min !== undefined && !(min === 0n && max === 0n)) setAddress(packet, at, min + ((first + i) % addresses))
    const found = ports(packet, original, nat, source, random, taken)
    if (found) return found
    if (nat.persistent) break
  }
  return undefined
}

/** Which address of a range a host gets: always the same for the same host. */
function hashAddress(original: Tuple, at: number, nat: DpNat): number {
  let h = 0
  for (let i = 0; i < 4; i++) h = hashStep(h, original[T_SRC + i] as number)
  if (!nat.persistent && at === T_DST) {
    for (let i = 0; i < 4; i++) h = hashStep(h, original[T_DST + i] as number)
    h = hashStep(h, original[10] as number)
  }
  return h >>> 0
}

function ports(
  packet: Tuple,
  original: Tuple,
  nat: DpNat,
  source: boolean,
  random: Random,
  taken: (tuple: Tuple) => boolean,
): Tuple | undefined {
  const use = (): Tuple | undefined => {
    const reply = reverseTuple(packet)
    return taken(reply) ? undefined : reply
  }
  if (!isIcmp(packet) && !hasPorts(packet)) return use()
  if (isIcmp(packet)) {
    // the identifier is what a port is to others, also where a range is asked for
    const id = sourcePort(original)
    const [low, n] = nat.minPort > 0 ? [nat.minPort, nat.maxPort - nat.minPort + 1] : [0, 65_536]
    const begin = inRange(id, low, n)
    for (let i = 0; i < n; i++) {
      const v = low + ((begin + i) % n)
      setSourcePort(packet, v)
      setDestinationPort(packet, v)
      const found = use()
      if (found) return found
      if (!source && nat.minPort === 0) return undefined
    }
    return undefined
  }
  if (!source && nat.minPort > 0) {
    const size = nat.maxPort - nat.minPort + 1
    const start = nat.random ? below(random, size) : inRange(destinationPort(original), nat.minPort, size)
    for (let i = 0; i < size; i++) {
      setDestinationPort(packet, nat.minPort + ((start + i) % size))
      const found = use()
      if (found) return found
    }
  }
  // the source port: as asked for, or as it is, or another when that one is taken
  const own = sourcePort(original)
  const [low, high] = source && nat.minPort > 0 ? [nat.minPort, nat.maxPort] : sourceRange(own)
  const size = high - low + 1
  const start = source && nat.random ? below(random, size) : inRange(own, low, size)
  for (let i = 0; i < size && i < TRIES; i++) {
    setSourcePort(packet, low + ((start + i) % size))
    const found = use()
    if (found) return found
  }
  setSourcePort(packet, own)
  return undefined
}

function inRange(port: number, low: number, size: number): number {
  return port >= low && port < low + size ? port - low : port % size
}
