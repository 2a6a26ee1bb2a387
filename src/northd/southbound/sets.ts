import type { Context } from '../context.ts'

/** `Address_Set` and `Port_Group`: the northbound's, and those that flows of northd's own refer to. */
export function sets(context: Context): void {
  const { graph, nb, topology, outputs, datapathKeys, global, identity } = context
  graph.rule('southbound/address set', 10, nb.Address_Set, (row, out) =>
    out.emit(outputs.Address_Set, row.name, { name: row.name, addresses: row.addresses }),
  )
  graph.rule('southbound/service monitor mac', 10, global, ({ options }, out) => {
    const macs = [
      options.get('svc_monitor_mac') ?? identity.serviceMac,
      options.get('svc_monitor_mac_dst') ?? identity.serviceMacDestination,
    ]
    out.emit(outputs.Address_Set, 'svc_monitor_mac', { name: 'svc_monitor_mac', addresses: [...new Set(macs)].sort() })
  })

  // Addresses of a port group's ports, by group.
  interface GroupAddress {
    readonly set: string
    readonly address: string
  }
  const addresses = graph.derived<GroupAddress>('address of port group', 10)
  const empties = graph.derived<GroupAddress>('set of port group', 10)
  graph.rule('sets of port group', 10, nb.Port_Group, (row, out) => {
    for (const family of [4, 6]) {
      const set = `${row.name}_ip${family}`
      out.emit(empties, set, { set, address: '' })
    }
  })
  const names = graph.derived<string>('name of port group', 1)
  graph.rule('name of port group', 1, nb.Port_Group, (row, out) => out.emit(names, row._uuid, row.name))
  graph.pair(
    'addresses of port group',
    10,
    nb.Port_Group,
    { members: (row) => row.ports, pick: (row) => row.name },
    (_key, uuid, name, out) => {
      const port = topology.switchPorts.get(uuid)
      for (const a of port?.addresses ?? []) {
        for (const n of [...a.v4, ...a.v6]) {
          const set = `${name}_ip${n.family}`
          out.emit(addresses, `${set} ${uuid} ${n.address}`, { set, address: n.address })
        }
      }
    },
  )
  const folded = graph.fold<GroupAddress, Map<string, number>, readonly string[]>('addresses of group', 11, addresses, {
    key: (a) => a.set,
    empty: () => new Map(),
    add: (into, a) => into.set(a.address, (into.get(a.address) ?? 0) + 1),
    remove: (from, a) => {
      const left = (from.get(a.address) ?? 0) - 1
      if (left > 0) from.set(a.address, left)
      else from.delete(a.address)
    },
    result: (all) => [...all.keys()].sort(),
  })
  graph.rule('southbound/address set of port group', 12, empties, ({ set }, out) =>
    out.emit(outputs.Address_Set, set, { name: set, addresses: folded.get(set) ?? [] }),
  )

  // A port group is split by datapath: `KEY_NAME`.
  interface Member {
    readonly group: string
    readonly datapath: string
    readonly port: string
  }
  const members = graph.derived<Member>('member of port group', 10)
  graph.pair(
    'member of port group',
    10,
    nb.Port_Group,
    { members: (row) => row.ports, pick: () => undefined },
    (group, uuid, _picked, out) => {
      const port = topology.switchPorts.get(uuid)
      if (port) out.emit(members, `${group} ${uuid}`, { group, datapath: port.switch, port: port.name })
    },
  )
  const split = graph.fold<
    Member,
    { group: string; datapath: string; ports: Set<string> },
    Member & { ports: readonly string[] }
  >('port group of datapath', 11, members, {
    key: (m) => `${m.group} ${m.datapath}`,
    empty: (key) => {
      const [group, datapath] = key.split(' ') as [string, string]
      return { group, datapath, ports: new Set() }
    },
    add: (into, m) => into.ports.add(m.port),
    remove: (from, m) => from.ports.delete(m.port),
    result: ({ group, datapath, ports }) => ({ group, datapath, port: '', ports: [...ports].sort() }),
  })
  graph.rule('southbound/port group', 12, split, ({ group, datapath, ports }, out) => {
    const key = datapathKeys.get(datapath)
    const name = names.get(group)
    if (key === undefined || name === undefined) return
    out.emit(outputs.Port_Group, `${key}_${name}`, { name: `${key}_${name}`, ports })
  })
}
