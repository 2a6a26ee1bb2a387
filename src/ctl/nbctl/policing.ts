import { parseIp } from '../../address/ip.ts'
import { parseMac } from '../../address/mac.ts'
import { parseUuid } from '../../ovsdb/schema/index.ts'
import type { NB } from '../../schema/index.ts'
import { fatal } from '../error.ts'
import {
  byName,
  findRouterPort,
  type NbCall,
  type NbCommand,
  needRouter,
  needRouterPort,
  needSwitch,
  needSwitchPort,
  readNumber,
  sortedSet,
  switchOf,
} from './lookup.ts'

const PROTOCOLS = [
  ...['arp', 'arp-resolve', 'dhcpv4-opts', 'dhcpv6-opts', 'dns', 'event-elb', 'icmp4-error', 'icmp6-error', 'igmp'],
  ...['nd-na', 'nd-ns', 'nd-ns-resolve', 'nd-ra-opts', 'tcp-reset', 'bfd', 'reject', 'svc-monitor', 'dhcpv4-relay'],
]

const findCopp = (call: NbCall, name: string): NB.Copp | undefined => {
  const uuid = parseUuid(name)
  return call.db.rows('Copp').find((c) => c._uuid === uuid || c.name === name)
}

const needCopp = (call: NbCall, name: string): NB.Copp =>
  findCopp(call, name) ?? fatal(`${name}: copp ${parseUuid(name) ? 'UUID' : 'name'} not found`)

function coppAdd(call: NbCall): void {
  const [name = '', protocol = '', meter = ''] = call.args
  if (!PROTOCOLS.includes(protocol)) fatal(`Invalid control protocol. Allowed values: ${PROTOCOLS.join(', ')}.`)
  const known = findCopp(call, name)
  if (known) call.db.setKey('Copp', known._uuid, 'meters', protocol, meter)
  else call.db.insert('Copp', { name, meters: new Map([[protocol, meter]]) })
}

function coppDel(call: NbCall): void {
  const copp = findCopp(call, call.arg(0))
  const [, protocol] = call.args
  if (!copp) return
  if (protocol === undefined) call.db.delete('Copp', copp._uuid)
  else call.db.removeKey('Copp', copp._uuid, 'meters', protocol)
}

const macBinding = (call: NbCall): NB.StaticMACBinding | undefined =>
  call.db.rows('Static_MAC_Binding').find((b) => b.logical_port === call.arg(0) && b.ip === call.arg(1))

function macBindingAdd(call: NbCall): void {
  const [port = '', ip = '', mac = ''] = call.args
  if (!findRouterPort(call, port)) needRouterPort(call, port)
  if (parseIp(ip) === undefined) fatal(`${ip}: Not a valid IPv4 or IPv6 address.`)
  if (parseMac(mac) === undefined) fatal(`invalid mac address ${mac}.`)
  const known = macBinding(call)
  if (!known) {
    call.db.insert('Static_MAC_Binding', { logical_port: port, ip, mac })
    return
  }
  if (!call.has('may-exist')) {
    fatal(`${port}, ${ip}: a Static_MAC_Binding with this logical_port and ip already exists`)
  }
  call.db.update('Static_MAC_Binding', known._uuid, { mac })
}

function macBindingList(call: NbCall): void {
  const rows = [...call.db.rows('Static_MAC_Binding')]
  rows.sort((a, b) => (`${a.logical_port} ${a.ip}` < `${b.logical_port} ${b.ip}` ? -1 : 1))
  if (rows.length) call.print(`${'LOGICAL_PORT'.padEnd(25)}${'IP'.padEnd(25)}MAC\n`)
  for (const b of rows) call.print(`${b.logical_port.padEnd(25)}${b.ip.padEnd(25)}${b.mac}\n`)
}

const findForwarding = (call: NbCall, text: string): NB.ForwardingGroup | undefined => {
  const uuid = parseUuid(text)
  return call.db.rows('Forwarding_Group').find((g) => g._uuid === uuid || g.name === text)
}

function forwardingAdd(call: NbCall): void {
  const [name = '', switchName = '', vip = '', vmac = '', ...ports] = call.args
  if (findForwarding(call, name)) fatal(`${name}: a forwarding group by this name already exists`)
  const sw = needSwitch(call, switchName)
  if (parseIp(vip) === undefined) fatal(`invalid ip address ${vip}`)
  if (parseMac(vmac) === undefined) fatal(`invalid mac address ${vmac}`)
  for (const text of ports) {
    const port = call.db.rows('Logical_Switch_Port').find((p) => p.name === text)
    if (!port) fatal(`${text}: logical switch port does not exist`)
    const holder = switchOf(call, port)
    if (holder._uuid !== sw._uuid) fatal(`${text}: port already exists but in logical switch ${holder.name}`)
  }
  const values = { name, vip, vmac, child_port: sortedSet(ports), liveness: call.has('liveness') }
  call.db.addMember('Logical_Switch', sw._uuid, 'forwarding_groups', call.db.insert('Forwarding_Group', values))
}

