import type { TcpState } from './tcp.ts'
import { reverseTuple, type Tuple } from './tuple.ts'

/** How a datagram flow stands: one packet, several one way, both ways. */
export type DatagramState = 'first' | 'multiple' | 'bidirectional'

/** A tracked connection; it is in the table under both its tuples. */
export class Connection {
  /** What the initiator sends, before translation. */
  readonly original: Tuple
  /** What the responder sends: the reverse of what the initiator's packets are after translation. */
  reply: Tuple
  mark = 0
  label = 0n
  nat: 'src' | 'dst' | undefined = undefined
  tcp: TcpState | undefined = undefined
  datagram: DatagramState = 'first'
  /** Whether a packet went the other way. */
  answered = false
  /** Monotonic milliseconds. */
  expires = 0
  removed = false
  readonly hashes = [0, 0]

  constructor(
    original: Tuple,
    readonly created: number,
  ) {
    this.original = original
    this.reply = reverseTuple(original)
  }

  get zone(): number {
    return this.original[0] as number
  }
}

/** Milliseconds of silence after which a connection is forgotten, by state (ovs-vswitchd.conf.db(5), CT_Timeout_Policy). */
export interface Timeouts {
  readonly tcp_syn_sent: number
  readonly tcp_syn_recv: number
  readonly tcp_established: number
  readonly tcp_fin_wait: number
  readonly tcp_close_wait: number
  readonly tcp_last_ack: number
  readonly tcp_time_wait: number
  readonly tcp_close: number
  readonly udp_first: number
  readonly udp_single: number
  readonly udp_multiple: number
  readonly icmp_first: number
  readonly icmp_reply: number
}

/** Those of Open vSwitch's userspace datapath. */
export const DEFAULT_TIMEOUTS: Timeouts = {
  tcp_syn_sent: 30_000,
  tcp_syn_recv: 30_000,
  tcp_established: 86_400_000,
  tcp_fin_wait: 900_000,
  tcp_close_wait: 900_000,
  tcp_last_ack: 45_000,
  tcp_time_wait: 45_000,
  tcp_close: 30_000,
  udp_first: 60_000,
  udp_single: 60_000,
  udp_multiple: 30_000,
  icmp_first: 60_000,
  icmp_reply: 30_000,
}
