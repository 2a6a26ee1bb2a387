import type { Derived, Graph, Index, Request } from '../../reactive/index.ts'
import type { BFD } from '../../schema/northbound.ts'
import type { Context } from '../context.ts'
import type { AddFlow } from '../pipeline/flow.ts'
import { lrIn } from '../pipeline/stage.ts'
import { setOf } from '../topology/addresses.ts'
import type { NorthboundTables, SouthboundTables } from '../topology/tables.ts'
import type { RouterPort } from '../topology/topology.ts'

/** BFD sessions by what makes them one: the port and the other end. */
export function sessionKey(row: { readonly logical_port: string; readonly dst_ip: string }): string {
  return `${row.logical_port} ${row.dst_ip}`
}

export interface BfdRelations {
  /** Sessions that a route or policy depends on, by northbound uuid. */
  readonly used: Derived<boolean>
  readonly byPort: Index<BFD>
  readonly sourcePorts: Derived<number>
}

export function bfdRelations(graph: Graph, nb: NorthboundTables, sb: SouthboundTables): BfdRelations {
  const used = graph.derived<boolean>('bfd in use', 1)
  graph.rule('bfd of route', 1, nb.Logical_Router_Static_Route, (row, out) => {
    if (row.bfd !== undefined) out.emit(used, row.bfd, true)
  })
  graph.rule('bfd of policy', 1, nb.Logical_Router_Policy, (row, out) => {
    for (const uuid of row.bfd_sessions) out.emit(used, uuid, true)
  })
  const requests = graph.derived<Request>('bfd port request', 1)
  graph.rule('bfd port request', 1, nb.BFD, (row, out) => out.emit(requests, sessionKey(row), { space: 'bfd' }))
  return {
    used,
    byPort: nb.BFD.index('port', (b) => b.logical_port),
    // RFC 5881 §4: a source port of the dynamic range for each session.
    sourcePorts: graph.allocate('bfd port', 2, requests, {
      first: 49152,
      last: 65535,
      pick: 'least',
      previous: (key) => {
        for (const row of sb.BFD.contents.values()) if (sessionKey(row) === key) return row.src_port
        return undefined
      },
    }),
  }
}

/** Whether a session's state lets routes through. */
export function sessionUp(nb: NorthboundTables, sb: SouthboundTables, uuid: string): boolean {
  const row = nb.BFD.get(uuid)
  if (!row) return true
  const state = sb.BFD.index('session', sessionKey).first(sessionKey(row))
  return state?.status === 'up'
}

/** `BFD` rows of both databases, and the flows by which a router takes part (RFC 5880, RFC 5881). */
export function bfd(context: Context): void {
  const { graph, nb, sb, topology, flows, outputs, northboundOutputs, bfd: relations } = context
  const sessions = sb.BFD.index('session', sessionKey)
  graph.rule('southbound/bfd', 10, nb.BFD, (row, out, uuid) => {
    const key = sessionKey(row)
    const port = relations.sourcePorts.get(key)
    if (port === undefined || !topology.routerPortByName.first(row.logical_port)) return
    const used = relations.used.get(uuid) === true
    const now = sessions.first(key)?.status ?? 'admin_down'
    const status = used ? (now === 'admin_down' ? 'down' : now) : 'admin_down'
    out.emit(outputs.BFD, key, {
      logical_port: row.logical_port,
      dst_ip: row.dst_ip,
      src_port: port,
      min_tx: row.min_tx ?? 1000,
      min_rx: row.min_rx ?? 1000,
      detect_mult: row.detect_mult ?? 5,
      status,
      options: row.options,
      external_ids: row.external_ids,
    })
    out.emit(northboundOutputs.BFD, uuid, { status })
  })
  graph.rule('features/bfd', 10, topology.routerPorts, (port, out) => {
    if (!relations.byPort.get(port.name).length) return
    const copp = topology.routers.get(port.router)?.copp
    receive(flows.on(out, port.router, 'features/bfd.ts'), port, context.meters.of(copp, 'bfd'))
  })
}

function receive(flow: AddFlow, port: RouterPort, meter: string | undefined): void {
  for (const family of [4, 6] as const) {
    const own = (family === 4 ? port.addresses.v4 : port.addresses.v6).map((n) => n.address)
    if (!own.length) continue
    const options = { hint: port.uuid }
    const ip = `ip${family}`
    flow(lrIn.ip_input, 110, `${ip}.src == ${setOf(own)} && udp.dst == 3784`, 'next; ', options)
    flow(lrIn.ip_input, 110, `${ip}.dst == ${setOf(own)} && udp.dst == 3784`, 'handle_bfd_msg(); ', {
      ...options,
      meter,
    })
  }
}
