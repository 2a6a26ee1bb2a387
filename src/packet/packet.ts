import type { Ipv4 } from '../address/ipv4.ts'
import type { Ipv6 } from '../address/ipv6.ts'
import type { Mac } from '../address/mac.ts'
import { concatBytes, Malformed, Reader, Truncated } from '../base/bytes.ts'
import { ok, type Result } from '../base/result.ts'
import { type Arp, emitArp, readArp } from './arp.ts'
import { type Ethernet, emitEthernet, parseEthernet } from './ethernet.ts'
import { emitIcmp4, type Icmp4, readIcmp4 } from './icmp4.ts'
import { emitIcmp6, type Icmp6, readIcmp6 } from './icmp6.ts'
import { emitIgmp, type Igmp, readIgmp } from './igmp.ts'
import { emitIpv4, type IpPacket4, ipv4, isFragment4, readIpv4 } from './ipv4.ts'
import { emitIpv6, type IpPacket6, ipv6, isFragment6, readIpv6 } from './ipv6.ts'
import { EtherType, IpProto } from './numbers.ts'
import { emitSctp, readSctp, type Sctp } from './sctp.ts'
import { emitTcp, readTcp, type Tcp } from './tcp.ts'
import { emitUdp, readUdp, type Udp } from './udp.ts'
import type { VlanTag } from './vlan.ts'

/**
 * A frame taken apart: Ethernet, at most one network layer, at most one transport layer. What was
 * not understood stays in the payload of the layer above it.
 */
export interface Packet {
  readonly eth: Ethernet
  /** RARP too: see `eth.type`. */
  readonly arp?: Arp
  readonly ip4?: IpPacket4
  readonly ip6?: IpPacket6
  readonly icmp4?: Icmp4
  readonly icmp6?: Icmp6
  readonly igmp?: Igmp
  readonly udp?: Udp
  readonly tcp?: Tcp
  readonly sctp?: Sctp
  /** Link padding behind the network layer. */
  readonly padding: Uint8Array
  /** Why a layer could not be read, if so. */
  readonly malformed?: string
}

type Transport = Pick<Packet, 'icmp4' | 'icmp6' | 'igmp' | 'udp' | 'tcp' | 'sctp'>

const NO_BYTES = new Uint8Array(0)

/** An error only for a frame shorter than its Ethernet header; broken inner layers say so in `malformed`. */
export function decodeFrame(frame: Uint8Array): Result<Packet> {
  const eth = parseEthernet(frame)
  return eth.ok ? ok(decodeNetwork(eth.value)) : eth
}

/** The network layer alone (from an IP header on), as in the body of an ICMP error. */
export function decodeIp(bytes: Uint8Array): Packet {
  const type = (bytes[0] ?? 0) >>> 4 === 6 ? EtherType.ipv6 : EtherType.ipv4
  return decodeNetwork({ dst: 0, src: 0, tags: [], type, payload: bytes })
}

function decodeNetwork(eth: Ethernet): Packet {
  const r = new Reader(eth.payload)
  try {
    switch (eth.type) {
      case EtherType.arp:
      case EtherType.rarp: {
        const arp = readArp(r)
        return { eth, arp, padding: r.rest() }
      }
      case EtherType.ipv4: {
        const ip4 = readIpv4(r)
        const padding = r.rest()
        if (isFragment4(ip4)) return { eth, ip4, padding }
        return { eth, ip4, ...attempt(() => decodeTransport4(ip4)), padding }
      }
      case EtherType.ipv6: {
        const ip6 = readIpv6(r)
        const padding = r.rest()
        if (isFragment6(ip6)) return { eth, ip6, padding }
        return { eth, ip6, ...attempt(() => decodeTransport6(ip6)), padding }
      }
      default:
        return { eth, padding: NO_BYTES }
    }
  } catch (e) {
    return { eth, padding: NO_BYTES, malformed: reason(e) }
  }
}

function attempt(read: () => Transport): Transport & { malformed?: string } {
  try {
    return read()
  } catch (e) {
    return { malformed: reason(e) }
  }
}

function reason(e: unknown): string {
  if (e instanceof Truncated || e instanceof Malformed) return e.message
  throw e
}

