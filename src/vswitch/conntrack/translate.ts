import * as K from '../classifier/key.ts'
import type { Packet } from '../datapath/packet.ts'
import { setIcmpWord, setIpv4, setIpv6Word, setPort } from '../datapath/rewrite.ts'
import type { Connection } from './connection.ts'
import { onesSum, quotedTransport } from './lookup.ts'
import {
  destinationPort,
  familyOf,
  hasPorts,
  isIcmp,
  reverseTuple,
  sourcePort,
  T_DST,
  T_PORTS,
  T_SRC,
  type Tuple,
} from './tuple.ts'

/** What a packet of one direction is after translation: what the other end expects to see. */
function translated(c: Connection, reply: boolean): Tuple {
  return reverseTuple(reply ? c.original : c.reply)
}

/** The ct_state bits of a translation: the answers to a source translation have their destination translated. */
function bits(c: Connection, reply: boolean): number {
  return (c.nat === 'src') !== reply ? K.CS_SNAT : K.CS_DNAT
}

function setAddresses(packet: Packet, t: Tuple): void {
  if (familyOf(t) === 4) {
    setIpv4(packet, K.NW_SRC, t[T_SRC + 3] as number)
    setIpv4(packet, K.NW_DST, t[T_DST + 3] as number)
    return
  }
  for (let i = 0; i < 4; i++) {
    setIpv6Word(packet, K.IPV6_SRC + i, t[T_SRC + i] as number)
    setIpv6Word(packet, K.IPV6_DST + i, t[T_DST + i] as number)
  }
}

/** Translates a packet of a connection. Returns the bits that ct_state gains. */
export function translatePacket(packet: Packet, c: Connection, reply: boolean): number {
  const now = translated(c, reply)
  setAddresses(packet, now)
  if (isIcmp(now)) {
    const at = packet.layers.l4 + 4
    const id = ((packet.frame[at] as number) << 8) | (packet.frame[at + 1] as number)
    if (id !== sourcePort(now)) setIcmpWord(packet, 4, sourcePort(now))
  } else if (hasPorts(now)) {
    setPort(packet, K.TP_SRC, sourcePort(now))
    setPort(packet, K.TP_DST, destinationPort(now))
  }
  return bits(c, reply)
}

function put16(b: Uint8Array, at: number, v: number): void {
  b[at] = v >>> 8
  b[at + 1] = v
}

function put32(b: Uint8Array, at: number, v: number): void {
  put16(b, at, v >>> 16)
  put16(b, at + 2, v & 0xffff)
}

/**
 * Translates an ICMP error (RFC 5508 §4.2): the quoted packet becomes the one that its sender knows,
 * and the error's addresses change as those of the connection's packets in its direction do.
 */
export function translateError(packet: Packet, c: Connection, reply: boolean, at: number): number {
  const quoted = reply ? c.original : c.reply
  const b = packet.writable()
  const v6 = familyOf(quoted) === 6
  const transport = quotedTransport(b, at, packet.layers.end, v6)
  if (!transport) return 0
  const [from, to] = v6 ? [at + 8, at + 40] : [at + 12, at + 20]
  const before = onesSum(b, from, to) + onesSum(b, transport.l4, transport.l4 + 4)
  if (v6) {
    for (let i = 0; i < 4; i++) {
      put32(b, at + 8 + 4 * i, quoted[T_SRC + i] as number)
      put32(b, at + 24 + 4 * i, quoted[T_DST + i] as number)
    }
  } else {
    put32(b, at + 12, quoted[T_SRC + 3] as number)
    put32(b, at + 16, quoted[T_DST + 3] as number)
    put16(b, at + 10, 0)
    put16(b, at + 10, ~onesSum(b, at, at + ((b[at] as number) & 15) * 4) & 0xffff)
  }
  if (isIcmp(quoted)) put16(b, transport.l4 + 4, sourcePort(quoted))
  else if (hasPorts(quoted)) {
    put32(b, transport.l4, quoted[T_PORTS] as number)
    const after = onesSum(b, from, to) + onesSum(b, transport.l4, transport.l4 + 4)
    const sum = quotedChecksum(b, transport.proto, transport.l4, packet.layers.end)
    if (sum >= 0) {
      const old = ((b[sum] as number) << 8) | (b[sum + 1] as number)
      let v = (~old & 0xffff) + (0x1fffe - before) + after
      while (v > 0xffff) v = (v & 0xffff) + (v >>> 16)
      put16(b, sum, ~v & 0xffff)
    }
  }
  const gained = bits(c, reply)
  const outer = reverseTuple(quoted)
  if (v6) {
    for (let i = 0; i < 4; i++) {
      if (gained === K.CS_SNAT) setIpv6Word(packet, K.IPV6_SRC + i, outer[T_SRC + i] as number)
      else setIpv6Word(packet, K.IPV6_DST + i, outer[T_DST + i] as number)
    }
  } else if (gained === K.CS_SNAT) setIpv4(packet, K.NW_SRC, outer[T_SRC + 3] as number)
  else setIpv4(packet, K.NW_DST, outer[T_DST + 3] as number)
  icmpChecksum(packet, v6)
  return gained
}

/** Where a quoted packet has its transport checksum, if so much was quoted and it is in use. */
function quotedChecksum(b: Uint8Array, proto: number, l4: number, end: number): number {
  if (proto === K.IP_UDP && l4 + 8 <= end) return b[l4 + 6] === 0 && b[l4 + 7] === 0 ? -1 : l4 + 6
  if (proto === K.IP_TCP && l4 + 18 <= end) return l4 + 16
  return -1
}

/** Computes an ICMP checksum anew: much of its message changed. */
function icmpChecksum(packet: Packet, v6: boolean): void {
  const b = packet.writable()
  const { l3, l4, end } = packet.layers
  put16(b, l4 + 2, 0)
  const pseudo = v6 ? onesSum(b, l3 + 8, l3 + 40) + K.IP_ICMPV6 + (end - l4) : 0
  put16(b, l4 + 2, ~onesSum(b, l4, end, pseudo) & 0xffff)
}
