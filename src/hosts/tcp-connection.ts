import { formatIp, type Ip } from '../address/ip.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { ByteStream } from '../base/stream.ts'
import { emitTcpOptions, type Tcp, TcpFlag, TcpOptionKind, tcpMss } from '../packet/index.ts'
import { Resequencer, SendBuffer, seqAdd, seqDiff } from './tcp-buffers.ts'

/** RFC 9293 §3.3.2; a listener is no connection. */
export type TcpState =
  | 'syn-sent'
  | 'syn-received'
  | 'established'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'close-wait'
  | 'closing'
  | 'last-ack'
  | 'time-wait'
  | 'closed'

export interface TcpEnds {
  readonly localAddress: Ip
  readonly localPort: number
  readonly remoteAddress: Ip
  readonly remotePort: number
}

/** What a connection needs of its host. */
export interface TcpPath {
  /** Sends a segment; its ports are the connection's. */
  send(segment: Omit<Tcp, 'src' | 'dst'>): void
  /** Bytes of payload that a segment may have now. */
  mss(): number
  /** The connection is gone; its ports are free. */
  gone(): void
}

const RTO = { first: 1000, min: 200, max: 60_000 } as const
/** Retransmissions before giving up: of a SYN, of anything else. */
const RETRIES = { syn: 5, data: 8 } as const
/** Bytes of unread data held for a paused reader: the window. */
const RECEIVE_WINDOW = 65_535
const TIME_WAIT = 60_000
const HIGH_WATER = 65_536
const SYNCHRONIZED: readonly TcpState[] = ['established', 'fin-wait-1', 'fin-wait-2', 'close-wait']
const NO_BYTES = new Uint8Array(0)

/**
 * One TCP connection (RFC 9293): retransmission (RFC 6298), slow start, congestion avoidance and fast
 * retransmit (RFC 5681), zero window probes. No window scaling, no selective acknowledgement.
 */
export class TcpConnection implements ByteStream {
  state: TcpState
  onOpen: (() => void) | undefined
  onData: ((bytes: Uint8Array) => void) | undefined
  onDrain: (() => void) | undefined
  /** The other side sends no more. Without a handler this side then closes too. */
  onEnd: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  readonly counters = { sent: 0, received: 0, retransmitted: 0 }

  private readonly buffer: SendBuffer
  private una: number
  private nxt: number
  /** One behind the last sequence number ever sent. */
  private max: number
  private wnd = 0
  private wl1 = 0
  private wl2 = 0
  private peerMss = 536
  private cwnd = 0
  private ssthresh = Number.POSITIVE_INFINITY
  private duplicateAcks = 0
  private recover: number
  private finQueued = false
  private finished = false

  private in = new Resequencer(0)
  private finAt: number | undefined
  private inbox: Uint8Array[] = []
  private inboxBytes = 0
  private paused = false
  private ended = false
  private discarding = false
  private ackDue = false

  private rto: number = RTO.first
  private srtt: number | undefined
  private rttvar = 0
  private timing: { readonly seq: number; readonly at: number } | undefined
  private retries = 0
  private timer: Timer | undefined
  private lingering: Timer | undefined
  private softError: string | undefined

  constructor(
    readonly ends: TcpEnds,
    private readonly path: TcpPath,
    private readonly clock: Clock,
    private readonly iss: number,
    /** The SYN of the other side, when it opened. */
    syn?: Tcp,
  ) {
    this.una = iss
    this.nxt = iss
    this.max = iss
    this.recover = iss
    this.buffer = new SendBuffer(seqAdd(iss, 1))
    this.state = syn ? 'syn-received' : 'syn-sent'
    if (syn) this.takeSyn(syn)
  }

  get peer(): string {
    const { remoteAddress: ip, remotePort } = this.ends
    return `tcp:${typeof ip === 'bigint' ? `[${formatIp(ip)}]` : formatIp(ip)}:${remotePort}`
  }