/** Takes apart what an unfragmented packet carries. */
function decodeTransport4(ip: IpPacket4): Transport {
  const r = new Reader(ip.payload)
  switch (ip.protocol) {
    case IpProto.icmp:
      return { icmp4: readIcmp4(r) }
    case IpProto.igmp:
      return { igmp: readIgmp(r) }
    default:
      return decodePorts(r, ip.protocol, ip)
  }
}

function decodeTransport6(ip: IpPacket6): Transport {
  const r = new Reader(ip.payload)
  return ip.protocol === IpProto.icmp6 ? { icmp6: readIcmp6(r, ip) } : decodePorts(r, ip.protocol, ip)
}

function decodePorts(r: Reader, protocol: number, ends: { src: Ipv4 | Ipv6; dst: Ipv4 | Ipv6 }): Transport {
  switch (protocol) {
    case IpProto.udp:
      return { udp: readUdp(r, ends) }
    case IpProto.tcp:
      return { tcp: readTcp(r, ends) }
    case IpProto.sctp:
      return { sctp: readSctp(r) }
    default:
      return {}
  }
}

function emitTransport(p: Transport, ends: { src: Ipv4 | Ipv6; dst: Ipv4 | Ipv6 }): Uint8Array | undefined {
  if (p.icmp4) return emitIcmp4(p.icmp4)
  if (p.icmp6) return emitIcmp6(p.icmp6, ends)
  if (p.igmp) return emitIgmp(p.igmp)
  if (p.udp) return emitUdp(p.udp, ends)
  if (p.tcp) return emitTcp(p.tcp, ends)
  if (p.sctp) return emitSctp(p.sctp)
  return undefined
}

/**
 * Bytes of a packet: every layer that is there replaces the payload of the one above it, so that a
 * decoded packet may be changed in one place and emitted with the right lengths and checksums.
 */
export function encodeFrame(p: Packet): Uint8Array {
  let payload = p.eth.payload
  if (p.arp) payload = concatBytes(emitArp(p.arp), p.padding)
  else if (p.ip4)
    payload = concatBytes(emitIpv4({ ...p.ip4, payload: emitTransport(p, p.ip4) ?? p.ip4.payload }), p.padding)
  else if (p.ip6)
    payload = concatBytes(emitIpv6({ ...p.ip6, payload: emitTransport(p, p.ip6) ?? p.ip6.payload }), p.padding)
  return emitEthernet({ ...p.eth, payload })
}

/** What `craft` needs of each layer; the rest has defaults. */
export interface PacketSpec extends Transport {
  readonly eth: { readonly dst: Mac; readonly src: Mac; readonly tags?: readonly VlanTag[]; readonly type?: number }
  readonly arp?: Arp
  readonly ip4?: { readonly src: Ipv4; readonly dst: Ipv4 } & Partial<IpPacket4>
  readonly ip6?: { readonly src: Ipv6; readonly dst: Ipv6 } & Partial<IpPacket6>
  /** Payload of Ethernet, when there is no layer in it. */
  readonly payload?: Uint8Array
}

function protocolOf(p: Transport): number | undefined {
  if (p.icmp4) return IpProto.icmp
  if (p.icmp6) return IpProto.icmp6
  if (p.igmp) return IpProto.igmp
  if (p.udp) return IpProto.udp
  if (p.tcp) return IpProto.tcp
  return p.sctp ? IpProto.sctp : undefined
}

/**
 * A frame from its parts, outermost first:
 * `craft({ eth: { dst, src }, ip4: { src, dst }, udp: { src: 68, dst: 67, payload } })`.
 */
export function craft(spec: PacketSpec): Uint8Array {
  const { eth, ip4, ip6, payload = NO_BYTES, ...inner } = spec
  const protocol = protocolOf(spec)
  const type = spec.arp ? EtherType.arp : ip4 ? EtherType.ipv4 : ip6 ? EtherType.ipv6 : 0
  return encodeFrame({
    ...inner,
    eth: { tags: [], type, payload, ...eth },
    ...(ip4 && { ip4: ipv4({ protocol: protocol ?? 255, payload: NO_BYTES, ...ip4 }) }),
    ...(ip6 && { ip6: ipv6({ protocol: protocol ?? IpProto.none, payload: NO_BYTES, ...ip6 }) }),
    padding: NO_BYTES,
  })
}
