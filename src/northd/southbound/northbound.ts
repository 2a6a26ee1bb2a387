import type { Context } from '../context.ts'

/** What northd tells the northbound about ports. */
export function northboundStatus(context: Context): void {
  const { graph, topology, portStates, tags, northboundOutputs, sb } = context
  graph.rule('northbound/switch port', 10, topology.switchPorts, (port, out) => {
    const state = portStates.get(port.name)
    const up = port.type === 'router' || (state?.chassis !== undefined && state.up !== false)
    const tag = tags.get(port.uuid)
    out.emit(northboundOutputs.Logical_Switch_Port, port.uuid, {
      up,
      dynamic_addresses: topology.dynamicAddresses.get(port.uuid),
      ...(port.row.tag_request === undefined ? {} : { tag }),
    })
  })
  graph.rule('northbound/router port', 10, topology.routerPorts, (port, out) => {
    const chassis = port.distributedGateway ? portStates.get(port.redirect)?.chassis : undefined
    const name = chassis === undefined ? undefined : sb.Chassis.get(chassis)?.name
    const status = new Map(port.row.status)
    if (name === undefined) status.delete('hosting-chassis')
    else status.set('hosting-chassis', name)
    out.emit(northboundOutputs.Logical_Router_Port, port.uuid, { status })
  })
}
