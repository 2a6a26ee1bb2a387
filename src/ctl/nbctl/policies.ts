import { formatIp, type Ip, parseIp } from '../../address/ip.ts'
import { contains, parsePrefix } from '../../address/prefix.ts'
import { parseUuid } from '../../ovsdb/schema/index.ts'
import type { NB } from '../../schema/index.ts'
import { fatal } from '../error.ts'
import {
  findRouterPort,
  type NbCall,
  type NbCommand,
  needRouter,
  readPriority,
  sortedMap,
  sortedSet,
} from './lookup.ts'

type Policy = NB.LogicalRouterPolicy
type Action = Policy['action']

const policiesOf = (call: NbCall, router: NB.LogicalRouter): Policy[] =>
  router.policies.map((p) => call.db.get('Logical_Router_Policy', p)).filter((p) => p !== undefined)

function readAction(text: string): Action {
  if (text === 'allow' || text === 'drop' || text === 'reroute' || text === 'jump') return text
  return fatal(`${text}: action must be one of "allow", "drop", "reroute", "jump"`)
}

function readNexthops(text: string): Ip[] {
  const ips = text.split(',').map((word) => parseIp(word) ?? fatal(`bad next hop argument: ${text}`))
  if (ips.some((ip) => typeof ip !== typeof ips[0])) {
    fatal(`bad next hops argument, not in the same addr family : ${text}`)
  }
  return ips
}

/** The BFD session with each next hop, over the router port that leads there. */
function bfdSessions(call: NbCall, router: NB.LogicalRouter, nexthops: readonly Ip[]): string[] {
  const ports = router.ports.map((p) => call.db.get('Logical_Router_Port', p)).filter((p) => p !== undefined)
  return nexthops.map((ip) => {
    const dst_ip = formatIp(ip)
    const leads = (network: string) => {
      const prefix = parsePrefix(network)
      return prefix !== undefined && contains(prefix, ip)
    }
    const port = ports.find((p) => p.networks.some(leads)) ?? fatal(`out lrp not found for ${dst_ip} nexthop`)
    const known = call.db.rows('BFD').find((b) => b.dst_ip === dst_ip && b.logical_port === port.name)
    return known?._uuid ?? call.db.insert('BFD', { dst_ip, logical_port: port.name })
  })
}

function add(call: NbCall): void {
  const router = needRouter(call, call.arg(0))
  const priority = readPriority(call.arg(1))
  const match = call.arg(2)
  const action = readAction(call.arg(3))
  const chain = call.options.get('chain')
  const rest = call.args.slice(4)
  let nexthops: Ip[] = []
  let jump_chain: string | undefined
  if (action === 'reroute') {
    nexthops = readNexthops(rest.shift() ?? fatal('Nexthop is required when action is reroute.'))
  } else if (action === 'jump') jump_chain = rest.shift() ?? fatal('Chain name is required when action is jump.')
  const portName = call.options.get('output-port')
  if (portName !== undefined && action !== 'reroute') {
    fatal('Specifying output-port is only allowed for reroute policies.')
  }
  const port = portName === undefined ? undefined : findRouterPort(call, portName)
  if (portName !== undefined && !port) fatal(`unknown output-port: ${portName}`)
  const alike = policiesOf(call, router).some(
    (p) => p.priority === priority && p.match === match && (p.chain ?? '') === (chain ?? ''),
  )
  if (alike) {
    if (call.has('may-exist')) return
    fatal(`Same routing policy already existed on the logical router ${router.name}.`)
  }
  const options = rest.map((text): [string, string] => {
    const eq = text.indexOf('=')
    if (eq < 0) fatal(`No value specified for the option : ${text}`)
    return [text.slice(0, eq), text.slice(eq + 1)]
  })
  const uuid = call.db.insert('Logical_Router_Policy', {
    priority,
    match,
    action,
    chain,
    jump_chain,
    output_port: port?._uuid,
    nexthops: sortedSet(nexthops.map(formatIp)),
    options: sortedMap(options),
    bfd_sessions: call.has('bfd') && action === 'reroute' ? sortedSet(bfdSessions(call, router, nexthops)) : [],
  })
  call.db.addMember('Logical_Router', router._uuid, 'policies', uuid)
}

