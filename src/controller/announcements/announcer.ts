import { MAC_BROADCAST } from '../../address/mac.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import { OFPP } from '../../openflow/actions/action.ts'
import { F } from '../../openflow/fields/table.ts'
import { type Message, NO_BUFFER } from '../../openflow/messages/message.ts'
import { ArpOp, emitArp } from '../../packet/arp.ts'
import { emitEthernet } from '../../packet/ethernet.ts'
import { rarpFrame } from '../../packet/rarp.ts'
import type { Derived } from '../../reactive/relation.ts'
import { is, match, set } from '../flow.ts'
import { OFTABLE } from '../tables.ts'
import type { Announcement } from './desired.ts'

const ARP = 0x0806
/** The first pause in milliseconds; each next one is twice as long. */
const FIRST_PAUSE_MS = 1000
/** A pause this long is not made any more: four packets in all. */
const LAST_PAUSE_MS = 16_000

/** The gratuitous ARP request, or the reverse ARP, of an announcement (RFC 5227 §3, RFC 903). */
export function announcementFrame(a: Announcement): Uint8Array {
  if (a.ip === undefined) return rarpFrame(a.mac)
  const arp = emitArp({
    op: ArpOp.request,
    sha: a.mac,
    spa: a.ip,
    tha: 0,
    tpa: a.ip,
  })
  return emitEthernet({ dst: MAC_BROADCAST, src: a.mac, tags: [], type: ARP, payload: arp })
}

/** Sends each announcement several times, into the pipeline of its port. */
export class Announcer {
  private readonly timers = new Map<string, Timer>()

  constructor(
    private readonly announcements: Derived<Announcement>,
    private readonly options: {
      readonly clock: Clock
      readonly nextXid: () => number
      readonly send: (message: Message) => void
      /** Calls back once the switch has the flows by which the packets go out. */
      readonly whenReady: (ready: () => void) => void
      /** external_ids:garp-max-timeout-sec in milliseconds: with it there is no end; 0: not set. */
      readonly maxPause: () => number
    },
  ) {
    announcements.subscribe((changes) => {
      const fresh: string[] = []
      for (const [key, { after }] of changes) {
        this.stop(key)
        if (after) fresh.push(key)
      }
      if (fresh.length) options.whenReady(() => this.begin(fresh))
    })
  }

  /** A new connection to the switch: whoever listens may have missed what was said. */
  restart(): void {
    const all = [...this.announcements.contents.keys()]
    for (const key of all) this.stop(key)
    if (all.length) this.options.whenReady(() => this.begin(all))
  }

  close(): void {
    for (const key of [...this.timers.keys()]) this.stop(key)
  }

  private begin(keys: readonly string[]): void {
    for (const key of keys) this.announce(key, FIRST_PAUSE_MS)
  }

  private stop(key: string): void {
    this.timers.get(key)?.cancel()
    this.timers.delete(key)
  }

  private announce(key: string, pause: number): void {
    this.stop(key)
    const a = this.announcements.peek(key)
    if (!a) return
    this.options.send({
      type: 'packet_out',
      xid: this.options.nextXid(),
      bufferId: NO_BUFFER,
      metadata: match(is(F.in_port, OFPP.CONTROLLER)),
      actions: [
        set(F.metadata, a.datapathKey),
        set(F.reg14, a.portKey),
        { type: 'resubmit', port: OFPP.CONTROLLER, table: OFTABLE.LOG_INGRESS },
      ],
      packet: announcementFrame(a),
    })
    const max = this.options.maxPause()
    const next = max > 0 ? Math.min(pause, max) : pause
    if (max === 0 && next >= LAST_PAUSE_MS / 2) return
    this.timers.set(
      key,
      this.options.clock.after(next, () => this.announce(key, pause * 2)),
    )
  }
}
