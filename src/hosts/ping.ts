import { type Ip, isMulticast } from '../address/ip.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { echo4, echo6, emitIcmp4, emitIcmp6, IpProto } from '../packet/index.ts'
import type { EchoReply, IcmpError, IcmpErrorKind, IcmpLayer } from './icmp.ts'
import type { NetInterface } from './interface.ts'
import type { IpLayer } from './ip-layer.ts'

export interface PingOptions {
  /** Requests, 1 if not given. */
  readonly count?: number
  /** Milliseconds from one request to the next, 1000. */
  readonly interval?: number
  /** Milliseconds to wait for an answer, 1000. */
  readonly timeout?: number
  /** Bytes of data behind the ICMP header, 56. */
  readonly size?: number
  readonly ttl?: number
  readonly tos?: number
  /** Never fragment. */
  readonly df?: boolean
  readonly src?: Ip
  readonly out?: NetInterface
  /** Sees each outcome as it comes. */
  readonly onEvent?: (event: PingEvent) => void
}

export type PingEvent =
  | {
      readonly kind: 'reply'
      readonly seq: number
      readonly from: Ip
      readonly ttl: number
      /** Milliseconds. */
      readonly rtt: number
      /** Bytes of data that came back. */
      readonly size: number
      /** The data is not what was sent. */
      readonly corrupt?: true
    }
  | {
      readonly kind: 'error'
      readonly seq: number
      readonly error: IcmpErrorKind | 'no-route'
      /** Who reported it; undefined: this host itself. */
      readonly from?: Ip
      readonly mtu?: number
    }
  | { readonly kind: 'timeout'; readonly seq: number }

export interface PingResult {
  readonly sent: number
  readonly received: number
  /** What became of each request, in the order it was known. */
  readonly events: readonly PingEvent[]
  /** Answers beyond the first to one request. */
  readonly duplicates: number
}

interface Session {
  readonly id: number
  onReply(reply: EchoReply): void
  onError(error: IcmpError): void
}

/** Echo requests of a host and their answers. */
export class Pinger {
  private readonly sessions = new Map<number, Session>()
  private nextId: number

  constructor(
    private readonly clock: Clock,
    private readonly ip: IpLayer,
    icmp: IcmpLayer,
    firstId: number,
  ) {
    this.nextId = firstId & 0xffff
    icmp.onEchoReply = (reply) => this.sessions.get(reply.id)?.onReply(reply)
    const onError = (e: IcmpError) => this.sessions.get(e.quoted.ports?.src ?? -1)?.onError(e)
    icmp.onError.set(IpProto.icmp, onError)
    icmp.onError.set(IpProto.icmp6, onError)
  }

  /** Sends echo requests; calls back once every one was answered, refused or timed out. */
  ping(dst: Ip, options: PingOptions, done: (result: PingResult) => void): void {
    const { count = 1, interval = 1000, timeout = 1000, size = 56, onEvent } = options
    const id = this.nextId
    this.nextId = (this.nextId + 1) & 0xffff
    const data = Uint8Array.from({ length: size }, (_, i) => i & 0xff)
    const events: PingEvent[] = []
    const pending = new Map<number, { readonly sent: number; readonly timer: Timer }>()
    let sent = 0
    let duplicates = 0

    const conclude = (event: PingEvent) => {
      pending.get(event.seq)?.timer.cancel()
      if (!pending.delete(event.seq)) return
      events.push(event)
      onEvent?.(event)
      if (sent < count || pending.size) return
      this.sessions.delete(id)
      done({ sent, received: events.filter((e) => e.kind === 'reply').length, events, duplicates })
    }

    this.sessions.set(id, {
      id,
      onReply: (reply) => {
        const request = pending.get(reply.seq)
        if (!isMulticast(dst) && reply.from !== dst) return
        if (!request) {
          duplicates++
          return
        }
        const corrupt = reply.data.length !== size || reply.data.some((b, i) => b !== (i & 0xff))
        const rtt = this.clock.monotonic() - request.sent
        const { seq, from, ttl } = reply
        conclude({ kind: 'reply', seq, from, ttl, rtt, size: reply.data.length, ...(corrupt && { corrupt }) })
      },
      onError: (e) => {
        const mtu = e.mtu === undefined ? {} : { mtu: e.mtu }
        conclude({ kind: 'error', seq: e.quoted.ports?.dst ?? -1, error: e.kind, from: e.from, ...mtu })
      },
    })

    const step = () => {
      const seq = ++sent & 0xffff
      const timer = this.clock.after(timeout, () => conclude({ kind: 'timeout', seq }))
      pending.set(seq, { sent: this.clock.monotonic(), timer })
      if (sent < count) this.clock.after(interval, step)
      const { src, out, ttl, tos, df } = options
      this.ip.send({
        dst,
        protocol: typeof dst === 'number' ? IpProto.icmp : IpProto.icmp6,
        ...(src !== undefined && { src }),
        ...(out && { out }),
        ...(ttl !== undefined && { ttl }),
        ...(tos !== undefined && { tos }),
        ...(df !== undefined && { df }),
        payload: (ends) =>
          typeof dst === 'number'
            ? emitIcmp4(echo4('request', id, seq, data))
            : emitIcmp6(echo6('request', id, seq, data), ends),
        onError: (e) => conclude({ kind: 'error', seq, error: e.kind, ...(e.kind === 'too-big' && { mtu: e.mtu }) }),
      })
    }
    step()
  }
}

/** `3 packets transmitted, 3 received, 0% packet loss`, as ping(8) sums up. */
export function pingSummary(r: PingResult): string {
  const loss = r.sent ? Math.round((1 - r.received / r.sent) * 100) : 0
  return `${r.sent} packets transmitted, ${r.received} received, ${loss}% packet loss`
}
