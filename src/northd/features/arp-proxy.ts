import { formatMac, parseMac } from '../../address/mac.ts'
import type { Context } from '../context.ts'
import * as reg from '../pipeline/registers.ts'
import { lsIn } from '../pipeline/stage.ts'
import { arpSwap } from '../router/port.ts'
import { type Network, network6, parseNetwork } from '../topology/addresses.ts'
import type { SwitchPort } from '../topology/topology.ts'

export interface ArpProxy {
  /** Given before the addresses: not the router port's own. */
  readonly mac: string | undefined
  readonly networks: readonly Network[]
}

/** `[MAC] ADDRESS[/LENGTH]...` (ovn-nb(5), Logical_Switch_Port options:arp_proxy). */
export function arpProxy(port: SwitchPort): ArpProxy | undefined {
  const text = port.options.get('arp_proxy')
  if (text === undefined) return undefined
  const words = text.trim().split(/[\s,]+/)
  const value = parseMac(words[0] ?? '')
  const networks: Network[] = []
  for (const word of value === undefined ? words : words.slice(1)) {
    const n = parseNetwork(word)
    if (n) networks.push(n)
  }
  return { mac: value === undefined ? undefined : formatMac(value), networks }
}

/** A switch that answers ARP requests for whole networks in a router's name. */
export function arpProxies({ graph, topology, flows }: Context): void {
  graph.rule('features/arp-proxy', 10, topology.switchPorts, (port, out) => {
    if (port.type !== 'router') return
    const proxy = arpProxy(port)
    const peer = topology.peerOfSwitchPort(port)
    if (!proxy || !peer) return
    const mac = proxy.mac ?? peer.mac
    const flow = flows.on(out, port.switch, 'features/arp-proxy.ts')
    const fromPorts = `${reg.FROM_ROUTER_PORT} == 0`
    const v4 = proxy.networks.flatMap((n) => (n.family === 4 ? [`${n.network}/${n.length}`] : []))
    if (v4.length)
      flow(lsIn.arp_rsp, 30, `${fromPorts} && arp.op == 1 && arp.tpa == {${v4.join(',')}}`, arpSwap(mac), port.uuid)
    const v6 = proxy.networks.flatMap((n) => (n.family === 6 ? [n] : []))
    if (v6.length) {
      const nets = v6.map((n) => `${n.network}/${n.length}`)
      const groups = v6.flatMap((n) => [
        `${n.network}/${n.length}`,
        `${network6(n.length === 128 ? n.value : (n.value >> BigInt(128 - n.length)) << BigInt(128 - n.length), 128).solicited}/${n.length}`,
      ])
      flow(
        lsIn.arp_rsp,
        30,
        `${fromPorts} && nd_ns && ip6.dst == { ${groups.join(', ')} } && nd.target == { ${nets.join(', ')} }`,
        `nd_na_router { eth.src = ${mac}; ip6.src = nd.target; nd.target = nd.target; nd.tll = ${mac}; outport = inport; flags.loopback = 1; output; };`,
        port.uuid,
      )
    }
  })
}
