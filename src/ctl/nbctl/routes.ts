import { formatIp, parseIp } from '../../address/ip.ts'
import { formatNetwork, type Prefix, parsePrefix } from '../../address/prefix.ts'
import { parseUuid } from '../../ovsdb/schema/index.ts'
import type { NB } from '../../schema/index.ts'
import { fatal } from '../error.ts'
import { findRouterPort, type NbCall, type NbCommand, needRouter, needRouterPort } from './lookup.ts'

type Route = NB.LogicalRouterStaticRoute
type Policy = 'dst-ip' | 'src-ip'

const routesOf = (call: NbCall, router: NB.LogicalRouter): Route[] =>
  router.static_routes.map((r) => call.db.get('Logical_Router_Static_Route', r)).filter((r) => r !== undefined)

/** The prefix as it is kept: without host bits, without the length of a whole address. */
function readPrefix(text: string): string {
  const prefix = parsePrefix(text)
  return prefix ? formatNetwork(prefix) : fatal(`bad prefix argument: ${text}`)
}

function readNexthop(text: string): string {
  if (text === 'discard') return text
  const ip = parseIp(text)
  return ip === undefined ? fatal(`bad nexthop argument: ${text}`) : formatIp(ip)
}

function readPolicy(call: NbCall): Policy | undefined {
  const text = call.options.get('policy')
  if (text === undefined || text === 'dst-ip' || text === 'src-ip') return text
  return fatal(`bad policy: ${text}`)
}

const normal = (text: string): string => {
  const prefix = parsePrefix(text)
  return prefix ? formatNetwork(prefix) : text
}

/** The BFD session of --bfd[=UUID]; made if there is none and a port is named. */
function bfdOf(call: NbCall, nexthop: string, port: string | undefined): string {
  const given = call.options.get('bfd') ?? ''
  if (given) {
    const uuid = parseUuid(given)
    const row = uuid === undefined ? undefined : call.db.get('BFD', uuid)
    return row?._uuid ?? fatal('no entry found in the BFD table')
  }
  const known = call.db.rows('BFD').find((b) => b.dst_ip === nexthop && (port === undefined || b.logical_port === port))
  if (known) return known._uuid
  if (port === undefined) return fatal('insert entry in the BFD table failed')
  return call.db.insert('BFD', { dst_ip: nexthop, logical_port: port })
}

function add(call: NbCall): void {
  const router = needRouter(call, call.arg(0))
  const policy = readPolicy(call)
  const ip_prefix = readPrefix(call.arg(1))
  const nexthop = readNexthop(call.arg(2))
  const portName = call.args[3]
  if (portName !== undefined && nexthop === 'discard') fatal('outport is not valid for discard routes.')
  const output_port = portName === undefined ? undefined : needRouterPort(call, portName).name
  const route_table = call.options.get('route-table') ?? ''
  const symmetric = call.has('ecmp-symmetric-reply')
  const ecmp = call.has('ecmp') || symmetric
  if (nexthop === 'discard' && call.has('bfd')) fatal('bfd dst_ip cannot be discard.')
  const bfd = call.has('bfd') ? bfdOf(call, nexthop, output_port) : undefined
  const alike = routesOf(call, router).filter(
    (r) =>
      (r.policy ?? 'dst-ip') === (policy ?? 'dst-ip') &&
      r.route_table === route_table &&
      normal(r.ip_prefix) === ip_prefix,
  )
  if (!ecmp && alike[0]) {
    if (!call.has('may-exist')) {
      fatal(
        `duplicate prefix: ${ip_prefix} (policy: ${policy ?? 'dst-ip'}). Use option --ecmp to allow this for ECMP routing.`,
      )
    }
    const route = alike[0]
    call.db.update('Logical_Router_Static_Route', route._uuid, {
      ip_prefix,
      nexthop,
      ...(output_port === undefined ? {} : { output_port }),
      ...(policy === undefined ? {} : { policy }),
      ...(bfd === undefined ? {} : { bfd }),
    })
    return
  }
  if (alike.some((r) => r.nexthop === nexthop)) {
    if (call.has('may-exist')) return
    fatal('duplicate nexthop for the same ECMP route')
  }
  const options = new Map(symmetric ? [['ecmp_symmetric_reply', 'true']] : [])
  const values = { ip_prefix, nexthop, output_port, policy, route_table, options, bfd }
  const uuid = call.db.insert('Logical_Router_Static_Route', values)
  call.db.addMember('Logical_Router', router._uuid, 'static_routes', uuid)
}

