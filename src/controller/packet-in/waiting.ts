import type { Mac } from '../../address/mac.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Resume } from '../../openflow/messages/message.ts'
import type { Ip, Waiting } from './effect.ts'

/** Packets kept for one next hop: a fifth pushes the first out. */
const PER_NEXT_HOP = 4
/** Next hops that are waited for at one time. */
const NEXT_HOPS = 1000
/** Milliseconds after which nobody waits any longer. */
const LIFETIME = 10_000

interface Queue {
  readonly packets: Waiting[]
  readonly timer: Timer
}

/**
 * Packets that wait for their next hop's Ethernet address. They are found by datapath and address
 * alone: the port a packet leaves by may be the chassis redirect port of the one that learns.
 */
export class WaitingPackets {
  private readonly queues = new Map<string, Queue>()

  constructor(private readonly clock: Clock) {}

  get size(): number {
    return this.queues.size
  }

  /** Keeps a packet, if there is room. */
  add(datapath: number, ip: Ip, packet: Waiting): void {
    const key = `${datapath} ${ip}`
    let queue = this.queues.get(key)
    if (!queue) {
      if (this.queues.size >= NEXT_HOPS) return
      queue = { packets: [], timer: this.clock.after(LIFETIME, () => this.queues.delete(key)) }
      this.queues.set(key, queue)
    }
    queue.packets.push(packet)
    if (queue.packets.length > PER_NEXT_HOP) queue.packets.shift()
  }

  /** The next hops that are waited for, to look their addresses up. */
  *wanted(): IterableIterator<{ readonly datapath: number; readonly ip: Ip }> {
    for (const key of this.queues.keys()) {
      const [datapath = '', ip = ''] = key.split(' ')
      // An IPv6 address is above 32 bits but for a few that are no next hop.
      const v = BigInt(ip)
      yield { datapath: Number(datapath), ip: v > 0xffffffffn ? v : Number(v) }
    }
  }

  /** A next hop's address became known: the messages that send its packets on. */
  known(datapath: number, ip: Ip, mac: Mac): Resume[] {
    const key = `${datapath} ${ip}`
    const queue = this.queues.get(key)
    if (!queue) return []
    this.queues.delete(key)
    queue.timer.cancel()
    return queue.packets.map((p) => {
      const packet = p.packet.slice()
      const view = new DataView(packet.buffer)
      if (packet.length >= 6) {
        view.setUint16(0, Math.floor(mac / 0x1_0000_0000))
        view.setUint32(2, mac % 0x1_0000_0000)
      }
      return {
        type: 'resume',
        xid: 0,
        packet,
        reason: p.reason,
        table: p.table,
        cookie: p.cookie,
        metadata: p.metadata,
        continuation: p.continuation,
      }
    })
  }

  /** Forgets all: the switch that paused them is gone. */
  clear(): void {
    for (const q of this.queues.values()) q.timer.cancel()
    this.queues.clear()
  }
}
