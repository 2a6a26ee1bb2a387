import { formatIpv4 } from '../address/ipv4.ts'
import { formatIpv6 } from '../address/ipv6.ts'
import { formatMac } from '../address/mac.ts'
import type { FieldRef } from '../logical/index.ts'

export const formatHex = (v: bigint) => (v === 0n ? '0' : `0x${v.toString(16)}`)

/** A value as the field that it came from prints it: part of a field in hexadecimal. */
export function formatValue(f: FieldRef, value: bigint): string {
  const { field } = f.symbol.root
  if (f.bits !== 0 && f.bits !== field.bits) return formatHex(value)
  switch (field.format) {
    case 'ethernet':
      return formatMac(Number(value))
    case 'ipv4':
      return formatIpv4(Number(value))
    case 'ipv6':
      return formatIpv6(value)
    case 'decimal':
      return value.toString()
    default:
      return formatHex(value)
  }
}
