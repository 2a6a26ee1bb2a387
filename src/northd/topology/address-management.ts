import { formatIpv4, ipv4Mask, parseIpv4 } from '../../address/ipv4.ts'
import { formatIpv6, ipv6Mask, parseIpv6 } from '../../address/ipv6.ts'
import { eui64, formatMac, type Mac, parseMac } from '../../address/mac.ts'
import { parsePrefix } from '../../address/prefix.ts'
import type { Derived, Graph } from '../../reactive/index.ts'
import type { LogicalSwitchPort } from '../../schema/northbound.ts'
import { textHash } from '../pipeline/hash-order.ts'
import { parseAddresses } from './addresses.ts'
import type { NorthboundTables } from './tables.ts'
import type { Switch } from './topology.ts'

/** What a port's `addresses` asks for: `dynamic`, `MAC dynamic`, `dynamic IP...`. */
interface Wish {
  readonly mac: Mac | undefined
  readonly v4: string | undefined
  readonly v6: string | undefined
}

function parseWish(text: string): Wish | undefined {
  const words = text.trim().split(/\s+/)
  if (!words.includes('dynamic')) return undefined
  const mac = parseMac(words[0] ?? '')
  const ips = words.filter((w) => w !== 'dynamic')
  return {
    mac,
    v4: ips.find((w) => parseIpv4(w) !== undefined),
    v6: ips.find((w) => parseIpv6(w) !== undefined && parseMac(w) === undefined),
  }
}

interface Wanting {
  readonly switch: string
  readonly row: LogicalSwitchPort
  readonly wish: Wish
}

interface Taken {
  readonly switch: string
  readonly v4: readonly number[]
  readonly mac: Mac | undefined
}

/**
 * Addresses for ports that say `dynamic` (ovn-nb(5), IPAM): the least free address of the switch's
 * subnet, an EUI-64 address of its IPv6 prefix, a MAC address made from the IPv4 address. What a
 * port has it keeps: `Logical_Switch_Port.dynamic_addresses` is the memory.
 */
export function addressManagement(
  graph: Graph,
  nb: NorthboundTables,
  switches: Derived<Switch>,
  switchOf: Derived<string>,
): Derived<string> {
  const result = graph.derived<string>('dynamic addresses', 3)
  const wanting = graph.derived<Wanting>('port wanting addresses', 2)
  const taken = graph.derived<Taken>('addresses in use', 2)
  const wantingOf = wanting.index('switch', (w) => w.switch)
  const takenOf = taken.index('switch', (t) => t.switch)
  const lrpByName = nb.Logical_Router_Port.index('name', (p) => p.name)
  const held = new Map<string, string>()

  graph.rule('port wanting addresses', 2, nb.Logical_Switch_Port, (row, out) => {
    const owner = switchOf.get(row._uuid)
    if (owner === undefined) return
    for (const text of row.addresses) {
      const wish = parseWish(text)
      if (wish) {
        out.emit(wanting, row._uuid, { switch: owner, row, wish })
        continue
      }
      const a = parseAddresses(text)
      if (a) out.emit(taken, `${row._uuid} ${text}`, { switch: owner, v4: a.v4.map((n) => n.value), mac: a.macValue })
    }
    const peer = row.type === 'router' ? row.options.get('router-port') : undefined
    const port = peer === undefined ? undefined : lrpByName.first(peer)
    if (port) {
      const v4 = port.networks.flatMap((text) => {
        const p = parsePrefix(text)
        return p?.family === 4 ? [p.address] : []
      })
      out.emit(taken, `${row._uuid} router`, { switch: owner, v4, mac: parseMac(port.mac) })
    }
  })

  graph.rule('dynamic addresses', 3, switches, (ls, out) => {
    const ports = wantingOf.get(ls.uuid)
    if (!ports.length) return
    const prefix = [...nb.NB_Global.values()][0]?.options.get('mac_prefix')
    const pool = new Pool(ls, takenOf.get(ls.uuid), prefix)
    const memory = (uuid: string, row: LogicalSwitchPort) => held.get(uuid) ?? row.dynamic_addresses
    // Holders first, so that a newcomer takes nothing from them.
    const open: Wanting[] = []
    for (const w of ports) {
      const before = memory(w.row._uuid, w.row)
      const text = before === undefined ? undefined : pool.keep(w.wish, before)
      if (text === undefined) open.push(w)
      else {
        held.set(w.row._uuid, text)
        out.emit(result, w.row._uuid, text)
      }
    }
    for (const w of open) {
      const text = pool.give(w.wish, w.row)
      if (text === undefined) {
        held.delete(w.row._uuid)
        continue
      }
      held.set(w.row._uuid, text)
      out.emit(result, w.row._uuid, text)
    }
  })
  return result
}

/** The free addresses of a switch. */
class Pool {
  private readonly subnet: { readonly network: number; readonly length: number } | undefined
  private readonly used4 = new Set<number>()
  private readonly usedMacs = new Set<Mac>()
  private readonly prefix6: bigint | undefined
  private readonly macOnly: boolean
  private readonly macPrefix: number

