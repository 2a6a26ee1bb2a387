import { formatIpv6, type Ipv6 } from '../address/ipv6.ts'
import { formatMac, type Mac } from '../address/mac.ts'
import { Malformed, parse, Reader, Writer } from '../base/bytes.ts'
import { err, type Result } from '../base/result.ts'
import { type Icmp6, Icmp6Type } from './icmp6.ts'

/** A neighbour discovery option (RFC 4861 §4.6): type and everything behind the length byte. */
export interface NdOption {
  readonly type: number
  readonly data: Uint8Array
}

export const NdOptionType = {
  sourceLinkAddress: 1,
  targetLinkAddress: 2,
  prefix: 3,
  redirectedHeader: 4,
  mtu: 5,
  nonce: 14,
  /** Route information (RFC 4191 §2.3). */
  route: 24,
  /** Recursive DNS servers (RFC 8106 §5.1). */
  rdnss: 25,
  /** DNS search list (RFC 8106 §5.2). */
  dnssl: 31,
} as const

export interface RouterSolicitation {
  readonly kind: 'rs'
  readonly reserved: number
  readonly options: readonly NdOption[]
}

/** RFC 4861 §4.2. */
export interface RouterAdvertisement {
  readonly kind: 'ra'
  readonly hopLimit: number
  /** M (0x80: addresses from DHCPv6), O (0x40: the rest from DHCPv6), preference in 0x18 (RFC 4191). */
  readonly flags: number
  /** Seconds this is a default router; 0: it is none. */
  readonly lifetime: number
  /** Milliseconds; 0: not said. */
  readonly reachable: number
  readonly retransmit: number
  readonly options: readonly NdOption[]
}

export interface NeighborSolicitation {
  readonly kind: 'ns'
  readonly reserved: number
  readonly target: Ipv6
  readonly options: readonly NdOption[]
}

/** RFC 4861 §4.4. */
export interface NeighborAdvertisement {
  readonly kind: 'na'
  /** The whole second word: router 0x80000000, solicited 0x40000000, override 0x20000000. */
  readonly flags: number
  readonly target: Ipv6
  readonly options: readonly NdOption[]
}

export type NdMessage = RouterSolicitation | RouterAdvertisement | NeighborSolicitation | NeighborAdvertisement

export const NaFlag = { router: 0x8000_0000, solicited: 0x4000_0000, override: 0x2000_0000 } as const
export const RaFlag = { managed: 0x80, other: 0x40 } as const

export function isNd(m: Icmp6): boolean {
  return m.type >= Icmp6Type.routerSolicitation && m.type <= Icmp6Type.neighborAdvertisement
}

export function parseNd(m: Icmp6): Result<NdMessage> {
  if (!isNd(m) || m.code !== 0) return err(`ND: ICMPv6 type ${m.type}, code ${m.code}`)
  return parse(m.payload, (r) => readNd(m, r))
}

function readNd(m: Icmp6, r: Reader): NdMessage {
  switch (m.type) {
    case Icmp6Type.routerSolicitation:
      return { kind: 'rs', reserved: m.rest, options: readOptions(r) }
    case Icmp6Type.routerAdvertisement:
      return {
        kind: 'ra',
        hopLimit: m.rest >>> 24,
        flags: (m.rest >>> 16) & 0xff,
        lifetime: m.rest & 0xffff,
        reachable: r.u32(),
        retransmit: r.u32(),
        options: readOptions(r),
      }
    case Icmp6Type.neighborSolicitation:
      return { kind: 'ns', reserved: m.rest, target: r.u128(), options: readOptions(r) }
    default:
      return { kind: 'na', flags: m.rest, target: r.u128(), options: readOptions(r) }
  }
}

function readOptions(r: Reader): NdOption[] {
  const options: NdOption[] = []
  while (r.left) {
    const type = r.u8()
    const units = r.u8()
    // RFC 4861 §4.6: a length of zero makes the whole message invalid.
    if (units === 0) throw new Malformed(`ND: option ${type} of length 0`)
    options.push({ type, data: r.take(units * 8 - 2) })
  }
  return options
}

const ICMP_TYPE = {
  rs: Icmp6Type.routerSolicitation,
  ra: Icmp6Type.routerAdvertisement,
  ns: Icmp6Type.neighborSolicitation,
  na: Icmp6Type.neighborAdvertisement,
} as const