  /** Bytes written and not yet acknowledged. */
  get queued(): number {
    return this.buffer.length
  }

  /** Sends the SYN, or the SYN's answer. */
  start(): void {
    this.emitSyn()
  }

  write(bytes: Uint8Array): boolean {
    if (this.finQueued || this.state === 'closed' || this.state === 'time-wait') return false
    this.buffer.push(bytes)
    this.output()
    return this.buffer.length < HIGH_WATER
  }

  /** Sends no more after what was written; still receives. */
  end(): void {
    if (this.finQueued || this.state === 'closed') return
    this.finQueued = true
    if (this.state === 'syn-sent') this.finish(undefined)
    else this.output()
  }

  /** Ends the stream once all is out and reads no more; with an error, at once by a reset. */
  close(error?: Error): void {
    if (this.state === 'closed') return
    if (error) {
      this.abort(error)
      return
    }
    this.discarding = true
    this.inbox = []
    this.inboxBytes = 0
    this.end()
  }

  /** Resets the connection. */
  abort(error?: Error): void {
    const open = this.state !== 'closed' && this.state !== 'syn-sent' && this.state !== 'time-wait'
    if (open) this.emit(TcpFlag.rst | TcpFlag.ack, this.max, NO_BYTES)
    this.finish(error)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    const wasShut = this.window() < this.path.mss()
    this.deliver()
    if (wasShut && this.state !== 'closed') this.acknowledge()
  }

  /** A router or the host itself could not send a segment on. */
  fail(error: string, hard: boolean): void {
    if (this.state === 'syn-sent' || this.state === 'syn-received' || hard) this.finish(new Error(error))
    else this.softError = error
  }

  /** The path takes only smaller segments now: sends again what did not fit. */
  shrink(): void {
    if (!SYNCHRONIZED.includes(this.state)) return
    this.nxt = this.una
    this.timing = undefined
    this.output()
  }

  receive(t: Tcp): void {
    if (this.state === 'syn-sent') this.receiveInSynSent(t)
    else if (this.state !== 'closed') this.receiveSegment(t)
    if (this.ackDue && this.state !== 'closed') this.acknowledge()
  }

  private takeSyn(t: Tcp): void {
    this.in = new Resequencer(seqAdd(t.seq, 1))
    // RFC 9293 §3.7.1: without the option, 536 bytes (IPv4) or 1220 (IPv6).
    this.peerMss = tcpMss(t) ?? (typeof this.ends.localAddress === 'number' ? 536 : 1220)
    this.wnd = t.window
    this.wl1 = t.seq
    this.wl2 = t.ack
    this.cwnd = 10 * this.mss()
  }

  private mss(): number {
    return Math.max(1, Math.min(this.peerMss, this.path.mss()))
  }

  private receiveInSynSent(t: Tcp): void {
    const acks = (t.flags & TcpFlag.ack) !== 0
    if (acks && t.ack !== this.max) {
      if (!(t.flags & TcpFlag.rst)) this.path.send(segment(TcpFlag.rst, t.ack, 0))
      return
    }
    if (t.flags & TcpFlag.rst) {
      if (acks) this.finish(new Error('Connection refused'))
      return
    }
    if (!(t.flags & TcpFlag.syn)) return
    this.takeSyn(t)
    if (!acks) {
      this.state = 'syn-received'
      this.emitSyn()
      return
    }
    this.una = t.ack
    this.measure()
    this.open()
    this.ackDue = true
    this.output()
  }

  private open(): void {
    this.state = 'established'
    this.stopTimer()
    this.onOpen?.()
  }

