import type { Graph } from '../reactive/graph.ts'
import type { Derived, Index } from '../reactive/relation.ts'
import type { Chassis } from '../schema/southbound.ts'
import type { LocalInputs, SouthboundInputs } from './inputs/inputs.ts'
import type { Settings } from './settings.ts'
import { S } from './strata.ts'

/** An interface of the integration bridge, as far as the controller cares. */
export interface BridgeInterface {
  readonly name: string
  readonly uuid: string
  readonly port: string
  readonly type: string
  /** OpenFlow port number; undefined while the switch has not given one, or could not. */
  readonly ofport: number | undefined
  readonly externalIds: ReadonlyMap<string, string>
  readonly options: ReadonlyMap<string, string>
  /** external_ids of the Port row. */
  readonly portIds: ReadonlyMap<string, string>
  /** `up` or what else BFD says; undefined without BFD. */
  readonly bfdState: string | undefined
}

/** An interface that stands for a logical port (external_ids:iface-id). */
export interface Vif {
  readonly name: string
  readonly uuid: string
  readonly ofport: number
  /** external_ids:iface-id-ver: only the port of that version may be bound. */
  readonly version: string | undefined
  /** external_ids:encap-ip: which of the chassis' tunnel endpoints the port wants. */
  readonly encapIp: string | undefined
}

/** A tunnel port to one endpoint of another chassis. */
export interface Tunnel {
  readonly name: string
  readonly ofport: number
  readonly type: 'geneve' | 'vxlan'
  readonly chassis: string
  readonly remoteIp: string
  readonly localIp: string | undefined
  readonly up: boolean
}

export interface Interfaces {
  /** By name; those of the integration bridge only. */
  readonly all: Derived<BridgeInterface>
  /** By logical port. */
  readonly vifs: Derived<Vif>
  /** By interface name. */
  readonly tunnels: Derived<Tunnel>
  readonly tunnelsByChassis: Index<Tunnel>
  /** Chassis that a tunnel's BFD session reaches, by name. */
  readonly live: Derived<true>
}

/** `CHASSIS@REMOTE%LOCAL` of external_ids:ovn-chassis-id; older releases left out `%LOCAL`. */
export function parseTunnelId(
  id: string,
): { chassis: string; remoteIp: string; localIp: string | undefined } | undefined {
  const at = id.lastIndexOf('@')
  if (at <= 0) return undefined
  const rest = id.slice(at + 1)
  const percent = rest.indexOf('%')
  return {
    chassis: id.slice(0, at),
    remoteIp: percent < 0 ? rest : rest.slice(0, percent),
    localIp: percent < 0 ? undefined : rest.slice(percent + 1),
  }
}

/** Follows the local database from the integration bridge down to what its interfaces mean. */
export function declareInterfaces(graph: Graph, ovs: LocalInputs, settings: Settings): Interfaces {
  const bridgeOfPort = graph.derived<string>('bridge of port', S.FACTS)
  graph.pair(
    'bridge ports',
    S.FACTS,
    ovs.Bridge,
    { members: (b) => b.ports, pick: (b) => b.name },
    (_b, port, name, out) => out.emit(bridgeOfPort, port, name),
  )
  const portOfInterface = graph.derived<{ port: string; ids: ReadonlyMap<string, string> }>(
    'port of interface',
    S.FACTS,
  )
  graph.pair(
    'port interfaces',
    S.FACTS,
    ovs.Port,
    { members: (p) => p.interfaces, pick: (p) => p.external_ids },
    (port, iface, ids, out) => out.emit(portOfInterface, iface, { port, ids }),
  )

  const all = graph.derived<BridgeInterface>('interfaces', S.INTERFACES)
  graph.rule('interfaces', S.INTERFACES, ovs.Interface, (row, out) => {
    const owner = portOfInterface.get(row._uuid)
    if (!owner || bridgeOfPort.get(owner.port) !== settings.get('ovn-bridge')) return
    out.emit(all, row.name, {
      name: row.name,
      uuid: row._uuid,
      port: owner.port,
      type: row.type,
      ofport: row.ofport !== undefined && row.ofport > 0 ? row.ofport : undefined,
      externalIds: row.external_ids,
      options: row.options,
      portIds: owner.ids,
      bfdState: row.bfd_status.get('state'),
    })
  })

  const vifs = graph.derived<Vif>('vifs', S.PLUGGED)
  graph.rule('vifs', S.PLUGGED, all, (i, out) => {
    const port = i.externalIds.get('iface-id')
    if (port === undefined || i.ofport === undefined) return
    out.emit(vifs, port, {
      name: i.name,
      uuid: i.uuid,
      ofport: i.ofport,
      version: i.externalIds.get('iface-id-ver'),
      encapIp: i.externalIds.get('encap-ip'),
    })
  })

  const tunnels = graph.derived<Tunnel>('tunnels', S.PLUGGED)
  const tunnelsByChassis = tunnels.index('chassis', (t) => t.chassis)
  graph.rule('tunnels', S.PLUGGED, all, (i, out) => {
    const id = i.portIds.get('ovn-chassis-id')
    const to = id === undefined ? undefined : parseTunnelId(id)
    if (!to || i.ofport === undefined || (i.type !== 'geneve' && i.type !== 'vxlan')) return
    const tunnel: Tunnel = { name: i.name, ofport: i.ofport, type: i.type, up: i.bfdState === 'up', ...to }
    out.emit(tunnels, i.name, tunnel)
  })

  const live = graph.derived<true>('live chassis', S.LIVE)
  graph.rule('live chassis', S.LIVE, tunnels, (t, out) => {
    if (t.up) out.emit(live, t.chassis, true)
  })
  return { all, vifs, tunnels, tunnelsByChassis, live }
}

/** What others need to know of a chassis: not its other_config, which changes for other reasons. */
export interface ChassisName {
  readonly uuid: string
  readonly name: string
  readonly hostname: string
}

export interface ChassisRelations {
  /** Under the key `us` there is our own row, once it exists. */
  readonly us: Derived<ChassisName>
  /** By uuid. */
  readonly names: Derived<ChassisName>
  readonly rowByName: Index<Chassis>
}

export const US = 'us'

export function declareChassis(graph: Graph, sb: SouthboundInputs, settings: Settings): ChassisRelations {
  const names = graph.derived<ChassisName>('chassis names', S.FACTS)
  graph.rule('chassis names', S.FACTS, sb.Chassis, (row, out) =>
    out.emit(names, row._uuid, { uuid: row._uuid, name: row.name, hostname: row.hostname }),
  )
  const us = graph.derived<ChassisName>('own chassis', S.INTERFACES)
  graph.rule('own chassis', S.INTERFACES, names, (row, out) => {
    if (row.name === settings.get('system-id')) out.emit(us, US, row)
  })
  return { us, names, rowByName: sb.Chassis.index('name', (c) => c.name) }
}
