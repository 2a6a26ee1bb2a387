import { parseIpv4 } from '../../address/ipv4.ts'
import { parseIpv6 } from '../../address/ipv6.ts'
import { type Mac, parseMac } from '../../address/mac.ts'
import { FLAG } from '../../logical/registers.ts'
import type { Action } from '../../openflow/actions/action.ts'
import type { FieldMatch } from '../../openflow/fields/field.ts'
import { F } from '../../openflow/fields/table.ts'
import type { FDB, MACBinding, StaticMACBinding } from '../../schema/southbound.ts'
import { cookieOf, DROP, type Flow, is, match, set } from '../flow.ts'
import { OFTABLE } from '../tables.ts'

const found = (flag: keyof typeof FLAG): Action => set(F.reg10, 1 << FLAG[flag], 1 << FLAG[flag])
const IP4 = is(F.eth_type, 0x800)
const IP6 = is(F.eth_type, 0x86dd)
const ARP = is(F.eth_type, 0x806)
const ICMP6: readonly FieldMatch[] = [IP6, is(F.nw_proto, 58), is(F.icmpv6_code, 0)]
const ARP_REPLY = 2

/** Where a neighbour is: port and datapath by their tunnel keys. */
interface Neighbour {
  readonly datapath: number
  readonly port: number
  readonly ip: string
  readonly mac: Mac
  readonly priority: number
  readonly cookie: number
}

/** get_arp, get_nd (66) and lookup_arp, lookup_nd (67): what a router knows of its neighbours. */
function neighbourFlows(n: Neighbour): { flows: Flow[]; family: 4 | 6; address: bigint } | undefined {
  const v4 = parseIpv4(n.ip)
  const v6 = v4 === undefined ? parseIpv6(n.ip) : undefined
  const address = v4 === undefined ? v6 : BigInt(v4)
  if (address === undefined) return undefined
  const dp = is(F.metadata, n.datapath)
  const learn = v4 === undefined ? is(F.xxreg1, address) : is(F.reg0, address)
  const lookup = v4 === undefined ? [...ICMP6, is(F.xxreg0, address)] : [ARP, is(F.reg0, address)]
  const flows: Flow[] = [
    {
      table: OFTABLE.MAC_BINDING,
      priority: n.priority,
      match: match(dp, is(F.reg15, n.port), learn),
      actions: [set(F.eth_dst, n.mac), found('lookup_mac')],
      cookie: n.cookie,
    },
    {
      table: OFTABLE.MAC_LOOKUP,
      priority: n.priority,
      match: match(dp, is(F.reg14, n.port), is(F.eth_src, n.mac), ...lookup),
      actions: [found('lookup_mac')],
      cookie: n.cookie,
    },
  ]
  return { flows, family: v4 === undefined ? 6 : 4, address }
}

/** A neighbour learned; packets from it count as use (79), by which its age is told. */
export function macBindingFlows(row: MACBinding, datapath: number, port: number): Flow[] {
  const mac = parseMac(row.mac)
  if (mac === undefined) return []
  const cookie = cookieOf(row._uuid)
  const made = neighbourFlows({ datapath, port, ip: row.ip, mac, priority: 100, cookie })
  if (!made) return []
  const from = [is(F.metadata, datapath), is(F.reg14, port), is(F.eth_src, mac)]
  const used = (...parts: readonly FieldMatch[]): Flow => ({
    table: OFTABLE.MAC_CACHE_USE,
    priority: 100,
    match: match(...from, ...parts),
    actions: DROP,
    cookie,
  })
  if (made.family === 4) {
    made.flows.push(
      used(IP4, is(F.ip_src, made.address)),
      used(ARP, is(F.arp_op, ARP_REPLY), is(F.arp_spa, made.address)),
    )
  } else made.flows.push(used(IP6, is(F.ipv6_src, made.address)))
  return made.flows
}

/** A neighbour told by the operator: below what was learned, or above it. */
export function staticMacBindingFlows(row: StaticMACBinding, datapath: number, port: number): Flow[] {
  const mac = parseMac(row.mac)
  if (mac === undefined) return []
  const priority = row.override_dynamic_mac ? 150 : 50
  return neighbourFlows({ datapath, port, ip: row.ip, mac, priority, cookie: cookieOf(row._uuid) })?.flows ?? []
}

/** get_fdb (71) and lookup_fdb (72): at which port of a switch an Ethernet address was seen. */
export function fdbFlows(row: FDB): Flow[] {
  const mac = parseMac(row.mac)
  if (mac === undefined) return []
  const cookie = cookieOf(row._uuid)
  const dp = is(F.metadata, row.dp_key)
  return [
    {
      table: OFTABLE.GET_FDB,
      priority: 100,
      match: match(dp, is(F.eth_dst, mac)),
      actions: [set(F.reg15, row.port_key)],
      cookie,
    },
    {
      table: OFTABLE.LOOKUP_FDB,
      priority: 100,
      match: match(dp, is(F.eth_src, mac), is(F.reg14, row.port_key)),
      actions: [found('lookup_fdb')],
      cookie,
    },
  ]
}
