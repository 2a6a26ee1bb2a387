import type { Context } from '../context.ts'
import * as reg from '../pipeline/registers.ts'
import { lrIn } from '../pipeline/stage.ts'
import { isLinkLocal } from '../topology/addresses.ts'
import type { RouterPort } from '../topology/topology.ts'

const MODES = ['slaac', 'dhcpv6_stateful', 'dhcpv6_stateless']

function prefixes(port: RouterPort): string[] {
  return port.addresses.v6.filter((n) => !isLinkLocal(n)).map((n) => n.prefix)
}

function linkLocalAddress(port: RouterPort): string | undefined {
  return port.addresses.v6.find(isLinkLocal)?.address
}

/** A preference of RFC 4191 §2.2 other than the default. */
function preference(port: RouterPort): string | undefined {
  const value = port.row.ipv6_ra_configs.get('router_preference')
  return value === 'HIGH' || value === 'LOW' ? value : undefined
}

/** Router advertisements in answer to solicitations (ovn-nb(5), Logical_Router_Port ipv6_ra_configs). */
export function routerAdvertisements({ graph, topology, flows, meters }: Context): void {
  graph.rule('features/router-advertisement', 10, topology.routerPorts, (port, out) => {
    const config = port.row.ipv6_ra_configs
    const mode = config.get('address_mode')
    // Only a switch has hosts that solicit.
    if (mode === undefined || !port.enabled || !topology.switchPeer(port)) return
    if (!port.addresses.v6.some((n) => !isLinkLocal(n))) return
    if (!MODES.includes(mode)) {
      graph.log.warn(`Invalid address mode [${mode}] defined`, {
        code: 'bad-ra',
        port: port.name,
        datapath: port.router,
        row: port.uuid,
      })
      return
    }
    const flow = flows.on(out, port.router, 'features/router-advertisement.ts')
    const parts = [`addr_mode = "${mode}"`, `slla = ${port.mac}`]
    const mtu = Number(config.get('mtu') ?? '0')
    if (mtu >= 1280) parts.push(`mtu = ${mtu}`)
    const prf = preference(port)
    if (prf) parts.push(`router_preference = "${prf}"`)
    const rdnss = config.get('rdnss')
    if (rdnss) parts.push(`rdnss = ${rdnss}`)
    const dnssl = config.get('dnssl')
    if (dnssl) parts.push(`dnssl = "${dnssl}"`)
    const routes = config.get('route_info')
    if (routes) parts.push(`route_info = "${routes}"`)
    for (const prefix of prefixes(port)) parts.push(`prefix = ${prefix}`)
    const copp = topology.routers.get(port.router)?.copp
    flow(
      lrIn.nd_ra_options,
      50,
      `inport == ${port.quoted} && ip6.dst == ff02::2 && nd_rs`,
      `${reg.ND_RA_OPTS_RESULT} = put_nd_ra_opts(${parts.join(', ')}); next;`,
      { hint: port.uuid, meter: meters.of(copp, 'nd-ra-opts') },
    )
    flow(
      lrIn.nd_ra_response,
      50,
      `inport == ${port.quoted} && ip6.dst == ff02::2 && nd_ra && ${reg.ND_RA_OPTS_RESULT}`,
      `eth.dst = eth.src; eth.src = ${port.mac}; ip6.dst = ip6.src; ip6.src = ${linkLocalAddress(port)}; outport = inport; flags.loopback = 1; output;`,
      port.uuid,
    )
  })
}

/** What the controllers need for advertisements they send by themselves: options of the port's binding. */
export function raOptions({ topology }: Context, port: RouterPort): [string, string][] {
  const out: [string, string][] = []
  const { options } = port
  if (port.row.peer !== undefined) return out
  if (options.get('prefix_delegation') === 'true') out.push(['ipv6_prefix_delegation', 'true'])
  if (options.get('prefix') === 'true') out.push(['ipv6_prefix', 'true'])
  const config = port.row.ipv6_ra_configs
  const mode = config.get('address_mode')
  if (mode === undefined || config.get('send_periodic') !== 'true') return out
  if (!topology.switchPeer(port)) return out
  const clamp = (text: string | undefined, otherwise: number, low: number, high: number) => {
    const value = Number(text ?? otherwise)
    return Number.isInteger(value) ? Math.min(Math.max(value, low), high) : otherwise
  }
  // RFC 4861 §6.2.1
  const max = clamp(config.get('max_interval'), 600, 4, 1800)
  const highest = Math.floor(max * 0.75)
  const min = clamp(config.get('min_interval'), max >= 9 ? Math.floor(max / 3) : highest, 3, highest)
  out.push(['ipv6_ra_send_periodic', 'true'])
  out.push(['ipv6_ra_address_mode', mode])
  out.push(['ipv6_ra_max_interval', String(max)])
  out.push(['ipv6_ra_min_interval', String(min)])
  const mtu = config.get('mtu')
  if (mtu && Number(mtu) >= 1280) out.push(['ipv6_ra_mtu', mtu])
  out.push(['ipv6_ra_prefixes', prefixes(port).join(' ')])
  const rdnss = config.get('rdnss')
  if (rdnss) out.push(['ipv6_ra_rdnss', rdnss])
  const dnssl = config.get('dnssl')
  if (dnssl) out.push(['ipv6_ra_dnssl', dnssl])
  out.push(['ipv6_ra_src_eth', port.mac])
  out.push(['ipv6_ra_prf', preference(port) ?? 'MEDIUM'])
  const routes = config.get('route_info')
  if (routes) out.push(['ipv6_ra_route_info', routes])
  const source = linkLocalAddress(port)
  if (source) out.push(['ipv6_ra_src_addr', source])
  return out
}
