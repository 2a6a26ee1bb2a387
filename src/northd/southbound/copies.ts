import type { Context } from '../context.ts'

/** Tables that the southbound has as the northbound gives them. */
export function copies({ graph, nb, topology, outputs }: Context): void {
  graph.rule('southbound/static mac binding', 10, nb.Static_MAC_Binding, (row, out) => {
    const port = topology.routerPortByName.first(row.logical_port)
    if (!port) return
    out.emit(outputs.Static_MAC_Binding, `${row.logical_port} ${row.ip}`, {
      logical_port: row.logical_port,
      ip: row.ip,
      mac: row.mac,
      override_dynamic_mac: row.override_dynamic_mac,
      datapath: port.router,
    })
  })
  graph.rule('southbound/chassis template', 10, nb.Chassis_Template_Var, (row, out) =>
    out.emit(outputs.Chassis_Template_Var, row.chassis, { chassis: row.chassis, variables: row.variables }),
  )
  graph.rule('southbound/mirror', 10, nb.Mirror, (row, out) => {
    if (row.type === 'lport') return
    out.emit(outputs.Mirror, row.name, {
      name: row.name,
      filter: row.filter,
      sink: row.sink,
      type: row.type,
      index: row.index,
      external_ids: row.external_ids,
    })
  })
}