function forwardingDel(call: NbCall): void {
  const group = findForwarding(call, call.arg(0))
  if (!group) return
  const sw = call.db.rows('Logical_Switch').find((s) => s.forwarding_groups.includes(group._uuid))
  if (sw) call.db.removeMember('Logical_Switch', sw._uuid, 'forwarding_groups', group._uuid)
  call.db.delete('Forwarding_Group', group._uuid)
}

function forwardingList(call: NbCall): void {
  const switches = call.args[0] === undefined ? [...call.db.rows('Logical_Switch')] : [needSwitch(call, call.args[0])]
  call.print(`${'FWD_GROUP'.padEnd(16)}${'LS'.padEnd(14)}${'VIP'.padEnd(16)}${'VMAC'.padEnd(22)}CHILD_PORTS\n`)
  for (const sw of switches.sort(byName)) {
    for (const uuid of sw.forwarding_groups) {
      const g = call.db.get('Forwarding_Group', uuid)
      if (!g) continue
      const line = `${g.name.padEnd(16)}${sw.name.padEnd(14)}${g.vip.padEnd(15)}${g.vmac.padEnd(23)}`
      call.print(`${line}${g.child_port.join(' ')}\n`)
    }
  }
}

function needHealthPort(call: NbCall): NB.LogicalSwitchPort {
  const port = needSwitchPort(call, call.arg(0))
  if (port.type !== '') fatal(`${port.type}: Health check monitoring supported only for port with vif type.`)
  return port
}

function healthAdd(call: NbCall): void {
  const port = needHealthPort(call)
  const [, protocol = '', src_ip = '', ...rest] = call.args
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'icmp') {
    fatal(`${protocol}: Type must be icmp, tcp, or udp.`)
  }
  if (parseIp(src_ip) === undefined) fatal(`${src_ip}: Not a valid IPv4 or IPv6 address.`)
  let number = 0
  if (protocol !== 'icmp') {
    const text = rest.shift() ?? ''
    number = readNumber(text) ?? -1
    if (number < 0 || number > 65535) fatal(`${text}: port must in range 0...65535`)
  }
  const address = rest.at(-1) ?? fatal('No addresses specified for health checking.')
  if (parseIp(address) === undefined) fatal(`Not a valid IPv4 or IPv6 address ${address}.`)
  if (!port.addresses.some((entry) => entry.split(/\s+/).slice(1).includes(address))) {
    fatal(`Address ${address} not configured on port ${port.name}.`)
  }
  const checks = healthOf(call, port)
  if (
    checks.some((c) => c.protocol === protocol && c.src_ip === src_ip && c.port === number && c.address === address)
  ) {
    fatal(`Health check with address ${address} already exists on port ${port.name}.`)
  }
  const uuid = call.db.insert('Logical_Switch_Port_Health_Check', { protocol, src_ip, port: number, address })
  call.db.addMember('Logical_Switch_Port', port._uuid, 'health_checks', uuid)
}

const healthOf = (call: NbCall, port: NB.LogicalSwitchPort): NB.LogicalSwitchPortHealthCheck[] =>
  port.health_checks.map((u) => call.db.get('Logical_Switch_Port_Health_Check', u)).filter((c) => c !== undefined)

function healthDel(call: NbCall): void {
  const port = needSwitchPort(call, call.arg(0))
  const [, text] = call.args
  const uuid = text === undefined ? undefined : (parseUuid(text) ?? fatal(`${text}: Invalid UUID format.`))
  if (uuid !== undefined && !port.health_checks.includes(uuid)) {
    fatal(`${text}: Logical Switch Port Health Check not found.`)
  }
  for (const check of uuid === undefined ? port.health_checks : [uuid]) {
    call.db.removeMember('Logical_Switch_Port', port._uuid, 'health_checks', check)
    call.db.delete('Logical_Switch_Port_Health_Check', check)
  }
}

const HEALTH_OPTIONS = [
  ['Interval', 'interval'],
  ['Timeout', 'timeout'],
  ['Success count', 'success_count'],
  ['Failure count', 'failure_count'],
] as const

