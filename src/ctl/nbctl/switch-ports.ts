import { formatIp } from '../../address/ip.ts'
import { parsePrefix } from '../../address/prefix.ts'
import { parseUuid } from '../../ovsdb/schema/index.ts'
import type { NB } from '../../schema/index.ts'
import { fatal } from '../error.ts'
import {
  findSwitchPort,
  type NbCall,
  type NbCommand,
  needSwitch,
  needSwitchPort,
  printNamed,
  readNumber,
  readPairs,
  readState,
  sortedSet,
  switchOf,
} from './lookup.ts'

function readTag(text: string): number {
  const tag = readNumber(text)
  return tag !== undefined && tag <= 4095 ? tag : fatal(`${text}: invalid tag (must be in range 0 to 4095)`)
}

/** Whether a port that is there already is the one that --may-exist wants; fails if it is another. */
function sameAs(call: NbCall, port: NB.LogicalSwitchPort, sw: NB.LogicalSwitch, parent?: string, tag?: number): void {
  const name = call.arg(1)
  const holder = switchOf(call, port)
  if (holder._uuid !== sw._uuid) fatal(`${name}: port already exists but in switch ${holder.name || holder._uuid}`)
  if (parent === undefined) {
    if (port.parent_name !== undefined) fatal(`${name}: port already exists but has parent ${port.parent_name}`)
    return
  }
  if (port.parent_name === undefined) fatal(`${name}: port already exists but has no parent`)
  if (port.parent_name !== parent) fatal(`${name}: port already exists with different parent ${port.parent_name}`)
  if (port.tag_request === undefined) fatal(`${name}: port already exists but has no tag_request`)
  if (port.tag_request !== tag) fatal(`${name}: port already exists with different tag_request ${port.tag_request}`)
}

function create(
  call: NbCall,
  sw: NB.LogicalSwitch,
  values: Parameters<typeof call.db.insert<'Logical_Switch_Port'>>[1],
) {
  const uuid = call.db.insert('Logical_Switch_Port', { name: call.arg(1), ...values })
  call.db.addMember('Logical_Switch', sw._uuid, 'ports', uuid)
}

function add(call: NbCall): void {
  const sw = needSwitch(call, call.arg(0))
  const [, name = '', parent, tagText] = call.args
  if (parent !== undefined && tagText === undefined) fatal('lsp-add with parent must also specify a tag')
  const tag = tagText === undefined ? undefined : readTag(tagText)
  const known = findSwitchPort(call, name)
  if (known) {
    if (!call.has('may-exist')) fatal(`${name}: a port with this name already exists`)
    sameAs(call, known, sw, parent, tag)
    return
  }
  create(call, sw, parent === undefined ? {} : { parent_name: parent, tag_request: tag })
}

function addOfType(
  call: NbCall,
  type: string,
  options: ReadonlyMap<string, string>,
  addresses: readonly string[],
): void {
  const sw = needSwitch(call, call.arg(0))
  const known = findSwitchPort(call, call.arg(1))
  if (known) {
    if (!call.has('may-exist')) fatal(`${call.arg(1)}: a port with this name already exists`)
    sameAs(call, known, sw)
    call.db.update('Logical_Switch_Port', known._uuid, { type, options, addresses })
    return
  }
  create(call, sw, { type, options, addresses })
}

function del(call: NbCall): void {
  const port = call.has('if-exists') ? findSwitchPort(call, call.arg(0)) : needSwitchPort(call, call.arg(0))
  if (!port) return
  call.db.removeMember('Logical_Switch', switchOf(call, port)._uuid, 'ports', port._uuid)
  call.db.delete('Logical_Switch_Port', port._uuid)
}

function list(call: NbCall): void {
  const sw = needSwitch(call, call.arg(0))
  const ports = sw.ports.map((p) => call.db.get('Logical_Switch_Port', p)).filter((p) => p !== undefined)
  printNamed(call, ports)
}

// As a scanner of six hexadecimal numbers takes it: what follows does not matter.
const STARTS_WITH_MAC = /^\s*[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}/

/** The IP addresses of one entry of the addresses column. */
function ipsOf(entry: string): string[] {
  if (!STARTS_WITH_MAC.test(entry)) return []
  const ips: string[] = []
  for (const word of entry.trim().split(/\s+/).slice(1)) {
    const prefix = parsePrefix(word)
    if (!prefix) break
    ips.push(formatIp(prefix.address))
  }
  return ips
}

