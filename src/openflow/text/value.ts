import { formatIpv4, ipv4MaskLength, parseIpv4 } from '../../address/ipv4.ts'
import { formatIpv6, ipv6MaskLength, parseIpv6 } from '../../address/ipv6.ts'
import { formatMac, parseMac } from '../../address/mac.ts'
import type { Field } from '../fields/field.ts'
import { F } from '../fields/table.ts'
import { formatPort, hex, type Names, parseInteger, parsePort } from './names.ts'

/** Bits of flag fields by name, least significant first (ovs-fields(7)). */
const TCP_FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns', '[200]', '[400]', '[800]']
const CT_STATE = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat']
const TUNNEL_FLAGS = ['oam']
const FRAG = [
  ['no', 0n, 3n],
  ['yes', 1n, 1n],
  ['first', 1n, 3n],
  ['later', 3n, 3n],
  ['not_later', 0n, 2n],
] as const

function flagNames(field: Field): readonly string[] | undefined {
  if (field.format === 'tcp-flags') return TCP_FLAGS
  if (field.format === 'ct-state') return CT_STATE
  if (field.format === 'tunnel-flags') return TUNNEL_FLAGS
  return undefined
}

/** The bits that have a name: a mask of all of them is printed as if it were whole. */
function named(names: readonly string[]): bigint {
  return (1n << BigInt(names.length)) - 1n
}

function flags(names: readonly string[], value: bigint, mask: bigint, signed: boolean): string {
  if (!signed && (mask & named(names)) === named(names)) {
    const on = names.filter((_, i) => value & (1n << BigInt(i)))
    return on.length ? on.join('|') : '0'
  }
  let s = ''
  names.forEach((name, i) => {
    const bit = 1n << BigInt(i)
    if (mask & bit) s += (value & bit ? '+' : '-') + name
  })
  return s
}

/**
 * A value under a mask in the customary syntax of its field.
 * @param whole the field has no mask at all (a set_field may have one of all bits).
 */
export function formatValue(
  field: Field,
  value: bigint,
  mask: bigint = field.ones,
  names?: Names,
  whole = mask === field.ones,
): string {
  const list = flagNames(field)
  if (list) return flags(list, value, mask, false)
  switch (field.format) {
    case 'ethernet':
      return whole ? formatMac(Number(value)) : `${formatMac(Number(value))}/${formatMac(Number(mask))}`
    case 'ipv4': {
      const text = formatIpv4(Number(value))
      if (whole) return text
      return `${text}/${ipv4MaskLength(Number(mask)) ?? formatIpv4(Number(mask))}`
    }
    case 'ipv6': {
      const text = formatIpv6(value)
      if (whole) return text
      return `${text}/${ipv6MaskLength(mask) ?? formatIpv6(mask)}`
    }
    case 'port':
      return formatPort(Number(value), names)
    case 'frag':
      return FRAG.find(([, v, m]) => v === value && m === mask)?.[0] ?? 'invalid'
    case 'packet-type':
      return `(${value >> 16n},${hex(value & 0xffffn)})`
    case 'decimal':
      if (whole) return value.toString()
      return `${mask === field.ones ? value : `0x${value.toString(16)}`}/${hex(mask)}`
    default:
      return whole ? hex(value) : `${hex(value)}/${hex(mask)}`
  }
}

/** A tunnel's flags in a match always with their signs. */
export function formatFlags(field: Field, value: bigint, mask: bigint): string {
  const list = flagNames(field) ?? []
  return flags(list, value, mask, field.format === 'tunnel-flags')
}

export interface Value {
  readonly value: bigint
  readonly mask: bigint
  readonly bytes?: number
  /** A mask was given. */
  readonly masked: boolean
}