  constructor(ls: Switch, taken: readonly Taken[], macPrefix: string | undefined) {
    const subnet = parsePrefix(ls.config.get('subnet') ?? '')
    if (subnet?.family === 4 && subnet.length < 32) this.subnet = { network: subnet.network, length: subnet.length }
    const v6 = parsePrefix(ls.config.get('ipv6_prefix') ?? '')
    if (v6?.family === 6) this.prefix6 = v6.address & ipv6Mask(64)
    this.macOnly = ls.config.get('mac_only') === 'true'
    const parts = (macPrefix ?? '').split(':').map((x) => Number.parseInt(x, 16))
    this.macPrefix = parts.length === 3 ? parts.reduce((v, x) => v * 256 + x, 0) * 0x100_0000 : 0
    for (const t of taken) {
      for (const ip of t.v4) this.used4.add(ip)
      if (t.mac !== undefined) this.usedMacs.add(t.mac)
    }
    if (this.subnet) {
      const { network, length } = this.subnet
      // The network, its first address (for a router) and the broadcast address are not given out.
      this.used4.add(network)
      this.used4.add(network + 1)
      this.used4.add((network | ~ipv4Mask(length)) >>> 0)
    }
    for (const range of (ls.config.get('exclude_ips') ?? '').split(/\s+/).filter(Boolean)) {
      const [low, high] = range.split('..')
      const from = parseIpv4(low ?? '')
      const to = high === undefined ? from : parseIpv4(high)
      if (from === undefined || to === undefined) continue
      for (let ip = from; ip <= to && ip - from < 65536; ip++) this.used4.add(ip)
    }
  }

  private inSubnet(ip: number): boolean {
    return this.subnet !== undefined && (ip & ipv4Mask(this.subnet.length)) >>> 0 === this.subnet.network
  }

  /** The IPv4 address asked for, if the subnet has it. */
  private asked(wish: Wish): number | undefined {
    const ip = wish.v4 === undefined ? undefined : parseIpv4(wish.v4)
    return ip !== undefined && this.inSubnet(ip) ? ip : undefined
  }

  /** What a port had before, completed or corrected; undefined where it must have another. */
  keep(wish: Wish, before: string): string | undefined {
    const a = parseAddresses(before)
    if (!a) return undefined
    if (wish.mac !== undefined && wish.mac !== a.macValue) return undefined
    const ip = a.v4[0]
    const asked = this.asked(wish)
    if (asked !== undefined) {
      if (ip?.value !== asked) return undefined
    } else if (this.subnet) {
      if (!ip || !this.inSubnet(ip.value) || this.used4.has(ip.value)) return undefined
    } else if (ip) return undefined
    if (this.usedMacs.has(a.macValue) && wish.mac === undefined) return undefined
    if (ip) this.used4.add(ip.value)
    this.usedMacs.add(a.macValue)
    return this.text(a.macValue, ip?.address, wish)
  }

  give(wish: Wish, row: LogicalSwitchPort): string | undefined {
    let ip = this.asked(wish)
    if (ip === undefined && this.subnet) ip = this.free4()
    if (ip === undefined && this.subnet && wish.v6 === undefined) return undefined
    if (ip === undefined && !this.subnet && this.prefix6 === undefined && !this.macOnly && wish.v6 === undefined)
      return undefined
    const before = row.dynamic_addresses === undefined ? undefined : parseAddresses(row.dynamic_addresses)
    const mac = wish.mac ?? this.freeMac(ip, before?.macValue, row.name)
    if (ip !== undefined) this.used4.add(ip)
    this.usedMacs.add(mac)
    return this.text(mac, ip === undefined ? undefined : formatIpv4(ip), wish)
  }

  private text(mac: Mac, v4: string | undefined, wish: Wish): string {
    const words = [formatMac(mac)]
    if (v4 !== undefined) words.push(v4)
    if (wish.v6 !== undefined) words.push(wish.v6)
    else if (this.prefix6 !== undefined) words.push(formatIpv6(this.prefix6 | eui64(mac)))
    return words.join(' ')
  }

  private free4(): number | undefined {
    if (!this.subnet) return undefined
    const { network, length } = this.subnet
    const end = network + 2 ** (32 - length)
    for (let ip = network + 1; ip < end; ip++) if (!this.used4.has(ip)) return ip
    return undefined
  }

  /** The prefix and what the IPv4 address makes of the rest; the next one free. */
  private freeMac(ip: number | undefined, before: Mac | undefined, name: string): Mac {
    if (
      before !== undefined &&
      !this.usedMacs.has(before) &&
      Math.floor(before / 0x100_0000) * 0x100_0000 === this.macPrefix
    )
      return before
    const seed = ip === undefined ? textHash(name) % 0xff_fffe : (ip & 0xff_ffff) % 0xff_fffe
    for (let i = 0; ; i++) {
      const mac = this.macPrefix + ((seed + i) % 0xff_fffe) + 1
      if (!this.usedMacs.has(mac)) return mac
    }
  }
}
