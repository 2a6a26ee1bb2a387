import {
  type Expression,
  type LogicalAction,
  type NameSets,
  type OptionTable,
  parseActions,
  parseAddresses,
  parseMatch,
} from '../logical/index.ts'
import type { Southbound } from '../schema/southbound.ts'

/** The tables that a trace reads, as rows. */
export type TraceTables = {
  readonly [N in
    | 'Datapath_Binding'
    | 'Port_Binding'
    | 'Multicast_Group'
    | 'Logical_Flow'
    | 'Logical_DP_Group'
    | 'Address_Set'
    | 'Port_Group'
    | 'MAC_Binding'
    | 'Static_MAC_Binding'
    | 'FDB'
    | 'DHCP_Options'
    | 'DHCPv6_Options']: Iterable<Southbound[N]>
}

export const TRACE_TABLES: readonly (keyof TraceTables)[] = [
  'Datapath_Binding',
  'Port_Binding',
  'Multicast_Group',
  'Logical_Flow',
  'Logical_DP_Group',
  'Address_Set',
  'Port_Group',
  'MAC_Binding',
  'Static_MAC_Binding',
  'FDB',
  'DHCP_Options',
  'DHCPv6_Options',
]

export interface Port {
  readonly name: string
  /** A name for people, where the port has one (a cloud's). */
  readonly friendly: string | undefined
  readonly type: string
  readonly key: number
  readonly datapath: Datapath
  readonly options: ReadonlyMap<string, string>
  readonly security: readonly string[]
  readonly up: boolean
}

export interface Flow {
  readonly uuid: string
  readonly table: number
  readonly stage: string
  readonly source: string
  readonly priority: number
  readonly matchText: string
  readonly match: Expression
  readonly actions: readonly LogicalAction[]
}

export interface Datapath {
  readonly uuid: string
  readonly key: number
  readonly names: readonly string[]
  readonly name: string
  readonly friendly: string | undefined
  readonly portsByKey: Map<number, Port>
  readonly groupsByKey: Map<number, { readonly name: string; readonly ports: Port[] }>
  readonly keys: Map<string, number>
  /** Flows of `PIPELINE TABLE`, highest priority first. */
  readonly flows: Map<string, Flow[]>
  gateway: boolean
}

/** A southbound database as a trace needs it. */
export class TraceModel {
  readonly datapaths = new Map<string, Datapath>()
  readonly ports = new Map<string, Port>()
  readonly macBindings = new Map<string, number>()
  readonly fdb = new Map<string, number>()
  readonly sets: NameSets
  /** What could not be parsed: `TEXT: parsing expression failed (WHY)`. */
  readonly warnings: string[] = []
  private readonly groups = new Map<string, readonly string[]>()

  constructor(tables: TraceTables, parseMac: (text: string) => number | undefined) {
    const addressSets = new Map([...tables.Address_Set].map((r) => [r.name, r.addresses] as const))
    const parsedSets = new Map<string, ReturnType<typeof parseAddresses>>()
    for (const r of tables.Port_Group) this.groups.set(r.name, r.ports)
    this.sets = {
      addressSet: (name) => {
        const known = parsedSets.get(name)
        if (known) return known
        const addresses = addressSets.get(name)
        if (!addresses) return undefined
        const parsed = parseAddresses(addresses)
        parsedSets.set(name, parsed)
        return parsed
      },
      portGroup: (name) => this.groups.get(name),
    }
    for (const r of tables.Datapath_Binding) {
      const name = r.external_ids.get('name') ?? r._uuid
      this.datapaths.set(r._uuid, {
        uuid: r._uuid,
        key: r.tunnel_key,
        names: [...[...r.external_ids.values()], r._uuid, ...(r.nb_uuid ? [r.nb_uuid] : [])],
        name,
        friendly: r.external_ids.get('name2'),
        portsByKey: new Map(),
        groupsByKey: new Map(),
        keys: new Map(),
        flows: new Map(),
        gateway: false,
      })
    }
    this.readPorts(tables)
    for (const r of tables.MAC_Binding) this.bind(r.logical_port, r.ip, parseMac(r.mac))
    for (const r of tables.Static_MAC_Binding) this.bind(r.logical_port, r.ip, parseMac(r.mac))
    for (const r of tables.FDB) {
      const mac = parseMac(r.mac)
      if (mac !== undefined) this.fdb.set(`${r.dp_key} ${mac}`, r.port_key)
    }
    this.readFlows(tables)
  }

