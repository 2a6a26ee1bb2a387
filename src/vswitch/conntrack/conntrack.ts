import type { Clock, Timer } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import * as K from '../classifier/key.ts'
import type { CtAction } from '../datapath/action.ts'
import type { Packet } from '../datapath/packet.ts'
import { Connection, DEFAULT_TIMEOUTS, type Timeouts } from './connection.ts'
import { checksumsRight, tupleOf } from './lookup.ts'
import { translate } from './nat.ts'
import { begin, follow, mayBegin, readSegment, type Segment, tcpTimeout, type Verdict } from './tcp.ts'
import { translateError, translatePacket } from './translate.ts'
import {
  equalTuple,
  familyOf,
  hashTuple,
  isIcmp,
  protocolOf,
  reverseTuple,
  T_DST,
  T_ICMP,
  T_PORTS,
  T_SRC,
  TUPLE_WORDS,
  type Tuple,
} from './tuple.ts'

interface Found {
  readonly connection: Connection
  readonly reply: boolean
}

/**
 * Connection tracking as Open vSwitch's userspace datapath does it (ovs-fields(7), "Connection
 * Tracking Fields"): zones, states, marks and labels, address translation.
 */
export class Conntrack {
  private readonly table = new Map<number, Connection[]>()
  private readonly perZone = new Map<number, number>()
  private readonly limits = new Map<number, number>()
  private readonly zoneTimeouts = new Map<number, Timeouts>()
  private sweep: Timer | undefined
  /** The tuple of the packet at hand. */
  private readonly scratch: Tuple = new Uint32Array(TUPLE_WORDS)
  defaultLimit = 0
  maximum = 3_000_000
  size = 0
  /** Counts for coverage: connections refused because a zone or the table is full. */
  full = 0
  verifyChecksums = true

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
  ) {}

  /** Runs a packet through a `ct` action: looks it up, creates or changes its connection, translates, sets its ct fields. */
  execute(packet: Packet, action: CtAction): void {
    const { key } = packet
    const zone = action.zone
    const known = packet.connection
    if (known && !known.removed && known.zone === zone && key[K.CT_ZONE] === zone && key[K.CT_STATE] !== 0) {
      this.again(packet, action, known)
      return
    }
    packet.connection = undefined
    const tracked = this.readable(packet) ? tupleOf(packet, zone, this.scratch) : undefined
    if (!tracked) {
      this.describe(packet, undefined, zone, K.CS_TRK | K.CS_INV)
      return
    }
    if (tracked.kind === 'error') {
      this.related(packet, action, tracked.tuple, tracked.at)
      return
    }
    const tuple = tracked.tuple
    const segment =
      protocolOf(tuple) === K.IP_TCP ? readSegment(packet.frame, packet.layers.l4, packet.layers.end) : undefined
    if (protocolOf(tuple) === K.IP_TCP && !segment) {
      this.describe(packet, undefined, zone, K.CS_TRK | K.CS_INV)
      return
    }
    let found = this.find(tuple)
    if (found && action.commit && action.force && found.reply) {
      this.remove(found.connection)
      found = undefined
    }
    if (found) {
      const verdict = this.update(found, segment, tuple)
      if (verdict === 'restart') {
        this.remove(found.connection)
        found = undefined
      } else {
        let state = K.CS_TRK
        if (verdict === 'invalid') state |= K.CS_INV
        else {
          if (verdict === 'new') state |= K.CS_NEW
          else state |= K.CS_EST
          if (found.reply) {
            state |= K.CS_RPL
            state &= ~K.CS_NEW
            state |= K.CS_EST
          }
        }
        this.settle(packet, action, found, state, verdict !== 'invalid')
        return
      }
    }
    if ((segment && !mayBegin(segment)) || !this.opens(tuple)) {
      this.describe(packet, undefined, zone, K.CS_TRK | K.CS_INV)
      return
    }
    if (!action.commit) {
      this.describe(packet, undefined, zone, K.CS_TRK | K.CS_NEW, tuple)
      return
    }
    const created = this.create(tuple, segment, action)
    if (!created) {
      this.describe(packet, undefined, zone, K.CS_TRK | K.CS_INV, tuple)
      return
    }
    this.settle(packet, action, { connection: created, reply: false }, K.CS_TRK | K.CS_NEW, true)
  }

  /** Forgets what is known of a packet's connection (`ct_clear`). */
  clear(packet: Packet): void {
    packet.connection = undefined
    clearFields(packet.key)
  }

  private readable(packet: Packet): boolean {
    if (!this.verifyChecksums || packet.verified) return true
    packet.verified = packet.layers.l3 >= 0 && checksumsRight(packet)
    return packet.verified
  }

  /** A second `ct` in the zone where the packet's connection is: no change of state, but marks and translation. */
  private again(packet: Packet, action: CtAction, connection: Connection): void {
    const { key } = packet
    const reply = ((key[K.CT_STATE] as number) & K.CS_RPL) !== 0
    if (action.commit && action.force && reply) {
      this.remove(connection)
      packet.connection = undefined
      this.execute(packet, action)
      return
    }
    this.settle(packet, action, { connection, reply }, key[K.CT_STATE] as number, true)
  }

  private settle(packet: Packet, action: CtAction, found: Found, state: number, valid: boolean): void {
    const { connection, reply } = found
    if (action.nat && valid && connection.nat) state |= translatePacket(packet, connection, reply)
    if (action.commit && valid) {
      const { mark, label } = action
      if (mark) connection.mark = ((connection.mark & ~mark.mask) | (mark.value & mark.mask)) >>> 0
      if (label) connection.label = (connection.label & ~label.mask) | (label.value & label.mask)
    }
    packet.connection = connection
    this.describe(packet, connection, connection.zone, state)
  }

  /** An ICMP error: about a connection whose packet it quotes (RFC 5508 §4). */
  private related(packet: Packet, action: CtAction, quoted: Tuple, at: number): void {
    const zone = action.zone
    // the quoted packet went one way, so the error goes the other
    const found = this.find(reverseTuple(quoted))
    if (!found) {
      this.describe(packet, undefined, zone, K.CS_TRK | K.CS_INV)
      return
    }
    const { reply } = found
    let state = K.CS_TRK | K.CS_REL
    if (reply) state |= K.CS_RPL
    if (action.nat && found.connection.nat) state |= translateError(packet, found.connection, reply, at)
    packet.connection = found.connection
    this.describe(packet, found.connection, zone, state)
  }

  private describe(packet: Packet, connection: Connection | undefined, zone: number, state: number, own?: Tuple): void {
    const { key } = packet
    clearFields(key)
    key[K.CT_STATE] = state
    key[K.CT_ZONE] = zone
    if (connection) {
      key[K.CT_MARK] = connection.mark
      if (connection.label !== 0n) K.setU128(key, K.CT_LABEL, connection.label)
    }
    const original = connection ? connection.original : own
    if (!original || state & K.CS_INV) return
    key[K.CT_NW_PROTO] = protocolOf(original)
    if (familyOf(original) === 4) {
      key[K.CT_NW_SRC] = original[T_SRC + 3] as number
      key[K.CT_NW_DST] = original[T_DST + 3] as number
    } else {
      for (let i = 0; i < 4; i++) {
        key[K.CT_IPV6_SRC + i] = original[T_SRC + i] as number
        key[K.CT_IPV6_DST + i] = original[T_DST + i] as number
      }
    }
    const ports = (isIcmp(original) ? original[T_ICMP] : original[T_PORTS]) as number
    key[K.CT_TP_SRC] = ports >>> 16
    key[K.CT_TP_DST] = ports & 0xffff
  }

  private find(tuple: Tuple): Found | undefined {
    const bucket = this.table.get(hashTuple(tuple))
    if (!bucket) return undefined
    for (let i = 0; i < bucket.length; i++) {
      const connection = bucket[i] as Connection
      const reply = equalTuple(connection.reply, tuple)
      if (!reply && !equalTuple(connection.original, tuple)) continue
      if (connection.expires <= this.clock.monotonic()) {
        this.remove(connection)
        return undefined
      }
      return { connection, reply }
    }
    return undefined
  }

  /** Only queries begin an ICMP connection. */
  private opens(tuple: Tuple): boolean {
    if (!isIcmp(tuple)) return true
    const type = (tuple[T_ICMP] as number) >>> 16
    return familyOf(tuple) === 6 ? type === 128 : type === 8 || type === 13 || type === 15 || type === 17
  }

  private update(found: Found, segment: Segment | undefined, tuple: Tuple): Verdict {
    const { connection: c, reply } = found
    const t = this.zoneTimeouts.get(c.zone) ?? DEFAULT_TIMEOUTS
    const now = this.clock.monotonic()
    if (c.tcp && segment) {
      const verdict = follow(c.tcp, segment, reply)
      if (verdict === 'valid' || verdict === 'new') {
        if (reply) c.answered = true
        c.expires = now + tcpTimeout(c.tcp, t)
      }
      return verdict
    }
    if (reply) {
      c.answered = true
      c.datagram = 'bidirectional'
    } else if (c.datagram === 'first') c.datagram = 'multiple'
    if (isIcmp(tuple)) c.expires = now + (c.answered ? t.icmp_reply : t.icmp_first)
    else if (c.datagram === 'bidirectional') c.expires = now + t.udp_multiple
    else c.expires = now + t.udp_single
    return c.answered ? 'valid' : 'new'
  }

  private create(tuple: Tuple, segment: Segment | undefined, action: CtAction): Connection | undefined {
    const zone = action.zone
    const count = this.perZone.get(zone) ?? 0
    const limit = this.limits.get(zone) ?? this.defaultLimit
    if ((limit > 0 && count >= limit) || this.size >= this.maximum) {
      this.full++
      return undefined
    }
    const now = this.clock.monotonic()
    const c = new Connection(tuple.slice(), now)
    const nat = action.nat
    if (nat?.kind) {
      const reply = translate(tuple, nat, this.random, (r) => this.find(r) !== undefined)
      if (!reply) return undefined
      c.reply = reply
      c.nat = nat.kind
    } else if (this.find(c.reply)) return undefined
    const t = this.zoneTimeouts.get(zone) ?? DEFAULT_TIMEOUTS
    if (segment) {
      c.tcp = begin(segment)
      c.expires = now + tcpTimeout(c.tcp, t)
    } else c.expires = now + (isIcmp(tuple) ? t.icmp_first : t.udp_first)
    for (let i = 0; i < 2; i++) {
      const h = hashTuple(i ? c.reply : c.original)
      c.hashes[i] = h
      const bucket = this.table.get(h)
      if (bucket) bucket.push(c)
      else this.table.set(h, [c])
    }
    this.size++
    this.perZone.set(zone, count + 1)
    this.armSweep()
    return c
  }

  remove(c: Connection): void {
    if (c.removed) return
    c.removed = true
    for (const h of c.hashes) {
      const bucket = this.table.get(h)
      const i = bucket ? bucket.indexOf(c) : -1
      if (!bucket || i < 0) continue
      bucket.splice(i, 1)
      if (!bucket.length) this.table.delete(h)
    }
    this.size--
    const left = (this.perZone.get(c.zone) ?? 1) - 1
    if (left > 0) this.perZone.set(c.zone, left)
    else this.perZone.delete(c.zone)
  }

  private armSweep(): void {
    this.sweep ??= this.clock.after(5000, () => {
      this.sweep = undefined
      const now = this.clock.monotonic()
      for (const c of this.connections()) if (c.expires <= now) this.remove(c)
      if (this.size > 0) this.armSweep()
    })
  }

  /** All connections, expired ones too, each once. */
  *connections(): IterableIterator<Connection> {
    for (const [h, bucket] of this.table) {
      for (const c of [...bucket]) if (c.hashes[0] === h && !c.removed) yield c
    }
  }

  /** Forgets the connections of a zone, or all. Returns how many. */
  flush(zone: number | undefined, which: (c: Connection) => boolean = () => true): number {
    let n = 0
    for (const c of [...this.connections()]) {
      if ((zone === undefined || c.zone === zone) && which(c)) {
        this.remove(c)
        n++
      }
    }
    return n
  }

  /** How many connections a zone may have; 0 is no limit, undefined the default. */
  setLimit(zone: number, limit: number | undefined): void {
    if (limit === undefined) this.limits.delete(zone)
    else this.limits.set(zone, limit)
  }

  zoneLimits(): ReadonlyMap<number, number> {
    return this.limits
  }

  zoneCount(zone: number): number {
    return this.perZone.get(zone) ?? 0
  }

  /** A zone's timeout policy; undefined for the defaults. */
  setTimeouts(zone: number, timeouts: Timeouts | undefined): void {
    if (timeouts) this.zoneTimeouts.set(zone, timeouts)
    else this.zoneTimeouts.delete(zone)
  }

  close(): void {
    this.sweep?.cancel()
    this.sweep = undefined
  }
}

export function clearFields(key: K.Key): void {
  key.fill(0, K.CT_STATE, K.CT_LABEL + 4)
  key.fill(0, K.CT_NW_SRC, K.CT_NW_PROTO + 1)
  key[K.CT_TP_SRC] = 0
  key[K.CT_TP_DST] = 0
}
