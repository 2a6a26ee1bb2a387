import { formatIpv4, type Ipv4 } from '../address/ipv4.ts'
import { formatMac, type Mac } from '../address/mac.ts'
import { concatBytes, Malformed, parse, Reader, Writer } from '../base/bytes.ts'
import type { Result } from '../base/result.ts'

/** One option: a code and its bytes. Pad (code 0) has none and no length byte. */
export interface DhcpOption {
  readonly code: number
  readonly data: Uint8Array
}

/** A DHCP message (RFC 2131 §2). */
export interface Dhcp {
  /** 1 BOOTREQUEST, 2 BOOTREPLY. */
  readonly op: number
  readonly htype: number
  readonly hlen: number
  readonly hops: number
  readonly xid: number
  readonly secs: number
  /** 0x8000: answer by broadcast. */
  readonly flags: number
  readonly ciaddr: Ipv4
  readonly yiaddr: Ipv4
  readonly siaddr: Ipv4
  readonly giaddr: Ipv4
  /** The first six bytes of the client's hardware address. */
  readonly chaddr: Mac
  /** The ten bytes behind it, unless they are zero. */
  readonly chaddrRest?: Uint8Array
  /** 64 bytes: the server's name; 128 bytes: the boot file. Shorter ones are filled with zeros. */
  readonly sname: Uint8Array
  readonly file: Uint8Array
  /** In wire order, pads too, without the end option. */
  readonly options: readonly DhcpOption[]
  /** What comes behind the end option. */
  readonly trailer?: Uint8Array
  /** There was no end option. */
  readonly endless?: true
}

export const DHCP_COOKIE = 0x6382_5363

export const DhcpType = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const

/** Codes of options that are more than configuration (RFC 2132 §9), and the classless routes (RFC 3442). */
export const DhcpCode = {
  pad: 0,
  netmask: 1,
  router: 3,
  dnsServer: 6,
  hostname: 12,
  domainName: 15,
  mtu: 26,
  broadcast: 28,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverId: 54,
  parameterList: 55,
  message: 56,
  maxSize: 57,
  t1: 58,
  t2: 59,
  clientId: 61,
  bootfile: 67,
  userClass: 77,
  relayAgent: 82,
  domainSearch: 119,
  classlessRoutes: 121,
  etherboot: 175,
  msClasslessRoutes: 249,
  end: 255,
} as const

const NO_BYTES = new Uint8Array(0)

/** A message with everything zero but what is given. */
export function dhcp(d: Pick<Dhcp, 'op' | 'xid' | 'chaddr' | 'options'> & Partial<Dhcp>): Dhcp {
  return {
    htype: 1,
    hlen: 6,
    hops: 0,
    secs: 0,
    flags: 0,
    ciaddr: 0,
    yiaddr: 0,
    siaddr: 0,
    giaddr: 0,
    sname: NO_BYTES,
    file: NO_BYTES,
    ...d,
  }
}

export function parseDhcp(bytes: Uint8Array): Result<Dhcp> {
  return parse(bytes, readDhcp)
}

export function readDhcp(r: Reader): Dhcp {
  const [op, htype, hlen, hops] = [r.u8(), r.u8(), r.u8(), r.u8()]
  const xid = r.u32()
  const secs = r.u16()
  const flags = r.u16()
  const [ciaddr, yiaddr, siaddr, giaddr] = [r.u32(), r.u32(), r.u32(), r.u32()]
  const chaddr = r.u48()
  const chaddrRest = r.take(10)
  const sname = r.take(64)
  const file = r.take(128)
  const cookie = r.u32()
  if (cookie !== DHCP_COOKIE) throw new Malformed(`DHCP: magic cookie 0x${cookie.toString(16)}`)
  const { options, ended } = readDhcpOptions(r)
  return {
    op,
    htype,
    hlen,
    hops,
    xid,
    secs,
    flags,
    ciaddr,
    yiaddr,
    siaddr,
    giaddr,
    chaddr,
    ...(chaddrRest.some((b) => b) && { chaddrRest }),
    sname,
    file,
    options,
    ...(ended ? r.left > 0 && { trailer: r.rest() } : { endless: true as const }),
  }
}

/** Options up to the end option or the end of the reader. */
function readDhcpOptions(r: Reader): { options: DhcpOption[]; ended: boolean } {
  const options: DhcpOption[] = []
  while (r.left) {
    const code = r.u8()
    if (code === DhcpCode.end) return { options, ended: true }
    options.push({ code, data: code === DhcpCode.pad ? NO_BYTES : r.take(r.u8()) })
  }
  return { options, ended: false }
}

