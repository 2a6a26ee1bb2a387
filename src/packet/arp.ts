import { formatIpv4, type Ipv4 } from '../address/ipv4.ts'
import { formatMac, type Mac } from '../address/mac.ts'
import { Malformed, parse, type Reader, Writer } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'

/** Address resolution for IPv4 over Ethernet (RFC 826); RARP (RFC 903) has the same layout. */
export interface Arp {
  /** 1 request, 2 reply; 3 and 4 the same for RARP. */
  readonly op: number
  /** Sender's hardware and protocol address. */
  readonly sha: Mac
  readonly spa: Ipv4
  /** Target's hardware and protocol address. */
  readonly tha: Mac
  readonly tpa: Ipv4
}

export const ArpOp = { request: 1, reply: 2, reverseRequest: 3, reverseReply: 4 } as const

const ETHERNET = 1
const IPV4 = 0x0800
const LENGTH = 28

export function parseArp(bytes: Uint8Array): Result<Arp> {
  return parse(bytes, readArp)
}

export function readArp(r: Reader): Arp {
  const htype = r.u16()
  const ptype = r.u16()
  const hlen = r.u8()
  const plen = r.u8()
  if (htype !== ETHERNET || hlen !== 6) throw new Malformed(`ARP: hardware type ${htype}, length ${hlen}`)
  if (ptype !== IPV4 || plen !== 4) throw new Malformed(`ARP: protocol type ${ptype}, length ${plen}`)
  return { op: r.u16(), sha: r.u48(), spa: r.u32(), tha: r.u48(), tpa: r.u32() }
}

export function emitArp(a: Arp): Uint8Array {
  const w = new Writer(LENGTH)
  w.u16(ETHERNET).u16(IPV4).u8(6).u8(4).u16(a.op)
  return w.u48(a.sha).u32(a.spa).u48(a.tha).u32(a.tpa).done()
}

/** `Request who-has 10.0.0.2 tell 10.0.0.1`. */
export function printArp(a: Arp): string {
  switch (a.op) {
    case ArpOp.request: {
      const hint = a.tha ? ` (${formatMac(a.tha)})` : ''
      return `Request who-has ${formatIpv4(a.tpa)}${hint} tell ${formatIpv4(a.spa)}`
    }
    case ArpOp.reply:
      return `Reply ${formatIpv4(a.spa)} is-at ${formatMac(a.sha)}`
    case ArpOp.reverseRequest:
      return `Reverse Request who-is ${formatMac(a.tha)} tell ${formatMac(a.sha)}`
    case ArpOp.reverseReply:
      return `Reverse Reply ${formatMac(a.tha)} at ${formatIpv4(a.tpa)}`
    default:
      return `Unknown (${a.op})`
  }
}