  private bind(port: string, ip: string, mac: number | undefined): void {
    const p = this.ports.get(port)
    const address = parseAddresses([ip])[0]
    if (p && address && mac !== undefined) this.macBindings.set(`${p.datapath.key} ${p.key} ${address.value}`, mac)
  }

  private readPorts(tables: TraceTables): void {
    const byUuid = new Map<string, Port>()
    for (const r of tables.Port_Binding) {
      const datapath = this.datapaths.get(r.datapath)
      if (!datapath) continue
      const port: Port = {
        name: r.logical_port,
        friendly: r.external_ids.get('name') ?? r.external_ids.get('neutron:port_name'),
        type: r.type,
        key: r.tunnel_key,
        datapath,
        options: r.options,
        security: r.port_security,
        up: r.up ?? true,
      }
      byUuid.set(r._uuid, port)
      this.ports.set(port.name, port)
      datapath.portsByKey.set(port.key, port)
      datapath.keys.set(port.name, port.key)
      if (port.type === 'l3gateway') datapath.gateway = true
    }
    for (const r of tables.Multicast_Group) {
      const datapath = this.datapaths.get(r.datapath)
      if (!datapath) continue
      const ports = r.ports.flatMap((u) => byUuid.get(u) ?? [])
      ports.sort((a, b) => (a.name < b.name ? -1 : 1))
      datapath.groupsByKey.set(r.tunnel_key, { name: r.name, ports })
      datapath.keys.set(r.name, r.tunnel_key)
    }
  }

  private readFlows(tables: TraceTables): void {
    const groups = new Map([...tables.Logical_DP_Group].map((g) => [g._uuid, g.datapaths] as const))
    const options = (rows: Iterable<{ name: string; code: number; type: string }>): OptionTable =>
      new Map([...rows].map((r) => [r.name, { code: r.code, type: r.type }]))
    const dhcpOptions = options(tables.DHCP_Options)
    const dhcpv6Options = options(tables.DHCPv6_Options)
    let count = 0
    for (const r of tables.Logical_Flow) {
      count++
      const uuids = [
        ...(r.logical_datapath ? [r.logical_datapath] : []),
        ...(r.logical_dp_group ? (groups.get(r.logical_dp_group) ?? []) : []),
      ]
      const match = this.parse(r.match, r.tags.get('acl_ct_translation') === 'true')
      if (!match) continue
      const dhcp = r.actions.includes('put_dhcp')
      const actions = parseActions(r.actions, {
        pipeline: r.pipeline,
        table: r.table_id,
        ...(dhcp ? { dhcpOptions, dhcpv6Options } : {}),
      })
      if (!actions.ok) {
        this.warnings.push(`${r.actions}: parsing actions failed (${actions.error})`)
        continue
      }
      const on = actions.value.prerequisites
      const flow: Flow = {
        uuid: r._uuid,
        table: r.table_id,
        stage: r.external_ids.get('stage-name') ?? '',
        source: r.external_ids.get('source') ?? '',
        priority: r.priority,
        matchText: r.match,
        match: on ? { type: 'and', of: [match, on] } : match,
        actions: actions.value.actions,
      }
      for (const uuid of uuids) {
        const datapath = this.datapaths.get(uuid)
        if (!datapath) continue
        const key = `${r.pipeline} ${r.table_id}`
        const list = datapath.flows.get(key)
        if (list) list.push(flow)
        else datapath.flows.set(key, [flow])
      }
    }
    // Which of equal flows is hit is open. The real program takes the first in its hash table, by
    // the low bits of the uuid; so do we, that the same trace says the same.
    let mask = 3
    while (mask < count / 2) mask = mask * 2 + 1
    const place = (f: Flow) => Number.parseInt(f.uuid.slice(0, 8), 16) & mask
    for (const d of this.datapaths.values()) {
      for (const list of d.flows.values())
        list.sort((a, b) => b.priority - a.priority || place(a) - place(b) || (a.uuid < b.uuid ? 1 : -1))
    }
  }

  private parse(text: string, ctTranslation: boolean): Expression | undefined {
    // A port group of the northbound has one of the name `KEY_name` for each datapath.
    const sets: NameSets = {
      addressSet: this.sets.addressSet,
      portGroup: (name) => {
        const found = [...this.groups].filter(([n]) => n === name || n.endsWith(`_${name}`))
        return found.length ? found.flatMap(([, ports]) => ports) : undefined
      },
    }
    const parsed = parseMatch(text, sets, { ctTranslation })
    if (parsed.ok) return parsed.value.expression
    this.warnings.push(`${text}: parsing expression failed (${parsed.error})`)
    return undefined
  }
}
