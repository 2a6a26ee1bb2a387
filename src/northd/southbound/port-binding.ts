import type { DesiredRow } from '../../ovsdb/relations/row-sink.ts'
import type { Datum } from '../../ovsdb/schema/index.ts'
import type { Context } from '../context.ts'
import { raOptions } from '../features/router-advertisement.ts'
import type { RouterPort, SwitchPort } from '../topology/topology.ts'
import { findChassis, haGroupName } from './ha-chassis.ts'
import { natAddresses } from './nat-addresses.ts'

type Row = Record<string, Datum>

const NONE: readonly string[] = []

function empty(): Row {
  return {
    type: '',
    parent_port: undefined,
    tag: undefined,
    mac: NONE,
    port_security: NONE,
    nat_addresses: NONE,
    options: new Map<string, string>(),
    external_ids: new Map<string, string>(),
    ha_chassis_group: undefined,
    gateway_chassis: NONE,
    requested_chassis: undefined,
    requested_additional_chassis: NONE,
    mirror_rules: NONE,
    mirror_port: undefined,
  }
}

/** `Port_Binding`: one row for each port of a switch or router, and for each chassisredirect port. */
export function portBindings(context: Context): void {
  const { graph, topology, outputs, portKeys } = context
  graph.rule('southbound/port of switch', 10, topology.switchPorts, (port, out) => {
    const key = portKeys.get(port.name)
    if (key === undefined) return
    const peer = topology.peerOfSwitchPort(port)
    const row = port.type === 'router' ? routerType(context, port, peer) : plain(context, port)
    out.emit(outputs.Port_Binding, port.name, {
      ...row,
      logical_port: port.name,
      datapath: port.switch,
      tunnel_key: key,
    })
    if (!topology.isRedirected(port) || !peer) return
    const name = `cr-${port.name}`
    const redirectKey = portKeys.get(name)
    if (redirectKey === undefined) return
    out.emit(outputs.Port_Binding, name, {
      ...empty(),
      type: 'chassisredirect',
      logical_port: name,
      datapath: port.switch,
      tunnel_key: redirectKey,
      mac: port.row.addresses,
      ha_chassis_group: haGroupName(context.nb, { ...peer.row, name: peer.name }),
      options: new Map([['distributed-port', port.name]]),
      external_ids: externalIds(port),
    })
  })
  graph.rule('southbound/port of router', 10, topology.routerPorts, (port, out) => {
    const key = portKeys.get(port.name)
    if (key === undefined) return
    out.emit(outputs.Port_Binding, port.name, {
      ...routerPort(context, port),
      logical_port: port.name,
      datapath: port.router,
      tunnel_key: key,
    })
    const redirectKey = port.distributedGateway ? portKeys.get(port.redirect) : undefined
    if (redirectKey === undefined) return
    out.emit(outputs.Port_Binding, port.redirect, {
      ...redirect(context, port),
      logical_port: port.redirect,
      datapath: port.router,
      tunnel_key: redirectKey,
    })
  })
}

function externalIds(port: SwitchPort): ReadonlyMap<string, string> {
  const name = port.row.external_ids.get('neutron:port_name')
  if (!name) return port.row.external_ids
  return new Map([...port.row.external_ids, ['name', name]])
}

function routerType(context: Context, port: SwitchPort, peer: RouterPort | undefined): DesiredRow {
  const options = new Map<string, string>()
  const facts = peer && context.topology.routerFacts.get(peer.router)
  const chassis = facts?.router.chassis
  if (port.routerPort !== undefined) options.set('peer', port.routerPort)
  if (chassis !== undefined) options.set('l3gateway-chassis', chassis)
  return {
    ...empty(),
    type: chassis === undefined ? 'patch' : 'l3gateway',
    mac: port.row.addresses,
    options,
    external_ids: externalIds(port),
    nat_addresses: peer ? natAddresses(context, port, peer) : NONE,
  }
}

function plain(context: Context, port: SwitchPort): DesiredRow {
  const { topology, nb, sb } = context
  const { row } = port
  const options = new Map(row.options)
  const queue = context.queues.get(port.name)
  options.delete('qdisc_queue_id')
  if (queue !== undefined) {
    options.set('qdisc_queue_id', String(queue))
    const network = topology.portsOfType.get(`${port.switch} localnet`)[0]?.options.get('network_name')
    if (network) options.set('qos_physical_network', network)
  }
  if (topology.switches.get(port.switch)?.vlanPassthru) options.set('vlan-passthru', 'true')
  const requested = (row.options.get('requested-chassis') ?? '').split(',').filter(Boolean)
  const found = requested.flatMap((name) => {
    const chassis = findChassis(sb, name)
    if (chassis !== undefined) return [chassis]
    const text = `Unknown chassis '${name}' set in options:requested-chassis on LSP '${port.name}'.`
    context.log.child('northd').warn(text, { code: 'unknown-chassis', port: port.name, row: port.uuid })
    return []
  })
  // The first that exists is the main one.
  const first = found[0]
  const group =
    port.type === 'external' && row.ha_chassis_group !== undefined
      ? nb.HA_Chassis_Group.get(row.ha_chassis_group)?.name
      : undefined
  return {
    ...empty(),
    type: port.type,
    parent_port: row.parent_name,
    tag: context.tags.get(port.uuid) ?? row.tag,
    mac: row.addresses,
    port_security: row.port_security,
    options,
    external_ids: externalIds(port),
    ha_chassis_group: group,
    requested_chassis: first,
    requested_additional_chassis: found.filter((c) => c !== first).sort(),
    mirror_rules: row.mirror_rules.flatMap((uuid) => {
      const mirror = nb.Mirror.get(uuid)
      return mirror && mirror.type !== 'lport' ? [mirror.name] : []
    }),
  }
}

/** As `Port_Binding.mac` of router ports has it: the networks, IPv4 first. */
function macOf(port: RouterPort): readonly string[] {
  const { mac, v4, v6 } = port.addresses
  const given = v6.filter((n) => !n.automatic)
  return [[mac, ...[...v4, ...given].map((n) => `${n.address}/${n.length}`)].join(' ')]
}

function routerPort(context: Context, port: RouterPort): DesiredRow {
  const { topology } = context
  const options = new Map<string, string>()
  const chassis = topology.routers.get(port.router)?.chassis
  const peer = (topology.switchPeer(port) ?? topology.routerPeer(port))?.name
  if (peer !== undefined) options.set('peer', peer)
  if (chassis !== undefined) options.set('l3gateway-chassis', chassis)
  if (port.distributedGateway && peer !== undefined) options.set('chassis-redirect-port', port.redirect)
  for (const [name, value] of raOptions(context, port)) options.set(name, value)
  return {
    ...empty(),
    type: chassis === undefined ? 'patch' : 'l3gateway',
    mac: macOf(port),
    options,
    external_ids: port.row.external_ids,
  }
}

function redirect(context: Context, port: RouterPort): DesiredRow {
  const options = new Map([['distributed-port', port.name]])
  const kind = port.options.get('redirect-type')
  if (kind) options.set('redirect-type', kind)
  const distributed = context.nat.distributed(port.router).length > 0
  const gate = context.topology.switchPeer(port)
  const vtep = gate !== undefined && context.topology.portsOfType.get(`${gate.switch} vtep`).length > 0
  if (kind !== 'bridged' && !distributed && !vtep) options.set('always-redirect', 'true')
  return {
    ...empty(),
    type: 'chassisredirect',
    mac: macOf(port),
    options,
    external_ids: port.row.external_ids,
    ha_chassis_group: haGroupName(context.nb, { ...port.row, name: port.name }),
  }
}
