import { parseIp } from '../../address/ip.ts'
import { parseIpv4 } from '../../address/ipv4.ts'
import { parseMac } from '../../address/mac.ts'
import { formatNetwork, parsePrefix } from '../../address/prefix.ts'
import { parseUuid } from '../../ovsdb/schema/index.ts'
import type { NB } from '../../schema/index.ts'
import { fatal } from '../error.ts'
import { type NbCall, type NbCommand, needRouter, needRouterPort, needSwitchPort, readPriority } from './lookup.ts'

type NatType = NB.NAT['type']

function readType(text: string): NatType {
  if (text === 'dnat' || text === 'snat' || text === 'dnat_and_snat') return text
  return fatal(`${text}: type must be one of "dnat", "snat" and "dnat_and_snat".`)
}

/** An address of the family that is asked for, or a network too; as it is written in the column. */
function readLogical(text: string, v6: boolean, type: NatType): string {
  const prefix = parsePrefix(text)
  const family = v6 ? 'IPv6' : 'IPv4'
  const fits = prefix !== undefined && (prefix.family === 6) === v6
  if (type === 'snat')
    return fits ? formatNetwork(prefix) : fatal(`${text}: should be an ${family} address or network.`)
  if (!fits || text.includes('/')) return fatal(`${text}: Not a valid ${family} address.`)
  return formatNetwork(prefix)
}

const PORT_RANGE = /^(\d+)(?:-(\d+))?$/

function readRange(text: string): string {
  const match = PORT_RANGE.exec(text)
  const low = Number(match?.[1] ?? 0)
  const high = Number(match?.[2] ?? low)
  if (!match || low < 1 || high > 65535 || low > high) fatal(`invalid port range ${text}.`)
  return text
}

interface Request {
  readonly type: NatType
  readonly external_ip: string
  readonly logical_ip: string
  readonly logical_port: string | undefined
  readonly external_mac: string | undefined
  readonly external_port_range: string
}

function readRequest(call: NbCall): Request {
  const type = readType(call.arg(1))
  const external_ip = call.arg(2)
  const ip = parseIp(external_ip)
  if (ip === undefined) fatal(`${external_ip}: Not a valid IPv4 or IPv6 address.`)
  const logical_ip = readLogical(call.arg(3), parseIpv4(external_ip) === undefined, type)
  const extra = call.args.slice(4)
  const alone = call.has('portrange') && extra.length === 1
  const [logical_port, external_mac] = alone ? [] : extra
  const range = alone ? extra[0] : extra[2]
  if (logical_port !== undefined && external_mac === undefined) {
    fatal('lr-nat-add with logical_port must also specify external_mac.')
  }
  if (logical_port !== undefined && external_mac !== undefined) {
    if (type !== 'dnat_and_snat') fatal('logical_port and external_mac are only valid when type is "dnat_and_snat".')
    needSwitchPort(call, logical_port)
    if (parseMac(external_mac) === undefined) fatal(`invalid mac address ${external_mac}.`)
  }
  const external_port_range = range === undefined ? '' : readRange(range)
  if (call.has('stateless') && type !== 'dnat_and_snat') fatal('stateless is not applicable to dnat or snat types')
  return { type, external_ip, logical_ip, logical_port, external_mac, external_port_range }
}

const natsOf = (call: NbCall, router: NB.LogicalRouter): NB.NAT[] =>
  router.nat.map((n) => call.db.get('NAT', n)).filter((n) => n !== undefined)

/** Whether a NAT like this is there already; true: leave it at that. */
function exists(call: NbCall, router: NB.LogicalRouter, want: Request, gateway: string | undefined): boolean {
  const snat = want.type === 'snat'
  for (const nat of natsOf(call, router)) {
    if (nat.type !== want.type || nat.gateway_port !== gateway) continue
    const sameLogical = formatIfPrefix(nat.logical_ip) === want.logical_ip
    const sameExternal = nat.external_ip === want.external_ip
    if (!(snat ? sameLogical : sameExternal)) continue
    if (sameLogical && sameExternal) {
      if (!call.has('may-exist')) {
        fatal(`${want.external_ip}, ${want.logical_ip}: a NAT with this external_ip and logical_ip already exists`)
      }
      call.db.update('NAT', nat._uuid, { logical_port: want.logical_port, external_mac: want.external_mac })
      return true
    }
    const [what, value] = snat ? ['logical_ip', want.logical_ip] : ['external_ip', want.external_ip]
    fatal(`a NAT with this type (${want.type}), ${what} (${value}) already exists`)
  }
  return false
}

function formatIfPrefix(text: string): string {
  const prefix = parsePrefix(text)
  return prefix ? formatNetwork(prefix) : text
}

function add(call: NbCall): void {
  const router = needRouter(call, call.arg(0))
  const want = readRequest(call)
  const gatewayName = call.options.get('gateway-port')
  const gateway = gatewayName === undefined ? undefined : needRouterPort(call, gatewayName)._uuid
  const match = call.options.get('match') ?? ''
  const priorityText = call.options.get('priority')
  if (priorityText !== undefined && !match) fatal('priority can be set only with --match option.')
  const priority = priorityText === undefined ? 0 : readPriority(priorityText)
  if (exists(call, router, want, gateway)) return
  const options = new Map<string, string>()
  if (call.has('add-route')) options.set('add_route', 'true')
  options.set('stateless', String(call.has('stateless')))
  const uuid = call.db.insert('NAT', { ...want, gateway_port: gateway, match, priority, options })
  call.db.addMember('Logical_Router', router._uuid, 'nat', uuid)
}

