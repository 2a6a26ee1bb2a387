import type { Derived, Graph, Index, Relation } from '../../reactive/index.ts'
import type { PortState } from '../context.ts'
import type { NorthboundTables } from '../topology/tables.ts'
import type { Topology } from '../topology/topology.ts'
import { haGroupName } from './ha-chassis.ts'

/** A switch and a router that are joined. */
interface Link {
  readonly switch: string
  readonly router: string
}

/** Chassis that watch a group's chassis: those with machines from which its routers can be come to. */
export interface HaReferences {
  /** Southbound uuids, sorted. */
  of(group: string): readonly string[]
}

/**
 * The chassis that refer to a group (ovn-sb(5) HA_Chassis_Group.ref_chassis): where ports of switches
 * are bound that are joined, over any number of switches and routers, to a router with that group.
 */
export function haReferences(
  graph: Graph,
  nb: NorthboundTables,
  topology: Topology,
  portStates: Relation<PortState>,
): HaReferences {
  const links = graph.derived<Link>('ha/link', 5)
  graph.rule('ha/link of port', 5, topology.switchPorts, (port, out) => {
    if (port.routerPort === undefined) return
    const router = topology.routerPortByName.first(port.routerPort)?.router
    if (router !== undefined) out.emit(links, port.name, { switch: port.switch, router })
  })
  graph.rule('ha/link of peers', 5, topology.routerPorts, (port, out) => {
    const peer = port.row.peer === undefined ? undefined : topology.routerPortByName.first(port.row.peer)
    if (peer) out.emit(links, port.name, { switch: port.router, router: peer.router })
  })

  const components = componentsOf(graph, links)
  const present = graph.derived<{ switch: string; chassis: string }>('ha/present', 5)
  graph.rule('ha/present', 5, portStates, (state, out, name) => {
    const port = state.chassis === undefined ? undefined : topology.switchPortByName.first(name)
    if (port && state.chassis !== undefined) {
      out.emit(present, `${port.switch} ${state.chassis}`, { switch: port.switch, chassis: state.chassis })
    }
  })
  const seen = graph.derived<{ component: string; chassis: string }>('ha/seen', 7)
  graph.rule('ha/seen', 7, present, ({ switch: from, chassis }, out) => {
    const component = components.get(from)
    if (component !== undefined) out.emit(seen, `${component} ${chassis}`, { component, chassis })
  })
  const homes = graph.derived<{ group: string; component: string }>('ha/home', 7)
  graph.rule('ha/home', 7, topology.routerPorts, (port, out) => {
    const group = port.distributedGateway ? haGroupName(nb, { ...port.row, name: port.name }) : undefined
    const component = components.get(port.router)
    if (group !== undefined && component !== undefined) out.emit(homes, `${group} ${component}`, { group, component })
  })
  const byComponent: Index<{ chassis: string }> = seen.index('component', (s) => s.component)
  const byGroup: Index<{ component: string }> = homes.index('group', (h) => h.group)
  return {
    of: (group) =>
      [...new Set(byGroup.get(group).flatMap((h) => byComponent.get(h.component).map((s) => s.chassis)))].sort(),
  }
}

/** Which switches and routers hang together: each by the least member's uuid. Redone only when a link changes. */
function componentsOf(graph: Graph, links: Relation<Link>): Derived<string> {
  const components = graph.derived<string>('ha/component', 6)
  graph.once('ha/component', 6, (out) => {
    const parent = new Map<string, string>()
    const root = (x: string): string => {
      let r = x
      for (let p = parent.get(r); p !== undefined && p !== r; p = parent.get(r)) r = p
      parent.set(x, r)
      return r
    }
    for (const link of links.values()) {
      const [a, b] = [root(link.switch), root(link.router)]
      // the least uuid stays the root
      const [least, other] = [a, b].sort() as [string, string]
      if (a !== b) parent.set(other, least)
    }
    for (const member of parent.keys()) out.emit(components, member, root(member))
  })
  return components
}
