import { formatMac, MAC_BROADCAST, type Mac } from '../address/mac.ts'
import { parse, type Reader, Writer } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'
import { EtherType } from './numbers.ts'
import { isVlanType, printVlanTag, readVlanTag, type VlanTag, writeVlanTag } from './vlan.ts'

/** An Ethernet frame without preamble and frame check sequence (IEEE 802.3 §3). */
export interface Ethernet {
  readonly dst: Mac
  readonly src: Mac
  /** VLAN tags, outermost first; at most two are taken off, more stay in the payload. */
  readonly tags: readonly VlanTag[]
  /** EtherType of the payload; below 0x600 it is a length and the payload is LLC. */
  readonly type: number
  /** Everything behind the header, padding too. */
  readonly payload: Uint8Array
}

/** The largest number of tags taken into `Ethernet.tags`. */
const MAX_TAGS = 2

export function parseEthernet(bytes: Uint8Array): Result<Ethernet> {
  return parse(bytes, readEthernet)
}

export function readEthernet(r: Reader): Ethernet {
  const dst = r.u48()
  const src = r.u48()
  const tags: VlanTag[] = []
  let type = r.u16()
  while (isVlanType(type) && tags.length < MAX_TAGS) {
    tags.push(readVlanTag(r, type))
    type = r.u16()
  }
  return { dst, src, tags, type, payload: r.rest() }
}

export function emitEthernet(e: Ethernet): Uint8Array {
  const w = new Writer(18 + e.payload.length)
  w.u48(e.dst).u48(e.src)
  for (const tag of e.tags) writeVlanTag(w, tag)
  return w.u16(e.type).bytes(e.payload).done()
}

const TYPE_NAMES = new Map<number, string>([
  [EtherType.ipv4, 'IPv4'],
  [EtherType.arp, 'ARP'],
  [EtherType.rarp, 'Reverse ARP'],
  [EtherType.ipv6, 'IPv6'],
  [EtherType.lldp, 'LLDP'],
  [EtherType.mpls, 'MPLS unicast'],
])

/** `fa:16:3e:00:00:01 > Broadcast, ethertype ARP (0x0806), length 42`. */
export function printEthernet(e: Ethernet): string {
  const length = 14 + 4 * e.tags.length + e.payload.length
  const tags = e.tags.map((t) => `${printVlanTag(t)}, `).join('')
  const type =
    e.type < 0x600
      ? `802.3, length ${e.type}`
      : `ethertype ${TYPE_NAMES.get(e.type) ?? 'Unknown'} (0x${e.type.toString(16).padStart(4, '0')})`
  const dst = e.dst === MAC_BROADCAST ? 'Broadcast' : formatMac(e.dst)
  return `${formatMac(e.src)} > ${dst}, ${tags}${type}, length ${length}`
}
