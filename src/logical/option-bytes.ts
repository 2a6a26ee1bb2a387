import { parsePrefix } from '../address/prefix.ts'
import { Writer } from '../base/bytes.ts'
import type { OptionSetting } from './action.ts'
import type { Integer } from './lexer.ts'

const utf8 = new TextEncoder()

function numbers(o: OptionSetting): readonly Integer[] {
  return o.values.flatMap((v) => ('string' in v ? [] : [v]))
}

function text(o: OptionSetting): string {
  const v = o.values[0]
  return v && 'string' in v ? v.string : ''
}

function number(o: OptionSetting): bigint {
  return numbers(o)[0]?.value ?? 0n
}

/** A name as DNS has it, by labels, each behind its length (RFC 1035 §3.1); empty labels are left out. */
function labels(name: string): string[] {
  return name.split('.').filter((l) => l.length > 0)
}

/** Names one after the other, compressed against those before (RFC 3397 §2, RFC 1035 §4.1.4). */
export function searchList(names: readonly string[]): Uint8Array {
  const w = new Writer()
  const seen = new Map<string, number>()
  for (const name of names) {
    const parts = labels(name)
    let pointer: number | undefined
    for (let i = 0; i < parts.length && pointer === undefined; i++) {
      const suffix = parts.slice(i).join('.')
      pointer = seen.get(suffix)
      if (pointer !== undefined) w.u16(0xc000 | pointer)
      else {
        seen.set(suffix, w.length)
        const bytes = utf8.encode(parts[i])
        w.u8(bytes.length & 63).bytes(bytes.subarray(0, 63))
      }
    }
    if (pointer === undefined) w.u8(0)
  }
  return w.done()
}

function uncompressed(w: Writer, name: string): void {
  for (const label of labels(name)) {
    const bytes = utf8.encode(label)
    w.u8(bytes.length & 63).bytes(bytes.subarray(0, 63))
  }
  w.u8(0)
}

/** The value of a DHCPv4 option by its type in the DHCP_Options table. */
function dhcpValue(o: OptionSetting): Uint8Array {
  const w = new Writer()
  switch (o.type) {
    case 'ipv4':
      for (const v of numbers(o)) w.u32(Number(v.value & 0xffffffffn))
      break
    case 'bool':
    case 'uint8':
      w.u8(Number(number(o) & 0xffn))
      break
    case 'uint16':
      w.u16(Number(number(o) & 0xffffn))
      break
    case 'uint32':
      w.u32(Number(number(o) & 0xffffffffn))
      break
    case 'static_routes': {
      // RFC 3442: prefix length, significant octets of the network, router.
      const values = numbers(o)
      for (let i = 0; i + 1 < values.length; i += 2) {
        const network = values[i] as Integer
        const length = network.mask === undefined ? 32 : network.mask.toString(2).replace(/0/g, '').length
        w.u8(length)
        for (let byte = 0; byte < Math.ceil(length / 8); byte++) {
          w.u8(Number((network.value >> BigInt(24 - 8 * byte)) & 0xffn))
        }
        w.u32(Number((values[i + 1] as Integer).value & 0xffffffffn))
      }
      break
    }
    case 'host_id':
      if (numbers(o).length) w.u32(Number(number(o) & 0xffffffffn))
      else w.bytes(utf8.encode(text(o)))
      break
    case 'domains':
      w.bytes(searchList(text(o).split(',')))
      break
    default:
      w.bytes(utf8.encode(text(o)))
  }
  return w.done()
}

/** Which options the controller wants first, to find them without parsing. */
const DHCP_FIRST = ['bootfile_name', 'bootfile_name_alt', 'next_server'] as const

/** put_dhcp_opts: the offered address, then code, length, value of each option. */
export function dhcpOptionBytes(w: Writer, options: readonly OptionSetting[]): void {
  const offer = options.find((o) => o.code === 0)
  w.u32(offer ? Number(number(offer) & 0xffffffffn) : 0)
  const first = DHCP_FIRST.flatMap((name) => options.filter((o) => o.name === name))
  for (const o of [...first, ...options.filter((x) => x !== offer && !first.includes(x))]) {
    const value = dhcpValue(o)
    w.u8(o.code)
      .u8(value.length & 0xff)
      .bytes(value)
  }
}

