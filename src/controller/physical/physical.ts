import { type Mac, parseMac } from '../../address/mac.ts'
import type { Graph } from '../../reactive/graph.ts'
import type { Derived } from '../../reactive/relation.ts'
import type { Emit } from '../../reactive/rule.ts'
import type { PortBinding } from '../../schema/southbound.ts'
import type { Bindings } from '../binding/binding.ts'
import type { Datapaths } from '../datapaths.ts'
import { type Flow, flowKey } from '../flow.ts'
import type { SouthboundInputs } from '../inputs/inputs.ts'
import { type ChassisRelations, type Interfaces, US } from '../interfaces.ts'
import type { Settings } from '../settings.ts'
import { S } from '../strata.ts'
import { activationFlows } from './activation.ts'
import { parseLportAddresses } from './addresses.ts'
import { hairpinFlows } from './load-balancers.ts'
import { chassisMacFlow, externalPortFlow, parseMacMappings, routerMacFlows } from './localnet-macs.ts'
import { fdbFlows, macBindingFlows, staticMacBindingFlows } from './lookups.ts'
import { multicastFlows } from './multicast.ts'
import { encapIps, type Place, type Places } from './places.ts'
import { portSecurityFlows } from './port-security.ts'
import { portFlows } from './ports.ts'
import { staticFlows } from './static.ts'
import { tunnelFlows } from './tunnels.ts'

export interface PhysicalParts {
  readonly sb: SouthboundInputs
  readonly settings: Settings
  readonly chassis: ChassisRelations
  readonly interfaces: Interfaces
  readonly bindings: Bindings
  readonly datapaths: Datapaths
  readonly places: Places
}

