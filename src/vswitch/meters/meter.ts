import { METER_FLAG, type MeterBand } from '../../openflow/messages/message.ts'
import * as K from '../classifier/key.ts'
import type { Effect } from '../datapath/dependency.ts'
import type { Packet } from '../datapath/packet.ts'
import { setWord } from '../datapath/rewrite.ts'

interface Bucket {
  readonly band: MeterBand
  /** Thousandths of a packet, or bits. */
  tokens: number
  packets: number
  bytes: number
}

/** A meter (OpenFlow 1.5 §5.11): bands as token buckets; the one of the highest exceeded rate acts. */
export class Meter implements Effect {
  readonly buckets: Bucket[]
  packets = 0
  bytes = 0
  /** Flows that use it. */
  flows = 0
  private last: number

  constructor(
    readonly id: number,
    readonly flags: number,
    bands: readonly MeterBand[],
    readonly created: number,
  ) {
    this.last = created
    this.buckets = bands.map((band) => ({ band, tokens: this.capacity(band), packets: 0, bytes: 0 }))
  }

  /** Burst in tokens: as asked for, or a second of the rate. */
  private capacity(band: MeterBand): number {
    return (this.flags & METER_FLAG.BURST && band.burst > 0 ? band.burst : band.rate) * 1000
  }

  /** Takes a packet; false: it is to be dropped. @param now monotonic milliseconds. */
  pass(packet: Packet, now: number): boolean {
    const cost = this.flags & METER_FLAG.PKTPS ? 1000 : packet.frame.length * 8
    const elapsed = now - this.last
    this.last = now
    this.packets++
    this.bytes += packet.frame.length
    let hit: Bucket | undefined
    for (const b of this.buckets) {
      // rate per second is rate thousandths a millisecond; kilobits per second are bits a millisecond
      b.tokens = Math.min(this.capacity(b.band), b.tokens + elapsed * b.band.rate)
      if (b.tokens >= cost) b.tokens -= cost
      else if (!hit || b.band.rate > hit.band.rate) hit = b
    }
    if (!hit) return true
    hit.packets++
    hit.bytes += packet.frame.length
    if (hit.band.type === 'drop') return false
    remark(packet, hit.band.precedence)
    return true
  }

  credit(): void {}
}

/** Raises the drop precedence of an assured forwarding class (RFC 2597 §6). */
function remark(packet: Packet, levels: number): void {
  const type = packet.key[K.DL_TYPE]
  if (type !== K.ETH_IPV4 && type !== K.ETH_IPV6) return
  const tos = packet.key[K.NW_TOS] as number
  const dscp = tos >>> 2
  const precedence = (dscp >>> 1) & 3
  if (dscp < 8 || dscp >= 40 || dscp & 1 || precedence === 0) return
  const raised = Math.min(3, precedence + levels)
  setWord(packet, K.NW_TOS, (((dscp & 0x38) | (raised << 1)) << 2) | (tos & 3), 0xff)
}
