import type { Connection } from './connection.ts'
import { tcpStateName } from './tcp.ts'
import { formatTuple, protocolName, protocolOf } from './tuple.ts'

/** A line of `ovs-appctl dpctl/dump-conntrack`; with `now`, how long it has still to live. */
export function formatConnection(c: Connection, now: number | undefined): string {
  let s = `${protocolName(protocolOf(c.original))},orig=(${formatTuple(c.original)}),reply=(${formatTuple(c.reply)})`
  if (c.zone) s += `,zone=${c.zone}`
  if (now !== undefined) s += `,timeout=${Math.max(0, Math.floor((c.expires - now) / 1000))}`
  if (c.mark) s += `,mark=${c.mark}`
  if (c.label) s += `,labels=0x${c.label.toString(16)}`
  if (c.tcp) s += `,protoinfo=(state=${tcpStateName(c.tcp)})`
  return s
}
