import type { Ip } from '../address/ip.ts'
import {
  echo4,
  echo6,
  emitIcmp4,
  emitIcmp6,
  Icmp4Type,
  type Icmp6,
  Icmp6Type,
  IpProto,
  icmp4Error,
  icmp6Error,
  isIcmp4Error,
  isIcmp6Error,
  parseIcmp4,
  parseIcmp6,
  parseQuoted,
  type Quoted,
  Unreachable4,
} from '../packet/index.ts'
import type { Datagram, IpLayer, Link } from './ip-layer.ts'

/** What an ICMP error says, whatever the family. */
export type IcmpErrorKind =
  | 'net-unreachable'
  | 'host-unreachable'
  | 'protocol-unreachable'
  | 'port-unreachable'
  | 'prohibited'
  | 'too-big'
  | 'time-exceeded'
  | 'reassembly-timeout'
  | 'other'

export interface IcmpError {
  readonly kind: IcmpErrorKind
  /** Who reported it. */
  readonly from: Ip
  readonly type: number
  readonly code: number
  /** For too-big: bytes that fit. */
  readonly mtu?: number
  /** The packet it is about. */
  readonly quoted: Quoted
}

export interface EchoReply {
  readonly from: Ip
  readonly id: number
  readonly seq: number
  readonly ttl: number
  readonly data: Uint8Array
}

const UNREACHABLE4: readonly IcmpErrorKind[] = [
  'net-unreachable',
  'host-unreachable',
  'protocol-unreachable',
  'port-unreachable',
  'too-big',
]
const UNREACHABLE6: readonly IcmpErrorKind[] = [
  'net-unreachable',
  'prohibited',
  'other',
  'host-unreachable',
  'port-unreachable',
]

function kindOf(six: boolean, type: number, code: number): IcmpErrorKind {
  if (type === (six ? Icmp6Type.timeExceeded : Icmp4Type.timeExceeded)) {
    return code === 0 ? 'time-exceeded' : 'reassembly-timeout'
  }
  if (six) {
    if (type === Icmp6Type.packetTooBig) return 'too-big'
    if (type === Icmp6Type.unreachable) return UNREACHABLE6[code] ?? 'prohibited'
    return type === Icmp6Type.parameterProblem && code === 1 ? 'protocol-unreachable' : 'other'
  }
  if (type !== Icmp4Type.unreachable) return 'other'
  if (code === 9 || code === 10 || code === 13) return 'prohibited'
  return UNREACHABLE4[code] ?? 'other'
}

/** ICMP and ICMPv6 of a host: answers echoes, reports errors, hands on those it gets. */
export class IcmpLayer {
  /** Whether echo requests are answered. */
  answersEcho = true
  onEchoReply: ((reply: EchoReply) => void) | undefined
  /** ICMPv6 messages that are neither echo nor error nor neighbour discovery. */
  onOther6: ((message: Icmp6, link: Link) => void) | undefined
  /** Errors about packets of a protocol. */
  readonly onError = new Map<number, (error: IcmpError) => void>()

  constructor(private readonly ip: IpLayer) {
    ip.protocols.set(IpProto.icmp, (d) => this.receive4(d))
    ip.protocols.set(IpProto.icmp6, (d, link) => this.receive6(d, link))
    ip.onComplaint = (about, e) => this.complain(about, e.type, e.code, e.rest ?? 0)
  }

  /** Sends an error about a packet, unless that must not be (RFC 1122 §3.2.2, RFC 4443 §2.4 e). */
  private complain(about: Uint8Array, type: number, code: number, rest: number): void {
    const parsed = parseQuoted(about)
    if (!parsed.ok) return
    const q = parsed.value
    const inner = q.transport[0] ?? 0
    if (q.protocol === IpProto.icmp && isIcmp4Error(inner)) return
    if (q.protocol === IpProto.icmp6 && isIcmp6Error(inner)) return
    if (q.src === 0 || q.src === 0n) return
    const six = typeof q.src === 'bigint'
    const src = this.ip.isLocal(q.dst) ? q.dst : this.ip.sourceFor(q.src)
    if (src === undefined) return
    this.ip.send({
      dst: q.src,
      src,
      protocol: six ? IpProto.icmp6 : IpProto.icmp,
      payload: (ends) =>
        six ? emitIcmp6(icmp6Error(type, code, about, rest), ends) : emitIcmp4(icmp4Error(type, code, about, rest)),
    })
  }

  private receive4(d: Datagram): boolean {
    const parsed = parseIcmp4(d.payload)
    if (!parsed.ok || parsed.value.badChecksum !== undefined) return true
    const m = parsed.value
    if (m.type === Icmp4Type.echoRequest) {
      if (!d.group && this.answersEcho) this.reply(d, m.rest, m.payload)
    } else if (m.type === Icmp4Type.echoReply) {
      this.onEchoReply?.({ from: d.src, id: m.rest >>> 16, seq: m.rest & 0xffff, ttl: d.ttl, data: m.payload })
    } else if (isIcmp4Error(m.type)) {
      const tooBig = m.type === Icmp4Type.unreachable && m.code === Unreachable4.fragNeeded
      this.report(d.src, false, m.type, m.code, m.payload, tooBig ? m.rest & 0xffff : undefined)
    }
    return true
  }

  private receive6(d: Datagram, link: Link): boolean {
    const parsed = parseIcmp6(d.payload, d)
    if (!parsed.ok || parsed.value.badChecksum !== undefined) return true
    const m = parsed.value
    if (m.type === Icmp6Type.echoRequest) {
      if (this.answersEcho) this.reply(d, m.rest, m.payload)
    } else if (m.type === Icmp6Type.echoReply) {
      this.onEchoReply?.({ from: d.src, id: m.rest >>> 16, seq: m.rest & 0xffff, ttl: d.ttl, data: m.payload })
    } else if (isIcmp6Error(m.type)) {
      this.report(d.src, true, m.type, m.code, m.payload, m.type === Icmp6Type.packetTooBig ? m.rest : undefined)
    } else this.onOther6?.(m, link)
    return true
  }

  private reply(d: Datagram, rest: number, data: Uint8Array): void {
    const [id, seq] = [rest >>> 16, rest & 0xffff]
    this.ip.send({
      dst: d.src,
      ...(!d.group && { src: d.dst }),
      protocol: d.protocol,
      tos: d.tos,
      payload: (ends) =>
        typeof ends.src === 'bigint'
          ? emitIcmp6(echo6('reply', id, seq, data), ends)
          : emitIcmp4(echo4('reply', id, seq, data)),
    })
  }

  private report(from: Ip, six: boolean, type: number, code: number, body: Uint8Array, mtu: number | undefined): void {
    const quoted = parseQuoted(body)
    // Only errors about what this host sent count (RFC 5927 §4).
    if (!quoted.ok || !this.ip.isLocal(quoted.value.src)) return
    const q = quoted.value
    const kind = kindOf(six, type, code)
    // A router that does not say its MTU (RFC 1191 §5) leaves the next smaller usual one.
    const usable = mtu === undefined ? undefined : mtu || plateau(q.length)
    if (kind === 'too-big' && usable !== undefined) this.ip.learnPathMtu(q.dst, usable)
    this.onError.get(q.protocol)?.({ kind, from, type, code, ...(usable !== undefined && { mtu: usable }), quoted: q })
  }
}

/** RFC 1191 §7.1: usual MTUs below a packet's length. */
function plateau(length: number): number {
  return [65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296].find((m) => m < length) ?? 68
}
