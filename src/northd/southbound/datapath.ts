import type { Fields } from '../../base/log.ts'
import type { Derived, Graph, Request } from '../../reactive/index.ts'
import type { Context } from '../context.ts'
import type { Topology } from '../topology/topology.ts'

/** The most a tunnel key can be, where VXLAN is in use and where it is not. */
export const MAX_DATAPATH_KEY = 16711680
export const MAX_PORT_KEY = 32767

function wanted(options: ReadonlyMap<string, string>): number | undefined {
  const text = options.get('requested-tnl-key')
  const value = text === undefined ? 0 : Number(text)
  return Number.isInteger(value) && value > 0 ? value : undefined
}

/** What the southbound remembers of keys given out before this process began. */
export interface KeyMemory {
  datapath(uuid: string): number | undefined
  port(name: string): number | undefined
}

/** Tunnel keys of datapaths (by northbound uuid) and of ports (by logical port). */
export function tunnelKeys(
  graph: Graph,
  topology: Topology,
  memory: KeyMemory,
): { datapathKeys: Derived<number>; portKeys: Derived<number> } {
  const datapaths = graph.derived<Request>('datapath key request', 3)
  const ports = graph.derived<Request>('port key request', 6)
  graph.rule('datapath key of switch', 3, topology.switches, (ls, out) =>
    out.emit(datapaths, ls.uuid, { space: 'datapath', wanted: wanted(ls.config) }),
  )
  graph.rule('datapath key of router', 3, topology.routers, (lr, out) =>
    out.emit(datapaths, lr.uuid, { space: 'datapath', wanted: wanted(lr.options) }),
  )
  graph.rule('key of switch port', 6, topology.switchPorts, (p, out) => {
    out.emit(ports, p.name, { space: p.switch, wanted: wanted(p.options) })
    if (topology.isRedirected(p)) out.emit(ports, `cr-${p.name}`, { space: p.switch, late: true })
  })
  graph.rule('key of router port', 6, topology.routerPorts, (p, out) => {
    out.emit(ports, p.name, { space: p.router, wanted: wanted(p.options) })
    if (p.distributedGateway) out.emit(ports, p.redirect, { space: p.router, late: true })
  })
  const full = (what: string, about: Fields) =>
    graph.log.warn(`all ${what} tunnel ids exhausted`, { code: 'no-tunnel-key', ...about })
  return {
    datapathKeys: graph.allocate('datapath key', 4, datapaths, {
      first: 1,
      last: MAX_DATAPATH_KEY,
      previous: memory.datapath,
      pick: 'least',
      full: (datapath) => full('datapath', { datapath }),
    }),
    portKeys: graph.allocate('port key', 7, ports, {
      first: 1,
      last: MAX_PORT_KEY,
      previous: memory.port,
      pick: 'after greatest',
      full: (port, datapath) => full('port', { port, datapath }),
    }),
  }
}

/** Names by which OpenStack knows a network or router. */
function otherName(externalIds: ReadonlyMap<string, string>): string | undefined {
  return externalIds.get('neutron:network_name') ?? externalIds.get('neutron:router_name')
}

/** `Datapath_Binding`: one row a switch or enabled router. */
export function datapathBindings({ graph, topology, outputs, datapathKeys }: Context): void {
  graph.rule('southbound/datapath of switch', 10, topology.switches, (ls, out) => {
    const key = datapathKeys.get(ls.uuid)
    if (key === undefined) return
    const ids = new Map([
      ['logical-switch', ls.uuid],
      ['name', ls.name],
    ])
    const name2 = otherName(ls.externalIds)
    if (name2) ids.set('name2', name2)
    const interconnect = ls.config.get('interconn-ts')
    if (interconnect) ids.set('interconn-ts', interconnect)
    for (const name of ['ct-zone-limit', 'fdb_age_threshold'])
      if (ls.config.get(name) !== undefined) ids.set(name, ls.config.get(name) as string)
    out.emit(outputs.Datapath_Binding, ls.uuid, {
      tunnel_key: key,
      type: 'logical-switch',
      nb_uuid: ls.uuid,
      external_ids: ids,
    })
  })
  graph.rule('southbound/datapath of router', 10, topology.routers, (lr, out) => {
    const key = datapathKeys.get(lr.uuid)
    if (key === undefined) return
    const ids = new Map([
      ['logical-router', lr.uuid],
      ['name', lr.name],
    ])
    const name2 = otherName(lr.externalIds)
    if (name2) ids.set('name2', name2)
    if (lr.options.get('always_learn_from_arp_request') === 'false') ids.set('always_learn_from_arp_request', 'false')
    ids.set('disable_garp_rarp', lr.options.get('disable_garp_rarp') === 'true' ? 'true' : 'false')
    const zone = Number(lr.options.get('snat-ct-zone') ?? '-1')
    if (Number.isInteger(zone) && zone >= 0) ids.set('snat-ct-zone', String(zone))
    for (const name of ['mac_binding_age_threshold', 'ct-zone-limit'])
      if (lr.options.get(name) !== undefined) ids.set(name, lr.options.get(name) as string)
    if (lr.options.get('dynamic-routing') === 'true') {
      ids.set('dynamic-routing', 'true')
      for (const name of ['dynamic-routing-vrf-id', 'dynamic-routing-vrf-name', 'dynamic-routing-no-learning'])
        if (lr.options.get(name) !== undefined) ids.set(name, lr.options.get(name) as string)
    }
    out.emit(outputs.Datapath_Binding, lr.uuid, {
      tunnel_key: key,
      type: 'logical-router',
      nb_uuid: lr.uuid,
      external_ids: ids,
    })
  })
}