function healthList(call: NbCall): void {
  const port = needSwitchPort(call, call.arg(0))
  const checks = healthOf(call, port).sort((a, b) => (describeHealth(a) < describeHealth(b) ? -1 : 1))
  if (checks.length) call.print(`Logical Switch Port ${port.name}:\n${checks.map(describeHealth).join('\n')}`)
}

function describeHealth(check: NB.LogicalSwitchPortHealthCheck): string {
  const line = (name: string, value: string | number) => `  ${name.padEnd(14)}:  ${value}\n`
  let out = line('Protocol', check.protocol) + line('Source IP', check.src_ip)
  if (check.protocol !== 'icmp') out += line('Port', check.port)
  out += line('Address', check.address)
  for (const [name, key] of HEALTH_OPTIONS) {
    const value = check.options.get(key)
    if (value !== undefined) out += line(name, value)
  }
  return out
}

const COPP = ['Copp'] as const
const BINDINGS = ['Static_MAC_Binding', 'Logical_Router_Port'] as const
const FORWARDING = ['Forwarding_Group', 'Logical_Switch', 'Logical_Switch_Port'] as const
const HEALTH = ['Logical_Switch_Port', 'Logical_Switch_Port_Health_Check'] as const
const MANY = Number.POSITIVE_INFINITY

export const policingCommands: readonly NbCommand[] = [
  { name: 'copp-add', args: [3, 3], usage: 'NAME PROTO METER', access: 'rw', tables: COPP, run: coppAdd },
  { name: 'copp-del', args: [1, 2], usage: 'NAME [PROTO]', access: 'rw', tables: COPP, run: coppDel },
  {
    name: 'copp-list',
    args: [1, 1],
    usage: 'NAME',
    access: 'ro',
    tables: COPP,
    run: (call) => {
      for (const [k, v] of findCopp(call, call.arg(0))?.meters ?? []) call.print(`${k}: ${v}\n`)
    },
  },
  {
    name: 'ls-copp-add',
    args: [2, 2],
    usage: 'NAME SWITCH',
    access: 'rw',
    tables: ['Copp', 'Logical_Switch'],
    run: (call) => {
      const copp = needCopp(call, call.arg(0))
      call.db.update('Logical_Switch', needSwitch(call, call.arg(1))._uuid, { copp: copp._uuid })
    },
  },
  {
    name: 'lr-copp-add',
    args: [2, 2],
    usage: 'NAME ROUTER',
    access: 'rw',
    tables: ['Copp', 'Logical_Router'],
    run: (call) => {
      const copp = needCopp(call, call.arg(0))
      call.db.update('Logical_Router', needRouter(call, call.arg(1))._uuid, { copp: copp._uuid })
    },
  },
  {
    name: 'static-mac-binding-add',
    args: [3, 3],
    usage: 'LOGICAL_PORT IP MAC',
    options: ['may-exist'],
    access: 'rw',
    tables: BINDINGS,
    run: macBindingAdd,
  },
  {
    name: 'static-mac-binding-del',
    args: [2, 2],
    usage: 'LOGICAL_PORT IP',
    options: ['if-exists'],
    access: 'rw',
    tables: BINDINGS,
    run: (call) => {
      const known = macBinding(call)
      if (known) call.db.delete('Static_MAC_Binding', known._uuid)
      else if (!call.has('if-exists')) {
        fatal(`no matching Static_MAC_Binding with port ${call.arg(0)} and ip ${call.arg(1)}`)
      }
    },
  },
  { name: 'static-mac-binding-list', args: [0, 0], access: 'ro', tables: BINDINGS, run: macBindingList },
  {
    name: 'fwd-group-add',
    args: [5, MANY],
    usage: 'GROUP SWITCH VIP VMAC PORTS...',
    options: ['liveness'],
    access: 'rw',
    tables: FORWARDING,
    run: forwardingAdd,
  },
  {
    name: 'fwd-group-del',
    args: [1, 1],
    usage: 'GROUP',
    options: ['if-exists'],
    access: 'rw',
    tables: FORWARDING,
    run: forwardingDel,
  },
  { name: 'fwd-group-list', args: [0, 1], usage: '[SWITCH]', access: 'ro', tables: FORWARDING, run: forwardingList },
  {
    name: 'lsp-hc-add',
    args: [4, 5],
    usage: 'PORT PROTOCOL SOURCE_IP [DST_PORT] ADDRESS',
    access: 'rw',
    tables: HEALTH,
    run: healthAdd,
  },
  { name: 'lsp-hc-del', args: [1, 2], usage: 'PORT [HC_UUID]', access: 'rw', tables: HEALTH, run: healthDel },
  { name: 'lsp-hc-list', args: [1, 1], usage: 'PORT', access: 'ro', tables: HEALTH, run: healthList },
]
