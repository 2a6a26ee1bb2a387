import type { Timeouts } from './connection.ts'

export const FIN = 0x01
export const SYN = 0x02
export const RST = 0x04
export const ACK = 0x10

/** States of one side, in the order in which it passes through them (RFC 9293 §3.3.2). */
export const CLOSED = 0
export const LISTEN = 1
/** Has sent something, which the other side has not acknowledged. */
export const SYN_SENT = 2
export const SYN_RECV = 3
export const ESTABLISHED = 4
/** Has sent a FIN. */
export const CLOSING = 5
/** Its FIN was acknowledged. */
export const FIN_WAIT_2 = 6
export const TIME_WAIT = 7

const NAMES = ['CLOSED', 'LISTEN', 'SYN_SENT', 'SYN_RECV', 'ESTABLISHED', 'CLOSING', 'FIN_WAIT_2', 'TIME_WAIT']

interface Side {
  state: number
  /** One past the highest sequence number sent. */
  end: number
  /** Highest sequence number the other side allowed: its acknowledgement plus window. */
  limit: number
  /** Largest window advertised. */
  window: number
  /** Shift of the window; -1 when no option was seen. */
  scale: number
  /** Sequence numbers are known: the beginning was seen, or picked up. */
  known: boolean
}

export interface TcpState {
  readonly sides: readonly [Side, Side]
}

export interface Segment {
  readonly flags: number
  readonly seq: number
  readonly ack: number
  readonly window: number
  /** Bytes of payload. */
  readonly length: number
  /** Shift of the window scale option (RFC 7323), or -1. */
  readonly scale: number
}

export type Verdict = 'valid' | 'new' | 'invalid' | 'restart'

const less = (a: number, b: number): boolean => ((a - b) | 0) < 0

/** Reads a segment's header at `at`; undefined when it is cut or its data offset is wrong. */
export function readSegment(b: Uint8Array, at: number, end: number): Segment | undefined {
  if (end - at < 20) return undefined
  const header = ((b[at + 12] as number) >>> 4) * 4
  if (header < 20 || at + header > end) return undefined
  const u32 = (p: number) =>
    (((b[p] as number) << 24) | ((b[p + 1] as number) << 16) | ((b[p + 2] as number) << 8) | (b[p + 3] as number)) >>> 0
  const flags = b[at + 13] as number
  let scale = -1
  if (flags & SYN) {
    for (let p = at + 20; p < at + header; ) {
      const kind = b[p] as number
      if (kind === 0) break
      if (kind === 1) {
        p++
        continue
      }
      const length = b[p + 1] as number
      if (p + 1 >= at + header || length < 2) break
      if (kind === 3 && length === 3 && p + 2 < at + header) scale = Math.min(14, b[p + 2] as number)
      p += length
    }
  }
  return {
    flags,
    seq: u32(at + 4),
    ack: u32(at + 8),
    window: ((b[at + 14] as number) << 8) | (b[at + 15] as number),
    length: end - at - header,
    scale,
  }
}

/** Combinations of flags that no TCP sends: FIN or RST beside SYN, nothing, or FIN without ACK. */
function absurd(flags: number): boolean {
  const f = flags & (SYN | RST | ACK | FIN)
  if (f & SYN) return (f & (RST | FIN)) !== 0
  return (f & (ACK | RST)) === 0
}

/** Whether a segment may begin a connection: a SYN, or one from the middle (not the second of the handshake). */
export function mayBegin(s: Segment): boolean {
  return !absurd(s.flags) && (s.flags & (SYN | ACK)) !== (SYN | ACK)
}

function span(s: Segment): number {
  return s.length + (s.flags & SYN ? 1 : 0) + (s.flags & FIN ? 1 : 0)
}

export function begin(s: Segment): TcpState {
  const sender: Side = {
    state: SYN_SENT,
    end: (s.seq + span(s)) >>> 0,
    limit: 0,
    window: Math.max(1, s.window),
    scale: s.scale,
    known: true,
  }
  const receiver: Side = {
    state: CLOSED,
    end: s.flags & ACK ? s.ack : 0,
    limit: (s.flags & ACK ? s.ack + Math.max(1, s.window) : 0) >>> 0,
    window: 1,
    scale: -1,
    known: false,
  }
  return { sides: [sender, receiver] }
}

/** How far an acknowledgement may lie from what was sent, before scaling: a window and a segment. */
const MAX_ACK = 65_535 + 1500
/** The largest scaled window. */
const REACH = 65_535 << 14

