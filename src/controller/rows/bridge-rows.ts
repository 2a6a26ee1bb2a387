import { type Random, uuid4 } from '../../base/random.ts'
import type { Operation } from '../../ovsdb/client/operation.ts'
import type { Replica } from '../../ovsdb/client/replica.ts'
import type { Bridge, Interface, OpenVSwitch, Port } from '../../schema/open-vswitch.ts'
import { mapChanges, sameMap } from './map-changes.ts'

type Local = Replica<OpenVSwitch>
type StringMap = ReadonlyMap<string, string>

/** Fields by which the switch's classifier keeps a trie: lookups then need not look at whole addresses. */
const PREFIXES = ['ip_dst', 'ip_src', 'ipv6_dst', 'ipv6_src'] as const
/** All tables that flows may be in; 255 stands for any. */
const TABLES = 255

/** The prefixes that OVN's flows match by, as many as the switch takes: three before Open vSwitch 3.3. */
function flowPrefixes(ovs: Local): readonly string[] {
  return PREFIXES.slice(0, ovs.typeOf('Flow_Table', 'prefixes')?.max)
}

/** Gives all flow tables of a bridge the prefixes that OVN's flows match by. */
export function prefixOperations(ovs: Local, bridge: Bridge, random: Random): Operation[] {
  const present = bridge.flow_tables.get(0)
  const row = present === undefined ? undefined : ovs.table('Flow_Table').get(present)
  const same = bridge.flow_tables.size === TABLES && [...bridge.flow_tables.values()].every((t) => t === present)
  const prefixes = flowPrefixes(ovs)
  if (same && row && row.prefixes.join() === prefixes.join()) return []
  const uuid = uuid4(random)
  const tables = new Map(Array.from({ length: TABLES }, (_, table) => [table, uuid]))
  return [
    { op: 'insert', table: 'Flow_Table', uuid, row: { prefixes } },
    { op: 'update', table: 'Bridge', where: [['_uuid', '==', bridge._uuid]], row: { flow_tables: tables } },
  ]
}

/** A port with one interface of the same name, as the controller makes them. */
export interface WantedPort {
  readonly name: string
  readonly bridge: string
  readonly type: string
  readonly options: StringMap
  readonly portIds: StringMap
  readonly bfd?: StringMap
}

export function bridgeNamed(ovs: Local, name: string): Bridge | undefined {
  for (const b of ovs.table('Bridge').values()) if (b.name === name) return b
  return undefined
}

/** Finds ports by name, with their bridge and first interface. */
export function portNamed(
  ovs: Local,
  name: string,
): { port: Port; bridge: Bridge | undefined; iface: Interface | undefined } | undefined {
  const index = ovs.table('Port').index('name', (p) => p.name)
  const port = index.first(name)
  if (!port) return undefined
  const bridge = ovs
    .table('Bridge')
    .index('ports', (b) => b.ports)
    .first(port._uuid)
  const first = port.interfaces[0]
  return { port, bridge, iface: first === undefined ? undefined : ovs.table('Interface').get(first) }
}

/** Makes a port what it should be: creates it, moves it to its bridge, or changes its columns. */
export function portOperations(ovs: Local, wanted: WantedPort, random: Random): Operation[] {
  const bridge = bridgeNamed(ovs, wanted.bridge)
  if (!bridge) return []
  const found = portNamed(ovs, wanted.name)
  if (found?.iface && found.bridge === bridge && found.iface.type === wanted.type) {
    const out: Operation[] = []
    const { iface, port } = found
    const update: { [column: string]: StringMap } = {}
    if (!sameMap(iface.options, wanted.options)) update['options'] = wanted.options
    if (wanted.bfd && !sameMap(iface.bfd, wanted.bfd)) update['bfd'] = wanted.bfd
    if (Object.keys(update).length) {
      out.push({ op: 'update', table: 'Interface', where: [['_uuid', '==', iface._uuid]], row: update })
    }
    const mutations = mapChanges('external_ids', port.external_ids, wanted.portIds)
    if (mutations.length) out.push({ op: 'mutate', table: 'Port', where: [['_uuid', '==', port._uuid]], mutations })
    return out
  }
  const iface = uuid4(random)
  const port = uuid4(random)
  return [
    ...(found?.bridge ? removePort(found.bridge, found.port) : []),
    {
      op: 'insert',
      table: 'Interface',
      uuid: iface,
      row: {
        name: wanted.name,
        type: wanted.type,
        options: wanted.options,
        ...(wanted.bfd ? { bfd: wanted.bfd } : {}),
      },
    },
    {
      op: 'insert',
      table: 'Port',
      uuid: port,
      row: { name: wanted.name, interfaces: [iface], external_ids: wanted.portIds },
    },
    {
      op: 'mutate',
      table: 'Bridge',
      where: [['_uuid', '==', bridge._uuid]],
      mutations: [['ports', 'insert', [port]]],
    },
  ]
}

export function removePort(bridge: Bridge, port: Port): Operation[] {
  return [
    {
      op: 'mutate',
      table: 'Bridge',
      where: [['_uuid', '==', bridge._uuid]],
      mutations: [['ports', 'delete', [port._uuid]]],
    },
  ]
}

/**
 * The integration bridge, made if it does not exist (ovn-architecture(7), Chassis Setup), and its
 * datapath type where external_ids:ovn-bridge-datapath-type asks for one.
 */
export function integrationBridge(
  ovs: Local,
  name: string,
  datapathType: string | undefined,
  random: Random,
): Operation[] {
  const [root] = ovs.table('Open_vSwitch').values()
  if (!root) return []
  const bridge = bridgeNamed(ovs, name)
  if (bridge) {
    const row: { [column: string]: string | StringMap } = {}
    if (datapathType !== undefined && bridge.datapath_type !== datapathType) row['datapath_type'] = datapathType
    if (bridge.fail_mode !== 'secure') row['fail_mode'] = 'secure'
    const out: Operation[] = []
    const where = [['_uuid', '==', bridge._uuid]] as const
    if (Object.keys(row).length) out.push({ op: 'update', table: 'Bridge', where, row })
    return out
  }
  const iface = uuid4(random)
  const port = uuid4(random)
  const made = uuid4(random)
  return [
    { op: 'insert', table: 'Interface', uuid: iface, row: { name, type: 'internal' } },
    { op: 'insert', table: 'Port', uuid: port, row: { name, interfaces: [iface] } },
    {
      op: 'insert',
      table: 'Bridge',
      uuid: made,
      row: {
        name,
        ports: [port],
        fail_mode: 'secure',
        other_config: new Map([['disable-in-band', 'true']]),
        ...(datapathType === undefined ? {} : { datapath_type: datapathType }),
      },
    },
    {
      op: 'mutate',
      table: 'Open_vSwitch',
      where: [['_uuid', '==', root._uuid]],
      mutations: [['bridges', 'insert', [made]]],
    },
  ]
}