  /** RFC 9293 §3.10.7.4 */
  private receiveSegment(t: Tcp): void {
    const syn = (t.flags & TcpFlag.syn) !== 0
    const fin = (t.flags & TcpFlag.fin) !== 0
    const length = t.payload.length + (syn ? 1 : 0) + (fin ? 1 : 0)
    if (!this.acceptable(t.seq, length)) {
      if (this.state === 'time-wait' && fin) this.linger(TIME_WAIT)
      if (!(t.flags & TcpFlag.rst)) this.ackDue = true
      return
    }
    if (t.flags & TcpFlag.rst) {
      // RFC 5961 §3: only the exact number resets, others are answered by an acknowledgement.
      if (t.seq !== this.in.next) this.ackDue = true
      else this.finish(this.state === 'time-wait' ? undefined : new Error('Connection reset by peer'))
      return
    }
    if (syn) {
      this.ackDue = true
      return
    }
    if (!(t.flags & TcpFlag.ack) || !this.takeAck(t)) return
    if (t.payload.length) this.takeData(t)
    if (fin) this.finAt = seqAdd(t.seq, t.payload.length)
    if (length) this.ackDue = true
    this.takeFin()
    this.deliver()
    if (this.state !== 'closed') this.output()
  }

  private window(): number {
    return Math.max(0, RECEIVE_WINDOW - this.inboxBytes)
  }

  private acceptable(seq: number, length: number): boolean {
    const first = seqDiff(seq, this.in.next)
    const window = this.window()
    if (length === 0) return window === 0 ? first === 0 : first >= 0 && first < window
    const last = first + length - 1
    return window > 0 && ((first >= 0 && first < window) || (last >= 0 && last < window))
  }

  /** False: the segment is to be dropped. */
  private takeAck(t: Tcp): boolean {
    if (seqDiff(t.ack, this.max) > 0) {
      if (this.state === 'syn-received') this.path.send(segment(TcpFlag.rst, t.ack, 0))
      else this.ackDue = true
      return false
    }
    if (this.state === 'syn-received') {
      if (seqDiff(t.ack, this.una) <= 0) return false
      this.wnd = t.window
      this.una = t.ack
      this.measure()
      this.open()
      return true
    }
    const fresh = seqDiff(t.ack, this.una)
    if (fresh < 0) return true
    const updates = seqDiff(t.seq, this.wl1) > 0 || (t.seq === this.wl1 && seqDiff(t.ack, this.wl2) >= 0)
    const flight = seqDiff(this.max, this.una)
    if (fresh === 0 && flight > 0 && t.payload.length === 0 && t.window === this.wnd && !(t.flags & TcpFlag.fin)) {
      this.duplicateAck(flight)
    }
    if (updates) {
      this.wnd = t.window
      this.wl1 = t.seq
      this.wl2 = t.ack
    }
    if (fresh > 0) this.acknowledged(t.ack, fresh)
    return true
  }

  private acknowledged(ack: number, fresh: number): void {
    const before = this.buffer.length
    this.una = ack
    if (seqDiff(this.nxt, ack) < 0) this.nxt = ack
    this.buffer.advance(ack)
    this.duplicateAcks = 0
    this.retries = 0
    this.softError = undefined
    if (this.timing && seqDiff(ack, this.timing.seq) > 0) this.measure()
    // What gets through ends the backing off, measured (RFC 6298 §5.7) or not.
    else if (this.srtt !== undefined) this.rto = this.timeoutFor(this.srtt)
    const mss = this.mss()
    this.cwnd += this.cwnd < this.ssthresh ? Math.min(fresh, mss) : Math.max(1, Math.floor((mss * mss) / this.cwnd))
    this.stopTimer()
    if (seqDiff(this.max, this.una) > 0) this.startTimer()
    if (this.finished && ack === this.max) this.finAcknowledged()
    if (before > 0 && this.buffer.length === 0) this.onDrain?.()
  }

  private finAcknowledged(): void {
    if (this.state === 'fin-wait-1') {
      this.state = 'fin-wait-2'
      // A peer that never closes must not hold a closed connection for ever.
      if (this.discarding) this.linger(TIME_WAIT)
    } else if (this.state === 'closing') this.enterTimeWait()
    else if (this.state === 'last-ack') this.finish(undefined)
  }