/** Fails when another port of the same switch has one of the addresses (ovn-nbctl(8), lsp-set-addresses). */
function checkDuplicates(call: NbCall, port: NB.LogicalSwitchPort, addresses: readonly string[]): void {
  const sw = call.db.rows('Logical_Switch').find((s) => s.ports.includes(port._uuid))
  if (!sw) return
  const wanted = addresses.flatMap(ipsOf)
  if (!wanted.length) return
  for (const uuid of sw.ports) {
    const other = uuid === port._uuid ? undefined : call.db.get('Logical_Switch_Port', uuid)
    if (!other || other.type === 'router') continue
    const isDynamic = other.addresses.some((a) => a.split(' ').includes('dynamic'))
    const dynamic = isDynamic && other.dynamic_addresses !== undefined ? ipsOf(other.dynamic_addresses) : []
    const taken = new Set([...other.addresses.flatMap(ipsOf), ...dynamic])
    const clash = wanted.find((ip) => taken.has(ip))
    if (clash !== undefined) {
      const family = clash.includes(':') ? 'IPv6' : 'IPv4'
      fatal(
        `Error on switch ${sw.name}: duplicate ${family} address '${clash}' found on logical switch port '${other.name}'`,
      )
    }
  }
}

function setAddresses(call: NbCall): void {
  const port = needSwitchPort(call, call.arg(0))
  const addresses = call.args.slice(1)
  for (const entry of addresses) {
    const known = entry === 'unknown' || entry === 'router' || entry === 'dynamic' || entry.startsWith('dynamic ')
    if (!known && !STARTS_WITH_MAC.test(entry)) {
      fatal(
        `${entry}: Invalid address format. See ovn-nb(5). Hint: An Ethernet address must be listed before an IP address, together as a single argument.`,
      )
    }
  }
  checkDuplicates(call, port, addresses)
  call.db.update('Logical_Switch_Port', port._uuid, { addresses: sortedSet(addresses) })
}

const TYPES: readonly string[] = [
  ...['l2gateway', 'localnet', 'localport', 'router', 'vtep', 'external', 'virtual', 'remote', 'switch'],
]

function setType(call: NbCall): void {
  const port = needSwitchPort(call, call.arg(0))
  const type = call.arg(1)
  if (type !== '' && !TYPES.includes(type)) {
    fatal(`Logical switch port type '${type}' is unrecognized. Not setting type.`)
  }
  const peer = call.args[2]
  if (peer !== undefined) {
    if (!peer.startsWith('peer=')) fatal(`${peer}: unexpected argument; only "peer=" is supported`)
    if (type !== 'switch') fatal(`Peer can only be set for a logical switch port with type 'switch'.`)
    call.db.update('Logical_Switch_Port', port._uuid, { peer: peer.slice(5) })
  }
  call.db.update('Logical_Switch_Port', port._uuid, { type })
}

function dhcpOptionsOf(call: NbCall, text: string, family: 4 | 6): string {
  const uuid = parseUuid(text)
  const row = uuid === undefined ? undefined : call.db.get('DHCP_Options', uuid)
  if (!row) return fatal(`${text}: dhcp options UUID not found`)
  if (parsePrefix(row.cidr)?.family !== family) fatal(`DHCP options cidr '${row.cidr}' is not IPv${family}`)
  return row._uuid
}

function setDhcp(call: NbCall, column: 'dhcpv4_options' | 'dhcpv6_options', family: 4 | 6): void {
  const port = needSwitchPort(call, call.arg(0))
  const value = call.args[1] === undefined ? undefined : dhcpOptionsOf(call, call.args[1], family)
  call.db.update('Logical_Switch_Port', port._uuid, { [column]: value })
}

function getDhcp(call: NbCall, column: 'dhcpv4_options' | 'dhcpv6_options'): void {
  const uuid = needSwitchPort(call, call.arg(0))[column]
  const row = uuid === undefined ? undefined : call.db.get('DHCP_Options', uuid)
  if (row) call.print(`${row._uuid} (${row.cidr})\n`)
}

const PORT = ['Logical_Switch_Port'] as const
const SWITCH_AND_PORT = ['Logical_Switch', 'Logical_Switch_Port'] as const
const MANY = Number.POSITIVE_INFINITY

/** A command that prints something of one port. */
const getter = (name: string, print: (port: NB.LogicalSwitchPort, call: NbCall) => string): NbCommand => ({
  name,
  args: [1, 1],
  usage: 'PORT',
  access: 'ro',
  tables: PORT,
  run: (call) => call.print(print(needSwitchPort(call, call.arg(0)), call)),
})

