import { formatIpv4 } from '../../address/ipv4.ts'
import { formatIpv6 } from '../../address/ipv6.ts'
import * as K from '../classifier/key.ts'
import { hashValues } from '../classifier/mask.ts'

/**
 * One direction of a connection: zone, protocol and family, source, destination, ports. For ICMP
 * the ports are both the identifier, and type and code take part.
 */
export type Tuple = Uint32Array

export const T_ZONE = 0
/** Protocol in the upper 16 bits, family (4 or 6) in the lower. */
export const T_PROTO = 1
/** Four words; an IPv4 address is in the last. */
export const T_SRC = 2
/** Four words. */
export const T_DST = 6
/** Source port above, destination port below. */
export const T_PORTS = 10
/** ICMP: type above, code below. */
export const T_ICMP = 11
export const TUPLE_WORDS = 12

export const protocolOf = (t: Tuple): number => (t[T_PROTO] as number) >>> 16
export const familyOf = (t: Tuple): number => (t[T_PROTO] as number) & 0xff
export const sourcePort = (t: Tuple): number => (t[T_PORTS] as number) >>> 16
export const destinationPort = (t: Tuple): number => (t[T_PORTS] as number) & 0xffff
export const isIcmp = (t: Tuple): boolean => protocolOf(t) === K.IP_ICMP || protocolOf(t) === K.IP_ICMPV6

/** Whether the protocol has ports. */
export const hasPorts = (t: Tuple): boolean => {
  const p = protocolOf(t)
  return p === K.IP_TCP || p === K.IP_UDP || p === K.IP_SCTP
}

export function setSourcePort(t: Tuple, port: number): void {
  t[T_PORTS] = (((t[T_PORTS] as number) & 0xffff) | (port << 16)) >>> 0
}

export function setDestinationPort(t: Tuple, port: number): void {
  t[T_PORTS] = (((t[T_PORTS] as number) & 0xffff0000) | port) >>> 0
}

export function addressOf(t: Tuple, at: number): bigint {
  return familyOf(t) === 4 ? BigInt(t[at + 3] as number) : K.u128(t, at)
}

export function setAddress(t: Tuple, at: number, value: bigint): void {
  K.setU128(t, at, value)
}

export function hashTuple(t: Tuple): number {
  return hashValues(t)
}

export function equalTuple(a: Tuple, b: Tuple): boolean {
  for (let i = 0; i < TUPLE_WORDS; i++) if (a[i] !== b[i]) return false
  return true
}

/** The answering type of an ICMP query, or -1 (RFC 792, RFC 950, RFC 4443). */
export function icmpAnswer(type: number, v6: boolean): number {
  if (v6) return type === 128 ? 129 : type === 129 ? 128 : -1
  switch (type) {
    case 8:
      return 0
    case 0:
      return 8
    case 13:
      return 14
    case 14:
      return 13
    case 15:
      return 16
    case 16:
      return 15
    case 17:
      return 18
    case 18:
      return 17
    default:
      return -1
  }
}

export function reverseTuple(t: Tuple): Tuple {
  const r = new Uint32Array(TUPLE_WORDS)
  r[T_ZONE] = t[T_ZONE] as number
  r[T_PROTO] = t[T_PROTO] as number
  for (let i = 0; i < 4; i++) {
    r[T_SRC + i] = t[T_DST + i] as number
    r[T_DST + i] = t[T_SRC + i] as number
  }
  const p = t[T_PORTS] as number
  r[T_PORTS] = ((p << 16) | (p >>> 16)) >>> 0
  if (isIcmp(t)) {
    const type = (t[T_ICMP] as number) >>> 16
    r[T_ICMP] = ((icmpAnswer(type, familyOf(t) === 6) << 16) | ((t[T_ICMP] as number) & 0xffff)) >>> 0
  }
  return r
}

const PROTOCOLS: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6', 132: 'sctp' }

export function protocolName(proto: number): string {
  return PROTOCOLS[proto] ?? String(proto)
}

/** `src=10.0.0.1,dst=10.0.0.2,sport=1,dport=2`, as `ovs-appctl dpctl/dump-conntrack` prints. */
export function formatTuple(t: Tuple): string {
  const text = (at: number) => (familyOf(t) === 4 ? formatIpv4(t[at + 3] as number) : formatIpv6(K.u128(t, at)))
  const head = `src=${text(T_SRC)},dst=${text(T_DST)}`
  if (isIcmp(t)) {
    const icmp = t[T_ICMP] as number
    return `${head},id=${sourcePort(t)},type=${icmp >>> 16},code=${icmp & 0xffff}`
  }
  return `${head},sport=${sourcePort(t)},dport=${destinationPort(t)}`
}