  /** RFC 5681 §3.2 */
  private duplicateAck(flight: number): void {
    this.duplicateAcks++
    if (this.duplicateAcks !== 3 || seqDiff(this.una, this.recover) < 0) return
    const mss = this.mss()
    this.ssthresh = Math.max(Math.floor(flight / 2), 2 * mss)
    this.cwnd = this.ssthresh
    this.recover = this.max
    this.timing = undefined
    this.counters.retransmitted++
    const bytes = this.buffer.slice(this.una, mss)
    const fin = bytes.length === 0 && this.finished
    this.emit(TcpFlag.ack | (fin ? TcpFlag.fin : TcpFlag.psh), this.una, bytes)
  }

  private takeData(t: Tcp): void {
    const room = this.window() - seqDiff(t.seq, this.in.next)
    for (const bytes of this.in.add(t.seq, t.payload.subarray(0, Math.max(0, room)))) {
      this.counters.received += bytes.length
      if (this.discarding) continue
      this.inbox.push(bytes)
      this.inboxBytes += bytes.length
    }
  }

  private takeFin(): void {
    if (this.finAt === undefined || this.in.next !== this.finAt) return
    this.finAt = undefined
    this.in.next = seqAdd(this.in.next, 1)
    this.ended = true
    if (this.state === 'established') this.state = 'close-wait'
    else if (this.state === 'fin-wait-1') this.state = 'closing'
    else if (this.state === 'fin-wait-2') this.enterTimeWait()
  }

  /** Hands over what is in order, then the end. */
  private deliver(): void {
    while (!this.paused) {
      const bytes = this.inbox.shift()
      if (!bytes) break
      this.inboxBytes -= bytes.length
      this.onData?.(bytes)
    }
    if (!this.ended || this.inbox.length) return
    this.ended = false
    if (this.onEnd) this.onEnd()
    else this.end()
    if (this.state === 'time-wait') this.notify(undefined)
  }

  private enterTimeWait(): void {
    this.state = 'time-wait'
    this.stopTimer()
    this.linger(TIME_WAIT)
    if (!this.ended) this.notify(undefined)
  }

  private linger(ms: number): void {
    this.lingering?.cancel()
    this.lingering = this.clock.after(ms, () => this.finish(undefined))
  }

