import { parseMac } from '../../address/mac.ts'
import { parsePrefix } from '../../address/prefix.ts'
import type { NB } from '../../schema/index.ts'
import { fatal } from '../error.ts'
import { readColumnArgument } from '../records.ts'
import { readDatum } from '../value.ts'
import {
  findRouterPort,
  type NbCall,
  type NbCommand,
  needRouter,
  needRouterPort,
  printNamed,
  readPairs,
  readPriority,
  readState,
  routerOf,
  sortedSet,
} from './lookup.ts'

/** The networks come first; from the first argument with a `=` on, columns are set. */
function splitArguments(args: readonly string[]): { networks: readonly string[]; settings: readonly string[] } {
  const at = args.findIndex((a) => a.includes('='))
  return at < 0 ? { networks: args, settings: [] } : { networks: args.slice(0, at), settings: args.slice(at) }
}

function checkSame(call: NbCall, port: NB.LogicalRouterPort, router: NB.LogicalRouter, peer: string | undefined): void {
  const name = call.arg(1)
  const holder = routerOf(call, port)
  if (holder._uuid !== router._uuid) fatal(`${name}: port already exists but in router ${holder.name || holder._uuid}`)
  const mac = parseMac(call.arg(2))
  if (mac !== parseMac(port.mac)) fatal(`${name}: port already exists with mac ${port.mac}`)
  if (port.peer !== peer) fatal(`${name}: port already exists with mismatching peer`)
}

function add(call: NbCall): void {
  const router = needRouter(call, call.arg(0))
  const [, name = '', mac = '', ...rest] = call.args
  const { networks, settings } = splitArguments(rest)
  const peer = settings.find((s) => s.startsWith('peer='))?.slice(5)
  if (parseMac(mac) === undefined) fatal(`${name}: invalid mac address ${mac}`)
  const known = findRouterPort(call, name)
  if (known) {
    if (!call.has('may-exist')) fatal(`${name}: a port with this name already exists`)
    checkSame(call, known, router, peer)
    return
  }
  for (const network of networks) {
    if (!parsePrefix(network)) fatal(`${name}: invalid network address: ${network}`)
  }
  const uuid = call.db.insert('Logical_Router_Port', { name, mac, networks: sortedSet(networks) })
  const table = call.db.schema.tables.get('Logical_Router_Port')
  for (const text of table ? settings : []) {
    const { column, key, value = '' } = readColumnArgument(table as NonNullable<typeof table>, text, ['='])
    if (key !== undefined) call.db.anySetKey('Logical_Router_Port', uuid, column.name, key, value)
    else {
      call.db.anyUpdate('Logical_Router_Port', uuid, { [column.name]: readDatum(column.type, value, call.symbols) })
    }
  }
  call.db.addMember('Logical_Router', router._uuid, 'ports', uuid)
}

function del(call: NbCall): void {
  const port = call.has('if-exists') ? findRouterPort(call, call.arg(0)) : needRouterPort(call, call.arg(0))
  if (!port) return
  call.db.removeMember('Logical_Router', routerOf(call, port)._uuid, 'ports', port._uuid)
  call.db.delete('Logical_Router_Port', port._uuid)
}

function list(call: NbCall): void {
  const router = needRouter(call, call.arg(0))
  const ports = router.ports.map((p) => call.db.get('Logical_Router_Port', p)).filter((p) => p !== undefined)
  printNamed(call, ports)
}

/** The gateway chassis of a port. */
export function gatewaysOf(call: NbCall, port: NB.LogicalRouterPort): NB.GatewayChassis[] {
  return port.gateway_chassis.map((g) => call.db.get('Gateway_Chassis', g)).filter((g) => g !== undefined)
}

function setGateway(call: NbCall): void {
  const port = needRouterPort(call, call.arg(0))
  const chassis = call.arg(1)
  const priority = call.args[2] === undefined ? 0 : readPriority(call.args[2])
  const name = `${port.name}-${chassis}`
  const known = call.db.rows('Gateway_Chassis').find((g) => g.name === name)
  if (known) {
    call.db.update('Gateway_Chassis', known._uuid, { chassis_name: chassis, priority })
    call.db.addMember('Logical_Router_Port', port._uuid, 'gateway_chassis', known._uuid)
    return
  }
  const uuid = call.db.insert('Gateway_Chassis', { name, chassis_name: chassis, priority })
  call.db.addMember('Logical_Router_Port', port._uuid, 'gateway_chassis', uuid)
}

