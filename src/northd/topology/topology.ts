import type { Derived, Graph, Index } from '../../reactive/index.ts'
import type { LogicalRouterPort, LogicalSwitchPort } from '../../schema/northbound.ts'
import { addressManagement } from './address-management.ts'
import { type PortAddresses, parseAddresses, routerAddresses } from './addresses.ts'
import type { NorthboundTables, SouthboundTables } from './tables.ts'

/** A logical switch, without the lists it holds. */
export interface Switch {
  readonly uuid: string
  readonly name: string
  readonly config: ReadonlyMap<string, string>
  readonly externalIds: ReadonlyMap<string, string>
  readonly copp: string | undefined
  readonly vlanPassthru: boolean
  /** `other_config:enable-stateless-acl-with-lb` */
  readonly statelessBalancing: boolean
}

/** A logical router, without the lists it holds. Disabled routers are none. */
export interface Router {
  readonly uuid: string
  readonly name: string
  readonly options: ReadonlyMap<string, string>
  readonly externalIds: ReadonlyMap<string, string>
  readonly copp: string | undefined
  /** The chassis a gateway router is bound to (`options:chassis`). */
  readonly chassis: string | undefined
}

/** A port of a logical switch. */
export interface SwitchPort {
  readonly uuid: string
  readonly name: string
  /** `name` as the logical flow language quotes it. */
  readonly quoted: string
  readonly switch: string
  readonly type: string
  readonly row: LogicalSwitchPort
  readonly options: ReadonlyMap<string, string>
  readonly enabled: boolean
  readonly up: boolean
  /** The addresses that are MAC addresses with or without IP addresses behind them. */
  readonly addresses: readonly PortAddresses[]
  readonly unknown: boolean
  /** The name of the router port that a port of type router is joined to. */
  readonly routerPort: string | undefined
}

/** A port of a logical router. */
export interface RouterPort {
  readonly uuid: string
  readonly name: string
  readonly quoted: string
  readonly router: string
  readonly row: LogicalRouterPort
  readonly options: ReadonlyMap<string, string>
  readonly enabled: boolean
  readonly mac: string
  readonly addresses: PortAddresses
  /** A distributed gateway port: some chassis stand for it, one at a time. */
  readonly distributedGateway: boolean
  /** The chassisredirect port's name, for a distributed gateway port. */
  readonly redirect: string
  /** `redirect` as the logical flow language quotes it. */
  readonly quotedRedirect: string
}

/** What is true of a router as a whole. */
export interface RouterFacts {
  readonly router: Router
  /** Its distributed gateway ports, by name. */
  readonly gatewayPorts: readonly RouterPort[]
  readonly isGateway: boolean
}

/** Switches, routers and their ports with their relations to each other: what all features stand on. */
export class Topology {
  /** A switch port's switch. */
  readonly switchOf: Derived<string>
  /** A router port's router. */
  readonly routerOf: Derived<string>
  readonly switches: Derived<Switch>
  /** What ports that ask for dynamic addresses got, by port. */
  readonly dynamicAddresses: Derived<string>
  readonly routers: Derived<Router>
  readonly switchPorts: Derived<SwitchPort>
  readonly routerPorts: Derived<RouterPort>
  readonly routerFacts: Derived<RouterFacts>
  /** Switches with ports that are no routers'. */
  readonly hasOtherPorts: Derived<boolean>

  readonly switchPortByName: Index<SwitchPort>
  readonly switchPortByRouterPort: Index<SwitchPort>
  /** Ports of type router, by switch. */
  readonly routerTypePorts: Index<SwitchPort>
  readonly portsOfType: Index<SwitchPort>
  readonly unknownPorts: Index<SwitchPort>
  readonly routerPortByName: Index<RouterPort>
  readonly portsOfRouter: Index<RouterPort>
  readonly routerPortByPeerName: Index<RouterPort>
  /** By `ROUTER ADDRESS`. */
  readonly routerPortByAddress: Index<RouterPort>