function del(call: NbCall): void {
  const router = needRouter(call, call.arg(0))
  const policy = readPolicy(call)
  const table = call.options.get('route-table')
  const [, prefixText, nexthopText, portName] = call.args
  const prefix = prefixText === undefined ? undefined : readPrefix(prefixText)
  const nexthop = nexthopText === undefined ? undefined : readNexthop(nexthopText)
  const port = portName === undefined ? undefined : (findRouterPort(call, portName)?.name ?? portName)
  const found = routesOf(call, router).filter(
    (r) =>
      (policy === undefined || (r.policy ?? 'dst-ip') === policy) &&
      (prefix === undefined || r.route_table === (table ?? '')) &&
      (prefix === undefined || normal(r.ip_prefix) === prefix) &&
      (nexthop === undefined || r.nexthop === nexthop) &&
      (port === undefined || r.output_port === port),
  )
  for (const route of found) {
    call.db.removeMember('Logical_Router', router._uuid, 'static_routes', route._uuid)
    call.db.delete('Logical_Router_Static_Route', route._uuid)
  }
  const anything = policy === undefined && prefix === undefined
  if (!found.length && !anything && !call.has('if-exists')) {
    fatal(
      `no matching route: policy '${policy ?? 'any'}', prefix '${prefix ?? 'any'}', nexthop '${nexthop ?? 'any'}', output_port '${portName ?? 'any'}'.`,
    )
  }
}

interface Line {
  readonly route: Route
  readonly prefix: Prefix
}

function compareLines(a: Line, b: Line): number {
  const text = (x: string, y: string) => (x < y ? -1 : x > y ? 1 : 0)
  return (
    text(a.route.route_table, b.route.route_table) ||
    b.prefix.length - a.prefix.length ||
    text(a.route.policy ?? 'dst-ip', b.route.policy ?? 'dst-ip') ||
    (a.prefix.network < b.prefix.network ? -1 : a.prefix.network > b.prefix.network ? 1 : 0) ||
    text(a.route.nexthop, b.route.nexthop)
  )
}

function list(call: NbCall): void {
  const router = needRouter(call, call.arg(0))
  const table = call.options.get('route-table')
  const lines: Line[] = []
  for (const route of routesOf(call, router)) {
    if (table !== undefined && route.route_table !== table) continue
    const prefix = parsePrefix(route.ip_prefix)
    if (prefix) lines.push({ route, prefix })
  }
  const key = (r: Route) => `${normal(r.ip_prefix)} ${r.policy ?? 'dst-ip'} ${r.route_table}`
  const counts = new Map<string, number>()
  for (const { route } of lines) counts.set(key(route), (counts.get(key(route)) ?? 0) + 1)
  const sections = ([4, 6] as const).flatMap((family) => {
    const own = lines.filter((l) => l.prefix.family === family).sort(compareLines)
    if (!own.length) return []
    const tables = [...new Set(own.map((l) => l.route.route_table))].map((name) => {
      const rows = own.filter((l) => l.route.route_table === name)
      const head = `Route Table ${name === '' ? '<main>' : name}:\n`
      return head + rows.map((l) => describe(l.route, (counts.get(key(l.route)) ?? 0) > 1)).join('')
    })
    return [`IPv${family} Routes\n${tables.join('\n')}`]
  })
  call.print(sections.join('\n'))
}

function describe(route: Route, ecmp: boolean): string {
  const words = [normal(route.ip_prefix).padStart(25), route.nexthop.padStart(25), route.policy ?? 'dst-ip']
  if (route.output_port !== undefined) words.push(route.output_port)
  if (route.external_ids.has('ic-learned-route')) words.push('(learned)')
  if (ecmp) words.push('ecmp')
  if (route.options.get('ecmp_symmetric_reply') === 'true') words.push('ecmp-symmetric-reply')
  if (route.bfd !== undefined) words.push('bfd')
  return `${words.join(' ')}\n`
}

const TABLES = ['Logical_Router', 'Logical_Router_Port', 'Logical_Router_Static_Route', 'BFD'] as const

export const routeCommands: readonly NbCommand[] = [
  {
    name: 'lr-route-add',
    args: [3, 4],
    usage: 'ROUTER PREFIX NEXTHOP [PORT]',
    options: ['may-exist', 'policy=', 'ecmp', 'ecmp-symmetric-reply', 'route-table=', 'bfd?'],
    access: 'rw',
    tables: TABLES,
    run: add,
  },
  {
    name: 'lr-route-del',
    args: [1, 4],
    usage: 'ROUTER [PREFIX [NEXTHOP [PORT]]]',
    options: ['if-exists', 'policy=', 'route-table='],
    access: 'rw',
    tables: TABLES,
    run: del,
  },
  {
    name: 'lr-route-list',
    args: [1, 1],
    usage: 'ROUTER',
    options: ['route-table='],
    access: 'ro',
    tables: TABLES,
    run: list,
  },
]