/** The flows around the logical pipelines. */
export function declarePhysical(graph: Graph, flows: Derived<Flow>, parts: PhysicalParts): void {
  const { sb, settings, chassis, interfaces, bindings, datapaths, places } = parts
  const emit = (out: Emit, list: readonly Flow[]) => {
    for (const f of list) out.emit(flows, flowKey(f.table, f.priority, f.match), f)
  }
  const tunnels = (name: string) => interfaces.tunnelsByChassis.get(name)
  const port = (name: string): PortBinding | undefined => bindings.portsByName.first(name)

  const portKey = (name: string) => {
    const row = port(name)
    return row && { key: row.tunnel_key, uuid: row._uuid }
  }

  graph.once('flows of every chassis', S.FLOWS, (out) => emit(out, staticFlows()))
  graph.rule('flows of tunnels', S.FLOWS, interfaces.tunnels, (t, out) => emit(out, tunnelFlows(t)))
  graph.rule('flows of ports', S.FLOWS, places.all, (place, out) =>
    emit(
      out,
      portFlows(place, { tunnels, localIps: encapIps(settings), port: portKey, shared: (dp) => places.shared.get(dp) }),
    ),
  )
  graph.rule('flows of activation', S.FLOWS, places.all, (place, out) => {
    if (place.at !== 'vif' || bindings.all.get(place.name)?.claim !== 'additional_chassis') return
    const row = sb.Port_Binding.get(place.uuid)
    const strategy = row?.options.get('activation-strategy')
    const us = chassis.us.get(US)?.name
    const activated = row?.options.get('additional-chassis-activated')?.split(',') ?? []
    if (!row || !strategy || us === undefined || activated.includes(us)) return
    const addresses = row.mac.flatMap((text) => parseLportAddresses(text) ?? [])
    emit(out, activationFlows(place, strategy.split(','), addresses))
  })
  graph.rule('flows of multicast groups', S.FLOWS, sb.Multicast_Group, (row, out) => {
    const dp = datapaths.local.get(row.datapath)
    if (!dp) return
    const localnet = places.localnetOf.has(row.datapath)
    emit(out, multicastFlows(row, dp.key, { place: (uuid) => places.all.get(uuid), tunnels, localnet }))
  })

  const neighbour = (row: { datapath: string; logical_port: string }) => {
    const dp = datapaths.local.get(row.datapath)
    const at = dp && port(row.logical_port)
    return at?.datapath === row.datapath ? { dp: dp as { key: number }, key: at.tunnel_key } : undefined
  }
  graph.rule('flows of MAC bindings', S.FLOWS, sb.MAC_Binding, (row, out) => {
    const at = neighbour(row)
    if (at) emit(out, macBindingFlows(row, at.dp.key, at.key))
  })
  graph.rule('flows of static MAC bindings', S.FLOWS, sb.Static_MAC_Binding, (row, out) => {
    const at = neighbour(row)
    if (at) emit(out, staticMacBindingFlows(row, at.dp.key, at.key))
  })
  const localKeys = graph.derived<true>('local datapath keys', S.PORTS)
  graph.rule('local datapath keys', S.PORTS, datapaths.local, (dp, out) => out.emit(localKeys, String(dp.key), true))
  graph.rule('flows of FDB', S.FLOWS, sb.FDB, (row, out) => {
    if (localKeys.has(String(row.dp_key))) emit(out, fdbFlows(row))
  })

  graph.rule('flows of port security', S.FLOWS, sb.Port_Binding, (row, out) => {
    if (!row.port_security.length) return
    const place = places.all.get(row._uuid)
    if (place?.at !== 'vif' || bindings.all.get(row.logical_port)?.claim !== 'chassis') return
    const at = { uuid: row._uuid, key: row.tunnel_key, datapathKey: place.datapathKey }
    emit(out, portSecurityFlows(at, row.port_security))
  })

  graph.rule('flows of load balancers', S.FLOWS, sb.Load_Balancer, (row, out) => {
    const groups = [row.ls_datapath_group, row.lr_datapath_group, row.datapath_group]
    const members = groups.flatMap((uuid) =>
      uuid === undefined ? [] : (sb.Logical_DP_Group.get(uuid)?.datapaths ?? []),
    )
    const local = [...row.datapaths, ...members].flatMap((uuid) => datapaths.local.get(uuid) ?? [])
    const switches = new Set(local.flatMap((dp) => (dp.kind === 'switch' ? [dp.key] : [])))
    if (local.length) emit(out, hairpinFlows(row, [...switches]))
  })

  graph.rule('flows of chassis MACs', S.FLOWS, sb.Chassis, (row, out) => {
    if (row.name === chassis.us.get(US)?.name) return
    for (const mac of parseMacMappings(row.other_config.get('ovn-chassis-mac-mappings')).values()) {
      emit(out, [chassisMacFlow({ uuid: row._uuid }, mac)])
    }
  })
  const localnetPlaces = (dp: string) =>
    places.localnets.get(dp) as readonly Extract<Place, { at: 'localnet' | 'l2gateway' }>[]
  const routerMac = (row: PortBinding): Mac | undefined => {
    const first = row.mac[0]
    return first === undefined ? undefined : parseLportAddresses(first)?.mac
  }
  // On a switch, a port whose peer is a router's.
  graph.rule('flows of router MACs', S.FLOWS, places.all, (place, out) => {
    if (place.at !== 'patch' && place.at !== 'l3gateway') return
    const nets = localnetPlaces(place.datapath)
    if (!nets.length) return
    const peerName = sb.Port_Binding.get(place.uuid)?.options.get('peer')
    const peer = peerName === undefined ? undefined : port(peerName)
    const mac = peer && routerMac(peer)
    if (!peer || mac === undefined) return
    // A router that is not within reach from here sends nothing from here.
    const fromRouter = datapaths.peerings.has(peer._uuid) && datapaths.local.has(peer.datapath)
    if (!fromRouter && !datapaths.peerings.has(place.uuid)) return
    const own = parseMacMappings(settings.get('ovn-chassis-mac-mappings'))
    for (const net of nets) emit(out, routerMacFlows(net, { uuid: peer._uuid, mac }, own.get(net.network)))
  })
  graph.rule('flows of external ports', S.FLOWS, bindings.all, (b, out) => {
    if (b.type !== 'external' || !b.claim) return
    const row = sb.Port_Binding.get(b.uuid)
    for (const text of row?.mac ?? []) {
      const mac = parseMac(text.split(/\s/)[0] ?? '')
      if (mac !== undefined) for (const net of localnetPlaces(b.datapath)) emit(out, [externalPortFlow(net, mac)])
    }
  })
}