  constructor(
    graph: Graph,
    readonly nb: NorthboundTables,
    readonly sb: SouthboundTables,
  ) {
    this.switchOf = graph.derived('switch of port', 1)
    this.routerOf = graph.derived('router of port', 1)
    this.switches = graph.derived('switch', 1)
    this.routers = graph.derived('router', 1)
    this.dynamicAddresses = addressManagement(graph, nb, this.switches, this.switchOf)
    this.switchPorts = graph.derived('switch port', 4)
    this.routerPorts = graph.derived('router port', 2)
    this.routerFacts = graph.derived('router facts', 3)
    this.hasOtherPorts = graph.derived('switch has other ports', 5)

    this.switchPortByName = this.switchPorts.index('name', (p) => p.name)
    this.switchPortByRouterPort = this.switchPorts.index('router-port', (p) => p.routerPort)
    this.routerTypePorts = this.switchPorts.index('router ports of', (p) =>
      p.type === 'router' ? p.switch : undefined,
    )
    this.portsOfType = this.switchPorts.index('type', (p) => `${p.switch} ${p.type}`)
    this.unknownPorts = this.switchPorts.index('unknown', (p) => (p.unknown ? p.switch : undefined))
    this.routerPortByName = this.routerPorts.index('name', (p) => p.name)
    this.portsOfRouter = this.routerPorts.index('router', (p) => p.router)
    this.routerPortByAddress = this.routerPorts.index('address', (p) =>
      [...p.addresses.v4, ...p.addresses.v6].map((n) => `${p.router} ${n.address}`),
    )
    this.routerPortByPeerName = this.routerPorts.index('peer', (p) => p.row.peer)

    graph.rule('switch', 1, nb.Logical_Switch, (row, out) => {
      out.emit(this.switches, row._uuid, {
        uuid: row._uuid,
        name: row.name,
        config: row.other_config,
        externalIds: row.external_ids,
        copp: row.copp,
        vlanPassthru: row.other_config.get('vlan-passthru') === 'true',
        statelessBalancing: row.other_config.get('enable-stateless-acl-with-lb') === 'true',
      })
    })
    graph.pair(
      'ports of switch',
      1,
      nb.Logical_Switch,
      { members: (row) => row.ports, pick: () => undefined },
      (key, port, _picked, out) => out.emit(this.switchOf, port, key),
    )
    graph.rule('router', 1, nb.Logical_Router, (row, out) => {
      if (row.enabled === false) return
      out.emit(this.routers, row._uuid, {
        uuid: row._uuid,
        name: row.name,
        options: row.options,
        externalIds: row.external_ids,
        copp: row.copp,
        chassis: row.options.get('chassis') || undefined,
      })
    })
    graph.pair(
      'ports of router',
      1,
      nb.Logical_Router,
      { members: (row) => (row.enabled === false ? [] : row.ports), pick: () => undefined },
      (key, port, _picked, out) => out.emit(this.routerOf, port, key),
    )
    graph.rule('switch port', 4, nb.Logical_Switch_Port, (row, out) => {
      const owner = this.switchOf.get(row._uuid)
      if (owner === undefined) return
      out.emit(this.switchPorts, row._uuid, switchPort(row, owner, this.dynamicAddresses.get(row._uuid)))
    })
    graph.rule('router port', 2, nb.Logical_Router_Port, (row, out) => {
      const owner = this.routerOf.get(row._uuid)
      if (owner === undefined) return
      const addresses = routerAddresses(row.mac, row.networks)
      if (!addresses) {
        graph.log.child('northd').warn(`bad 'mac' ${row.mac}`, {
          code: 'bad-mac',
          port: row.name,
          datapath: owner,
          row: row._uuid,
        })
        return
      }
      const gateway = row.gateway_chassis.length > 0 || row.ha_chassis_group !== undefined
      const onGatewayRouter = this.routers.get(owner)?.chassis !== undefined
      out.emit(this.routerPorts, row._uuid, {
        uuid: row._uuid,
        name: row.name,
        quoted: JSON.stringify(row.name),
        router: owner,
        row,
        options: row.options,
        enabled: row.enabled !== false,
        mac: addresses.mac,
        addresses,
        distributedGateway: gateway && !onGatewayRouter,
        redirect: `cr-${row.name}`,
        quotedRedirect: JSON.stringify(`cr-${row.name}`),
      })
    })
    graph.rule('switch has other ports', 5, this.switchPorts, (port, out) => {
      if (port.type !== 'router') out.emit(this.hasOtherPorts, port.switch, true)
    })
    graph.rule('router facts', 3, this.routers, (router, out) => {
      const ports = this.portsOfRouter.get(router.uuid)
      out.emit(this.routerFacts, router.uuid, {
        router,
        gatewayPorts: ports.filter((p) => p.distributedGateway).sort((a, b) => (a.name < b.name ? -1 : 1)),
        isGateway: router.chassis !== undefined,
      })
    })
  }

  /** The router port a switch port of type router is joined to. */
  peerOfSwitchPort(port: SwitchPort): RouterPort | undefined {
    return port.routerPort === undefined ? undefined : this.routerPortByName.first(port.routerPort)
  }

  /** The switch port that names a router port as its peer. */
  switchPeer(port: RouterPort): SwitchPort | undefined {
    return this.switchPortByRouterPort.first(port.name)
  }

  /**
   * Whether a switch port has a chassisredirect port of its own: the switch has no physical network,
   * so its traffic to the router's one distributed gateway port is carried to the port's chassis.
   */
  isRedirected(port: SwitchPort): boolean {
    if (port.type !== 'router') return false
    const peer = this.peerOfSwitchPort(port)
    if (!peer?.distributedGateway) return false
    if (this.portsOfType.get(`${port.switch} localnet`).length > 0) return false
    return this.routerFacts.get(peer.router)?.gatewayPorts.length === 1
  }

  /** The router port joined to another directly. */
  routerPeer(port: RouterPort): RouterPort | undefined {
    return port.row.peer === undefined ? undefined : this.routerPortByName.first(port.row.peer)
  }
}

function switchPort(row: LogicalSwitchPort, owner: string, dynamic: string | undefined): SwitchPort {
  const addresses: PortAddresses[] = []
  let unknown = false
  for (const text of row.addresses) {
    if (text === 'unknown') unknown = true
    else if (text !== 'router' && !text.includes('dynamic')) {
      const a = parseAddresses(text)
      if (a) addresses.push(a)
    } else if (text.includes('dynamic') && dynamic !== undefined) {
      const a = parseAddresses(dynamic)
      if (a) addresses.push(a)
    }
  }
  return {
    uuid: row._uuid,
    name: row.name,
    quoted: JSON.stringify(row.name),
    switch: owner,
    type: row.type,
    row,
    options: row.options,
    enabled: row.enabled !== false,
    up: row.up === true,
    addresses,
    unknown,
    routerPort: row.type === 'router' ? row.options.get('router-port') : undefined,
  }
}
