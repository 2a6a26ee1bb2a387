import type { Context } from '../context.ts'
import { hashOrder } from '../pipeline/hash-order.ts'
import { parseAddresses } from '../topology/addresses.ts'
import type { RouterFacts, RouterPort, SwitchPort } from '../topology/topology.ts'

/**
 * `Port_Binding.nat_addresses` of a port of type router: the addresses that the chassis of the
 * router's gateway announces on the switch (ovn-nb(5), Logical_Switch_Port options:nat-addresses).
 */
export function natAddresses(context: Context, port: SwitchPort, peer: RouterPort): string[] {
  const { topology } = context
  const facts = topology.routerFacts.get(peer.router)
  if (!facts) return []
  const out: string[] = []
  const asked = port.options.get('nat-addresses')
  if (asked === 'router') {
    if (facts.isGateway || facts.gatewayPorts.length) out.push(...ofRouter(context, port, peer))
  } else if (asked && facts.isGateway) {
    const given = parseAddresses(asked)
    if (given && (given.v4.length || given.v6.length)) out.push(asked)
  }
  const silent = port.options.get('exclude-router-ips-from-garp') === 'true'
  const own = silent ? undefined : ownAddresses(context, port, peer, facts)
  if (own) out.push(own)
  return [...new Set(out)].sort()
}

/** Where a router's gateway is, in the form the controllers take. */
function resident(quoted: string): string {
  return ` is_chassis_resident(${quoted})`
}

/** NAT and load balancer addresses: all that one MAC address answers for in one entry. */
function ofRouter(context: Context, port: SwitchPort, peer: RouterPort): string[] {
  const out: string[] = []
  const central: string[] = []
  const own = new Set([...peer.addresses.v4, ...peer.addresses.v6].map((n) => n.address))
  // With one gateway port alone, its rules are announced on all switches that ask.
  const several = (context.topology.routerFacts.get(peer.router)?.gatewayPorts.length ?? 0) > 1
  for (const n of context.nat.of(peer.router)) {
    if (several && n.gatewayPort?.uuid !== peer.uuid) continue
    if (n.family === 6) continue
    if (n.distributed) {
      out.push(`${n.externalMac} ${n.externalIp}${resident(n.quotedLogicalPort as string)}`)
      continue
    }
    if (n.type === 'snat' && own.has(n.externalIp)) continue
    if (!own.has(n.externalIp)) central.push(n.externalIp)
  }
  const withVips = port.options.get('exclude-lb-vips-from-garp') !== 'true'
  const v4: string[] = []
  const v6: string[] = []
  if (withVips)
    for (const vip of context.lb.routerVips(peer.router)) {
      const list = vip.family === 4 ? v4 : v6
      if (!list.includes(vip.address)) list.push(vip.address)
    }
  const all = [...central, ...hashOrder(v4), ...hashOrder(v6)]
  if (!all.length) return out
  const place = peer.distributedGateway ? resident(peer.quotedRedirect) : ''
  out.push(`${peer.mac} ${all.join(' ')}${place}`)
  return out
}

/** The router port's own IPv4 addresses, where they are in one place. */
function ownAddresses(context: Context, port: SwitchPort, peer: RouterPort, facts: RouterFacts): string | undefined {
  const gateway = facts.gatewayPorts.length === 1 ? facts.gatewayPorts[0] : undefined
  const reside = peer.options.get('reside-on-redirect-chassis') === 'true' && gateway !== undefined
  const localnet = context.topology.portsOfType.get(`${port.switch} localnet`).length > 0
  if (!peer.distributedGateway && !reside && !(facts.isGateway && localnet)) return undefined
  const ips = peer.addresses.v4.map((n) => n.address)
  const place = facts.isGateway
    ? ''
    : resident(peer.distributedGateway ? peer.quotedRedirect : (gateway?.quotedRedirect ?? '""'))
  return `${[peer.mac, ...ips].join(' ')}${place}`
}