/**
 * Follows a segment. The bounds are those of van Rooij, "Real Stateful TCP Packet Filtering in
 * IP Filter": data not above what the receiver allows, not older than a window, acknowledging
 * nothing that was not sent.
 */
export function follow(tcp: TcpState, s: Segment, reply: boolean): Verdict {
  const src = tcp.sides[reply ? 1 : 0] as Side
  const dst = tcp.sides[reply ? 0 : 1] as Side
  if (absurd(s.flags)) return 'invalid'
  const syn = (s.flags & SYN) !== 0
  const ack = (s.flags & ACK) !== 0
  if (syn && !ack) {
    if (src.state >= FIN_WAIT_2 && dst.state >= FIN_WAIT_2) return 'restart'
    if (src.state <= SYN_SENT) {
      // first SYN of this side, or the same again
      const first = dst.state === CLOSED || reply
      src.state = SYN_SENT
      src.end = (s.seq + span(s)) >>> 0
      src.scale = s.scale
      src.window = Math.max(1, s.window)
      src.known = true
      return first ? 'new' : 'valid'
    }
    // out of the blue on an open connection: passes, the receiver answers with a challenge (RFC 5961 §4)
    return 'valid'
  }
  const end = (s.seq + span(s)) >>> 0
  const scaled = src.scale >= 0 && dst.scale >= 0
  const window = syn || !scaled ? s.window : s.window << src.scale
  if (syn && dst.known && src.state < SYN_SENT && s.ack !== dst.end) return 'invalid'
  if (!src.known) {
    src.end = end
    src.known = true
    src.scale = syn ? s.scale : -1
    src.window = Math.max(1, s.window)
    if (src.limit === 0) src.limit = (end + REACH) >>> 0
  }
  if (dst.known && ack) {
    const ahead = (s.ack - dst.end) | 0
    if (ahead > MAX_ACK || -ahead > MAX_ACK << Math.max(0, dst.scale)) return 'invalid'
  }
  // RFC 5961 §3: what would end the connection must be exactly in place
  if (s.flags & RST) {
    if (s.seq !== src.end && s.seq !== (src.end + 1) >>> 0 && !(src.state === SYN_SENT && !dst.known)) return 'invalid'
    src.state = TIME_WAIT
    dst.state = TIME_WAIT
    return 'valid'
  }
  const slack = Math.max(dst.window, 1) + 65_535
  if (src.limit !== 0 && less((src.limit + slack) | 0, end)) return 'invalid'
  if (less(s.seq, (src.end - REACH) | 0)) return 'invalid'
  if (less(src.end, end)) src.end = end
  if (src.window < window) src.window = window
  if (ack) {
    const allowed = (s.ack + Math.max(1, window)) >>> 0
    if (dst.limit === 0 || less(dst.limit, allowed)) dst.limit = allowed
    if (dst.known && less(dst.end, s.ack)) dst.end = s.ack
  }
  if (src.state < SYN_SENT) src.state = SYN_SENT
  if (s.flags & FIN && src.state < CLOSING) src.state = CLOSING
  if (ack) {
    if (dst.state === SYN_SENT) dst.state = ESTABLISHED
    else if (dst.state === CLOSING && !less(s.ack, dst.end)) dst.state = FIN_WAIT_2
  }
  return 'valid'
}

/** Milliseconds until the connection is forgotten if nothing more comes. */
export function tcpTimeout(tcp: TcpState, t: Timeouts): number {
  const [a, b] = tcp.sides
  if (a.state >= TIME_WAIT && b.state >= TIME_WAIT) return t.tcp_close
  if (a.state >= FIN_WAIT_2 && b.state >= FIN_WAIT_2) return t.tcp_time_wait
  if (a.state >= CLOSING && b.state >= CLOSING) return t.tcp_last_ack
  if (a.state < ESTABLISHED || b.state < ESTABLISHED) return t.tcp_syn_recv
  if (a.state >= CLOSING || b.state >= CLOSING) return t.tcp_fin_wait
  return t.tcp_established
}

/** The connection's state in one word, for `dump-conntrack`. */
export function tcpStateName(tcp: TcpState): string {
  const [a, b] = tcp.sides
  if (a.state >= FIN_WAIT_2 && b.state >= FIN_WAIT_2) return 'TIME_WAIT'
  return NAMES[a.state >= CLOSING || b.state >= CLOSING ? Math.max(a.state, b.state) : a.state] as string
}
