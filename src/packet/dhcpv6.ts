import { formatIpv6, type Ipv6 } from '../address/ipv6.ts'
import { parse, Reader, Writer } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'

/** An option (RFC 8415 §21.1). */
export interface Dhcp6Option {
  readonly code: number
  readonly data: Uint8Array
}

/** A message between client and server (RFC 8415 §8), or of a relay (§9). */
export type Dhcp6 =
  | {
      readonly kind: 'client-server'
      readonly type: number
      /** 24 bits. */
      readonly xid: number
      readonly options: readonly Dhcp6Option[]
    }
  | {
      readonly kind: 'relay'
      readonly type: number
      readonly hops: number
      readonly link: Ipv6
      readonly peer: Ipv6
      readonly options: readonly Dhcp6Option[]
    }

export const Dhcp6Type = {
  solicit: 1,
  advertise: 2,
  request: 3,
  confirm: 4,
  renew: 5,
  rebind: 6,
  reply: 7,
  release: 8,
  decline: 9,
  reconfigure: 10,
  informationRequest: 11,
  relayForward: 12,
  relayReply: 13,
} as const

export const Dhcp6Code = {
  clientId: 1,
  serverId: 2,
  iaNa: 3,
  iaTa: 4,
  iaAddress: 5,
  optionRequest: 6,
  preference: 7,
  elapsedTime: 8,
  status: 13,
  rapidCommit: 14,
  userClass: 15,
  dnsServer: 23,
  domainSearch: 24,
  iaPd: 25,
  iaPrefix: 26,
  fqdn: 39,
  bootfile: 59,
} as const

export const Dhcp6Status = {
  success: 0,
  unspecified: 1,
  noAddresses: 2,
  noBinding: 3,
  notOnLink: 4,
  noPrefix: 6,
} as const

export function parseDhcp6(bytes: Uint8Array): Result<Dhcp6> {
  return parse(bytes, readDhcp6)
}

export function readDhcp6(r: Reader): Dhcp6 {
  const type = r.u8()
  if (type === Dhcp6Type.relayForward || type === Dhcp6Type.relayReply) {
    return { kind: 'relay', type, hops: r.u8(), link: r.u128(), peer: r.u128(), options: readOptions(r) }
  }
  return { kind: 'client-server', type, xid: r.u24(), options: readOptions(r) }
}

function readOptions(r: Reader): Dhcp6Option[] {
  const options: Dhcp6Option[] = []
  while (r.left) options.push({ code: r.u16(), data: r.take(r.u16()) })
  return options
}

/** Options nested in an option's data, from byte `at` on; undefined when they are malformed. */
export function dhcp6Options(data: Uint8Array, at = 0): Dhcp6Option[] | undefined {
  const result = parse(data.subarray(at), readOptions)
  return result.ok ? result.value : undefined
}

export function emitDhcp6(m: Dhcp6): Uint8Array {
  const w = new Writer(256).u8(m.type)
  if (m.kind === 'relay') w.u8(m.hops).u128(m.link).u128(m.peer)
  else w.u24(m.xid)
  writeOptions(w, m.options)
  return w.done()
}

function writeOptions(w: Writer, options: readonly Dhcp6Option[]): void {
  for (const o of options) w.u16(o.code).u16(o.data.length).bytes(o.data)
}

/** Option bytes, to be nested in another option. */
export function emitDhcp6Options(options: readonly Dhcp6Option[]): Uint8Array {
  const w = new Writer(64)
  writeOptions(w, options)
  return w.done()
}

/** An identity association for addresses (RFC 8415 §21.4) or prefixes (§21.21); times in seconds. */
export interface IdentityAssociation {
  readonly iaid: number
  readonly t1: number
  readonly t2: number
  readonly options: readonly Dhcp6Option[]
}

export function iaOption(code: number, ia: IdentityAssociation): Dhcp6Option {
  const w = new Writer(64).u32(ia.iaid).u32(ia.t1).u32(ia.t2)
  writeOptions(w, ia.options)
  return { code, data: w.done() }
}

export function parseIa(data: Uint8Array): Result<IdentityAssociation> {
  return parse(data, (r) => ({ iaid: r.u32(), t1: r.u32(), t2: r.u32(), options: readOptions(r) }))
}

/** An address of an association (RFC 8415 §21.6); lifetimes in seconds. */
export interface IaAddress {
  readonly address: Ipv6
  readonly preferred: number
  readonly valid: number
  readonly options: readonly Dhcp6Option[]
}

export function iaAddressOption(a: IaAddress): Dhcp6Option {
  const w = new Writer(24).u128(a.address).u32(a.preferred).u32(a.valid)
  writeOptions(w, a.options)
  return { code: Dhcp6Code.iaAddress, data: w.done() }
}

export function parseIaAddress(data: Uint8Array): Result<IaAddress> {
  return parse(data, (r) => ({ address: r.u128(), preferred: r.u32(), valid: r.u32(), options: readOptions(r) }))
}

/** A delegated prefix (RFC 8415 §21.22); lifetimes in seconds. */
export interface IaPrefix {
  readonly preferred: number
  readonly valid: number
  readonly length: number
  readonly prefix: Ipv6
  readonly options: readonly Dhcp6Option[]
}

export function iaPrefixOption(p: IaPrefix): Dhcp6Option {
  const w = new Writer(32).u32(p.preferred).u32(p.valid).u8(p.length).u128(p.prefix)
  writeOptions(w, p.options)
  return { code: Dhcp6Code.iaPrefix, data: w.done() }
}

export function parseIaPrefix(data: Uint8Array): Result<IaPrefix> {
  return parse(data, (r) => ({
    preferred: r.u32(),
    valid: r.u32(),
    length: r.u8(),
    prefix: r.u128(),
    options: readOptions(r),
  }))
}

export function statusOption(status: number, message = ''): Dhcp6Option {
  const data = new Writer(16).u16(status).bytes(new TextEncoder().encode(message)).done()
  return { code: Dhcp6Code.status, data }
}

/** The first option of a code. */
export function dhcp6Option(m: { readonly options: readonly Dhcp6Option[] }, code: number): Uint8Array | undefined {
  return m.options.find((o) => o.code === code)?.data
}

const TYPE_NAMES = Object.entries(Dhcp6Type)

/** `dhcp6 solicit (xid=123456)`, with the addresses a reply gives. */
export function printDhcp6(m: Dhcp6): string {
  const name = TYPE_NAMES.find(([, n]) => n === m.type)?.[0] ?? `msgtype-${m.type}`
  if (m.kind === 'relay') return `dhcp6 ${name} (linkaddr=${formatIpv6(m.link)} peeraddr=${formatIpv6(m.peer)})`
  const addresses = m.options
    .filter((o) => o.code === Dhcp6Code.iaNa)
    .flatMap((o) => dhcp6Options(o.data, 12) ?? [])
    .filter((o) => o.code === Dhcp6Code.iaAddress && o.data.length >= 16)
    .map((o) => ` ${formatIpv6(new Reader(o.data).u128())}`)
    .join('')
  return `dhcp6 ${name} (xid=${m.xid.toString(16).padStart(6, '0')}${addresses && ` address${addresses}`})`
}