/** put_dhcpv6_opts: 16 bits of code, 16 of length, value. */
export function dhcpv6OptionBytes(w: Writer, options: readonly OptionSetting[]): void {
  for (const o of options) {
    const value = new Writer()
    switch (o.type) {
      case 'ipv6':
        for (const v of numbers(o)) value.u128(v.value)
        break
      case 'mac':
        value.u48(Number(number(o) & 0xffffffffffffn))
        break
      case 'domain':
        uncompressed(value, text(o))
        break
      default:
        value.bytes(utf8.encode(text(o)))
    }
    const bytes = value.done()
    w.u16(o.code).u16(bytes.length).bytes(bytes)
  }
}

const PREFERENCE: Readonly<Record<string, number>> = { HIGH: 0x08, MEDIUM: 0x00, LOW: 0x18 }
const MODE: Readonly<Record<string, number>> = { slaac: 0x00, dhcpv6_stateful: 0x80, dhcpv6_stateless: 0x40 }

/** put_nd_ra_opts: the router advertisement's ICMPv6 header and options (RFC 4861 §4.2, RFC 8106, RFC 4191). */
export function routerAdvertisementBytes(w: Writer, options: readonly OptionSetting[]): void {
  const mode = options.find((o) => o.name === 'addr_mode')
  const preference = options.find((o) => o.name === 'router_preference')
  const flags = (mode ? (MODE[text(mode)] ?? 0) : 0) | (preference ? (PREFERENCE[text(preference)] ?? 0) : 0)
  const autonomous = mode === undefined || text(mode) !== 'dhcpv6_stateful'
  w.u8(134).u8(0).u16(0).u8(255).u8(flags).u16(0xffff).u32(0).u32(0)
  for (const o of options) {
    switch (o.name) {
      case 'slla':
        w.u8(1)
          .u8(1)
          .u48(Number(number(o) & 0xffffffffffffn))
        break
      case 'prefix': {
        const v = numbers(o)[0]
        const length = v?.mask === undefined ? 128 : v.mask.toString(2).replace(/0/g, '').length
        w.u8(3)
          .u8(4)
          .u8(length)
          .u8(autonomous ? 0xc0 : 0x80)
        w.u32(0xffffffff).u32(0xffffffff).u32(0).u128(number(o))
        break
      }
      case 'mtu':
        w.u8(5)
          .u8(1)
          .u16(0)
          .u32(Number(number(o) & 0xffffffffn))
        break
      case 'rdnss':
        w.u8(25).u8(3).u16(0).u32(0xffffffff).u128(number(o))
        break
      case 'dnssl': {
        const names = new Writer()
        for (const name of text(o).split(',')) uncompressed(names, name.trim())
        names.align(8)
        w.u8(31)
          .u8(1 + names.length / 8)
          .u16(0)
          .u32(0xffffffff)
          .bytes(names.done())
        break
      }
      case 'route_info':
        for (const item of text(o).split(',')) routeInformation(w, item)
        break
    }
  }
}

/** `HIGH-fd00::/64`: a route information option (RFC 4191 §2.3); anything else is left out. */
function routeInformation(w: Writer, item: string): void {
  const m = /^(HIGH|MEDIUM|LOW)-(.*)$/.exec(item.trim())
  const prefix = m ? parsePrefix(m[2] as string) : undefined
  if (!m || prefix?.family !== 6) return
  const words = prefix.length === 0 ? 0 : prefix.length <= 64 ? 1 : 2
  w.u8(24)
    .u8(1 + words)
    .u8(prefix.length)
    .u8(PREFERENCE[m[1] as string] ?? 0)
    .u32(0xffffffff)
  if (words > 0) w.u64(prefix.network >> 64n)
  if (words > 1) w.u64(prefix.network & 0xffffffffffffffffn)
}
