import { formatIp, parseIp } from '../../address/ip.ts'
import { parseUuid } from '../../ovsdb/schema/index.ts'
import type { NB } from '../../schema/index.ts'
import { fatal } from '../error.ts'
import { byName, type NbCall, type NbCommand, needRouter, needSwitch, sortedMap } from './lookup.ts'

type Lb = NB.LoadBalancer

function findLb(call: NbCall, text: string): Lb | undefined {
  const uuid = parseUuid(text)
  const byUuid = uuid === undefined ? undefined : call.db.get('Load_Balancer', uuid)
  if (byUuid) return byUuid
  const found = call.db.rows('Load_Balancer').filter((lb) => lb.name === text)
  if (found.length > 1) fatal(`Multiple load balancers named '${text}'.  Use a UUID.`)
  return found[0]
}

function needLb(call: NbCall, text: string): Lb {
  return findLb(call, text) ?? fatal(`${text}: load balancer ${parseUuid(text) ? 'UUID' : 'name'} not found`)
}

/** `ADDRESS` or `ADDRESS:PORT`, an IPv6 address with a port in brackets. */
interface Endpoint {
  readonly ip: bigint | number
  readonly port: number | undefined
}

function readEndpoint(text: string): Endpoint | undefined {
  const whole = parseIp(text)
  if (whole !== undefined) return { ip: whole, port: undefined }
  const [, v6, v4, portText] = /^(?:\[(.*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? []
  const ip = parseIp(v6 ?? v4 ?? '')
  const port = portText === undefined ? undefined : Number(portText)
  return ip === undefined || (port !== undefined && port > 65535) ? undefined : { ip, port }
}

const formatEndpoint = ({ ip, port }: Endpoint): string =>
  port === undefined ? formatIp(ip) : typeof ip === 'bigint' ? `[${formatIp(ip)}]:${port}` : `${formatIp(ip)}:${port}`

const WITH_PORT = 'should be an IP address and a port number with : as a separator.'

/** The vip and the backends in normal form. */
function readVip(vipText: string, backendsText: string): { vip: string; backends: string; ported: boolean } {
  const vip =
    readEndpoint(vipText) ??
    fatal(`${vipText}: should be an IP address (or an IP address and a port number with : as a separator).`)
  const ported = vip.port !== undefined
  const backends = backendsText
    .split(',')
    .filter((word) => word !== '')
    .map((word) => {
      const backend = readEndpoint(word)
      if (!backend || (backend.port !== undefined) !== ported) {
        fatal(ported ? `${word}: ${WITH_PORT}` : `${word}: should be an IP address.`)
      }
      if (typeof backend.ip !== typeof vip.ip) {
        fatal(`${word}: IP address family is different from VIP ${formatIp(vip.ip)}.`)
      }
      return formatEndpoint(backend)
    })
  return { vip: formatEndpoint(vip), backends: backends.join(','), ported }
}

function readProtocol(text: string): Lb['protocol'] {
  if (text === 'tcp' || text === 'udp' || text === 'sctp') return text
  return fatal(`${text}: protocol must be one of "tcp", "udp",  or "sctp".`)
}

function add(call: NbCall): void {
  const [name = '', vipText = '', backendsText = '', protocolText, familyText] = call.args
  const template = call.has('template')
  if (call.has('reject') && call.has('event')) fatal("--reject and --event can't specified at the same time")
  let protocol: Lb['protocol']
  if (protocolText !== undefined) protocol = readProtocol(protocolText)
  const { vip, backends, ported } = template
    ? { vip: vipText, backends: backendsText, ported: true }
    : readVip(vipText, backendsText)
  if (!ported && protocol !== undefined) fatal('Protocol is unnecessary when no port of vip is given.')
  protocol ??= 'tcp'
  const options: [string, string][] = []
  if (call.has('reject')) options.push(['reject', 'true'])
  if (call.has('add-route')) options.push(['add_route', 'true'])
  if (call.has('event')) options.push(['event', 'true'])
  if (template) options.push(['template', 'true'], ['address-family', familyText ?? 'ipv4'])
  if (!call.has('add-duplicate')) {
    const known = findLb(call, name)
    if (known) {
      if (known.vips.has(vip) && !call.has('may-exist')) {
        fatal(`${name}: a load balancer with this vip (${vip}) already exists`)
      }
      call.db.setKey('Load_Balancer', known._uuid, 'vips', vip, backends)
      if (ported && protocolText !== undefined) call.db.update('Load_Balancer', known._uuid, { protocol })
      return
    }
  }
  call.db.insert('Load_Balancer', {
    name,
    protocol,
    vips: new Map([[vip, backends]]),
    options: sortedMap(options),
  })
}

function del(call: NbCall): void {
  const lb = findLb(call, call.arg(0))
  const vipText = call.args[1]
  if (!lb) return
  if (vipText === undefined) {
    call.db.delete('Load_Balancer', lb._uuid)
    return
  }
  const endpoint = readEndpoint(vipText)
  const vip = endpoint && !lb.vips.has(vipText) ? formatEndpoint(endpoint) : vipText
  if (!lb.vips.has(vip)) {
    if (call.has('if-exists')) return
    fatal(`vip ${vipText} is not part of the load balancer.`)
  }
  if (lb.vips.size === 1) call.db.delete('Load_Balancer', lb._uuid)
  else call.db.removeKey('Load_Balancer', lb._uuid, 'vips', vip)
}

function print(call: NbCall, lbs: readonly Lb[]): void {
  const rows = [...lbs].sort(byName)
  const widest = Math.max(0, ...rows.flatMap((lb) => [...lb.vips.keys()].map((v) => v.length)))
  const width = widest + 4
  const lines = rows.flatMap((lb) =>
    [...lb.vips].map(([vip, ips], i) => {
      const protocol = readEndpoint(vip)?.port === undefined && !isTemplate(lb) ? '' : (lb.protocol ?? 'tcp')
      const head = i === 0 ? lb._uuid.padEnd(40) + lb.name.padEnd(20) : ' '.repeat(60)
      return `${head}${protocol.padEnd(11)}${vip.padEnd(width)}${ips}\n`
    }),
  )
  if (!lines.length) return
  call.print(`${'UUID'.padEnd(40)}${'LB'.padEnd(20)}${'PROTO'.padEnd(11)}${'VIP'.padEnd(width)}IPs\n${lines.join('')}`)
}

const isTemplate = (lb: Lb): boolean => lb.options.get('template') === 'true'

type HolderTable = 'Logical_Switch' | 'Logical_Router'

function holderCommands(prefix: 'ls' | 'lr', table: HolderTable, kind: string, usage: string): NbCommand[] {
  const holder = (call: NbCall) =>
    table === 'Logical_Switch' ? needSwitch(call, call.arg(0)) : needRouter(call, call.arg(0))
  const tables = [table, 'Load_Balancer'] as const
  return [
    {
      name: `${prefix}-lb-add`,
      args: [2, 2],
      usage: `${usage} LB`,
      options: ['may-exist'],
      access: 'rw',
      tables,
      run: (call) => {
        const row = holder(call)
        const lb = needLb(call, call.arg(1))
        if (row.load_balancer.includes(lb._uuid)) {
          if (call.has('may-exist')) return
          fatal(`${lb._uuid} : a load balancer with this UUID already exists`)
        }
        call.db.addMember(table, row._uuid, 'load_balancer', lb._uuid)
      },
    },
    {
      name: `${prefix}-lb-del`,
      args: [1, 2],
      usage: `${usage} [LB]`,
      options: ['if-exists'],
      access: 'rw',
      tables,
      run: (call) => {
        const row = holder(call)
        const name = call.args[1]
        if (name === undefined) {
          for (const lb of row.load_balancer) call.db.removeMember(table, row._uuid, 'load_balancer', lb)
          return
        }
        const lb = needLb(call, name)
        if (!row.load_balancer.includes(lb._uuid)) {
          if (call.has('if-exists')) return
          fatal(`load balancer ${name} is not part of any logical ${kind}.`)
        }
        call.db.removeMember(table, row._uuid, 'load_balancer', lb._uuid)
      },
    },
    {
      name: `${prefix}-lb-list`,
      args: [1, 1],
      usage,
      access: 'ro',
      tables,
      run: (call) => {
        const lbs = holder(call).load_balancer.map((u) => call.db.get('Load_Balancer', u))
        print(
          call,
          lbs.filter((lb) => lb !== undefined),
        )
      },
    },
  ]
}

const LB = ['Load_Balancer'] as const

export const loadBalancerCommands: readonly NbCommand[] = [
  {
    name: 'lb-add',
    args: [3, 5],
    usage: 'LB VIP[:PORT] IP[:PORT]... [PROTOCOL]',
    options: ['may-exist', 'add-duplicate', 'reject', 'event', 'template', 'add-route'],
    access: 'rw',
    tables: LB,
    run: add,
  },
  { name: 'lb-del', args: [1, 2], usage: 'LB [VIP]', options: ['if-exists'], access: 'rw', tables: LB, run: del },
  {
    name: 'lb-list',
    args: [0, 1],
    usage: '[LB]',
    access: 'ro',
    tables: LB,
    run: (call) => {
      const [name] = call.args
      const rows = call.db.rows('Load_Balancer')
      print(call, name === undefined ? rows : rows.filter((lb) => lb.name === name || lb._uuid === name))
    },
  },
  ...holderCommands('lr', 'Logical_Router', 'router', 'ROUTER'),
  ...holderCommands('ls', 'Logical_Switch', 'switch', 'SWITCH'),
]
