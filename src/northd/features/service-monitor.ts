import type { Context } from '../context.ts'
import { globalOption } from '../context.ts'
import { lsIn } from '../pipeline/stage.ts'
import { arpReply, naReply } from '../switch/port.ts'
import { type Balancer, parseEndpoint } from './load-balancer.ts'

/** Where probes of a backend come from: `PORT:SOURCE-IP` in `Load_Balancer.ip_port_mappings`. */
interface Mapping {
  readonly port: string
  readonly source: { readonly family: 4 | 6; readonly address: string }
}

function mapping(lb: Balancer, backend: string): Mapping | undefined {
  const text = lb.row.ip_port_mappings.get(backend) ?? lb.row.ip_port_mappings.get(`[${backend}]`)
  const colon = text?.indexOf(':') ?? -1
  if (text === undefined || colon < 0) return undefined
  const source = parseEndpoint(text.slice(colon + 1))
  return source && { port: text.slice(0, colon), source }
}

/** `Service_Monitor`: what the controllers shall probe for load balancers' health checks. */
export function serviceMonitors(context: Context): void {
  const { graph, nb, sb, topology, flows, outputs, lb, portStates, identity } = context
  const mac = () => globalOption(context, 'svc_monitor_mac') ?? identity.serviceMac
  graph.rule('southbound/service monitor', 10, lb.attachments, (attachment, out) => {
    const balancer = lb.balancers.get(attachment.balancer)
    if (!balancer) return
    for (const uuid of balancer.row.health_check) {
      const check = nb.Load_Balancer_Health_Check.get(uuid)
      const vip = check && balancer.vips.find((v) => v.key === check.vip)
      if (!check || !vip) continue
      for (const b of vip.backends) {
        const to = mapping(balancer, b.address)
        const port = to && topology.switchPortByName.first(to.port)
        if (!to || !port) continue
        const chassis = portStates.get(port.name)?.chassis
        const number = b.port ?? 0
        out.emit(outputs.Service_Monitor, `${b.address} ${number} ${balancer.protocol} ${port.name}`, {
          type: 'load-balancer',
          ip: b.address,
          port: number,
          protocol: balancer.protocol,
          logical_port: port.name,
          src_ip: to.source.address,
          src_mac: mac(),
          chassis_name: (chassis === undefined ? undefined : sb.Chassis.get(chassis)?.name) ?? '',
          options: check.options,
        })
        const flow = flows.on(out, port.switch, 'features/service-monitor.ts')
        const { family, address } = to.source
        // Whoever is probed asks for the prober's address: it is answered everywhere.
        if (family === 4)
          flow(lsIn.arp_rsp, 110, `arp.tpa == ${address} && arp.op == 1`, arpReply(mac(), address), balancer.uuid)
        else
          flow(lsIn.arp_rsp, 110, `nd_ns && nd.target == ${address}`, naReply('nd_na', mac(), address), balancer.uuid)
      }
    }
  })
}
