import type { Ipv4 } from '../../address/ipv4.ts'
import { type Mac, parseMac } from '../../address/mac.ts'
import { type Prefix, parsePrefix } from '../../address/prefix.ts'

/** `0a:00:00:00:00:11 10.0.0.11/24 fd00::11`: an Ethernet address and what goes with it. */
export interface LportAddresses {
  readonly mac: Mac
  readonly v4: readonly Extract<Prefix, { family: 4 }>[]
  readonly v6: readonly Extract<Prefix, { family: 6 }>[]
}

/** The addresses of one element of Port_Binding.mac or port_security; undefined if there is no Ethernet address. */
export function parseLportAddresses(text: string): LportAddresses | undefined {
  const [first, ...rest] = text.trim().split(/\s+/)
  const mac = first === undefined ? undefined : parseMac(first)
  if (mac === undefined) return undefined
  const v4: Extract<Prefix, { family: 4 }>[] = []
  const v6: Extract<Prefix, { family: 6 }>[] = []
  for (const word of rest) {
    const p = parsePrefix(word)
    if (!p) continue
    if (p.family === 4) v4.push(p)
    else v6.push(p)
  }
  return { mac, v4, v6 }
}

/** The address of all hosts in an IPv4 prefix's network. */
export function broadcastOf(p: Extract<Prefix, { family: 4 }>): Ipv4 {
  return p.length >= 31 ? 0xffffffff : (p.network | (0xffffffff >>> p.length)) >>> 0
}
