import { formatIpv4, ipv4Mask } from '../../address/ipv4.ts'
import { formatIpv6, linkLocal } from '../../address/ipv6.ts'
import { formatMac, parseMac } from '../../address/mac.ts'
import { contains, parsePrefix } from '../../address/prefix.ts'
import type { DHCPOptions } from '../../schema/northbound.ts'
import type { Context } from '../context.ts'
import type { AddFlow, FlowOptions } from '../pipeline/flow.ts'
import * as reg from '../pipeline/registers.ts'
import { lsIn, lsOut } from '../pipeline/stage.ts'
import type { PortAddresses } from '../topology/addresses.ts'
import type { SwitchPort } from '../topology/topology.ts'

/** Native DHCP of switch ports (ovn-northd(8), DHCP option processing and responses). */
export function dhcp(context: Context): void {
  const { graph, nb, topology, flows, meters } = context
  graph.rule('features/dhcp', 10, topology.switchPorts, (port, out) => {
    if (port.type === 'router' || port.type === 'localnet') return
    if (!port.enabled) return
    const { dhcpv4_options: v4, dhcpv6_options: v6 } = port.row
    if (v4 === undefined && v6 === undefined) return
    const flow = flows.on(out, port.switch, 'features/dhcp.ts')
    const ls = topology.switches.get(port.switch)
    const external = port.type === 'external'
    // A port outside is served through the switch's physical network, by the chassis that stands for it.
    const doors = external ? topology.portsOfType.get(`${port.switch} localnet`) : [port]
    if (external && port.row.ha_chassis_group === undefined && !port.options.get('requested-chassis')) return
    for (const door of doors) {
      const options4 = v4 === undefined ? undefined : nb.DHCP_Options.get(v4)
      const options6 = v6 === undefined ? undefined : nb.DHCP_Options.get(v6)
      for (const a of port.addresses) {
        const meter = (family: 4 | 6) => meters.of(ls?.copp, `dhcpv${family}-opts`)
        if (options4) dhcpv4(context, flow, port, door, a, options4, meter(4))
        if (options6) dhcpv6(context, flow, port, door, a, options6, meter(6))
      }
    }
  })
}

function sorted(options: ReadonlyMap<string, string>, without: readonly string[]): string[] {
  return [...options.entries()]
    .filter(([name]) => !without.includes(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name} = ${value}`)
}

function here(port: SwitchPort): string {
  return port.type === 'external' ? ` && is_chassis_resident(${port.quoted})` : ''
}

function dhcpv4(
  context: Context,
  flow: AddFlow,
  port: SwitchPort,
  door: SwitchPort,
  a: PortAddresses,
  row: DHCPOptions,
  meter: string | undefined,
): void {
  const cidr = parsePrefix(row.cidr)
  if (cidr?.family !== 4) return
  const ip = a.v4.find((n) => contains(cidr, n.value))
  if (!ip) return
  const server = row.options.get('server_id')
  const mac = row.options.get('server_mac')
  if (!server || !mac || !row.options.get('lease_time')) {
    context.log.child('northd').warn(`Required DHCPv4 options not defined for lport - "${port.name}"`, {
      code: 'bad-dhcp',
      port: port.name,
      datapath: port.switch,
      row: row._uuid,
    })
    return
  }
  const options = new Map(row.options)
  const hostname = port.options.get('hostname')
  if (hostname) options.set('hostname', hostname)
  options.set('netmask', formatIpv4(ipv4Mask(cidr.length)))
  const list = [`offerip = ${ip.address}`, ...sorted(options, ['server_mac'])].join(', ')
  const hint: FlowOptions = { hint: row._uuid, port: door.name }
  const from = `inport == ${door.quoted} && eth.src == ${a.mac}`
  flow(
    lsIn.dhcp_options,
    100,
    `${from} && (ip4.src == {${ip.address}, 0.0.0.0} && ip4.dst == {${server}, 255.255.255.255}) && udp.src == 68 && udp.dst == 67${here(port)}`,
    `${reg.DHCP_OPTS_RESULT} = put_dhcp_opts(${list}); next;`,
    { ...hint, meter },
  )
  flow(
    lsIn.dhcp_response,
    100,
    `${from} && ip4 && udp.src == 68 && udp.dst == 67 && ${reg.DHCP_OPTS_RESULT}${here(port)}`,
    `eth.dst = eth.src; eth.src = ${mac}; ip4.src = ${server}; udp.src = 67; udp.dst = 68; outport = inport; flags.loopback = 1; output;`,
    hint,
  )
  if (port.type === 'external') return
  flow(
    lsOut.acl_eval,
    34000,
    `outport == ${port.quoted} && eth.src == ${mac} && ip4.src == ${server} && udp && udp.src == 67 && udp.dst == 68`,
    `${reg.ACL_VERDICT_ALLOW} = 1; next;`,
    hint,
  )
}

function dhcpv6(
  context: Context,
  flow: AddFlow,
  port: SwitchPort,
  door: SwitchPort,
  a: PortAddresses,
  row: DHCPOptions,
  meter: string | undefined,
): void {
  const cidr = parsePrefix(row.cidr)
  if (cidr?.family !== 6) return
  const ip = a.v6.find((n) => contains(cidr, n.value))
  if (!ip) return
  const server = row.options.get('server_id')
  const mac = server === undefined ? undefined : parseMac(server)
  if (!server || mac === undefined) {
    context.log.child('northd').warn(`server_id not present in the DHCPv6 options for lport "${port.name}"`, {
      code: 'bad-dhcpv6',
      port: port.name,
      datapath: port.switch,
      row: row._uuid,
    })
    return
  }
  const stateless = row.options.get('dhcpv6_stateless') === 'true'
  const list = [...(stateless ? [] : [`ia_addr = ${ip.address}`]), ...sorted(row.options, ['dhcpv6_stateless'])].join(
    ', ',
  )
  const hint: FlowOptions = { hint: row._uuid, port: door.name }
  const request = `inport == ${door.quoted} && eth.src == ${a.mac} && ip6.mcast && ip6.dst == ff02::1:2 && udp.src == 546 && udp.dst == 547`
  const source = formatIpv6(linkLocal(mac))
  flow(lsIn.dhcp_options, 100, `${request}${here(port)}`, `${reg.DHCP_OPTS_RESULT} = put_dhcpv6_opts(${list}); next;`, {
    ...hint,
    meter,
  })
  flow(
    lsIn.dhcp_response,
    100,
    `${request} && ${reg.DHCP_OPTS_RESULT}${here(port)}`,
    `eth.dst = eth.src; eth.src = ${formatMac(mac)}; ip6.dst = ip6.src; ip6.src = ${source}; udp.src = 547; udp.dst = 546; outport = inport; flags.loopback = 1; output;`,
    hint,
  )
  if (port.type === 'external') return
  flow(
    lsOut.acl_eval,
    34000,
    `outport == ${port.quoted} && eth.src == ${formatMac(mac)} && ip6.src == ${source} && udp && udp.src == 547 && udp.dst == 546`,
    `${reg.ACL_VERDICT_ALLOW} = 1; next;`,
    hint,
  )
}
