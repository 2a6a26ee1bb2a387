import type { ConnectionTuple, NiciraMessage } from '../../openflow/nicira/message.ts'
import type { Connection } from './connection.ts'
import {
  addressOf,
  destinationPort,
  familyOf,
  isIcmp,
  protocolOf,
  sourcePort,
  T_DST,
  T_ICMP,
  T_SRC,
  type Tuple,
} from './tuple.ts'

/** Which connections to forget (NXT_CT_FLUSH); what is absent is any. */
export type FlushRequest = NiciraMessage & { type: 'ct_flush' }

export function matchesFlush(c: Connection, m: FlushRequest): boolean {
  if (m.protocol !== 0 && protocolOf(c.original) !== m.protocol) return false
  if (m.family !== 0 && familyOf(c.original) !== m.family) return false
  if (m.mark && ((c.mark ^ m.mark.value) & m.mark.mask) !== 0) return false
  if (m.label && ((c.label ^ m.label.value) & m.label.mask) !== 0n) return false
  if (m.original && !matchesTuple(c.original, m.original)) return false
  return !m.reply || matchesTuple(c.reply, m.reply)
}

function matchesTuple(t: Tuple, m: ConnectionTuple): boolean {
  const address = (v: bigint | undefined, at: number) => v === undefined || v === 0n || v === addressOf(t, at)
  if (!address(m.source, T_SRC) || !address(m.destination, T_DST)) return false
  if (isIcmp(t)) {
    const icmp = t[T_ICMP] as number
    if (m.icmpId !== undefined && m.icmpId !== sourcePort(t)) return false
    if (m.icmpType !== undefined && m.icmpType !== icmp >>> 16) return false
    return m.icmpCode === undefined || m.icmpCode === (icmp & 0xffff)
  }
  if (m.sourcePort && m.sourcePort !== sourcePort(t)) return false
  return !m.destinationPort || m.destinationPort === destinationPort(t)
}