  private finish(error: Error | undefined): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.stopTimer()
    this.lingering?.cancel()
    this.path.gone()
    this.notify(error)
  }

  private notify(error: Error | undefined): void {
    const onClose = this.onClose
    this.onClose = undefined
    if (onClose) this.clock.after(0, () => onClose(error))
  }

  private emitSyn(): void {
    const mss = this.path.mss()
    const options = emitTcpOptions([{ kind: TcpOptionKind.mss, data: Uint8Array.of(mss >> 8, mss & 0xff) }])
    const flags = TcpFlag.syn | (this.state === 'syn-received' ? TcpFlag.ack : 0)
    if (this.max === this.iss) this.timing = { seq: this.iss, at: this.clock.monotonic() }
    this.nxt = seqAdd(this.iss, 1)
    this.max = this.nxt
    this.startTimer()
    this.path.send({
      ...segment(flags, this.iss, this.window()),
      ack: this.in.next * (flags & TcpFlag.ack ? 1 : 0),
      options,
    })
  }

  private emit(flags: number, seq: number, payload: Uint8Array): void {
    this.ackDue = false
    this.counters.sent += payload.length
    this.path.send({ ...segment(flags, seq, this.window()), ack: this.in.next, payload })
  }

  /** Behind all that was ever sent, however far sending went back: else the other side takes it for old. */
  private acknowledge(): void {
    this.emit(TcpFlag.ack, this.max, NO_BYTES)
  }

  /** Sends what windows allow. */
  private output(): void {
    if (!SYNCHRONIZED.includes(this.state) && this.state !== 'closing' && this.state !== 'last-ack') return
    const mss = this.mss()
    for (;;) {
      const unsent = seqDiff(this.buffer.end, this.nxt)
      const flight = seqDiff(this.nxt, this.una)
      const usable = Math.min(this.wnd, this.cwnd) - flight
      if (unsent > 0) {
        const length = Math.min(mss, unsent, usable)
        // RFC 9293 §3.8.6.2.1: no small segments only because the window is nearly full.
        if (length <= 0 || (length < mss && length < unsent && flight > 0)) break
        const last = length === unsent
        this.sendAt(TcpFlag.ack | (last ? TcpFlag.psh : 0), this.buffer.slice(this.nxt, length), length)
      } else if (this.finQueued && unsent === 0) {
        this.sendAt(TcpFlag.fin | TcpFlag.ack, NO_BYTES, 1)
        this.finished = true
        if (this.state === 'established') this.state = 'fin-wait-1'
        else if (this.state === 'close-wait') this.state = 'last-ack'
      } else break
    }
    const shut = this.wnd === 0 && this.una === this.nxt && this.buffer.length > 0
    if (shut && !this.timer) this.startTimer()
  }

  private sendAt(flags: number, bytes: Uint8Array, length: number): void {
    const again = seqDiff(this.nxt, this.max) < 0
    if (again) this.counters.retransmitted++
    else if (!this.timing) this.timing = { seq: this.nxt, at: this.clock.monotonic() }
    this.emit(flags, this.nxt, bytes)
    this.nxt = seqAdd(this.nxt, length)
    if (seqDiff(this.nxt, this.max) > 0) this.max = this.nxt
    if (!this.timer) this.startTimer()
  }

  /** RFC 6298 §2 */
  private measure(): void {
    if (!this.timing) return
    const rtt = this.clock.monotonic() - this.timing.at
    this.timing = undefined
    this.rttvar = this.srtt === undefined ? rtt / 2 : 0.75 * this.rttvar + 0.25 * Math.abs(this.srtt - rtt)
    this.srtt = this.srtt === undefined ? rtt : 0.875 * this.srtt + 0.125 * rtt
    this.rto = this.timeoutFor(this.srtt)
    this.retries = 0
  }

  private timeoutFor(srtt: number): number {
    return Math.min(RTO.max, Math.max(RTO.min, srtt + 4 * this.rttvar))
  }

  private startTimer(): void {
    this.timer?.cancel()
    this.timer = this.clock.after(this.rto, () => {
      this.timer = undefined
      this.timeout()
    })
  }

  private stopTimer(): void {
    this.timer?.cancel()
    this.timer = undefined
  }

  private timeout(): void {
    this.timing = undefined
    this.rto = Math.min(RTO.max, this.rto * 2)
    if (this.state === 'syn-sent' || this.state === 'syn-received') {
      if (++this.retries > RETRIES.syn) this.finish(new Error(this.softError ?? 'Connection timed out'))
      else this.emitSyn()
      return
    }
    if (this.wnd === 0 && this.buffer.length > 0) {
      // RFC 9293 §3.8.6.1: one byte against a shut window, for as long as it is shut.
      this.nxt = seqAdd(this.una, 1)
      if (seqDiff(this.nxt, this.max) > 0) this.max = this.nxt
      this.emit(TcpFlag.ack, this.una, this.buffer.slice(this.una, 1))
      this.nxt = this.una
      this.startTimer()
      return
    }
    if (++this.retries > RETRIES.data) {
      this.finish(new Error(this.softError ?? 'Connection timed out'))
      return
    }
    const mss = this.mss()
    this.ssthresh = Math.max(Math.floor(seqDiff(this.max, this.una) / 2), 2 * mss)
    this.cwnd = mss
    this.recover = this.max
    this.nxt = this.una
    this.output()
  }
}

function segment(flags: number, seq: number, window: number): Omit<Tcp, 'src' | 'dst'> {
  return { flags, seq, ack: 0, window, urgent: 0, options: NO_BYTES, payload: NO_BYTES }
}