function delGateway(call: NbCall): void {
  const port = needRouterPort(call, call.arg(0))
  const chassis = call.arg(1)
  const gateway = gatewaysOf(call, port).find((g) => g.chassis_name === chassis)
  if (!gateway) fatal(`chassis ${chassis} is not added to logical port ${port.name}`)
  call.db.removeMember('Logical_Router_Port', port._uuid, 'gateway_chassis', gateway._uuid)
  call.db.delete('Gateway_Chassis', gateway._uuid)
}

function getGateways(call: NbCall): void {
  const gateways = gatewaysOf(call, needRouterPort(call, call.arg(0)))
  gateways.sort((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1))
  for (const g of gateways) call.print(`${g.name} ${String(g.priority).padStart(5)}\n`)
}

const ROUTER_AND_PORT = ['Logical_Router', 'Logical_Router_Port'] as const
const GATEWAYS = ['Logical_Router_Port', 'Gateway_Chassis'] as const
const PORT = ['Logical_Router_Port'] as const
const MANY = Number.POSITIVE_INFINITY

export const routerPortCommands: readonly NbCommand[] = [
  {
    name: 'lrp-add',
    args: [3, MANY],
    usage: 'ROUTER PORT MAC [NETWORK]... [COLUMN[:KEY]=VALUE]...',
    options: ['may-exist'],
    access: 'rw',
    tables: ROUTER_AND_PORT,
    run: add,
  },
  {
    name: 'lrp-del',
    args: [1, 1],
    usage: 'PORT',
    options: ['if-exists'],
    access: 'rw',
    tables: ROUTER_AND_PORT,
    run: del,
  },
  { name: 'lrp-list', args: [1, 1], usage: 'ROUTER', access: 'ro', tables: ROUTER_AND_PORT, run: list },
  {
    name: 'lrp-set-enabled',
    args: [2, 2],
    usage: 'PORT STATE',
    access: 'rw',
    tables: PORT,
    run: (call) => {
      const port = needRouterPort(call, call.arg(0))
      call.db.update('Logical_Router_Port', port._uuid, { enabled: readState(call.arg(1)) })
    },
  },
  {
    name: 'lrp-get-enabled',
    args: [1, 1],
    usage: 'PORT',
    access: 'ro',
    tables: PORT,
    run: (call) => call.print(needRouterPort(call, call.arg(0)).enabled === false ? 'disabled\n' : 'enabled\n'),
  },
  {
    name: 'lrp-set-gateway-chassis',
    args: [2, 3],
    usage: 'PORT CHASSIS [PRIORITY]',
    options: ['may-exist'],
    access: 'rw',
    tables: GATEWAYS,
    run: setGateway,
  },
  {
    name: 'lrp-del-gateway-chassis',
    args: [2, 2],
    usage: 'PORT CHASSIS',
    access: 'rw',
    tables: GATEWAYS,
    run: delGateway,
  },
  { name: 'lrp-get-gateway-chassis', args: [1, 1], usage: 'PORT', access: 'ro', tables: GATEWAYS, run: getGateways },
  {
    name: 'lrp-set-options',
    args: [1, MANY],
    usage: 'PORT KEY=VALUE...',
    access: 'rw',
    tables: PORT,
    run: (call) => {
      const port = needRouterPort(call, call.arg(0))
      call.db.update('Logical_Router_Port', port._uuid, { options: readPairs(call.args.slice(1)) })
    },
  },
  {
    name: 'lrp-set-redirect-type',
    args: [2, 2],
    usage: 'PORT TYPE',
    access: 'rw',
    tables: PORT,
    run: (call) => {
      const port = needRouterPort(call, call.arg(0))
      const type = call.arg(1)
      if (type !== 'overlay' && type !== 'bridged') fatal(`Invalid redirect type: ${type}`)
      call.db.setKey('Logical_Router_Port', port._uuid, 'options', 'redirect-type', type)
    },
  },
  {
    name: 'lrp-get-redirect-type',
    args: [1, 1],
    usage: 'PORT',
    access: 'ro',
    tables: PORT,
    run: (call) => {
      const type = needRouterPort(call, call.arg(0)).options.get('redirect-type') ?? 'overlay'
      call.print(`${type}\n`)
    },
  },
]