/** Values above 255 bytes are cut into several options of the code (RFC 3396 §5). */
export function emitDhcp(d: Dhcp): Uint8Array {
  const w = new Writer(548)
  w.u8(d.op).u8(d.htype).u8(d.hlen).u8(d.hops).u32(d.xid).u16(d.secs).u16(d.flags)
  w.u32(d.ciaddr).u32(d.yiaddr).u32(d.siaddr).u32(d.giaddr).u48(d.chaddr)
  fixed(w, d.chaddrRest ?? NO_BYTES, 10)
  fixed(w, d.sname, 64)
  fixed(w, d.file, 128)
  w.u32(DHCP_COOKIE)
  for (const o of d.options) writeDhcpOption(w, o)
  if (!d.endless) w.u8(DhcpCode.end)
  return w.bytes(d.trailer ?? NO_BYTES).done()
}

function writeDhcpOption(w: Writer, o: DhcpOption): void {
  if (o.code === DhcpCode.pad) {
    w.u8(0)
    return
  }
  let at = 0
  do {
    const part = o.data.subarray(at, at + 255)
    w.u8(o.code).u8(part.length).bytes(part)
    at += 255
  } while (at < o.data.length)
}

function fixed(w: Writer, bytes: Uint8Array, length: number): void {
  const part = bytes.subarray(0, length)
  w.bytes(part).zeros(length - part.length)
}

/**
 * The options by code: those of one code joined (RFC 3396 §7), those in the file and sname fields
 * too when option 52 says they hold some (RFC 2132 §9.3).
 */
export function dhcpOptions(d: Dhcp): Map<number, Uint8Array> {
  const overload = d.options.find((o) => o.code === DhcpCode.overload)?.data[0] ?? 0
  const all = [...d.options]
  for (const [bit, field] of [
    [1, d.file],
    [2, d.sname],
  ] as const) {
    if (!(overload & bit)) continue
    const more = parse(field, readDhcpOptions)
    if (more.ok) all.push(...more.value.options)
  }
  const out = new Map<number, Uint8Array>()
  for (const o of all) {
    if (o.code === DhcpCode.pad) continue
    const before = out.get(o.code)
    out.set(o.code, before ? concatBytes(before, o.data) : o.data)
  }
  return out
}

/** The message type (option 53), or undefined for plain BOOTP. */
export function dhcpType(d: Dhcp): number | undefined {
  return d.options.find((o) => o.code === DhcpCode.messageType)?.data[0]
}

/** An option of one byte, of a 32-bit number or address, or of text. */
export function option8(code: number, value: number): DhcpOption {
  return { code, data: Uint8Array.of(value) }
}
export function option16(code: number, value: number): DhcpOption {
  return { code, data: new Writer(2).u16(value).done() }
}
export function option32(code: number, value: number): DhcpOption {
  return { code, data: new Writer(4).u32(value).done() }
}
export function optionText(code: number, text: string): DhcpOption {
  return { code, data: new TextEncoder().encode(text) }
}

/** The addresses in a value, or undefined when its length is not a multiple of four. */
export function addressesIn(data: Uint8Array): Ipv4[] | undefined {
  if (data.length % 4) return undefined
  const r = new Reader(data)
  return Array.from({ length: data.length / 4 }, () => r.u32())
}

export function numberIn(data: Uint8Array | undefined): number | undefined {
  if (data?.length === 4) return new Reader(data).u32()
  if (data?.length === 2) return new Reader(data).u16()
  return data?.length === 1 ? data[0] : undefined
}

const TYPE_NAMES = ['', 'Discover', 'Offer', 'Request', 'Decline', 'ACK', 'NACK', 'Release', 'Inform']

/** `BOOTP/DHCP, Reply, xid 0x1, Your-IP 10.0.0.4, fa:16:3e:00:00:01, DHCP-Message Offer`. */
export function printDhcp(d: Dhcp): string {
  const type = dhcpType(d)
  const addresses = (
    [
      ['Client-IP', d.ciaddr],
      ['Your-IP', d.yiaddr],
      ['Server-IP', d.siaddr],
      ['Gateway-IP', d.giaddr],
    ] as const
  )
    .filter(([, ip]) => ip)
    .map(([name, ip]) => `, ${name} ${formatIpv4(ip)}`)
    .join('')
  const message = type === undefined ? '' : `, DHCP-Message ${TYPE_NAMES[type] || type}`
  const kind = d.op === 1 ? 'Request' : d.op === 2 ? 'Reply' : `op ${d.op}`
  return `BOOTP/DHCP, ${kind}, xid 0x${d.xid.toString(16)}${addresses}, ${formatMac(d.chaddr)}${message}`
}
