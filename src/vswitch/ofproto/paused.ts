import { Reader, Truncated, Writer } from '../../base/bytes.ts'
import { below, type Random } from '../../base/random.ts'
import type { Frozen } from '../datapath/frozen.ts'

/** How many packets may wait for controllers at once; older ones are forgotten. */
const LIMIT = 65_536
/** A property type of our own inside the continuation, which a controller sends back unread. */
const TYPE = 0x7f00

/** Pipelines that wait for a controller, for those controllers that only get bytes. */
export class PausedStates {
  private readonly states = new Map<number, { readonly frozen: Frozen; readonly secret: number }>()
  private next = 1

  constructor(private readonly random: Random) {}

  /** The bytes that stand for a state. */
  bytes(frozen: Frozen): Uint8Array {
    const id = this.next
    this.next = (this.next + 1) >>> 0 || 1
    const secret = below(this.random, 0x1_0000_0000)
    this.states.set(id, { frozen, secret })
    if (this.states.size > LIMIT) {
      const oldest = this.states.keys().next()
      if (!oldest.done) this.states.delete(oldest.value)
    }
    return new Writer(16).u16(TYPE).u16(16).u32(0).u32(id).u32(secret).done().slice()
  }

  /** The state, once. */
  get(bytes: Uint8Array | undefined): Frozen | undefined {
    if (!bytes) return undefined
    try {
      const r = new Reader(bytes)
      if (r.u16() !== TYPE || r.u16() !== 16) return undefined
      r.skip(4)
      const id = r.u32()
      const s = this.states.get(id)
      if (!s || s.secret !== r.u32()) return undefined
      this.states.delete(id)
      return s.frozen
    } catch (e) {
      if (e instanceof Truncated) return undefined
      throw e
    }
  }
}