function del(call: NbCall): void {
  const router = needRouter(call, call.arg(0))
  const [, which, match] = call.args
  const chain = call.options.get('chain')
  let gone = policiesOf(call, router)
  if (which !== undefined) {
    const uuid = parseUuid(which)
    if (uuid !== undefined) {
      gone = gone.filter((p) => p._uuid === uuid)
      if (!gone.length && !call.has('if-exists')) fatal('Logical router policy uuid is not found.')
    } else {
      const priority = readPriority(which)
      gone = gone.filter((p) => p.priority === priority && (match === undefined || p.match === match))
    }
  }
  if (chain !== undefined) gone = gone.filter((p) => p.chain === chain)
  for (const policy of gone) {
    call.db.removeMember('Logical_Router', router._uuid, 'policies', policy._uuid)
    call.db.delete('Logical_Router_Policy', policy._uuid)
  }
}

function describe(call: NbCall, policy: Policy): string {
  const words = [String(policy.priority).padStart(10), policy.match.padStart(50), policy.action.padStart(15)]
  let line = words.join(' ')
  if (policy.jump_chain !== undefined) line += ` -> ${policy.jump_chain}`
  const nexthops = policy.nexthop !== undefined ? [policy.nexthop] : policy.nexthops
  nexthops.forEach((ip, i) => {
    line += i === 0 ? ` ${ip.padStart(25)}` : `, ${ip}`
  })
  const port = policy.output_port === undefined ? undefined : call.db.get('Logical_Router_Port', policy.output_port)
  if (port) line += ` ${port.name}`
  const settings = [...policy.options].map(([k, v]) => `${k}=${v}`)
  if (policy.bfd_sessions.length) settings.unshift('bfd')
  if (settings.length) line += ' '.repeat(15) + settings.join(',')
  return `${line}\n`
}

function list(call: NbCall): void {
  const policies = policiesOf(call, needRouter(call, call.arg(0)))
  if (!policies.length) return
  policies.sort((a, b) => b.priority - a.priority || (a.match < b.match ? -1 : a.match > b.match ? 1 : 0))
  const chains = [...new Set(policies.map((p) => p.chain ?? ''))].sort()
  const named = chains.some((c) => c !== '')
  const sections = chains.map((chain) => {
    const own = policies.filter((p) => (p.chain ?? '') === chain)
    return (named ? `Chain ${chain === '' ? '<Default>' : chain}:\n` : '') + own.map((p) => describe(call, p)).join('')
  })
  call.print(`Routing Policies\n${sections.join('\n')}`)
}

const TABLES = ['Logical_Router', 'Logical_Router_Port', 'Logical_Router_Policy', 'BFD'] as const

export const policyCommands: readonly NbCommand[] = [
  {
    name: 'lr-policy-add',
    args: [4, Number.POSITIVE_INFINITY],
    usage: 'ROUTER PRIORITY MATCH ACTION [NEXTHOP,[NEXTHOP,...]] [KEY=VALUE]...',
    options: ['may-exist', 'bfd?', 'chain=', 'output-port='],
    access: 'rw',
    tables: TABLES,
    run: add,
  },
  {
    name: 'lr-policy-del',
    args: [1, 3],
    usage: 'ROUTER [{PRIORITY | UUID} [MATCH]]',
    options: ['if-exists', 'chain='],
    access: 'rw',
    tables: TABLES,
    run: del,
  },
  { name: 'lr-policy-list', args: [1, 1], usage: 'ROUTER', access: 'ro', tables: TABLES, run: list },
]