function remove(call: NbCall, router: NB.LogicalRouter, nat: NB.NAT): void {
  call.db.removeMember('Logical_Router', router._uuid, 'nat', nat._uuid)
  call.db.delete('NAT', nat._uuid)
}

function del(call: NbCall): void {
  const router = needRouter(call, call.arg(0))
  const nats = natsOf(call, router)
  if (call.args[1] === undefined) {
    for (const nat of nats) remove(call, router, nat)
    return
  }
  const type = readType(call.args[1])
  let ip = call.args[2]
  let gatewayName = call.args[3]
  if (ip !== undefined && gatewayName === undefined && !parsePrefix(ip)) [ip, gatewayName] = [undefined, ip]
  const gateway = gatewayName === undefined ? undefined : needRouterPort(call, gatewayName)._uuid
  const wanted = ip === undefined ? undefined : formatIfPrefix(ip)
  const match = call.options.get('match')
  const found = nats.filter((nat) => {
    const own = type === 'snat' ? nat.logical_ip : nat.external_ip
    return (
      nat.type === type &&
      (match === undefined || nat.match === match) &&
      (wanted === undefined || formatIfPrefix(own) === wanted) &&
      (gateway === undefined || nat.gateway_port === gateway)
    )
  })
  if (!found.length && ip !== undefined && gateway !== undefined && !call.has('if-exists')) {
    const what = type === 'snat' ? 'logical_ip' : 'external_ip'
    fatal(`no matching NAT with the type (${type}), ${what} (${wanted}) and gateway_port (${gatewayName})`)
  }
  for (const nat of found) remove(call, router, nat)
}

function updateExternal(call: NbCall): void {
  const router = needRouter(call, call.arg(0))
  const type = readType(call.arg(1))
  const ip = formatIfPrefix(call.arg(2))
  const name = call.arg(3)
  const uuid = parseUuid(name)
  const set = call.db.rows('Address_Set').find((a) => a._uuid === uuid || a.name === name)
  if (!set) fatal(`${name}: Address Set ${uuid ? 'UUID' : 'name'} not found`)
  const own = (nat: NB.NAT) => formatIfPrefix(type === 'snat' ? nat.logical_ip : nat.external_ip)
  const nat = natsOf(call, router).find((n) => n.type === type && own(n) === ip)
  if (!nat) fatal(`${call.arg(1)}: Could not locate nat rule for: ${call.arg(2)}.`)
  const column = call.has('is-exempted') ? 'exempted_ext_ips' : 'allowed_ext_ips'
  call.db.update('NAT', nat._uuid, { [column]: set._uuid })
}

const WIDTHS = [17, 22, 22, 19, 17, 20, 21]
const HEADINGS = [
  ...['TYPE', 'GATEWAY_PORT', 'MATCH', 'EXTERNAL_IP', 'EXTERNAL_PORT', 'LOGICAL_IP', 'EXTERNAL_MAC', 'LOGICAL_PORT'],
]

function list(call: NbCall): void {
  const router = needRouter(call, call.arg(0))
  const lines = natsOf(call, router).map((nat) => {
    const gateway = nat.gateway_port === undefined ? undefined : call.db.get('Logical_Router_Port', nat.gateway_port)
    return row([
      nat.type,
      gateway?.name ?? '',
      nat.match,
      nat.external_ip,
      nat.external_port_range,
      nat.logical_ip,
      nat.external_mac ?? '',
      nat.logical_port ?? '',
    ])
  })
  if (!lines.length) return
  call.print([row(HEADINGS), ...lines.sort()].join(''))
}

/** The last columns of a line that are empty print nothing, not even blanks. */
function row(cells: readonly string[]): string {
  const last = cells.findLastIndex((c) => c !== '')
  return `${cells
    .slice(0, last + 1)
    .map((c, i) => (i < last ? c.padEnd(WIDTHS[i] ?? 0) : c))
    .join('')}\n`
}

const TABLES = ['Logical_Router', 'Logical_Router_Port', 'Logical_Switch_Port', 'NAT'] as const

export const natCommands: readonly NbCommand[] = [
  {
    name: 'lr-nat-add',
    args: [4, 7],
    usage: 'ROUTER TYPE EXTERNAL_IP LOGICAL_IP [LOGICAL_PORT EXTERNAL_MAC] [EXTERNAL_PORT_RANGE]',
    options: ['may-exist', 'stateless', 'portrange', 'add-route', 'gateway-port=', 'match=', 'priority='],
    access: 'rw',
    tables: TABLES,
    run: add,
  },
  {
    name: 'lr-nat-del',
    args: [1, 4],
    usage: 'ROUTER [TYPE [IP] [GATEWAY_PORT]]',
    options: ['if-exists', 'match='],
    access: 'rw',
    tables: TABLES,
    run: del,
  },
  {
    name: 'lr-nat-update-ext-ip',
    args: [4, 4],
    usage: 'ROUTER TYPE IP ADDRESS_SET',
    options: ['is-exempted'],
    access: 'rw',
    tables: [...TABLES, 'Address_Set'],
    run: updateExternal,
  },
  { name: 'lr-nat-list', args: [1, 1], usage: 'ROUTER', access: 'ro', tables: TABLES, run: list },
]
