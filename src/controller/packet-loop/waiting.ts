import { parseIpv4 } from '../../address/ipv4.ts'
import { parseIpv6 } from '../../address/ipv6.ts'
import { type Mac, parseMac } from '../../address/mac.ts'
import { Writer } from '../../base/bytes.ts'
import type { Clock } from '../../base/clock.ts'
import type { Message } from '../../openflow/messages/message.ts'
import type { MACBinding, PortBinding } from '../../schema/southbound.ts'
import type { Effect, Waiting } from '../packet-in/effect.ts'

type Wait = Extract<Effect, { type: 'wait' }>

/** Packets of one next hop, and of all, that are kept; the oldest give way. */
const PER_HOP = 4
const HOPS = 1000
/** How long a packet waits, in milliseconds. */
const PATIENCE_MS = 10_000

interface Queue {
  readonly packets: Waiting[]
  until: number
}

/** Packets whose next hop's Ethernet address is being asked for: they go on when it is known. */
export class WaitingPackets {
  private readonly queues = new Map<string, Queue>()

  constructor(
    private readonly clock: Clock,
    private readonly send: (message: Message) => void,
  ) {}

  get size(): number {
    return this.queues.size
  }

  add(wait: Wait): void {
    const now = this.clock.now()
    for (const [key, q] of this.queues) if (q.until <= now) this.queues.delete(key)
    const key = `${wait.datapath} ${wait.port} ${wait.ip}`
    let queue = this.queues.get(key)
    if (!queue) {
      const oldest = this.queues.keys().next().value
      if (this.queues.size >= HOPS && oldest !== undefined) this.queues.delete(oldest)
      queue = { packets: [], until: 0 }
      this.queues.set(key, queue)
    }
    queue.until = now + PATIENCE_MS
    queue.packets.push(wait.waiting)
    if (queue.packets.length > PER_HOP) queue.packets.shift()
  }

  /** A neighbour is known: its packets go on. */
  resolved(row: MACBinding, port: Pick<PortBinding, 'tunnel_key'>, datapath: number): void {
    const ip = parseIpv4(row.ip) ?? parseIpv6(row.ip)
    const mac = parseMac(row.mac)
    if (ip === undefined || mac === undefined) return
    const key = `${datapath} ${port.tunnel_key} ${ip}`
    const queue = this.queues.get(key)
    if (!queue) return
    this.queues.delete(key)
    if (queue.until <= this.clock.now()) return
    for (const w of queue.packets) {
      const { metadata, continuation, reason, table, cookie } = w
      this.send({
        type: 'resume',
        xid: 0,
        packet: withDestination(w.packet, mac),
        metadata,
        continuation,
        reason,
        table,
        cookie,
      })
    }
  }
}

function withDestination(frame: Uint8Array, mac: Mac): Uint8Array {
  return new Writer(frame.length).u48(mac).bytes(frame.subarray(6)).done()
}