/** Reads what `formatValue` writes; an Error carries ovs-ofctl's message. */
export function parseValue(field: Field, text: string, names?: Names): Value | Error {
  const list = flagNames(field)
  if (list) {
    const v = parseFlags(field, list, text)
    if (v) return v
  }
  if (field.format === 'frag') {
    const f = FRAG.find(([name]) => name === text.toLowerCase())
    return f ? { value: f[1], mask: f[2], masked: f[2] !== 3n } : new Error(`${text}: unknown fragment type`)
  }
  if (field.format === 'packet-type') {
    const m = /^\(([^,]+),([^)]+)\)$/.exec(text.replace(/\s/g, ''))
    const ns = m && parseInteger(m[1] as string)
    const type = m && parseInteger(m[2] as string)
    if (ns == null || type == null) return new Error(`${text}: packet type not in the format '(<ns>,<type>)'`)
    return { value: (ns << 16n) | type, mask: field.ones, masked: false }
  }
  const slash = text.indexOf('/')
  const left = slash < 0 ? text : text.slice(0, slash)
  const right = slash < 0 ? undefined : text.slice(slash + 1)
  const value = one(field, left, names)
  if (value instanceof Error) return field.format === 'ipv4' || field.format === 'ipv6' ? address(field, text) : value
  if (right === undefined) {
    return { value, mask: field.ones, masked: false, ...tunnelBytes(field, left) }
  }
  let mask: bigint | Error
  const length = /^[0-9]{1,3}$/.test(right) ? Number(right) : undefined
  if (length !== undefined && (field.format === 'ipv4' || field.format === 'ipv6')) {
    if (length > field.bits) {
      const family = field.format === 'ipv4' ? 'IPv4' : 'IPv6'
      return new Error(`${text}: ${family} network prefix bits not between 0 and ${field.bits}, inclusive`)
    }
    mask = ((1n << BigInt(length)) - 1n) << BigInt(field.bits - length)
  } else mask = one(field, right, names)
  if (mask instanceof Error) return mask
  if (mask !== field.ones && mask !== 0n && !field.maskable)
    return new Error(`${text}: invalid mask for field ${field.name}`)
  return { value: value & mask, mask, masked: true, ...tunnelBytes(field, left) }
}

function tunnelBytes(field: Field, text: string): { bytes?: number } {
  if (!field.variable) return {}
  const digits = /^0[xX]([0-9a-fA-F]+)$/.exec(text)?.[1] ?? ''
  // Options are multiples of four bytes long.
  return { bytes: Math.max(4, Math.ceil(digits.length / 8) * 4) }
}

function address(field: Field, text: string): Error {
  return new Error(`${text}: invalid ${field.format === 'ipv4' ? 'IP' : 'IPv6'} address`)
}

function one(field: Field, text: string, names: Names | undefined): bigint | Error {
  switch (field.format) {
    case 'ethernet': {
      const mac = parseMac(text)
      return mac === undefined ? new Error(`${text}: invalid Ethernet address`) : BigInt(mac)
    }
    case 'ipv4': {
      const ip = parseIpv4(text)
      return ip === undefined ? address(field, text) : BigInt(ip)
    }
    case 'ipv6':
      return parseIpv6(text) ?? address(field, text)
    case 'port': {
      const port = parsePort(text, names)
      return port === undefined ? new Error(`${text}: invalid or unknown port for ${field.name}`) : BigInt(port)
    }
    default: {
      const v = parseInteger(text)
      if (v === undefined) return new Error(`${text}: bad syntax for ${field.name} value`)
      const limit = field === F.vlan_vid ? 0x1fffn : field.ones
      if (v > limit) {
        const what = v >> BigInt(8 * field.bytes) ? `${field.bytes}-byte` : `${field.bits}-bit`
        return new Error(`${text}: value too large for ${what} field ${field.name}`)
      }
      return v
    }
  }
}

function parseFlags(field: Field, list: readonly string[], text: string): Value | Error | undefined {
  if (/^[+-]/.test(text)) {
    let value = 0n
    let mask = 0n
    for (const m of text.matchAll(/([+-])([^+-]*)/g)) {
      const i = list.indexOf((m[2] as string).toLowerCase())
      if (i < 0) return new Error(`${text}: unknown ${field.name} flag(s)`)
      mask |= 1n << BigInt(i)
      if (m[1] === '+') value |= 1n << BigInt(i)
    }
    return { value, mask, masked: true }
  }
  if (/^[0-9]/.test(text)) {
    const [left = '', right] = text.split('/')
    const value = parseInteger(left)
    const mask = right === undefined ? wholeMask(field, list) : parseInteger(right)
    if (value === undefined || mask === undefined) return new Error(`${text}: bad syntax for ${field.name} value`)
    return { value: value & mask, mask, masked: right !== undefined }
  }
  let value = 0n
  for (const name of text.split('|')) {
    const i = list.indexOf(name.toLowerCase())
    if (i < 0) return new Error(`${text}: unknown ${field.name} flag(s)`)
    value |= 1n << BigInt(i)
  }
  return { value, mask: wholeMask(field, list), masked: false }
}

/** All of a flag field's bits: ct_state has 32 on the wire. */
function wholeMask(field: Field, _list: readonly string[]): bigint {
  return field.ones
}
