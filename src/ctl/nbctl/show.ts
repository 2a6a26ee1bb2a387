import { formatIpv6, linkLocal } from '../../address/ipv6.ts'
import { parseMac } from '../../address/mac.ts'
import type { NB } from '../../schema/index.ts'
import { byName, findRouter, findSwitch, type NbCall, type NbCommand } from './lookup.ts'
import { gatewaysOf } from './router-ports.ts'

const quoted = (texts: readonly string[]): string => texts.map((t) => `"${t}"`).join(', ')

function showSwitch(call: NbCall, sw: NB.LogicalSwitch): void {
  const out = [`switch ${sw._uuid} (${sw.name})${alias(sw.external_ids.get('neutron:network_name'))}\n`]
  const ports = sw.ports.map((p) => call.db.get('Logical_Switch_Port', p)).filter((p) => p !== undefined)
  for (const port of ports.sort(byName)) {
    out.push(`    port ${port.name}${alias(port.external_ids.get('neutron:port_name'))}\n`)
    if (port.parent_name !== undefined) out.push(`        parent: ${port.parent_name}\n`)
    if (port.tag !== undefined) out.push(`        tag: ${port.tag}\n`)
    if (port.type) out.push(`        type: ${port.type}\n`)
    if (port.addresses.length && !(port.type === 'router' && port.addresses.join() === 'router')) {
      out.push(`        addresses: [${quoted(port.addresses)}]\n`)
    }
    const router = port.options.get('router-port')
    if (port.type === 'router' && router !== undefined) out.push(`        router-port: ${router}\n`)
    if (port.peer !== undefined) out.push(`        peer: ${port.peer}\n`)
  }
  call.print(out.join(''))
}

const alias = (name: string | undefined): string => (name === undefined ? '' : ` (aka ${name})`)

function showRouter(call: NbCall, router: NB.LogicalRouter): void {
  const out = [`router ${router._uuid} (${router.name})${alias(router.external_ids.get('neutron:router_name'))}\n`]
  const ports = router.ports.map((p) => call.db.get('Logical_Router_Port', p)).filter((p) => p !== undefined)
  for (const port of ports.sort(byName)) {
    out.push(`    port ${port.name}\n`)
    if (port.mac) {
      out.push(`        mac: "${port.mac}"\n`)
      const mac = parseMac(port.mac)
      if (mac !== undefined) out.push(`        ipv6-lla: "${formatIpv6(linkLocal(mac))}"\n`)
    }
    if (port.networks.length) out.push(`        networks: [${quoted(port.networks)}]\n`)
    const gateways = gatewaysOf(call, port).sort(byName)
    if (gateways.length) out.push(`        gateway chassis: [${gateways.map((g) => g.chassis_name).join(' ')}]\n`)
  }
  for (const nat of natsOf(call, router)) {
    out.push(`    nat ${nat._uuid}\n        external ip: "${nat.external_ip}"\n`)
    if (nat.external_port_range) out.push(`        external port(s): "${nat.external_port_range}"\n`)
    out.push(`        logical ip: "${nat.logical_ip}"\n        type: "${nat.type}"\n`)
  }
  call.print(out.join(''))
}

/** In the order of what they say, since they have no name. */
function natsOf(call: NbCall, router: NB.LogicalRouter): NB.NAT[] {
  const key = (n: NB.NAT) => `${n.external_ip} ${n.logical_ip} ${n.type}`
  const nats = router.nat.map((n) => call.db.get('NAT', n)).filter((n) => n !== undefined)
  return nats.sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

function show(call: NbCall): void {
  const [name] = call.args
  if (name === undefined) {
    for (const sw of [...call.db.rows('Logical_Switch')].sort(byName)) showSwitch(call, sw)
    for (const router of [...call.db.rows('Logical_Router')].sort(byName)) showRouter(call, router)
    return
  }
  const sw = findSwitch(call, name)
  if (sw) showSwitch(call, sw)
  const router = findRouter(call, name)
  if (router) showRouter(call, router)
}

export const showCommand: NbCommand = {
  name: 'show',
  args: [0, 1],
  usage: '[SWITCH | ROUTER]',
  access: 'ro',
  tables: [
    ...(['Logical_Switch', 'Logical_Switch_Port', 'Logical_Router', 'Logical_Router_Port'] as const),
    ...(['Gateway_Chassis', 'NAT'] as const),
  ],
  run: show,
}
