/** An Ethernet address as a number of 48 bits (below 2^53, so exact). */
export type Mac = number

export const MAC_BROADCAST: Mac = 0xffff_ffff_ffff

const MAC_TEXT = /^([0-9a-f]{1,2}):([0-9a-f]{1,2}):([0-9a-f]{1,2}):([0-9a-f]{1,2}):([0-9a-f]{1,2}):([0-9a-f]{1,2})$/i

/** `fa:16:3e:00:00:01` (a digit may be left out, as Open vSwitch allows); undefined for anything else. */
export function parseMac(text: string): Mac | undefined {
  const m = MAC_TEXT.exec(text)
  if (!m) return undefined
  let v = 0
  for (let i = 1; i <= 6; i++) v = v * 256 + Number.parseInt(m[i] as string, 16)
  return v
}

export function formatMac(mac: Mac): string {
  const h = mac.toString(16).padStart(12, '0')
  return `${h.slice(0, 2)}:${h.slice(2, 4)}:${h.slice(4, 6)}:${h.slice(6, 8)}:${h.slice(8, 10)}:${h.slice(10, 12)}`
}

/** Group bit set: multicast or broadcast (IEEE 802). */
export function isMulticastMac(mac: Mac): boolean {
  return Math.floor(mac / 0x100_0000_0000) % 2 === 1
}

/** The interface identifier's EUI-64 form as 64 bits (RFC 4291 appendix A). */
export function eui64(mac: Mac): bigint {
  const high = Math.floor(mac / 0x100_0000)
  const low = mac % 0x100_0000
  return (BigInt(high ^ 0x02_0000) << 40n) | (0xfffen << 24n) | BigInt(low)
}