/** The ICMPv6 message; its IP packet must have hop limit 255 (RFC 4861 §7.1). */
export function ndMessage(nd: NdMessage): Icmp6 {
  const w = new Writer(64)
  let rest = 0
  switch (nd.kind) {
    case 'rs':
      rest = nd.reserved
      break
    case 'ra':
      rest = ((nd.hopLimit << 24) | (nd.flags << 16) | nd.lifetime) >>> 0
      w.u32(nd.reachable).u32(nd.retransmit)
      break
    case 'ns':
      rest = nd.reserved
      w.u128(nd.target)
      break
    case 'na':
      rest = nd.flags >>> 0
      w.u128(nd.target)
      break
  }
  for (const o of nd.options) {
    const start = w.length
    w.u8(o.type)
      .u8((o.data.length + 9) >>> 3)
      .bytes(o.data)
      .align(8, start)
  }
  return { type: ICMP_TYPE[nd.kind], code: 0, rest, payload: w.done() }
}

export function linkAddressOption(kind: 'source' | 'target', mac: Mac): NdOption {
  const type = kind === 'source' ? NdOptionType.sourceLinkAddress : NdOptionType.targetLinkAddress
  return { type, data: new Writer(6).u48(mac).done() }
}

/** The address in a message's source or target link-layer address option. */
export function linkAddress(nd: NdMessage, kind: 'source' | 'target'): Mac | undefined {
  const type = kind === 'source' ? NdOptionType.sourceLinkAddress : NdOptionType.targetLinkAddress
  const data = nd.options.find((o) => o.type === type)?.data
  return data && data.length >= 6 ? new Reader(data).u48() : undefined
}

/** Prefix information (RFC 4861 §4.6.2); lifetimes in seconds, 0xffffffff for ever. */
export interface NdPrefix {
  readonly length: number
  /** On-link 0x80, autonomous address configuration 0x40. */
  readonly flags: number
  readonly valid: number
  readonly preferred: number
  readonly prefix: Ipv6
}

export function prefixOption(p: NdPrefix): NdOption {
  const w = new Writer(30)
  w.u8(p.length).u8(p.flags).u32(p.valid).u32(p.preferred).u32(0).u128(p.prefix)
  return { type: NdOptionType.prefix, data: w.done() }
}

export function ndPrefixes(nd: NdMessage): NdPrefix[] {
  const out: NdPrefix[] = []
  for (const o of nd.options) {
    if (o.type !== NdOptionType.prefix || o.data.length !== 30) continue
    const r = new Reader(o.data)
    const [length, flags, valid, preferred] = [r.u8(), r.u8(), r.u32(), r.u32()]
    r.skip(4)
    if (length <= 128) out.push({ length, flags, valid, preferred, prefix: r.u128() })
  }
  return out
}

export function mtuOption(mtu: number): NdOption {
  return { type: NdOptionType.mtu, data: new Writer(6).u16(0).u32(mtu).done() }
}

export function ndMtu(nd: NdMessage): number | undefined {
  const data = nd.options.find((o) => o.type === NdOptionType.mtu)?.data
  return data && data.length >= 6 ? new Reader(data, 2).u32() : undefined
}

/** DNS servers for `lifetime` seconds (RFC 8106 §5.1). */
export function rdnssOption(lifetime: number, servers: readonly Ipv6[]): NdOption {
  const w = new Writer(6 + 16 * servers.length).u16(0).u32(lifetime)
  for (const s of servers) w.u128(s)
  return { type: NdOptionType.rdnss, data: w.done() }
}

function printOption(o: NdOption): string {
  if ((o.type === 1 || o.type === 2) && o.data.length >= 6) {
    return `${o.type === 1 ? 'source' : 'destination'} link-address ${formatMac(new Reader(o.data).u48())}`
  }
  return `option-#${o.type}`
}

/** `neighbor solicitation, who has fd00::2, source link-address fa:16:3e:00:00:01`. */
export function printNd(nd: NdMessage): string {
  const options = nd.options.map((o) => `, ${printOption(o)}`).join('')
  switch (nd.kind) {
    case 'rs':
      return `router solicitation${options}`
    case 'ra':
      return `router advertisement, hop limit ${nd.hopLimit}, flags 0x${nd.flags.toString(16)}, router lifetime ${nd.lifetime}s${options}`
    case 'ns':
      return `neighbor solicitation, who has ${formatIpv6(nd.target)}${options}`
    case 'na': {
      const flags = [
        nd.flags & NaFlag.router ? 'router' : '',
        nd.flags & NaFlag.solicited ? 'solicited' : '',
        nd.flags & NaFlag.override ? 'override' : '',
      ].filter(Boolean)
      return `neighbor advertisement, tgt is ${formatIpv6(nd.target)}, Flags [${flags.join(', ')}]${options}`
    }
  }
}
