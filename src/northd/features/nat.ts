import { formatMac, parseMac } from '../../address/mac.ts'
import { parsePrefix } from '../../address/prefix.ts'
import type { Derived, Graph, Index } from '../../reactive/index.ts'
import type { NAT } from '../../schema/northbound.ts'
import { hashOrder } from '../pipeline/hash-order.ts'
import { inNetwork } from '../topology/addresses.ts'
import type { NorthboundTables } from '../topology/tables.ts'
import type { RouterFacts, RouterPort, Topology } from '../topology/topology.ts'

/** A NAT rule that can be acted on. */
export interface Nat {
  readonly uuid: string
  readonly router: string
  readonly row: NAT
  readonly type: NAT['type']
  readonly family: 4 | 6
  readonly externalIp: string
  readonly externalMac: string | undefined
  /** The address or network behind. */
  readonly logicalIp: string
  /** The prefix length of `logicalIp`. */
  readonly logicalLength: number
  readonly quotedLogicalPort: string | undefined
  /** Handled on the chassis of its logical port, with a MAC address of its own. */
  readonly distributed: boolean
  /** Distributed, and not all traffic for the gateway port is carried to one chassis anyway. */
  readonly local: boolean
  readonly stateless: boolean
  /** The distributed gateway port it belongs to, on a distributed router. */
  readonly gatewayPort: RouterPort | undefined
  readonly onGatewayRouter: boolean
  /** Not left over: among several gateway ports its own is known. */
  readonly placed: boolean
}

/** A distributed NAT rule: its MAC address and port are given. */
export interface DistributedNat extends Nat {
  readonly externalMac: string
  readonly quotedLogicalPort: string
}

export interface NatRelations {
  readonly nats: Derived<Nat>
  of(router: string): readonly Nat[]
  distributed(router: string): readonly DistributedNat[]
  /** The external MAC addresses of a router's distributed rules, in the order flows list them. */
  externalMacs(router: string): readonly string[]
  /** Whether an address of a port is what load-balanced traffic of a gateway router is forced to have. */
  forcedSnatIp(port: RouterPort, ip: string): 'named' | 'router' | undefined
  /** Whether an address of the router is what SNAT gives packets. */
  snatIp(router: string, ip: string): boolean
}

export function natRelations(graph: Graph, nb: NorthboundTables, topology: Topology): NatRelations {
  const owner = graph.derived<string>('router of nat', 1)
  const nats = graph.derived<Nat>('nat', 5)
  graph.pair(
    'nats of router',
    1,
    nb.Logical_Router,
    { members: (row) => (row.enabled === false ? [] : row.nat), pick: () => undefined },
    (key, nat, _picked, out) => out.emit(owner, nat, key),
  )
  graph.rule('nat', 5, nb.NAT, (row, out) => {
    const router = owner.get(row._uuid)
    const facts = router === undefined ? undefined : topology.routerFacts.get(router)
    if (!facts) return
    const external = parsePrefix(row.external_ip)
    if (!external || row.external_ip.includes('/')) {
      graph.log
        .child('en_lr_nat')
        .warn(`Failed to extract ip address ${row.external_ip} in nat configuration for router ${facts.router.name}`, {
          code: 'bad-nat',
          nat: row._uuid,
          datapath: facts.router.uuid,
        })
      return
    }
    const logical = logicalPrefix(row.logical_ip)
    if (!logical || logical.family !== external.family) {
      graph.log
        .child('en_lr_nat')
        .warn(`bad ip network or ip ${row.logical_ip} for ${row.type} in router ${facts.router.uuid}`, {
          code: 'bad-nat-network',
          nat: row._uuid,
          datapath: facts.router.uuid,
        })
      return
    }
    const mac = row.external_mac === undefined ? undefined : parseMac(row.external_mac)
    const gatewayPort = facts.isGateway ? undefined : gatewayOf(row, facts, topology)
    const distributed =
      row.type === 'dnat_and_snat' && row.logical_port !== undefined && mac !== undefined && gatewayPort !== undefined
    out.emit(nats, row._uuid, {
      uuid: row._uuid,
      router: facts.router.uuid,
      row,
      type: row.type,
      family: external.family,
      externalIp: row.external_ip,
      externalMac: mac === undefined ? undefined : formatMac(mac),
      logicalIp: row.logical_ip,
      logicalLength: logical.length,
      quotedLogicalPort: row.logical_port === undefined ? undefined : JSON.stringify(row.logical_port),
      distributed,
      local: distributed && !carried(topology, gatewayPort),
      stateless: row.type === 'dnat_and_snat' && row.options.get('stateless') === 'true',
      gatewayPort,
      onGatewayRouter: facts.isGateway,
      placed: gatewayPort !== undefined || (facts.gatewayPorts.length === 0 && row.gateway_port === undefined),
    })
  })
  const byRouter: Index<Nat> = nats.index('router', (n) => n.router)
  const distributedOf: Index<Nat> = nats.index('distributed', (n) => (n.distributed ? n.router : undefined))
  const external: Index<Nat> = nats.index('external mac', (n) =>
    n.placed && n.type === 'dnat_and_snat' && n.externalMac !== undefined ? n.router : undefined,
  )
  const snatIps: Index<Nat> = nats.index('snat ip', (n) =>
    n.placed && n.type === 'snat' ? `${n.router} ${n.externalIp}` : undefined,
  )
  return {
    nats,
    of: (router) => byRouter.get(router),
    distributed: (router) => distributedOf.get(router) as readonly DistributedNat[],
    externalMacs: (router) => hashOrder([...new Set(external.get(router).map((n) => n.externalMac as string))]),
    forcedSnatIp: (port, ip) => {
      const facts = topology.routerFacts.get(port.router)
      if (!facts) return undefined
      const { options } = facts.router
      const force = options.get('lb_force_snat_ip')
      const named = [force, options.get('dnat_force_snat_ip')].some((text) => text?.split(/[\s,]+/).includes(ip))
      return named ? 'named' : force === 'router_ip' && facts.isGateway ? 'router' : undefined
    },
    snatIp: (router, ip) => snatIps.get(`${router} ${ip}`).length > 0,
  }
}

function carried(topology: Topology, port: RouterPort | undefined): boolean {
  const peer = port && topology.switchPeer(port)
  return peer !== undefined && topology.isRedirected(peer)
}

/** `10.0.0.0/24`, `10.0.0.5`. */
function logicalPrefix(text: string): { family: 4 | 6; length: number } | undefined {
  const p = parsePrefix(text)
  return p && { family: p.family, length: p.length }
}

/** The gateway port a rule names, the only one there is, or the one on the external address's network. */
function gatewayOf(row: NAT, facts: RouterFacts, topology: Topology): RouterPort | undefined {
  if (row.gateway_port !== undefined) {
    const port = topology.routerPorts.get(row.gateway_port)
    return port?.distributedGateway && port.router === facts.router.uuid ? port : undefined
  }
  if (facts.gatewayPorts.length <= 1) return facts.gatewayPorts[0]
  const external = parsePrefix(row.external_ip)
  if (!external) return undefined
  return facts.gatewayPorts.find((p) =>
    [...p.addresses.v4, ...p.addresses.v6].some((n) => inNetwork(n, external.address)),
  )
}