/** A command that sets something of one port. */
const setter = (
  name: string,
  args: readonly [number, number],
  usage: string,
  values: (call: NbCall, port: NB.LogicalSwitchPort) => Parameters<typeof call.db.update<'Logical_Switch_Port'>>[2],
): NbCommand => ({
  name,
  args,
  usage: `PORT ${usage}`,
  access: 'rw',
  tables: SWITCH_AND_PORT,
  run: (call) => {
    const port = needSwitchPort(call, call.arg(0))
    call.db.update('Logical_Switch_Port', port._uuid, values(call, port))
  },
})

const lines = (texts: readonly string[]): string => texts.map((t) => `${t}\n`).join('')

export const switchPortCommands: readonly NbCommand[] = [
  {
    name: 'lsp-add',
    args: [2, 4],
    usage: 'SWITCH PORT [PARENT] [TAG]',
    options: ['may-exist'],
    access: 'rw',
    tables: SWITCH_AND_PORT,
    run: add,
  },
  {
    name: 'lsp-add-router-port',
    args: [3, 3],
    usage: 'SWITCH PORT LRP_PEER',
    options: ['may-exist'],
    access: 'rw',
    tables: SWITCH_AND_PORT,
    run: (call) => addOfType(call, 'router', new Map([['router-port', call.arg(2)]]), ['router']),
  },
  {
    name: 'lsp-add-localnet-port',
    args: [3, 3],
    usage: 'SWITCH PORT NETWORK',
    options: ['may-exist'],
    access: 'rw',
    tables: SWITCH_AND_PORT,
    run: (call) => addOfType(call, 'localnet', new Map([['network_name', call.arg(2)]]), ['unknown']),
  },
  {
    name: 'lsp-del',
    args: [1, 1],
    usage: 'PORT',
    options: ['if-exists'],
    access: 'rw',
    tables: SWITCH_AND_PORT,
    run: del,
  },
  { name: 'lsp-list', args: [1, 1], usage: 'SWITCH', access: 'ro', tables: SWITCH_AND_PORT, run: list },
  getter('lsp-get-parent', (port) => (port.parent_name === undefined ? '' : `${port.parent_name}\n`)),
  getter('lsp-get-tag', (port) => (port.tag === undefined ? '' : `${port.tag}\n`)),
  {
    name: 'lsp-set-addresses',
    args: [1, MANY],
    usage: 'PORT [ADDRESS]...',
    access: 'rw',
    tables: SWITCH_AND_PORT,
    run: setAddresses,
  },
  getter('lsp-get-addresses', (port) => lines(port.addresses)),
  setter('lsp-set-port-security', [1, MANY], '[ADDRS]...', (call) => ({
    port_security: sortedSet(call.args.slice(1)),
  })),
  getter('lsp-get-port-security', (port) => lines(port.port_security)),
  getter('lsp-get-up', (port) => `${port.up ? 'up' : 'down'}\n`),
  setter('lsp-set-enabled', [2, 2], 'STATE', (call) => ({ enabled: readState(call.arg(1)) })),
  getter('lsp-get-enabled', (port) => `${port.enabled === false ? 'disabled' : 'enabled'}\n`),
  {
    name: 'lsp-set-type',
    args: [2, 3],
    usage: 'PORT TYPE [peer=PEER]',
    access: 'rw',
    tables: SWITCH_AND_PORT,
    run: setType,
  },
  getter('lsp-get-type', (port) => `${port.type}\n`),
  setter('lsp-set-options', [1, MANY], '[KEY=VALUE]...', (call) => ({ options: readPairs(call.args.slice(1)) })),
  getter('lsp-get-options', (port) => [...port.options].map(([k, v]) => `${k}=${v}\n`).join('')),
  ...([4, 6] as const).flatMap((family): NbCommand[] => {
    const column = `dhcpv${family}_options` as const
    const tables = ['Logical_Switch_Port', 'DHCP_Options'] as const
    return [
      {
        name: `lsp-set-dhcpv${family}-options`,
        args: [1, 2],
        usage: 'PORT [DHCP_OPTIONS_UUID]',
        access: 'rw',
        tables,
        run: (call) => setDhcp(call, column, family),
      },
      {
        name: `lsp-get-dhcpv${family}-options`,
        args: [1, 1],
        usage: 'PORT',
        access: 'ro',
        tables,
        run: (call) => getDhcp(call, column),
      },
    ]
  }),
  {
    name: 'lsp-get-ls',
    args: [1, 1],
    usage: 'PORT',
    access: 'ro',
    tables: SWITCH_AND_PORT,
    run: (call) => {
      const sw = switchOf(call, needSwitchPort(call, call.arg(0)))
      call.print(`${sw._uuid} (${sw.name})\n`)
    },
  },
]
